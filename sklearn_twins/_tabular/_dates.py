"""Dates as the numbers that a network can use: time elapsed, and where it stands in the year, the week and the day."""

import datetime

import numpy as np

from ._column_kinds import DATES, DURATIONS, as_list, is_missing

SECOND, DAY = np.timedelta64(1, "s"), np.timedelta64(1, "D")
NO_TIME = datetime.timedelta(0)


def dates(values):
    """Dates, with or without a time -> datetime64 in microseconds, NaT where missing.

    A time with a zone is taken in UTC.

    Parameters
    ----------
    values : ndarray of shape (n,) or list of n
        datetime64, or Python's or pandas' objects.

    Returns
    -------
    dates : ndarray of shape (n,), datetime64[us]

    Raises
    ------
    ValueError
        If a value is no date.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[us]", copy=False)
    return np.array([_date(value) for value in as_list(values)], dtype="datetime64[us]")


def _date(value):
    if is_missing(value):
        return None
    if not isinstance(value, DATES):
        raise ValueError(f"it held dates in fit, and holds {value!r}; parse dates before (pandas.to_datetime)")
    if hasattr(value, "asm8"):  # pandas', which would keep what it is asked for in parts
        return value.asm8
    if getattr(value, "tzinfo", None) is not None:  # not by Python's astimezone, which knows no year 0 or 10000
        return np.datetime64(value.replace(tzinfo=None), "us") - np.timedelta64(value.utcoffset() or NO_TIME, "us")
    return value


def durations(values):
    """Durations and times of day -> seconds as float64, NaN where missing.

    Parameters
    ----------
    values : ndarray of shape (n,) or list of n
        timedelta64, or Python's or pandas' objects.

    Returns
    -------
    seconds : ndarray of shape (n,), float64

    Raises
    ------
    ValueError
        If a value is no duration.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "m":
        check_length(values.dtype)
        missing = np.isnat(values)
        values = np.where(missing, 0 * SECOND, values)  # in their own unit: the longest ones overflow in microseconds
        return np.where(missing, np.nan, values // SECOND + values % SECOND / SECOND)
    return np.array([_seconds(value) for value in as_list(values)], dtype=np.float64)


def _seconds(value):
    if is_missing(value):
        return np.nan
    if not isinstance(value, DURATIONS):
        raise ValueError(f"it held durations in fit, and holds {value!r}; convert before (pandas.to_timedelta)")
    if isinstance(value, datetime.time):
        value = datetime.datetime.combine(datetime.date.min, value.replace(tzinfo=None)) - datetime.datetime.min
    value = getattr(value, "asm8", value)  # pandas'
    if isinstance(value, np.timedelta64):
        check_length(value.dtype)
        return value // SECOND + value % SECOND / SECOND
    return value.days * 86_400 + value.seconds + value.microseconds / 1_000_000


def check_length(dtype):
    """Refuse durations in a unit that has no length."""
    unit, _ = np.datetime_data(dtype)
    if unit in ("Y", "M"):
        raise ValueError(f"years and months ({dtype}) have no length of their own; give days, or a number")


def elapsed(t):
    """Seconds since 1970."""
    return (t - np.datetime64(0, "us")) / SECOND


def year_phase(t):
    """Where in its year a date stands, in [0, 1)."""
    year = t.astype("datetime64[Y]")
    start, end = year.astype("datetime64[us]"), (year + 1).astype("datetime64[us]")
    return (t - start) / (end - start)


def week_phase(t):
    """Where in its week a date stands, in [0, 1), in whole days from Monday on."""
    days = t.astype("datetime64[D]").astype(np.int64)  # 1 January 1970 was a Thursday
    return (days + 3) % 7 / 7


def day_phase(t):
    """Where in its day a time stands, in [0, 1)."""
    return (t - t.astype("datetime64[D]")) / DAY


PHASES = {"year": year_phase, "week": week_phase, "day": day_phase}
WAVES = {"sin": np.sin, "cos": np.cos}


def date_part(t, part):
    """One number of a date.

    Parameters
    ----------
    t : ndarray of shape (n,), datetime64[us]
        Dates, NaT where missing.
    part : str
        "elapsed", or a phase and a wave of it: "year_sin", "week_cos", ...

    Returns
    -------
    numbers : ndarray of shape (n,), float64
        NaN where missing.
    """
    missing = np.isnat(t)
    t = np.where(missing, np.datetime64(0, "us"), t)
    if part == "elapsed":
        numbers = elapsed(t)
    else:
        phase, wave = part.split("_")
        numbers = WAVES[wave](2 * np.pi * PHASES[phase](t))
    numbers[missing] = np.nan
    return numbers


def varying_parts(t):
    """The parts in which dates differ: a column without times of day has none of the day.

    Parameters
    ----------
    t : ndarray of shape (n,), datetime64[us]
        Dates, NaT where missing.

    Returns
    -------
    parts : tuple of str
        "elapsed" first, always.
    """
    t = t[~np.isnat(t)]
    phases = [name for name, phase in PHASES.items() if len(t) and np.ptp(phase(t)) > 0]
    return ("elapsed", *(f"{phase}_{wave}" for phase in phases for wave in WAVES))

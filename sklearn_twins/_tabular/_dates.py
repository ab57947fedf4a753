"""Convert dates and durations to numbers: time elapsed, and the phase of the year, the week and the day."""

import datetime

import numpy as np

from .._inputs._messages import show
from .._inputs._missing import is_missing
from ._column_kinds import DATES, DURATIONS, as_list

SECOND, DAY = np.timedelta64(1, "s"), np.timedelta64(1, "D")
NO_TIME = datetime.timedelta(0)


def decode_dates(values):
    """Convert dates, with or without a time, to datetime64 in microseconds, with NaT where missing.

    Times with a time zone are converted to UTC.

    Parameters
    ----------
    values : ndarray of shape (n,) or list of n
        datetime64, or Python's or pandas' objects; a period stands for its start.

    Returns
    -------
    dates : ndarray of shape (n,), datetime64[us]

    Raises
    ------
    ValueError
        If a value is not a date.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[us]", copy=False)
    return np.array([_to_date(value) for value in as_list(values)], dtype="datetime64[us]")


def _to_date(value):
    if is_missing(value):
        return None
    if type(value).__name__ == "Period":
        value = value.start_time
    if not isinstance(value, DATES):
        raise ValueError(f"it held dates in fit, but now holds {show(value)}; parse dates first (pandas.to_datetime)")
    if hasattr(value, "asm8"):  # a pandas Timestamp, already in UTC
        return value.asm8
    if getattr(value, "tzinfo", None) is not None:  # Python's astimezone fails in the years 0 and 10000
        return np.datetime64(value.replace(tzinfo=None), "us") - np.timedelta64(value.utcoffset() or NO_TIME, "us")
    return value


def decode_durations(values):
    """Convert durations and times of day to seconds, with NaN where missing.

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
        If a value is not a duration.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "m":
        check_unit(values.dtype)
        missing = np.isnat(values)
        values = np.where(missing, 0 * SECOND, values)
        return np.where(missing, np.nan, _to_seconds(values))
    return np.array([_decode_duration(value) for value in as_list(values)], dtype=np.float64)


def _decode_duration(value):
    if is_missing(value):
        return np.nan
    if not isinstance(value, DURATIONS):
        raise ValueError(
            f"it held durations in fit, but now holds {show(value)}; convert it first (pandas.to_timedelta)"
        )
    if isinstance(value, datetime.time):
        value = datetime.datetime.combine(datetime.date.min, value.replace(tzinfo=None)) - datetime.datetime.min
    value = getattr(value, "asm8", value)  # of a pandas Timedelta
    if isinstance(value, np.timedelta64):
        check_unit(value.dtype)
        return _to_seconds(value)
    return value.days * 86_400 + value.seconds + value.microseconds / 1_000_000


def _to_seconds(values):
    """Convert timedelta64 in their own unit, since the longest ones overflow in microseconds."""
    return values // SECOND + values % SECOND / SECOND


def check_unit(dtype):
    """Raise ValueError for durations in years or months."""
    unit, _ = np.datetime_data(dtype)
    if unit in ("Y", "M"):
        raise ValueError(f"years and months ({dtype}) have no fixed length; give days, or a number")


def seconds_since_1970(t):
    """Return the time elapsed since the start of 1970, in seconds."""
    return (t - np.datetime64(0, "us")) / SECOND


def year_phase(t):
    """Return the share of the year that has passed, in [0, 1)."""
    year = t.astype("datetime64[Y]")
    start, end = year.astype("datetime64[us]"), (year + 1).astype("datetime64[us]")
    return (t - start) / (end - start)


def week_phase(t):
    """Return the share of the week that has passed, in [0, 1), in whole days from Monday."""
    days = t.astype("datetime64[D]").astype(np.int64)  # 1 January 1970 was a Thursday
    return (days + 3) % 7 / 7


def day_phase(t):
    """Return the share of the day that has passed, in [0, 1)."""
    return (t - t.astype("datetime64[D]")) / DAY


PHASES = {"year": year_phase, "week": week_phase, "day": day_phase}
WAVES = {"sin": np.sin, "cos": np.cos}


def extract_part(t, part):
    """Compute one number of each date.

    Parameters
    ----------
    t : ndarray of shape (n,), datetime64[us]
        Dates, NaT where missing.
    part : str
        "elapsed", or a phase and its wave: "year_sin", "week_cos", ...

    Returns
    -------
    numbers : ndarray of shape (n,), float64
        NaN where missing.
    """
    missing = np.isnat(t)
    t = np.where(missing, np.datetime64(0, "us"), t)
    if part == "elapsed":
        numbers = seconds_since_1970(t)
    else:
        phase, wave = part.split("_")
        numbers = WAVES[wave](2 * np.pi * PHASES[phase](t))
    numbers[missing] = np.nan
    return numbers


def find_varying_parts(t):
    """Return the parts in which dates differ; dates without times of day do not vary within the day.

    Parameters
    ----------
    t : ndarray of shape (n,), datetime64[us]
        Dates, NaT where missing.

    Returns
    -------
    parts : tuple of str
        "elapsed" always comes first.
    """
    t = t[~np.isnat(t)]
    phases = [name for name, phase in PHASES.items() if len(t) and np.ptp(phase(t)) > 0]
    return ("elapsed", *(f"{phase}_{wave}" for phase in phases for wave in WAVES))

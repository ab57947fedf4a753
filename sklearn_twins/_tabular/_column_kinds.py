"""What the values of a column are, and numbers among them as float64."""

import datetime
from numbers import Complex, Number, Real

import numpy as np

FLOATS = (float, np.floating)
DATES = (datetime.date, np.datetime64)  # datetime.datetime and pandas' Timestamp are dates
DURATIONS = (datetime.timedelta, datetime.time, np.timedelta64)


def is_missing(value):
    """Whether a single value stands for nothing: None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    if type(value).__name__ == "Decimal":
        return value.is_nan()  # a signalling one cannot be compared
    return isinstance(value, (*DATES, *DURATIONS, Number)) and bool(value != value)


def kind_of_type(kind):
    """What one Python type says of its column: "number", "date", "duration", "category", or "" for missing values."""
    if kind is type(None) or kind.__name__ in ("NAType", "NaTType"):
        return ""
    if issubclass(kind, DATES):
        return "date"
    if issubclass(kind, DURATIONS):
        return "duration"
    if issubclass(kind, (Real, np.bool_)) or kind.__name__ == "Decimal":
        return "number"
    if kind.__hash__ in (None, object.__hash__):  # nothing of this type is ever equal to another, or it has no hash
        raise TypeError(
            f"the values are of type {kind.__name__}, but an argument must be a string, a number or a date. "
            "Spread them over columns of their own, or leave the column out."
        )
    if issubclass(kind, Complex):
        raise ValueError("Complex data not supported. Give real and imaginary parts a column each.")
    return "category"


def kind_of_values(blocks):
    """Kind of a column whose container does not say it, by the types of all its values.

    Parameters
    ----------
    blocks : iterable of list
        All values of the column.

    Returns
    -------
    kind : {"number", "date", "duration", "category", "empty"}
        "empty" if nothing but missing values is there; "category" for strings, and where kinds are mixed.
    """
    kinds = set()
    for values in blocks:
        types = set(map(type, values))
        kinds |= {kind_of_type(kind) for kind in types if not issubclass(kind, FLOATS)}
        floats = "number" not in kinds and any(issubclass(kind, FLOATS) for kind in types)
        if floats and any(isinstance(value, FLOATS) and value == value for value in values):
            kinds.add("number")  # a float that is NaN may as well be a missing date or string
    kinds -= {""}
    if not kinds:
        return "empty"
    return kinds.pop() if len(kinds) == 1 else "category"


def as_list(values):
    """Values as a list of Python objects."""
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def numbers(values):
    """Numbers, bools and missing values -> float64, NaN where missing.

    Parameters
    ----------
    values : ndarray of shape (n,) or list of n
        Anything that `float` takes.

    Returns
    -------
    numbers : ndarray of shape (n,), float64

    Raises
    ------
    ValueError
        If a value is no number.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return as_float64(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM":
        raise ValueError(f"it holds {values.dtype}, and held numbers in fit; make it a number, or leave it out")
    values = as_list(values)
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=np.float64)
        if array.ndim == 1:  # lists as values make a matrix
            return array
    except (TypeError, ValueError, OverflowError):
        pass
    return np.array([np.nan if is_missing(value) else _number(value) for value in values], dtype=np.float64)


def as_float64(array):
    """Numbers as float64; those that only a longer type holds become infinity, and are refused as that."""
    with np.errstate(over="ignore"):
        return array.astype(np.float64, copy=False)


def _number(value):
    try:
        with np.errstate(over="ignore"):
            return float(value)
    except OverflowError:
        return np.inf  # an int too large for float64, which is refused as infinity is
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"could not convert string to float: {value!r}. The column held numbers in fit; make it a number, or NaN, "
            "which counts as missing"
        ) from error


def presence(values):
    """0 where a value is there and NaN where it is missing: all that a column without values in `fit` can say."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiubU":
        return np.where(values != values, np.nan, 0.0)
    values = as_list(values)
    return np.fromiter((np.nan if is_missing(value) else 0.0 for value in values), np.float64, len(values))

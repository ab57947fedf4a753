"""Infer what kind of values a column holds, and convert its numbers to float64."""

import datetime
from numbers import Complex, Real

import numpy as np

from .._inputs._messages import show
from .._inputs._missing import is_missing

FLOATS = (float, np.floating)
DATES = (datetime.date, np.datetime64)  # datetime.datetime and pandas' Timestamp are subclasses of date
DURATIONS = (datetime.timedelta, datetime.time, np.timedelta64)


def infer_kind_of_type(kind):
    """Return the column kind of a Python type: "number", "date", "duration", "category", or "" for missing values."""
    if kind is type(None) or kind.__name__ in ("NAType", "NaTType"):
        return ""
    if issubclass(kind, DATES) or kind.__name__ == "Period":
        return "date"
    if issubclass(kind, DURATIONS):
        return "duration"
    if issubclass(kind, (Real, np.bool_)) or kind.__name__ == "Decimal":
        return "number"
    if kind.__hash__ in (None, object.__hash__):  # cannot be hashed, or no two objects are ever equal
        raise TypeError(
            f"the values are of type {kind.__name__}, but an argument must be a string, a number or a date. "
            "Spread them over several columns, or drop the column."
        )
    if issubclass(kind, Complex):
        raise ValueError("Complex data not supported. Give real and imaginary parts as two columns.")
    return "category"


def infer_kind_of_values(blocks):
    """Return the kind of a column of Python objects, from the types of all its values.

    Parameters
    ----------
    blocks : iterable of list
        All values of the column.

    Returns
    -------
    kind : {"number", "date", "duration", "category", "empty"}
        "empty" if all values are missing; "category" for strings and for values of several kinds.
    """
    kinds = set()
    for values in blocks:
        types = set(map(type, values))
        kinds |= {infer_kind_of_type(kind) for kind in types if not issubclass(kind, FLOATS)}
        floats = "number" not in kinds and any(issubclass(kind, FLOATS) for kind in types)
        if floats and any(isinstance(value, FLOATS) and value == value for value in values):
            kinds.add("number")  # a NaN alone may also be a missing date or string
    kinds -= {""}
    if not kinds:
        return "empty"
    return kinds.pop() if len(kinds) == 1 else "category"


def as_list(values):
    """Return values as a list of Python objects."""
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def decode_numbers(values):
    """Convert numbers, booleans and missing values to float64, with NaN where missing.

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
        If a value is not a number.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return as_float64(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM":
        raise ValueError(f"it held numbers in fit, but now holds {values.dtype}; convert it to numbers")
    values = as_list(values)
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=np.float64)
        if array.ndim == 1:  # values that are lists would make a matrix
            return array
    except (TypeError, ValueError, OverflowError):
        pass
    return np.array([np.nan if is_missing(value) else _to_float(value) for value in values], dtype=np.float64)


def as_float64(array):
    """Cast to float64; values beyond its range become infinity, which is refused later."""
    with np.errstate(over="ignore"):
        return array.astype(np.float64, copy=False)


def _to_float(value):
    try:
        with np.errstate(over="ignore"):
            return float(value)
    except OverflowError:
        return np.inf  # an int beyond float64, refused later like infinity
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"could not convert string to float: {show(value)}. The column held numbers in fit; convert it to numbers, "
            "with NaN for missing values"
        ) from error


def decode_presence(values):
    """Return 0 where a value is present and NaN where it is missing, for columns that were empty in `fit`."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiubU":
        return np.where(values != values, np.nan, 0.0)
    values = as_list(values)
    return np.fromiter((np.nan if is_missing(value) else 0.0 for value in values), np.float64, len(values))

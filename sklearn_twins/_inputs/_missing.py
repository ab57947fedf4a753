"""Missing values of Python, NumPy and pandas."""

import datetime
from numbers import Number

import numpy as np

# Types whose missing value, if they have one, does not equal itself. pandas' Timestamp and Timedelta are among them.
COMPARABLE = (datetime.date, datetime.timedelta, datetime.time, np.datetime64, np.timedelta64, Number)


def is_missing(value):
    """Whether a value is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    if type(value).__name__ == "Decimal":
        return value.is_nan()  # comparing a signalling NaN raises
    return isinstance(value, COMPARABLE) and bool(value != value)

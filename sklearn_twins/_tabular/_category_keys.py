"""Simplify categories of any type, and write them as strings, numbers and tuples of them, for files."""

import datetime
import enum
import os
from decimal import Decimal
from fractions import Fraction
from numbers import Complex, Integral, Rational, Real

import numpy as np

from .._inputs._missing import is_missing


def write_timedelta(duration):
    """Write a duration as days, seconds and microseconds."""
    return f"{duration.days} {duration.seconds} {duration.microseconds}"


def read_timedelta(text):
    """Read what `write_timedelta` wrote."""
    return datetime.timedelta(*map(int, text.split()))


def read_fraction(text):
    """Read "1/3"; `Fraction` itself would also write out an exponent, "1e1000000000"."""
    numerator, _, denominator = text.partition("/")
    return Fraction(int(numerator), int(denominator or 1))


# Type of a category other than a string or a number -> (how to write it, how to read it). The types are exact: a
# subclass may hold more. A time with a zone keeps its offset only, which is enough to be equal to the original.
KINDS = {
    Decimal: (str, Decimal),
    Fraction: (str, read_fraction),
    bytes: (bytes.hex, bytes.fromhex),
    complex: (repr, complex),
    datetime.datetime: (datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: (datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: (datetime.time.isoformat, datetime.time.fromisoformat),
    datetime.timedelta: (write_timedelta, read_timedelta),
}
NAMES = {kind.__name__: kind for kind in KINDS}
COLLECTIONS = {"tuple": tuple, "frozenset": frozenset}
SIMPLE = {str, float, *KINDS}
EQUAL_TO_SIMPLE = {*SIMPLE, int, bool}  # to dicts and sets, these are what `simplify` makes of them
# Types whose values are the categories of their text.
TEXTS = {
    ("uuid", "UUID"),
    ("pandas", "Period"),
    *(("ipaddress", f"IPv{v}{w}") for v in "46" for w in ("Address", "Network")),
}


def simplify(key):
    """Replace a category by a plain object that is equal for equal categories and that files can hold.

    Parameters
    ----------
    key : object
        A category, not missing.

    Returns
    -------
    key : str, float, int, tuple, frozenset or one of `KINDS`
        Numbers as float where that is exact; dates and durations as Python's, to the microsecond; paths, UUIDs,
        periods, intervals and members of enums as text. Missing values in tuples are None.

    Raises
    ------
    TypeError
        If the type is another one.
    """
    kind = type(key)
    if kind in SIMPLE:
        return key
    if isinstance(key, str):
        return str.__str__(key)  # not str(key), which is another text for an enum
    if isinstance(key, (tuple, frozenset)):
        parts = (None if is_missing(part) else simplify(part) for part in key)
        return tuple(parts) if isinstance(key, tuple) else frozenset(parts)
    if isinstance(key, (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)):
        return _simplify_time(key)
    if isinstance(key, (Complex, Decimal, np.bool_)):
        return _simplify_number(key)
    if isinstance(key, bytes):
        return bytes(key)
    return _write(key)


def _simplify_number(key):
    if isinstance(key, Decimal):
        return Decimal(key)
    if not isinstance(key, (Real, np.bool_)):
        return complex(key)
    try:
        with np.errstate(over="ignore"):
            number = float(key)
        if number == key or not isinstance(key, Rational):
            return number
    except OverflowError:  # an int beyond float64
        pass
    return int(key) if isinstance(key, Integral) else Fraction(key)


def _simplify_time(key):
    if isinstance(key, np.generic):
        unit = "M8[us]" if isinstance(key, np.datetime64) else "m8[us]"
        found = key.astype(unit).item() if np.can_cast(key.dtype, unit, "same_kind") else None
        return found if isinstance(found, (datetime.datetime, datetime.timedelta)) else str(key)  # out of their range
    if isinstance(key, datetime.timedelta):
        return datetime.timedelta(key.days, key.seconds, key.microseconds)
    if isinstance(key, datetime.time):
        return datetime.time(key.hour, key.minute, key.second, key.microsecond, key.tzinfo, fold=key.fold)
    if not isinstance(key, datetime.datetime):
        return datetime.date(key.year, key.month, key.day)
    day, time = (key.year, key.month, key.day), (key.hour, key.minute, key.second, key.microsecond)
    return datetime.datetime(*day, *time, key.tzinfo, fold=key.fold) if 1 <= key.year <= datetime.MAXYEAR else str(key)


def _write(key):
    kind = type(key)
    name = kind.__module__.partition(".")[0], kind.__name__
    if isinstance(key, enum.Enum):
        return f"{kind.__qualname__}.{key.name or key.value}"
    if isinstance(key, os.PathLike):
        return os.fspath(key)
    if name in TEXTS:
        return str(key)
    if name == ("pandas", "Interval"):
        left, right = (f"{end + 0.0}" if isinstance(end, Real) else f"{end}" for end in (key.left, key.right))
        return f"{'[' if key.closed_left else '('}{left}, {right}{']' if key.closed_right else ')'}"
    raise TypeError(
        f"values of type {kind.__qualname__} cannot be categories, since no file could keep them: an argument must be "
        "a string, a number or a date. Convert them to strings that tell them apart, such as X[column].astype(str)."
    )


def to_plain(key):
    """Write a simplified category as a string, a number, or a tuple of its type's name and its text."""
    kind = type(key)
    if kind is tuple:
        return ("tuple", *map(to_plain, key))
    if kind is frozenset:
        return ("frozenset", *sorted(map(to_plain, key), key=repr))
    return (kind.__name__, KINDS[kind][0](key)) if kind in KINDS else key


def from_plain(plain):
    """Read a category that `to_plain` wrote; raises ValueError if it did not."""
    if type(plain) is not tuple:
        return plain
    name, *content = plain
    if name in COLLECTIONS:
        return COLLECTIONS[name](map(from_plain, content))
    if name not in NAMES or len(content) != 1 or type(content[0]) is not str:
        raise ValueError(f"{plain!r} does not stand for a category.")
    return KINDS[NAMES[name]][1](content[0])

"""Write categories of any type as strings, numbers and tuples of them, so that files can hold them."""

import datetime
from decimal import Decimal
from fractions import Fraction

# Type of a category other than a string or a number -> (how to write it, how to read it). The types are exact: a
# subclass may hold more. A time with a zone keeps its offset only, which is enough to be equal to the original.
KINDS = {
    Decimal: (str, Decimal),
    Fraction: (str, Fraction),
    bytes: (bytes.hex, bytes.fromhex),
    datetime.datetime: (datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: (datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: (datetime.time.isoformat, datetime.time.fromisoformat),
}
NAMES = {kind.__name__: kind for kind in KINDS}


def to_plain(key):
    """Write a category as a string, a number, or a tuple of its type's name and its text.

    Categories of unknown types are returned unchanged.
    """
    kind = type(key)
    if kind is tuple:
        return ("tuple", *map(to_plain, key))
    return (kind.__name__, KINDS[kind][0](key)) if kind in KINDS else key


def from_plain(plain):
    """Read a category that `to_plain` wrote; raises ValueError if it did not."""
    if type(plain) is not tuple:
        return plain
    name, *content = plain
    if name == "tuple":
        return tuple(map(from_plain, content))
    if name not in NAMES or len(content) != 1 or type(content[0]) is not str:
        raise ValueError(f"{plain!r} does not stand for a category.")
    return KINDS[NAMES[name]][1](content[0])

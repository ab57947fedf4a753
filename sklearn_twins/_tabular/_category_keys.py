"""Categories of every kind as strings, numbers and tuples of them: what files hold that know no other objects."""

import datetime
from decimal import Decimal
from fractions import Fraction

# What a category may be beside a string or a number -> how it is written, and read. Exact types: a subclass may add
# anything. A time with a zone keeps its offset, which makes it equal to what it was.
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
    """A category as a string, a number, or a tuple that says what it is; one of another kind as it is.

    Parameters
    ----------
    key : hashable
        As `CategoryColumns` holds it.

    Returns
    -------
    plain : str, float, int or tuple
    """
    kind = type(key)
    if kind is tuple:
        return ("tuple", *map(to_plain, key))
    return (kind.__name__, KINDS[kind][0](key)) if kind in KINDS else key


def from_plain(plain):
    """The reverse of `to_plain`.

    Parameters
    ----------
    plain : str, float, int or tuple
        As it returned it.

    Returns
    -------
    key : hashable

    Raises
    ------
    ValueError
        If it is no such thing.
    """
    if type(plain) is not tuple:
        return plain
    name, *content = plain
    if name == "tuple":
        return tuple(map(from_plain, content))
    if name not in NAMES or len(content) != 1 or type(content[0]) is not str:
        raise ValueError(f"{plain!r} stands for no category.")
    return KINDS[NAMES[name]][1](content[0])

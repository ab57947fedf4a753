"""Categorical columns: their categories counted, ranked by frequency, and turned into codes."""

import warnings
from collections import Counter
from decimal import Decimal
from numbers import Real

import numpy as np

from ._category_keys import from_plain, to_plain
from ._column_kinds import as_list, is_missing
from ._table import named

# The first codes of every categorical column; its categories follow.
MISSING, UNSEEN, FIRST = 0, 1, 2


class CategoryColumns:
    """How the codes of a sample come about.

    Parameters
    ----------
    columns : tuple of int
        Columns of X that are categorical.
    categories : tuple of tuples
        For each, the categories with a code of their own, in the order of their codes.
    pooled : tuple of bool
        For each, whether one code more stands for all others, those that `fit` did not see among them.
    """

    def __init__(self, columns, categories, pooled):
        self.columns, self.categories, self.pooled = columns, categories, pooled

    def __getstate__(self):
        return {**vars(self), "categories": tuple(tuple(map(to_plain, own)) for own in self.categories)}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.categories = tuple(tuple(map(from_plain, own)) for own in self.categories)

    @property
    def n_codes(self):
        """Number of codes of each column."""
        return tuple(FIRST + len(own) + more for own, more in zip(self.categories, self.pooled, strict=True))

    def encode(self, table, rows, out):
        """Write the codes of a block of rows.  # out: (rows, n_categorical), float32"""
        for c, j in enumerate(self.columns):
            own = self.categories[c]
            with named(table, j):
                values = keys(table.exact_values(j, rows))
                known = {key: FIRST + code for code, key in enumerate(own)}
                out[:, c] = codes(values, known, FIRST + len(own) if self.pooled[c] else UNSEEN)


def learn_categories(table, kinds, max_categories, listed):
    """Count the categories and give the frequent ones codes.

    Parameters
    ----------
    table : Table
        The training rows.
    kinds : list of str
        Kind of each column; a categorical column without any value becomes "empty" here.
    max_categories : int or None
        Categories of a column at most, the pooled ones counting as one.
    listed : set of int
        Columns that the user named as categorical.

    Returns
    -------
    columns : CategoryColumns
    """
    columns, categories, pooled = [], [], []
    for j in [j for j, kind in enumerate(kinds) if kind == "category"]:
        counts = Counter()
        for rows in table.blocks():
            with named(table, j):
                count(counts, keys(table.exact_values(j, rows)))
        if not counts:
            kinds[j] = "empty"
            continue
        own, more = rank(counts, max_categories)
        if more and j not in listed and all(map(is_text_of_number, counts)):
            warn_of_numbers(table, j, len(counts))
        columns.append(j)
        categories.append(own)
        pooled.append(more)
    return CategoryColumns(tuple(columns), tuple(categories), tuple(pooled))


def is_text_of_number(key):
    """Whether a key is a string that reads as a number."""
    try:
        return isinstance(key, str) and float(key) is not None
    except ValueError:
        return False


def warn_of_numbers(table, j, n_categories):
    """Warn that many different numbers are there as strings."""
    warnings.warn(
        f"Input X, {table.label(j)}, holds {n_categories:,} different strings that are all numbers, and is taken as "
        "categorical. If they are quantities, convert it first (pandas.to_numeric); if they are not, name it in "
        "categorical_features.",
        stacklevel=2,
    )


def keys(values):
    """Categories as hashable Python objects, None where missing.

    Numbers that are equal are one category, whatever their type (1, 1.0, True); a string is never equal to a number.

    Parameters
    ----------
    values : ndarray of shape (n,) or list of n
        Anything hashable.

    Returns
    -------
    keys : list of n
        Missing values may also be NaN, NaT or NA.

    Raises
    ------
    TypeError
        If a value cannot be a category: a list, say.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return np.where(np.isnan(values), None, values).tolist()
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM":
        return values.astype(f"{values.dtype.kind}8[us]").tolist()
    return as_list(values)


def distinct(values):
    """The different keys among `values`, the missing ones among them as they are."""
    try:
        return set(values)
    except TypeError as error:
        bad = next(value for value in values if not _is_hashable(value))
        raise TypeError(
            f"{bad!r} cannot be a category: an argument must be a string, a number or something hashable. "
            "Spread such values over columns of their own, or leave the column out."
        ) from error


def _is_hashable(value):
    try:
        return hash(value) is not None
    except TypeError:  # a tuple has a hash unless there is a list in it
        return False


def count(counts, values):
    """Add how often each key occurs to a `collections.Counter`, missing ones apart."""
    missing = [key for key in distinct(values) if is_missing(key)]
    counts.update(values)
    for key in missing:
        del counts[key]


def rank(counts, max_categories):
    """The most frequent categories, in the order of their codes.

    Parameters
    ----------
    counts : dict
        Key -> number of rows.
    max_categories : int or None
        Codes at most; the last one stands for all rarer categories where there are more.

    Returns
    -------
    categories : tuple
        Those with a code of their own; numbers as float where that is exact.
    pooled : bool
        Whether one code more stands for the others.
    """
    order = sorted(counts, key=lambda key: (-counts[key], *_order(key)))
    pooled = max_categories is not None and len(order) > max_categories
    order = order[: max_categories - 1] if pooled else order
    return tuple(_plain(key) for key in order), pooled


def _order(key):
    """Ties in frequency: numbers first, then strings, then the rest, each in their own order."""
    if is_plain_number(key):
        return 0, comparable(key), ""
    return (1, 0, key) if isinstance(key, str) else (2, 0, f"{type(key).__qualname__} {key!r}")


def is_plain_number(key):
    """Whether a key can be put in order with any other number; NumPy's durations, which are integers to it, cannot."""
    return isinstance(key, (Real, Decimal, np.bool_)) and not isinstance(key, np.timedelta64)


def comparable(key):
    """A number that compares with any other: Python's for NumPy's, which take the other for one of their own type."""
    if not isinstance(key, np.generic):
        return key
    with np.errstate(over="ignore"):
        return int(key) if isinstance(key, (np.integer, np.bool_)) else float(key)


def _plain(key):
    if isinstance(key, str):
        return str.__str__(key)  # the text itself: an enum has a str() of its own
    try:
        is_number = is_plain_number(key) and not isinstance(key, Decimal)
        return float(key) if is_number and float(key) == key else key
    except OverflowError:  # an int too large for float64
        return key


def codes(values, table, unknown):
    """Keys -> codes.

    Parameters
    ----------
    values : list of n
        Keys, see `keys`.
    table : dict
        Key -> code.
    unknown : int
        Code of keys that are not in the table.

    Returns
    -------
    codes : ndarray of shape (n,), float32
    """
    known = {key: table.get(key) for key in distinct(values)}  # NaN is found again by its identity
    for key, code in known.items():
        if code is None:
            known[key] = MISSING if is_missing(key) else unknown
    return np.fromiter(map(known.__getitem__, values), np.float32, len(values))

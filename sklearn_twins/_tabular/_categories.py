"""Categorical columns: count their categories, order them by frequency, and turn values into codes."""

import warnings
from collections import Counter
from decimal import Decimal
from numbers import Real

import numpy as np

from .._inputs._messages import show, show_names
from .._inputs._missing import is_missing
from .._parts._stored_state import check_hashes
from ._category_keys import EQUAL_TO_SIMPLE, from_plain, simplify, to_plain
from ._category_text import Strangers, has_zero_twins, name_type
from ._column_kinds import as_list
from ._table import OBJECTS, name_column_in_errors
from ._text_columns import Findings

# The first two codes of every categorical column; its categories start at FIRST.
MISSING, UNSEEN, FIRST = 0, 1, 2
# A warning of unseen values needs this many, and this share of the present ones beyond what fit leads to expect.
N_UNSEEN, SHARE_UNSEEN = 20, 0.25


class CategoryColumns:
    """Encode the categorical columns of a table as codes.

    Parameters
    ----------
    columns : tuple of int
        Categorical columns of X.
    categories : tuple of tuples
        For each column, the categories with a code of their own, in the order of the codes.
    pooled : tuple of bool
        For each column, whether one more code stands for all other values, including those not seen in `fit`.
    types : tuple of str, default=()
        For each column, the words that `Strangers` takes, in alphabetical order.
    rare : tuple of float, default=()
        For each column, the share of rows whose category is pooled or occurs only there: that many values of new rows
        are likely to be unseen.
    """

    def __init__(self, columns, categories, pooled, types=(), rare=()):
        self.columns, self.categories, self.pooled = columns, categories, pooled
        self.types, self.rare = types, rare

    def __getstate__(self):
        return {**vars(self), "categories": tuple(tuple(map(to_plain, own)) for own in self.categories)}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.categories = tuple(tuple(map(from_plain, own)) for own in self.categories)
        for own in self.categories:
            check_hashes(own)

    @property
    def n_codes(self):
        """Number of codes of each column."""
        return tuple(FIRST + len(own) + more for own, more in zip(self.categories, self.pooled, strict=True))

    def encode(self, table, out):
        """Write the codes of all rows.  # out: (n, n_categorical), float32"""
        lost_zeros = []
        for c, (j, own) in enumerate(zip(self.columns, self.categories, strict=True)):
            known = {key: FIRST + code for code, key in enumerate(own)}
            types = set(self.types[c].split()) if self.types else set()
            strangers = Strangers(known, types, self.pooled[c], MISSING, self._unseen(c))
            for rows in table.row_slices(OBJECTS):
                with name_column_in_errors(table, j):
                    keys = to_keys(table.get_exact_values(j, rows))
                    out[rows, c] = encode_keys(keys, known, strangers.find_code)
            if strangers.lost_zeros is not None:
                lost_zeros.append(f"{table.label(j)} (such as {show(strangers.lost_zeros)})")
        if lost_zeros:
            warnings.warn(
                f"Input X, {show_names(lost_zeros, str)}: leading zeros, as of zip codes, are lost, here or in fit. "
                "Values are compared without them. Read these columns as text in both, as by "
                "pandas.read_csv(..., dtype=str).",
                stacklevel=2,
            )

    def _unseen(self, c):
        """Code of values that are no category of their own."""
        return FIRST + len(self.categories[c]) if self.pooled[c] else UNSEEN

    def warn_of_unseen(self, table, codes):
        """Warn of columns in which far more values are unseen than `fit` leads to expect.

        Parameters
        ----------
        table : Table
            The rows.
        codes : ndarray of shape (n, n_categorical), float32
            Their codes.
        """
        labels = []
        for c, (j, rare) in enumerate(zip(self.columns, self.rare, strict=False)):
            unseen = codes[:, c] == self._unseen(c)
            n = int(unseen.sum())
            if n >= N_UNSEEN and n > (SHARE_UNSEEN + 2 * rare) * np.count_nonzero(codes[:, c] != MISSING):
                row = int(unseen.argmax())
                (value,) = as_list(table.get_exact_values(j, slice(row, row + 1)))
                labels.append(f"{table.label(j)} ({n:,} of {len(codes):,} rows, such as {show(value)})")
        if labels:
            warnings.warn(
                f"Input X holds many categories that fit did not see, in {show_names(labels, str)}. They all get one "
                "code. If their spelling or type is another than in fit, give them those of fit; if the data have "
                "changed, fit again.",
                stacklevel=2,
            )


def learn_categories(table, kinds, max_categories, listed):
    """Count the categories and give the frequent ones codes.

    Parameters
    ----------
    table : Table
        The training rows.
    kinds : list of str
        Kind of each column; changed to "empty" in place for a categorical column without values.
    max_categories : int or None
        Largest number of category codes per column; the pooled categories count as one.
    listed : set of int
        Columns that the user listed as categorical.

    Returns
    -------
    columns : CategoryColumns
    """
    columns, categories, pooled, types, rare = [], [], [], [], []
    findings = Findings(table)
    for j in [j for j, kind in enumerate(kinds) if kind == "category"]:
        counts, seen = Counter(), set()
        for rows in table.row_slices(OBJECTS):
            with name_column_in_errors(table, j):
                seen |= count_keys(counts, to_keys(table.get_exact_values(j, rows)))
        if not counts:
            kinds[j] = "empty"
            continue
        own, more = rank_categories(counts, max_categories)
        words, n = set(map(name_type, seen)), sum(counts.values())
        findings.look_at(j, counts, words, more, chosen=j in listed or table.declares_categories(j))
        columns.append(j)
        categories.append(own)
        pooled.append(more)
        words |= {"missing"} if n < len(table) else set()
        words |= {"zeros"} if has_zero_twins(counts) else set()
        types.append(" ".join(sorted(words)))
        repeated = sum(count for count in map(counts.__getitem__, own) if count > 1)
        rare.append(1 - repeated / n)
    findings.warn()
    return CategoryColumns(tuple(columns), tuple(categories), tuple(pooled), tuple(types), tuple(rare))


def to_keys(values):
    """Convert values to hashable Python objects, with missing values as None, NaN, NaT or NA.

    Equal numbers are one category whatever their type (1, 1.0, True).

    Parameters
    ----------
    values : ndarray of shape (n,) or list of n

    Returns
    -------
    keys : list of n
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return np.where(np.isnan(values), None, values).tolist()
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM":
        return values.astype(f"{values.dtype.kind}8[us]").tolist()
    return as_list(values)


def find_distinct(keys):
    """Return the set of different keys, missing ones included; raises TypeError if one cannot be hashed."""
    try:
        return set(keys)
    except TypeError as error:
        bad = next(key for key in keys if not _is_hashable(key))
        raise TypeError(
            f"{show(bad)} cannot be a category: an argument must be a string, a number or something hashable. "
            "Spread such values over several columns, or drop the column."
        ) from error


def _is_hashable(key):
    try:
        return hash(key) is not None
    except TypeError:  # a tuple with a list inside, for example
        return False


def count_keys(counts, keys):
    """Add the number of occurrences of each simplified key to a `collections.Counter`, without missing keys.

    Returns
    -------
    types : set of type
        Types of the keys that are not missing, before they were simplified.
    """
    distinct, types = find_distinct(keys), set()
    counts.update(keys)
    for key in distinct:
        if is_missing(key):
            del counts[key]
            continue
        types.add(type(key))
        if type(key) not in EQUAL_TO_SIMPLE:
            count = counts.pop(key)
            counts[simplify(key)] += count
    return types


def rank_categories(counts, max_categories):
    """Return the most frequent categories in the order of their codes.

    Parameters
    ----------
    counts : dict
        Key -> number of rows.
    max_categories : int or None
        Largest number of codes. If there are more categories, the last code stands for all rarer ones.

    Returns
    -------
    categories : tuple
        Categories with a code of their own; numbers as float where that is exact.
    pooled : bool
        Whether one more code stands for the others.
    """
    order = sorted(counts, key=lambda key: (-counts[key], *_sort_key(key)))
    pooled = max_categories is not None and len(order) > max_categories
    order = order[: max_categories - 1] if pooled else order
    return tuple(map(simplify, order)), pooled


def _sort_key(key):
    """Order equally frequent keys: numbers first, then strings, then other types, each in their own order."""
    if is_orderable_number(key):
        return 0, to_comparable(key), ""
    return (1, 0, key) if isinstance(key, str) else (2, 0, f"{type(key).__qualname__} {key!r}")


def is_orderable_number(key):
    """Whether a key can be ordered among numbers. NumPy's durations are integers to Python, but cannot."""
    return isinstance(key, (Real, Decimal, np.bool_)) and not isinstance(key, np.timedelta64)


def to_comparable(number):
    """Convert NumPy's numbers to Python's, since NumPy's cannot be compared with every type of number."""
    if not isinstance(number, np.generic):
        return number
    with np.errstate(over="ignore"):
        return int(number) if isinstance(number, (np.integer, np.bool_)) else float(number)


def encode_keys(keys, table, find_code):
    """Convert keys to codes.

    Parameters
    ----------
    keys : list of n
        See `to_keys`.
    table : dict
        Key -> code.
    find_code : callable
        Returns the code of a key that is not in the table.

    Returns
    -------
    codes : ndarray of shape (n,), float32
    """
    known = {key: table.get(key) for key in find_distinct(keys)}
    for key, code in known.items():
        if code is None:
            known[key] = find_code(key)
    return np.fromiter(map(known.__getitem__, keys), np.float32, len(keys))


def embedding_width(n_codes):
    """Width of the embedding of a column with `n_codes` codes: its number of categories, between 1 and 32."""
    return max(1, min(32, n_codes - 2))

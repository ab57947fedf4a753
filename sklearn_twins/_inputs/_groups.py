"""Groups of rows: checked, and turned into numbers."""

import numpy as np
from sklearn.utils.validation import _num_samples

from ._messages import show
from ._missing import is_missing


def encode_groups(groups, X, unlabeled=None):
    """Check the groups of the rows of X, and number them.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or None
        Group of each row of X.
    X, unlabeled : containers, unlabeled possibly None
        The rows. Each row of `unlabeled` is a group of its own.

    Returns
    -------
    codes : ndarray of shape (n_rows + n_unlabeled,), int64, or None
        Number of each row's group; None without groups.

    Raises
    ------
    ValueError
        If groups have another length, other row labels or missing values, or if all rows are alone or in one group.
    TypeError
        If groups are no sequence, or a value cannot be hashed.
    """
    if groups is None:
        return None
    if np.ndim(groups) > 1 and hasattr(groups, "shape"):
        raise ValueError(f"groups should be a 1d array, with one value for each row. Got shape {groups.shape}.")
    if isinstance(groups, (dict, set, frozenset, str)) or not np.iterable(groups):
        raise TypeError(f"groups must be a sequence with one value for each row. Got {show(groups)}.")
    check_row_labels(groups, X)
    groups = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    n_rows, n_unlabeled = _num_samples(X), 0 if unlabeled is None else _num_samples(unlabeled)
    if len(groups) != n_rows:
        raise ValueError(f"groups has {len(groups)} values for {n_rows} rows of X. Give one for each row.")
    missing = [row for row, group in enumerate(groups) if has_missing(group)]
    if missing:
        raise ValueError(
            f"groups is missing in {len(missing):,} of {n_rows:,} rows, the first of them row {missing[0]}. Give a row "
            "whose group is unknown a group of its own."
        )
    numbers = {}
    try:
        codes = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
    except TypeError as error:  # a list, for example
        raise TypeError(f"groups must hold strings or numbers, one for each row. Got {show(groups[0])}.") from error
    sizes = np.bincount(codes)
    if len(sizes) == n_rows:
        raise ValueError(
            f"groups puts each of the {n_rows} rows into a group of its own, so that no row has a partner. Give what "
            "several rows have in common, or leave groups out."
        )
    if len(sizes) == 1:
        raise ValueError(
            "groups puts all rows into one group: any two rows would count as views of the same thing. Give what tells "
            "some rows from others, or leave groups out."
        )
    return np.concatenate([codes, len(sizes) + np.arange(n_unlabeled)])


def has_missing(group):
    """Whether a row's group is missing, or a part of it if it is a tuple."""
    return any(map(is_missing, group)) if type(group) is tuple else is_missing(group)


def check_row_labels(groups, X):
    """Refuse groups with the row labels of X in another order, which would belong to other rows."""
    labels, own = getattr(X, "index", None), getattr(groups, "index", None)
    if not (hasattr(labels, "equals") and hasattr(own, "equals")) or labels.equals(own):
        return
    if len(labels) == len(own) and labels.is_unique and labels.isin(own).all():
        raise ValueError(
            "groups has the row labels of X in another order, and rows are matched by their order. Give "
            "`groups.loc[X.index]`, or `groups.to_numpy()` if the order is right."
        )

"""Repeated rows: a labelled row of weight 2 is the same as two such rows, one of weight 0 as none."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from ._labels import Labels

MIN_DISTINCT = 8  # labelled rows; with fewer, a batch would hold next to none


@dataclass(frozen=True)
class Merged:
    """Training rows without repetitions.

    Parameters
    ----------
    keep : ndarray of int
        Numbers of the rows of X that stay, in the order of training.
    labels : Labels
        Of these rows, and of further rows without label. A row has the weight of all that it stands for.
    origin : ndarray of shape (n,), int
        Place of each given row among those that stay, -1 for a row that is left out.
    """

    keep: np.ndarray
    labels: Labels
    origin: np.ndarray

    def take(self, rows):
        """The rows of a container that stay; None stays None."""
        if rows is None:
            return None
        return rows.tocsr()[self.keep] if sparse.issparse(rows) else _safe_indexing(rows, self.keep)


def merge_rows(X, labels, sample_weight, has_groups):
    """Merge equal labelled rows of an array, and leave out those of weight 0.

    If there are any, or weights other than 1, the labelled rows are sorted by their values: a fit with whole weights is
    then the same as one with repeated rows. Rows of other containers, rows in groups,
    and rows of which fewer than `MIN_DISTINCT` differ are not merged.

    Parameters
    ----------
    X : container
        The rows.
    labels : Labels
        With their weights; further rows without label may follow those of X.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights of the rows of X as they came.
    has_groups : bool
        Whether rows have groups.

    Returns
    -------
    merged : Merged or None
        None if there is nothing to merge.
    """
    n, rows = len(labels.codes), labels.rows
    given = np.ones(n)
    if sample_weight is not None:
        given[: len(sample_weight)] = sample_weight
    is_left_out, is_labeled = labels.is_left_out, labels.codes >= 0
    values = None if has_groups else row_bytes(X, rows)
    first = places = np.arange(len(rows))
    if values is not None:
        numbers = np.unique(values, return_inverse=True)[1].ravel()
        keys = numbers * len(labels.classes) + labels.codes[rows]
        found = np.unique(keys, return_index=True, return_inverse=True)[1:]
        if len(found[0]) >= MIN_DISTINCT:
            first, places = (numbers.ravel() for numbers in found)
    if len(first) == len(rows) and not is_left_out.any() and (given[rows] == 1).all():
        return None
    others = np.flatnonzero(~is_labeled & ~is_left_out)
    keep, weights = np.concatenate([rows[first], others]), np.zeros(len(first) + len(others))
    weights[: len(first)] = np.bincount(places, labels.weights[rows])
    origin = np.full(n, -1)
    origin[rows], origin[others] = places, len(first) + np.arange(len(others))
    merged = replace(labels, codes=labels.codes[keep], weights=weights, is_left_out=np.zeros(len(keep), dtype=bool))
    return Merged(keep[keep < _num_samples(X)], merged, origin)


def row_bytes(X, rows):
    """The bytes of some rows of an array of numbers as one value each; None for other containers."""
    if sparse.issparse(X):
        found = X.tocsr()[rows].toarray()
    elif isinstance(X, list) or (isinstance(X, np.ndarray) and not isinstance(X, (np.memmap, np.ma.MaskedArray))):
        try:
            found = np.asarray([X[row] for row in rows]) if isinstance(X, list) else X[rows]
        except ValueError:  # lists of different lengths
            return None
    else:
        return None
    if found.dtype.kind not in "biuf" or found.ndim < 2 or found.size == 0:
        return None
    found = np.ascontiguousarray(found.reshape(len(found), -1))
    return found.view(np.dtype((np.void, found.dtype.itemsize * found.shape[1]))).ravel()

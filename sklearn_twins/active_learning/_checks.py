"""Check the rows, probabilities and labels that query functions get."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import column_or_1d

from ..metrics._arrays import check_embedding

# Constraints that query functions share.
N = [Interval(Integral, 1, None, closed="left")]
TOLERANCE = 1e-3  # of the sum of a row's probabilities: they may be float16


def check_rows(X, name="X"):
    """Convert X to a finite array of float64, or of float32 if it has this type."""
    return check_embedding(X, name, dtype=[np.float64, np.float32])


def check_proba(proba):
    """Convert probabilities to a float64 array.

    Raises
    ------
    ValueError
        If there are fewer than two columns, or rows that are no probabilities.
    """
    proba = check_embedding(proba, "proba")
    if proba.shape[1] < 2:
        raise ValueError(
            f"proba must have a column for each of two or more classes, got shape {proba.shape}. Give what "
            "predict_proba returns; for one column p of two classes, numpy.column_stack([1 - p, p])."
        )
    odd = np.flatnonzero((proba < 0).any(axis=1) | (abs(proba.sum(axis=1) - 1) > TOLERANCE))
    if len(odd):
        row = odd[0]
        raise ValueError(
            f"proba must hold probabilities that sum to 1 in each row: row {row} holds values from "
            f"{proba[row].min():.3g} to {proba[row].max():.3g} that sum to {proba[row].sum():.3g}. Give what "
            "predict_proba returns, not decision_function."
        )
    return proba


def find_unlabeled(labeled, n_rows, n):
    """Number the rows without label.

    Parameters
    ----------
    labeled : array-like of shape (n_rows,), bool; or None
        Whether a row has a label. None if no row has.
    n_rows : int
        Number of rows.
    n : int
        Number of rows to choose.

    Returns
    -------
    rows : ndarray of shape (n_unlabeled,), int64
        In ascending order, at least `n`.

    Raises
    ------
    ValueError
        If `labeled` is no boolean array of this length, or fewer than `n` rows have no label.
    """
    labeled = np.zeros(n_rows, dtype=bool) if labeled is None else column_or_1d(labeled)
    if labeled.dtype != bool:
        raise ValueError(
            f"labeled must hold True for rows with a label and False for the others, got values of type "
            f"{labeled.dtype}. Give y != -1, or numpy.isin(numpy.arange({n_rows}), rows) for row numbers."
        )
    if len(labeled) != n_rows:
        raise ValueError(f"labeled has {len(labeled)} values for {n_rows} rows. Give one for each row.")
    rows = np.flatnonzero(~labeled)
    if not len(rows):
        raise ValueError(f"labeled marks all {n_rows} rows as labelled. Give rows without label too.")
    if n > len(rows):
        raise ValueError(f"n={n} is larger than the number of rows without label, {len(rows)}. Give a smaller n.")
    return rows

"""Check the rows, probabilities and labels that query functions get."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from .._classification._label_values import as_own_type, drop_missing
from .._inputs._messages import show
from ..metrics._arrays import check_embedding, unit_rows

# Constraints that query functions share.
N = [Interval(Integral, 1, None, closed="left")]
TOLERANCE = 1e-3  # of the sum of a row's probabilities: they may be float16


def check_rows(X, name="X"):
    """Convert X to a finite array of float64, or of float32 if it has this type."""
    return check_embedding(X, name, dtype=[np.float64, np.float32])


def scale_rows(X, normalize):
    """Divide each row by its length; or all rows by one power of two, so that squares neither overflow nor vanish.

    Returns
    -------
    scaled : ndarray of the shape of X
    unit : float
        The length 1 of X in `scaled`, as a divisor: the power of two, or 1 if `normalize`.
    """
    if normalize:
        return unit_rows(X), 1.0
    exponent = int(np.frexp(max(X.max(), -X.min()))[1]) - 1
    return np.ldexp(X, -exponent), float(np.ldexp(1.0, exponent))


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
    if labeled is not None and np.ndim(labeled) != 1:
        raise ValueError(
            f"labeled must have one value for each of {n_rows} rows, got {show(labeled)} with {np.ndim(labeled)} axes. "
            "Give a list or an array of one axis."
        )
    is_given, labeled = drop_missing(np.zeros(n_rows, dtype=bool) if labeled is None else labeled)
    labeled = as_own_type(labeled)
    if len(labeled) and labeled.dtype != bool:
        raise ValueError(
            f"labeled must hold True for rows with a label and False for the others, got values of type "
            f"{labeled.dtype}. Give y != -1, or numpy.isin(numpy.arange({n_rows}), rows) for row numbers."
        )
    if not is_given.all():
        raise ValueError(
            f"labeled is missing for {(~is_given).sum()} of {len(is_given)} rows, as y != -1 is where y is missing. "
            "Give ((y != -1) & y.notna()), which is False there."
        )
    if len(labeled) != n_rows:
        raise ValueError(f"labeled has {len(labeled)} values for {n_rows} rows. Give one for each row.")
    rows = np.flatnonzero(~labeled)
    if not len(rows):
        raise ValueError(f"labeled marks all {n_rows} rows as labelled. Give rows without label too.")
    if n > len(rows):
        raise ValueError(f"n={n} is larger than the number of rows without label, {len(rows)}. Give a smaller n.")
    return rows

"""Random rows, and BADGE: rows drawn by their gradients."""

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_params

from ._checks import N, check_proba, check_rows, find_unlabeled, scale_rows

ROUNDING = 1e-12  # relative; smaller squared distances are 0


@validate_params({"n": N, "random_state": ["random_state"]}, prefer_skip_nested_validation=True)
def random(X, n=20, *, labeled=None, random_state=None):
    """Choose rows at random.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Embedding of all rows, with and without label. Only their number matters.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.
    random_state : int, RandomState instance or None, default=None
        Seed. An int chooses the same rows in each call.

    Returns
    -------
    rows : ndarray of shape (n,), int64
        Row numbers, in the order in which they were drawn.

    Raises
    ------
    ValueError
        If X is not 2-D or holds NaN, `labeled` is no boolean array of this length, or fewer than `n` rows have no
        label.

    Examples
    --------
    >>> from sklearn_twins.active_learning import random
    >>> random([[0.0], [1], [2]], n=1, labeled=[True, False, True])
    array([1])
    """
    candidates = find_unlabeled(labeled, len(check_rows(X)), n)
    return check_random_state(random_state).permutation(candidates)[:n]


@validate_params({"n": N, "random_state": ["random_state"]}, prefer_skip_nested_validation=True)
def badge(X, proba, n=20, *, labeled=None, random_state=None):
    """Choose uncertain rows that differ from each other, by k-means++ on gradients.

    A row's gradient is the one that its most probable class would give the weights of a linear classifier: the outer
    product of ``proba - one_hot(class)`` and the row of X. The first row is the one with the largest gradient. Each
    further row is drawn with a probability proportional to the squared distance of its gradient to the nearest chosen
    one.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Embedding of all rows, with and without label.
    proba : array-like of shape (n_rows, n_classes)
        Probabilities of the classes for all rows, as `predict_proba` returns them.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.
    random_state : int, RandomState instance or None, default=None
        Seed. An int chooses the same rows in each call.

    Returns
    -------
    rows : ndarray of shape (n,), int64
        Row numbers, in the order in which they were chosen.

    Raises
    ------
    ValueError
        If X is not 2-D or holds NaN, `proba` holds no probabilities of two or more classes or has another length,
        `labeled` is no boolean array of this length, or fewer than `n` rows have no label.

    See Also
    --------
    margin : Uncertainty alone.

    Notes
    -----
    Gradients are not stored: their squared distances are made of products of probabilities and of rows. If all other
    gradients equal a chosen one, rows follow in their order.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford and Agarwal, "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
    Bounds", ICLR 2020.

    Examples
    --------
    >>> from sklearn_twins.active_learning import badge
    >>> badge([[1.0], [1], [4]], [[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]], n=1)
    array([2])
    """
    X, proba = check_rows(X).astype(np.float64), check_proba(proba)
    if len(proba) != len(X):
        raise ValueError(f"proba has {len(proba)} rows for {len(X)} rows of X. Give probabilities of the same rows.")
    candidates = find_unlabeled(labeled, len(X), n)
    rng, residuals = check_random_state(random_state), proba[candidates]
    X, _ = scale_rows(X[candidates], normalize=False)
    residuals[np.arange(len(residuals)), residuals.argmax(axis=1)] -= 1
    lengths = (residuals**2).sum(axis=1) * np.einsum("ij,ij->i", X, X)
    chosen, best, squares = [], int(lengths.argmax()), np.full(len(X), np.inf)
    while True:
        chosen.append(best)
        if len(chosen) == n:
            return candidates[chosen]
        sums = lengths + lengths[best]
        from_best = sums - 2 * (residuals @ residuals[best]) * (X @ X[best])
        np.minimum(squares, np.where(from_best > ROUNDING * sums, from_best, 0), out=squares)
        squares[chosen] = 0
        if squares.any():
            best = int(np.searchsorted(np.cumsum(squares / squares.sum()), rng.random_sample(), side="right"))
            best = min(best, int(np.flatnonzero(squares)[-1]))  # the sum may round to less than 1
        else:
            best = int(np.setdiff1d(np.arange(len(X)), chosen)[0])

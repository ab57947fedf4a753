"""MaxHerding: rows that are similar to most others which no chosen row is similar to yet."""

from numbers import Real

import numpy as np
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, validate_params
from threadpoolctl import threadpool_limits

from ._checks import N, check_rows, find_unlabeled, scale_rows
from ._distances import BLOCK_ROWS, HalfSquares

N_SAMPLED = 1_000  # rows whose similarities to all candidates are in memory: 200 MB for 50,000 candidates in float32


@validate_params(
    {
        "n": N,
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "normalize": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def max_herding(X, n=20, *, labeled=None, gamma=0.5, normalize=True, random_state=None):
    """Choose rows to which many rows are similar that are not similar to a labelled row yet.

    The similarity of two rows at distance d is ``exp(-gamma * d**2)``. Each chosen row is the one that most increases
    the sum, over all rows, of the similarity to the most similar labelled or chosen row.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Embedding of all rows, with and without label.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.
    gamma : float, default=0.5
        Coefficient of squared distances. The larger it is, the nearer rows have to be to be similar.
    normalize : bool, default=True
        Whether to divide each row by its length first; `gamma` is made for this.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample, if more than 1,000 rows have no label. An int chooses the same rows in each call.

    Returns
    -------
    rows : ndarray of shape (n,), int64
        Row numbers, in the order in which they were chosen.

    Raises
    ------
    ValueError
        If X is not 2-D or holds NaN, `labeled` is no boolean array of this length, or fewer than `n` rows have no
        label.

    See Also
    --------
    suggest_labels : Choose rows by a fitted estimator.
    probcover : Count the rows within a radius.

    Notes
    -----
    The memory is linear in the number of rows: the sum is estimated from a sample of 1,000 rows without label, and
    taken over all rows for the 256 candidates with the largest estimates. Ties, up to rounding, are broken by the row
    number. 50,000 rows of 256 numbers take about 15 seconds for ``n=50`` on one core.

    References
    ----------
    Bae, Noh and Sutherland, "Generalized Coverage for More Robust Low-Budget Active Learning", ECCV 2024.

    Examples
    --------
    >>> from sklearn_twins.active_learning import max_herding
    >>> max_herding([[0.0], [1], [2], [9], [10]], n=2, normalize=False)
    array([1, 3])
    """
    X = check_rows(X)
    candidates = find_unlabeled(labeled, len(X), n)
    X, unit = scale_rows(X, normalize)
    squares, rng = HalfSquares(X, X.dtype), check_random_state(random_state)
    unit *= squares.unit
    factor = min(2 * gamma * unit * unit, float(np.finfo(X.dtype).max) ** 0.5)  # products must be finite
    similarity, chosen = np.zeros(len(X), dtype=X.dtype), []  # to the most similar labelled or chosen row
    drawn = candidates
    if len(candidates) > N_SAMPLED:
        drawn = np.sort(rng.choice(candidates, N_SAMPLED, replace=False))
    with threadpool_limits(1):
        taken = np.setdiff1d(np.arange(len(X)), candidates)
        for block in gen_batches(len(taken), BLOCK_ROWS):
            np.maximum(similarity, similarities(squares, factor, taken[block]).max(axis=0), out=similarity)
        kernel = similarities(squares, factor, candidates, drawn)
        for _ in range(n):
            gains = sum_gains(kernel, similarity[drawn])
            gains[chosen] = -1
            best = np.arange(len(gains))
            if len(drawn) < len(candidates):
                best = np.sort(np.argpartition(gains, -BLOCK_ROWS)[-BLOCK_ROWS:])
                best = best[gains[best] >= 0]
                gains = sum_gains(similarities(squares, factor, candidates[best]), similarity)
            rounding = 10 * np.finfo(X.dtype).eps * gains.max()
            chosen.append(best[np.flatnonzero(gains >= gains.max() - rounding)[0]])
            np.maximum(similarity, similarities(squares, factor, candidates[chosen[-1:]])[0], out=similarity)
    return candidates[chosen]


def similarities(squares, factor, rows, others=slice(None)):
    """Similarities of some rows to others.  # returns (n_rows, n_others)"""
    found = squares.between(rows, others)
    found *= factor
    np.minimum(found, 0, out=found)
    return np.exp(found, out=found)


def sum_gains(kernel, similarity):
    """Sum, for each candidate, what it would add to the similarities of other rows.

    Shape
    -----
    kernel : (n_candidates, n_others); similarity : (n_others,); returns (n_candidates,), float64
    """
    gains = np.empty(len(kernel))
    for block in gen_batches(len(kernel), BLOCK_ROWS):
        gains[block] = np.maximum(kernel[block] - similarity, 0).sum(axis=1)
    return gains

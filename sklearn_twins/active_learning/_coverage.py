"""Coverage of rows by balls around the labelled ones: ProbCover and core-set."""

from numbers import Integral, Real

import numpy as np
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from threadpoolctl import threadpool_limits

from ._checks import N, check_rows, find_unlabeled, scale_rows
from ._distances import BLOCK_ROWS, Balls, find_clusters, squared_distances

N_SAMPLED = 2_000  # rows whose balls are tested for purity
SHRINK = 1 - 1e-5  # of the radius, so that rounding does not decide about the row at its end


@validate_params(
    {
        "n": N,
        "delta": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "purity": [Interval(Real, 0, 1, closed="right")],
        "n_clusters": [Interval(Integral, 2, None, closed="left")],
        "normalize": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def probcover(X, n=20, *, labeled=None, delta="auto", purity=0.5, n_clusters=10, normalize=True, random_state=None):
    """Choose rows that have the most rows around them that are not covered yet.

    A row covers all rows within the distance `delta`. Rows that labelled rows cover do not count; then the row that
    covers most of the others is chosen, again and again.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Embedding of all rows, with and without label.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.
    delta : "auto" or float, default="auto"
        Radius; rows at this distance are not covered. "auto" is the largest radius with which a share `purity` of the
        balls hold rows of one cluster of k-means only.
    purity : float, default=0.5
        Share of pure balls, for "auto". The paper has 0.95, with which the balls of our embeddings hold few rows.
    n_clusters : int, default=10
        Number of clusters, for "auto": best the number of classes.
    normalize : bool, default=True
        Whether to divide each row by its length first.
    random_state : int, RandomState instance or None, default=None
        Seed of k-means and of the rows whose balls are tested, for "auto". An int chooses the same rows in each call.

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
    typiclust : Choose typical rows of clusters.
    core_set : Choose the rows that are farthest from labelled ones.

    Notes
    -----
    If all rows are covered, the rows that are farthest from labelled and chosen ones follow, as in `core_set`. Ties are
    broken by the row number. "auto" tests the balls of at most 2,000 rows.

    All pairs of rows are compared, in blocks: the memory is linear in the number of rows, the time quadratic. 50,000
    rows of 256 numbers take about 15 seconds for ``n=50`` on one core.

    References
    ----------
    Yehuda, Dekel, Hacohen and Weinshall, "Active Learning Through a Covering Lens", NeurIPS 2022.

    Examples
    --------
    >>> from sklearn_twins.active_learning import probcover
    >>> probcover([[0.0], [1], [2], [9], [10]], n=2, delta=1.5, normalize=False)
    array([1, 3])
    """
    X = check_rows(X)
    candidates = find_unlabeled(labeled, len(X), n)
    X, unit = scale_rows(X, normalize)
    is_labeled = np.ones(len(X), dtype=bool)
    is_labeled[candidates] = False
    with threadpool_limits(1):
        if delta == "auto":
            radius = pure_radius(X, purity, n_clusters, check_random_state(random_state))
        else:
            radius = delta / unit
        chosen = cover(Balls(X, radius), is_labeled, n)
        is_labeled[chosen] = True
        more = n - len(chosen)
        return np.append(chosen, farthest(X, is_labeled, more)) if more else chosen


def pure_radius(X, purity, n_clusters, random_state):
    """Find the largest radius with which a share of the balls around rows hold rows of one cluster only.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embedding.
    purity : float
        Share of balls.
    n_clusters : int
        Number of clusters.
    random_state : RandomState
        Generator.

    Returns
    -------
    radius : float
        Infinite if there is one cluster only.
    """
    clusters = find_clusters(X, n_clusters, random_state)
    drawn = np.arange(len(X))
    if len(X) > N_SAMPLED:
        drawn = np.sort(random_state.choice(len(X), N_SAMPLED, replace=False))
    reach = np.full(len(drawn), np.inf)  # distance to the nearest row of another cluster
    for cluster in np.unique(clusters[drawn]):
        own, others = clusters[drawn] == cluster, X[clusters != cluster]
        if len(others):
            inside = X[drawn[own]]
            reach[own] = np.sqrt(squared_distances(inside, others[pairwise_distances_argmin(inside, others)]))
    reach.sort()
    n_impure = int((1 - purity) * len(reach) + 1e-9)
    return SHRINK * reach[min(n_impure, len(reach) - 1)]


def cover(balls, is_labeled, n):
    """Choose the row whose ball holds most rows that are not covered, up to n times; fewer if all are covered.

    Parameters
    ----------
    balls : Balls
        Balls around all rows.
    is_labeled : ndarray of shape (n_rows,), bool
        Rows that are not chosen; what their balls hold is covered.
    n : int
        Most rows to choose.

    Returns
    -------
    chosen : ndarray, int64
    """
    is_covered, chosen = np.zeros(len(is_labeled), dtype=bool), []
    labeled = np.flatnonzero(is_labeled)
    for block in gen_batches(len(labeled), BLOCK_ROWS):
        is_covered |= balls.contain(labeled[block], slice(None)).any(axis=0)
    counts = balls.count_all(~is_covered)
    counts[is_labeled] = 0
    # Counts are upper bounds: of `covered`, rows covered since the start, each count lacks the first `n_seen` rows.
    covered, n_seen = np.empty(0, dtype=np.int64), np.zeros(len(counts), dtype=np.int64)
    while len(chosen) < n:
        best = int(counts.argmax())
        if counts[best] <= 0:
            break
        if n_seen[best] < len(covered):
            bounds = np.where(n_seen < len(covered), counts, -1)
            largest = np.argpartition(bounds, -min(BLOCK_ROWS, len(bounds)))[-BLOCK_ROWS:]
            for seen in np.unique(n_seen[largest[bounds[largest] > 0]]):
                rows = largest[(n_seen[largest] == seen) & (bounds[largest] > 0)]
                if len(covered) - seen < len(counts) - is_covered.sum():
                    counts[rows] -= balls.count(rows, covered[seen:])
                else:
                    counts[rows] = balls.count(rows, np.flatnonzero(~is_covered))
                n_seen[rows] = len(covered)
            continue
        chosen.append(best)
        counts[best] = 0
        new = np.flatnonzero(balls.contain([best], slice(None))[0] & ~is_covered)
        is_covered[new] = True
        far = ~balls.contain([best], slice(None), factor=2)[0]  # their balls hold none of the new rows
        n_seen[far & (n_seen == len(covered))] += len(new)
        covered = np.append(covered, new)
    return np.array(chosen, dtype=np.int64)


@validate_params({"n": N, "random_state": ["random_state"]}, prefer_skip_nested_validation=True)
def core_set(X, n=20, *, labeled=None, random_state=None):
    """Choose the row that is farthest from all labelled and chosen rows, again and again.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Embedding of all rows, with and without label.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.
    random_state : int, RandomState instance or None, default=None
        Seed of the first row if no row has a label. An int chooses the same rows in each call.

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
    typiclust : Choose typical rows, not the ones at the border.

    Notes
    -----
    This is greedy k-centre. It prefers outliers, and does worse than random rows while there are few labels. Ties are
    broken by the row number.

    References
    ----------
    Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018.

    Examples
    --------
    >>> from sklearn_twins.active_learning import core_set
    >>> core_set([[0.0], [1], [2], [10]], n=2, labeled=[True, False, False, False])
    array([3, 2])
    """
    X = check_rows(X)
    candidates = find_unlabeled(labeled, len(X), n)
    X, _ = scale_rows(X, normalize=False)
    is_labeled = np.ones(len(X), dtype=bool)
    is_labeled[candidates] = False
    if is_labeled.any():
        return farthest(X, is_labeled, n)
    first = check_random_state(random_state).randint(len(X))
    is_labeled[first] = True
    return np.append(first, farthest(X, is_labeled, n - 1)).astype(np.int64)


def farthest(X, is_labeled, n):
    """Choose n rows, each the farthest from all labelled and chosen ones.

    Parameters
    ----------
    X : ndarray of shape (n_rows, d)
        Rows.
    is_labeled : ndarray of shape (n_rows,), bool
        At least one row.
    n : int
        Number of rows to choose.

    Returns
    -------
    chosen : ndarray of shape (n,), int64
    """
    with threadpool_limits(1):
        nearest = pairwise_distances_argmin(X, X[is_labeled])
    squares = squared_distances(X, X[is_labeled][nearest])
    squares[is_labeled], chosen = -1, np.empty(n, dtype=np.int64)  # equal rows have 0, and are chosen last
    for i in range(n):
        chosen[i] = best = squares.argmax()
        np.minimum(squares, squared_distances(X, X[[best]]), out=squares)
        squares[best] = -1
    return chosen

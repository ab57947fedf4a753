"""TypiClust: the most typical row of each cluster."""

from numbers import Integral

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from threadpoolctl import threadpool_limits

from ._checks import N, check_rows, find_unlabeled, scale_rows
from ._distances import find_clusters, squared_distances

MOST_CLUSTERS = 500
SMALL_CLUSTER = 5  # rows; such clusters come last, since they may be outliers
# Clusters of more rows compare a part of them with all: those that are nearest to their neighbours in a sample.
MOST_COMPARED, N_SAMPLED, N_PROMISING = 5_000, 2_000, 500


@validate_params(
    {
        "n": N,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def typiclust(X, n=20, *, labeled=None, n_neighbors=20, normalize=True, random_state=None):
    """Choose typical rows of clusters that have no labels yet.

    K-means finds as many clusters as there will be labelled rows. Those with the fewest labelled rows come first,
    among them the largest; each gives its most typical row without label: the one with the smallest mean distance to
    its nearest neighbours in the cluster.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Embedding of all rows, with and without label.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.
    n_neighbors : int, default=20
        Number of nearest neighbours; at most half the cluster's rows without label.
    normalize : bool, default=True
        Whether to divide each row by its length first. Otherwise the coordinates with the largest variance decide.
    random_state : int, RandomState instance or None, default=None
        Seed of k-means. An int chooses the same rows in each call.

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
    probcover : Choose rows with many neighbours.

    Notes
    -----
    There are at most 500 clusters. Clusters of five rows or fewer are used when all others have no rows left. Each
    cluster gives one row in turn. Ties are broken by the row number.

    The cost is that of k-means, and of the distances within `n` clusters: 50,000 rows of 256 numbers take about
    10 seconds at most for ``n=50`` on one core. In clusters of more than 5,000 rows without label, only the 500 rows
    that are nearest to their neighbours in a sample of 2,000 are compared with all.

    References
    ----------
    Hacohen, Dekel and Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets", ICML
    2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins.active_learning import typiclust
    >>> X, y = load_digits(return_X_y=True)
    >>> len(set(y[typiclust(X, n=10, random_state=0)])) >= 8  # of ten digits
    True
    """
    X = check_rows(X)
    candidates = find_unlabeled(labeled, len(X), n)
    X, _ = scale_rows(X, normalize)
    n_labeled, rng = len(X) - len(candidates), check_random_state(random_state)
    clusters = find_clusters(X, min(n_labeled + n, MOST_CLUSTERS), rng)
    n_clusters = clusters.max() + 1
    sizes, n_free = (np.bincount(c, minlength=n_clusters) for c in (clusters, clusters[candidates]))
    order = np.lexsort([-sizes, sizes - n_free, sizes <= SMALL_CLUSTER])  # by the last key first
    free = [candidates[clusters[candidates] == cluster] for cluster in order]
    n_large, chosen = int((sizes > SMALL_CLUSTER).sum()), []
    for groups in (free[:n_large], free[n_large:]):
        while len(chosen) < n and any(map(len, groups)):
            for i, rows in enumerate(groups):
                if len(rows) and len(chosen) < n:
                    best = most_typical(X[rows], n_neighbors, rng)
                    chosen.append(rows[best])
                    groups[i] = np.delete(rows, best)
    return np.array(chosen, dtype=np.int64)


def most_typical(X, n_neighbors, rng):
    """Find the row with the smallest mean distance to its nearest neighbours.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows of one cluster.
    n_neighbors : int
        Number of neighbours; at most half of the rows.
    rng : RandomState
        Generator of the sample of a large cluster.

    Returns
    -------
    row : int
        Number of the row: the first one of those with the smallest mean.
    """
    n_neighbors, rows = max(1, min(n_neighbors, len(X) // 2)), np.arange(len(X))
    if len(X) <= 2:
        return 0
    with threadpool_limits(1):
        if len(X) > MOST_COMPARED:
            sample = X[np.sort(rng.choice(len(X), N_SAMPLED, replace=False))]
            far = NearestNeighbors(n_neighbors=6).fit(sample).kneighbors(X)[0][:, -1]
            rows = np.sort(np.argpartition(far, N_PROMISING)[:N_PROMISING])
        nearest = NearestNeighbors(n_neighbors=n_neighbors + 1).fit(X).kneighbors(X[rows], return_distance=False)
    # The row itself is one of them and adds 0. From differences, since distances from products round: those of equal
    # rows would not be 0.
    distances = [np.sqrt(squared_distances(X[rows], X[nearest[:, k]])) for k in range(n_neighbors + 1)]
    return int(rows[np.sort(distances, axis=0).sum(axis=0).argmin()])

"""Cluster agreement: whether rows fall into the same clusters in two views' embeddings."""

from numbers import Integral

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.utils._param_validation import Interval, validate_params
from threadpoolctl import threadpool_limits

from ._arrays import check_pair
from ._correlation import unit_columns


@validate_params(
    {
        "n_clusters": [Interval(Integral, 2, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def cluster_agreement(Z_a, Z_b, n_clusters=10, n_init=3, random_state=0):
    """Measure how well the clusters of one view's embedding are reproduced in the other view's.

    The coordinates of each view are standardised. K-means then clusters the rows of both views together, and the
    adjusted Rand index compares the two views' cluster labels. The result is the mean over `n_init` starts. Higher is
    better: few labels suffice to name groups that are stable under augmentation.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d)
        Embeddings of two views of the same rows.
    n_clusters : int, default=10
        Number of clusters. It is lowered to the number of distinct rows if there are fewer.
    n_init : int, default=3
        Number of starts of k-means.
    random_state : int, default=0
        Seed of the first start; each further start adds 1.

    Returns
    -------
    agreement : float
        1 if all rows stay in their clusters, 0 on average by chance, and 0 for a constant embedding or a single row.

    Raises
    ------
    ValueError
        If shapes differ, an array is not 2-D or has values that are not finite, or a parameter is out of range.

    See Also
    --------
    sklearn_twins.BarlowTwinsEmbedder.score : This metric for an embedder, on views that it makes.
    get_scorer : Scorers for searches, made of these metrics.

    Notes
    -----
    Among these metrics, this one ranks embeddings of tables most like few-label accuracy does: see
    docs/benchmarks/label_free_selection.md. If an embedding has collapsed to few directions, clusters are thin slices:
    noise moves rows across their borders, and the agreement is low.

    Units and offsets of coordinates do not change the result. K-means runs in one thread, so that the result does not
    depend on the number of threads.

    References
    ----------
    Stability as a measure of clusters: Ben-Hur, Elisseeff and Guyon, "A Stability Based Method for Discovering
    Structure in Clustered Data", Pacific Symposium on Biocomputing 2002; Tibshirani and Walther, "Cluster Validation
    by Prediction Strength", Journal of Computational and Graphical Statistics 14, 2005. The index: Hubert and Arabie,
    "Comparing Partitions", Journal of Classification 2, 1985, eq. 5.

    Examples
    --------
    >>> from sklearn_twins.metrics import cluster_agreement
    >>> cluster_agreement([[0], [1], [9], [10]], [[1], [2], [8], [11]], n_clusters=2)
    1.0
    """
    Z_a, Z_b = check_pair(Z_a, Z_b)
    U_a, U_b = unit_columns(Z_a), unit_columns(Z_b)
    n_clusters = min(n_clusters, *(len(np.unique(U, axis=0)) for U in (U_a, U_b)))
    if n_clusters < 2:
        return 0.0
    both, indices = np.concatenate([U_a, U_b]), []
    with threadpool_limits(1):
        for start in range(n_init):
            labels = KMeans(n_clusters, n_init=1, random_state=random_state + start).fit(both).labels_
            indices.append(adjusted_rand_score(labels[: len(U_a)], labels[len(U_a) :]))
    return float(np.mean(indices))

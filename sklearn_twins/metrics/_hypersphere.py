"""Alignment, uniformity and SelfCluster: how an embedding lies on the unit sphere."""

from numbers import Real

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, validate_params

from ._arrays import check_embedding, check_pair, smaller_gram, unit_rows

BLOCK_ROWS = 512  # rows whose distances to all others are in memory at a time: 40 MB for 10,000 rows


@validate_params({"alpha": [Interval(Real, 0, np.inf, closed="neither")]}, prefer_skip_nested_validation=True)
def alignment(Z_a, Z_b, alpha=2):
    """Measure how far apart the two views of a row are on the unit sphere.

    ``mean_i |u_i - v_i|^alpha``, where u and v are the rows of Z_a and Z_b divided by their lengths. Lower is better,
    but a collapsed embedding has 0: see `uniformity`.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d)
        Embeddings of two views of the same rows.
    alpha : float, default=2
        Power of the distance.

    Returns
    -------
    distance : float
        In [0, 2^alpha]: 0 if the two views are the same, 2 on average (for alpha=2) if they are unrelated.

    Raises
    ------
    ValueError
        If shapes differ, an array is not 2-D, is empty or has values that are not finite, or `alpha` is not above 0.

    See Also
    --------
    uniformity : How evenly rows cover the sphere. A constant embedding has the best alignment and the worst uniformity.

    Notes
    -----
    A row of zeros has no direction and stays: its distance is 1 to a unit vector and 0 to another row of zeros. The
    length of rows and a rotation of both views do not change the result; a shift does.

    References
    ----------
    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020, arXiv 2005.10242, section 4.1.1.

    Examples
    --------
    >>> from sklearn_twins.metrics import alignment
    >>> alignment([[1, 0], [0, 2]], [[3, 0], [0, -1]])
    2.0
    """
    Z_a, Z_b = check_pair(Z_a, Z_b)
    distances = np.sqrt(((unit_rows(Z_a) - unit_rows(Z_b)) ** 2).sum(1))
    return float((distances**alpha).mean())


def log_sum_exp(values):
    """Compute the logarithm of the sum of exponentials without overflow."""
    largest = values.max()
    return largest + np.log(np.exp(values - largest).sum())


@validate_params({"t": [Interval(Real, 0, np.inf, closed="neither")]}, prefer_skip_nested_validation=True)
def uniformity(Z, t=2):
    """Measure how evenly an embedding covers the unit sphere.

    ``log mean_{i < j} exp(-t |u_i - u_j|^2)``, where u are the rows of Z divided by their lengths. Lower is better.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    t : float, default=2
        Inverse width of the Gaussian kernel. If it is large, only near rows count.

    Returns
    -------
    log_potential : float
        In [-4 t, 0]; 0 if all rows have one direction, and for a single row. Rows that are uniform on the sphere
        have ``log 0F1(d / 2, t^2) - 2 t``, which falls to -2 t as d grows: -3.88 for t = 2 and d = 64.

    Raises
    ------
    ValueError
        If Z is not 2-D, is empty or has values that are not finite, or `t` is not above 0.

    See Also
    --------
    alignment : How near the views of a row are to each other.

    Notes
    -----
    All pairs of distinct rows count, in O(n^2 d). Distances of 512 rows to all others are in memory at a time. A row
    of zeros has no direction and stays, at distance 1 from unit vectors. The length of rows and a rotation do not
    change the result; a shift does.

    References
    ----------
    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020, arXiv 2005.10242, section 4.1.2.

    Examples
    --------
    >>> from sklearn_twins.metrics import uniformity
    >>> uniformity([[1, 0], [5, 0], [2, 0]]), uniformity([[1, 0], [-1, 0]])
    (0.0, -8.0)
    """
    U = unit_rows(check_embedding(Z))
    n = len(U)
    if n == 1:
        return 0.0
    lengths = (U**2).sum(1)  # 1, or 0 for a row of zeros
    parts = []
    for block in gen_batches(n - 1, BLOCK_ROWS):
        later = slice(block.start + 1, n)
        squares = lengths[block, None] + lengths[later] - 2 * U[block] @ U[later].T  # (rows, later rows)
        pairs = np.triu(np.ones(squares.shape, dtype=bool))  # its column j is row j + 1 of the block
        parts.append(log_sum_exp(-t * np.maximum(squares[pairs], 0)))
    return float(min(np.logaddexp.reduce(parts) - np.log(n * (n - 1) / 2), 0.0))


def self_cluster(Z):
    """Measure SelfCluster: how much closer rows lie on the unit sphere than rows in random directions.

    ``(d |U U'|_F^2 - n (d + n - 1)) / ((d - 1) (n - 1) n)``, where U are the rows of Z divided by their lengths. This
    equals ``(d m - 1) / (d - 1)``, where m is the mean squared cosine between distinct rows. Lower is better.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.

    Returns
    -------
    clustering : float
        1 if all rows lie on one line; 0 on average for random directions, for any n and d; at least
        -1 / (max(n, d) - 1). 1 for a single row or a single coordinate.

    Raises
    ------
    ValueError
        If Z is not 2-D, is empty or has values that are not finite.

    Notes
    -----
    Rows are not centred. Rows of zeros have no direction: their cosine with each other counts as 1, so that an
    embedding of zeros has 1, and their squared cosine with other rows counts as 1 / d, the value of chance. The length
    of rows and a rotation do not change the result.

    The cost is O(n d min(n, d)), since the smaller Gram matrix is used.

    References
    ----------
    Tsitsulin, Munkhoeva and Perozzi, "Unsupervised Embedding Quality Evaluation", arXiv 2305.16562, 2023,
    the definition of SelfCluster.

    Examples
    --------
    >>> from sklearn_twins.metrics import self_cluster
    >>> self_cluster([[1, 0], [5, 0], [-2, 0]])
    1.0
    """
    U = unit_rows(check_embedding(Z))
    n, d = U.shape
    if n == 1 or d == 1:
        return 1.0
    n_zero = n - int(U.any(1).sum())
    squares = (smaller_gram(U) ** 2).sum() + n_zero**2 + 2 * n_zero * (n - n_zero) / d
    cosines = (squares - n) / (n * (n - 1))
    return float(min((d * cosines - 1) / (d - 1), 1.0))

"""LiDAR: how many dimensions separate rows better than they separate views of the same row."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from ._arrays import check_embedding, unit_scale
from ._spectrum import smooth_rank, squared_singular_values


def split_deviations(views):
    """Compute the deviations of row means from the grand mean, and of views from their row's mean.

    The first view is subtracted first, so that constant coordinates become exactly 0.  # (n, d), (n q, d)
    """
    offsets = views - views[:, :1]
    shifts = offsets.mean(1)
    means = views[:, 0] - views[0, 0] + shifts
    return means - means.mean(0), (offsets - shifts[:, None]).reshape(-1, views.shape[2])


def project_to_span(between, within):
    """Express the deviations in an orthonormal basis of their span if it is narrower than the embedding."""
    both = np.concatenate([between, within])
    if len(both) >= both.shape[1]:
        return between, within
    both = np.linalg.qr(both.T, mode="r").T  # (n + n q, at most as many)
    return both[: len(between)], both[len(between) :]


@validate_params(
    {"delta": [Interval(Real, 0, np.inf, closed="neither")], "normalize": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def lidar(views, delta=1e-4, normalize=False):
    """Compute LiDAR: the smooth rank of a linear discriminant analysis whose classes are the rows.

    ``exp(-sum_k p_k log p_k)`` with ``p_k = l_k / sum_j l_j``, where l are the eigenvalues of
    ``(S_w + r I)^(-1/2) S_b (S_w + r I)^(-1/2)``, S_b is the covariance of the rows' means and S_w the mean covariance
    of views around their row's mean. Higher is better. Unlike RankMe, it does not count directions in which views of
    the same row differ as much as rows do.

    Parameters
    ----------
    views : array-like of shape (n, q, d)
        Embeddings of q views of each of n rows, q at least 2. Use more rows than coordinates, and at least 10 views.
    delta : float, default=0.0001
        Ridge of S_w: r is `delta` times the mean variance of the coordinates, ``tr(S_b + S_w) / d``.
    normalize : bool, default=False
        Divide by min(n - 1, d), the highest value. Embeddings of different widths and numbers of rows can then be
        compared.

    Returns
    -------
    rank : float
        In [1, min(n - 1, d)], or (0, 1] if normalised. 0 if all rows have the same mean, as in a constant embedding
        or for a single row.

    Raises
    ------
    ValueError
        If `views` is not 3-D, is empty, has a single view of each row or values that are not finite, or if a parameter
        is out of range.

    See Also
    --------
    rankme : The smooth rank of a single view.

    Notes
    -----
    Compare only values with the same q: the mean of q views of pure noise still varies, by 1 / q of the noise, so that
    directions without signal keep eigenvalues of about 1 / q. Shift, scale and rotation do not change the result. If
    all views of a row are the same, LiDAR is the effective rank of the rows.

    Eigenvalues below max(n, d) * 2.2e-16 of the largest count as 0. The cost is O(n q d min(n q, d)).

    NOTE[DIFF]: the paper adds an absolute ridge and leaves its size open. Here it is relative to the variance, so that
    the embedding's units do not matter. Covariances are divided by n and n q, not by n - 1 and n (q - 1), which only
    changes the share of the ridge. There is no epsilon in p_k against the logarithm of 0, since 0 log 0 is 0.

    References
    ----------
    Thilak, Huang, Saremi, Dinh, Goh, Nakkiran, Susskind and Littwin, "LiDAR: Sensing Linear Probing Performance
    in Joint Embedding SSL Architectures", ICLR 2024, arXiv 2312.04000v1, eq. 1 to 4.

    Examples
    --------
    >>> from sklearn_twins.metrics import lidar
    >>> rows = [[3, 0], [-3, 0], [0, 3], [0, -3]]
    >>> round(lidar([[row, row] for row in rows]), 3)  # both views of a row are the same
    2.0
    """
    views = check_embedding(views, "views", ndim=3)
    n, q, d = views.shape
    if q < 2:
        raise ValueError(f"views must hold at least two views of each row, got shape {views.shape}, (rows, views, d).")
    between, within = split_deviations(unit_scale(views))
    largest = max(np.abs(between).max(), np.abs(within).max())
    if not between.any():
        return 0.0
    between, within = project_to_span(between / largest / np.sqrt(n), within / largest / np.sqrt(n * q))
    ridge = delta * ((between**2).sum() + (within**2).sum()) / d
    variances, directions = np.linalg.eigh(within.T @ within)
    whitened = between @ directions / np.sqrt(np.maximum(variances, 0) + ridge)
    rank = smooth_rank(squared_singular_values(whitened))
    return rank / max(min(n - 1, d), 1) if normalize else rank

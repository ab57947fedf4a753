"""How many dimensions an embedding uses, read from its spectrum: RankMe, effective rank, stable rank, alpha-ReQ."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from ._arrays import centered, check_embedding, smaller_gram, unit_scale


def squared_singular_values(X):
    """Eigenvalues of ``X'X``, largest first, min(n, d) of them; rounding errors among them are set to 0.

    O(n d min(n, d)). Those below max(n, d) * 2.2e-16 of the largest count as rounding, that is, singular
    values below the square root of it.
    """
    values = np.linalg.eigvalsh(smaller_gram(X))[::-1]
    noise = max(X.shape) * np.finfo(np.float64).eps * values[0]
    return np.where(values > noise, values, 0.0)


def smooth_rank(values, eps=0.0):
    """Exponential of the entropy of values divided by their sum; 0 if all of them are 0, and 0 log 0 = 0."""
    total = values.sum()
    if total == 0:
        return 0.0
    shares = values / total + eps
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def covariance_spectrum(Z):
    """Eigenvalues of the covariance of rows, up to a common factor, largest first, min(n, d) of them."""
    return squared_singular_values(unit_scale(centered(unit_scale(Z))))


def covariance_rank(Z):
    """The highest rank that the covariance of so many rows can have, at least 1 so that it may divide."""
    n, d = Z.shape
    return max(min(n - 1, d), 1)


@validate_params(
    {"normalize": ["boolean"], "eps": [Interval(Real, 0, np.inf, closed="left")]}, prefer_skip_nested_validation=True
)
def rankme(Z, normalize=False, eps=0.0):
    """RankMe: the smooth rank of an embedding, from its singular values.

    ``exp(-sum_k p_k log p_k)`` with ``p_k = s_k / sum_j s_j + eps`` and s the min(n, d) singular values of Z.
    Higher is better: the more dimensions are used, the more a linear model may find in them.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    normalize : bool, default=False
        Divide by min(n, d), the highest value, so that widths and numbers of rows can be compared.
    eps : float, default=0.0
        Added to each share. With the paper's 1e-7 its numbers are reproduced.

    Returns
    -------
    rank : float
        In [1, min(n, d)], or [1 / min(n, d), 1] if normalised. A constant embedding has 1, as have a single
        row and a single coordinate; an embedding of zeros has 0.

    Raises
    ------
    ValueError
        Z is not 2-D, is empty or has values that are not finite; a parameter is out of range.

    See Also
    --------
    effective_rank : The same of variances, centred.
    stable_rank : The total variance in units of the largest.
    lidar : The smooth rank of what tells rows from each other, and not views of a row.

    Notes
    -----
    Z is not centered: an embedding with a large mean has a low RankMe. Scale and rotation do not matter.

    Singular values below the square root of max(n, d) * 2.2e-16 of the largest count as 0; they
    come from the smaller Gram matrix, in O(n d min(n, d)).

    NOTE[DIFF]: the paper always adds 1e-7, against the logarithm of 0. Then the value depends on how many
    singular values are 0 and may be above min(n, d); here 0 log 0 is 0 unless `eps` is given.

    References
    ----------
    Garrido, Balestriero, Najman and LeCun, "RankMe: Assessing the Downstream Performance of Pretrained
    Self-Supervised Representations by Their Rank", ICML 2023, arXiv 2210.02885, eq. 1.

    Examples
    --------
    >>> from sklearn_twins.metrics import rankme
    >>> round(rankme([[3, 0, 0], [0, 3, 0], [0, 3, 0], [3, 0, 0]]), 6)
    2.0
    """
    Z = check_embedding(Z)
    rank = smooth_rank(np.sqrt(squared_singular_values(unit_scale(Z))), eps)
    return rank / min(Z.shape) if normalize else rank


@validate_params({"normalize": ["boolean"]}, prefer_skip_nested_validation=True)
def effective_rank(Z, normalize=False):
    """Effective rank of the covariance: the smooth rank of variances along the principal components.

    ``exp(-sum_k p_k log p_k)`` with ``p_k = l_k / sum_j l_j`` and l the eigenvalues of the covariance of Z.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    normalize : bool, default=False
        Divide by min(n - 1, d), the highest value, so that widths and numbers of rows can be compared.

    Returns
    -------
    rank : float
        In [1, min(n - 1, d)], or (0, 1] if normalised. A constant embedding, and so a single row, has 0.

    Raises
    ------
    ValueError
        Z is not 2-D, is empty or has values that are not finite.

    See Also
    --------
    rankme : The same of singular values, not centred.
    stable_rank : The total variance in units of the largest.

    Notes
    -----
    The formula is RankMe's, of another spectrum: Z is centered, so that the mean does not matter, and
    eigenvalues are squares of singular values, so that weak directions count for less. Of centered
    embeddings the effective rank is the lower of the two.

    Shift, scale and rotation do not matter. Eigenvalues below max(n, d) * 2.2e-16 of the largest count as 0.

    References
    ----------
    Roy and Vetterli, "The Effective Rank: A Measure of Effective Dimensionality", EUSIPCO 2007,
    definition 1, applied to the covariance matrix, whose singular values are its eigenvalues.

    Examples
    --------
    >>> from sklearn_twins.metrics import effective_rank
    >>> round(effective_rank([[5, 1], [5, -1], [7, 1], [7, -1]]), 6)
    2.0
    """
    Z = check_embedding(Z)
    rank = smooth_rank(covariance_spectrum(Z))
    return rank / covariance_rank(Z) if normalize else rank


@validate_params({"normalize": ["boolean"]}, prefer_skip_nested_validation=True)
def stable_rank(Z, normalize=False):
    """Stable rank: the total variance in units of the largest along any direction.

    ``||Z - mean||_F^2 / ||Z - mean||_2^2``, the sum of the covariance's eigenvalues over the largest. Also
    called numerical rank.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    normalize : bool, default=False
        Divide by min(n - 1, d), the highest value, so that widths and numbers of rows can be compared.

    Returns
    -------
    rank : float
        In [1, min(n - 1, d)], or (0, 1] if normalised; never above the rank. A constant embedding, and so
        a single row, has 0.

    Raises
    ------
    ValueError
        Z is not 2-D, is empty or has values that are not finite.

    Notes
    -----
    Shift, scale and rotation do not matter.

    NOTE[DIFF]: Rudelson and Vershynin define it for any matrix, Tsitsulin et al. take the embedding as it is.
    Here it is centered first: an offset alone would bring the value to 1, and a linear model does not see it.

    References
    ----------
    Rudelson and Vershynin, "Sampling from Large Matrices: An Approach through Geometric Functional
    Analysis", Journal of the ACM 54, 2007. As a measure of embeddings: Tsitsulin, Munkhoeva and Perozzi,
    "Unsupervised Embedding Quality Evaluation", arXiv 2305.16562, 2023.

    Examples
    --------
    >>> from sklearn_twins.metrics import stable_rank
    >>> round(stable_rank([[2, 0], [-2, 0], [0, 1], [0, -1]]), 6)
    1.25
    """
    Z = check_embedding(Z)
    values = covariance_spectrum(Z)
    rank = float(values.sum() / values[0]) if values[0] > 0 else 0.0
    return rank / covariance_rank(Z) if normalize else rank


def check_range(first, last, n_ranks):
    """Ranks that a power law can be fitted to: two at least of the `n_ranks` there are."""
    if last is not None and last <= first:
        raise ValueError(f"last must be above first, for two ranks at least, got first={first} and last={last}.")
    if first > max(n_ranks - 1, 1):
        raise ValueError(
            f"first={first} leaves fewer than two eigenvalues: the covariance has {n_ranks}, min(n - 1, d). "
            "Choose a smaller one."
        )


@validate_params(
    {
        "first": [Interval(Integral, 1, None, closed="left")],
        "last": [Interval(Integral, 2, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def alpha_req(Z, first=1, last=None):
    """Alpha-ReQ: how fast the variances along the principal components decay.

    The exponent alpha of ``l_i ~ i^-alpha``, l the eigenvalues of the covariance of Z, largest first: the
    slope of log l_i over log i, by least squares with weights 1 / i, for i from `first` to `last`. Near 1 is
    best: below, variance is left in many noisy directions; far above, few directions hold it all.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    first : int, default=1
        Rank of the largest eigenvalue to be fitted. The law describes the tail, so that in wide embeddings (of
        hundreds of coordinates) the first ten or so are usually left out.
    last : int or None, default=None
        Rank of the smallest eigenvalue to be fitted; None for min(n - 1, d), at which it is cut anyway.

    Returns
    -------
    alpha : float
        0 for an isotropic embedding. Infinite where fewer than two eigenvalues in the range are above 0: of a
        constant embedding, two rows, or a single coordinate.

    Raises
    ------
    ValueError
        Z is not 2-D, is empty or has values that are not finite; `first` and `last` leave fewer than two ranks.

    Notes
    -----
    Eigenvalues of 0 (below max(n, d) * 2.2e-16 of the largest) are left out, so that lost dimensions do not show:
    see `effective_rank` for these. Few rows spread the spectrum: even isotropic rows have alpha well above 0 unless
    n is many times d. Compare embeddings of the same rows and the same range.

    The weights give each part of the logarithmic axis the same say; without them, most of a fit is its
    last ranks. Shift, scale and rotation do not matter.

    References
    ----------
    Agrawal, Mondal, Ghosh and Richards, "alpha-ReQ: Assessing Representation Quality in Self-Supervised Learning by
    Measuring Eigenspectrum Decay", NeurIPS 2022. The weights: Stringer, Pachitariu, Steinmetz, Carandini and Harris,
    "High-dimensional geometry of population responses in visual cortex", Nature 571, 2019.

    Examples
    --------
    >>> from sklearn_twins.metrics import alpha_req
    >>> round(abs(alpha_req([[3, 0], [-3, 0], [0, 3], [0, -3]])), 6)  # as much variance along each direction
    0.0
    """
    Z = check_embedding(Z)
    n_ranks = min(len(Z) - 1, Z.shape[1])
    check_range(first, last, n_ranks)
    last = n_ranks if last is None else min(last, n_ranks)
    values = covariance_spectrum(Z)[first - 1 : last]
    values = values[values > 0]
    if len(values) < 2:
        return float("inf")
    ranks = np.arange(first, first + len(values))
    weights = 1 / ranks
    x = np.log(ranks) - np.average(np.log(ranks), weights=weights)
    return float(-(weights * x * np.log(values)).sum() / (weights * x**2).sum())

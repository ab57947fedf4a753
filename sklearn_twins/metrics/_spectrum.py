"""RankMe, effective rank, stable rank and alpha-ReQ: how many dimensions an embedding uses, from its spectrum."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from ._arrays import centered, check_embedding, smaller_gram, unit_scale


def squared_singular_values(X):
    """Compute the min(n, d) largest eigenvalues of ``X'X``, largest first, in O(n d min(n, d)).

    Eigenvalues below max(n, d) * 2.2e-16 of the largest are rounding errors and set to 0.
    """
    values = np.linalg.eigvalsh(smaller_gram(X))[::-1]
    noise = max(X.shape) * np.finfo(np.float64).eps * values[0]
    return np.where(values > noise, values, 0.0)


def smooth_rank(values, eps=0.0):
    """Compute the exponential of the entropy of values divided by their sum; 0 if all are 0. 0 log 0 counts as 0."""
    total = values.sum()
    if total == 0:
        return 0.0
    shares = values / total + eps
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def covariance_spectrum(Z):
    """Compute the min(n, d) largest eigenvalues of the rows' covariance, up to a common factor, largest first."""
    return squared_singular_values(unit_scale(centered(unit_scale(Z))))


def highest_covariance_rank(Z):
    """Return the highest rank the covariance can have with this many rows; at least 1, since it divides."""
    n, d = Z.shape
    return max(min(n - 1, d), 1)


@validate_params(
    {"normalize": ["boolean"], "eps": [Interval(Real, 0, np.inf, closed="left")]}, prefer_skip_nested_validation=True
)
def rankme(Z, normalize=False, eps=0.0):
    """Compute RankMe: the smooth rank of an embedding, from its singular values.

    ``exp(-sum_k p_k log p_k)`` with ``p_k = s_k / sum_j s_j + eps``, where s are the min(n, d) singular values of Z.
    Higher is better: a linear model may find more in an embedding that uses more dimensions.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    normalize : bool, default=False
        Divide by min(n, d), the highest value. Embeddings of different widths and numbers of rows can then be compared.
    eps : float, default=0.0
        Constant added to each share. The paper uses 1e-7.

    Returns
    -------
    rank : float
        In [1, min(n, d)], or [1 / min(n, d), 1] if normalised. A constant embedding has 1, as a single row or a single
        coordinate has; an embedding of zeros has 0.

    Raises
    ------
    ValueError
        If Z is not 2-D, is empty or has values that are not finite, or a parameter is out of range.

    See Also
    --------
    effective_rank : The same for variances of the centred embedding.
    stable_rank : Total variance divided by the largest.
    lidar : Smooth rank of the directions that separate rows better than views of a row.

    Notes
    -----
    Z is not centred: an embedding with a large mean has a low RankMe. Scale and rotation do not change the result.

    Singular values come from the smaller Gram matrix, in O(n d min(n, d)). Those below the square root of
    max(n, d) * 2.2e-16 of the largest count as 0.

    NOTE[DIFF]: the paper always adds 1e-7, against the logarithm of 0. The value then depends on how many singular
    values are 0 and can exceed min(n, d). Here 0 log 0 is 0 unless `eps` is given.

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
    """Compute the effective rank: the smooth rank of the variances along the principal components.

    ``exp(-sum_k p_k log p_k)`` with ``p_k = l_k / sum_j l_j``, where l are the eigenvalues of the covariance of Z.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    normalize : bool, default=False
        Divide by min(n - 1, d), the highest value. Embeddings of different widths and numbers of rows can then be
        compared.

    Returns
    -------
    rank : float
        In [1, min(n - 1, d)], or (0, 1] if normalised. 0 for a constant embedding and for a single row.

    Raises
    ------
    ValueError
        If Z is not 2-D, is empty or has values that are not finite.

    See Also
    --------
    rankme : The same for singular values, without centring.
    stable_rank : Total variance divided by the largest.

    Notes
    -----
    The formula is RankMe's, for another spectrum: Z is centred, so that the mean does not matter, and eigenvalues are
    squares of singular values, so that weak directions count less. For a centred embedding, the effective rank is at
    most RankMe.

    Shift, scale and rotation do not change the result. Eigenvalues below max(n, d) * 2.2e-16 of the largest count as 0.

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
    return rank / highest_covariance_rank(Z) if normalize else rank


@validate_params({"normalize": ["boolean"]}, prefer_skip_nested_validation=True)
def stable_rank(Z, normalize=False):
    """Compute the stable rank: the total variance divided by the largest variance along any direction.

    ``||Z - mean||_F^2 / ||Z - mean||_2^2``, the sum of the covariance's eigenvalues over the largest. Also called
    numerical rank.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    normalize : bool, default=False
        Divide by min(n - 1, d), the highest value. Embeddings of different widths and numbers of rows can then be
        compared.

    Returns
    -------
    rank : float
        In [1, min(n - 1, d)], or (0, 1] if normalised; never above the rank. 0 for a constant embedding and for a
        single row.

    Raises
    ------
    ValueError
        If Z is not 2-D, is empty or has values that are not finite.

    Notes
    -----
    Shift, scale and rotation do not change the result.

    NOTE[DIFF]: Rudelson and Vershynin define it for any matrix, and Tsitsulin et al. do not centre the embedding. Here
    it is centred first: an offset would bring the value to 1, although it means nothing to a linear model.

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
    return rank / highest_covariance_rank(Z) if normalize else rank


def check_range(first, last, n_ranks):
    """Check that `first` and `last` leave at least two of the `n_ranks` ranks to fit a power law to."""
    if last is not None and last <= first:
        raise ValueError(f"last must be above first: a fit needs two ranks. Got first={first} and last={last}.")
    if first > max(n_ranks - 1, 1):
        raise ValueError(
            f"first={first} leaves fewer than two eigenvalues: the covariance has {n_ranks}, min(n - 1, d). "
            "Choose a smaller value."
        )


@validate_params(
    {
        "first": [Interval(Integral, 1, None, closed="left")],
        "last": [Interval(Integral, 2, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def alpha_req(Z, first=1, last=None):
    """Compute alpha-ReQ: how fast the variances along the principal components decay.

    The exponent alpha of ``l_i ~ i^-alpha``, where l are the eigenvalues of the covariance of Z, largest first: minus
    the slope of log l_i over log i, by least squares with weights 1 / i, for i from `first` to `last`. Values near 1
    are best: below 1, much variance is in many noisy directions; far above, few directions hold all of it.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding, a row per sample.
    first : int, default=1
        Rank of the largest eigenvalue in the fit. The law describes the tail: in wide embeddings (hundreds of
        coordinates) about the first ten are usually left out.
    last : int or None, default=None
        Rank of the smallest eigenvalue in the fit, at most min(n - 1, d). None means min(n - 1, d).

    Returns
    -------
    alpha : float
        0 for an isotropic embedding. Infinite if fewer than two eigenvalues in the range are above 0, as in a constant
        embedding, for two rows or for a single coordinate.

    Raises
    ------
    ValueError
        If Z is not 2-D, is empty or has values that are not finite, or if `first` and `last` leave fewer than two
        ranks.

    Notes
    -----
    Eigenvalues of 0 (below max(n, d) * 2.2e-16 of the largest) are left out, so that alpha does not show lost
    dimensions; `effective_rank` does. Few rows spread the spectrum: even isotropic rows have alpha well above 0 unless
    n is many times d. Compare embeddings of the same rows over the same range.

    The weights make each part of the logarithmic axis count the same; without them, the last ranks dominate the fit.
    Shift, scale and rotation do not change the result.

    References
    ----------
    Agrawal, Mondal, Ghosh and Richards, "alpha-ReQ: Assessing Representation Quality in Self-Supervised Learning by
    Measuring Eigenspectrum Decay", NeurIPS 2022. The weights: Stringer, Pachitariu, Steinmetz, Carandini and Harris,
    "High-dimensional geometry of population responses in visual cortex", Nature 571, 2019.

    Examples
    --------
    >>> from sklearn_twins.metrics import alpha_req
    >>> round(abs(alpha_req([[3, 0], [-3, 0], [0, 3], [0, -3]])), 6)  # the same variance along each direction
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

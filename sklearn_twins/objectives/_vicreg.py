"""VICReg: views agree, every coordinate varies, and coordinates do not covary."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from ._correlation import Objective, at_least_float32, squared_norm


def variance_and_covariance(z, gamma, eps):
    """Compute one view's variance and covariance terms, v and c in the paper.

    ``sum_j max(0, gamma - sqrt(Var_j + eps)) / d`` and ``sum_{i != j} Cov_ij^2 / d``, where variance and covariance are
    unbiased (divided by n - 1) and d is the width.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections.
    gamma : float
        Standard deviation below which a coordinate is penalised.
    eps : float
        Constant added to the variances.

    Returns
    -------
    v, c : scalar Tensors
    """
    n, dim = z.shape
    freedom = max(n - 1, 1)  # so that the variance of one row is 0, not 0 / 0
    centered = z - z.mean(0)
    variance = centered.square().sum(0) / freedom  # (dim,)
    off = squared_norm(centered, centered) * (n / freedom) ** 2 - variance.square().sum()
    return torch.relu(gamma - (variance + eps).sqrt()).mean(), off / dim


def vicreg_terms(z_a, z_b, gamma=1.0, eps=1e-4):
    """Compute the invariance, variance and covariance of two projections, without their weights.

    Invariance is the mean of ``(z_a - z_b)^2`` over rows and coordinates. Variance is the mean over both views of
    ``sum_j max(0, gamma - sqrt(Var_j + eps)) / d``, and covariance the sum over both views of
    ``sum_{i != j} Cov_ij^2 / d``, where d is the width.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    gamma : float, default=1.0
        Standard deviation below which a coordinate is penalised.
    eps : float, default=1e-4
        Constant added to the variances.

    Returns
    -------
    invariance, variance, covariance : scalar Tensors
        The three terms.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import vicreg_terms
    >>> z = torch.ones(4, 2)
    >>> [round(term.item(), 4) for term in vicreg_terms(z, z)]
    [0.0, 0.99, 0.0]
    """
    with torch.autocast(z_a.device.type, enabled=False):
        z_a, z_b = at_least_float32(z_a), at_least_float32(z_b)
        (v_a, c_a), (v_b, c_b) = (variance_and_covariance(z, gamma, eps) for z in (z_a, z_b))
        return (z_a - z_b).square().mean(), (v_a + v_b) / 2, c_a + c_b


class VICReg(Objective):
    """VICReg: views agree, coordinates vary, and coordinates do not covary.

    ``w_i * mean((z_a - z_b)^2) + w_v * (v_a + v_b) / 2 + w_c * (c_a + c_b)``, where v penalises standard deviations
    below gamma and c is the sum of squared covariances, both divided by the width d. Unlike in Barlow Twins,
    projections are not standardised: a term of its own makes each coordinate vary, and covariances are computed within
    each view.

    Parameters
    ----------
    invariance_weight : float, default=25.0
        Weight w_i of the invariance, lambda in the paper.
    variance_weight : float, default=25.0
        Weight w_v of the variance term, mu in the paper.
    covariance_weight : float, default=1.0
        Weight w_c of the covariance term, nu in the paper.
    gamma : float, default=1.0
        Standard deviation below which a coordinate is penalised.
    eps : float, default=1e-4
        Constant added to the variances, below the root.

    Notes
    -----
    Its terms are "invariance", "variance" and "covariance". Identical projections cost ``w_v * (gamma - sqrt(eps))``,
    24.75 with the defaults: if the loss stays there, the projections have collapsed.

    NOTE[DIFF]: the paper's eq. 5 sums the squared differences over the coordinates, and its eq. 6 adds the views'
    variance terms. The authors' code, to which the weights 25, 25, 1 belong, takes the mean over the coordinates and
    half the sum. This class follows their code; for the paper's equations set ``invariance_weight=25 * d`` and
    ``variance_weight=50``.

    References
    ----------
    Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
    ICLR 2022, arXiv 2105.04906, eq. 1 to 6.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import VICReg
    >>> z = torch.ones(4, 2)
    >>> round(VICReg()(z, z).item(), 4)
    24.75
    """

    _parameter_constraints: dict = {
        "invariance_weight": [Interval(Real, 0, None, closed="left")],
        "variance_weight": [Interval(Real, 0, None, closed="left")],
        "covariance_weight": [Interval(Real, 0, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "eps": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, invariance_weight=25.0, variance_weight=25.0, covariance_weight=1.0, gamma=1.0, eps=1e-4):
        self.invariance_weight = invariance_weight
        self.variance_weight = variance_weight
        self.covariance_weight = covariance_weight
        self.gamma = gamma
        self.eps = eps

    def terms(self, z_a, z_b):
        """Compute the weighted invariance, variance and covariance.

        Parameters
        ----------
        z_a, z_b : Tensors of shape (batch, dim)
            Projections of two views of the same rows.

        Returns
        -------
        terms : dict of str to scalar Tensor
            "invariance", "variance" and "covariance".
        """
        invariance, variance, covariance = vicreg_terms(z_a, z_b, self.gamma, self.eps)
        return {
            "invariance": self.invariance_weight * invariance,
            "variance": self.variance_weight * variance,
            "covariance": self.covariance_weight * covariance,
        }

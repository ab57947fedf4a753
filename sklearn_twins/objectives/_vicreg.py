"""VICReg: views agree, every coordinate varies, coordinates do not covary."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from ._correlation import Objective, at_least_float32, squared_norm

EPS = 1e-4


def spread(z, gamma, eps):
    """Hinge of the deviations and sum of the squared covariances, both over the width: v and c in the paper.

    ``sum_j max(0, gamma - sqrt(Var_j + eps)) / d`` and ``sum_{i != j} Cov_ij^2 / d``, variance and covariance being
    the unbiased ones (divided by n - 1).

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections.
    gamma : float
        Deviation up to which a coordinate is made to vary more.
    eps : float
        Added to the variances.

    Returns
    -------
    v, c : scalar Tensors
        The two sums.
    """
    n, dim = z.shape
    freedom = max(n - 1, 1)  # one row varies by 0, not by 0 / 0
    centered = z - z.mean(0)
    variance = centered.square().sum(0) / freedom  # (dim,)
    off = squared_norm(centered, centered) * (n / freedom) ** 2 - variance.square().sum()
    return torch.relu(gamma - (variance + eps).sqrt()).mean(), off / dim


def vicreg_terms(z_a, z_b, gamma=1.0, eps=EPS):
    """Invariance, variance and covariance of two projections, without their weights.

    The mean over rows and coordinates of ``(z_a - z_b)^2``, the mean of the two views' v and the sum of their c, of
    which `spread` is made.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    gamma : float, default=1.0
        Deviation up to which a coordinate is made to vary more.
    eps : float, default=1e-4
        Added to the variances.

    Returns
    -------
    invariance, variance, covariance : scalar Tensors
        The first two are means, the third is a sum over both views.

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
        (v_a, c_a), (v_b, c_b) = spread(z_a, gamma, eps), spread(z_b, gamma, eps)
        return (z_a - z_b).square().mean(), (v_a + v_b) / 2, c_a + c_b


class VICReg(Objective):
    """VICReg: views agree, coordinates vary, coordinates do not covary.

    With v a view's hinge of its coordinates' deviations and c its sum of squared covariances, both over the width d,
    ``w_i * mean((z_a - z_b)^2) + w_v * (v_a + v_b) / 2 + w_c * (c_a + c_b)``. Unlike in Barlow Twins the projections
    are not standardised: that a coordinate varies is asked for, and each view is looked at by itself.

    Parameters
    ----------
    invariance_weight : float, default=25.0
        The w_i of the formula, lambda in the paper.
    variance_weight : float, default=25.0
        The w_v of the formula, mu in the paper.
    covariance_weight : float, default=1.0
        The w_c of the formula, nu in the paper.
    gamma : float, default=1.0
        Deviation up to which a coordinate is made to vary more.
    eps : float, default=1e-4
        Added to the variances, below the root.

    Notes
    -----
    Its terms are "invariance", "variance" and "covariance". Projections that are all alike cost
    ``w_v * (gamma - sqrt(eps))``, 24.75 with the defaults: a loss that stays there has collapsed.

    NOTE[DIFF]: the paper's eq. 5 sums the squared differences over the coordinates, and its eq. 6 adds the views'
    variance terms. The authors' code, to which the weights 25, 25, 1 belong, takes the mean over the coordinates and
    half the sum. Here it is as in their code; the paper's equations are ``invariance_weight=25 * d`` and
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

    def __init__(self, invariance_weight=25.0, variance_weight=25.0, covariance_weight=1.0, gamma=1.0, eps=EPS):
        self.invariance_weight = invariance_weight
        self.variance_weight = variance_weight
        self.covariance_weight = covariance_weight
        self.gamma = gamma
        self.eps = eps

    def terms(self, z_a, z_b):
        """Invariance, variance and covariance, each with its weight.

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

"""The cross-correlation of two projections, and the sums over it that objectives are made of."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from .._components import Component

EPS = 1e-5

# The Gram form costs 8 n^2 d operations with its backward, the direct one 6 n d^2.
GRAM_IF_WIDER_THAN = 1.4


def at_least_float32(z):
    """Half precision raised to float32; anything else as it is."""
    return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z


def standardize(z, eps=EPS):
    """Give every coordinate mean 0 and variance 1 over the batch.

    The variance is the biased one (divided by n), as in the authors' code, whose batch norm does the
    same: ``(z - mean) / sqrt(var + eps)``. A constant coordinate becomes 0. Half precision is
    raised to float32 first.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections.
    eps : float, default=1e-5
        Added to the variance.

    Returns
    -------
    z : Tensor of shape (batch, dim), at least float32
    """
    z = at_least_float32(z)
    centered = z - z.mean(0)
    return centered * torch.rsqrt(centered.square().mean(0) + eps)


def cross_correlation(z_a, z_b, eps=EPS):
    """Correlation of every coordinate of one projection with every coordinate of the other.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    eps : float, default=1e-5
        Added to the variances.

    Returns
    -------
    C : Tensor of shape (dim, dim)
        ``C[i, j]`` in [-1, 1].

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy
    Reduction", ICML 2021, eq. 2.
    """
    with torch.autocast(z_a.device.type, enabled=False):
        return standardize(z_a, eps).T @ standardize(z_b, eps) / z_a.shape[0]


def diagonal(s_a, s_b):
    """Diagonal of C, from standardised projections, without C.  # (batch, dim) x 2 -> (dim,)"""
    return (s_a * s_b).mean(0)


def squared_norm(s_a, s_b):
    """Sum of all squares of C, from standardised projections, by the cheaper of two equal forms.

    ``||C||_F^2`` directly, O(n d^2), or ``tr(S_a S_a' S_b S_b') / n^2`` through the n x n Gram
    matrices, O(n^2 d), when the projection is wider than the batch.
    """
    n, dim = s_a.shape
    with torch.autocast(s_a.device.type, enabled=False):
        if dim > GRAM_IF_WIDER_THAN * n:
            return ((s_a @ s_a.T) * (s_b @ s_b.T)).sum() / n**2
        return (s_a.T @ s_b).square().sum() / n**2


class Objective(Component):
    """An objective with named terms: their sum is what training minimises, each is kept in the history."""

    def terms(self, z_a, z_b):
        """Named terms of the objective, weights included, as a dict of scalar tensors."""
        raise NotImplementedError

    def __call__(self, z_a, z_b):
        """The number to minimise.

        Parameters
        ----------
        z_a, z_b : Tensors of shape (batch, dim)
            Projections of two views of the same rows.

        Returns
        -------
        loss : scalar Tensor
        """
        return sum(self.terms(z_a, z_b).values())


class CorrelationObjective(Objective):
    """An objective with two terms of the cross-correlation: its diagonal's, and its other entries' with a weight.

    Subclasses say what the terms are, in `correlation_terms(z_a, z_b, weight) -> (invariance, redundancy)`.

    Parameters
    ----------
    off_diagonal_weight : "auto" or float, default="auto"
        Weight of the off-diagonal sum. "auto" is 1 over the projection's width.
    """

    _parameter_constraints: dict = {
        "off_diagonal_weight": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")]
    }

    def __init__(self, off_diagonal_weight="auto"):
        self.off_diagonal_weight = off_diagonal_weight

    def terms(self, z_a, z_b):
        """Invariance and weighted redundancy.

        Parameters
        ----------
        z_a, z_b : Tensors of shape (batch, dim)
            Projections of two views of the same rows.

        Returns
        -------
        terms : dict of str to scalar Tensor
            "invariance" and "redundancy".
        """
        invariance, redundancy = self.correlation_terms(z_a, z_b, self.weight_of(z_a.shape[1]))
        return {"invariance": invariance, "redundancy": redundancy}

    def noise_floor(self, batch, dim):
        """The redundancy that sampling alone gives: its mean if coordinates are independent.

        Correlations of independent coordinates over n rows have a mean square of 1 / (n - 1), so that
        ``w dim (dim - 1) / (batch - 1)`` of the term is noise, however good the encoder is.

        Parameters
        ----------
        batch : int
            Rows in a batch.
        dim : int
            Width of the projection.

        Returns
        -------
        redundancy : float
        """
        return self.weight_of(dim) * dim * (dim - 1) / max(batch - 1, 1)

    def weight_of(self, dim):
        """The weight of the off-diagonal sum, for projections of width `dim`."""
        return 1 / dim if self.off_diagonal_weight == "auto" else self.off_diagonal_weight

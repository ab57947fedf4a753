"""The cross-correlation of two projections, its squared norm, and the base classes of objectives."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch.func import vmap

from .._parts._component import Component

VARIANCE_EPS = 1e-5

# Forward and backward, the Gram form costs 7 n^2 d operations (8 without the halves) and the direct form 6 n d^2. In
# measurements they took the same time at a width of 1.1 n for 1024 rows, 1.2 n for 512 and 1.5 n for 256, since matrix
# products are not the only cost.
GRAM_IF_WIDER_THAN = 1.2  # width over rows
HALVES_FROM = 128  # rows; with fewer, the extra calls cost more than the quarter of the product that they save


def at_least_float32(z):
    """Raise half precision to float32 and leave other types."""
    return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z


def standardize(z, eps=VARIANCE_EPS):
    """Give every coordinate mean 0 and variance 1 over the batch.

    ``(z - mean) / sqrt(var + eps)`` with the biased variance (divided by n), as batch norm in the authors' code. A
    constant coordinate becomes 0. Half precision is raised to float32 first.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections.
    eps : float, default=1e-5
        Constant added to the variance.

    Returns
    -------
    z : Tensor of shape (batch, dim), at least float32
        Standardised projections, a new tensor.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import standardize
    >>> standardize(torch.tensor([[1.0, 7.0], [3.0, 7.0]])).round(decimals=3)
    tensor([[-1.,  0.],
            [ 1.,  0.]])
    """
    z = at_least_float32(z)
    centered = z - z.mean(0)
    return centered * torch.rsqrt(centered.square().mean(0) + eps)


def cross_correlation(z_a, z_b, eps=VARIANCE_EPS):
    """Compute the correlation of every coordinate of one projection with every coordinate of the other.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    eps : float, default=1e-5
        Constant added to the variances.

    Returns
    -------
    C : Tensor of shape (dim, dim)
        Correlations, in [-1, 1].

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy
    Reduction", ICML 2021, eq. 2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import cross_correlation
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> cross_correlation(z, z.flip(1)).round(decimals=3)  # the second view has its coordinates swapped
    tensor([[0., 1.],
            [1., 0.]])
    """
    with torch.autocast(z_a.device.type, enabled=False):
        return standardize(z_a, eps).T @ standardize(z_b, eps) / z_a.shape[0]


def is_wide(z):
    """Whether the Gram form is cheaper for projections of this shape."""
    return z.shape[1] > GRAM_IF_WIDER_THAN * z.shape[0]


def gram(s):
    """Multiply all rows with all rows; a quarter of the products is copied by symmetry.  # (n, dim) -> (n, n)"""
    n = s.shape[0]
    if n < HALVES_FROM or s.device.type != "cpu":
        return s @ s.T
    K, half = s.new_empty(n, n), n // 2
    torch.mm(s, s[:half].T, out=K[:, :half])
    torch.mm(s[half:], s[half:].T, out=K[half:, half:])
    K[:half, half:] = K[half:, :half].T
    return K


def refuse_second_derivative():
    """Raise if the gradient is to be differentiated again, since autograd would treat it as a constant."""
    if torch.is_grad_enabled():
        raise NotImplementedError(
            "Sums of correlations have first derivatives only. Got create_graph=True; take the gradient without it."
        )


class SquaredNorm(torch.autograd.Function):
    """Implement `squared_norm` with a gradient that reuses the products of the forward pass."""

    @staticmethod
    def forward(ctx, s_a, s_b):
        ctx.wide, same = is_wide(s_a), s_a is s_b
        with torch.autocast(s_a.device.type, enabled=False):
            if ctx.wide:
                K_a = gram(s_a)
                K_b = K_a if same else gram(s_b)
                ctx.save_for_backward(s_a, s_b, K_a, K_b)
                return (K_a * K_b).sum() / s_a.shape[0] ** 2
            C = gram(s_a.T) if same else s_a.T @ s_b
            ctx.save_for_backward(s_a, s_b, C)
            return C.square().sum() / s_a.shape[0] ** 2

    @staticmethod
    def backward(ctx, gradient):
        refuse_second_derivative()
        s_a, s_b, *products = ctx.saved_tensors
        gradient = gradient * (2 / s_a.shape[0] ** 2)
        needs_a, needs_b = ctx.needs_input_grad
        with torch.autocast(s_a.device.type, enabled=False):
            if ctx.wide:
                K_a, K_b = products
                a, b = (lambda: (gradient * K_b) @ s_a), (lambda: (gradient * K_a) @ s_b)
            else:
                C = gradient * products[0]
                a, b = (lambda: s_b @ C.T), (lambda: s_a @ C)
            if s_a is s_b:
                return 2 * a(), None
            return a() if needs_a else None, b() if needs_b else None


def squared_norm(s_a, s_b):
    """Sum the squares of C, the correlations of standardised projections, by the cheaper of two equal forms.

    The direct form ``||C||_F^2`` costs O(n d^2). The form ``tr(S_a S_a' S_b S_b') / n^2`` by n x n Gram matrices costs
    O(n^2 d); it is used if the projection is wider than the batch.
    """
    return SquaredNorm.apply(s_a, s_b)


def stacked_terms(z_a, z_b, weights, target):
    """Compute the invariance and redundancy of many pairs of projections, one for each network of a stack.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (pairs, batch, dim)
        Projections.
    weights : Tensor of shape (pairs,)
        Weight of each off-diagonal sum.
    target : float
        Target of correlations off the diagonal.

    Returns
    -------
    terms : dict of str to Tensor of shape (pairs,)
        "invariance" and weighted "redundancy".

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import stacked_terms
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> terms = stacked_terms(torch.stack([z, -z]), torch.stack([z, z]), torch.tensor([0.5, 0.5]), target=0.0)
    >>> terms["invariance"].round(decimals=3)
    tensor([0., 8.])
    """
    with torch.autocast(z_a.device.type, enabled=False):
        s_a, s_b = (vmap(standardize)(z) for z in (z_a, z_b))
        C = torch.bmm(s_a.transpose(1, 2), s_b) / z_a.shape[1]  # (pairs, dim, dim)
        on = C.diagonal(dim1=1, dim2=2)
        off = (C - target).square().sum((1, 2)) - (on - target).square().sum(1)
        return {"invariance": (1 - on).square().sum(1), "redundancy": weights * off}


class Objective(Component):
    """Base class of objectives with named terms: training minimises their sum and keeps each in the history."""

    def terms(self, z_a, z_b):
        """Compute the terms, weights included, as a dict of scalar tensors."""
        raise NotImplementedError

    def __call__(self, z_a, z_b):
        """Compute the loss.

        Parameters
        ----------
        z_a, z_b : Tensors of shape (batch, dim)
            Projections of two views of the same rows.

        Returns
        -------
        loss : scalar Tensor
            Sum of the terms.
        """
        return sum(self.terms(z_a, z_b).values())


class CorrelationObjective(Objective):
    """Base class of objectives with two terms of the cross-correlation: one of its diagonal, one of the other entries.

    Subclasses define `correlation_terms(z_a, z_b, weight) -> (invariance, redundancy)` and `target`, the target of
    correlations off the diagonal.

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
        """Compute the invariance and the weighted redundancy.

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
        """Compute the redundancy that sampling alone causes: its mean if coordinates are independent.

        Correlations of independent coordinates over n rows have a mean square of 1 / (n - 1), so that
        ``w dim (dim - 1) / (batch - 1)`` of the term is noise even for a perfect encoder.

        Parameters
        ----------
        batch : int
            Number of rows in a batch.
        dim : int
            Width of the projection.

        Returns
        -------
        redundancy : float
            Weighted redundancy.
        """
        return self.weight_of(dim) * dim * (dim - 1) / max(batch - 1, 1)

    def weight_of(self, dim):
        """Get the weight of the off-diagonal sum as a number.

        Parameters
        ----------
        dim : int
            Width of the projection.

        Returns
        -------
        weight : float
            `off_diagonal_weight`, or its value for this width if it is "auto".
        """
        return 1 / dim if self.off_diagonal_weight == "auto" else self.off_diagonal_weight

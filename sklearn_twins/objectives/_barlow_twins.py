"""The Barlow Twins objective: the cross-correlation of two views should be the identity."""

from ._correlation import CorrelationObjective
from ._correlation_gradients import correlation_terms


def barlow_twins_terms(z_a, z_b, weight):
    """Compute the invariance and redundancy of two projections.

    ``sum_i (1 - C_ii)^2`` and ``weight * sum_{i != j} C_ij^2``, where C is their cross-correlation.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    weight : float
        Weight of the off-diagonal sum, lambda in the paper.

    Returns
    -------
    invariance, redundancy : scalar Tensors
        The two sums; the second one includes the weight.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import barlow_twins_terms
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> [round(term.item(), 3) for term in barlow_twins_terms(z, z, weight=0.5)]
    [0.0, 0.0]
    """
    return correlation_terms(z_a, z_b, weight, 0.0)


class BarlowTwins(CorrelationObjective):
    """Barlow Twins: views agree and coordinates are uncorrelated.

    ``sum_i (1 - C_ii)^2 + w * sum_{i != j} C_ij^2``, where C is the cross-correlation of two projections standardised
    over the batch.

    Parameters
    ----------
    off_diagonal_weight : "auto" or float, default="auto"
        Weight w of the off-diagonal sum, lambda in the paper. "auto" is 1 over the projection's width: this sum has
        about width^2 terms and the invariance has width terms, so that "auto" balances them in the same way at every
        width.

    See Also
    --------
    HSIC : The same with a target of -1 for correlations off the diagonal.
    MixedBarlowTwins : Barlow Twins with mixed rows, against overfitting.
    sklearn_twins.metrics.redundancy : The redundancy of an embedding without its sampling noise.

    Notes
    -----
    Even a perfect encoder has an off-diagonal sum of about ``dim * (dim - 1) / batch``, the sampling noise of that many
    correlations. A loss far above zero is not necessarily bad.

    NOTE[DIFF]: the authors' code standardises with batch norm without a learned scale, which is the same. Its weight is
    0.0051 at width 8192, a product of 42.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy
    Reduction", ICML 2021, eq. 1 and 2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import BarlowTwins
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(BarlowTwins()(z, z).item(), 6)
    0.0
    """

    correlation_terms = staticmethod(barlow_twins_terms)
    target = 0.0

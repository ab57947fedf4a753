"""The Barlow Twins objective: a cross-correlation matrix that is the identity."""

from ._correlation import CorrelationObjective
from ._correlation_gradients import correlation_terms


def barlow_twins_terms(z_a, z_b, weight):
    """Invariance and redundancy of two projections.

    ``sum_i (1 - C_ii)^2`` and ``weight * sum_{i != j} C_ij^2``.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    weight : float
        Weight of the off-diagonal sum, lambda in the paper.

    Returns
    -------
    invariance, redundancy : scalar Tensors
        The two sums, the second one times its weight.

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
    """Barlow Twins: views agree, coordinates are uncorrelated.

    With C the cross-correlation of two projections standardised over the batch,
    ``sum_i (1 - C_ii)^2 + w * sum_{i != j} C_ij^2``.

    Parameters
    ----------
    off_diagonal_weight : "auto" or float, default="auto"
        The w of the formula, the paper's lambda. "auto" is 1 over the projection's width: the sum has about width^2
        terms, the invariance only width, so a constant product means the same at every width.

    See Also
    --------
    HSIC : The same with correlations of -1 off the diagonal.
    MixedBarlowTwins : This with mixed rows, against overfitting.
    sklearn_twins.metrics.redundancy : The redundancy of an embedding, less what sampling gives.

    Notes
    -----
    Even a perfect encoder shows an off-diagonal sum of about ``dim * (dim - 1) / batch``, the sampling
    noise of as many correlations, so a loss far above zero need not be a bad one.

    NOTE[DIFF]: the authors' code standardises with batch norm without learned scale, which is the
    same; they weigh with 0.0051 at width 8192, a product of 42.

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

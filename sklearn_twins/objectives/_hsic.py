"""The HSIC form of Barlow Twins: off-diagonal correlations are drawn to -1 instead of 0."""

from ._correlation import CorrelationObjective
from ._correlation_gradients import correlation_terms


def hsic_terms(z_a, z_b, weight):
    """Invariance and redundancy of two projections, the off-diagonal target being -1.

    ``sum_i (1 - C_ii)^2`` and ``weight * sum_{i != j} (1 + C_ij)^2``.

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
    >>> from sklearn_twins.objectives import hsic_terms
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> [round(term.item(), 3) for term in hsic_terms(z, z, weight=0.5)]
    [0.0, 1.0]
    """
    return correlation_terms(z_a, z_b, weight, -1.0)


class HSIC(CorrelationObjective):
    """The HSIC form of Barlow Twins: a negative-free contrastive objective.

    With C the cross-correlation of two projections standardised over the batch,
    ``sum_i (1 - C_ii)^2 + w * sum_{i != j} (1 + C_ij)^2``: the maximisation of a Hilbert-Schmidt
    independence criterion between representation and instance, with the linear kernel.

    Parameters
    ----------
    off_diagonal_weight : "auto" or float, default="auto"
        The w of the formula, the paper's lambda. "auto" is 1 over the projection's width.

    See Also
    --------
    BarlowTwins : The same with correlations of 0 off the diagonal.
    SSLHSIC : An objective of kernels, of which the linear one leads here.

    Notes
    -----
    Not all correlations can be -1 at once, so between views made alike the loss has a floor: about ``dim - 3``
    for w = 1/dim. A loss that seems stuck near the projection's width is healthy.

    It equals Barlow Twins plus ``2 w (1'C1 - tr C) + w dim (dim - 1)``.

    NOTE[DIFF]: the code that goes with the paper standardises with the unbiased standard deviation and a
    L2 normalisation before it. Here both objectives standardise alike (biased, no normalisation), so
    that they differ in their target alone.

    References
    ----------
    Tsai, Bai, Morency and Salakhutdinov, "A Note on Connecting Barlow Twins with Negative-Sample-Free
    Contrastive Learning", arXiv 2104.13712, 2021, eq. 5.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import HSIC
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(HSIC()(z, z).item(), 3)  # correlations of 0 off the diagonal, instead of -1
    1.0
    """

    correlation_terms = staticmethod(hsic_terms)
    target = -1.0

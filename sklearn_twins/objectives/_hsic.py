"""The HSIC form of Barlow Twins: the target of off-diagonal correlations is -1 instead of 0."""

from ._correlation import CorrelationObjective
from ._correlation_gradients import correlation_terms


def hsic_terms(z_a, z_b, weight):
    """Compute the invariance and redundancy of two projections for an off-diagonal target of -1.

    ``sum_i (1 - C_ii)^2`` and ``weight * sum_{i != j} (1 + C_ij)^2``, where C is their cross-correlation.

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
    >>> from sklearn_twins.objectives import hsic_terms
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> [round(term.item(), 3) for term in hsic_terms(z, z, weight=0.5)]
    [0.0, 1.0]
    """
    return correlation_terms(z_a, z_b, weight, -1.0)


class HSIC(CorrelationObjective):
    """The HSIC form of Barlow Twins: a contrastive objective without negatives.

    ``sum_i (1 - C_ii)^2 + w * sum_{i != j} (1 + C_ij)^2``, where C is the cross-correlation of two projections
    standardised over the batch. Minimising it maximises the Hilbert-Schmidt independence criterion between
    representation and instance with the linear kernel.

    Parameters
    ----------
    off_diagonal_weight : "auto" or float, default="auto"
        Weight w of the off-diagonal sum, lambda in the paper. "auto" is 1 over the projection's width.

    See Also
    --------
    BarlowTwins : The same with a target of 0 for correlations off the diagonal.
    SSLHSIC : A kernel objective that is built from the same matrices for the linear kernel.

    Notes
    -----
    Not all correlations can be -1 at once, so that the loss has a floor if both views are made in the same way: about
    ``dim - 3`` for w = 1/dim. A loss that seems stuck near the projection's width is healthy.

    It equals Barlow Twins plus ``2 w (1'C1 - tr C) + w dim (dim - 1)``.

    NOTE[DIFF]: the paper's code standardises with the unbiased standard deviation, after an L2 normalisation. Here both
    objectives standardise in the same way (biased, without normalisation), so that they differ only in their target.

    References
    ----------
    Tsai, Bai, Morency and Salakhutdinov, "A Note on Connecting Barlow Twins with Negative-Sample-Free
    Contrastive Learning", arXiv 2104.13712, 2021, eq. 5.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import HSIC
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(HSIC()(z, z).item(), 3)  # correlations off the diagonal are 0, not -1
    1.0
    """

    correlation_terms = staticmethod(hsic_terms)
    target = -1.0

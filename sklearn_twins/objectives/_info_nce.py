"""InfoNCE: a row's other view is told from the other rows."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from ._correlation import Objective, at_least_float32

EPS = 1e-12


def unit_norm(z, eps=EPS):
    """Scale every row to norm 1: ``z / sqrt(|z|^2 + eps)``. A row of zeros stays. Half precision is raised to float32.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections.
    eps : float, default=1e-12
        Added to the squared norm, so that a row of zeros has a finite gradient.

    Returns
    -------
    z : Tensor of shape (batch, dim), at least float32
        Rows of norm 1.
    """
    z = at_least_float32(z)
    return z * torch.rsqrt(z.square().sum(1, keepdim=True) + eps)


def others(u, temperature):
    """For each row, the logarithm of the sum of exponentiated similarities to the other rows of its own view.

    The row itself is kept out by a logit so low that it counts as nothing, but finite: a batch of one row has no
    others, and minus infinity would make its gradient NaN.
    """
    logits = u @ (u.T / temperature)  # (batch, batch)
    return logits.fill_diagonal_(torch.finfo(u.dtype).min / 2).logsumexp(1)


def info_nce_terms(z_a, z_b, temperature=1.0, negatives="both"):
    """Alignment and uniformity of two projections: the two halves of a cross-entropy.

    With s the cosine similarity over the temperature, the mean over both views' rows of ``-s(row, its other view)``
    and of ``log sum exp s(row, candidate)`` over the row's candidates.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    temperature : float, default=1.0
        What similarities are divided by, tau in the papers.
    negatives : {"both", "other"}, default="both"
        Whether candidates are of both views (2 batch - 1, the row itself left out) or of the other one (batch).

    Returns
    -------
    alignment, uniformity : scalar Tensors
        The two means; their sum is the loss.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import info_nce_terms
    >>> z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> [round(term.item(), 4) for term in info_nce_terms(z, z, negatives="other")]
    [-1.0, 1.1269]
    """
    with torch.autocast(z_a.device.type, enabled=False):
        u_a, u_b = unit_norm(z_a), unit_norm(z_b)
        logits = u_a @ (u_b.T / temperature)  # (batch, batch), the positives on the diagonal
        of_a, of_b = logits.logsumexp(1), logits.logsumexp(0)  # (batch,)
        if negatives == "both":
            of_a = torch.logaddexp(of_a, others(u_a, temperature))
            of_b = torch.logaddexp(of_b, others(u_b, temperature))
        return -logits.diagonal().mean(), (of_a.mean() + of_b.mean()) / 2


class InfoNCE(Objective):
    """InfoNCE: each row's other view is found among the other rows.

    The cross-entropy of picking, by cosine similarity over a temperature, a row's other view among candidates,
    averaged over the rows of both views. The other rows of the batch are the negatives, so large batches help.

    Parameters
    ----------
    temperature : float, default=1.0
        What similarities are divided by, tau in the papers. SCARF, on tables, uses 1; SimCLR, on images, 0.5 or less.
        A low one makes the nearest negatives count most.
    negatives : {"both", "other"}, default="both"
        "both": candidates are all rows of both views but the row itself, as in SimCLR (NT-Xent). "other": rows of the
        other view, as in SCARF and CLIP.

    Notes
    -----
    Its terms are "alignment", the mean of ``-s`` over pairs of views, and "uniformity", the mean logarithm of the sum
    of exponentiated s over the candidates; neither is a loss without the other. Since s is bounded by 1 over the
    temperature t, so is what can be reached: with m candidates no loss is below ``log(1 + (m - 1) exp(-2 / t))``, and
    projections that are all alike cost ``log(m)``. Losses of batches of different sizes are not comparable.

    NOTE[DIFF]: SCARF takes only one view's rows as anchors, and the mean of the exponentials where we take their sum,
    which is less by ``log(batch)``. With "other" both directions are averaged, so that the views may be swapped.

    References
    ----------
    Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual Representations", ICML
    2020, eq. 1 and algorithm 1.

    Bahri, Jiang, Tay and Metzler, "SCARF: Self-Supervised Contrastive Learning using Random Feature Corruption", ICLR
    2022, algorithm 1.

    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020, section 4, for the names of the terms.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import InfoNCE
    >>> z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> round(InfoNCE(negatives="other")(z, z).item(), 4)  # log(1 + exp(-2))
    0.1269
    """

    _parameter_constraints: dict = {
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "negatives": [StrOptions({"both", "other"})],
    }

    def __init__(self, temperature=1.0, negatives="both"):
        self.temperature = temperature
        self.negatives = negatives

    def terms(self, z_a, z_b):
        """Alignment and uniformity.

        Parameters
        ----------
        z_a, z_b : Tensors of shape (batch, dim)
            Projections of two views of the same rows.

        Returns
        -------
        terms : dict of str to scalar Tensor
            "alignment" and "uniformity".
        """
        alignment, uniformity = info_nce_terms(z_a, z_b, self.temperature, self.negatives)
        return {"alignment": alignment, "uniformity": uniformity}

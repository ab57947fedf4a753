"""InfoNCE: find a row's other view among the other rows."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from ._correlation import Objective, at_least_float32


def unit_norm(z, eps=1e-12):
    """Scale every row to norm 1: ``z / sqrt(|z|^2 + eps)``. Rows of zeros stay. Half precision is raised to float32.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections.
    eps : float, default=1e-12
        Constant added to the squared norm, so that a row of zeros has a finite gradient.

    Returns
    -------
    z : Tensor of shape (batch, dim), at least float32
        Rows of norm 1.
    """
    z = at_least_float32(z)
    return z * torch.rsqrt(z.square().sum(1, keepdim=True) + eps)


def negatives_logsumexp(u, temperature):
    """Compute the log-sum-exp of each row's similarities to the other rows of its own view.

    The row itself gets a very low logit. It is finite, since a batch of one row has no other rows and minus infinity
    would make its gradient NaN.
    """
    logits = u @ (u.T / temperature)  # (batch, batch)
    return logits.fill_diagonal_(torch.finfo(u.dtype).min / 2).logsumexp(1)


def info_nce_terms(z_a, z_b, temperature=1.0, negatives="both"):
    """Compute the alignment and uniformity of two projections: the two halves of a cross-entropy.

    Alignment is the mean over both views' rows of ``-s(row, its other view)``, uniformity the mean of
    ``log sum exp s(row, candidate)`` over the row's candidates, where s is the cosine similarity divided by the
    temperature.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    temperature : float, default=1.0
        Divisor of the similarities, tau in the papers.
    negatives : {"both", "other"}, default="both"
        Candidates of a row: the rows of both views without the row itself (2 batch - 1), or the rows of the other view
        (batch).

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
            of_a = torch.logaddexp(of_a, negatives_logsumexp(u_a, temperature))
            of_b = torch.logaddexp(of_b, negatives_logsumexp(u_b, temperature))
        return -logits.diagonal().mean(), (of_a.mean() + of_b.mean()) / 2


class InfoNCE(Objective):
    """InfoNCE: pick each row's other view among the other rows.

    The cross-entropy of picking a row's other view among candidates by cosine similarity over a temperature, averaged
    over the rows of both views. The other rows of the batch are the negatives, so that large batches help.

    Parameters
    ----------
    temperature : float, default=1.0
        Divisor of the similarities, tau in the papers. SCARF, for tables, uses 1; SimCLR, for images, 0.5 or less. A
        low temperature makes the nearest negatives count most.
    negatives : {"both", "other"}, default="both"
        Candidates of a row. "both": all rows of both views except the row itself, as in SimCLR (NT-Xent). "other": the
        rows of the other view, as in SCARF and CLIP.

    Notes
    -----
    Its terms are "alignment", the mean of ``-s`` over pairs of views, and "uniformity", the mean log-sum-exp of s over
    the candidates, where s is the similarity over the temperature t. Only their sum is a loss. With m candidates the
    loss is at least ``log(1 + (m - 1) exp(-2 / t))``, since s is at most 1 / t, and identical projections cost
    ``log(m)``. Losses for batches of different sizes are not comparable.

    NOTE[DIFF]: SCARF takes only one view's rows as anchors, and the mean of the exponentials instead of their sum; its
    loss is lower by ``log(batch)``. Here "other" averages both directions, so that the order of the views does not
    matter.

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
        """Compute alignment and uniformity.

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

"""Supervision: what a joint training adds to the objective, a head on labelled rows and an averaged teacher."""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ._recipe import LABELS_REACH_ENCODER, count_labeled, objective_scale, teacher_decay


class LabeledRows:
    """Labelled rows on the device, drawn with equal numbers of all classes.

    Rows are weighted such that the mean over draws is the weighted mean over all labelled rows.

    Parameters
    ----------
    rows : Tensor of shape (n, *sample_shape) or HostRows
        The rows.
    codes : ndarray of shape (n,), int64
        Class of each row.
    weights : ndarray of shape (n,)
        Weight of each row.
    device : torch.device
        Where rows are drawn.
    """

    def __init__(self, rows, codes, weights, device):
        self.rows = rows
        self.codes = torch.from_numpy(codes).to(device)
        self.order = torch.argsort(self.codes, stable=True)
        counts = torch.unique_consecutive(self.codes[self.order], return_counts=True)[1]
        self.counts, self.starts = counts, counts.cumsum(0) - counts  # of each class that is present
        weights = torch.from_numpy(weights).to(device)
        sizes = counts.repeat_interleave(counts)[torch.argsort(self.order)]  # of each row's class
        self.weights = (len(counts) * sizes * weights / weights.sum()).float()
        self.size = count_labeled(len(codes))

    def draw(self, generator):
        """Draw rows; the numbers of two classes differ by one at most.

        Parameters
        ----------
        generator : torch.Generator
            Source of random numbers, on the device.

        Returns
        -------
        rows : Tensor of shape (size, *sample_shape)
        codes : Tensor of shape (size,), int64
        weights : Tensor of shape (size,)
        """
        device = self.codes.device
        classes = torch.randperm(len(self.counts), generator=generator, device=device)
        classes = classes[torch.arange(self.size, device=device) % len(classes)]
        counts = self.counts[classes]
        u = torch.rand(self.size, generator=generator, device=device, dtype=torch.float64)
        drawn = self.order[self.starts[classes] + torch.minimum((u * counts).long(), counts - 1)]
        return self.rows[drawn], self.codes[drawn], self.weights[drawn]


class Teacher(nn.Module):
    """Average over steps of an encoder and its head; always in eval mode.

    Shape
    -----
    (batch, *sample_shape) -> (batch, n_classes), logits
    """

    def __init__(self, encoder, head):
        super().__init__()
        self.encoder, self.head = copy.deepcopy(encoder), copy.deepcopy(head)
        self.requires_grad_(False).train(False)

    def train(self, mode=True):
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, x):
        return self.head(self.encoder(x))

    @torch.no_grad()
    def follow(self, encoder, head, decay):
        """Move towards the networks: ``teacher = decay * teacher + (1 - decay) * network``."""
        for own, other in ((self.encoder, encoder), (self.head, head)):
            torch._foreach_lerp_(list(own.parameters()), list(other.parameters()), 1 - decay)
            for mine, its in zip(own.buffers(), other.buffers(), strict=True):
                if mine.is_floating_point():
                    mine.lerp_(its, 1 - decay)
                else:
                    mine.copy_(its)


@dataclass(frozen=True)
class Embedded:
    """What a step has embedded.

    Parameters
    ----------
    a, b : Tensor of shape (batch, width)
        Embeddings of the two views.
    labeled : Tensor of shape (drawn, width) or None
        Embeddings of labelled rows.
    codes, weights : Tensor of shape (drawn,) or None
        Their classes and weights.
    teacher : Tensor of shape (batch, n_classes) or None
        The teacher's probabilities for the rows as they are.
    """

    a: torch.Tensor
    b: torch.Tensor
    labeled: torch.Tensor | None = None
    codes: torch.Tensor | None = None
    weights: torch.Tensor | None = None
    teacher: torch.Tensor | None = None


class Supervision(nn.Module):
    """Head, teacher and labelled rows of a joint training.

    Parameters
    ----------
    encoder : nn.Module
        The encoder that is trained; the teacher starts as its copy.
    head : nn.Linear
        Head on the embedding.
    objective : callable
        The objective, whose scale counts.
    labeled : LabeledRows
        Rows to train on.
    held_out : LabeledRows or None
        Rows for the validation loss.
    label_weight, pseudo_weight : float
        Weights of the two cross-entropies beside the scaled objective.
    threshold : float
        Probability from which the teacher is sure.
    pseudo_from : int
        Step from which there are pseudo-labels.
    """

    def __init__(
        self, encoder, head, objective, labeled, held_out, *, label_weight, pseudo_weight, threshold, pseudo_from
    ):
        super().__init__()
        self.head, self.teacher = head, Teacher(encoder, head)
        self.objective, self.labeled, self.held_out = objective, labeled, held_out
        self.label_weight, self.pseudo_weight = label_weight, pseudo_weight
        self.threshold, self.pseudo_from = threshold, pseudo_from

    def embed(self, encoder, x, x_a, x_b, change, generator, step):
        """Embed two views of all rows, and views of labelled rows together with the first one.

        Parameters
        ----------
        encoder : nn.Module
            The encoder that is trained.
        x, x_a, x_b : Tensor of shape (batch, *sample_shape)
            Rows and their views.
        change : callable
            ``change(rows, generator) -> view``
        generator : torch.Generator
            Source of random numbers.
        step : int
            Number of the step.

        Returns
        -------
        embedded : Embedded
        """
        if not self.training:
            if self.held_out is None:
                return Embedded(encoder(x_a), encoder(x_b))
            rows, codes, weights = self.held_out.draw(generator)
            return Embedded(encoder(x_a), encoder(x_b), encoder(rows), codes, weights)
        rows, codes, weights = self.labeled.draw(generator)
        h = encoder(torch.cat([x_a, change(rows, generator)]))  # one forward: batch norm sees both
        teacher = None
        if self.pseudo_weight and step >= self.pseudo_from:
            with torch.no_grad():
                teacher = self.teacher(x).float().softmax(1)
        return Embedded(h[: len(x)], encoder(x_b), h[len(x) :], codes, weights, teacher)

    def add_terms(self, loss, terms, embedded, projection_dim):
        """Add the cross-entropies to an objective.

        Parameters
        ----------
        loss : Tensor
            The objective.
        terms : dict of str to Tensor
            Its terms.
        embedded : Embedded
            See `embed`.
        projection_dim : int
            Width of the projections.

        Returns
        -------
        loss : Tensor
            The scaled objective and the weighted cross-entropies.
        terms : dict of str to Tensor
            The objective's own terms; "label" and "pseudo", the cross-entropies; "pseudo_share", the share of rows with
            a pseudo-label, and "pseudo_agreement", the share of them whose view the head puts into the same class.
        """
        loss = loss / objective_scale(self.objective, projection_dim)
        if embedded.labeled is not None:
            h = embedded.labeled if LABELS_REACH_ENCODER else embedded.labeled.detach()
            logits = self.head(h.float())
            label = (F.cross_entropy(logits, embedded.codes, reduction="none") * embedded.weights).mean()
            loss, terms = loss + self.label_weight * label, {**terms, "label": label}
        if self.training and self.pseudo_weight:
            pseudo = self.pseudo_terms(embedded)
            loss, terms = loss + self.pseudo_weight * pseudo["pseudo"], {**terms, **pseudo}
        return loss, terms

    def pseudo_terms(self, embedded):
        """Cross-entropy of the second view against the teacher's class, where it is sure; see `add_terms`."""
        if embedded.teacher is None:
            zero = torch.zeros((), device=embedded.a.device)
            return {"pseudo": zero, "pseudo_share": zero, "pseudo_agreement": zero}
        best, classes = embedded.teacher.max(1)
        is_sure = best >= self.threshold
        logits = self.head(embedded.b.float())
        losses = F.cross_entropy(logits, classes, reduction="none")
        agree = ((logits.argmax(1) == classes) & is_sure).sum() / is_sure.sum().clamp(min=1)
        return {"pseudo": (losses * is_sure).mean(), "pseudo_share": is_sure.float().mean(), "pseudo_agreement": agree}

    def follow(self, encoder, step):
        """Move the teacher after a step."""
        self.teacher.follow(encoder, self.head, teacher_decay(step))

    def fitted(self):
        """The averaged head as fitted attributes of a classifier."""
        head = self.teacher.head
        return {
            "head_coef_": head.weight.detach().cpu().numpy().copy(),
            "head_intercept_": head.bias.detach().cpu().numpy().copy(),
        }

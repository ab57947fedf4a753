"""Supervision: what a joint training adds to the objective, a head on labelled rows and an averaged teacher."""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .._parts._augmentation import to_intensities
from .._training._distributed import ONE_PROCESS
from ._recipe import count_labeled, objective_scale, teacher_decay

NOT_MADE = -2  # in place of a pseudo-label before the first ones are made


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
    spec : SampleSpec
        Spec of the rows.
    device : torch.device
        Where rows are drawn.
    group : ProcessGroup, default=ONE_PROCESS
        The processes, each of which takes its share of the rows that are drawn.
    """

    def __init__(self, rows, codes, weights, spec, device, group=ONE_PROCESS):
        self.rows, self.spec, self.group = rows, spec, group
        self.codes = torch.from_numpy(codes).to(device)
        self.order = torch.argsort(self.codes, stable=True)
        counts = torch.unique_consecutive(self.codes[self.order], return_counts=True)[1]
        self.counts, self.starts = counts, counts.cumsum(0) - counts  # of each class that is present
        weights = torch.from_numpy(weights).to(device)
        sizes = counts.repeat_interleave(counts)[torch.argsort(self.order)]  # of each row's class
        self.weights = (len(counts) * sizes * weights / weights.sum()).float()
        self.size = -(-count_labeled(len(codes)) // group.size) * group.size

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
            With several processes, each draws the same rows and returns its share.
        """
        device = self.codes.device
        classes = torch.randperm(len(self.counts), generator=generator, device=device)
        classes = classes[torch.arange(self.size, device=device) % len(classes)]
        counts = self.counts[classes]
        u = torch.rand(self.size, generator=generator, device=device, dtype=torch.float64)
        drawn = self.order[self.starts[classes] + torch.minimum((u * counts).long(), counts - 1)]
        drawn = drawn.view(self.group.size, -1)[self.group.rank]
        rows = to_intensities(self.spec.cut(self.rows[drawn], generator))
        return rows, self.codes[drawn], self.weights[drawn]


class Teacher(nn.Module):
    """Average over steps of an encoder and its head; always in eval mode."""

    def __init__(self, encoder, head):
        super().__init__()
        self.encoder, self.head = copy.deepcopy(encoder), copy.deepcopy(head)
        self.requires_grad_(False).train(False)

    def train(self, mode=True):
        """Stay in eval mode."""
        return super().train(False)

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
    features : Tensor of shape (batch, n_features) or None
        Embedding of the second view, and the rows' own columns.
    classes : Tensor of shape (batch,), int64, or None
        Pseudo-labels, -1 without.
    labeled : Tensor of shape (drawn, n_features) or None
        Features of labelled rows.
    codes, weights : Tensor of shape (drawn,) or None
        Their classes and weights.
    """

    a: torch.Tensor
    b: torch.Tensor
    features: torch.Tensor | None = None
    classes: torch.Tensor | None = None
    labeled: torch.Tensor | None = None
    codes: torch.Tensor | None = None
    weights: torch.Tensor | None = None


class Supervision(nn.Module):
    """Head, teacher, labelled rows and pseudo-labels of a joint training.

    Parameters
    ----------
    encoder : nn.Module
        The encoder that is trained; the teacher starts as its copy.
    head : Head
        Head on the features.
    columns : nn.Module or None
        From samples to their columns, which are features next to the embedding.
    objective : callable
        The objective, whose scale counts.
    labeled : LabeledRows
        Rows to train on.
    held_out : LabeledRows or None
        Rows for the validation loss.
    label_all : callable
        ``label_all(encoder, coef, intercept) -> classes`` makes the pseudo-labels of all training rows.
    n : int
        Number of training rows.
    label_weight : float
        Weight of the labelled rows' cross-entropy.
    penalty : float
        Factor of the squared norm of the head's weights.
    recipe : JointRecipe
        Numbers of the joint training.
    group : ProcessGroup, default=ONE_PROCESS
        The processes that train together; losses are those of all their rows.
    """

    of_rows = ("pseudo",)  # buffers that belong to the rows of one fit

    def __init__(
        self,
        encoder,
        head,
        columns,
        objective,
        labeled,
        held_out,
        label_all,
        n,
        *,
        label_weight,
        penalty,
        recipe,
        group=ONE_PROCESS,
    ):
        super().__init__()
        self.group = group
        self.head, self.teacher, self.columns = head, Teacher(encoder, head), columns
        self.objective, self.labeled, self.held_out, self.label_all = objective, labeled, held_out, label_all
        self.label_weight, self.penalty, self.recipe = label_weight, penalty, recipe
        self.register_buffer("pseudo", torch.full((n,), NOT_MADE, dtype=torch.int64))
        self.are_made = None

    def features(self, h, samples):
        """Features of the embedding of rows or views, and of the rows as they are.

        Shape
        -----
        h : (batch, width); samples : (batch, *sample_shape); returns (batch, n_features)
        """
        return h.float() if self.columns is None else torch.cat([h.float(), self.columns(samples)], dim=1)

    def embed(self, encoder, x, rows, x_a, x_b, generator, step):
        """Embed two views of all rows, and labelled rows as they are together with the first one.

        Parameters
        ----------
        encoder : nn.Module
            The encoder that is trained.
        x, x_a, x_b : Tensor of shape (batch, *sample_shape)
            Rows and their views.
        rows : Tensor of shape (batch,), int64
            Numbers of the rows.
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
            drawn, codes, weights = self.held_out.draw(generator)
            labeled = self.features(encoder(drawn), drawn)
            return Embedded(encoder(x_a), encoder(x_b), labeled=labeled, codes=codes, weights=weights)
        if self.recipe.pseudo_weight:
            self.make_pseudo_labels(step)
        drawn, codes, weights = self.labeled.draw(generator)
        h = encoder(torch.cat([x_a, drawn]))  # one forward: batch norm sees both
        labeled = h[len(x) :] if self.recipe.labels_reach_encoder else h[len(x) :].detach()
        b = encoder(x_b)
        return Embedded(
            h[: len(x)], b, self.features(b, x), self.pseudo[rows], self.features(labeled, drawn), codes, weights
        )

    def make_pseudo_labels(self, step):
        """Make the pseudo-labels, if it is time to or there are none yet."""
        if self.are_made is None:
            self.are_made = bool((self.pseudo != NOT_MADE).all())  # those of a checkpoint
        if step % self.recipe.refresh and self.are_made:
            return
        classes = self.label_all(self.teacher.encoder, *self.teacher.head.unscaled())
        self.pseudo.copy_(torch.from_numpy(classes))
        self.group.broadcast(self.pseudo)
        self.are_made = True

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
            The scaled objective and the weighted cross-entropies, with the penalty of the head's weights.
        terms : dict of str to Tensor
            The objective's own terms; "label" and "pseudo", the cross-entropies; "pseudo_share", the share of rows with
            a pseudo-label, and "pseudo_agreement", the share of them whose view the head puts into the same class.
        """
        loss = loss / (objective_scale(self.objective, projection_dim) / self.recipe.objective_weight)
        if embedded.labeled is not None:
            logits, codes, weights = map(
                self.group.gather, (self.head(embedded.labeled), embedded.codes, embedded.weights)
            )
            label = (F.cross_entropy(logits, codes, reduction="none") * weights).mean()
            terms = {**terms, "label": label}
            penalty = self.penalty * self.group.once(self.head.penalty())
            loss = loss + self.label_weight * (label + penalty if self.training else label)
        if self.training and self.recipe.pseudo_weight:
            pseudo = self.pseudo_terms(embedded)
            loss, terms = loss + self.recipe.pseudo_weight * pseudo["pseudo"], {**terms, **pseudo}
        return loss, terms

    def pseudo_terms(self, embedded):
        """Cross-entropy of the second view against the pseudo-labels; see `add_terms`."""
        logits, classes = map(self.group.gather, (self.head(embedded.features), embedded.classes))
        has_label, classes = classes >= 0, classes.clamp(min=0)
        losses = F.cross_entropy(logits, classes, reduction="none")
        agree = ((logits.argmax(1) == classes) & has_label).sum() / has_label.sum().clamp(min=1)
        share = has_label.float().mean()
        return {"pseudo": (losses * has_label).mean(), "pseudo_share": share, "pseudo_agreement": agree}

    def follow(self, encoder, step):
        """Move the teacher after a step."""
        self.teacher.follow(encoder, self.head, teacher_decay(step))

    def fitted(self):
        """The averaged head as fitted attributes of a classifier."""
        return dict(zip(("head_coef_", "head_intercept_"), self.teacher.head.unscaled(), strict=True))

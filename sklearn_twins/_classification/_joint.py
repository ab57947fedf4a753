"""Joint training of an embedder's encoder with labels: its settings, and one run of the training loop."""

from dataclasses import astuple, dataclass, replace

import numpy as np

from .._fitting._fit import run_fit
from .._fitting._prepare import Samples
from .._parts._joint_recipe import JointRecipe
from .._runtime._devices import claim_device
from .._runtime._storage import take_samples, to_storage
from .._training._optimizers import default_learning_rate
from ._features import Features, Head
from ._labels import Labels
from ._linear import first_head
from ._pseudo_labels import PseudoLabeler
from ._recipe import HEAD_SPEED, LR_SCHEDULE, count_held_out_least
from ._supervision import LabeledRows, Supervision


@dataclass(frozen=True)
class Joint:
    """Labels, and how a joint training uses them.

    Parameters
    ----------
    labels : Labels
        Of all training rows.
    features : Features
        What linear models see of a row.
    model : LogisticRegression
        The linear model on the pretrained embedding, from which the head starts.
    first : ndarray of shape (n, n_classes)
        Its probabilities for all training rows.
    mean : ndarray of shape (n_features,)
        Mean of the scaled features on the pretrained embedding.
    label_weight : float
        Weight of the labelled rows' cross-entropy.
    share : float
        Share of the rows of each class that get a pseudo-label.
    recipe : JointRecipe
        Numbers of the joint training.
    validation_fraction : float
        Share of rows held out with early stopping.
    kept : tuple of (samples, codes, weights) or None, default=None
        Labelled rows of all calls of `partial_fit`, in place of those of `labels`.
    """

    labels: Labels
    features: Features
    model: object
    first: np.ndarray
    mean: np.ndarray
    label_weight: float
    share: float
    recipe: JointRecipe
    validation_fraction: float
    kept: tuple | None = None

    @property
    def content(self):
        """What the result depends on, for the fingerprint of a checkpoint."""
        labels, numbers = self.labels, (self.label_weight, self.share, *astuple(self.recipe))
        return labels.classes.tolist(), labels.codes, labels.weights, numbers

    def supervise(self, encoder, objective, samples, own, held_out, environment, storage):
        """Make the supervision of a training run.

        Parameters
        ----------
        encoder : nn.Module
            The encoder that is trained.
        objective : callable
            The objective.
        samples : ndarray or lazy samples of shape (n, *sample_shape)
            All rows.
        own, held_out : ndarray of int or None
            Numbers of the rows to train on, None for all; and of those that are held out.
        environment : Environment
            Where to train, and in which processes.
        storage : str
            Where the rows are, see `to_storage`.

        Returns
        -------
        supervision : Supervision
        """
        train, valid = split_labels(self.labels, held_out, self.validation_fraction)
        codes, weights, device, group = (
            self.labels.codes,
            self.labels.weights,
            environment.device,
            environment.process_group,
        )

        spec = self.features.spec

        def draw_from(rows):
            stored = to_storage(samples, device, storage, rows)
            return LabeledRows(stored, codes[rows], weights[rows], spec, device, group)

        if self.kept:
            labeled = self.kept
            drawn = LabeledRows(to_storage(labeled[0], device, storage), *labeled[1:], spec, device, group)
        else:
            labeled = (take_samples(samples, train), codes[train], weights[train])
            drawn = draw_from(train)
        label_all = PseudoLabeler(
            samples, self.features, self.first, labeled, self.labels.codes, self.share, self.recipe.are_spread
        )
        n_classes, scale = len(self.labels.classes), self.features.scale
        return Supervision(
            encoder,
            Head(*first_head(self.model, n_classes, len(scale)), scale, self.mean, HEAD_SPEED),
            self.features.make_columns(),
            objective,
            drawn,
            draw_from(valid) if len(valid) else None,
            (lambda *teacher: label_all(*teacher)) if own is None else (lambda *teacher: label_all(*teacher)[own]),
            len(samples) if own is None else len(own),
            label_weight=self.label_weight,
            penalty=1 / (2 * labeled[2].sum()),
            recipe=self.recipe,
            group=group,
        )


def split_labels(labels, held_out, validation_fraction):
    """Split the labelled rows into those to train on and those held out; classes with few labels keep all of them.

    Returns
    -------
    train, valid : ndarray of int
        Numbers of rows.
    """
    rows = labels.rows
    if held_out is None:
        return rows, rows[:0]
    has_many = labels.counts[labels.codes[rows]] >= count_held_out_least(validation_fraction)
    is_held_out = has_many & np.isin(rows, held_out)
    return rows[~is_held_out], rows[is_held_out]


def set_joint_parameters(embedder, params, learning_rate):
    """Make an unfitted embedder whose parameters are those of the joint training.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        It is not changed. Its optimizer, batch size, device and so on serve the joint training too.
    params : dict
        Parameters that the classifier sets: `max_epochs`, `early_stopping`, `warm_start`, `checkpoint`, ...
    learning_rate : float
        Peak learning rate in that of the embedder.

    Returns
    -------
    embedder : BarlowTwinsEmbedder
    """
    joint, rate = embedder._unfitted(), embedder.learning_rate
    rate = learning_rate * (default_learning_rate(embedder._settings().optimizer) if rate == "auto" else rate)
    own = {"learning_rate": rate, "lr_schedule": LR_SCHEDULE, "compile": False}
    for name, value in {**own, **params}.items():
        setattr(joint, name, value)
    return joint


def previous_of(embedder):
    """The state from which a joint training starts: encoder and projector of a pretrained embedder."""
    state = getattr(embedder, "_training_state", None)
    if state is not None:
        state = {name: value for name, value in state.items() if name != "optimizer"} | {"n_steps": 0}
    return replace(
        embedder._previous(), history={"epoch": np.zeros(0, dtype=int)}, n_epochs=0, n_streamed=0, training_state=state
    )


def train_jointly(embedder, parts, samples, joint, previous, groups, tasks, store, stream):
    """Train an encoder and a head together.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        From `set_joint_parameters`.
    parts : dict of str to component
        Its resolved parts.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        All training rows.
    joint : Joint
        Labels.
    previous : Previous
        The state to start from.
    groups : ndarray of shape (n,), int64, or None
        Group of each row.
    tasks : FitTasks
        scikit-learn's callbacks.
    store : callable
        Called with the fitted attributes.
    stream : bool
        Whether this is one epoch of `partial_fit`.
    """
    with claim_device(embedder.device, embedder.verbose) as device:
        settings, X = embedder._settings(), Samples(samples)
        run_fit(settings, parts, X, embedder, device, tasks, store, previous, stream, groups, joint)

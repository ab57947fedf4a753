"""The recipe of joint training: the numbers that all modalities share, and the rules that choose weights and length."""

from dataclasses import replace
from math import ceil

import numpy as np

HEAD_SPEED = 5.0  # times the encoder's learning rate
LR_SCHEDULE = "cosine"
EPOCHS = (2, 60)  # bounds of the number of epochs
MAX_LABELED = 64  # labelled rows of a step
TEACHER_DECAY = 0.98
MAX_REFIT = 2_000  # labelled rows that the model behind pseudo-labels is fitted to
# Divisors with which objectives that are no sums over coordinates have gradients as large, measured on digits after 15
# epochs of pretraining with each.
OTHER_SCALES = {"VICReg": 75.0, "InfoNCE": 4.4, "SSLHSIC": 2.0}
DECLINE = 0.3  # with the number of labels, of the disagreement that the head may have with the linear model


def choose_epochs(n_batches, record):
    """Number of epochs of a joint training for ``max_epochs="auto"``.

    Parameters
    ----------
    n_batches : int
        Batches of an epoch.
    record : Modality
        Kind of the rows.
    """
    return int(np.clip(round(record.joint.steps * record.n_steps / n_batches), *EPOCHS))


def adapt(recipe, pseudo_labels, n_batches):
    """Adapt a recipe: without pseudo-labels, their weight is 0; making them embeds all rows, so that many wait longer.

    Parameters
    ----------
    recipe : JointRecipe
        Of the modality.
    pseudo_labels : "auto" or bool
        Parameter of the classifier; "auto" is true.
    n_batches : int
        Batches of an epoch.

    Returns
    -------
    recipe : JointRecipe
    """
    weight = recipe.pseudo_weight if pseudo_labels else 0.0
    return replace(recipe, pseudo_weight=weight, refresh=max(recipe.refresh, n_batches // 2))


def choose_label_weight(label_weight):
    """Weight of the labelled rows' cross-entropy."""
    return 1.0 if label_weight == "auto" else float(label_weight)


def count_labeled(n_labeled):
    """Number of labelled rows of a step."""
    return min(MAX_LABELED, 4 * n_labeled)


def teacher_decay(step):
    """Share of the teacher's weights that a step keeps; the first steps count more."""
    return min(TEACHER_DECAY, (step + 1) / (step + 10))


def objective_scale(objective, projection_dim):
    """Divisor that brings an objective to the scale of a cross-entropy."""
    return OTHER_SCALES.get(type(objective).__name__, float(projection_dim))


def choose_head_share(linear, head, n_labels, recipe):
    """Share of the head in predictions: 0 if it disagrees with the linear model on too many rows.

    Parameters
    ----------
    linear, head : ndarray of shape (n, n_classes)
        Probabilities of all training rows.
    n_labels : float
        Labels of a class in the median.
    recipe : JointRecipe
        Of the modality.
    """
    disagreement = np.mean(linear.argmax(axis=1) != head.argmax(axis=1))
    return recipe.head_share if disagreement <= recipe.most_disagreement / n_labels**DECLINE else 0.0


def blend(linear, head, share):
    """Blend the probabilities of the linear model and of the head.

    Shape
    -----
    linear, head : (n, n_classes); returns (n, n_classes)
    """
    return (1 - share) * linear + share * head


def count_held_out_least(validation_fraction):
    """Labelled rows that a class must have before some of them are held out with early stopping."""
    return ceil(2 / validation_fraction)

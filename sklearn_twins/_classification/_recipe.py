"""The recipe of joint training: its numbers, and the rules that choose weights, length, pseudo-labels and blend."""

from math import ceil

import numpy as np

LEARNING_RATE = 0.1  # of the embedder's peak rate
LR_SCHEDULE = "cosine"
STEPS = 0.3  # of the steps of a pretraining
EPOCHS = (2, 60)  # bounds of the number of epochs
PSEUDO_FROM = 1 / 3  # of the steps; before, the teacher is no better than the head's first weights
STREAM_PSEUDO_FROM = 100  # steps, in partial_fit
MAX_LABELED = 64  # labelled rows of a step
TEACHER_DECAY = 0.98
OBJECTIVE_WEIGHT = 4.0  # of the objective divided by its number of terms
# Divisors with which objectives that are no sums over coordinates have gradients as large, measured on digits after 15
# epochs of pretraining with each.
OTHER_SCALES = {"VICReg": 75.0, "InfoNCE": 4.4, "SSLHSIC": 2.0}
# The cross-entropy of a few labelled rows overfits the encoder, which then forgets what it learnt from all rows.
LABELS_REACH_ENCODER = False
# Shares of three predictions: the linear models on the pretrained and on the tuned embedding, and the head.
BLEND = (0.5, 0.5, 0.0)


def choose_epochs(n_batches, n_steps):
    """Number of epochs of a joint training for ``max_epochs="auto"``.

    Parameters
    ----------
    n_batches : int
        Batches of an epoch.
    n_steps : int
        Steps that a pretraining of this modality aims at.
    """
    return int(np.clip(round(STEPS * n_steps / n_batches), *EPOCHS))


def choose_label_weight(label_weight, counts):
    """Weight of the labelled rows' cross-entropy; "auto" grows with the median number of labels of a class.

    Parameters
    ----------
    label_weight : "auto" or float
        The parameter.
    counts : ndarray of shape (n_classes,)
        Labelled rows of each class.
    """
    return 1.0 if label_weight == "auto" else float(label_weight)


def choose_pseudo_weight(pseudo_labels, is_labeled):
    """Weight of the pseudo-labels' cross-entropy, 0 without pseudo-labels.

    Parameters
    ----------
    pseudo_labels : "auto" or bool
        The parameter. "auto" leaves them out if no row is without label.
    is_labeled : ndarray of shape (n,), bool
        Which training rows have a label.
    """
    return float((not is_labeled.all()) if pseudo_labels == "auto" else pseudo_labels)


def count_labeled(n_labeled):
    """Number of labelled rows of a step."""
    return min(MAX_LABELED, 4 * n_labeled)


def teacher_decay(step):
    """Share of the teacher's weights that a step keeps; the first steps count more."""
    return min(TEACHER_DECAY, (step + 1) / (step + 10))


def objective_scale(objective, projection_dim):
    """Divisor that brings an objective to the scale of a cross-entropy: its number of terms."""
    return OTHER_SCALES.get(type(objective).__name__, float(projection_dim)) / OBJECTIVE_WEIGHT


def blend(*predictions):
    """Blend probabilities: of the linear models on the pretrained and on the tuned embedding, and of the head.

    Parameters
    ----------
    predictions : ndarray of shape (n, n_classes)
        One for each share of `BLEND`; None where the share is 0.

    Returns
    -------
    proba : ndarray of shape (n, n_classes)
    """
    return sum(share * proba for share, proba in zip(BLEND, predictions, strict=True) if share)


def count_held_out_least(validation_fraction):
    """Labelled rows that a class must have before some of them are held out with early stopping."""
    return ceil(2 / validation_fraction)

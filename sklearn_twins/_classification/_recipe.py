"""The recipe of joint training: its numbers, and the rules that choose weights and length."""

from math import ceil

import numpy as np

LEARNING_RATE = 0.1  # of the embedder's peak rate
HEAD_SPEED = 5.0  # times the encoder's learning rate
LR_SCHEDULE = "cosine"
STEPS = 0.18  # of the steps of a pretraining
EPOCHS = (2, 60)  # bounds of the number of epochs
MAX_LABELED = 64  # labelled rows of a step
TEACHER_DECAY = 0.98
PSEUDO_WEIGHT = 1.0  # of the cross-entropy of pseudo-labels
REFRESH = 30  # steps between two makings of pseudo-labels
MAX_REFIT = 2_000  # labelled rows that the model behind pseudo-labels is fitted to
OBJECTIVE_WEIGHT = 4.0  # of the objective divided by its number of terms
# Divisors with which objectives that are no sums over coordinates have gradients as large, measured on digits after 15
# epochs of pretraining with each.
OTHER_SCALES = {"VICReg": 75.0, "InfoNCE": 4.4, "SSLHSIC": 2.0}
HEAD_SHARE = 0.5  # of the head's probabilities in predictions; the rest is the linear model's
# A head that puts more rows into other classes than the linear model may have wrong has lost its way more often than it
# has found a better one: 15 % of the rows with one label a class, 9 % with 5, 6 % with 25.
DISAGREEMENT, DECLINE = 0.15, 0.3


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


def do_labels_reach(record):
    """Whether the encoder learns from the labelled rows' cross-entropy, and not from pseudo-labels alone.

    Encoders of tables overfit a few labelled rows, and forget what they learnt from all rows (2 points lost on splice
    and magic with 5 labels a class); convolutional ones gain (MNIST, 2,000 rows: 3 points with 5 labels, 6 with 25).
    """
    return record.convolutional


def choose_refresh(n_batches):
    """Number of steps between two makings of pseudo-labels: each embeds all rows, so that large tables need more."""
    return max(REFRESH, n_batches // 2)


def choose_label_weight(label_weight):
    """Weight of the labelled rows' cross-entropy."""
    return 1.0 if label_weight == "auto" else float(label_weight)


def choose_pseudo_weight(pseudo_labels):
    """Weight of the pseudo-labels' cross-entropy, 0 without pseudo-labels."""
    return PSEUDO_WEIGHT if pseudo_labels else 0.0  # "auto" is true


def count_labeled(n_labeled):
    """Number of labelled rows of a step."""
    return min(MAX_LABELED, 4 * n_labeled)


def teacher_decay(step):
    """Share of the teacher's weights that a step keeps; the first steps count more."""
    return min(TEACHER_DECAY, (step + 1) / (step + 10))


def objective_scale(objective, projection_dim):
    """Divisor that brings an objective to the scale of a cross-entropy."""
    return OTHER_SCALES.get(type(objective).__name__, float(projection_dim)) / OBJECTIVE_WEIGHT


def choose_head_share(linear, head, n_labels, record):
    """Share of the head in predictions: 0 if it disagrees with the linear model on too many rows.

    Convolutional encoders learn so much more from the labels than a linear model does that disagreement is a good sign:
    on MNIST (2,000 rows) the blend gained 8 points with 5 labels a class, and 3 with 25.

    Parameters
    ----------
    linear, head : ndarray of shape (n, n_classes)
        Probabilities of all training rows.
    n_labels : float
        Labels of a class in the median.
    record : Modality
        Kind of the rows.
    """
    disagreement = np.mean(linear.argmax(axis=1) != head.argmax(axis=1))
    return HEAD_SHARE if record.convolutional or disagreement <= DISAGREEMENT / n_labels**DECLINE else 0.0


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

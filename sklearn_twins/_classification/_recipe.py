"""The recipe of joint training: its numbers, and the rules that choose weights, length, pseudo-labels and blend."""

from math import ceil

import numpy as np

LEARNING_RATE = 0.2  # of the embedder's peak rate
LR_SCHEDULE = "cosine"
STEPS = 0.3  # of the steps of a pretraining
EPOCHS = (2, 60)  # bounds of the number of epochs
PSEUDO_FROM = 1 / 3  # of the steps; before, the head is not yet worth a teacher
STREAM_PSEUDO_FROM = 100  # steps, in partial_fit
MAX_LABELED = 64  # labelled rows of a step
TEACHER_DECAY = 0.98
SHARE_DECAY = 0.95  # of the share of sure rows in each class
JOINT_SHARE = 0.5  # of the joint network in the blend
OTHER_SCALES = {"VICReg": 50.0, "InfoNCE": 10.0, "SSLHSIC": 1.0}


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
    return OTHER_SCALES.get(type(objective).__name__, float(projection_dim))


def choose_threshold(threshold, shares):
    """Threshold of each class (FlexMatch): lower for classes of which the teacher is rarely sure.

    Parameters
    ----------
    threshold : float
        Threshold of the class of which it is sure most often.
    shares : Tensor of shape (n_classes,)
        Share of all rows of which the teacher is sure, by class.

    Returns
    -------
    thresholds : Tensor of shape (n_classes,)
    """
    most = shares.max()
    beta = (shares / most.clamp(min=1e-12)).where(most > 0, 1.0)
    return threshold * beta / (2 - beta)


def blend(linear, joint, share=JOINT_SHARE):
    """Blend the probabilities of the linear model and the joint network.

    Shape
    -----
    linear, joint : (n, n_classes); returns (n, n_classes)
    """
    return (1 - share) * linear + share * joint


def count_held_out_least(validation_fraction):
    """Labelled rows that a class must have before some of them are held out with early stopping."""
    return ceil(2 / validation_fraction)

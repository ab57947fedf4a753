"""Pseudo-labels: classes for all training rows, by three models or by spreading labels over neighbours."""

from dataclasses import dataclass

import numpy as np

from .._runtime._storage import take_samples
from ._features import Features
from ._labels import UNLABELED
from ._linear import fit_linear, linear_proba, softmax
from ._recipe import MAX_REFIT
from ._spreading import align, spread_labels


@dataclass(frozen=True)
class PseudoLabeler:
    """Make the pseudo-labels of all training rows from the state of a joint training.

    The classes are those of the largest mean probability of three models: logistic regression on the pretrained
    embedding, the same on the teacher's embedding, and the teacher's head. Or the given labels are spread over a graph
    of the teacher's embedding, without the head, which would confirm its own errors. Of the rows of each class, those
    with the largest probabilities keep theirs.

    Parameters
    ----------
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        All training rows.
    features : Features
        What linear models see of a row.
    first : ndarray of shape (n, n_classes)
        Probabilities of the linear model on the pretrained embedding.
    labeled : tuple of (samples, codes, weights)
        Labelled rows.
    codes : ndarray of shape (n,), int64
        Given classes, -1 without.
    share : float
        Share of the rows of each class that keep it.
    are_spread : bool
        Whether labels are spread, and classes moved towards their shares among the labels.
    """

    samples: object
    features: Features
    first: np.ndarray
    labeled: tuple
    codes: np.ndarray
    share: float
    are_spread: bool

    def __call__(self, encoder, coef, intercept):
        """Make the pseudo-labels.

        Parameters
        ----------
        encoder : nn.Module
            The teacher's encoder.
        coef, intercept : ndarray
            The teacher's head, on unscaled features.

        Returns
        -------
        classes : ndarray of shape (n,), int64
            -1 for rows without pseudo-label.
        """
        if (self.codes >= 0).all():
            return self.codes
        rows, codes, weights = some_labels(*self.labeled)
        scale, n_classes = self.features.scale, self.first.shape[1]
        raw, labeled = self.features.compute(encoder, self.samples), self.features.compute(encoder, rows) * scale
        if self.are_spread:
            classes, others = self.codes.copy(), self.codes < 0
            proba = spread_labels(labeled, codes, weights, raw[others] * scale, n_classes)
            shares = np.bincount(codes, weights, n_classes) / weights.sum()
            classes[others] = keep_reached(proba, shares, self.share)
            return classes
        proba = self.first + linear_proba(fit_linear(labeled, codes, weights), raw * scale, n_classes)
        proba += softmax(raw.astype(np.float64) @ coef.T + intercept)
        return np.where(self.codes >= 0, self.codes, keep_surest(proba, self.share))


def keep_surest(proba, share):
    """Find the class of each row, and keep it for the rows of each class with the largest probabilities.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        Probabilities, or multiples of them.
    share : float
        Share of the rows of each class that keep it.

    Returns
    -------
    classes : ndarray of shape (n,), int64
        -1 for the others.
    """
    classes, best = proba.argmax(axis=1), proba.max(axis=1)
    kept = np.full(len(proba), UNLABELED, dtype=np.int64)
    for label in np.unique(classes):
        own = np.flatnonzero(classes == label)
        sure = own[best[own] >= np.quantile(best[own], 1 - share)]
        kept[sure] = label
    return kept


def keep_reached(proba, shares, share):
    """Find the class of each row that labels reached over the graph, as `keep_surest` does; -1 for the others."""
    is_reached = np.ptp(proba, axis=1) > 0  # groups of near copies may have no label in them
    found = np.full(len(proba), UNLABELED, dtype=np.int64)
    if is_reached.any():
        found[is_reached] = keep_surest(align(proba[is_reached], shares), share)
    return found


def some_labels(rows, codes, weights):
    """At most `MAX_REFIT` labelled rows, always the same ones, since the model is fitted often."""
    if len(codes) <= MAX_REFIT:
        return rows, codes, weights
    some = np.sort(np.random.default_rng(0).permutation(len(codes))[:MAX_REFIT])
    return take_samples(rows, some), codes[some], weights[some]

"""Training rows of a classifier: X, further rows, groups and labels, without repetitions; and their samples."""

from dataclasses import dataclass

import numpy as np

from .._inputs._groups import encode_groups
from .._runtime._storage import take_samples
from ._labels import Labels, check_weights, with_weights
from ._repeats import merge_rows


@dataclass(frozen=True)
class Rows:
    """Rows to train on.

    Parameters
    ----------
    X, unlabeled : containers, unlabeled possibly None
        The rows.
    groups : array-like or None
        Group of each row of X.
    group_codes : ndarray of int64 or None
        Number of the group of each row of X and of `unlabeled`.
    labels : Labels
        Of these rows.
    given : Labels
        Of the rows as they came.
    origin : ndarray of int or None
        Place of each row as it came among those to train on, -1 for a row that is left out. None if they are the same.
    """

    X: object
    unlabeled: object
    groups: object
    group_codes: np.ndarray | None
    labels: Labels
    given: Labels
    origin: np.ndarray | None = None

    @classmethod
    def prepare(cls, X, unlabeled, groups, labels, sample_weight, class_weight):
        """Weight the labels, and merge equal labelled rows.

        Raises
        ------
        ValueError, TypeError
            If weights or groups are invalid.
        """
        sample_weight = check_weights(sample_weight, X, labels)
        weighted = with_weights(labels, sample_weight, class_weight)
        codes = encode_groups(groups, X, unlabeled)
        merged = merge_rows(X, weighted, sample_weight, groups is not None)
        if merged is None:
            return cls(X, unlabeled, groups, codes, weighted, labels)
        X, groups = merged.take(X), merged.take(groups)
        return cls(X, unlabeled, groups, encode_groups(groups, X, unlabeled), merged.labels, labels, merged.origin)

    def transduce(self, proba):
        """Labels and probabilities of the rows as they came, where given labels are kept.

        Parameters
        ----------
        proba : ndarray of shape (n_training_rows, n_classes)
            Predictions for the rows to train on.

        Returns
        -------
        labels : ndarray of shape (n,)
        proba : ndarray of shape (n, n_classes)
        """
        given, proba = self.given, proba if self.origin is None else proba[self.origin]  # left-out rows have labels
        proba[given.rows] = np.eye(len(given.classes))[given.codes[given.rows]]
        return given.classes[proba.argmax(axis=1)], proba


def make_samples(embedder, X, unlabeled, n):
    """Samples of all training rows by a fitted embedder's preprocessor.

    Raises
    ------
    ValueError
        If X has other columns than the embedder's, or broken files were left out.
    """
    preprocessor, rows = embedder.preprocessor_, embedder._append_unlabeled(X, unlabeled)
    samples = getattr(preprocessor, "transform_for_fit", preprocessor.transform)(rows, owner=embedder)
    if len(samples) != n:
        raise ValueError(
            f"y has labels for {n} rows, and {len(samples)} samples are left of X: broken files were skipped. Leave "
            "them out of X and y first."
        )
    return samples


def take_labeled(samples, labels):
    """Samples, codes and weights of the labelled rows."""
    return take_samples(samples, labels.rows), labels.codes[labels.rows], labels.weights[labels.rows]

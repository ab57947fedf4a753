"""Uncertainty: the rows whose class a classifier is least sure of."""

import numpy as np
from scipy.special import xlogy
from sklearn.utils._param_validation import validate_params

from ._checks import N, check_proba, find_unlabeled


def smallest(scores, labeled, n):
    """Number the n rows without label that have the smallest scores; ties by row number."""
    candidates = find_unlabeled(labeled, len(scores), n)
    return candidates[np.argsort(scores[candidates], kind="stable")[:n]]


@validate_params({"n": N}, prefer_skip_nested_validation=True)
def margin(proba, n=20, *, labeled=None):
    """Choose the rows with the smallest difference between the two largest probabilities.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        Probabilities of the classes for all rows, as `predict_proba` returns them.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.

    Returns
    -------
    rows : ndarray of shape (n,), int64
        Row numbers, the least certain one first. Ties are broken by the row number.

    Raises
    ------
    ValueError
        If `proba` holds no probabilities of two or more classes, `labeled` is no boolean array of this length, or fewer
        than `n` rows have no label.

    See Also
    --------
    suggest_labels : Choose rows by a fitted estimator.
    badge : Choose uncertain rows that differ from each other.

    References
    ----------
    Scheffer, Decomain and Wrobel, "Active Hidden Markov Models for Information Extraction", IDA 2001.

    Examples
    --------
    >>> from sklearn_twins.active_learning import margin
    >>> margin([[0.9, 0.1, 0.0], [0.4, 0.35, 0.25], [0.6, 0.2, 0.2]], n=2)
    array([1, 2])
    """
    largest = np.sort(check_proba(proba), axis=1)[:, -2:]
    return smallest(largest[:, 1] - largest[:, 0], labeled, n)


@validate_params({"n": N}, prefer_skip_nested_validation=True)
def least_confidence(proba, n=20, *, labeled=None):
    """Choose the rows whose largest probability is smallest.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        Probabilities of the classes for all rows, as `predict_proba` returns them.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.

    Returns
    -------
    rows : ndarray of shape (n,), int64
        Row numbers, the least certain one first. Ties are broken by the row number.

    Raises
    ------
    ValueError
        If `proba` holds no probabilities of two or more classes, `labeled` is no boolean array of this length, or fewer
        than `n` rows have no label.

    See Also
    --------
    margin : Compare the two largest probabilities.

    References
    ----------
    Lewis and Gale, "A Sequential Algorithm for Training Text Classifiers", SIGIR 1994.

    Examples
    --------
    >>> from sklearn_twins.active_learning import least_confidence
    >>> least_confidence([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]], n=2)
    array([2, 1])
    """
    return smallest(check_proba(proba).max(axis=1), labeled, n)


@validate_params({"n": N}, prefer_skip_nested_validation=True)
def entropy(proba, n=20, *, labeled=None):
    """Choose the rows whose probabilities have the largest entropy.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        Probabilities of the classes for all rows, as `predict_proba` returns them.
    n : int, default=20
        Number of rows to choose.
    labeled : array-like of shape (n_rows,), bool; or None, default=None
        Whether a row has a label. None if no row has.

    Returns
    -------
    rows : ndarray of shape (n,), int64
        Row numbers, the least certain one first. Ties are broken by the row number.

    Raises
    ------
    ValueError
        If `proba` holds no probabilities of two or more classes, `labeled` is no boolean array of this length, or fewer
        than `n` rows have no label.

    See Also
    --------
    margin : Compare the two largest probabilities; better with many classes.

    References
    ----------
    Shannon, "A Mathematical Theory of Communication", Bell System Technical Journal 27, 1948.

    Examples
    --------
    >>> from sklearn_twins.active_learning import entropy
    >>> entropy([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]], n=2)
    array([2, 1])
    """
    p = np.sort(check_proba(proba), axis=1)  # the same sum for the same probabilities of other classes
    return smallest(xlogy(p, p).sum(axis=1), labeled, n)

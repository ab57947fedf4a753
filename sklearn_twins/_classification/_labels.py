"""Labels: which rows have one, classes as numbers, weights, and refusals of anything else."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils import compute_class_weight
from sklearn.utils.validation import _check_sample_weight, _num_samples

from .._inputs._messages import show, show_names
from ._label_values import find_labeled

UNLABELED = -1  # code of a row without label


@dataclass(frozen=True)
class Labels:
    """Labels of all training rows.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted.
    codes : ndarray of shape (n,), int64
        Position of each row's class, -1 for a row without label.
    weights : ndarray of shape (n,), float64
        Weight of each row's label, 0 for a row without label.
    is_left_out : ndarray of shape (n,), bool
        Which rows have a label of weight 0.
    """

    classes: np.ndarray
    codes: np.ndarray
    weights: np.ndarray
    is_left_out: np.ndarray

    @property
    def rows(self):
        """Numbers of the labelled rows."""
        return np.flatnonzero(self.codes >= 0)

    @property
    def counts(self):
        """Number of labelled rows of each class."""
        return np.bincount(self.codes[self.rows], minlength=len(self.classes))


def read_labels(y, X, unlabeled, unlabeled_label, classes=None):
    """Read the labels of the rows of X; rows of `unlabeled` follow them, without label.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Labels. None, NaN, NaT, NA and `unlabeled_label` mark rows without one.
    X, unlabeled : containers, unlabeled possibly None
        The rows, to be counted.
    unlabeled_label : object
        Mark of rows without label; None if only missing values are.
    classes : ndarray or None, default=None
        All classes, if y may lack some; None for those of y.

    Returns
    -------
    labels : Labels
        With weights of 1.

    Raises
    ------
    ValueError, TypeError
        If y has another length or shape, is continuous, or has too few classes.
    """
    n_rows, n_more = _num_samples(X), 0 if unlabeled is None else _num_samples(unlabeled)
    is_labeled, found, codes = read_column(y, unlabeled_label, classes, n_rows)
    if classes is None:
        classes = found
        check_classes(classes, len(codes), n_rows, unlabeled_label)
    else:
        codes = locate(found, classes)[codes]
    all_codes = np.full(n_rows + n_more, UNLABELED, dtype=np.int64)
    all_codes[:n_rows][is_labeled] = codes
    has_label = all_codes >= 0
    return Labels(classes, all_codes, has_label.astype(np.float64), np.zeros(len(has_label), dtype=bool))


def read_column(y, unlabeled_label, classes=None, n_rows=None):
    """Read a column of labels.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels.
    unlabeled_label : object
        Mark of rows without label; None if only missing values are.
    classes : ndarray or None, default=None
        All classes, if y may lack some; None for those of y.
    n_rows : int or None, default=None
        Number of rows of X, which y must have too; None if they are not counted yet.

    Returns
    -------
    is_labeled : ndarray of shape (n,), bool
        Which rows have a label.
    found : ndarray
        The labels that there are, sorted.
    codes : ndarray of shape (n_labeled,), int64
        Place of each labelled row's label among them.

    Raises
    ------
    ValueError, TypeError
        If y has another length or shape, or is continuous.
    """
    is_labeled, values = find_labeled(y, unlabeled_label, classes)
    if n_rows is not None and len(is_labeled) != n_rows:
        raise ValueError(f"y has {len(is_labeled)} labels for {n_rows} rows of X: inconsistent numbers of samples.")
    refuse_continuous(values)
    refuse_text_mark(values, unlabeled_label)
    return is_labeled, *number(values)


def refuse_continuous(values):
    """Refuse numbers that are no labels."""
    if values.dtype.kind not in "fc":
        return
    if np.isinf(values).any():
        raise ValueError("y holds infinity. Labels are finite numbers or strings; NaN marks rows without label.")
    odd = values[values != np.floor(values.real)]
    if len(odd):
        raise ValueError(
            f"Unknown label type: continuous. y holds {show(odd[0].item())}, and a classifier needs classes. Bin the "
            "values first, or use BarlowTwinsEmbedder with a regressor."
        )


def refuse_text_mark(values, label):
    """Refuse "-1" and "nan" among texts: NumPy makes them of -1 and NaN, as in `np.where(known, y, np.nan)`."""
    if values.dtype.kind not in "UO" or label != UNLABELED:
        return
    found = {value for value in values.tolist() if isinstance(value, str)} & {"-1", "nan"}
    if found:
        text = min(found)
        raise ValueError(
            f"y holds the text {text!r}, which may be meant as {text} for rows without label. Give "
            f"unlabeled_label={text!r} if it is, and unlabeled_label=None if it is a class."
        )


def number(values):
    """Number the classes.

    Returns
    -------
    classes : ndarray
        Sorted.
    codes : ndarray of int64
        Position of each value's class.
    """
    try:
        classes, codes = np.unique(values, return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in values.tolist()})
        raise TypeError(f"y mixes labels of types {show_names(kinds, str)}, which cannot be sorted.") from error
    return classes, codes.astype(np.int64)


def check_classes(classes, n_labeled, n, label):
    """Refuse labels of fewer than two classes."""
    remedy = f"Rows without label have unlabeled_label={show(label)} or a missing value; None if it is a class."
    if n_labeled == 0:
        raise ValueError(f"y has no labels: all {n} rows are unlabelled. {remedy} Label some, or use an embedder.")
    if len(classes) == 1:
        only = f"{show(classes.tolist()[0])}, in {n_labeled} rows of {n}"
        raise ValueError(f"y has labels of one class only: {only}. Give two or more. {remedy}")


def locate(found, classes):
    """Positions of the classes found in y among all classes.

    Raises
    ------
    ValueError
        If y has a class that is not among them.
    """
    unknown = [label for label in found.tolist() if label not in set(classes.tolist())]
    if unknown:
        raise ValueError(
            f"y has labels that are not in classes: {show_names(unknown)}. The classes of the first call of "
            "partial_fit must hold all that will come."
        )
    return np.searchsorted(classes, found).astype(np.int64)


def check_class_list(classes, unlabeled_label):
    """Check the parameter `classes` of `partial_fit`, and sort it."""
    if classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit: y need not have all of them.")
    is_labeled, values = find_labeled(classes, unlabeled_label)
    if not is_labeled.all():
        raise ValueError(
            f"classes={show(classes)} holds a mark of rows without label: unlabeled_label={show(unlabeled_label)} or "
            "a missing value. Leave it out, or set another unlabeled_label."
        )
    values, _ = number(values)
    if len(values) < 2:
        raise ValueError(f"classes must hold two classes or more. Got {show(classes)}.")
    return values


def check_weights(sample_weight, X, labels):
    """Check the weights of the rows of X; None stays None. Rows without label get 1: theirs may be missing."""
    if sample_weight is None:
        return None
    try:
        sample_weight = np.asarray(sample_weight)
        if sample_weight.shape == (_num_samples(X),):
            sample_weight = np.where(labels.codes[: len(sample_weight)] >= 0, sample_weight, 1.0)
        return _check_sample_weight(sample_weight, np.empty((_num_samples(X), 1)), ensure_non_negative=True)
    except ValueError as error:
        raise ValueError(f"sample_weight must hold a number of 0 or more for each row of X. {error}") from error


def with_weights(labels, sample_weight, class_weight):
    """Weight the labels.

    Parameters
    ----------
    labels : Labels
        Of the rows of X, and of further rows without label.
    sample_weight : ndarray of shape (n_rows,) or None
        Weight of each row's label. It has no effect on rows without one; a weight of 0 removes a label.
    class_weight : dict, "balanced" or None
        As in scikit-learn.

    Returns
    -------
    labels : Labels

    Raises
    ------
    ValueError
        If labels of fewer than two classes have a weight, or a class weight is negative or infinite.
    """
    weights, codes = labels.weights.copy(), labels.codes.copy()
    if sample_weight is not None:
        weights[: len(sample_weight)] *= sample_weight
        if not weights.any():
            raise ValueError("sample_weight is zero for all labelled rows. Give some of them a weight above zero.")
        codes[weights == 0] = UNLABELED
        left = np.unique(codes[codes >= 0])
        if len(left) == 1:
            only = show(labels.classes.tolist()[left[0]])
            raise ValueError(f"sample_weight is zero for all rows of all classes but one class, {only}.")
    is_left_out, labeled = (labels.codes >= 0) & (codes < 0), codes >= 0
    per_class = np.ones(len(labels.classes))
    if isinstance(class_weight, dict):
        present = np.unique(codes[labeled])
        y = labels.classes[codes[labeled]]
        per_class[present] = compute_class_weight(class_weight, classes=labels.classes[present], y=y)
    elif class_weight is not None:
        totals = np.bincount(codes[labeled], weights[labeled], minlength=len(per_class))
        per_class = totals.sum() / (np.count_nonzero(totals) * np.where(totals, totals, 1.0))
    if not (np.isfinite(per_class).all() and (per_class >= 0).all() and per_class.any()):
        raise ValueError(f"class_weight must hold numbers of 0 or more, not all of them 0. Got {show(class_weight)}.")
    weights[labeled] *= per_class[codes[labeled]]
    return replace(labels, codes=codes, weights=weights, is_left_out=is_left_out)

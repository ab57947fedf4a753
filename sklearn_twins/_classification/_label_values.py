"""Values of y: which rows have a label, and the labels in their own type."""

import sys
import warnings
from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import column_or_1d

from .._inputs._missing import is_missing

SIGNS = (-1, 1)  # the classes of a signed binary problem, where -1 is no mark of unlabelled rows


def find_labeled(y, unlabeled_label, classes=None):
    """Find the rows with a label, and their labels.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels. None, NaN, NaT, NA and `unlabeled_label` mark rows without one.
    unlabeled_label : object
        Mark of rows without label; None if only missing values are.
    classes : ndarray or None, default=None
        All classes, if y may lack some: a mark that is one of them is no mark. None for those of y.

    Returns
    -------
    is_labeled : ndarray of shape (n,), bool
    values : ndarray of shape (n_labeled,)
        Labels of these rows, as bool, int, float, text, dates or objects: rows without label do not change the type.
    """
    is_labeled, values = drop_missing(y)
    if not is_signed(as_own_type(values) if classes is None else classes, unlabeled_label):
        is_class = ~equals(values, unlabeled_label)
        is_labeled[is_labeled], values = is_class, values[is_class]
    return is_labeled, as_own_type(values)


def drop_missing(y):
    """Find the rows that are not missing, and their values."""
    series = as_series(y)
    if series is None:
        values = as_one_dimensional(as_array(y))
        values = values.astype(object) if values.dtype.kind == "T" else values  # texts of any length
        is_masked = np.ma.getmaskarray(y).ravel() if isinstance(y, np.ma.MaskedArray) else np.zeros(len(values), bool)
        is_given, values = ~is_masked, values[~is_masked]
    else:
        is_given, values = ~series.is_null().to_numpy(), series.drop_nulls().to_numpy()
    is_found = ~find_missing(values)
    is_given[is_given], values = is_found, values[is_found]
    return is_given, values


def as_one_dimensional(y):
    """The array of y, with a remedy if it has several columns."""
    try:
        return column_or_1d(y, warn=True)
    except ValueError as error:
        raise ValueError(
            f"{error} Give one label for each row: y.argmax(axis=1) if columns are indicators of classes. If rows have "
            "several labels, put the classifier into a MultiOutputClassifier."
        ) from error


def as_series(y):
    """Wrap a series, a column of a frame or an array of pandas by narwhals; None for anything else."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(y, (pandas.Index, pandas.api.extensions.ExtensionArray)):
        y = pandas.Series(y)
    found = nw.from_native(y, pass_through=True, allow_series=True)
    if isinstance(found, nw.DataFrame) and found.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Give one column, such as y['label'].",
            DataConversionWarning,
            stacklevel=2,
        )
        found = found[:, 0]
    return found if isinstance(found, nw.Series) else None


def as_array(y):
    """Make an array of objects of a list of mixed types: NumPy would make a text of NaN, and a number of True."""
    if isinstance(y, (list, tuple)) and len({type(value) for value in y}) > 1:
        return np.array(y, dtype=object)
    return y


def find_missing(values):
    """Which values of an array are missing."""
    if values.dtype.kind == "O":
        return np.array([is_missing(value) for value in values], dtype=bool)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    return np.isnan(values) if values.dtype.kind in "fc" else np.zeros(len(values), dtype=bool)


def as_own_type(values):
    """Make an array of numbers of objects that are numbers, and of booleans if all of them are; others stay."""
    if values.dtype.kind != "O":
        return values
    are_booleans = {isinstance(value, (bool, np.bool_)) for value in values}
    if len(are_booleans) == 1 and all(isinstance(value, (Number, np.bool_)) for value in values):
        return np.array(values.tolist())
    return values


def equals(values, label):
    """Which values equal the mark of unlabelled rows; True is no 1."""
    if label is None or (isinstance(label, Number) and values.dtype.kind in "bUSmM"):
        return np.zeros(len(values), dtype=bool)
    if values.dtype.kind == "O":
        return np.array([type(v) is not bool and type(v) is not np.bool_ and bool(v == label) for v in values], bool)
    if isinstance(label, Number) == (values.dtype.kind in "iufc"):
        return values == label
    return np.zeros(len(values), dtype=bool)


def is_signed(values, label):
    """Whether values are the classes -1 and 1 of a binary problem, so that -1 marks no rows without label."""
    numeric = values.dtype.kind in "if" and not isinstance(label, (bool, str)) and label == SIGNS[0]
    return numeric and tuple(np.unique(values)) == SIGNS

"""Labels that colour the points of a display: which are missing, and whether the others are classes or numbers."""

from dataclasses import dataclass

import numpy as np

from ._style import COLORS, MARKERS

MOST_CLASSES = len(COLORS) * len(MARKERS)  # with more, numbers are drawn as continuous


@dataclass(frozen=True)
class Labels:
    """Labels of rows.

    Parameters
    ----------
    missing : ndarray of shape (n,), bool
        Rows without a label.
    values : ndarray of shape (n_labelled,)
        The other rows' labels.
    continuous : bool
        Whether these are numbers on a scale.
    name : str or None
        Name of the labels.
    """

    missing: np.ndarray
    values: np.ndarray
    continuous: bool
    name: str | None

    @classmethod
    def read(cls, y):
        """Read labels: NaN, None and NA are missing; so is -1, if the labels are classes.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, 1)
            Series, array or list.

        Returns
        -------
        labels : Labels

        Raises
        ------
        ValueError
            If it has more than one column.
        """
        is_list = isinstance(y, (list, tuple))  # as an array of strings it would hold the text "nan"
        array = np.asarray(y.numpy(force=True) if hasattr(y, "detach") else y, dtype=object if is_list else None)
        if array.ndim == 2 and array.shape[1] == 1:
            y, array = y.iloc[:, 0] if hasattr(y, "iloc") else y, array[:, 0]
        if array.ndim != 1:
            raise ValueError(f"y must be one column of labels. Got shape {array.shape}; give one of its columns.")
        gaps = np.ma.getmaskarray(y) if isinstance(y, np.ma.MaskedArray) else np.zeros(len(array), dtype=bool)
        gaps = gaps | find_gaps(array)
        values = to_plain(array[~gaps])
        continuous = is_continuous(values)
        if not continuous:
            unlabelled = [not isinstance(value, str) and bool(value == -1) for value in array[~gaps].tolist()]
            gaps[~gaps] = np.array(unlabelled, dtype=bool)
            values = to_plain(array[~gaps])
        name = getattr(y, "name", None)
        return cls(gaps, values, continuous, None if name is None else str(name))

    def classes(self):
        """Yield each class and its rows; nothing if the labels are continuous."""
        if self.continuous or not len(self.values):
            return
        values, labelled = self.values, np.flatnonzero(~self.missing)
        keys = values if values.dtype.kind != "O" else np.array([f"{value}" for value in values])
        for key in np.unique(keys):
            rows = keys == key
            yield f"{key:g}" if keys.dtype.kind == "f" else key, labelled[rows]


def find_gaps(array):
    """Which labels are missing: NaN, NaT, None and pandas' NA.  # (n,) -> (n,), bool"""
    if array.dtype.kind in "fcmM":
        return array != array
    if array.dtype.kind != "O":
        return np.zeros(len(array), dtype=bool)
    return np.array([is_gap(value) for value in array], dtype=bool)


def is_gap(value):
    """Whether a label is missing."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas' NA is neither true nor false
        return True


def to_plain(values):
    """An array of the type that its values have in common; of objects, if they are tuples.  # (n,)"""
    plain = np.array(values.tolist())
    return plain if plain.ndim == 1 else values


def is_continuous(values):
    """Whether labels are numbers on a scale: fractions, or more different numbers than there are looks of points."""
    if values.dtype.kind in "iu":
        return len(np.unique(values)) > MOST_CLASSES
    if values.dtype.kind != "f":
        return False
    return bool((values != np.round(values)).any()) or len(np.unique(values)) > MOST_CLASSES

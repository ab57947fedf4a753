"""X as signals of unequal length, one array each: a list, an array of objects, or the only column of a frame."""

from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np

from ._containers import as_frame
from ._messages import show


def unwrap_column(X):
    """The cells of an only column that holds no numbers, as a list; anything else as it is.

    Parameters
    ----------
    X : object
        The caller's X.

    Returns
    -------
    X : object
        Cells of columns of lists are arrays of the column's type, None where one is missing.

    Raises
    ------
    TypeError, ValueError
        If X is a lazy frame, or if columns share a name.
    """
    if isinstance(X, np.ndarray):
        is_column = X.dtype == object and X.shape[1:] in ((), (1,))
        return or_numbers(X.reshape(-1).tolist(), X) if is_column else X
    frame = as_frame(X, "X")
    if isinstance(frame, nw.DataFrame):
        column = frame[:, 0] if len(frame.columns) == 1 else None
    else:
        column = nw.from_native(X, series_only=True, pass_through=True)
    if not isinstance(column, nw.Series) or column.dtype.is_numeric() or column.dtype == nw.Boolean:
        return X
    if column.dtype not in (nw.List, nw.Array):
        return or_numbers(column.to_list(), X)
    if column.dtype.inner == nw.List:  # (channels, length_i)
        return column.to_list()
    if column.implementation.is_polars():
        return [None if cell is None else cell.to_numpy() for cell in column.to_native()]
    return [cell.values.to_numpy(zero_copy_only=False) if cell.is_valid else None for cell in column.to_arrow()]


def or_numbers(cells, X):
    """The cells, or X if they are numbers, or there are none."""
    return X if all(cell is None or isinstance(cell, Number) for cell in cells) else cells


def refuse_no_signals(X, what):
    """Refuse a sequence without signals, or one that is a signal itself.

    Parameters
    ----------
    X : object
        From `unwrap_column`.
    what : str
        What one signal is called.

    Raises
    ------
    ValueError
        If X is empty, or has one axis of numbers.
    """
    column = nw.from_native(X, series_only=True, pass_through=True)
    if isinstance(X, (list, tuple)):
        is_one = len(X) > 0 and all(isinstance(value, Number) for value in X)
    elif isinstance(column, nw.Series):
        is_one = column.dtype.is_numeric() or column.dtype == nw.Boolean
    else:
        is_one = isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "biuf"
    if isinstance(X, (list, tuple)) and not len(X):
        raise ValueError(f"Found array with 0 sample(s): X is {show(X)}, without any {what}.")
    if is_one:
        raise ValueError(
            f"Expected 2D array, got 1D array instead: X is one {what} of {len(X):,} numbers. Reshape your data: give "
            "[X], or several of them in a list."
        )


def find_bad_row(X, is_bad):
    """Number of the first row of an array or a frame with a bad value; None if there is none, or X holds no numbers.

    Parameters
    ----------
    X : array-like or frame
        Of numbers.
    is_bad : callable
        ``is_bad(values) -> bool ndarray``.
    """
    try:
        is_pandas = hasattr(X, "iloc")
        bad = is_bad(X.to_numpy(np.float64, na_value=np.nan) if is_pandas else np.asarray(X, dtype=np.float64))
    except (TypeError, ValueError):
        return None
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(1))
    return int(rows[0]) if len(rows) else None

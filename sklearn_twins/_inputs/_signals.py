"""X as signals of unequal length, one array each: a list, an array of objects, or the only column of a frame."""

import contextlib
import os
import re
import sys
from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np

from ._containers import NO_DATA, as_frame, check_container, is_number
from ._messages import cut, show, show_names

NOT_NUMBERS = r"could not convert|float\(\) argument|dtype='numeric'|.*(promoted|element with a sequence|truth value)"


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
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(X, pyarrow.Array):
        X = pyarrow.chunked_array([X])
    frame = as_frame(X, "X")
    if isinstance(frame, nw.DataFrame):
        column = frame[:, 0] if len(frame.columns) == 1 else None
    else:
        column = nw.from_native(X, series_only=True, pass_through=True)
    if not isinstance(column, nw.Series) or is_number(column.dtype):
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
    return X if are_numbers(cells) else cells


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
    if isinstance(X, (list, tuple)) and not len(X):
        raise ValueError(f"Found array with 0 sample(s): X is {show(X)}, without any {what}.")
    if isinstance(column, nw.Series):
        is_one = is_number(column.dtype)
    elif isinstance(X, np.ndarray) and X.dtype != object:
        is_one = X.ndim == 1 and X.dtype.kind in "biuf"
    else:
        is_one = isinstance(X, (list, tuple, np.ndarray)) and getattr(X, "ndim", 1) == 1 and are_numbers(X)
    if is_one:
        raise ValueError(
            f"Expected 2D array, got 1D array instead: X is one {what} of {len(X):,} numbers. Reshape your data: give "
            "[X], or several of them in a list."
        )


def as_numbers(signal, name, what, wanted):
    """One signal as an array of numbers, as it is if it holds any; None in it is NaN, and Decimal becomes float64.

    Parameters
    ----------
    signal : object
        An array, a list, a frame, ...
    name : str
        Its name in messages.
    what : str
        What one signal is called.
    wanted : str
        What messages ask for instead.

    Returns
    -------
    signal : ndarray

    Raises
    ------
    TypeError, ValueError
        If it holds something else than numbers.
    """
    if isinstance(signal, NO_DATA):
        hint = "Read files first" if isinstance(signal, (str, os.PathLike)) else "Leave out what is missing"
        raise ValueError(f"{name} is {show(signal)}, which is no {what}. {hint}: give {wanted}.")
    signal = check_container(signal, name, f"an array of numbers for each {what}")
    try:
        array = np.asarray(signal)
        if array.dtype == object:  # arrays within an array, as pyarrow makes them of lists of lists
            array = np.asarray(array.tolist())
    except ValueError as error:
        raise ValueError(f"{name} has channels of unequal length ({cut(str(error), 80)}).") from error
    if array.dtype.kind in "biuf":
        return array
    refuse_dates(array, name, wanted)
    if array.dtype.kind in "US" or any(isinstance(value, (str, bytes)) for value in array.flat):
        raise ValueError(f"{name} holds text. Give {wanted}.")
    check_container(array, name, wanted)  # complex numbers
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name} holds something else than numbers ({cut(str(error), 80)}). Give {wanted}."
        ) from error


def refuse_dates(array, name, wanted):
    """Refuse dates and durations, which NumPy would turn into counts of days or nanoseconds."""
    if array.dtype.kind in "mM":
        raise ValueError(f"{name} holds dates or durations, not numbers. Give {wanted}.")


@contextlib.contextmanager
def named_errors(X, what, wanted, gaps, columns):
    """Say in errors about an array or a frame what is wrong with which row or column, and what is wanted.

    Parameters
    ----------
    X : object
        The caller's X.
    what : str
        What one signal is called.
    wanted : str
        What messages ask for instead.
    gaps : str
        What to say about values that are missing or infinite.
    columns : str
        What to say about frames whose columns hold something else than numbers.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        found = re.match("Input X contains (NaN|infinity)", text)
        if found:
            i = find_bad_row(X, np.isnan if found[1] == "NaN" else np.isinf)
            raise ValueError(f"Input X contains {found[1]}, in X[{i}]. {gaps}") from error
        if re.match(r"X has \d+ features, but", text):
            raise ValueError(f"{text} In a list, each {what} has its own length: list(numpy.asarray(X)).") from error
        if not re.match(NOT_NUMBERS, text):
            raise
        others = find_other_columns(X)
        for i, row in enumerate(X if isinstance(X, (list, np.ndarray)) else ()):
            as_numbers(row, f"X[{i}]", what, wanted)
        if others:
            where = f"column{'s' * (len(others) > 1)} {show_names(others)}"
            raise type(error)(
                f"X holds something else than numbers, in {where}. {columns} Or give {wanted}."
            ) from error
        raise type(error)(f"X holds something else than numbers ({cut(text, 120)}). Give {wanted}.") from error


def find_other_columns(X):
    """Names of a frame's columns that hold something else than numbers; none for other containers."""
    frame = as_frame(X, "X")
    columns = [frame[name] for name in frame.columns] if isinstance(frame, nw.DataFrame) else []
    return [column.name for column in columns if not is_number(column.dtype) and not are_numbers(column.to_list())]


def are_numbers(cells):
    """Whether all cells are numbers or missing."""
    return all(cell is None or isinstance(cell, Number) for cell in cells)


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

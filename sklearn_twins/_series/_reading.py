"""X as time series: one array with channels before steps, or a list of arrays of unequal length."""

import contextlib
import os
import re

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from .._inputs._containers import check_container
from .._inputs._messages import show
from .._inputs._signals import find_bad_row, refuse_no_signals, unwrap_column
from .._parts._stored_state import shorten

WANTED = (
    "an array (n, length) or (n, channels, length), a frame with one column for each step, or a list of arrays "
    "(channels, length)"
)
GAPS_ALLOWED = {"dtype": "numeric", "ensure_all_finite": "allow-nan"}


def read_series(X, owner, *, reset, layout):
    """View X as time series, without a copy where possible.

    Parameters
    ----------
    X : array-like, data frame or sequence of arrays
        The series.
    owner : estimator
        The estimator named in error messages; rows with two axes give or are compared with its `n_features_in_` and
        `feature_names_in_`.
    reset : bool
        Whether `owner` learns from X.
    layout : {"channels_first", "channels_last"}
        Order of the axes of series with channels.

    Returns
    -------
    series : ndarray of shape (n, channels, length), or list of ndarrays of shape (channels, length_i)
        NaN where a step is missing.
    is_flat : bool
        Whether X has two axes, so that its columns are the steps.

    Raises
    ------
    TypeError, ValueError
        If X holds no series of numbers.
    """
    X = check_container(X, "X", WANTED)
    if sparse.issparse(X):
        raise TypeError("Sparse data was passed for X, but time series are dense. Give X.toarray().")
    if isinstance(X, np.ma.MaskedArray):
        X = X.astype(np.float64).filled(np.nan)
    X = unwrap_column(X)
    refuse_no_signals(X, "series")
    ragged = find_unequal(X, None if reset else getattr(owner, "n_features_in_", None))
    if ragged is not None:
        return [read_one(series, i, layout) for i, series in enumerate(ragged)], False
    X = as_array(X)
    if len(X.shape) > 3:
        raise ValueError(f"X has the shape {X.shape}, but time series have at most 3 axes. Give {WANTED}.")
    if len(X.shape) == 3:
        with named_errors(X):
            array = check_array(X, **GAPS_ALLOWED, allow_nd=True, ensure_2d=False, estimator=owner, input_name="X")
        if 0 in array.shape:
            raise ValueError(f"X has the shape {array.shape}, which holds no value. Give {WANTED}.")
        refuse_dates(array, "X")
        return to_channels_first(array, layout), False
    with named_errors(X):
        array = validate_data(owner, X, reset=reset, **GAPS_ALLOWED)
        refuse_dates(array, "X")
        return (array.astype(np.float64) if array.dtype == object else array)[:, None], True


@contextlib.contextmanager
def named_errors(X):
    """Say in errors about an array what is wrong with which series, and what is wanted."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        if text.startswith("Input X contains infinity"):
            i = find_bad_row(X, np.isinf)
            raise ValueError(f"Input X contains infinity, in X[{i}]. NaN stands for missing steps.") from error
        if re.match(r"X has \d+ features, but", text):
            raise ValueError(f"{text} Series of another length come in a list: give list(numpy.asarray(X)).") from error
        if not re.match(r"could not convert|float\(\) argument|.*(promoted|element with a sequence)", text):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        cells = "; for a frame with a series in each cell, [numpy.stack(row) for row in X.to_numpy()]"
        hint = cells if hasattr(X, "columns") and "sequence" in text else ""
        raise kind(f"X holds something else than numbers ({shorten(error)}). Give {WANTED}{hint}.") from error


def as_array(X):
    """A sequence as an array: rows of equal length become one with more axes, anything else one of objects."""
    if len(getattr(X, "shape", ())) > 1:
        return X
    try:
        return np.asarray(X)
    except (TypeError, ValueError):
        return np.asarray(X, dtype=object)


def find_unequal(X, length=None):
    """List the series of a sequence whose shapes differ; None for arrays, frames, and series of one shape.

    Parameters
    ----------
    X : object
        The caller's X.
    length : int or None, default=None
        Steps of the series in `fit`; a sequence of series that all have another one is listed too.
    """
    if not isinstance(X, (list, tuple)):
        return None
    if isinstance(X[0], (str, bytes, os.PathLike)):
        raise ValueError(
            f"X[0] is {show(X[0])}, which is no series: expected 2D array. Read files first. Give {WANTED}."
        )
    rows = [row if hasattr(row, "shape") else as_row(row) for row in X]
    shapes = {tuple(row.shape) for row in rows}
    if () in shapes:
        i = next(i for i, row in enumerate(rows) if row.shape == ())
        raise ValueError(f"X[{i}] is {show(X[i])}, which is no series. Give {WANTED}, and leave out what is missing.")
    differ = len(shapes) > 1 or (length is not None and max(map(len, shapes)) == 1 and shapes != {(length,)})
    return rows if differ else None


def as_row(row):
    """A series given as lists, as an array; one of no axes if it is none."""
    try:
        return np.asarray(row)
    except ValueError:
        return np.empty(())


def read_one(series, number, layout):
    """Check one series of a list, and bring its channels first.  # (channels, length)"""
    name = f"X[{number}]"
    array = np.asarray(check_container(series, name, "arrays (channels, length)"))
    if array.dtype.kind not in "biuf":
        refuse_dates(array, name)
        if array.dtype.kind in "US" or any(isinstance(value, str) for value in array.flat):
            raise ValueError(f"{name} holds text. Give {WANTED}.")
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name} is no series of numbers ({shorten(error)}). Give {WANTED}.") from error
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} has the shape {array.shape}. Give each series as (length,) or (channels, length).")
    if array.size == 0:
        raise ValueError(f"{name} has the shape {array.shape}, which holds no value. Leave it out.")
    if np.isinf(array).any():
        raise ValueError(f"{name} contains infinity. Give finite numbers, and NaN for missing steps.")
    return array[None] if array.ndim == 1 else to_channels_first(array, layout)


def refuse_dates(array, name):
    """Refuse dates and durations, which NumPy would turn into counts of days or nanoseconds."""
    if array.dtype.kind in "mM":
        raise ValueError(f"{name} holds dates or durations, but time series hold numbers. Give {WANTED}.")


def to_channels_first(array, layout):
    """Bring the channels before the steps.  # (..., channels, length)"""
    return array if layout == "channels_first" else np.swapaxes(array, -1, -2)


def check_channels(series, n_channels=None):
    """Refuse series that differ in their number of channels; return the number.

    Parameters
    ----------
    series : ndarray or list of ndarrays
        From `read_series`.
    n_channels : int or None, default=None
        Number of channels in `fit`.

    Returns
    -------
    n_channels : int
    """
    if isinstance(series, np.ndarray):
        found = [(0, series.shape[1])]
    else:
        found = [(i, len(one)) for i, one in enumerate(series)]
    expected = found[0][1] if n_channels is None else n_channels
    for i, n in found:
        if n != expected:
            where = "X has" if isinstance(series, np.ndarray) else f"X[{i}] has"
            other = "X[0] has" if n_channels is None else "series in fit had"
            raise ValueError(
                f"{where} {n} channel{'s' * (n != 1)}, and {other} {expected}. Channels stand before steps; if they "
                f"stand behind them, set preprocessor__layout={show('channels_last')}."
            )
    return expected

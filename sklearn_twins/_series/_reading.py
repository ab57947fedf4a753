"""X as time series: one array with channels before steps, or a list of arrays of unequal length."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from .._inputs._containers import check_container
from .._inputs._messages import show
from .._inputs._signals import as_numbers, named_errors, refuse_dates, refuse_no_signals, unwrap_column

WANTED = (
    "an array (n, length) or (n, channels, length), a frame with one column for each step, or a list of arrays "
    "(channels, length)"
)
GAPS = "NaN stands for missing steps."
COLUMNS = "For a frame with a series in each cell, give [numpy.stack(row) for row in X.to_numpy()]."
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
    if isinstance(X, (list, tuple)):
        X = [as_numbers(series, f"X[{i}]", "series", WANTED) for i, series in enumerate(X)]
        if are_unequal(X, None if reset else getattr(owner, "n_features_in_", None)):
            return [read_one(series, f"X[{i}]", layout) for i, series in enumerate(X)], False
        X = np.stack(X)
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) > 3:
        raise ValueError(f"X has the shape {X.shape}, but time series have at most 3 axes. Give {WANTED}.")
    if len(X.shape) == 3:
        with named_errors(X, "series", WANTED, GAPS, COLUMNS):
            array = check_array(X, **GAPS_ALLOWED, allow_nd=True, ensure_2d=False, estimator=owner, input_name="X")
        if 0 in array.shape:
            raise ValueError(f"X has the shape {array.shape}, which holds no value. Give {WANTED}.")
        refuse_dates(array, "X", WANTED)
        return to_channels_first(array, layout), False
    with named_errors(X, "series", WANTED, GAPS, COLUMNS):
        array = validate_data(owner, X, reset=reset, **GAPS_ALLOWED)
        refuse_dates(array, "X", WANTED)
        return (array.astype(np.float64) if array.dtype == object else array)[:, None], True


def are_unequal(series, length=None):
    """Whether the shapes of arrays differ; or if all have one axis, from the `length` of those in `fit`."""
    shapes = {one.shape for one in series}
    return len(shapes) > 1 or (length is not None and series[0].ndim == 1 and shapes != {(length,)})


def read_one(array, name, layout):
    """Check one series of a list, and bring its channels first.  # (channels, length)"""
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} has the shape {array.shape}. Give each series as (length,) or (channels, length).")
    if array.size == 0:
        raise ValueError(f"{name} has the shape {array.shape}, which holds no value. Leave it out.")
    if np.isinf(array).any():
        raise ValueError(f"{name} contains infinity. Give finite numbers, and NaN for missing steps.")
    return array[None] if array.ndim == 1 else to_channels_first(array, layout)


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

"""Lengths of time series: cut or resample longer ones, pad shorter ones at the end."""

import numpy as np


def find_length(series, max_length):
    """Length to which series are brought: the longest one's, at most `max_length`."""
    longest = series.shape[2] if isinstance(series, np.ndarray) else max(one.shape[1] for one in series)
    return longest if max_length is None else min(longest, max_length)


def check_room(series, length, most):
    """Refuse padding that would take far more memory than the series themselves."""
    if isinstance(series, np.ndarray):
        return
    n_values, n_padded = sum(one.size for one in series), len(series) * len(series[0]) * length
    if n_padded > max(most, 8 * n_values):
        longest = max(range(len(series)), key=lambda i: series[i].shape[1])
        raise ValueError(
            f"X[{longest}] has {length:,} steps. Padded to this length, {len(series):,} series with {n_values:,} "
            f"values in total would take {n_padded * 4 / 2**30:,.1f} GiB. Set preprocessor__max_length, and "
            "preprocessor__longer='cut' or 'resample'."
        )


def fit_length(values, length, longer, name):
    """Bring values to a length.

    Parameters
    ----------
    values : ndarray of shape (..., length_i), float64
        NaN where missing.
    length : int
        The length.
    longer : {"raise", "cut", "resample"}
        Treatment of longer ones.
    name : str
        Name for messages.

    Returns
    -------
    values : ndarray of shape (..., length), float64
        NaN where missing, and behind the end.
    """
    n = values.shape[-1]
    if n == length:
        return values
    if n < length:
        padding = np.full((*values.shape[:-1], length - n), np.nan)
        return np.concatenate([values, padding], axis=-1)
    if longer == "cut":
        return values[..., :length]
    if longer == "resample":
        return resample(values, length)
    raise ValueError(
        f"{name} has {n:,} steps, more than {length:,}. Set preprocessor__longer='cut' to take the first ones, or "
        "'resample' to average neighbours."
    )


def resample(values, length):
    """Average neighbours: each new step is the mean of the old ones that it covers, weighted by how much it does.

    Parameters
    ----------
    values : ndarray of shape (..., length_i), float64
        NaN where missing; a new step is missing if all that it covers is.
    length : int
        New length.

    Returns
    -------
    values : ndarray of shape (..., length), float64
    """
    there = ~np.isnan(values)
    sums, n = totals(np.where(there, values, 0.0), length), totals(there.astype(np.float64), length)
    enough = n > 1e-9
    return np.where(enough, sums / np.where(enough, n, 1.0), np.nan)


def totals(values, length):
    """Sums over equal stretches of the last axis, whose ends may lie within a step.  # (..., length)"""
    n = values.shape[-1]
    ends = np.arange(length + 1) * (n / length)
    ends[-1] = n
    whole = np.minimum(ends.astype(int), n - 1)
    before = np.concatenate([np.zeros((*values.shape[:-1], 1)), values.cumsum(-1)], axis=-1)
    return np.diff(before[..., whole] + values[..., whole] * (ends - whole), axis=-1)

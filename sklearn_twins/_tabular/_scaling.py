"""Scales of numeric columns: robust, or by rank; both end within the same bounds."""

import numpy as np
from sklearn.preprocessing import QuantileTransformer

# Quantiles that are learnt of each column: the edges of 32 bins with equally many values.
LEVELS = np.linspace(0, 1, 33)
MAX_QUANTILES = 1_000

# A standard normal column has this interquartile range.
NORMAL_IQR = 1.3489795003921634


def quantiles(column):
    """Quantiles of a column's present values, at `LEVELS`.

    Parameters
    ----------
    column : ndarray of shape (n,), float64
        Values, NaN where missing.

    Returns
    -------
    quantiles : ndarray of shape (33,), float64
        Zeros for an empty column.
    """
    present = column[~np.isnan(column)]
    if present.size == 0:
        return np.zeros_like(LEVELS)
    present /= 2  # halves: no difference overflows
    return 2 * np.quantile(present, LEVELS, overwrite_input=True)


def robust_scale(edges):
    """What centres and scales a column, from its quantiles.

    The width is the interquartile range; where more than half of the values are equal, half the full range; a constant
    or empty column is scaled by 0.

    Parameters
    ----------
    edges : ndarray of shape (33,), float64
        Quantiles, see `quantiles`.

    Returns
    -------
    center, scale : float
    """
    low, q25, center, q75, high = edges[::8] / 2
    half_width = q75 - q25 if q75 > q25 else (high - low) / 2
    return 2 * center, 0.5 / half_width if half_width > np.finfo(np.float64).tiny else 0.0


def standardize(numbers, center, scale):
    """Centred and scaled float64 numbers, finite where `numbers` are.

    Parameters
    ----------
    numbers : ndarray of shape (n, columns), float64
        NaN where missing.
    center, scale : ndarray of shape (columns,), float64
        See `robust_scale`.

    Returns
    -------
    z : ndarray of shape (n, columns), float64
        Within 1e9 on either side.
    """
    with np.errstate(over="ignore"):
        z = numbers - center
        np.clip(z, np.finfo(np.float64).min, np.finfo(np.float64).max, out=z)
        z *= scale
    return np.clip(z, -1e9, 1e9, out=z)  # its square must not overflow


def soft_clip(z, bound):
    """Squash to (-bound, bound), nearly the identity around zero: ``z / sqrt(1 + (z / bound)^2)``."""
    t = np.asarray(z / bound)
    np.square(t, out=t)
    t += 1
    return z / np.sqrt(t, out=t)


def learn_ranks(z):
    """What turns a standardised column into a normal one with an interquartile range of 1.

    Parameters
    ----------
    z : ndarray of shape (n, 1), float64
        NaN where missing.

    Returns
    -------
    transformer : QuantileTransformer or None
        None for a constant or empty column, which stays as it is.
    """
    present = z[~np.isnan(z)]
    if present.size == 0 or np.ptp(present) == 0:
        return None
    n_quantiles = min(MAX_QUANTILES, present.size)
    transformer = QuantileTransformer(n_quantiles=n_quantiles, output_distribution="normal", subsample=None).fit(z)
    transformer.quantiles_ = transformer.quantiles_.copy(order="C")  # so that a pickled copy has the same strides
    return transformer


def apply_ranks(z, transformers):
    """Standardised columns -> normal ones, in place, with one transformer (or None) for each column."""
    for j, transformer in enumerate(transformers):
        if transformer is not None:
            z[:, j] = transformer.transform(z[:, [j]])[:, 0] / NORMAL_IQR
    return z

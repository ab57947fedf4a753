"""Scale numeric columns robustly or by rank, and clip them softly to the same bounds."""

import numpy as np
from sklearn.preprocessing import QuantileTransformer

# Quantiles learned for each column: the edges of 32 bins with equally many values.
LEVELS = np.linspace(0, 1, 33)
MAX_QUANTILES = 1_000

# Interquartile range of a standard normal column.
NORMAL_IQR = 1.3489795003921634


def compute_quantiles(columns):
    """Compute the quantiles of the present values of columns at `LEVELS`.

    Parameters
    ----------
    columns : ndarray of shape (n, k), float64
        Values, NaN where missing.

    Returns
    -------
    quantiles : ndarray of shape (k, 33), float64
        Zeros for an empty column.
    """
    quantiles = np.zeros((columns.shape[1], len(LEVELS)))
    halves = columns / 2  # differences between halves cannot overflow
    constant = (halves == halves[:1]).all(0)
    quantiles[constant] = 2 * halves[0, constant, None]
    complete = ~constant & ~np.isnan(halves).any(0)
    if complete.any():
        quantiles[complete] = 2 * np.quantile(halves[:, complete], LEVELS, axis=0, overwrite_input=True).T
    for k in np.flatnonzero(~constant & ~complete):
        present = halves[~np.isnan(halves[:, k]), k]
        if present.size:
            quantiles[k] = 2 * np.quantile(present, LEVELS, overwrite_input=True)
    return quantiles


def learn_center_and_scale(edges):
    """Derive the centers and scale factors of columns from their quantiles.

    The width is the interquartile range, or half the full range if the interquartile range is 0. A constant or empty
    column has the scale 0.

    Parameters
    ----------
    edges : ndarray of shape (33, k), float64
        Quantiles, see `compute_quantiles`.

    Returns
    -------
    center, scale : ndarray of shape (k,), float64
    """
    low, q25, center, q75, high = edges[::8] / 2
    half_width = np.where(q75 > q25, q75 - q25, (high - low) / 2)
    varies = half_width > np.finfo(np.float64).tiny
    return 2 * center, np.where(varies, 0.5 / np.where(varies, half_width, 1.0), 0.0)


def standardize(numbers, center, scale):
    """Center and scale numbers in float64; the result is finite where `numbers` are.

    Parameters
    ----------
    numbers : ndarray of shape (n, columns), float64
        NaN where missing.
    center, scale : ndarray of shape (columns,), float64
        See `learn_center_and_scale`.

    Returns
    -------
    z : ndarray of shape (n, columns), float64
        Within [-1e9, 1e9].
    """
    with np.errstate(over="ignore"):
        z = numbers - center
        np.clip(z, np.finfo(np.float64).min, np.finfo(np.float64).max, out=z)
        z *= scale
    return np.clip(z, -1e9, 1e9, out=z)  # so that its square does not overflow


def soft_clip(z, bound):
    """Squash numbers into (-bound, bound), nearly unchanged around zero: ``z / sqrt(1 + (z / bound)^2)``."""
    t = np.asarray(z / bound)
    np.square(t, out=t)
    t += 1
    return z / np.sqrt(t, out=t)


def learn_ranks(z):
    """Fit the transformer that maps a standardized column to a normal one by rank.

    Parameters
    ----------
    z : ndarray of shape (n, 1), float64
        NaN where missing.

    Returns
    -------
    transformer : QuantileTransformer or None
        None for a constant or empty column, which is not transformed.
    """
    present = z[~np.isnan(z)]
    if present.size == 0 or np.ptp(present) == 0:
        return None
    n_quantiles = min(MAX_QUANTILES, present.size)
    transformer = QuantileTransformer(n_quantiles=n_quantiles, output_distribution="normal", subsample=None).fit(z)
    transformer.quantiles_ = transformer.quantiles_.copy(order="C")  # a pickled copy then has the same strides
    return transformer


def apply_ranks(z, transformers):
    """Transform standardized columns in place to normal ones with an interquartile range of 1.

    `transformers` holds a transformer or None for each column; an empty list leaves all columns unchanged.
    """
    for j, transformer in enumerate(transformers):
        if transformer is not None:
            z[:, j] = transformer.transform(z[:, [j]])[:, 0] / NORMAL_IQR
    return z

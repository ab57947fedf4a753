"""Embeddings as checked arrays of float64: their shape, their scale, their mean and the length of their rows."""

import numpy as np
from sklearn.utils import check_array

AXES = {2: "(rows, width)", 3: "(rows, views, width)"}


def check_embedding(Z, name="Z", ndim=2):
    """What the caller holds as a finite array of float64 with `ndim` axes, none of them empty; never written to.

    Always in row order, so that sums have the same rounding whatever the container.
    """
    try:
        array = check_array(Z, dtype=np.float64, order="C", ensure_2d=False, allow_nd=True, input_name=name)
    except (TypeError, ValueError) as error:
        what = str(error).split("\n")[0].removesuffix(".")
        raise type(error)(f"{name} must be an array of finite numbers, of shape {AXES[ndim]}. {what}.") from error
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(
            f"{name} must be of shape {AXES[ndim]}, none of them 0, got {array.shape}. Reshape it; an embedding of "
            "one coordinate is a column."
        )
    return array


def check_pair(Z_a, Z_b, same_width=True):
    """Embeddings of two views of the same rows, checked alone and against each other."""
    Z_a, Z_b = check_embedding(Z_a, "Z_a"), check_embedding(Z_b, "Z_b")
    if len(Z_a) != len(Z_b) or (same_width and Z_a.shape != Z_b.shape):
        raise ValueError(
            f"Z_a and Z_b must be embeddings of the same rows{' and of the same width' if same_width else ''}, got "
            f"shapes {Z_a.shape} and {Z_b.shape}. Transform both views of each row with the same embedder."
        )
    return Z_a, Z_b


def unit_scale(Z):
    """Divide by the largest absolute value, so that squares neither overflow nor vanish; zeros stay zeros."""
    largest = np.abs(Z).max()
    return Z / largest if largest > 0 else Z


def centered(Z):
    """Subtract the mean of each column. The first row goes first: a constant column is then 0 and not a rounding."""
    shifted = Z - Z[0]
    return shifted - shifted.mean(0)


def unit_rows(Z):
    """Divide each row by its Euclidean length; a row of zeros has none and stays."""
    largest = np.abs(Z).max(1, keepdims=True)
    scaled = Z / np.where(largest > 0, largest, 1)
    length = np.sqrt((scaled**2).sum(1, keepdims=True))
    return scaled / np.where(length > 0, length, 1)


def smaller_gram(X):
    """``X'X`` or ``XX'``, the smaller of the two: their eigenvalues above 0 are the same, and so is their norm."""
    n, d = X.shape
    return X.T @ X if d <= n else X @ X.T

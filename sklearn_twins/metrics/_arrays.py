"""Check, scale and centre embeddings."""

import numpy as np
from sklearn.utils import check_array

AXES = {2: "(rows, width)", 3: "(rows, views, width)"}


def check_embedding(Z, name="Z", ndim=2, dtype=np.float64):
    """Convert to a finite, non-empty array of `dtype` with `ndim` axes; never write to it.

    The array is in C order, so that sums round in the same way for every container.
    """
    try:
        array = check_array(Z, dtype=dtype, order="C", ensure_2d=False, allow_nd=True, input_name=name)
    except (TypeError, ValueError) as error:
        what = str(error).split("\n")[0].removesuffix(".")
        raise type(error)(f"{name} must be an array of finite numbers, of shape {AXES[ndim]}. {what}.") from error
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(
            f"{name} must be of shape {AXES[ndim]} without an empty axis, got {array.shape}. Reshape it; an embedding "
            "with one coordinate is a column."
        )
    return array


def check_pair(Z_a, Z_b, same_width=True):
    """Check embeddings of two views of the same rows."""
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
    """Subtract each column's mean. The first row is subtracted before, so that constant columns become exactly 0."""
    shifted = Z - Z[0]
    return shifted - shifted.mean(0)


def unit_rows(Z):
    """Divide each row by its Euclidean length; rows of zeros stay."""
    largest = np.abs(Z).max(1, keepdims=True)
    scaled = Z / np.where(largest > 0, largest, 1)
    length = np.sqrt((scaled**2).sum(1, keepdims=True))
    return scaled / np.where(length > 0, length, 1)


def smaller_gram(X):
    """Compute ``X'X`` or ``XX'``, whichever is smaller: they share their non-zero eigenvalues and their norm."""
    n, d = X.shape
    return X.T @ X if d <= n else X @ X.T


def drop_incomplete(views):
    """The rows without NaN: those that lack no description which others have.  # (n, n_views, d)"""
    complete = ~np.isnan(views).any((1, 2))
    return views[complete] if complete.any() and not complete.all() else views

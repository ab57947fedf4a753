"""Rows with labels and rows without, one below the other, as `fit` is given them."""

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse


def stacked(X, unlabeled):
    """The rows of X and, below them, those that have no label.

    Parameters
    ----------
    X, unlabeled : data frames, arrays, sparse arrays or lists
        Of the same columns, or of images of the same shape. Frames are of one library.

    Returns
    -------
    rows : as X
        X itself if `unlabeled` is None.

    Raises
    ------
    TypeError
        If one is a frame, a sparse array or a list, and the other is not.
    ValueError
        If their columns or the shapes of their rows differ.
    """
    if unlabeled is None:
        return X
    frames = [nw.from_native(rows, eager_only=True, pass_through=True) for rows in (X, unlabeled)]
    kinds = [kind_of(frame) for frame in frames]
    if kinds[0] != kinds[1]:
        raise TypeError(f"unlabeled must be what X is, {kinds[0]}. Got {kinds[1]} ({type(unlabeled).__name__}).")
    if isinstance(frames[0], nw.DataFrame):
        return stacked_frames(*frames)
    if isinstance(X, list):
        return X + unlabeled
    if np.shape(X)[1:] != np.shape(unlabeled)[1:]:
        raise ValueError(
            f"unlabeled has rows of shape {np.shape(unlabeled)[1:]}, and X of shape {np.shape(X)[1:]}. Give both the "
            "same columns."
        )
    if sparse.issparse(X):
        return sparse.vstack([X, unlabeled], format="csr")
    concatenate = np.ma.concatenate if isinstance(X, np.ma.MaskedArray) else np.concatenate
    return concatenate([X, unlabeled])


def kind_of(rows):
    """What rows are held in, in words."""
    if isinstance(rows, nw.DataFrame):
        return f"a frame of {rows.implementation.name.lower()}"
    if sparse.issparse(rows):
        return "a sparse array"
    return "a list" if isinstance(rows, list) else "an array"


def stacked_frames(X, unlabeled):
    """Frames of one library, one below the other; columns in the order of X."""
    names, others = list(X.columns), list(unlabeled.columns)
    if set(names) != set(others) or len(names) != len(others):
        lacking, more = [n for n in names if n not in others], [n for n in others if n not in names]
        raise ValueError(f"unlabeled must have the columns of X. It lacks {lacking}, and has {more} besides.")
    if names != others:
        unlabeled = unlabeled.select(names)
    try:
        return nw.concat([X, unlabeled], how="vertical").to_native()
    except Exception as error:  # each library has errors of its own
        types = [f"{n!r}: {X.schema[n]}, {unlabeled.schema[n]}" for n in names if X.schema[n] != unlabeled.schema[n]]
        raise ValueError(f"unlabeled must have the types of X. These differ: {'; '.join(types)}.") from error

"""Rows with labels and rows without, one below the other, as `fit` is given them."""

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse

from .._tabular._table import is_number
from ._containers import framed, opened


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
        If one is a frame, a sparse array or a list, and the other is not; or if they are arrays of other types.
    ValueError
        If their columns or the shapes of their rows differ, or if one holds no rows.
    """
    if unlabeled is None:
        return X
    X, unlabeled = opened(X, "X", "rows"), opened(unlabeled, "unlabeled", "rows, as X holds them")
    frames = [framed(X, "X"), framed(unlabeled, "unlabeled")]
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
    check_types(X, unlabeled)
    if sparse.issparse(X):
        return sparse.vstack([X, unlabeled], format="csr")
    masked = isinstance(X, np.ma.MaskedArray) or isinstance(unlabeled, np.ma.MaskedArray)
    return (np.ma.concatenate if masked else np.concatenate)([X, unlabeled])


def check_types(X, unlabeled):
    """Refuse arrays whose values would become others if they were put together: numbers text, bytes fractions."""
    types = [np.asarray(rows).dtype if not sparse.issparse(rows) else rows.dtype for rows in (X, unlabeled)]
    kinds = ["number" if dtype.kind in "biuf" else "text" if dtype.kind in "UST" else dtype.kind for dtype in types]
    is_image = len(np.shape(X)) > 2
    bytes_differ = is_image and (types[0] == np.uint8) != (types[1] == np.uint8)
    if (kinds[0] != kinds[1] and "O" not in kinds) or bytes_differ:
        raise TypeError(f"unlabeled holds {types[1]}, and X {types[0]}. Bring both to one type.")


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
    differ = [n for n in names if is_number(X.schema[n]) != is_number(unlabeled.schema[n])]
    differ = [n for n in differ if not {X.schema[n], unlabeled.schema[n]} & {nw.Object(), nw.Unknown()}]
    if differ:
        refuse_types(X, unlabeled, differ)
    if names != others:
        unlabeled = unlabeled.select(names)
    try:
        return nw.concat([X, unlabeled], how="vertical").to_native()
    except Exception as error:  # each library has errors of its own
        refuse_types(X, unlabeled, [n for n in names if X.schema[n] != unlabeled.schema[n]], error)


def refuse_types(X, unlabeled, names, cause=None):
    """Raise the error of columns whose types differ."""
    types = "; ".join(f"{n!r}: {X.schema[n]}, {unlabeled.schema[n]}" for n in names)
    raise ValueError(f"unlabeled must have the types of X. These differ: {types}. Cast one of them.") from cause

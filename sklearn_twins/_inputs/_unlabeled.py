"""Append rows without labels to X."""

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse

from ._containers import as_frame, check_container, is_number
from ._messages import show, show_names


def append_unlabeled(X, unlabeled):
    """Append rows without labels to X.

    Parameters
    ----------
    X, unlabeled : data frames, arrays, sparse arrays or lists
        With the same columns or the same shape of rows. Frames must come from one library.

    Returns
    -------
    rows : as X
        X itself if `unlabeled` is None.

    Raises
    ------
    TypeError
        If their containers differ, or if they are arrays of types that do not mix.
    ValueError
        If their columns or the shapes of their rows differ, or if one of them holds no rows.
    """
    if unlabeled is None:
        return X
    X = check_container(X, "X", "rows")
    unlabeled = check_container(unlabeled, "unlabeled", "rows, as X holds them")
    if isinstance(X, (list, tuple)) and isinstance(unlabeled, (list, tuple)):
        return [*X, *unlabeled]
    frames = [as_frame(X, "X"), as_frame(unlabeled, "unlabeled")]
    kinds = [describe_container(frame) for frame in frames]
    if kinds[0] != kinds[1]:
        raise TypeError(
            f"unlabeled must be in the container of X, {kinds[0]}. Got {kinds[1]} ({type(unlabeled).__name__})."
        )
    if isinstance(frames[0], nw.DataFrame):
        return append_frame(*frames)
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
    """Refuse arrays whose common type would change values: numbers with text, or bytes with other numbers.

    Bytes mix with other numbers in arrays with two axes, whose columns have no common scale.
    """
    types = [np.asarray(rows).dtype if not sparse.issparse(rows) else rows.dtype for rows in (X, unlabeled)]
    kinds = ["number" if dtype.kind in "biuf" else "text" if dtype.kind in "UST" else dtype.kind for dtype in types]
    bytes_differ = np.ndim(X) > 2 and (types[0] == np.uint8) != (types[1] == np.uint8)
    if (kinds[0] != kinds[1] and "O" not in kinds) or bytes_differ:
        raise TypeError(f"unlabeled holds {types[1]}, and X {types[0]}. Bring both to one type.")


def describe_container(rows):
    """The container of rows, for messages."""
    if isinstance(rows, nw.DataFrame):
        return f"a frame of {rows.implementation.name.lower()}"
    if sparse.issparse(rows):
        return "a sparse array"
    return "a list" if isinstance(rows, list) else "an array"


def append_frame(X, unlabeled):
    """Append a frame to one from the same library, with its columns in the order of X."""
    names, others = list(X.columns), list(unlabeled.columns)
    if set(names) != set(others) or len(names) != len(others):
        lacking, more = [n for n in names if n not in set(others)], [n for n in others if n not in set(names)]
        found = [f"{word} [{show_names(own)}]" for word, own in (("lacks", lacking), ("has", more)) if own]
        raise ValueError(f"unlabeled must have the columns of X. It {', and '.join(found)} in addition.")
    kinds = [name_types(frame) for frame in (X, unlabeled)]
    differ = [n for n in names if kinds[0][n] != kinds[1][n] and None not in (kinds[0][n], kinds[1][n])]
    differ = [n for n in differ if not any(frame[n].is_null().all() for frame in (X, unlabeled))]
    if differ:
        refuse_types(X, unlabeled, differ)
    if names != others:
        unlabeled = unlabeled.select(names)
    try:
        return nw.concat([X, unlabeled], how="vertical").to_native()
    except Exception as error:  # each library has errors of its own
        refuse_types(X, unlabeled, [n for n in names if X.schema[n] != unlabeled.schema[n]], error)


def name_types(frame):
    """Kind of values of each column: "number", "date", "duration", "text"; None for a column of any objects."""
    words = {**dict.fromkeys((nw.Date, nw.Datetime), "date"), nw.Duration: "duration"}
    words |= dict.fromkeys((nw.String, nw.Binary, nw.Categorical, nw.Enum), "text")
    return {
        n: "number" if is_number(dtype) else next((word for kind, word in words.items() if dtype == kind), None)
        for n, dtype in frame.schema.items()
    }


def refuse_types(X, unlabeled, names, cause=None):
    """Refuse columns whose types differ."""
    types = show_names(names, lambda n: f"{show(n)}: {X.schema[n]}, {unlabeled.schema[n]}")
    raise ValueError(f"unlabeled must have the types of X. These differ: {types}. Cast one of them.") from cause

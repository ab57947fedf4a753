"""Divide X into views: columns of one table, or one container for each view."""

from itertools import combinations
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils.validation import _check_feature_names, _check_n_features, _num_samples

from .._inputs._containers import as_frame, check_container
from .._inputs._messages import cut, short_messages, show, show_names
from .._inputs._missing import is_missing
from .._runtime._printing import print_line


def is_one_container_per_view(X, columns):
    """Whether X is a dict of containers, or a list of them, one for each view; `columns` are those of the views.

    With columns, a list of arrays with one axis holds the rows of one table.
    """
    if isinstance(X, dict):
        return not issparse(X)  # scipy's dok_array is a dict
    if not isinstance(X, (list, tuple)) or not X:
        return False
    return all(len(getattr(rows, "shape", ())) > 1 for rows in X) or all(column is None for column in columns)


def split_containers(X, names, wanted, columns):
    """Take one container for each view from a dict or a list.

    Parameters
    ----------
    X : dict of str to container, or list of containers
        A dict by the views' names; a list in the order of the views.
    names : list of str
        Names of all views.
    wanted : list of str
        Names of the views to take.
    columns : list
        The columns of all views, which must be None.

    Returns
    -------
    parts : list of containers
        For the wanted views.

    Raises
    ------
    ValueError
        If a view is missing, unknown, has columns, or has another number of rows.
    """
    if any(column is not None for column in columns):
        raise ValueError(
            "X holds one container for each view, and views=[(name, embedder, columns), ...] select columns of one "
            "table. Leave the columns out, views=[(name, embedder), ...], or give X as one table."
        )
    if not isinstance(X, dict):
        if len(X) != len(wanted):
            raise ValueError(
                f"X holds {len(X)} containers for {len(wanted)} views, {wanted}. Give one for each. Searches and "
                "splitters divide the rows of one table: put the views side by side, and select the columns of each."
            )
        X = dict(zip(wanted, X, strict=True))
    if lacking := [name for name in wanted if name not in X]:
        raise ValueError(f"X lacks the view {lacking[0]!r}; it has {sorted(map(str, X))}.")
    if unknown := [name for name in X if name not in names]:
        raise ValueError(f"X has the unknown view {unknown[0]!r}. The views are {names}.")
    parts = [X[name] for name in wanted]
    for name, rows in zip(wanted, parts, strict=True):
        as_frame(rows, f"X[{name!r}]")  # refuses lazy ones
        if not hasattr(rows, "__len__") and not hasattr(rows, "shape"):
            raise TypeError(f"View {name!r} is {show(rows)}, of type {type(rows).__name__}. Give a container of rows.")
    counts = {name: _num_samples(rows) for name, rows in zip(wanted, parts, strict=True)}
    if len(set(counts.values())) > 1:
        raise ValueError(f"Views must have the same rows. They have {counts} rows.")
    check_indexes(dict(zip(wanted, parts, strict=True)))
    return parts


def check_indexes(parts):
    """Refuse frames whose row labels disagree: their rows belong to different things, or are in another order."""
    indexed = [(name, rows.index) for name, rows in parts.items() if hasattr(rows, "iloc")]
    for name, index in indexed[1:]:
        if not index.equals(indexed[0][1]):
            raise ValueError(
                f"The row labels of views {indexed[0][0]!r} and {name!r} differ. Row i must describe the same thing in "
                "all views: bring them into one order (`frame.loc[labels]`), or drop the labels with "
                "`reset_index(drop=True)` if the rows match already."
            )


def split_table(X, names, wanted, columns, owner, *, reset):
    """Take the columns of each view from one table.

    Parameters
    ----------
    X : data frame, array-like or sparse array of shape (n, n_features_in_)
        The table.
    names : list of str
        Names of all views.
    wanted : list of str
        Names of the views to take. If they are not all, columns of the others may be missing.
    columns : list
        Columns of all views: as scikit-learn's ColumnTransformer takes them, or, with ``reset=False``, as this function
        returned them.
    owner : estimator
        Receives `n_features_in_` and `feature_names_in_`.
    reset : bool
        Whether this is a fit.

    Returns
    -------
    parts : list of containers
        For the wanted views.
    columns : list
        For all views: a name, a list of names for frames whose names are strings, or a list of indices.

    Raises
    ------
    ValueError
        If columns are missing, or a view has none.
    """
    if without := [name for name, column in zip(names, columns, strict=True) if column is None]:
        raise ValueError(
            f"Each view of one table needs columns: views=[(name, embedder, columns), ...]. View {without[0]!r} has "
            "none. Or give X as a list or dict with one container for each view."
        )
    X = check_container(X, "X", "rows")
    is_frame = as_frame(X, "X") is not X
    if not is_frame:
        min_rows = int(reset)  # a collection's parts, such as dask's partitions, may be empty
        with short_messages():
            X = check_array(
                X,
                dtype=None,
                ensure_all_finite=False,
                accept_sparse="csr",
                estimator=owner,
                ensure_min_samples=min_rows,
            )
    if reset or len(wanted) == len(names):
        try:
            _check_feature_names(owner, X, reset=reset)
            _check_n_features(owner, X, reset=reset)
        except ValueError as error:
            raise ValueError(f"{error}{hint_at_views(X, names, columns)}") from error
    if reset:
        columns = [resolve_columns(X, name, column, is_frame) for name, column in zip(names, columns, strict=True)]
        say_what_is_shared(dict(zip(names, columns, strict=True)), getattr(owner, "verbose", 0))
    taken = {name: column for name, column in zip(names, columns, strict=True) if name in wanted}
    if len(wanted) < len(names):
        check_width(X, taken, owner)
    return [take_columns(X, name, column, owner) for name, column in taken.items()], columns


def hint_at_views(X, names, columns):
    """For frames that lack columns: the views that are complete, if there are some."""
    present = set(names_of(X)) if hasattr(X, "columns") else set()
    complete = [name for name, column in zip(names, columns, strict=True) if present.issuperset(np.atleast_1d(column))]
    some = 0 < len(complete) < len(names)
    return f"\nX has all columns of {complete}: transform(X, views={complete})." if some else ""


def say_what_is_shared(columns, verbose):
    """Say which views share columns, which makes it easy for them to agree."""
    for (a, mine), (b, others) in combinations(columns.items(), 2) if verbose else ():
        shared = [column for column in np.atleast_1d(mine).tolist() if column in set(np.atleast_1d(others).tolist())]
        if shared:
            print_line(f"views {a!r} and {b!r} share {len(shared):,} columns: {show_names(shared)}")


def check_width(X, columns, owner):
    """Refuse rows of some views whose columns are known by their places, unless these can be the places in `fit`."""
    places = [place for column in columns.values() for place in np.atleast_1d(column).tolist()]
    if not isinstance(places[0], str) and X.shape[1] not in (owner.n_features_in_, max(places) + 1):
        raise ValueError(
            f"X has {X.shape[1]} features, but {list(columns)} were fitted on columns {show(places)} of "
            f"{owner.n_features_in_}. Give all columns, or those up to the last of these. Frames may leave out others, "
            "if columns have names in fit."
        )


def resolve_columns(X, name, column, is_frame):
    """Turn a selection of columns into names (of frames) or indices; a single name stays single."""
    column = column(X) if callable(column) else column
    try:
        indices = list(map(int, _get_column_indices(X, column)))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        hint = (
            " Integers are positions, not labels." if any(isinstance(label, Integral) for label in names_of(X)) else ""
        )
        reason = cut(str(error), 300).rstrip(".")
        raise ValueError(
            f"The columns of view {name!r}, {show(column)}, cannot be taken from X: {reason}.{hint}"
        ) from error
    if not indices:
        raise ValueError(f"View {name!r} has no columns: {show(column)} selects none of n_features={X.shape[1]}.")
    if not is_frame or not all(isinstance(label, str) for label in names_of(X)):
        return indices
    return str(column) if isinstance(column, str) else [names_of(X)[j] for j in indices]


def names_of(X):
    """The names of a frame's columns, which pyarrow keeps elsewhere; none of an array."""
    return list(getattr(X, "column_names", None) or getattr(X, "columns", ()))


def take_columns(X, name, column, owner):
    """The columns of one view: one-dimensional for a single name."""
    wanted = [column] if isinstance(column, str) else column
    if not isinstance(wanted[0], str):
        if max(wanted) >= X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} features, but view {name!r} was fitted on columns {show(column)}.")
    elif hasattr(X, "columns"):
        names = set(names_of(X))
        if lacking := [label for label in wanted if label not in names]:
            raise ValueError(
                f"X lacks the columns {show_names(lacking)} of view {name!r}. To use other views only, name them: "
                "transform(X, views=[...])."
            )
    else:  # fit saw a frame
        names = list(getattr(owner, "feature_names_in_", ()))
        if len(names) != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} features, but view {name!r} was fitted on columns {show(column)}.")
        column = names.index(column) if isinstance(column, str) else list(map(names.index, column))
    return _safe_indexing(X, column, axis=1)


def find_missing_rows(rows):
    """Find the rows in which a view is missing: all values of a table's row are, or an item of a list is None.

    Parameters
    ----------
    rows : container
        One view of all rows.

    Returns
    -------
    missing : ndarray of shape (n,), bool
    """
    if isinstance(rows, (list, tuple)) or getattr(rows, "ndim", 2) == 1:
        return np.array([is_missing(row) for row in rows], dtype=bool)
    if hasattr(rows, "columns"):
        frame = as_frame(rows, "X")
        missing = np.ones(len(frame), dtype=bool)
        for column in frame.iter_columns():  # names may be numbers
            null = column.is_null()
            missing &= (null | column.is_nan() if column.dtype.is_float() else null).to_numpy().astype(bool)
            if not missing.any():
                break
        return missing
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fO":
        return np.zeros(_num_samples(rows), dtype=bool)
    flat = rows.reshape(len(rows), int(np.prod(rows.shape[1:])))
    return ((flat != flat) | (np.equal(flat, None) if rows.dtype.kind == "O" else False)).all(1)

"""Containers of X: torch tensors become arrays, data frames are detected, and objects that hold no rows are refused."""

import os
import sys
from collections import Counter
from collections.abc import Iterator, MappingView
from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from scipy import sparse

from ._messages import cut, show, show_names

NO_DATA = (type(None), str, bytes, os.PathLike, Number)  # scikit-learn's ValueError
NO_ROWS = (dict, set, frozenset, Iterator, MappingView, type)  # scikit-learn's TypeError
# What an object has that offers its rows to NumPy or narwhals, at once or later. A sequence has a length and items.
PROTOCOLS = ("__array__", "__array_interface__", "__dataframe__", "__arrow_c_stream__", "shape", "collect", "columns")
# How to get the rows of a lazy frame, by its library.
COLLECT = {"duckdb": "df", "ibis": "to_pandas", "pyspark": "toPandas", "sqlframe": "toPandas", "dask": "compute"}


def check_container(X, name, wanted):
    """Refuse objects that hold no rows, and turn a torch tensor into an array.

    Parameters
    ----------
    X : object
        The caller's X.
    name : str
        Its name in messages.
    wanted : str
        What messages ask for instead.

    Returns
    -------
    X : object
        X itself (an array, a frame, a sequence, ...) or the tensor's array.

    Raises
    ------
    TypeError
        If X is no sequence of rows, or if NumPy has no array for a tensor.
    ValueError
        If X is a single value, or an array of records or of complex numbers.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(X, torch.Tensor):
        return tensor_as_array(X, name)
    if isinstance(X, NO_DATA):
        what = f"{name} is {show(X)}" if X is None or isinstance(X, Number) else f"{name} is a {type(X).__name__}"
        raise ValueError(f"Expected 2D array, got scalar array instead: {what}. Give {wanted}.")
    is_sparse = sparse.issparse(X)  # scipy's dok_array is a dict
    if not is_sparse and (isinstance(X, NO_ROWS) or not holds_rows(X)):
        hint = f"Give pandas.DataFrame({name})." if isinstance(X, dict) else f"Give {wanted}."
        if type(X).__module__.startswith("torch.utils.data"):
            hint = f"Give its rows in one array, such as numpy.concatenate([batch for batch, *_ in {name}])."
        raise TypeError(f"Expected sequence or array-like, got {type(X)} as {name}. {hint}")
    if isinstance(X, list) and X and isinstance(X[0], dict) and not X[0].keys() <= {"bytes", "path"}:  # an image
        raise ValueError(
            f"Expected 2D array, got 1D array instead: {name} is a list of dicts. Give pandas.DataFrame({name})."
        )
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind == "V":
        raise ValueError(
            f"{name} is an array of records, {cut(str(dtype), 200)}. Give pandas.DataFrame({name}), or an array of "
            "numbers."
        )
    if isinstance(dtype, np.dtype) and dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} holds {dtype}. Give real and imaginary parts, or {name}.real, instead."
        )
    return X


def holds_rows(X):
    """Whether an object is a sequence, or offers its rows to NumPy or narwhals."""
    is_sequence = hasattr(X, "__len__") and hasattr(X, "__getitem__")
    return is_sequence or any(hasattr(X, protocol) for protocol in PROTOCOLS)


def tensor_as_array(X, name):
    """The array of a torch tensor, on any device and with or without gradients."""
    try:
        return X.numpy(force=True)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise TypeError(
            f"{name} is a torch tensor of {X.dtype}, {X.layout}, on {X.device}, for which NumPy has no array "
            f"({error}). Give {name}.to_dense().float().cpu()."
        ) from error


def as_frame(X, name):
    """Wrap a data frame by narwhals; return anything else as it is.

    Raises
    ------
    ValueError
        If columns share a name.
    TypeError
        If the frame is lazy.
    """
    if type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "partitions") and hasattr(X, "columns"):
        raise TypeError(f"{name} is a dask data frame, not computed yet; give {name}.compute().")
    try:
        frame = nw.from_native(X, pass_through=True)
    except DuplicateError as error:
        names = list(getattr(X, "column_names", None) or X.columns)  # pyarrow's and pandas'
        twice = sorted(column for column, count in Counter(names).items() if count > 1)
        raise ValueError(
            f"{name} has several columns named {show_names(twice)}. Give each a name of its own."
        ) from error
    if isinstance(frame, nw.LazyFrame):
        method = COLLECT.get(frame.implementation.name.lower(), "collect")
        raise TypeError(f"{name} is a {type(X).__name__}, whose rows are not there yet; give {name}.{method}().")
    return frame


def is_number(dtype):
    """Whether a data frame's type is one of numbers."""
    return dtype.is_numeric() or dtype == nw.Boolean


def refuse_tables(X):
    """Refuse a list of tables."""
    shapes = [tuple(getattr(table, "shape", ())) for table in X[:3]] if isinstance(X, (list, tuple)) else []
    if shapes and all(len(shape) == 2 for shape in shapes):
        raise ValueError(
            f"X is a list of {len(X)} table{'s' * (len(X) > 1)}, of shape {', '.join(map(str, shapes))}. Give one: put "
            "them side by side if they have the same rows (numpy.hstack, pandas.concat with axis=1), or on top of each "
            "other if they have the same columns (numpy.vstack, pandas.concat)."
        )

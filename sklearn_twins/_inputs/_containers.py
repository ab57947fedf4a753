"""Containers of X: torch tensors become arrays, data frames are detected, and objects that hold no rows are refused."""

import sys
from collections.abc import Iterator
from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from scipy import sparse

NO_DATA = (type(None), str, bytes, dict, set, frozenset, Number, Iterator)


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
        If NumPy has no array for a tensor.
    ValueError
        If X holds no rows, or is an array of records or of complex numbers.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(X, torch.Tensor):
        return tensor_as_array(X, name)
    if isinstance(X, NO_DATA) and not sparse.issparse(X):  # scipy's dok_array is a dict
        what = f"{name} is {X!r}" if X is None or isinstance(X, Number) else f"{name} is a {type(X).__name__}"
        hint = f"Give pandas.DataFrame({name})." if isinstance(X, dict) else f"Give {wanted}."
        raise ValueError(f"Expected 2D array, got scalar array instead: {what}. {hint}")
    if isinstance(X, list) and X and isinstance(X[0], dict) and not X[0].keys() <= {"bytes", "path"}:  # an image
        raise ValueError(
            f"Expected 2D array, got 1D array instead: {name} is a list of dicts. Give pandas.DataFrame({name})."
        )
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind == "V":
        raise ValueError(
            f"{name} is an array of records, {dtype}. Give pandas.DataFrame({name}), or an array of numbers."
        )
    if isinstance(dtype, np.dtype) and dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} holds {dtype}. Give real and imaginary parts, or {name}.real, instead."
        )
    return X


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
    try:
        frame = nw.from_native(X, pass_through=True)
    except DuplicateError as error:
        names = list(getattr(X, "column_names", None) or X.columns)  # pyarrow's and pandas'
        twice = sorted({repr(column) for column in names if names.count(column) > 1})
        raise ValueError(
            f"{name} has several columns named {', '.join(twice)}. Give each a name of its own."
        ) from error
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(f"{name} is a {type(X).__name__}, whose rows are not there yet; give {name}.collect().")
    return frame


def is_number(dtype):
    """Whether a data frame's type is one of numbers."""
    return dtype.is_numeric() or dtype == nw.Boolean

"""What data is held in: torch tensors become arrays, frames are told from other things, what is no data is refused."""

import sys
from collections.abc import Iterator
from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from scipy import sparse

NO_DATA = (type(None), str, bytes, dict, set, frozenset, Number, Iterator)


def opened(X, name, wanted):
    """X as it is, or as an array if it is a torch tensor.

    Parameters
    ----------
    X : object
        As the caller holds it.
    name : str
        What messages call it.
    wanted : str
        What to give instead, for messages.

    Returns
    -------
    X : object
        An array, a frame, a sequence: which of them is for others to find out.

    Raises
    ------
    TypeError
        If it is a tensor that NumPy has no array for.
    ValueError
        If it holds no rows, or rows with names and no types.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(X, torch.Tensor):
        return tensor_as_array(X, name)
    if isinstance(X, NO_DATA) and not sparse.issparse(X):  # one kind of which is a dict
        what = f"{name} is {X!r}" if X is None or isinstance(X, Number) else f"{name} is a {type(X).__name__}"
        hint = f"Give pandas.DataFrame({name})." if isinstance(X, dict) else f"Give {wanted}."
        raise ValueError(f"Expected 2D array, got scalar array instead: {what}. {hint}")
    if isinstance(X, list) and X and isinstance(X[0], dict):
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
    """A torch tensor, wherever it is and whether or not it takes gradients, as an array."""
    try:
        return X.numpy(force=True)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise TypeError(
            f"{name} is a torch tensor of {X.dtype}, {X.layout}, on {X.device}, for which NumPy has no array "
            f"({error}). Give {name}.to_dense().float().cpu()."
        ) from error


def framed(X, name):
    """X as narwhals reads it, if it is a frame; anything else as it is.

    Raises
    ------
    ValueError
        If columns share a name.
    TypeError
        If the rows of a frame are not there yet.
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

"""Replace other libraries' numbers, strings and sequences among parameters by Python's, which all files can hold."""

import copy
import operator
import os
from collections.abc import KeysView, Sequence, ValuesView
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

SEQUENCES = (Sequence, KeysView, ValuesView)
PACKAGE = __name__.partition(".")[0]
OF_FRAMES = {"narwhals", "pandas", "polars", "pyarrow"}


def to_plain(value):
    """Replace NumPy's scalars, paths, and sequences such as pandas' Index, by Python's.

    Parameters
    ----------
    value : object
        A parameter's value; lists, tuples and components are searched, too.

    Returns
    -------
    value : object
        The value itself if there is nothing to replace.
    """
    if value is None or type(value) in (bool, float, int, str):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Real) and not isinstance(value, np.timedelta64):
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, (list, tuple)):
        items = [to_plain(item) for item in value]
        return value if all(map(operator.is_, items, value)) else tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, BaseEstimator):
        plain = with_plain_parameters(value, vars(value))
        if all(map(operator.is_, plain.values(), vars(value).values())):
            return value
        copied = copy.copy(value)
        copied.__dict__.update(plain)
        return copied
    if type(value).__module__.partition(".")[0] in OF_FRAMES or (
        isinstance(value, np.ndarray) and value.dtype.kind in "OT"
    ):
        return to_plain(np.asarray(value).tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    is_sequence = isinstance(value, SEQUENCES) and not isinstance(value, (bytes, bytearray, memoryview))
    return to_plain(list(value)) if is_sequence else value


def with_plain_parameters(estimator, state):
    """Replace the values of an estimator's parameters in its state by plain ones, but for a user's own parameters."""
    own = [cls for cls in type(estimator).__mro__ if cls.__module__.startswith(f"{PACKAGE}.")]
    names = {name for cls in own if issubclass(cls, BaseEstimator) for name in cls._get_param_names()}
    return {name: to_plain(value) if name in names else value for name, value in state.items()}

"""What files may hold: the classes whose objects are stored, what each of them consists of, and what fits together."""

import inspect
import math
from importlib import import_module
from numbers import Real

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from .._components import Component, SampleSpec
from .._diagnosis import Circumstances
from .._exceptions import UnreadableFileError
from .._output import Output
from .._persistence import Recipe
from ..networks import ReadyEncoder
from ..preprocessing._categories import CategoryColumns
from ..preprocessing._files import Target
from ..preprocessing._images import ImagePreprocessor
from ..preprocessing._keys import KINDS as CATEGORY_KINDS
from ..preprocessing._numbers import DECODERS, NumberColumns
from ..preprocessing._tables import TablePreprocessor

ROOMS = ("preprocessing", "augmentations", "networks", "objectives")


def storable_classes():
    """The classes whose objects files hold, by the names under which they are stored.

    Returns
    -------
    classes : dict of str to type
    """
    classes = {cls.__name__: cls for cls in PARTS}
    for room in ROOMS:
        module = import_module(f"..{room}", __package__)
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type) and issubclass(thing, Component) and thing is not ReadyEncoder:
                classes[f"{room}.{name}"] = thing
    return classes


def is_int(least=0):
    """A predicate: an integer of at least so much, that torch can count to."""
    return lambda value: isinstance(value, (int, np.integer)) and not isinstance(value, bool) and least <= value < 2**62


def is_float(value):
    """Whether something is a number."""
    return isinstance(value, (float, int, np.floating)) and not isinstance(value, bool)


def is_finite(value):
    """Whether something is a finite number."""
    return is_float(value) and math.isfinite(value)


def is_array(kind, *, optional=False):
    """A predicate: an array with one axis, of a kind of numbers."""
    return lambda value: (
        (value is None and optional) or (isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == kind)
    )


def is_tuple(predicate):
    """A predicate: a tuple of things."""
    return lambda value: type(value) is tuple and all(map(predicate, value))


def is_one(*classes):
    """A predicate: an object of one of some classes."""
    return lambda value: isinstance(value, classes)


def is_word(words):
    """A predicate: one of some words."""
    return lambda value: isinstance(value, str) and value in words


def is_category(value):
    """Whether something stands for a category: see `to_plain`."""
    return type(value) in (str, float, int, bool, tuple, *CATEGORY_KINDS)


def is_part(value):
    """Whether something is a column of X and a part of a date."""
    return type(value) is tuple and len(value) == 2 and is_int()(value[0]) and isinstance(value[1], str)


def is_names(value):
    """Whether something is names of columns."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and all(isinstance(name, str) for name in value)


def is_settings(value):
    """Whether something says how scikit-learn lays out outputs."""
    return type(value) is dict and all(isinstance(text, str) for item in value.items() for text in item)


NAMED = {"n_features_in_": is_int(), "feature_names_in_": is_names}
EXTRAS = {"feature_names_in_": is_names, "_sklearn_output_config": is_settings}
# What an object consists of beside its parameters, if it is fitted.
PARTS = {
    SampleSpec: {
        "shape": is_tuple(is_int(1)),
        "missing": is_tuple(is_int()),
        "categories": is_tuple(is_int(2)),
        "sources": is_tuple(is_int()),
        "edges": is_tuple(is_tuple(is_finite)),
        "clip": lambda value: value is None or (is_finite(value) and value > 0),
        "mean": is_tuple(is_finite),
        "std": is_tuple(is_finite),
    },
    Recipe: {
        "encoder": lambda value: isinstance(value, Component) and hasattr(value, "build"),
        "spec": is_one(SampleSpec),
        "n_components": lambda value: value is None or is_int(1)(value),
        "frozen": is_tuple(is_one(str)),
    },
    Output: {
        "width": is_int(1),
        "scale": is_array(np.float32, optional=True),
        "column_scale": is_array(np.float32, optional=True),
    },
    Circumstances: {
        **dict.fromkeys(("batch", "n_rows", "projection_dim"), is_int(1)),
        **dict.fromkeys(("projection_rank", "projection_redundancy"), lambda value: isinstance(value, Real)),
    },
    NumberColumns: {
        "kinds": lambda value: (
            type(value) is dict and all(is_int()(key) and is_word(DECODERS)(kind) for key, kind in value.items())
        ),
        "parts": is_tuple(is_part),
        "missing": is_tuple(is_int()),
        "center": is_array(np.float64),
        "scale": is_array(np.float64),
        "ranks": lambda value: (
            type(value) is list and all(rank is None or isinstance(rank, QuantileTransformer) for rank in value)
        ),
        "clip": lambda value: is_finite(value) and value > 0,
    },
    CategoryColumns: {
        "columns": is_tuple(is_int()),
        "categories": is_tuple(is_tuple(is_category)),
        "pooled": is_tuple(is_one(bool)),
    },
    Target: {
        "size": is_tuple(is_int(1)),
        "color": is_word(("grey", "rgb", "rgba")),
        "resize": is_one(bool),
    },
    QuantileTransformer: {
        "quantiles_": lambda value: isinstance(value, np.ndarray) and value.dtype == np.float64 and value.ndim == 2,
        "references_": is_array(np.float64),
        "n_quantiles_": is_int(1),
        "n_features_in_": is_int(1),
        "_sklearn_version": is_one(str),
    },
}
FITTED = {
    TablePreprocessor: {
        "kinds_": is_tuple(is_word(("category", *DECODERS))),
        "center_": is_array(np.float64),
        "scale_": is_array(np.float64),
        "spec_": is_one(SampleSpec),
        "n_features_in_": is_int(1),
        "_numeric": is_one(NumberColumns),
        "_categorical": is_one(CategoryColumns),
    },
    ImagePreprocessor: {
        "sample_shape_": is_tuple(is_int(1)),
        "value_range_": is_tuple(is_finite),
        "mean_": is_array(np.float64),
        "std_": is_array(np.float64),
        "spec_": is_one(SampleSpec),
        "n_features_in_": is_int(1),
        "_target": lambda value: value is None or isinstance(value, Target),
    },
}


def complete(cls, state):
    """The state of an object from a file, with the defaults of parameters that it was written without.

    Parameters
    ----------
    cls : type
        One of `storable_classes`.
    state : dict
        Of its attributes.

    Returns
    -------
    state : dict

    Raises
    ------
    UnreadableFileError
        If the class has no such attributes, or one of them is not what it should be.
    """
    defaults, required = defaults_of(cls)
    wanted = PARTS[cls] if cls in PARTS else FITTED.get(cls, {}) if state.keys() - defaults.keys() else {}
    for name, value in state.items():
        predicate = wanted.get(name) or EXTRAS.get(name)
        if not predicate(value) if predicate else name not in defaults and name not in required:
            raise UnreadableFileError(f"Its {cls.__name__} has {name!r} that it cannot have.")
    missing = (wanted.keys() | required) - defaults.keys() - state.keys()
    if missing:
        raise UnreadableFileError(f"Its {cls.__name__} lacks {min(missing)!r}.")
    return {**state, **{name: value for name, value in defaults.items() if name not in state}}


def defaults_of(cls):
    """What a class is made with.

    Returns
    -------
    defaults : dict
        Of the parameters that have one: files of before they were there are completed by it.
    required : set of str
        The others.
    """
    parameters = inspect.signature(cls).parameters.values()
    required = {p.name for p in parameters if p.default is p.empty}
    return {p.name: p.default for p in parameters if p.name not in required}, required


def require(condition, what):
    """Refuse a file whose parts do not fit together."""
    if not condition:
        raise UnreadableFileError(f"Its parts do not fit together: {what}.")

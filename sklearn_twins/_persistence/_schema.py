"""What files may hold: the classes whose objects are stored, what each of them consists of, and what fits together."""

import inspect
from importlib import import_module
from numbers import Real

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from .._exceptions import UnreadableFileError
from .._image._pillow import Target
from .._image._preprocessor import ImagePreprocessor
from .._inference._collapse import Circumstances
from .._inference._output import Output
from .._parts._component import Component
from .._parts._spec import SampleSpec
from .._parts._stored_state import is_array, is_finite, is_int, is_names, is_one, is_settings, is_tuple, is_word
from .._parts._user_encoder import ReadyEncoder
from .._tabular._categories import CategoryColumns
from .._tabular._numbers import DECODERS, NumberColumns
from .._tabular._preprocessor import TablePreprocessor
from .._tabular._schema import is_category, is_part
from ._state import Recipe

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

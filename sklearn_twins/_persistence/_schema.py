"""The schema of files: the classes whose objects are stored, and what each of them consists of."""

import inspect
from dataclasses import dataclass
from functools import cache
from numbers import Real

import numpy as np

from .._exceptions import UnreadableFileError
from .._inference._collapse import FitSummary
from .._inference._output import Output
from .._modalities import MODALITIES
from .._parts._component import Component
from .._parts._spec import SampleSpec
from .._parts._stored_state import is_array, is_int, is_names, is_one, is_settings, is_tuple
from .._parts._user_encoder import ReadyEncoder
from ._state import Recipe

COLUMNS = {"n_features_in_": is_int(1), "feature_names_in_": is_names}  # of an embedder, and of its preprocessor
OPTIONAL = {"feature_names_in_": is_names, "_sklearn_output_config": is_settings}
# Attributes of the engine's objects; those of a modality's are in its record.
ENGINE = {
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
    FitSummary: {
        **dict.fromkeys(("batch", "n_rows", "projection_dim"), is_int(1)),
        **dict.fromkeys(("projection_rank", "projection_redundancy"), lambda value: isinstance(value, Real)),
    },
}


@dataclass(frozen=True)
class Schema:
    """File schema of everything that files may hold.

    Parameters
    ----------
    classes : dict of str to type
        Classes whose objects are stored, by their names in files.
    attributes : dict of type to dict
        Predicates of the attributes of each object of a class, by their names.
    fitted : dict of type to dict
        The same for preprocessors, whose objects have these attributes if they are fitted.
    optional : dict of type to dict
        The same for attributes that only some fitted preprocessors have.
    """

    classes: dict
    attributes: dict
    fitted: dict
    optional: dict

    def complete(self, cls, state):
        """Check an object's attributes from a file, and add defaults of parameters that the file was written without.

        Parameters
        ----------
        cls : type
            One of `classes`.
        state : dict
            The attributes.

        Returns
        -------
        state : dict

        Raises
        ------
        UnreadableFileError
            If an attribute is missing, invalid or unknown.
        """
        defaults, required = defaults_of(cls)
        is_fitted = bool(state.keys() - defaults.keys())
        wanted = self.attributes[cls] if cls in self.attributes else self.fitted.get(cls, {}) if is_fitted else {}
        for name, value in state.items():
            predicate = wanted.get(name) or {**OPTIONAL, **self.optional.get(cls, {})}.get(name)
            if not predicate(value) if predicate else name not in defaults and name not in required:
                raise UnreadableFileError(f"The attribute {name!r} of its {cls.__name__} is invalid or unknown.")
        missing = (wanted.keys() | required) - defaults.keys() - state.keys()
        if missing:
            raise UnreadableFileError(f"Its {cls.__name__} lacks {min(missing)!r}.")
        return {**state, **{name: value for name, value in defaults.items() if name not in state}}


def make_schema(cls):
    """Collect the schema from the public modules, the engine, the records of all modalities, and an embedder's class.

    Parameters
    ----------
    cls : type
        The embedder's class: ``cls._records`` are records beyond the modalities', and ``cls._held`` classes of
        estimators among its parameters, of which files hold the parameters.

    Returns
    -------
    schema : Schema
    """
    from .. import augmentations, networks, objectives, preprocessing

    classes = {known.__name__: known for known in (*ENGINE, *cls._held)}
    for module in (augmentations, networks, objectives, preprocessing):
        room = module.__name__.rpartition(".")[2]
        classes |= {f"{room}.{known.__name__}": known for known in components_of(module)}
    attributes, fitted, optional = dict(ENGINE), {}, {}
    for record in (*MODALITIES.values(), *cls._records):
        if record.stored is None:
            continue
        stored = record.stored()
        attributes |= stored.classes
        fitted[stored.preprocessor] = {**stored.fitted, "spec_": is_one(record.spec), "n_features_in_": is_int(1)}
        optional[stored.preprocessor] = stored.optional
        named = set(classes.values())
        new = [known for known in (stored.preprocessor, *stored.classes) if known not in named]
        classes |= {f"{record.name}.{known.__name__}": known for known in new}
    return Schema(classes, attributes, fitted, optional)


def components_of(module):
    """Components of a public module, without `ReadyEncoder`, which holds a user's code."""
    things = [getattr(module, name) for name in module.__all__]
    return [
        thing
        for thing in things
        if isinstance(thing, type) and issubclass(thing, Component) and thing is not ReadyEncoder
    ]


@cache
def defaults_of(cls):
    """Parameters of a class.

    Returns
    -------
    defaults : dict
        Defaults of the parameters that have one; they complete files from before the parameter existed.
    required : set of str
        Names of the others.
    """
    parameters = inspect.signature(cls).parameters.values()
    required = {p.name for p in parameters if p.default is p.empty}
    return {p.name: p.default for p in parameters if p.name not in required}, required

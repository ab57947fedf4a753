"""Predicates for values that are read from a file."""

import math

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from .._exceptions import UnreadableFileError


def is_int(least=0):
    """A predicate: an integer between `least` and the largest that torch counts to."""
    return lambda value: isinstance(value, (int, np.integer)) and not isinstance(value, bool) and least <= value < 2**62


def is_float(value):
    """Whether a value is a number."""
    return isinstance(value, (float, int, np.floating)) and not isinstance(value, bool)


def is_finite(value):
    """Whether a value is a finite number."""
    return is_float(value) and math.isfinite(value)


def is_array(kind, *, optional=False):
    """A predicate: an array with one axis and the dtype `kind`."""
    return lambda value: (
        (value is None and optional) or (isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == kind)
    )


def is_tuple(predicate):
    """A predicate: a tuple whose items satisfy another one."""
    return lambda value: type(value) is tuple and all(map(predicate, value))


def is_one(*classes):
    """A predicate: an instance of one of some classes."""
    return lambda value: isinstance(value, classes)


IS_SHAPE = is_tuple(is_int(1))  # the predicate of `SampleSpec.shape`


def is_word(words):
    """A predicate: one of some words."""
    return lambda value: isinstance(value, str) and value in words


def is_names(value):
    """Whether a value is an array of names."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and all(isinstance(name, str) for name in value)


def is_settings(value):
    """Whether a value is the configuration of scikit-learn's `set_output`."""
    return type(value) is dict and all(isinstance(text, str) for item in value.items() for text in item)


def require(condition, what):
    """Refuse a file whose parts do not fit together."""
    if not condition:
        raise UnreadableFileError(f"Its parts do not fit together: {what}.")


def is_dict(predicate):
    """A predicate: a dict of strings to values that satisfy another one."""
    return lambda value: (
        type(value) is dict and all(isinstance(name, str) and predicate(item) for name, item in value.items())
    )


def is_tensor(value):
    """Whether a value is an array of numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def check_component(component):
    """Refuse hyper-parameters that no fit would have taken."""
    try:
        component.check()
    except (InvalidParameterError, TypeError, ValueError) as error:
        raise UnreadableFileError(f"Its {type(component).__name__} is out of range ({shorten(error)}).") from error


def shorten(error, length=300):
    """The message of an error, cut to one line of at most `length` characters, to quote in another one."""
    text = str(error).partition("\n")[0]
    return text if len(text) <= length else f"{text[: length - 3]}..."


def has_many_hashes(keys):
    """Whether keys of a dict have different hashes; for keys that share one, a dict takes quadratic time."""
    return len(keys) <= 64 or len(keys) <= 64 + 8 * len(set(map(hash, keys)))


def check_hashes(keys):
    """Refuse keys of a dict that were chosen to have one hash."""
    require(has_many_hashes(keys), "its keys have the same hash")

"""An embedder's parts: what its parameters stand for, checked, and compared with what was trained before."""

import inspect
from numbers import Number

import joblib
import numpy as np
import torch
from sklearn.base import clone

from ._arrays import to_arrays
from ._components import Component, check_call, check_instance, check_part, is_component, refuse_booleans
from ._modalities import ROLES, resolve
from .networks import ReadyEncoder


def resolve_parts(embedder):
    """The components that an embedder's roles stand for, checked.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Its parameters are read, not changed.

    Returns
    -------
    parts : dict of str to component or callable
    """
    refuse_booleans(embedder)
    check_functions(embedder)
    return {role: resolve_part(role, getattr(embedder, role), embedder.modality) for role in ROLES}


def check_functions(embedder):
    """Refuse an optimizer or a schedule of the user's that cannot be called as they will be."""
    if callable(embedder.optimizer):
        check_call(embedder.optimizer, "optimizer", "groups", lr=0.1, weight_decay=0.1)
    if isinstance(embedder.lr_schedule, type):
        raise TypeError(
            f"lr_schedule={embedder.lr_schedule!r} is a class. Give a function (step, n_steps) -> factor of the rate."
        )
    if callable(embedder.lr_schedule):
        check_call(embedder.lr_schedule, "lr_schedule", "step", "n_steps")


# What a callable of a role is called with.
CALLED_WITH = {"augmentation": ("x", "data", "generator"), "encoder": ("spec",), "objective": ("z_a", "z_b")}


def resolve_part(parameter, value, modality):
    """The component that a role's parameter stands for, checked."""
    part = resolve(parameter, value, modality)
    if parameter in ("augmentation", "objective") and not callable(part):
        raise TypeError(
            f"{parameter}={value!r} must be 'auto', a name, a component of sklearn_twins.{ROLES[parameter].room} or a "
            "callable."
        )
    takes_class = parameter == "encoder"  # which builds a module, as a function does; elsewhere refused below
    if parameter in CALLED_WITH and not is_component(part) and (takes_class or not isinstance(part, type)):
        check_call(part, parameter, *CALLED_WITH[parameter])
    if parameter == "encoder" and (isinstance(part, torch.nn.Module) or not hasattr(part, "build")):
        part = ReadyEncoder(part)  # which copies the module when it builds
    elif is_component(part):
        part = clone(part)
    check_instance(part, parameter)
    return check_part(part)


def check_owner(preprocessor):
    """Refuse a transformer that cannot check X in the embedder's name."""
    if "owner" not in inspect.signature(preprocessor.transform).parameters:
        raise TypeError(
            f"preprocessor={preprocessor!r} must have fit_transform(X, owner=...) and transform(X, owner=...), which "
            "check X in the owner's name. To use a transformer of scikit-learn's, put it before the embedder in a "
            "Pipeline."
        )
    return preprocessor


def check_module(parameter, module):
    """Refuse a component that builds anything but a module."""
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"The build method of {parameter} must return a torch.nn.Module. Got {module!r}.")
    return module


def is_foreign(part):
    """Whether a part is, or holds, code of others, which may do anything: draw from torch's global generators."""
    held = (part, *part.get_params().values()) if isinstance(part, Component) else ()
    return not held or any(map(is_code_of_others, held))


def is_code_of_others(value):
    """Whether a component is not the package's own, or draws globally; or whether anything else can be called."""
    if not isinstance(value, Component):
        return callable(value)
    return getattr(value, "draws_globally", False) or not type(value).__module__.startswith(f"{__package__}.")


def same(was, now):
    """Whether two parts are alike: of one type, with the same parameters; modules with the same weights."""
    if was is now:
        return True
    if isinstance(was, (list, tuple)) and isinstance(now, (list, tuple)):
        return len(was) == len(now) and all(map(same, was, now))
    if isinstance(was, (list, np.ndarray)) and isinstance(now, (list, np.ndarray)):
        return np.array_equal(was, now)
    if isinstance(was, Number) and isinstance(now, Number):
        return bool(was == now)
    if type(was) is not type(now):
        return False
    if isinstance(was, torch.nn.Module):
        return repr(was) == repr(now) and weights_hash(was) == weights_hash(now)
    if is_component(was):
        before, after = was.get_params(deep=False), now.get_params(deep=False)
        return before.keys() == after.keys() and all(same(before[name], after[name]) for name in before)
    if callable(was):
        return getattr(was, "__qualname__", None) == getattr(now, "__qualname__", None)
    return bool(was == now)


def weights_hash(module):
    """A hash of a module's parameters and buffers."""
    return joblib.hash(to_arrays(dict(module.state_dict())))


def check_unchanged(parameter, was, now):
    """Refuse to go on with another part than the one that was trained."""
    if not same(was, now):
        raise ValueError(
            f"{parameter} cannot change when training goes on: it was {was}, and is now {now}. "
            f"Set it back, or clone the estimator and start anew."
        )

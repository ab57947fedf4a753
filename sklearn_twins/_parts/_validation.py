"""Checks of a part before it is used: what kind of object it is, and whether it can be called as needed."""

import inspect
import sys
from numbers import Real

from sklearn.utils._param_validation import InvalidParameterError


def is_module(part):
    """Whether a part is a torch module, without importing torch: if it is not imported, there are no modules."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(part, torch.nn.Module)


def is_component(part):
    """Whether a part is an object with scikit-learn parameters, rather than a module, a function or a class."""
    return hasattr(part, "get_params") and not isinstance(part, type)


def check_instance(part, place):
    """Refuse a class in place of an instance."""
    if isinstance(part, type):
        raise TypeError(f"{place} must be an instance, not a class: {part.__name__}(...). Got {part!r}.")


def check_call(function, place, *names, **keywords):
    """Refuse a callable that does not accept the arguments it will be called with.

    Parameters
    ----------
    function : callable
        The user's callable. Torch modules are accepted as they are: they take a batch.
    place : str
        Its name in messages.
    *names, **keywords
        Names of the arguments.

    Raises
    ------
    TypeError
        If its signature does not accept these arguments.
    """
    if is_module(function):
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C, without a signature
    try:
        signature.bind(*names, **keywords)
    except TypeError as error:
        call = ", ".join([*names, *(f"{name}=..." for name in keywords)])
        raise TypeError(f"{place} is called with ({call}), which {function!r} does not take: {error}.") from None


def refuse_booleans(estimator):
    """Refuse True and False in place of numbers; Python would take them for 1 and 0."""
    for name, constraints in estimator._parameter_constraints.items():
        value = getattr(estimator, name)
        is_boolean = type(value).__name__ in ("bool", "bool_") and value in (True, False)
        if is_boolean and not {"boolean", "verbose"} & {c for c in constraints if isinstance(c, str)}:
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} takes no booleans. Got {value!r} instead; give "
                "a number."
            )


def check_part(part):
    """Let a component check its hyper-parameters; other callables have nothing to check."""
    if hasattr(part, "check"):
        part.check()
    return part


def check_pair(component, name, low, high, above=False):
    """Refuse a parameter that is not a pair of numbers in a range, the smaller one first."""
    value = getattr(component, name)
    fine = len(value) == 2 and all(isinstance(v, Real) for v in value) and value[0] <= value[1]
    if not (fine and (low < value[0] if above else low <= value[0]) and value[1] <= high):
        raise ValueError(
            f"The {name!r} parameter of {type(component).__name__} must be two numbers, the smaller one first, in "
            f"{'(' if above else '['}{low}, {high}{']' if high < float('inf') else ')'}. Got {value!r} instead."
        )

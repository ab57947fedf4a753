"""What is found out about a part before it is used: what it is, whether it can be called as it will be."""

import inspect
import sys


def is_module(part):
    """Whether a part is a torch module; torch is not imported to find out, since without it there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(part, torch.nn.Module)


def is_component(part):
    """Whether a part is an object with scikit-learn parameters, not a bare module, function or class."""
    return hasattr(part, "get_params") and not isinstance(part, type)


def check_instance(part, place):
    """Refuse a class where an instance is meant."""
    if isinstance(part, type):
        raise TypeError(f"{place} must be an instance, not a class: {part.__name__}(...). Got {part!r}.")


def check_call(function, place, *names, **keywords):
    """Refuse a callable that cannot be called as it will be, before anything depends on it.

    Parameters
    ----------
    function : callable
        What the user gave; of a torch module nothing is known but that it takes a batch.
    place : str
        What messages call it.
    *names, **keywords
        What it is called with, in words.

    Raises
    ------
    TypeError
        If its signature does not take so many arguments, or not by these names.
    """
    if is_module(function):
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C: the call itself will tell
    try:
        signature.bind(*names, **keywords)
    except TypeError as error:
        call = ", ".join([*names, *(f"{name}=..." for name in keywords)])
        raise TypeError(f"{place} is called with ({call}), which {function!r} does not take: {error}.") from None


def refuse_booleans(estimator):
    """Refuse True and False where a number is meant: to Python they are 1 and 0, to networks nothing."""
    for name, constraints in estimator._parameter_constraints.items():
        value = getattr(estimator, name)
        is_boolean = type(value).__name__ in ("bool", "bool_") and value in (True, False)
        if is_boolean and not {"boolean", "verbose"} & {c for c in constraints if isinstance(c, str)}:
            raise ValueError(
                f"The {name!r} parameter of {type(estimator).__name__} takes no booleans. Got {value!r} instead; give "
                "a number."
            )


def check_part(part):
    """Let a component check its hyper-parameters; other callables have nothing to check."""
    if hasattr(part, "check"):
        part.check()
    return part

"""The parameter `compile`: functions that torch compiles once in a process, and a trial of whether it can."""

import inspect
import warnings
from functools import lru_cache, partial

import torch

N_FUNCTIONS = 64  # compiled functions kept; the least recently used one goes first
# torch compiles at most eight versions of a function; newer releases can count them for each call of torch.compile.
OWN_LIMIT = {"isolate_recompiles": True} if "isolate_recompiles" in inspect.signature(torch.compile).parameters else {}


@lru_cache(maxsize=N_FUNCTIONS)
def compile_function(function, *constants):
    """Compile a function for its first arguments, once for every shape of the others.

    The compiled function is kept for the whole process, so that a second fit finds it. Each set of constants has its
    own limit of eight versions; in older releases of torch all sets share it, and further ones are not compiled.

    Parameters
    ----------
    function : callable
        Function of ``(*constants, *args)``.
    *constants : hashable
        Its first arguments.

    Returns
    -------
    compiled : callable
        Function of ``args``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from modules that torch imports here
        return partial(torch.compile(function, dynamic=False, **OWN_LIMIT), *constants)


def forward(layout, module, x):
    """Pass a batch through a module.  # (batch, *sample_shape) -> (batch, projection_dim)"""
    return module(x)


def compile_module(module):
    """Compile the pass of a batch through a module; modules with the same layers share the compiled function."""
    return partial(compile_function(forward, repr(module)), module)


def add_one(x):
    """Add 1: the smallest function to compile."""
    return x + 1


@lru_cache(maxsize=8)
def check_compiler(device):
    """Refuse `compile=True` where torch cannot compile, which a trial shows.

    Parameters
    ----------
    device : torch.device
        Device to compile for.

    Raises
    ------
    ValueError
        If the trial fails; the message has the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from modules that torch imports later
            succeeded = compile_function(add_one)(torch.zeros(64, device=device)).sum().item() == 64
        if not succeeded:
            raise RuntimeError("a trial gave a wrong result")
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        needed = "a C++ compiler, such as g++, and Python's headers" if device.type == "cpu" else "Triton"
        raise ValueError(
            f"compile=True cannot be used here: torch.compile failed in a trial ({reason}). It needs {needed}; install "
            "what is missing, or use compile=False."
        ) from error

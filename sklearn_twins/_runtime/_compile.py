"""What `compile=True` means: functions that torch compiles once a process, and the trial that shows whether it can."""

import warnings
from functools import lru_cache, partial
from types import FunctionType

import torch

N_FUNCTIONS = 64  # compiled ones kept; the one unused for longest goes first


@lru_cache(maxsize=N_FUNCTIONS)
def compile_function(function, *constants):
    """A function compiled for its first arguments, for every shape of the others anew.

    The compiled code belongs to the process, so that a second fit finds it. torch keeps eight versions of one function
    and then compiles no more; each set of constants has therefore a function of its own.

    Parameters
    ----------
    function : callable
        A plain function of ``(*constants, *args)``.
    *constants : hashable
        Its first arguments.

    Returns
    -------
    compiled : callable
        Called with the other arguments.
    """
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch's own modules use; it imports them here
        return partial(torch.compile(own, dynamic=False), *constants)


def forward(layout, module, x):
    """One pass through a module.  # (batch, *sample_shape) -> (batch, projection_dim)"""
    return module(x)


def compile_module(module):
    """A function that passes a batch through a module; modules made of the same layers share what is compiled."""
    return partial(compile_function(forward, repr(module)), module)


def one_more(x):
    """The least that there is to compile."""
    return x + 1


@lru_cache(maxsize=8)
def check_compiler(device):
    """Refuse `compile=True` where torch cannot compile; found out by doing it.

    Parameters
    ----------
    device : torch.device

    Raises
    ------
    ValueError
        If it cannot, with the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as above, of what is imported later
            fine = compile_function(one_more)(torch.zeros(64, device=device)).sum().item() == 64
        if not fine:
            raise RuntimeError("a trial computed something else")
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        needed = "a C++ compiler, such as g++, and Python's headers" if device.type == "cpu" else "Triton"
        raise ValueError(
            f"compile=True cannot be used here: torch.compile failed in a trial ({reason}). It needs {needed}; install "
            "what is missing, or use compile=False."
        ) from error

"""Initial weights by torch's own rules, but from one explicit generator."""

import contextlib
import math
from contextvars import ContextVar

import torch
from torch import nn

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class SeededLayer:
    """Mixin of layers that draw their own initial weights, or lay out buffers, in `initialize`.

    torch's layers reset themselves by ``reset_parameters()``, which draws from the global generator; the method here
    has another name, so that neither is called in place of the other.
    """

    def reset_parameters_from(self, generator):
        """Draw the layer's initial weights.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU; the only source of randomness.
        """
        raise NotImplementedError


_skeletons = ContextVar("skeletons", default=False)


@contextlib.contextmanager
def skeletons():
    """Keep modules on the meta device within this context: their tensors have shapes, but take no memory."""
    token = _skeletons.set(True)
    try:
        yield
    finally:
        _skeletons.reset(token)


def build_on_meta(make):
    """Call `make` without allocating memory or drawing numbers, whatever the caller's defaults are."""
    with torch.inference_mode(False), torch.device("meta"):
        module = make()
    return None if module is None else module.to(torch.float32)


def allocate(module):
    """Allocate memory on the CPU for a module that was built on the meta device; its content is undefined."""
    try:
        module.to_empty(device="cpu")
    except RuntimeError as error:
        n = sum(tensor.numel() for tensor in (*module.parameters(), *module.buffers()))
        raise ValueError(
            f"A network with {n:,} weights, {4 * n / 2**30:,.3g} GiB, does not fit into memory. Make it narrower: "
            "n_components, or the widths of encoder and projector."
        ) from error


def initialize(module, generator):
    """Allocate a module built on the meta device, and draw its weights as torch's layers draw theirs.

    A `SeededLayer` resets itself. Linear and convolutional layers have weights and biases that are uniform
    within one over the square root of the fan-in. Batch and layer normalisation have a
    reset of their own, which draws nothing.

    Parameters
    ----------
    module : nn.Module
        Built under ``torch.device("meta")``.
    generator : torch.Generator
        On the CPU; the only source of randomness.

    Returns
    -------
    module : nn.Module
        The same, on the CPU.

    Raises
    ------
    TypeError
        If a layer with parameters is of an unknown kind.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import initialize
    >>> with torch.device("meta"):
    ...     layer = torch.nn.Linear(4, 2)
    >>> layer = initialize(layer, torch.Generator().manual_seed(0))
    >>> bool((layer.weight.abs() <= 0.5).all())  # 1 / sqrt(4)
    True
    """
    if _skeletons.get():
        return module
    with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"):
        allocate(module.to(torch.float32))
        for layer in module.modules():
            own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
            if isinstance(layer, SeededLayer):
                layer.reset_parameters_from(generator)
            elif isinstance(layer, WEIGHTED):
                bound = 1 / math.sqrt(layer.weight[0].numel())
                for parameter in layer.parameters(recurse=False):
                    parameter.uniform_(-bound, bound, generator=generator)
            elif isinstance(layer, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm)):
                layer.reset_parameters()
            elif own and not isinstance(layer, nn.ParameterDict):  # the layer around it draws it
                raise TypeError(f"No initial weights are known for a layer of type {type(layer).__name__}.")
    return module

"""Projection heads: from the embedding to the projection, used in fit only."""

from numbers import Integral

from sklearn.utils._param_validation import Interval
from torch import nn

from ._component import Component
from ._initialize import build_on_meta, initialize


def hidden_layers(width_in, hidden_dims):
    """Linear, batch norm and ReLU for each hidden width.

    The linear layers have no bias: the batch norm behind them has one.
    """
    layers = []
    for width_out in hidden_dims:
        layers += [nn.Linear(width_in, width_out, bias=False), nn.BatchNorm1d(width_out), nn.ReLU()]
        width_in = width_out
    return layers


def check_widths(component, parameter="hidden_dims"):
    """Refuse widths that are not positive integers."""
    dims = getattr(component, parameter)
    if not all(isinstance(dim, Integral) and not isinstance(dim, bool) and dim >= 1 for dim in dims):
        raise ValueError(
            f"The '{parameter}' parameter of {type(component).__name__} must hold positive integers, one for each "
            f"layer. Got {dims!r} instead."
        )


class MLPProjector(Component):
    """The projection head: a multilayer perceptron used in `fit` only.

    Parameters
    ----------
    hidden_dims : tuple of int, default=(256,)
        Widths of the hidden layers; empty for a linear projector.
    projection_dim : int, default=256
        Width of the projection, on which the objective works.

    See Also
    --------
    IdentityProjector : No projection head.

    References
    ----------
    Zbontar et al., "Barlow Twins", ICML 2021, section 2.2 (three layers of width 8192 for images).

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import MLPProjector
    >>> projector = MLPProjector(projection_dim=128).build(32, torch.Generator().manual_seed(0))
    >>> projector(torch.zeros(5, 32)).shape
    torch.Size([5, 128])
    """

    _parameter_constraints: dict = {
        "hidden_dims": [tuple, list],
        "projection_dim": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, hidden_dims=(256,), projection_dim=256):
        self.hidden_dims = hidden_dims
        self.projection_dim = projection_dim

    def check(self):
        """Refuse widths that are no positive integers.

        Returns
        -------
        self : MLPProjector
            The object itself.

        Raises
        ------
        ValueError
            If `hidden_dims` holds anything but positive integers.
        """
        super().check()
        check_widths(self)
        return self

    def build(self, n_components, generator):
        """Build the module with its initial weights.

        Parameters
        ----------
        n_components : int
            Width of the embedding.
        generator : torch.Generator
            Source of the initial weights, on the CPU.

        Returns
        -------
        projector : nn.Module
            (batch, n_components) -> (batch, projection_dim).
        """

        def make():
            width = self.hidden_dims[-1] if self.hidden_dims else n_components
            layers = hidden_layers(n_components, self.hidden_dims)
            return nn.Sequential(*layers, nn.Linear(width, self.projection_dim))

        return initialize(build_on_meta(make), generator)


class IdentityProjector(Component):
    """No projection head: the objective works on the embedding itself.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import IdentityProjector
    >>> IdentityProjector().build(2, torch.Generator())(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2.]])
    """

    def build(self, n_components, generator):
        """Build a module that returns its input.

        Parameters
        ----------
        n_components : int
            Width of the embedding and of the projection.
        generator : torch.Generator
            Not used.

        Returns
        -------
        projector : nn.Module
            (batch, n_components) -> (batch, n_components).
        """
        return nn.Identity()

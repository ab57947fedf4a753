"""Multilayer perceptrons: the default encoder of tables, and the projection head."""

from .._parts._projector import check_widths, hidden_layers
from ._encoder import EXPANSION_CONSTRAINT, TableEncoder


class MLPEncoder(TableEncoder):
    """A multilayer perceptron over the columns of a table.

    Parameters
    ----------
    hidden_dims : tuple of int, default=(256, 256, 256)
        Widths of the hidden layers. The last one is the embedding's own width, unless
        `n_components` asks for another: then one linear layer more leads to it.
    expansion : {"piecewise_linear", "periodic"}, component or None, default=None
        What each number is expanded by first (`PiecewiseLinear`, `Periodic`).

    See Also
    --------
    ResNetEncoder : A residual network over the columns.
    ReadyEncoder : A torch module of your own.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import MLPEncoder
    >>> from sklearn_twins.preprocessing import TablePreprocessor
    >>> spec = TablePreprocessor().fit([[0.0, 1.0], [2.0, 3.0]]).spec_
    >>> encoder = MLPEncoder(hidden_dims=(32,)).build(spec, 8, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 2)).shape
    torch.Size([5, 8])
    """

    _parameter_constraints: dict = {"hidden_dims": [tuple, list], "expansion": EXPANSION_CONSTRAINT}

    def __init__(self, hidden_dims=(256, 256, 256), expansion=None):
        self.hidden_dims = hidden_dims
        self.expansion = expansion

    def check(self):
        """Refuse widths that are no positive integers, and no hidden layer at all.

        Returns
        -------
        self : MLPEncoder
            The object itself.

        Raises
        ------
        ValueError
            If `hidden_dims` is empty or holds anything but positive integers.
        """
        super().check()
        check_widths(self)
        if not self.hidden_dims:
            raise ValueError("The 'hidden_dims' parameter of MLPEncoder is empty; give at least one width.")
        return self

    def _layers(self, width_in):
        """Layers behind the stem, and the width of their output."""
        return hidden_layers(width_in, self.hidden_dims), self.hidden_dims[-1]

"""The multilayer perceptron, the default encoder for tables."""

from .._parts._projector import check_widths, hidden_layers
from ._encoder import EXPANSION_CONSTRAINT, TableEncoder


class MLPEncoder(TableEncoder):
    """Encode table rows with a multilayer perceptron.

    Parameters
    ----------
    hidden_dims : tuple of int, default=(256, 256, 256)
        Widths of the hidden layers. The last one is the width of the embedding, unless `n_components` is set: then a
        linear layer of that width is added.
    expansion : {"piecewise_linear", "periodic"}, component or None, default=None
        Expansion of each number before the first layer (`PiecewiseLinear`, `Periodic`). None keeps the number itself.

    See Also
    --------
    ResNetEncoder : Use a residual network instead.
    ReadyEncoder : Use a torch module of your own.

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
        """Check the hyper-parameters.

        Returns
        -------
        self : MLPEncoder
            The object itself.

        Raises
        ------
        ValueError
            If `hidden_dims` is empty or does not hold positive integers.
        """
        super().check()
        check_widths(self)
        if not self.hidden_dims:
            raise ValueError("The 'hidden_dims' parameter of MLPEncoder is empty; give at least one width.")
        return self

    def _layers(self, width_in):
        """Return the layers after the stem, and the width of their output."""
        return hidden_layers(width_in, self.hidden_dims), self.hidden_dims[-1]

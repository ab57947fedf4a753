"""The residual network for tables."""

from numbers import Integral

from sklearn.utils._param_validation import Interval
from torch import nn

from .._parts._encoder import BLOCK
from ._encoder import EXPANSION_CONSTRAINT, TableEncoder


class ResidualBlock(nn.Module):
    """Compute ``x + W2 relu(W1 norm(x))``, with batch norm.

    NOTE[DIFF]: the paper's two dropouts are left out, since torch's dropout uses the global random generator.

    Shape
    -----
    (batch, width) -> (batch, width)
    """

    folds_as = BLOCK

    def __init__(self, width, hidden_width):
        super().__init__()
        self.branch = nn.Sequential(
            nn.BatchNorm1d(width), nn.Linear(width, hidden_width), nn.ReLU(), nn.Linear(hidden_width, width)
        )

    def forward(self, x):
        return x + self.branch(x)


class ResNetEncoder(TableEncoder):
    """Encode table rows with a residual network.

    Parameters
    ----------
    width : int, default=192
        Width of the residual stream and of the embedding, unless `n_components` is set: then a linear layer of that
        width is added.
    n_blocks : int, default=2
        Number of residual blocks.
    expansion : {"piecewise_linear", "periodic"}, component or None, default=None
        Expansion of each number before the first layer (`PiecewiseLinear`, `Periodic`). None keeps the number itself.

    See Also
    --------
    MLPEncoder : Use a multilayer perceptron, the default.

    References
    ----------
    Gorishniy, Rubachev, Khrulkov and Babenko, "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021,
    section 3.2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import ResNetEncoder
    >>> from sklearn_twins.preprocessing import TablePreprocessor
    >>> spec = TablePreprocessor().fit([[0.0, "a"], [2.0, "b"]]).spec_
    >>> encoder = ResNetEncoder(width=32).build(spec, None, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 2)).shape
    torch.Size([5, 32])
    """

    _parameter_constraints: dict = {
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
        "expansion": EXPANSION_CONSTRAINT,
    }

    def __init__(self, width=192, n_blocks=2, expansion=None):
        self.width = width
        self.n_blocks = n_blocks
        self.expansion = expansion

    def _layers(self, width_in):
        """Return the layers after the stem, and the width of their output."""
        blocks = [ResidualBlock(self.width, 2 * self.width) for _ in range(self.n_blocks)]
        return [nn.Linear(width_in, self.width), *blocks, nn.BatchNorm1d(self.width), nn.ReLU()], self.width

"""DilatedEncoder: convolutions over time with growing distances between their steps."""

from itertools import pairwise
from numbers import Integral

import torch.nn.functional as F
from sklearn.utils._param_validation import Interval
from torch import nn

from ._encoder import SeriesEncoder, hide

WIDTH = Interval(Integral, 1, None, closed="left")


class StepProjection(nn.Conv1d):
    """A linear layer for the channels of each step; missing steps stay 0.

    Shape
    -----
    x : (batch, width_in, length); mark : (batch, 1, length) or None; returns x : (batch, width_out, length) and mark
    """

    def __init__(self, width_in, width_out):
        super().__init__(width_in, width_out, 1)

    def forward(self, x, mark):
        return hide(super().forward(x), mark), mark


class DilatedResidual(nn.Module):
    """``shortcut(x) + branch(x)``, with a branch of two dilated convolutions of three steps, GELU before each.

    Shape
    -----
    x : (batch, width_in, length); mark : (batch, 1, length) or None; returns x : (batch, width_out, length) and mark
    """

    def __init__(self, width_in, width_out, dilation):
        super().__init__()
        same = {"padding": dilation, "dilation": dilation}
        self.first = nn.Conv1d(width_in, width_out, 3, **same)
        self.second = nn.Conv1d(width_out, width_out, 3, **same)
        self.shortcut = None if width_in == width_out else nn.Conv1d(width_in, width_out, 1)

    def forward(self, x, mark):
        shortcut = x if self.shortcut is None else self.shortcut(x)
        y = self.second(hide(F.gelu(self.first(F.gelu(x))), mark))
        return hide(y + shortcut, mark), mark


class DilatedEncoder(SeriesEncoder):
    """Convolutions of three steps whose distance doubles from block to block, at the full length of a series.

    The embedding is the mean and the maximum over time. Each step sees many steps around it, so that embeddings of
    single steps are useful, too. Blocks whose distance is as long as a series are left out: they would see one step.

    NOTE[DIFF]: the paper takes the maximum over 320 channels; here the mean and the maximum over 160 channels have the
    same width. The dropout behind the last block and the random mask behind the first layer are left out; views have
    this purpose.

    Parameters
    ----------
    width : int, default=64
        Number of channels of all blocks but the last.
    last_width : int, default=160
        Number of channels of the last block. The embedding is twice as wide; for another `n_components`, a linear layer
        is added.
    n_blocks : int, default=10
        Largest number of blocks before the last one, with distances of 1, 2, 4, ... steps.

    See Also
    --------
    SeriesResNetEncoder : A residual network that halves the length, which is faster.

    References
    ----------
    Yue et al., "TS2Vec: Towards Universal Representation of Time Series", AAAI 2022, section 2.2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import DilatedEncoder
    >>> from sklearn_twins.preprocessing import SeriesSpec
    >>> spec, generator = SeriesSpec((1, 50)), torch.Generator().manual_seed(0)
    >>> encoder = DilatedEncoder(width=8, last_width=16).build(spec, None, generator)
    >>> encoder(torch.zeros(5, 1, 50)).shape
    torch.Size([5, 32])
    """

    _parameter_constraints: dict = {
        "width": [WIDTH],
        "last_width": [WIDTH],
        "n_blocks": [Interval(Integral, 0, 30, closed="both")],
    }

    def __init__(self, width=64, last_width=160, n_blocks=10):
        self.width = width
        self.last_width = last_width
        self.n_blocks = n_blocks

    def _blocks(self, spec):
        n_blocks = min(self.n_blocks, (spec.length - 1).bit_length() - 1 if spec.length > 1 else 0)
        widths = [self.width] * (n_blocks + 1) + [self.last_width]
        pairs = enumerate(pairwise(widths))
        blocks = [DilatedResidual(a, b, dilation=2**i) for i, (a, b) in pairs]
        return [StepProjection(spec.n_channels, self.width), *blocks], self.last_width

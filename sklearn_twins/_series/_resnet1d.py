"""SeriesResNetEncoder: a residual network of convolutions over time."""

from itertools import pairwise

import torch.nn.functional as F
from torch import nn

from .._parts._projector import check_widths
from ._encoder import SeriesEncoder, StepNorm

KERNELS = (7, 5, 3)  # steps


class SeriesResidual(nn.Module):
    """``relu(shortcut(x) + branch(x))``, with a branch of three convolutions; the first may halve the length before.

    Shape
    -----
    x : (batch, width_in, length); mark : (batch, 1, length) or None; returns x : (batch, width_out, steps) and the mark
    """

    def __init__(self, width_in, width_out, halves):
        super().__init__()
        widths = (width_in, *[width_out] * len(KERNELS))
        sizes = [(a, b, kernel) for (a, b), kernel in zip(pairwise(widths), KERNELS, strict=True)]
        self.halves = halves
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, k, padding=k // 2, bias=False) for a, b, k in sizes)
        self.norms = nn.ModuleList(StepNorm(width_out) for _ in KERNELS)
        same = width_in == width_out
        self.shortcut = None if same else nn.Conv1d(width_in, width_out, 1, bias=False)
        self.shortcut_norm = None if same else StepNorm(width_out)

    def forward(self, x, mark):
        if self.halves:
            x = F.max_pool1d(x, 2, ceil_mode=True)  # x is not negative, so that what is missing, 0, wins nowhere
            mark = None if mark is None else F.max_pool1d(mark, 2, ceil_mode=True)
        shortcut = x if self.shortcut is None else self.shortcut_norm(self.shortcut(x), mark)
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(x if i == 0 else F.relu(x)), mark)
        return F.relu(x + shortcut), mark


class SeriesResNetEncoder(SeriesEncoder):
    """A residual network for time series.

    Each block has three convolutions of 7, 5 and 3 steps with batch norm and ReLU, and a shortcut around them. Between
    blocks, the maximum of two steps halves the length. The embedding is the mean and the maximum over time. Missing
    steps and padding are left out of the convolutions, the batch norm and the embedding.

    NOTE[DIFF]: the paper keeps the length, has widths 64, 128, 128 and the mean only. A shortcut of equal widths is the
    input itself, without batch norm.

    Parameters
    ----------
    widths : tuple of int, default=(64, 64, 128)
        Number of channels of each block. The embedding is twice as wide as the last one; for another `n_components`,
        a linear layer is added.

    See Also
    --------
    DilatedEncoder : Convolutions with growing distances, at full length.

    References
    ----------
    Wang, Yan and Oates, "Time Series Classification from Scratch with Deep Neural Networks: A Strong Baseline", IJCNN
    2017, section II.C.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import SeriesResNetEncoder
    >>> from sklearn_twins.preprocessing import SeriesSpec
    >>> encoder = SeriesResNetEncoder(widths=(8, 16)).build(SeriesSpec((1, 50)), None, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 1, 50)).shape
    torch.Size([5, 32])
    """

    _parameter_constraints: dict = {"widths": [tuple, list]}

    def __init__(self, widths=(64, 64, 128)):
        self.widths = widths

    def check(self):
        """Refuse widths that are not positive integers, and an empty list.

        Returns
        -------
        self : SeriesResNetEncoder
            The object itself.

        Raises
        ------
        ValueError
            If `widths` is empty or holds anything but positive integers.
        """
        super().check()
        check_widths(self, "widths")
        if not self.widths:
            raise ValueError("The 'widths' parameter of SeriesResNetEncoder is empty; give at least one width.")
        return self

    def _blocks(self, spec):
        widths = [spec.n_channels, *self.widths]
        pairs = enumerate(pairwise(widths))
        return [SeriesResidual(a, b, halves=i > 0) for i, (a, b) in pairs], self.widths[-1]

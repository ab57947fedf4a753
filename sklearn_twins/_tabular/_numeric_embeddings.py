"""Numeric embeddings: expand each number into several, piecewise linear or periodic."""

import math
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval, Options
from torch import nn

from .._parts._component import Component
from .._parts._initialize import SeededLayer

N_EDGES = 33  # edges per number in a spec: 32 bins


class PiecewiseLinear(Component):
    """Expand each number by bins that hold equally many training rows.

    Component t is 0 below bin t, 1 above it, and rises linearly within it.

    NOTE[DIFF]: in the paper, the first and the last bin continue beyond their outer edges; here they end there, since
    the numbers are already bounded.

    Parameters
    ----------
    n_bins : {2, 4, 8, 16, 32}, default=8
        Number of bins, and so of values per number.

    See Also
    --------
    Periodic : Use sines and cosines instead of bins.

    References
    ----------
    Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022,
    section 3.2, eq. 1 ("Q", bins from quantiles).

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import PiecewiseLinear, initialize
    >>> edges = [[float(edge) for edge in range(33)]]  # one number, 32 bins
    >>> with torch.device("meta"):
    ...     expansion = PiecewiseLinear(n_bins=4).build(edges)
    >>> initialize(expansion, torch.Generator())(torch.tensor([[20.0]]))  # half of the third bin
    tensor([[[1.0000, 1.0000, 0.5000, 0.0000]]])
    """

    _parameter_constraints: dict = {"n_bins": [Options(Integral, {2, 4, 8, 16, 32})]}

    def __init__(self, n_bins=8):
        self.n_bins = n_bins

    def build(self, edges):
        """Build the module.

        Parameters
        ----------
        edges : sequence of sequences of 33 floats
            Edges of 32 bins per number.

        Returns
        -------
        expansion : nn.Module
            (batch, n_numbers) -> (batch, n_numbers, n_bins).
        """
        return _PiecewiseLinear([row[:: (N_EDGES - 1) // self.n_bins] for row in edges])


class _PiecewiseLinear(SeededLayer, nn.Module):
    def __init__(self, edges):
        super().__init__()
        self.edges, self.width = edges, len(edges[0]) - 1
        for name in ("high", "slope"):
            self.register_buffer(name, torch.empty(len(edges), self.width), persistent=False)

    def reset_parameters_from(self, generator):
        """Compute the bins; nothing is random."""
        edges = torch.tensor(self.edges, dtype=torch.float64)  # (n_numbers, n_bins + 1)
        width = edges.diff(dim=1)
        slope = 1 / width.clamp(min=1e-6)  # an empty bin is a step
        self.high, self.slope = edges[:, 1:].float(), slope.float()

    def forward(self, x):
        return ((x.unsqueeze(2) - self.high) * self.slope + 1).clamp(0, 1)  # (batch, n_numbers, n_bins)


class Periodic(Component):
    """Expand each number into sines and cosines with trained frequencies, followed by a small layer.

    A number x becomes ``relu(W [sin(2 pi c x), cos(2 pi c x)] + b)``, with c, W and b of its own.

    Parameters
    ----------
    n_frequencies : int, default=16
        Number of frequencies per number.
    frequency_scale : float, default=0.5
        Standard deviation of the initial frequencies, in cycles per interquartile range.
    width : int, default=8
        Number of values per number.

    See Also
    --------
    PiecewiseLinear : Use bins instead of sines and cosines.

    References
    ----------
    Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022,
    section 3.3, eq. 2 ("PLR").

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import Periodic, initialize
    >>> with torch.device("meta"):
    ...     expansion = Periodic(width=8).build([()] * 3)  # three numbers
    >>> initialize(expansion, torch.Generator().manual_seed(0))(torch.zeros(5, 3)).shape
    torch.Size([5, 3, 8])
    """

    _parameter_constraints: dict = {
        "n_frequencies": [Interval(Integral, 1, None, closed="left")],
        "frequency_scale": [Interval(Real, 0, None, closed="neither")],
        "width": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, n_frequencies=16, frequency_scale=0.5, width=8):
        self.n_frequencies = n_frequencies
        self.frequency_scale = frequency_scale
        self.width = width

    def build(self, edges):
        """Build the module.

        Parameters
        ----------
        edges : sequence
            One entry per number; only their number is used.

        Returns
        -------
        expansion : nn.Module
            (batch, n_numbers) -> (batch, n_numbers, width).
        """
        return _Periodic(len(edges), self.n_frequencies, self.frequency_scale, self.width)


class _Periodic(SeededLayer, nn.Module):
    def __init__(self, n_numbers, n_frequencies, scale, width):
        super().__init__()
        self.scale, self.width = scale, width
        self.frequencies = nn.Parameter(torch.empty(n_numbers, n_frequencies))
        self.weight = nn.Parameter(torch.empty(n_numbers, 2 * n_frequencies, width))
        self.bias = nn.Parameter(torch.empty(n_numbers, width))

    def reset_parameters_from(self, generator):
        """Draw the frequencies as in the paper, and the layers like `nn.Linear`."""
        self.frequencies.normal_(0, self.scale, generator=generator)
        bound = 1 / math.sqrt(self.weight.shape[1])
        for parameter in (self.weight, self.bias):
            parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, x):
        angle = 2 * math.pi * self.frequencies * x.unsqueeze(2)  # (batch, n_numbers, n_frequencies)
        waves = torch.cat([angle.sin(), angle.cos()], dim=2)  # (batch, n_numbers, 2 * n_frequencies)
        mixed = torch.einsum("bnf,nfw->bnw", waves, self.weight) + self.bias
        return mixed.relu()  # (batch, n_numbers, width)


EXPANSIONS = {"piecewise_linear": PiecewiseLinear, "periodic": Periodic}


def resolve_expansion(expansion):
    """Turn a name into a component with its defaults; return components and None unchanged."""
    return EXPANSIONS[expansion]() if isinstance(expansion, str) else expansion

"""MiniRocket's kernels in torch: convolutions by sums of shifted series, thresholds, shares of positive values."""

import torch
from torch import nn

from .._parts._encoder import STEM
from .._parts._initialize import SeededLayer
from ._kernels import KERNEL_LENGTH, N_KERNELS, Kernels, choose_layers, quantile_levels

HALF = KERNEL_LENGTH // 2
CHUNK_VALUES = 2**19  # outputs of one layer that are made at a time on a CPU, to stay in its cache
FIT_VALUES = 2**22  # outputs of one layer that are made to fit its biases


def convolve(x, dilation):
    """Convolve series with all 84 kernels, whose weights are three times 2 and six times -1.

    An output is three times the sum of three values minus the sum of nine. Sums of one, two and three of the nine
    are built on one another, by additions only: outputs are the same to the bit on every device and in every batch.

    Parameters
    ----------
    x : Tensor of shape (batch, length)
        The series; zeros are appended at both ends.
    dilation : int
        Distance between the 9 values.

    Returns
    -------
    outputs : Tensor of shape (batch, 84, length)
        Kernels are ordered by their last weight of 2, then by the second, then by the first.
    """
    length, padding = x.shape[1], HALF * dilation
    padded = nn.functional.pad(x, (padding, padding))
    taps = [padded[:, i * dilation : i * dilation + length] for i in range(KERNEL_LENGTH)]
    total = taps[0]
    for tap in taps[1:]:
        total = total + tap
    tripled = torch.stack(taps, dim=1) * 3  # (batch, 9, length)
    one = tripled[:, : KERNEL_LENGTH - 2] - total.unsqueeze(1)  # (batch, 7, length)
    if getattr(torch.compiler, "is_exporting", bool)():  # the same sums, by a graph of fewer nodes
        return add_pairs(add_pairs(one, tripled, PAIRS), tripled, TRIPLES)
    two = torch.cat([one[:, :j] + tripled[:, j : j + 1] for j in range(1, KERNEL_LENGTH - 1)], dim=1)
    three = [two[:, : k * (k - 1) // 2] + tripled[:, k : k + 1] for k in range(2, KERNEL_LENGTH)]
    return torch.cat(three, dim=1)


PAIRS = [(i, j) for j in range(1, KERNEL_LENGTH - 1) for i in range(j)]  # places in `one`, and of the second weight
TRIPLES = [(i, k) for k in range(2, KERNEL_LENGTH) for i in range(k * (k - 1) // 2)]


def add_pairs(first, second, places):
    """Sums of rows of two tensors.

    Shape
    -----
    (batch, rows, length), (batch, other rows, length) -> (batch, len(places), length)
    """
    i, j = torch.tensor(places).T
    return first.index_select(1, i) + second.index_select(1, j)


def read_channels(x, spec):
    """Split samples into channels and marks; append the differences of each channel from step to step.

    A difference is 0 at the first step, and where the step before is missing.

    Shape
    -----
    (batch, *spec.shape) -> (batch, 2 * n_channels, length), and (batch, 1, length) or None
    """
    marks = x[:, -1:] if spec.masked else None
    x = x if marks is None else x[:, :-1] * marks
    differences = x[:, :, 1:] - x[:, :, :-1]
    if marks is not None:
        differences = differences * (marks[:, :, 1:] * marks[:, :, :-1])
    return torch.cat([x, nn.functional.pad(differences, (1, 0))], dim=1), marks


def mix_channels(x, channels):
    """Sum some channels.

    Shape
    -----
    (batch, channels, length) -> (batch, length)
    """
    mixed = x[:, channels[0]]
    for channel in channels[1:]:
        mixed = mixed + x[:, channel]
    return mixed


def fit_kernels(samples, spec, n_features):
    """Choose dilations and channels, and take biases from quantiles of outputs for training series.

    Each kernel of each layer has a training series, and a quantile of its outputs for this series is its bias. Series
    and quantiles are spread evenly instead of drawn, so that the same series give the same biases.

    Parameters
    ----------
    samples : ndarray of shape (n, *spec.shape), float32
        Training samples.
    spec : SeriesSpec
        Their spec.
    n_features : int
        Wanted number of features.

    Returns
    -------
    kernels : Kernels
    """
    dilations, channels = choose_layers(n_features, spec.n_channels, spec.length)
    n_layers = len(dilations)
    levels = torch.from_numpy(quantile_levels(n_layers * N_KERNELS).reshape(n_layers, N_KERNELS))
    n_series = min(N_KERNELS, max(1, FIT_VALUES // (N_KERNELS * spec.length)))
    kernels, biases = torch.arange(N_KERNELS), []
    for layer, (dilation, subset) in enumerate(zip(dilations, channels, strict=True)):
        places = torch.arange(layer * n_series, (layer + 1) * n_series).double() * 0.6180339887498949 % 1
        x = torch.from_numpy(samples[(places * len(samples)).long().numpy()])  # (n_series, channels, length)
        x, marks = read_channels(x, spec)
        outputs = convolve(mix_channels(x, subset), dilation)[kernels % n_series, kernels]  # (84, length)
        if spec.masked:
            there = marks[kernels % n_series, 0] > 0  # (84, length)
            outputs, counts = outputs.masked_fill(~there, torch.inf), there.sum(1)
        else:
            counts = torch.full((N_KERNELS,), spec.length)
        place = levels[layer] * (counts - 1)  # (84,), float64
        low = place.long()
        ordered = outputs.double().sort(dim=1).values
        below = ordered.gather(1, low.unsqueeze(1)).squeeze(1)
        above = ordered.gather(1, torch.minimum(low + 1, counts - 1).unsqueeze(1)).squeeze(1)
        biases.append(tuple((below + (above - below) * (place - low)).float().tolist()))
    return Kernels(dilations, channels, tuple(biases))


class KernelFeatures(SeededLayer, nn.Module):
    """Turn series into the shares of time steps at which each kernel's output is above its bias.

    Every other pair of layers counts only steps at which all 9 values lie within the series, if there are any. Steps
    that are missing are not counted. Nothing is trained, and there are no gradients.

    Parameters
    ----------
    spec : SeriesSpec
        Spec of the samples, with `kernels`.

    References
    ----------
    Dempster, Schmidt and Webb, "MINIROCKET: A Very Fast (Almost) Deterministic Transform for Time Series
    Classification", KDD 2021.
    Tan, Dempster, Bergmeir and Webb, "MultiRocket: Multiple Pooling Operators and Transformations for Fast and
    Effective Time Series Classification", Data Mining and Knowledge Discovery 36, 2022: the differences.

    Shape
    -----
    (batch, channels, length) -> (batch, 84 * layers), each in [0, 1]
    """

    folds_as = STEM

    def __init__(self, spec):
        super().__init__()
        self.spec, kernels = spec, spec.kernels
        self.width, self.slots = kernels.n_features, {}  # (dilation, channels) -> layers
        for layer, slot in enumerate(zip(kernels.dilations, kernels.channels, strict=True)):
            self.slots.setdefault(slot, []).append(layer)
        self.register_buffer("biases", torch.empty(len(kernels.dilations), N_KERNELS, 1), persistent=False)

    def reset_parameters_from(self, generator):
        """Store the biases; nothing is random."""
        self.biases = torch.tensor(self.spec.kernels.biases, dtype=torch.float32).unsqueeze(2)

    @torch.no_grad()
    def forward(self, x):
        """Compute the features.

        Parameters
        ----------
        x : Tensor of shape (batch, channels, length)
            Samples of series.

        Returns
        -------
        features : Tensor of shape (batch, 84 * layers)
        """
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return self._count(x)
        rows = max(1, CHUNK_VALUES // (N_KERNELS * self.spec.length))
        return torch.cat([self._count(part) for part in x.split(rows)])

    def _count(self, x):
        x, marks = read_channels(x, self.spec)
        features = [None] * len(self.biases)
        for (dilation, channels), layers in self.slots.items():
            outputs = convolve(mix_channels(x, channels), dilation)  # (batch, 84, length)
            padding = HALF * dilation
            for layer in layers:
                inner = padding if layer // 2 % 2 and self.spec.length > 2 * padding else 0
                if marks is None:
                    counted = outputs[:, :, inner : self.spec.length - inner]
                    features[layer] = is_above(counted, self.biases[layer]).sum(2) / counted.shape[2]
                else:
                    features[layer] = share(is_above(outputs, self.biases[layer]), marks, inner)
        return torch.cat(features, dim=1)


class WithFeatures(nn.Module):
    """A network that begins with `KernelFeatures`, whose features stand next to its output.

    Shape
    -----
    (batch, channels, length) -> (batch, n_components + 84 * layers)
    """

    def __init__(self, network):
        super().__init__()
        self.features, self.layers = network[0], network[1:]

    def forward(self, x):
        features = self.features(x)
        return torch.cat([self.layers(features), features], dim=1)


def is_above(outputs, bias):
    """1.0 where an output is above the bias, else 0.0; written at once, which takes a fifth of the time."""
    if torch.compiler.is_compiling():
        return (outputs > bias).float()
    return torch.gt(outputs, bias, out=torch.empty_like(outputs))


def share(above, marks, padding):
    """Share of the steps that are counted.

    Parameters
    ----------
    above : Tensor of shape (batch, 84, length)
        1 where an output is above its bias.
    marks : Tensor of shape (batch, 1, length)
        1 where a step is there.
    padding : int
        Distance from a kernel's middle to its ends, if only steps count at which both ends are there; else 0. If a
        series has no such step, all of its steps count.

    Returns
    -------
    share : Tensor of shape (batch, 84)
    """
    counted = marks
    if padding:
        ends = nn.functional.pad(marks[:, :, : -2 * padding] * marks[:, :, 2 * padding :], (padding, padding))
        counted = torch.where((marks * ends).sum(2, keepdim=True) > 0, marks * ends, marks)
    return (above * counted).sum(2) / counted.sum(2).clamp(min=1)

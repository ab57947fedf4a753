"""Kernels: what MiniRocket's fixed kernels learn from the training series."""

import math
from dataclasses import dataclass, field

import numpy as np

N_KERNELS = 84  # ways to choose 3 of 9 weights
KERNEL_LENGTH = 9
GOLDEN_RATIO = (np.sqrt(5) + 1) / 2


@dataclass(frozen=True)
class Kernels:
    """Layers of MiniRocket's 84 kernels, each layer with a dilation, channels and biases.

    With n channels, channel ``n + i`` stands for the differences of channel i from step to step.

    Parameters
    ----------
    dilations : tuple of int
        Distance between the 9 steps that a kernel sees, by layer, in ascending order.
    channels : tuple of tuples of int
        Channels that are summed before the kernels, by layer.
    biases : tuple of tuples of float
        Thresholds of the 84 kernels, by layer. Left out of comparisons.
    """

    dilations: tuple
    channels: tuple
    biases: tuple = field(default=(), repr=False, compare=False)

    def __getstate__(self):  # skops needs 200 bytes for each single float
        return {**vars(self), "biases": np.array(self.biases, dtype=np.float64)}

    def __setstate__(self, state):
        self.__dict__.update(state, biases=tuple(map(tuple, state["biases"].tolist())))

    @property
    def n_features(self):
        """Number of features."""
        return N_KERNELS * len(self.dilations)

    def thin(self, n_features, n_channels):
        """Keep some layers that see values, not differences, spread evenly over the dilations and over the channels.

        Parameters
        ----------
        n_features : int
            Wanted number of features; rounded down to whole layers, at least 1.
        n_channels : int
            Number of channels of a series.

        Returns
        -------
        kernels : Kernels
            These ones if there are no more than wanted.
        """
        if n_features >= self.n_features:
            return self
        of_values = [layer for layer, channels in enumerate(self.channels) if max(channels) < n_channels]
        kept, counts = [], dict.fromkeys(self.channels, 0)
        for place in np.linspace(0, of_values[-1], min(len(of_values), max(1, n_features // N_KERNELS))):
            left = [layer for layer in of_values if layer not in kept]
            kept.append(min(left, key=lambda layer: (counts[self.channels[layer]], abs(layer - place))))
            counts[self.channels[kept[-1]]] += 1
        kept.sort()
        return Kernels(*(tuple(values[i] for i in kept) for values in (self.dilations, self.channels, self.biases)))


def choose_layers(n_features, n_channels, length):
    """Choose dilations and channels.

    Dilations are spread evenly on a logarithmic scale, up to kernels as long as a series. Every other layer sees the
    differences from step to step instead of the values. With several channels, each pair of layers sees one of them, in
    turn; if there are more channels than pairs, it sees the sum of a few.

    NOTE[DIFF]: MiniRocket has no differences. They are those of MultiRocket (Tan et al. 2022), whose three other
    statistics of the outputs are left out: each doubles the columns, and gains less than the differences.

    NOTE[DIFF]: in the authors' code, each kernel of a layer sums a random subset of up to 9 channels. Here all 84
    kernels of a layer share their input, which is then made once. With random sums for whole layers, ridge regression
    is 6 to 11 points behind single channels (movements of a watch, 924 features, people held out).

    Parameters
    ----------
    n_features : int
        Wanted number of features; the number of layers is this over 84, at least 1.
    n_channels, length : int
        Size of a series.

    Returns
    -------
    dilations : tuple of int
    channels : tuple of tuples of int
    """
    n_layers = max(1, n_features // N_KERNELS)
    exponent = np.log2(max(1.0, (length - 1) / (KERNEL_LENGTH - 1)))
    dilations = tuple((2 ** np.linspace(0, exponent, n_layers) + 1e-9).astype(int).tolist())
    n_pairs = -(-n_layers // 2)  # rounded up
    step = max(1, round(n_channels / GOLDEN_RATIO))  # so that neighbouring dilations see distant channels
    while math.gcd(step, n_channels) > 1:
        step += 1
    size = -(-n_channels // n_pairs)
    turns = [sorted(step * (pair * size + i) % n_channels for i in range(size)) for pair in range(n_pairs)]
    channels = [tuple(layer % 2 * n_channels + c for c in turns[layer // 2]) for layer in range(n_layers)]
    return dilations, tuple(channels)


def quantile_levels(n):
    """Levels between 0 and 1 that fill the range evenly, however many are taken.  # (n,), float64"""
    return np.arange(1, n + 1) * GOLDEN_RATIO % 1

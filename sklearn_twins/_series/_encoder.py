"""SeriesEncoder, the base of convolutional networks for time series: masks, mean and maximum over time, frames."""

import numpy as np
import torch
from torch import nn

from .._parts._encoder import STEM, Encoder
from .._runtime._joint_sums import sum_over_processes
from ._spec import SeriesSpec


def check_series_spec(component, spec):
    """Refuse to encode rows of a table, or images, as time series."""
    if not isinstance(spec, SeriesSpec):
        raise ValueError(
            f"encoder={component!r} is for time series, samples of shape (channels, length). Got samples of shape "
            f"{spec.shape}; use encoder='auto', or modality='series'."
        )


def hide(x, mark):
    """Set what is missing to 0, so that it is to a convolution what is beyond the end.  # (batch, channels, length)"""
    return x if mark is None else x * mark


def pool(x, mark):
    """Take the mean and the maximum over the steps that are there; 0 if there are none.

    Shape
    -----
    x : (batch, width, length); mark : (batch, 1, length) or None; returns (batch, 2 * width)
    """
    if mark is None:
        return torch.cat([x.mean(2), x.amax(2)], dim=1)
    n_there = mark.sum(2)  # (batch, 1)
    mean = (x * mark).sum(2) / n_there.clamp(min=1)
    largest = torch.where(mark > 0, x, torch.finfo(x.dtype).min).amax(2)
    return torch.cat([mean, torch.where(n_there > 0, largest, 0)], dim=1)


class StepNorm(nn.BatchNorm1d):
    """Batch norm of each channel over the steps that are there; those that are missing become 0.

    Shape
    -----
    x : (batch, channels, length); mark : (batch, 1, length) or None; returns as x
    """

    def forward(self, x, mark):
        if mark is None or not self.training:
            return hide(super().forward(x), mark)
        n = sum_over_processes(mark.sum()).clamp(min=1)
        mean = sum_over_processes((x * mark).sum((0, 2))) / n  # (channels,)
        centered = (x - mean[:, None]) * mark
        variance = sum_over_processes(centered.square().sum((0, 2))) / n
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1).clamp(min=1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul(hide(self.bias[:, None], mark), centered, scale[:, None])


class SeriesNet(nn.Module):
    """Blocks of layers over time, then the mean and the maximum over all steps that are there.

    Parameters
    ----------
    blocks : list of nn.Module
        ``block(x, mark) -> (x, mark)``, of shapes (batch, width, length) and (batch, 1, length); the mark is None if no
        step is missing.
    masked : bool
        Whether the last channel of a sample marks the steps that are there.

    Shape
    -----
    (batch, channels with the mark, length) -> (batch, 2 * width)
    """

    folds_as = STEM

    def __init__(self, blocks, masked):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.masked = masked

    def compute_steps(self, x):
        """Compute the blocks' output at each step, possibly fewer steps.  # (batch, width, steps), (batch, 1, steps)"""
        x, mark = (x[:, :-1], x[:, -1:]) if self.masked else (x, None)
        for block in self.blocks:
            x, mark = block(x, mark)
        return x, mark

    def forward(self, x):
        return pool(*self.compute_steps(x))

    def compute_frames(self, x):
        """Compute for each step what `forward` returns for a series of this step alone.

        Shape
        -----
        (batch, channels with the mark, length) -> (batch, length, 2 * width)
        """
        steps, _ = self.compute_steps(x)
        stride = -(-x.shape[2] // steps.shape[2])  # rounded up
        frames = steps[:, :, torch.arange(x.shape[2], device=x.device) // stride].transpose(1, 2)
        return torch.cat([frames, frames], dim=2)  # mean and maximum


class SeriesEncoder(Encoder):
    """Base of convolutional networks for time series.

    Subclasses define the blocks: ``_blocks(spec) -> (list of nn.Module, width)``, see `SeriesNet`.
    """

    def _blocks(self, spec):
        """Blocks over time, and the number of their output channels."""
        raise NotImplementedError

    def _check_spec(self, spec):
        check_series_spec(self, spec)

    def _make(self, spec):
        """The whole network as the first layer, which `transform` leaves as it is, and its width."""
        blocks, width = self._blocks(spec)
        return SeriesNet(blocks, spec.masked), [], 2 * width


class FrameNet(nn.Module):
    """Embed each step of time series by a network of `SeriesEncoder`.

    Parameters
    ----------
    network : nn.Sequential
        A `SeriesNet`, and layers that take its output.

    Shape
    -----
    (batch, channels with the mark, length) -> (batch, length * n_components)
    """

    def __init__(self, network):
        super().__init__()
        self.steps, self.layers = network[0], network[1:]

    def forward(self, x):
        frames = self.steps.compute_frames(x)
        return self.layers(frames.flatten(0, 1)).reshape(len(x), -1)


def embed_frames(network, samples, spec, embed):
    """Embed each step of time series; see `Modality.embed_frames`.

    Returns
    -------
    frames : ndarray of shape (n, length, n_components), float32
        NaN where a step is missing.
    times : ndarray of shape (length,)
        Numbers of the steps.
    """
    if not (isinstance(network, nn.Sequential) and isinstance(network[0], SeriesNet)):
        raise ValueError(
            "transform_frames needs an encoder that keeps the steps of a time series apart: encoder='resnet1d' or "
            "encoder='dilated'. The fitted one embeds a series as a whole only."
        )
    frames = embed(FrameNet(network).eval(), samples, spec).reshape(len(samples), spec.length, -1)
    if spec.masked:
        frames[samples[:, -1] == 0] = np.nan
    return frames, np.arange(spec.length)

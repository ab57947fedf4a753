"""What augmentations of time series share: operations on a whole batch, lengths, interpolation in time, splines."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from .._parts._augmentation import Augmentation
from ._spec import SeriesSpec


@dataclass(frozen=True)
class Operation:
    """One change of time series of a fixed shape: how its random numbers are drawn, and what it does with them.

    Parameters
    ----------
    change : callable
        ``change(values, mark, *numbers) -> (values, mark)``, new tensors of shape (batch, channels, length) and
        (batch, 1, length). The mark is None if no step is missing; where it is 0, values are 0.
    draw_numbers : callable
        ``draw_numbers(n, generator) -> tuple of tensors`` for n series.
    """

    change: Callable
    draw_numbers: Callable


class SeriesOperations:
    """Operations on time series of one shape, as one augmentation.

    Parameters
    ----------
    operations : list of Operation
        In the order of application.
    masked : bool
        Whether the last channel marks the steps that are there.
    """

    def __init__(self, operations, masked):
        self.operations = operations
        self.masked = masked

    def fused_with(self, other):
        """Join these operations with those of the next augmentation; None if it has no such operations."""
        if isinstance(other, SeriesOperations) and other.masked == self.masked:
            return SeriesOperations(self.operations + other.operations, self.masked)
        return None

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, channels with the mark, length); data is not used; returns as x
        """
        return self.apply(x, [operation.draw_numbers(len(x), generator) for operation in self.operations])

    def apply(self, x, drawn):
        """Make the view that given numbers lead to.  # (batch, channels with the mark, length)"""
        if not self.operations:
            return x.clone()
        values, mark = (x[:, :-1], x[:, -1:]) if self.masked else (x, None)
        for operation, numbers in zip(self.operations, drawn, strict=True):
            values, mark = operation.change(values, mark, *numbers)
        return (torch.cat([values, mark], dim=1) if self.masked else values).to(x.dtype)


class SeriesAugmentation(Augmentation):
    """Base of the augmentations of time series, which change each series by its own random numbers.

    Subclasses define ``_operations(spec, device)``, a list of `Operation` for series that a `SeriesSpec` describes.
    """

    _made_for = ("time series", "(channels, length)")

    def __call__(self, x, data, generator):
        """Make one view of complete series; `bind` tells the augmentation of missing steps.

        Shape
        -----
        x : (batch, channels, length); data is not used; returns (batch, channels, length)
        """
        return self.bind(SeriesSpec(tuple(x.shape[1:])), x.device)(x, data, generator)

    def _bound(self, spec, device):
        spec = spec if isinstance(spec, SeriesSpec) else SeriesSpec(tuple(spec.shape))
        return SeriesOperations(self._operations(spec, device), spec.masked)


def draw_uniform(n, *shape, generator):
    """Draw uniform numbers for each of `n` series.  # (n, *shape)"""
    return torch.rand((n, *shape), generator=generator, device=generator.device, dtype=torch.float32)


def draw_normal(n, *shape, generator):
    """Draw standard normal numbers for each of `n` series.  # (n, *shape)"""
    return torch.randn((n, *shape), generator=generator, device=generator.device, dtype=torch.float32)


def make_times(x):
    """Make the numbers of the time steps.  # (1, length), float32"""
    return torch.arange(x.shape[-1], device=x.device, dtype=torch.float32)[None]


def count_steps(values, mark):
    """Count the steps of each series up to the last one that is there, at least 1; the others are padding.

    Shape
    -----
    values : (batch, channels, length); mark : (batch, 1, length) or None; returns (batch, 1) or (1, 1), float32
    """
    if mark is None:
        return values.new_full((1, 1), values.shape[2], dtype=torch.float32)
    return (mark[:, 0] * (make_times(values) + 1)).amax(1, keepdim=True).clamp(min=1)


def take(values, mark, at, n_steps):
    """Take each step from another time of its series, by linear interpolation.

    Between a step that is there and one that is missing, the nearer one decides whether the new step is there; its
    value is that of the step that is there.

    Shape
    -----
    values : (batch, channels, length); mark : (batch, 1, length) or None; at : (batch, length), in steps, clipped at
    the ends of a series; n_steps : (batch, 1); returns values and mark
    """
    at = torch.minimum(at.clamp(min=0), n_steps - 1)
    floor = at.floor()
    weight, low = (at - floor).to(values.dtype)[:, None], floor.long()[:, None]
    high = (low + 1).clamp(max=values.shape[2] - 1)

    def interpolate(x):
        first, second = (x.gather(2, index.expand(-1, x.shape[1], -1)) for index in (low, high))
        return torch.lerp(first, second, weight)

    if mark is None:
        return interpolate(values), None
    share = interpolate(mark)
    there = (share >= 0.5) & (make_times(values) < n_steps)[:, None]
    return torch.where(there, interpolate(values) / share.clamp(min=0.5), 0), there.to(mark.dtype)


def make_spline(n_knots, device):
    """Make the coefficients of a cubic spline through equidistant knots, as a linear function of its values there.

    Shape
    -----
    returns (n_knots, 4 * (n_knots - 1)), float32
    """
    coefficients = CubicSpline(np.arange(n_knots), np.eye(n_knots)).c  # (4, pieces, n_knots)
    return torch.tensor(coefficients.reshape(-1, n_knots).T, dtype=torch.float32, device=device)


def evaluate_spline(spline, knots, times, n_steps):
    """Evaluate a spline for each series, whose first knot is at the first step and whose last one at the last step.

    Shape
    -----
    spline : of `make_spline`; knots : (batch, n_knots); times : (1, length); n_steps : (batch, 1) or (1, 1); returns
    (batch, length)
    """
    n_pieces = knots.shape[1] - 1
    at = (times * (n_pieces / (n_steps - 1).clamp(min=1))).clamp(max=n_pieces)  # (batch, length) or (1, length)
    piece = at.long().clamp(max=n_pieces - 1)
    u = at - piece
    a, b, c, d = (knots @ spline).view(len(knots), 4, n_pieces).unbind(1)  # (batch, pieces)
    piece = piece.expand(len(knots), -1)
    value = a.gather(1, piece)
    for coefficient in (b, c, d):
        value = value * u + coefficient.gather(1, piece)
    return value

"""Augmentations that move the steps of time series: crop and resize, time warp, permutation of segments."""

from functools import partial
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval

from .._parts._validation import check_pair
from ._operations import (
    Operation,
    SeriesAugmentation,
    count_steps,
    draw_normal,
    draw_uniform,
    evaluate_spline,
    make_spline,
    make_times,
    take,
)

MIN_SPEED = 0.1  # of a warped time; it never stands still or runs backwards


def crop(values, mark, share, place):
    """Stretch a window of each series over the whole series.

    Shape
    -----
    values, mark : see `Operation`; share, place : (batch, 1), in [0, 1]
    """
    n_steps = count_steps(values, mark)
    return take(values, mark, place * (1 - share) * (n_steps - 1) + share * make_times(values), n_steps)


def warp(values, mark, knots, spline):
    """Let time pass at a speed that changes smoothly; the first and the last step stay where they are.

    Shape
    -----
    values, mark : see `Operation`; knots : (batch, n_knots), speeds; spline : of `make_spline`
    """
    n_steps, times = count_steps(values, mark), make_times(values)
    passed = evaluate_spline(spline, knots, times, n_steps).clamp(min=MIN_SPEED).cumsum(1)  # (batch, length)
    passed = passed - passed[:, :1]
    total = passed.gather(1, (n_steps - 1).long().expand(len(passed), -1)).clamp(min=MIN_SPEED)
    return take(values, mark, passed * ((n_steps - 1) / total), n_steps)


def permute(values, mark, count, scores, keys):
    """Cut each series into segments, and put them into a random order.

    Shape
    -----
    values, mark : see `Operation`; count : (batch, 1), in [0, 1); scores : (batch, length), the smallest of which make
    the cuts; keys : (batch, max_segments), by which the segments are sorted
    """
    n_steps, times = count_steps(values, mark), make_times(values)
    max_segments = keys.shape[1]
    n_cuts = torch.minimum((count * max_segments).floor().clamp(max=max_segments - 1), n_steps - 1)  # (batch, 1)
    scores = torch.where(
        (times > 0) & (times < n_steps), scores, 2.0
    )  # no cut before the first step, or behind the last
    n_drawn = min(max_segments - 1, scores.shape[1])
    places = scores.topk(n_drawn, dim=1, largest=False).indices
    is_cut = (torch.arange(n_drawn, device=scores.device) < n_cuts).to(scores.dtype)  # (batch, n_drawn)
    segment = torch.zeros_like(scores).scatter(1, places, is_cut).cumsum(1).long()
    order = torch.where(times < n_steps, keys.gather(1, segment), 2.0).argsort(dim=1, stable=True)  # (batch, length)
    return take(values, mark, order.to(torch.float32), n_steps)


class TimeCrop(SeriesAugmentation):
    """Crop a random window of each series, and stretch it to the length of the series.

    The window has a random share of the series' length and a random place, and is the same in all channels. Values are
    interpolated linearly.

    Parameters
    ----------
    scale : tuple of two floats, default=(0.6, 1.0)
        Smallest and largest share of the length, in (0, 1].

    See Also
    --------
    TimeWarp : Stretch some parts of a series, and compress others.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import TimeCrop
    >>> x = torch.linspace(0, 1, 5)[None, None]
    >>> TimeCrop(scale=(0.5, 0.5))(x, x, torch.Generator().manual_seed(0)).diff()
    tensor([[[0.1250, 0.1250, 0.1250, 0.1250]]])
    """

    _parameter_constraints: dict = {"scale": [tuple, list]}

    def __init__(self, scale=(0.6, 1.0)):
        self.scale = scale

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : TimeCrop
            The object itself.

        Raises
        ------
        InvalidParameterError, ValueError
            If `scale` is not a pair of numbers in (0, 1], the smaller one first.
        """
        super().check()
        check_pair(self, "scale", 0, 1, above=True)
        return self

    def _operations(self, spec, device):
        low, high = self.scale
        if low == 1:
            return []

        def draw_numbers(n, generator):
            u = draw_uniform(n, 2, generator=generator)
            return low + (high - low) * u[:, :1], u[:, 1:]

        return [Operation(crop, draw_numbers)]


class TimeWarp(SeriesAugmentation):
    """Let time pass faster in some parts of a series, and more slowly in others.

    The speed is a cubic spline through knots that are normal with mean 1, and at least 0.1. It is the same in all
    channels. The first and the last step stay where they are; the others are interpolated linearly.

    Parameters
    ----------
    scale : float, default=0.2
        Standard deviation of the speed at the knots.
    n_knots : int, default=6
        Number of knots, at equal distances over the series.

    References
    ----------
    Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using Convolutional Neural
    Networks", ICMI 2017, section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import TimeWarp
    >>> x = torch.arange(5.0)[None, None]
    >>> TimeWarp()(x, x, torch.Generator().manual_seed(0))
    tensor([[[0.0000, 0.9518, 1.9817, 3.1155, 4.0000]]])
    """

    _parameter_constraints: dict = {
        "scale": [Interval(Real, 0, 10, closed="both")],
        "n_knots": [Interval(Integral, 2, 1000, closed="both")],
    }

    def __init__(self, scale=0.2, n_knots=6):
        self.scale = scale
        self.n_knots = n_knots

    def _operations(self, spec, device):
        if self.scale == 0:
            return []

        def draw_numbers(n, generator):
            return (1 + self.scale * draw_normal(n, self.n_knots, generator=generator),)

        return [Operation(partial(warp, spline=make_spline(self.n_knots, device)), draw_numbers)]


class Permutation(SeriesAugmentation):
    """Cut each series into segments at random places, and put these into a random order.

    The number of segments is uniform from 1 to `max_segments`, and cuts are drawn without replacement. All channels are
    cut at the same places. Use it only if a series means the same in another order of its parts.

    Parameters
    ----------
    max_segments : int, default=5
        Largest number of segments.

    References
    ----------
    Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using Convolutional Neural
    Networks", ICMI 2017, section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Permutation
    >>> x = torch.arange(8.0)[None, None]
    >>> Permutation()(x, x, torch.Generator().manual_seed(1))
    tensor([[[0., 3., 4., 1., 2., 5., 6., 7.]]])
    """

    _parameter_constraints: dict = {"max_segments": [Interval(Integral, 1, 1000, closed="both")]}

    def __init__(self, max_segments=5):
        self.max_segments = max_segments

    def _operations(self, spec, device):
        if self.max_segments == 1:
            return []

        def draw_numbers(n, generator):
            draw = partial(draw_uniform, n, generator=generator)
            return draw(1), draw(spec.length), draw(self.max_segments)

        return [Operation(permute, draw_numbers)]

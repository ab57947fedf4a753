"""The default augmentation of time series, and one for spectra."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from ._operations import Operation, SeriesAugmentation, count_steps, draw_normal, draw_uniform, make_times, take
from ._time_views import TimeCrop, TimeWarp
from ._value_views import SCALE, Jitter, Scaling


def add_line(values, mark, offset, slope):
    """Add a straight line to each channel.  # offset, slope: (batch, channels, 1), in the middle and at the end"""
    middle = (count_steps(values, mark) - 1) / 2
    line = offset + slope * ((make_times(values) - middle) / middle.clamp(min=0.5))[:, None]
    return values + (line if mark is None else line * mark), mark


def shift_steps(values, mark, distance):
    """Move each series in time, and repeat its first or last step beyond it.  # distance: (batch, 1), in steps"""
    return take(values, mark, make_times(values) - distance, count_steps(values, mark))


class SeriesViews(SeriesAugmentation):
    """Augment time series: crop and resize, time warp, scaling, jitter.

    This is the default augmentation of time series. Views keep the order of events, their direction and their sign.

    Parameters
    ----------
    min_scale : float, default=0.75
        Smallest share of a series that a view shows, stretched to the whole length, in (0, 1]. Use 1 if the time of an
        event matters, or how long it takes. See `TimeCrop`.
    time_warp : float, default=0.2
        Standard deviation of the speed at which time passes. Use 0 if how long an event takes matters. See `TimeWarp`.
    scaling : float, default=0.1
        Standard deviation of the factor of each channel. See `Scaling`.
    jitter : float, default=0.05
        Standard deviation of the noise, in standard deviations of the channel. See `Jitter`.

    See Also
    --------
    SpectraViews : Views of spectra.
    Chain : Augmentations of your choice, one after another.
    sklearn_twins.displays.ViewsDisplay : Pictures of views.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import SeriesViews, make_views
    >>> x = torch.sin(torch.arange(200) / 10).expand(16, 3, 200)
    >>> x_a, x_b = make_views(SeriesViews(), x, x, torch.Generator().manual_seed(0))
    >>> x_a.shape
    torch.Size([16, 3, 200])
    """

    _parameter_constraints: dict = {
        "min_scale": [Interval(Real, 0, 1, closed="right")],
        "time_warp": [SCALE],
        "scaling": [SCALE],
        "jitter": [SCALE],
    }

    def __init__(self, min_scale=0.75, time_warp=0.2, scaling=0.1, jitter=0.05):
        self.min_scale = min_scale
        self.time_warp = time_warp
        self.scaling = scaling
        self.jitter = jitter

    def _operations(self, spec, device):
        steps = [TimeCrop((self.min_scale, 1.0)), TimeWarp(self.time_warp), Scaling(self.scaling), Jitter(self.jitter)]
        return [operation for step in steps for operation in step._operations(spec, device)]


class SpectraViews(SeriesAugmentation):
    """Augment spectra: an offset, a slope, a factor, a small shift, and noise.

    The place of a band in a spectrum says what it is, so views neither crop nor warp it.

    Parameters
    ----------
    offset : float, default=0.05
        Standard deviation of the number that is added to each channel, in standard deviations of the channel.
    slope : float, default=0.05
        Standard deviation of the slope of the line that is added to each channel: its value at the last step.
    scaling : float, default=0.05
        Standard deviation of the factor of each channel. See `Scaling`.
    shift : int, default=2
        Largest shift in steps, in either direction; the outermost step is repeated.
    jitter : float, default=0.0
        Standard deviation of the noise, in standard deviations of the channel. See `Jitter`.

    See Also
    --------
    SeriesViews : Views of other time series.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import SpectraViews, make_views
    >>> x = torch.rand(16, 1, 235)
    >>> x_a, x_b = make_views(SpectraViews(), x, x, torch.Generator().manual_seed(0))
    >>> x_a.shape
    torch.Size([16, 1, 235])
    """

    _parameter_constraints: dict = {
        "offset": [SCALE],
        "slope": [SCALE],
        "scaling": [SCALE],
        "shift": [Interval(Integral, 0, None, closed="left")],
        "jitter": [SCALE],
    }

    def __init__(self, offset=0.05, slope=0.05, scaling=0.05, shift=2, jitter=0.0):
        self.offset = offset
        self.slope = slope
        self.scaling = scaling
        self.shift = shift
        self.jitter = jitter

    def _operations(self, spec, device):
        def draw_shift(n, generator):
            u = draw_uniform(n, 1, generator=generator)
            return ((u * (2 * self.shift + 1)).floor_().clamp_(max=2 * self.shift) - self.shift,)

        def draw_line(n, generator):
            offset, slope = draw_normal(n, 2, spec.n_channels, 1, generator=generator).unbind(1)
            return self.offset * offset, self.slope * slope

        operations = [Operation(shift_steps, draw_shift)] if self.shift else []
        operations += Scaling(self.scaling)._operations(spec, device)
        operations += [Operation(add_line, draw_line)] if self.offset or self.slope else []
        return operations + Jitter(self.jitter)._operations(spec, device)

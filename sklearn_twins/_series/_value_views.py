"""Augmentations that change the values of time series: jitter, scaling, magnitude warp, rotation of sensors."""

import math
from functools import partial
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval

from ._operations import (
    Operation,
    SeriesAugmentation,
    count_steps,
    draw_normal,
    draw_uniform,
    evaluate_spline,
    make_spline,
    make_times,
)

SCALE = Interval(Real, 0, 10, closed="both")


def add_noise(values, mark, noise):
    """Add noise to each value that is there.  # noise: (batch, channels, length)"""
    return values + (noise if mark is None else noise * mark), mark


def multiply(values, mark, factor):
    """Multiply each channel by a factor.  # factor: (batch, channels, 1)"""
    return values * factor, mark


def warp_magnitude(values, mark, knots, spline):
    """Multiply all channels by a curve.  # knots: (batch, n_knots); spline: of `make_spline`"""
    curve = evaluate_spline(spline, knots, make_times(values), count_steps(values, mark))  # (batch, length)
    return values * curve[:, None], mark


def rotate(values, mark, axis, angle, channels):
    """Rotate triples of channels, all by the same angle about the same axis.

    Shape
    -----
    values, mark : see `Operation`; axis : (batch, 3); angle : (batch, 1), in radians; channels : (triples, 3)
    """
    axis = axis / axis.norm(dim=1, keepdim=True).clamp(min=1e-12)
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)  # cross @ v is axis x v
    sin, cos = angle.sin()[:, None], angle.cos()[:, None]
    change = sin * cross + (1 - cos) * (cross @ cross)  # (batch, 3, 3), the rotation less the identity
    flat = channels.flatten()
    triples = values.index_select(1, flat).unflatten(1, channels.shape)  # (batch, triples, 3, length)
    return values.index_add(1, flat, (change.to(values.dtype)[:, None] @ triples).flatten(1, 2)), mark


class Jitter(SeriesAugmentation):
    """Add independent normal noise to every value.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, in standard deviations of the channel.

    See Also
    --------
    Scaling : One factor for a whole channel.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Jitter
    >>> x = torch.zeros(10, 2, 500)
    >>> round(Jitter(scale=0.1)(x, x, torch.Generator().manual_seed(0)).std().item(), 2)
    0.1
    """

    _parameter_constraints: dict = {"scale": [SCALE]}

    def __init__(self, scale=0.1):
        self.scale = scale

    def _operations(self, spec, device):
        if self.scale == 0:
            return []

        def draw_numbers(n, generator):
            return (draw_normal(n, spec.n_channels, spec.length, generator=generator).mul_(self.scale),)

        return [Operation(add_noise, draw_numbers)]


class Scaling(SeriesAugmentation):
    """Multiply each channel of a series by a random factor, the same at all its steps.

    The factors are normal with mean 1.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the factors.

    See Also
    --------
    MagnitudeWarp : A factor that changes smoothly in time.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Scaling
    >>> x = torch.ones(1, 2, 3)
    >>> Scaling()(x, x, torch.Generator().manual_seed(0))
    tensor([[[1.1541, 1.1541, 1.1541],
             [0.9707, 0.9707, 0.9707]]])
    """

    _parameter_constraints: dict = {"scale": [SCALE]}

    def __init__(self, scale=0.1):
        self.scale = scale

    def _operations(self, spec, device):
        if self.scale == 0:
            return []

        def draw_numbers(n, generator):
            return (1 + self.scale * draw_normal(n, spec.n_channels, 1, generator=generator),)

        return [Operation(multiply, draw_numbers)]


class MagnitudeWarp(SeriesAugmentation):
    """Multiply each series by a smooth random curve, the same in all channels.

    The curve is a cubic spline through knots that are normal with mean 1.

    Parameters
    ----------
    scale : float, default=0.2
        Standard deviation of the curve at the knots.
    n_knots : int, default=6
        Number of knots, at equal distances over the series.

    See Also
    --------
    Scaling : A factor that does not change in time.

    References
    ----------
    Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using Convolutional Neural
    Networks", ICMI 2017, section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import MagnitudeWarp
    >>> x = torch.ones(1, 1, 5)
    >>> MagnitudeWarp()(x, x, torch.Generator().manual_seed(0))
    tensor([[[1.3082, 0.7751, 0.8387, 0.9234, 0.7203]]])
    """

    _parameter_constraints: dict = {"scale": [SCALE], "n_knots": [Interval(Integral, 2, 1000, closed="both")]}

    def __init__(self, scale=0.2, n_knots=6):
        self.scale = scale
        self.n_knots = n_knots

    def _operations(self, spec, device):
        if self.scale == 0:
            return []

        def draw_numbers(n, generator):
            return (1 + self.scale * draw_normal(n, self.n_knots, generator=generator),)

        return [Operation(partial(warp_magnitude, spline=make_spline(self.n_knots, device)), draw_numbers)]


class Rotation(SeriesAugmentation):
    """Rotate groups of three channels in space, such as the axes of an accelerometer.

    All groups of a series are rotated by the same angle about the same axis, as if the device that holds the sensors
    were turned. Channels are rotated as they are scaled; scales that differ between the axes of a sensor distort the
    rotation.

    Parameters
    ----------
    triples : tuple of tuples of three ints, default=((0, 1, 2),)
        Numbers of the channels that are the x, y and z axes of a sensor, for each sensor.
    degrees : float, default=180.0
        Largest angle in degrees, in [0, 180].

    References
    ----------
    Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using Convolutional Neural
    Networks", ICMI 2017, section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Rotation
    >>> x = torch.randn(2, 6, 100)  # an accelerometer and a gyroscope
    >>> view = Rotation(triples=((0, 1, 2), (3, 4, 5)))(x, x, torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(view[:, :3].norm(dim=1), x[:, :3].norm(dim=1), atol=1e-5))
    True
    """

    _parameter_constraints: dict = {
        "triples": [tuple, list],
        "degrees": [Interval(Real, 0, 180, closed="both")],
    }

    def __init__(self, triples=((0, 1, 2),), degrees=180.0):
        self.triples = triples
        self.degrees = degrees

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : Rotation
            The object itself.

        Raises
        ------
        InvalidParameterError, ValueError
            If `triples` are not groups of three numbers of channels, each used once.
        """
        super().check()
        groups = [tuple(group) if isinstance(group, (tuple, list)) else () for group in self.triples]
        channels = [channel for group in groups for channel in group]
        whole = all(isinstance(c, Integral) and not isinstance(c, bool) and c >= 0 for c in channels)
        if not (groups and whole and all(len(group) == 3 for group in groups) and len(set(channels)) == len(channels)):
            raise ValueError(
                "The 'triples' parameter of Rotation must hold groups of three numbers of channels, counted from 0, "
                f"each channel in one group at most, such as ((0, 1, 2),). Got {self.triples!r} instead."
            )
        return self

    def _operations(self, spec, device):
        last = max(channel for group in self.triples for channel in group)
        if last >= spec.n_channels:
            raise ValueError(
                f"The 'triples' parameter of Rotation names the channel {last}, but series have {spec.n_channels} "
                f"channels, counted from 0. Got {self.triples!r}; give the channels of your sensors."
            )
        if self.degrees == 0:
            return []
        largest = math.radians(self.degrees)

        def draw_numbers(n, generator):
            u = 2 * draw_uniform(n, 4, generator=generator) - 1
            return u[:, :3], largest * u[:, 3:]

        return [Operation(partial(rotate, channels=torch.tensor(self.triples, device=device)), draw_numbers)]

"""Augmentations that hide parts of time series: steps or blocks of them, and frequencies."""

import math
from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from ._operations import Operation, SeriesAugmentation, count_steps, draw_uniform, make_times

SHARE = Interval(Real, 0, 1, closed="both")


def mask_time(values, mark, scores, offset, mask_rate, block):
    """Hide blocks of steps.

    Shape
    -----
    values, mark : see `Operation`; scores : (batch, length + 1), one for each block; offset : (batch, 1), in [0, 1)
    """
    width = (block * count_steps(values, mark)).clamp(min=1)  # steps in a block
    number = (make_times(values) / width + offset).long().clamp(max=scores.shape[1] - 1)  # (batch, length)
    kept = (scores.gather(1, number) >= mask_rate).to(values.dtype)[:, None]
    return values * kept, None if mark is None else mark * kept


def mask_frequencies(values, mark, scores, mask_rate):
    """Remove frequencies of the discrete Fourier transform, the same from all channels.

    Shape
    -----
    values, mark : see `Operation`; scores : (batch, length), the first of which stand for the frequencies
    """
    kept = scores >= mask_rate
    if mark is None:
        spectrum = torch.fft.rfft(values)  # (batch, channels, frequencies)
        return torch.fft.irfft(spectrum * kept[:, None, : spectrum.shape[2]], n=values.shape[2]), None
    n_steps, numbers = count_steps(values, mark).long(), torch.arange(values.shape[2], device=values.device)[None]
    inside = numbers < n_steps
    frequency = torch.minimum(numbers, n_steps - numbers).clamp(min=0)  # the second half mirrors the first
    kept = (kept.gather(1, frequency) & inside)[:, None]
    chirp, chirp_filter = make_chirps(n_steps, values.shape[2])
    spectrum = transform_by_length(values.to(torch.complex64), chirp, chirp_filter) * kept
    back = transform_by_length(spectrum.conj(), chirp, chirp_filter).real / n_steps[:, None]  # conj: the inverse
    return torch.where(mark > 0, back.to(values.dtype), 0), mark


def make_chirps(n_steps, length):
    """Make what `transform_by_length` multiplies and filters series by.

    Shape
    -----
    n_steps : (batch, 1), int; returns chirp : (batch, 1, length) and spectrum of a filter : (batch, 1, 2 * length)
    """
    numbers = torch.arange(length, device=n_steps.device)[None]
    angle = (numbers**2 % (2 * n_steps)).float() * (math.pi / n_steps.float())  # exact modulo 2 pi
    chirp = torch.polar(torch.ones_like(angle), -angle)[:, None]
    mirrored = torch.cat([chirp, torch.zeros_like(chirp[..., :1]), chirp[..., 1:].flip(2)], dim=2)
    return chirp, torch.fft.fft(mirrored.conj())


def transform_by_length(x, chirp, chirp_filter):
    """Compute the discrete Fourier transform of series of different lengths n, by a convolution with a chirp.

    With w(t) = exp(-i pi t^2 / n), the transform is X(k) = w(k) sum_t x(t) w(t) / w(k - t).

    Shape
    -----
    x : (batch, channels, length), complex, 0 beyond the length of a series; chirp, chirp_filter : of `make_chirps`;
    returns as x, meaningless beyond the length of a series

    References
    ----------
    Bluestein, "A Linear Filtering Approach to the Computation of Discrete Fourier Transform", 1970.
    """
    filtered = torch.fft.fft(x * chirp, n=2 * x.shape[2]) * chirp_filter
    return torch.fft.ifft(filtered)[..., : x.shape[2]] * chirp


class TimeMask(SeriesAugmentation):
    """Hide random steps, or blocks of steps, in all channels.

    Hidden steps are 0, the mean of the scaled training series; if steps may be missing, they are marked as missing.

    Parameters
    ----------
    mask_rate : float, default=0.1
        Share of the steps that are hidden, on average, in [0, 1].
    block : float, default=0.0
        Length of a block as a share of the series, in [0, 1]. Blocks are hidden as a whole. 0 stands for single steps.

    See Also
    --------
    FrequencyMask : Remove random frequencies.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import TimeMask
    >>> x = torch.ones(1, 1, 10)
    >>> TimeMask(mask_rate=0.3, block=0.2)(x, x, torch.Generator().manual_seed(0))
    tensor([[[1., 1., 1., 1., 0., 0., 0., 0., 1., 1.]]])
    """

    _parameter_constraints: dict = {"mask_rate": [SHARE], "block": [SHARE]}

    def __init__(self, mask_rate=0.1, block=0.0):
        self.mask_rate = mask_rate
        self.block = block

    def _operations(self, spec, device):
        if self.mask_rate == 0:
            return []

        def draw_numbers(n, generator):
            return draw_uniform(n, spec.length + 1, generator=generator), draw_uniform(n, 1, generator=generator)

        return [Operation(partial(mask_time, mask_rate=self.mask_rate, block=self.block), draw_numbers)]


class FrequencyMask(SeriesAugmentation):
    """Remove random frequencies of each series, the same ones from all channels.

    The frequencies are those of the discrete Fourier transform, among them 0, the mean. Series of different lengths
    have different frequencies.

    Parameters
    ----------
    mask_rate : float, default=0.1
        Share of the frequencies that are removed, on average, in [0, 1].

    See Also
    --------
    TimeMask : Hide random steps.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import FrequencyMask
    >>> x = torch.randn(8, 3, 50)
    >>> FrequencyMask()(x, x, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 3, 50])
    """

    _parameter_constraints: dict = {"mask_rate": [SHARE]}

    def __init__(self, mask_rate=0.1):
        self.mask_rate = mask_rate

    def _operations(self, spec, device):
        if self.mask_rate == 0:
            return []

        def draw_numbers(n, generator):
            return (draw_uniform(n, spec.length, generator=generator),)

        return [Operation(partial(mask_frequencies, mask_rate=self.mask_rate), draw_numbers)]

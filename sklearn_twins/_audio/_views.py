"""Augmentations of log-mel spectrograms: mixtures with other clips, random resized crops, linear fading."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from .._parts._augmentation import Augmentation, Chain
from .._parts._validation import check_pair
from ._log_mel import EPS

BICUBIC = -0.75  # of the cubic convolution, as torch's `interpolate` has it


def draw_uniform(n, low, high, generator):
    """Draw one number for each clip.  # (n,)"""
    return torch.rand(n, generator=generator, device=generator.device).mul_(high - low).add_(low)


class AudioAugmentation(Augmentation):
    """Base of augmentations of spectrograms; they refuse other samples."""

    _made_for = ("audio", "(bands, frames)")


class AudioMixup(AudioAugmentation):
    """Mix each clip with another one that is quieter.

    The mixture is made of powers, ``log((1 - t) exp(x) + t exp(z))``, with one t per clip, uniform in
    [0, `max_weight`], and z a random training clip. It is the background to which the embedding becomes indifferent.

    NOTE[DIFF]: the paper takes z from the last 2,048 clips of a queue; here it is drawn from all training clips, which
    needs no state.

    Parameters
    ----------
    max_weight : float, default=0.2
        Largest weight of the other clip, in [0, 1].

    See Also
    --------
    AudioCrop : Shifts and stretches in time and frequency.
    LinearFader : Fades a clip in or out.

    References
    ----------
    Niizumi, Takeuchi, Ohishi, Harada and Kashino, "BYOL for Audio: Exploring Pre-Trained General-Purpose Audio
    Representations", IEEE/ACM TASLP 2023, section III-C. Anton, Coppock, Shukla and Schuller, "Audio Barlow Twins:
    Self-Supervised Audio Representation Learning", ICASSP 2023, section 2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import AudioMixup
    >>> x, data = torch.zeros(8, 64, 96), torch.ones(20, 64, 96)
    >>> view = AudioMixup(max_weight=0.2)(x, data, torch.Generator().manual_seed(0))
    >>> bool(((view >= 0) & (view < 0.3)).all())
    True
    """

    _parameter_constraints: dict = {"max_weight": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, max_weight=0.2):
        self.max_weight = max_weight

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, bands, frames); data : (n, bands, frames); returns (batch, bands, frames)
        """
        other = torch.randint(len(data), (len(x),), generator=generator, device=x.device)
        t = draw_uniform(len(x), 0, self.max_weight, generator)[:, None, None]
        return mix(x, data[other], t)


def mix(x, z, t):
    """Mix spectrograms by their powers, as far as standardised logarithms tell them.

    Shape
    -----
    x, z : (batch, bands, frames); t : (batch, 1, 1); returns (batch, bands, frames)
    """
    return x.exp().mul_(1 - t).add_(z.exp().mul_(t)).add_(EPS).log_()


class AudioCrop(AudioAugmentation):
    """Cut a random rectangle out of each spectrogram, and resize it to the spectrogram's size.

    A clip lies in the middle of a canvas of zeros that is half as long again. The rectangle's height and width are
    random shares of the number of bands and frames. A share above 1 in time squeezes the clip, one below 1 stretches
    it; in frequency, rectangles never exceed the bands, so that about half of them keep all bands, and the others shift
    and stretch the pitch. Resizing is bicubic.

    It destroys absolute pitch: for labels that depend on it, leave the crop out or use ``frequency=(1.0, 1.0)``.

    Parameters
    ----------
    frequency : tuple of two floats, default=(0.6, 1.5)
        Smallest and largest height, as shares of the bands; heights above 1 count as 1.
    time : tuple of two floats, default=(0.6, 1.5)
        Smallest and largest width, as shares of the frames; widths above 1.5 count as 1.5.

    References
    ----------
    Niizumi, Takeuchi, Ohishi, Harada and Kashino, "BYOL for Audio: Exploring Pre-Trained General-Purpose Audio
    Representations", IEEE/ACM TASLP 2023, section III-D.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import AudioCrop
    >>> x = torch.randn(8, 64, 96)
    >>> AudioCrop()(x, x, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 64, 96])
    """

    _parameter_constraints: dict = {"frequency": [tuple, list], "time": [tuple, list]}

    def __init__(self, frequency=(0.6, 1.5), time=(0.6, 1.5)):
        self.frequency = frequency
        self.time = time

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : AudioCrop
            The object itself.

        Raises
        ------
        ValueError
            If a parameter is not a pair of positive numbers, the smaller one first.
        """
        super().check()
        check_pair(self, "frequency", 0, float("inf"), above=True)
        check_pair(self, "time", 0, float("inf"), above=True)
        return self

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, bands, frames); data is not used; returns (batch, bands, frames)
        """
        bands, frames = x.shape[1:]
        heights, tops = draw_parts(len(x), self.frequency, bands, bands, generator)
        widths, lefts = draw_parts(len(x), self.time, frames, int(1.5 * frames), generator)
        lefts = lefts - (int(1.5 * frames) - frames) // 2  # the canvas begins before the clip
        return resize(x, tops, heights, lefts, widths)


def draw_parts(n, share, size, canvas, generator):
    """Draw lengths, shares of `size` and at most `canvas`, and where in the canvas they begin.  # 2 x (n,), int64"""
    lengths = draw_uniform(n, *share, generator).mul_(size).long().clamp_(1, canvas)
    starts = (draw_uniform(n, 0, 1, generator) * (canvas - lengths + 1)).long()
    return lengths, torch.minimum(starts, canvas - lengths)


def resize(x, tops, heights, lefts, widths):
    """Resize a rectangle of each spectrogram to its size; what lies outside the spectrogram is 0.

    Shape
    -----
    x : (batch, bands, frames); tops, heights, lefts, widths : (batch,), int64; returns (batch, bands, frames)
    """
    bands, frames = x.shape[1:]
    x = torch.bmm(make_resampler(tops, heights, bands), x)
    return torch.bmm(x, make_resampler(lefts, widths, frames).transpose(1, 2))


def make_resampler(starts, lengths, size):
    """Make matrices that resize a part of an axis to the whole axis, by cubic convolution with aligned corners.

    The part's first and last value are repeated beyond its ends. Places outside the axis have no weight: they hold 0.

    Shape
    -----
    starts, lengths : (batch,), int64; returns (batch, size, size), float32
    """
    steps = torch.arange(size, device=starts.device, dtype=torch.float64) / max(1, size - 1)
    at = steps * (lengths - 1)[:, None]  # (batch, size), places in the part
    low = at.floor()
    t = (at - low).float()
    matrix = torch.zeros(len(starts), size, size + 1, device=starts.device)  # the last column is outside
    for tap, weight in zip((-1, 0, 1, 2), cubic_weights(t), strict=True):
        place = torch.minimum((low + tap).long().clamp_(min=0), (lengths - 1)[:, None]) + starts[:, None]
        place = torch.where((place >= 0) & (place < size), place, size)
        matrix.scatter_add_(2, place[:, :, None], weight[:, :, None])
    return matrix[:, :, :size]


def cubic_weights(t):
    """Weights of the four values around a place, a share `t` of the way from the second to the third.  # as t"""
    a, s = BICUBIC, 1 - t

    def near(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return far(t + 1), near(t), near(s), far(s + 1)


class LinearFader(AudioAugmentation):
    """Fade each clip in or out: add a number that changes linearly with time.

    The numbers at the clip's two ends are uniform in [-`gain`, `gain`], in standard deviations of the log-mel values
    (about 17 dB). By itself it changes little; together with the other two it helps.

    Parameters
    ----------
    gain : float, default=1.0
        Largest gain.

    References
    ----------
    Niizumi, Takeuchi, Ohishi, Harada and Kashino, "BYOL for Audio: Exploring Pre-Trained General-Purpose Audio
    Representations", IEEE/ACM TASLP 2023, section III-E.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import LinearFader
    >>> x = torch.zeros(1, 2, 3)
    >>> view = LinearFader()(x, x, torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(view[..., 1], (view[..., 0] + view[..., 2]) / 2))
    True
    """

    _parameter_constraints: dict = {"gain": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, bands, frames); data is not used; returns (batch, bands, frames)
        """
        first, last = (draw_uniform(len(x), -self.gain, self.gain, generator) for _ in range(2))
        return fade(x, first, last)


def fade(x, first, last):
    """Add gains that change linearly from the first frame to the last.

    Shape
    -----
    x : (batch, bands, frames); first, last : (batch,); returns (batch, bands, frames)
    """
    ramp = torch.linspace(0, 1, x.shape[2], device=x.device)
    return x + torch.lerp(first[:, None], last[:, None], ramp)[:, None]


def audio_views():
    """Make the views of Audio Barlow Twins: a mixture, then a crop, then fading.

    Returns
    -------
    chain : Chain
        Steps "mixup", "crop" and "fader".

    References
    ----------
    Anton, Coppock, Shukla and Schuller, "Audio Barlow Twins: Self-Supervised Audio Representation Learning", ICASSP
    2023, section 2.

    Examples
    --------
    >>> from sklearn_twins.augmentations import audio_views
    >>> audio_views().set_params(mixup__max_weight=0.4)
    Chain(steps=[('mixup', AudioMixup(max_weight=0.4)), ('crop', AudioCrop()),
                 ('fader', LinearFader())])
    """
    return Chain([("mixup", AudioMixup()), ("crop", AudioCrop()), ("fader", LinearFader())])

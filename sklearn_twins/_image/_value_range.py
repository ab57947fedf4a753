"""The values of black and white: learnt in `fit`, and kept in `transform`, where images on another scale are found."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

BYTE_RANGE, UNIT_RANGE, SIGNED_RANGE = (0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)
# Scales that images usually have, by their values of black and white. Standardised images have mean 0 and standard
# deviation 1.
SCALES = (UNIT_RANGE, SIGNED_RANGE, BYTE_RANGE, (0.0, 4095.0), (0.0, 65535.0))
MAX_OUTSIDE = 0.01  # share of values
N_SURE = 8  # images that are not all dark by chance; about fewer there is a warning at most
N_ON_A_SCALE = 4  # images in `fit` that make a scale of their own
N_INSPECTED, INSPECTED_VALUES = 64, 2**17  # most images, and values, that are compared with those in `fit`
LARGE = 0.8  # distance from the scale of `fit` at which others are tried, see `measure_distance`
CLOSE = 0.4  # distance from another scale up to which many images are refused
SMALL_CONTRAST = 1 / 8  # of that in `fit`
NEAR = 2.0  # a white that differs from that of `fit` by a smaller factor does not make another scale
GAP = 2.0  # two scales leave a gap of that factor between the peaks of their images; dark and bright images do not
# Intensities: the limits of 99 % of the values, and the largest that any may have
NATURAL_LIMITS = (-0.5, 1.5, 10.0)  # black and white are 0 and 1, or 0 and 255, or were found to be -1 and 1
LEARNT_LIMITS = (-2.0, 3.0, np.inf)  # they are the smallest and the largest value in `fit`


def find_range(value_range, dtype, statistics):
    """Find the values of black and white.

    Bytes and booleans have the range of their type, floats that all lie between 0 and 1 have (0, 1), and other numbers
    have their smallest and largest value.

    Parameters
    ----------
    value_range : "auto" or pair of float
        The caller's choice.
    dtype : numpy.dtype
        Type of the images.
    statistics : Statistics
        Statistics of the images.

    Returns
    -------
    low, high : float
    """
    if not isinstance(value_range, str):
        values = tuple(float(value) for value in value_range)
        if (
            values == BYTE_RANGE
            and dtype.kind == "f"
            and 0 <= statistics.low <= statistics.high <= 1
            and statistics.high
        ):
            raise ValueError(
                f"X holds {dtype} values up to {statistics.high:.4g}, but value_range={value_range!r}. Give the values "
                "of black and white, which seem to be (0, 1)."
            )
        return values
    if dtype == np.uint8:
        return BYTE_RANGE
    if dtype.kind == "b" or (dtype.kind == "f" and statistics.low >= 0 and statistics.high <= 1):
        return UNIT_RANGE
    return (statistics.low, statistics.high if statistics.high > statistics.low else statistics.low + 1.0)


def measure_distance(found, expected):
    """Measure how far images are from a scale: by the ratio of contrasts, and by means in standard deviations.

    Parameters
    ----------
    found, expected : tuple of ndarray of shape (channels,)
        Mean and standard deviation of the values.

    Returns
    -------
    distance : float
        0 on the same scale; infinite if the images have no contrast.
    """
    with np.errstate(divide="ignore"):
        contrast = np.abs(np.log(found[1] / expected[1]))
    return float(np.mean(contrast + np.abs(found[0] - expected[0]) / expected[1]))


def take_some(images):
    """Take some images in even steps, and the step."""
    size = max(1, min(N_INSPECTED, INSPECTED_VALUES // max(1, int(np.prod(images.shape[1:])))))
    step = max(1, len(images) // size)
    return np.asarray(images[slice(0, None, step)]), step


def by_channel(images):
    """The values of each channel in float64.  # (n, channels, height, width) -> (channels, values)"""
    values = np.moveaxis(images, 1, 0)
    return np.array(values, dtype=np.float64, order="C").reshape(len(values), -1)


@dataclass(frozen=True)
class FittedRange:
    """The values of black and white in `fit`, to which other images are held.

    A single call's values do not decide on its scale, since a dark image may hold nothing above 1. Types may: booleans
    are black or white, and bytes go up to 255 where `fit` saw fractions of white.

    Parameters
    ----------
    values : tuple of float
        The values of black and white.
    learnt : bool
        Whether they were found in `fit`, and not given by the caller.
    mean, std : ndarray of shape (channels,), float64
        Mean and standard deviation of the intensities in `fit`.
    """

    values: tuple
    learnt: bool
    mean: np.ndarray
    std: np.ndarray

    @property
    def is_binary(self):
        """Whether all images of `fit` were black and white only, which their mean and standard deviation tell."""
        return bool(np.allclose(self.std**2, self.mean * (1 - self.mean), rtol=0, atol=1e-9))

    def of_type(self, dtype):
        """The values of black and white in images of a type."""
        if self.learnt and dtype.kind == "b":
            return UNIT_RANGE
        if self.learnt and dtype == np.uint8 and self.values == UNIT_RANGE and not self.is_binary:
            return BYTE_RANGE
        return self.values

    @property
    def limits(self):
        """Limits of intensities: of 99 % of the values (two), and of all; None if the caller gave an unusual range."""
        natural = self.values in (UNIT_RANGE, BYTE_RANGE) or (self.learnt and self.values == SIGNED_RANGE)
        return NATURAL_LIMITS if natural else LEARNT_LIMITS if self.learnt else None

    def check(self, images):
        """Refuse images that are on another scale than those in `fit`, or warn of them.

        Parameters
        ----------
        images : ndarray or lazy images of shape (n, channels, height, width)
            Values in their original range. Up to 64 images in even steps are inspected.

        Raises
        ------
        ValueError
            If they have the mean and the contrast of the images in `fit` on another scale, from 0 to 1 for example.

        Warns
        -----
        UserWarning
            The same of so few images that they may be dark. Or if images are like those in `fit`, but much darker.
        """
        n, (low, high) = len(images), self.of_type(images.dtype)
        if self.learnt and images.dtype == np.uint8 and high - low > 2 * 255:
            raise ValueError(f"X holds {self.describe(images.dtype)}. Bring X to the range of fit.")
        if images.dtype == np.int8 and self.values == BYTE_RANGE and images.min(initial=0) < 0:
            raise ValueError(f"X holds {self.describe(images.dtype)}. If they are bytes, give X.view(numpy.uint8).")
        if (images.dtype == np.uint8 and n < N_SURE) or not self.std.all():
            return
        values = by_channel(take_some(images)[0])
        if not np.isfinite(values).all():  # refused when they are scaled
            return
        if n < N_SURE and 0 <= low <= values.min() and 1 / NEAR < (values.max() - low) / (high - low) < NEAR:
            return  # from black to about white
        scale, distance = self._recognize(values, low, high)
        if scale is None:
            return
        seen = f"X holds {self.describe(images.dtype, values)}. "
        if scale and n >= N_SURE and distance < CLOSE:
            raise ValueError(f"{seen}They look {scale}. Bring X to the range of fit.")
        if scale or n >= N_SURE:
            remedy = "They are read on that scale, as dark images. If they are not dark, bring X to the range of fit."
            warnings.warn(f"{seen}{remedy}", UserWarning, stacklevel=2)

    def check_one_scale(self, images):
        """Refuse images of `fit` that are on two scales, such as from 0 to 255 and from 0 to 1.

        Parameters
        ----------
        images : ndarray or lazy images of shape (n, channels, height, width)
            Those that the range was learnt from. Up to 64 in even steps are inspected.

        Raises
        ------
        ValueError
            If some images are much darker than others, and are like them on another scale.
        """
        sample, step = take_some(images)
        sample = sample.astype(np.float64)
        peaks = np.abs(sample).max(axis=(1, 2, 3))
        dark = (peaks > 0) & (peaks < peaks.max(initial=0) * SMALL_CONTRAST)
        if min(dark.sum(), (~dark).sum()) < N_ON_A_SCALE or peaks[~dark].min() < GAP * peaks[dark].max():
            return
        low, high = self.values
        bright = by_channel(sample[~dark])
        mean, std = (bright.mean(axis=1) - low) / (high - low), bright.std(axis=1) / (high - low)
        if not std.all():
            return
        scale, distance = replace(self, mean=mean, std=std)._recognize(by_channel(sample[dark]), low, high)
        if scale and distance < CLOSE:
            i, j = (step * int(rows.argmax()) for rows in (dark, ~dark))
            raise ValueError(
                f"X holds images on two scales: up to {peaks[i // step]:.4g} in X[{i}], and up to "
                f"{peaks[j // step]:.4g} in X[{j}]. The former look {scale}. Bring X to one range; or, if they "
                "are dark, give preprocessor__value_range=(black, white)."
            )

    def describe(self, dtype, values=None):
        """Describe images and those in `fit`, for a message."""
        found = "" if values is None else f" from {values.min():.4g} to {values.max():.4g}"
        low, high = self.values
        return f"{dtype} values{found}, but black and white were {low:.6g} and {high:.6g} in fit"

    def _recognize(self, values, low, high):
        """Recognise another scale: its name ("" if it has none, None if it is that of `fit`), and how far it is."""
        found = values.mean(axis=1), values.std(axis=1)
        own = measure_distance(found, (low + self.mean * (high - low), self.std * (high - low)))
        if not LARGE < own < np.inf:
            return None, own
        # Whole numbers may be dark bytes; only what has values below 0 is standardised, or goes from -1 to 1.
        fractions, negative = self.is_binary or (values != np.rint(values)).any(), (values < 0).mean() > MAX_OUTSIDE
        scales = {
            f"as if they went from {black:g} to {white:g}": (black + self.mean * width, self.std * width)
            for black, white in SCALES
            if (width := white - black) and (fractions or white > 1) and (negative or black == 0)
            if not (abs(black - low) < width / 10 and 1 / NEAR < width / (high - low) < NEAR)
        }
        if negative:
            scales["standardised"] = np.zeros_like(self.mean), np.ones_like(self.std)
        distances = {name: measure_distance(found, expected) for name, expected in scales.items()}
        nearest = min(distances, key=distances.get, default=None)
        if nearest and distances[nearest] < min(own / 4, 1):
            return nearest, distances[nearest]
        if fractions and high - low > BYTE_RANGE[1] / 2 and values.min() >= 0 and 0.5 < values.max() <= 1:
            return "as if they went from 0 to 1", own  # whatever the images show
        contrast = found[1] / (self.std * (high - low))
        alike = np.isclose((found[0] - low) / found[1], self.mean / self.std, rtol=0.1)
        return ("" if contrast.max() < SMALL_CONTRAST and alike.all() else None), own

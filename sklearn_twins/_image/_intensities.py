"""Pixel values as intensities, 0 for black and 1 for white, and each channel's mean and deviation."""

import numpy as np
from sklearn.utils import assert_all_finite

BYTE_RANGE = (0.0, 255.0)
BLOCK_VALUES = 2**22  # read at a time: 32 MiB in float64
MAX_COUNTED = 10_000  # images of bytes, whose statistics need no more
LARGEST = 1e150  # value whose square is a number
FARTHEST = 1e6  # intensity from black; squares of it, and of what layers make of it, are far from float32's end
LOOKED_AT = 256  # images whose range is compared with that of `fit`


def is_bytes(dtype, value_range):
    """Whether values are intensities up to a factor of 255, and stay bytes until they are on the device."""
    return dtype == np.uint8 and value_range == BYTE_RANGE


def blocks(images):
    """Slices that cover all images, a few million values at a time."""
    size = max(1, BLOCK_VALUES // max(1, int(np.prod(images.shape[1:]))))
    return [slice(start, start + size) for start in range(0, len(images), size)]


class Statistics:
    """Counts, ranges, means and deviations of channels, block by block.

    Attributes
    ----------
    low, high : float
        Least and largest value.
    mean, std : ndarray of shape (channels,), float64
        Of each channel.
    """

    def __init__(self):
        self.n, self.mean, self.m2 = 0, 0.0, 0.0
        self.low, self.high = np.inf, -np.inf

    def add(self, images):
        """Count a block.

        Parameters
        ----------
        images : ndarray of shape (rows, channels, height, width)
            Finite.
        """
        self.low, self.high = min(self.low, float(images.min())), max(self.high, float(images.max()))
        if max(self.high, -self.low) > LARGEST:
            what = f"Input X has values of {max(self.high, -self.low):.3g}, whose squares are too large for float64"
            row = np.abs(images).reshape(len(images), -1).max(axis=1).argmax()
            raise UnfitImage(what, "Divide X by a large number first.", int(row))
        values = images.astype(np.float64)
        n = values.size // values.shape[1]
        mean = values.mean(axis=(0, 2, 3))
        values -= mean[:, None, None]
        m2 = np.einsum("nchw,nchw->c", values, values)
        # two blocks' squared deviations, each from its own mean, become those from the common mean
        delta, total = mean - self.mean, self.n + n
        self.m2 = self.m2 + m2 + delta**2 * (self.n * n / total)
        self.mean = self.mean + delta * (n / total)
        self.n = total

    @property
    def std(self):
        """Standard deviation of each channel."""
        return np.sqrt(self.m2 / self.n)


def count(images):
    """Statistics of images: of 10,000 evenly spaced ones if they are bytes, else of all.

    Parameters
    ----------
    images : ndarray or lazy images of shape (n, channels, height, width)
        As they came.

    Returns
    -------
    statistics : Statistics
    """
    statistics, n = Statistics(), len(images)
    if images.dtype == np.uint8 and n > MAX_COUNTED:
        chosen = np.linspace(0, n - 1, MAX_COUNTED).astype(int)
        parts = [chosen[rows] for rows in blocks(np.broadcast_to(0, (MAX_COUNTED, *images.shape[1:])))]
    else:
        parts = blocks(images)
    rows = np.arange(n)
    for part in parts:
        try:
            statistics.add(finite(images[part]))
        except UnfitImage as error:
            raise error.at(rows[part]) from None
    return statistics


class UnfitImage(ValueError):
    """An image that no network can use.

    Parameters
    ----------
    what : str
        What is wrong with it.
    remedy : str
        What helps.
    row : int
        Which of X it is.
    """

    def __init__(self, what, remedy, row):
        super().__init__(f"{what}, in X[{row}]. {remedy}")
        self.what, self.remedy, self.row = what, remedy, row

    def at(self, rows, where=""):
        """The same error, where images are some rows of X only: which these are, and of which file."""
        return UnfitImage(self.what + where, self.remedy, int(rows[self.row]))


def finite(images):
    """Refuse infinity and NaN, in scikit-learn's words, and say where they are.

    Parameters
    ----------
    images : ndarray of shape (rows, channels, height, width)
        All of X, or some.

    Returns
    -------
    images : ndarray
        As they came.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # of the sum that is tried first
            assert_all_finite(images)
    except ValueError as error:
        what = str(error).split("\n")[0].removesuffix(".").replace("Input", "Input X", 1)
        remedy = "Images have no missing values; leave such an image out, or fill it."
        row = (~np.isfinite(images).reshape(len(images), -1).all(axis=1)).argmax()
        raise UnfitImage(what, remedy, int(row)) from None
    return images


def within_reach(samples):
    """Refuse intensities with which float32 arithmetic would overflow sooner or later.

    Parameters
    ----------
    samples : ndarray of shape (rows, channels, height, width), float32
        Where 0 is black and 1 is white.

    Returns
    -------
    samples : ndarray
        As they came.
    """
    high = max(samples.max(initial=0), -samples.min(initial=0))
    if high > FARTHEST:
        rows = np.abs(samples).reshape(len(samples), -1).max(axis=1)
        remedy = "Bring X to one range, or say which it is: preprocessor__value_range=(black, white)."
        what = f"Input X has intensities of {high:.3g}, where 0 is black and 1 is white, which is too far from both"
        raise UnfitImage(what, remedy, int(rows.argmax()))
    return samples


def find_range(value_range, dtype, statistics):
    """The values that are black and white.

    Bytes and booleans have their types' own, numbers that all lie between 0 and 1 have 0 and 1, others the least and
    the largest that occur.

    Parameters
    ----------
    value_range : "auto" or pair of float
        What the caller says.
    dtype : numpy.dtype
        Of the images.
    statistics : Statistics
        Of the images.

    Returns
    -------
    low, high : float
    """
    if not isinstance(value_range, str):
        return tuple(float(value) for value in value_range)
    if dtype == np.uint8:
        return BYTE_RANGE
    if dtype.kind == "b" or (dtype.kind == "f" and statistics.low >= 0 and statistics.high <= 1):
        return (0.0, 1.0)
    return (statistics.low, statistics.high if statistics.high > statistics.low else statistics.low + 1.0)


def intensities(images, value_range):
    """Values -> float32 intensities; float64 arithmetic, for values far from 0.

    Parameters
    ----------
    images : ndarray of shape (rows, channels, height, width)
        As they came.
    value_range : pair of float
        What is black and what is white.

    Returns
    -------
    samples : ndarray of shape (rows, channels, height, width), float32
        Not clipped to [0, 1].
    """
    low, high = value_range
    finite(images)
    if images.dtype == np.float32 and (low, high) == (0.0, 1.0):
        return within_reach(images)
    samples = np.empty_like(images, dtype=np.float32, subok=False)
    with np.errstate(over="ignore"):  # what overflows is refused below
        for rows in blocks(images):
            samples[rows] = (images[rows].astype(np.float64) - low) / (high - low)
    return within_reach(finite(samples))


def check_range(images, value_range, name):
    """Refuse images that plainly have another black and white than those of `fit`.

    Parameters
    ----------
    images : ndarray or lazy images of shape (n, channels, height, width)
        As they came; the first of them are looked at.
    value_range : pair of float
        What is black and what is white.
    name : str
        Of the estimator.

    Raises
    ------
    ValueError
        If fractions between 0 and 1 come where values went up to 255, or bytes above 1 where they went up to 1.
    """
    head = images[slice(0, LOOKED_AT)]
    if head.size == 0:
        return
    high = float(head.max())
    fractions = head.dtype.kind == "f" and 0 < high <= 1 and bool((head != np.rint(head)).any())
    if (value_range == BYTE_RANGE and fractions) or (
        value_range == (0.0, 1.0) and head.dtype.kind in "ui" and high > 1
    ):
        raise ValueError(
            f"X holds {head.dtype} values up to {high:g}, but {name} was fitted on images whose values go from "
            f"{value_range[0]:g} to {value_range[1]:g}. Bring them to that range."
        )

"""Pixel values as intensities, 0 for black and 1 for white, and the mean and standard deviation of each channel."""

import numpy as np
from sklearn.utils import assert_all_finite

from ._value_range import BYTE_RANGE, MAX_OUTSIDE

BLOCK_VALUES = 2**22  # values read at a time: 32 MiB in float64
MAX_COUNTED = 10_000  # images of bytes, which are enough for their statistics
MAX_VALUE = 1e150  # the square of a larger value overflows float64
MAX_INTENSITY = 1e6  # squares of it, and of a layer's outputs, are far from float32's largest number
REMEDY = "Bring X to one range, or say which it is: preprocessor__value_range=(black, white)."


def is_bytes(dtype, value_range):
    """Whether values are intensities times 255, which stay bytes until they are on the device."""
    return dtype == np.uint8 and value_range == BYTE_RANGE


def split_into_blocks(n, sample_shape):
    """Split n images into slices of a few million values each."""
    size = max(1, BLOCK_VALUES // max(1, int(np.prod(sample_shape))))
    return [slice(start, start + size) for start in range(0, n, size)]


class Statistics:
    """Range of all values, and mean and standard deviation of each channel, computed block by block.

    Attributes
    ----------
    low, high : float
        Smallest and largest value.
    mean, std : ndarray of shape (channels,), float64
        Mean and standard deviation of each channel.
    """

    def __init__(self):
        self.n, self.mean, self.m2 = 0, 0.0, 0.0
        self.low, self.high = np.inf, -np.inf

    def add(self, images):
        """Add a block.

        Parameters
        ----------
        images : ndarray of shape (rows, channels, height, width)
            Finite values.
        """
        self.low, self.high = min(self.low, float(images.min())), max(self.high, float(images.max()))
        if max(self.high, -self.low) > MAX_VALUE:
            problem = f"Input X has values of {max(self.high, -self.low):.3g}, whose squares are too large for float64"
            row = np.abs(images).reshape(len(images), -1).max(axis=1).argmax()
            raise UnusableImageError(problem, "Divide X by a large number first.", int(row))
        values = images.astype(np.float64)
        n = values.size // values.shape[1]
        mean = values.mean(axis=(0, 2, 3))
        values -= mean[:, None, None]
        m2 = np.einsum("nchw,nchw->c", values, values)
        # sums of squared deviations, each from its own block's mean, become those from the common mean
        delta, total = mean - self.mean, self.n + n
        self.m2 = self.m2 + m2 + delta**2 * (self.n * n / total)
        self.mean = self.mean + delta * (n / total)
        self.n = total

    @property
    def std(self):
        """Standard deviation of each channel."""
        return np.sqrt(self.m2 / self.n)


def compute_statistics(images):
    """Compute the statistics of images: of 10,000 evenly spaced ones if they are bytes, else of all.

    Parameters
    ----------
    images : ndarray or lazy images of shape (n, channels, height, width)
        Values in their original range.

    Returns
    -------
    statistics : Statistics
    """
    statistics, n = Statistics(), len(images)
    sampled = images.dtype == np.uint8 and n > MAX_COUNTED
    rows = np.linspace(0, n - 1, MAX_COUNTED).astype(int) if sampled else np.arange(n)
    for block in split_into_blocks(len(rows), images.shape[1:]):
        try:
            statistics.add(check_finite(images[rows[block] if sampled else block]))
        except UnusableImageError as error:
            raise error.at(rows[block]) from None
    return statistics


class UnusableImageError(ValueError):
    """An image that no network can use.

    Parameters
    ----------
    problem : str
        Description of the problem.
    remedy : str
        What to do about it.
    row : int
        Row of the image in X.
    """

    def __init__(self, problem, remedy, row):
        super().__init__(f"{problem}, in X[{row}]. {remedy}")
        self.problem, self.remedy, self.row = problem, remedy, row

    def at(self, rows, where=""):
        """Make the same error for images that are some rows of X; `where` names their file."""
        return UnusableImageError(self.problem + where, self.remedy, int(rows[self.row]))


def check_finite(images):
    """Refuse infinity and NaN in scikit-learn's words, and name the row.

    Parameters
    ----------
    images : ndarray of shape (rows, channels, height, width)
        All of X, or some rows.

    Returns
    -------
    images : ndarray
        The same array.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn tries the sum first
            assert_all_finite(images)
    except ValueError as error:
        problem = str(error).split("\n")[0].removesuffix(".").replace("Input", "Input X", 1)
        remedy = "Images have no missing values; leave such an image out, or fill it."
        row = (~np.isfinite(images).reshape(len(images), -1).all(axis=1)).argmax()
        raise UnusableImageError(problem, remedy, int(row)) from None
    return images


def check_intensities(samples, value_range, limits=None):
    """Refuse intensities on another scale than `fit` has seen, or so large that float32 arithmetic would overflow.

    Parameters
    ----------
    samples : ndarray of shape (rows, channels, height, width), float32
        Intensities, 0 for black and 1 for white.
    value_range : tuple of float
        The values of black and white, for messages.
    limits : tuple of (float, float, float) or None
        Limits of most intensities, and the largest that any may have; None if any are expected.

    Returns
    -------
    samples : ndarray
        The same array.
    """
    low, high = samples.min(initial=0), samples.max(initial=0)
    size = max(high, -low)
    if size > MAX_INTENSITY:
        rows = np.abs(samples).reshape(len(samples), -1).max(axis=1)
        problem = f"Input X has intensities of {size:.3g}, where 0 is black and 1 is white, which is too far from both"
        raise UnusableImageError(problem, REMEDY, int(rows.argmax()))
    if limits is None or (low >= limits[0] and high <= limits[1]):
        return samples
    outside = (samples < limits[0]) | (samples > limits[1])
    if size > limits[2] or outside.mean() > MAX_OUTSIDE:
        black, white = value_range
        values = [float(black + (white - black) * intensity) for intensity in (low, high)]
        problem = (
            f"Input X has values from {values[0]:.6g} to {values[1]:.6g}, and in fit they went from {black:.6g} "
            f"(black) to {white:.6g} (white), a plain mismatch"
        )
        raise UnusableImageError(problem, REMEDY, int(outside.reshape(len(samples), -1).mean(axis=1).argmax()))
    return samples


def scale_to_intensities(images, value_range, limits=None):
    """Scale values to float32 intensities, in float64 so that values far from 0 keep their differences.

    Parameters
    ----------
    images : ndarray of shape (rows, channels, height, width)
        Values in their original range.
    value_range : pair of float
        The values of black and white.
    limits : tuple of (float, float, float) or None
        Limits of intensities, see `check_intensities`.

    Returns
    -------
    samples : ndarray of shape (rows, channels, height, width), float32
        Not clipped to [0, 1].
    """
    low, high = value_range
    check_finite(images)
    if images.dtype == np.float32 and (low, high) == (0.0, 1.0):
        return check_intensities(images, value_range, limits)
    samples = np.empty_like(images, dtype=np.float32, subok=False)
    with np.errstate(over="ignore"):  # infinity is refused below
        for rows in split_into_blocks(len(images), images.shape[1:]):
            samples[rows] = (images[rows].astype(np.float64) - low) / (high - low)
    return check_intensities(check_finite(samples), value_range, limits)

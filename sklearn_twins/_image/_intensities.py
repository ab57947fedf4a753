"""Pixel values as intensities, 0 for black and 1 for white, and the mean and standard deviation of each channel."""

import numpy as np
from sklearn.utils import assert_all_finite

BYTE_RANGE = (0.0, 255.0)
BLOCK_VALUES = 2**22  # values read at a time: 32 MiB in float64
MAX_COUNTED = 10_000  # images of bytes, which are enough for their statistics
MAX_VALUE = 1e150  # the square of a larger value overflows float64
MAX_INTENSITY = 1e6  # squares of it, and of a layer's outputs, are far from float32's largest number
N_INSPECTED = 256  # images whose range is compared with that of `fit`


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


def check_intensities(samples):
    """Refuse intensities so large that float32 arithmetic would overflow.

    Parameters
    ----------
    samples : ndarray of shape (rows, channels, height, width), float32
        Intensities, 0 for black and 1 for white.

    Returns
    -------
    samples : ndarray
        The same array.
    """
    high = max(samples.max(initial=0), -samples.min(initial=0))
    if high > MAX_INTENSITY:
        rows = np.abs(samples).reshape(len(samples), -1).max(axis=1)
        remedy = "Bring X to one range, or say which it is: preprocessor__value_range=(black, white)."
        problem = f"Input X has intensities of {high:.3g}, where 0 is black and 1 is white, which is too far from both"
        raise UnusableImageError(problem, remedy, int(rows.argmax()))
    return samples


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
        return tuple(float(value) for value in value_range)
    if dtype == np.uint8:
        return BYTE_RANGE
    if dtype.kind == "b" or (dtype.kind == "f" and statistics.low >= 0 and statistics.high <= 1):
        return (0.0, 1.0)
    return (statistics.low, statistics.high if statistics.high > statistics.low else statistics.low + 1.0)


def scale_to_intensities(images, value_range):
    """Scale values to float32 intensities, in float64 so that values far from 0 keep their differences.

    Parameters
    ----------
    images : ndarray of shape (rows, channels, height, width)
        Values in their original range.
    value_range : pair of float
        The values of black and white.

    Returns
    -------
    samples : ndarray of shape (rows, channels, height, width), float32
        Not clipped to [0, 1].
    """
    low, high = value_range
    check_finite(images)
    if images.dtype == np.float32 and (low, high) == (0.0, 1.0):
        return check_intensities(images)
    samples = np.empty_like(images, dtype=np.float32, subok=False)
    with np.errstate(over="ignore"):  # infinity is refused below
        for rows in split_into_blocks(len(images), images.shape[1:]):
            samples[rows] = (images[rows].astype(np.float64) - low) / (high - low)
    return check_intensities(check_finite(samples))


def check_range(images, value_range, name):
    """Refuse images whose black and white plainly differ from those in `fit`.

    Parameters
    ----------
    images : ndarray or lazy images of shape (n, channels, height, width)
        Values in their original range; the first 256 images are inspected.
    value_range : pair of float
        The values of black and white in `fit`.
    name : str
        Class of the estimator, for the message.

    Raises
    ------
    ValueError
        If fractions between 0 and 1 come where values went up to 255, or integers above 1 where they went up to 1.
    """
    head = images[slice(0, N_INSPECTED)]
    high = float(head.max())
    fractions = head.dtype.kind == "f" and 0 < high <= 1 and bool((head != np.rint(head)).any())
    integers = head.dtype.kind in "ui" and high > 1
    if (value_range == BYTE_RANGE and fractions) or (value_range == (0.0, 1.0) and integers):
        raise ValueError(
            f"X holds {head.dtype} values up to {high:g}, but {name} was fitted on images whose values go from "
            f"{value_range[0]:g} to {value_range[1]:g}. Bring them to that range."
        )

"""ImagePreprocessor: arrays, flat rows, memory maps and pictures become samples; learns the channels' statistics."""

from functools import partial
from numbers import Integral, Real

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from .._inputs._containers import as_frame
from .._inputs._feature_names import replace_columns, share_names
from .._inputs._memory_maps import check_mapping
from .._parts._preprocessor import Preprocessor
from ._arrays import make_shareable, open_array
from ._axes import describe_shape, matches, to_height_width_channels
from ._image_files import ImageFiles, decode_all, scan
from ._intensities import compute_statistics, is_bytes, scale_to_intensities
from ._memmap import MappedImages, copy_array
from ._pillow import find_target, make_target
from ._sources import find_sources, refuse_picture_column, unwrap
from ._spec import ImageSpec
from ._value_range import BYTE_RANGE, UNIT_RANGE, FittedRange, find_range

MIN_MAPPED_BYTES = 2**28  # a smaller memory map is read like an array
N_COMPARED = 256  # rows with labels, and without, whose scales are compared


class ImagePreprocessor(Preprocessor):
    """Turn images into samples: arrays, flat rows, memory maps, image files or PIL images.

    X may be

    - an array (n, height, width, channels) or (n, channels, height, width) with any number of channels, or
      (n, height, width) for grey images;
    - flat rows (n, height * width * channels) together with `sample_shape`, as scikit-learn's tools pass images on;
    - a memory map of one of these shapes (`numpy.memmap`, ``numpy.load(..., mmap_mode="r")``), which may be larger than
      the memory: from 256 MiB on, it is read a few images at a time and never as a whole;
    - a sequence, or a frame with one column, of paths of image files, encoded images (bytes), dicts of them as Hugging
      Face's tools make them, or PIL images, which needs Pillow. All of them are read alike.

    Bytes (uint8) stay bytes until they are on the device, and are not copied. Other numbers become float32
    intensities, 0 for black and 1 for white. The encoder subtracts each channel's mean intensity and divides by its
    standard deviation.

    The values of black and white are those of `fit`. In `transform`, images that are plainly on another scale are
    refused, and many images that are much darker than those in `fit` cause a warning. Bytes are converted if `fit` saw
    fractions of white.

    Parameters
    ----------
    sample_shape : tuple of int or None, default=None
        Shape of the images in flat rows: (height, width), (height, width, channels) or (channels, height, width). One
        of the numbers may be -1 and is then inferred. Images that come in another form must have this shape.
    channels : {"auto", "last", "first"}, default="auto"
        Position of the channels in arrays with four axes and in `sample_shape`. "auto" infers it: the axis with 1, 3 or
        4 channels if only one of the two has them; the axis that leaves two equal sides if neither has. If that is
        ambiguous, `fit` raises an error.
    value_range : "auto" or pair of float, default="auto"
        The values of black and white. "auto" is (0, 255) for bytes; (0, 1) for booleans and for floats that all lie in
        between; for other numbers, among them those of grey files with more than 8 bits, the smallest and the largest
        value in `fit`.
    image_size : int, tuple of (int, int) or None, default=None
        Side, or height and width, to which files are resized. Proportions are kept, and the longer side is cropped.
        None requires that all files have the same size.
    color : {"auto", "grey", "rgb", "rgba"}, default="auto"
        Colour mode to which files are converted. "auto" is grey if no file is in colour, else RGB. Transparent parts
        are laid on mid-grey, on which black and white show; "rgba" keeps the alpha channel.
    on_broken : {"raise", "skip"}, default="raise"
        Treatment of files that cannot be decoded. "raise" raises an error. "skip" warns; it leaves the file out of
        `fit`, and in `transform`, which returns one row per image, it replaces the file by a blank image of the mean
        colour. No row is ever NaN.
    max_decoded_bytes : int, default=2147483648
        Largest size of decoded files, in bytes, that is kept in memory. Larger collections are decoded again whenever
        they are needed. The default is 2 GiB.
    n_jobs : int or None, default=-1
        Number of threads that decode files: -1 for one per core, None for one thread. It changes only the speed.

    Attributes
    ----------
    sample_shape_ : tuple of (int, int, int)
        Height, width and channels of an image.
    value_range_ : tuple of (float, float)
        The values of black and white.
    mean_ : ndarray of shape (channels,), float64
        Mean intensity of each channel; for more than 10,000 images of bytes, of 10,000 evenly spaced ones.
    std_ : ndarray of shape (channels,), float64
        Standard deviation of each channel's intensity, for the same images.
    spec_ : ImageSpec
        Description of the samples.
    n_features_in_ : int
        Number of values in an image: height * width * channels.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in `fit`, if X had any.

    Notes
    -----
    Files are turned upright as their headers say. Pillow converts colour files to 8 bits per channel; the values of
    grey files with more bits are kept, whether integers or floats. Either all files have 8 bits, or all have more.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins.preprocessing import ImagePreprocessor
    >>> X = load_digits().data  # flat rows of 8 x 8
    >>> preprocessor = ImagePreprocessor(sample_shape=(8, 8)).fit(X)
    >>> preprocessor.transform(X).shape  # channels first, as networks take them
    (1797, 1, 8, 8)
    >>> preprocessor.value_range_, preprocessor.mean_.round(2)
    ((0.0, 16.0), array([0.31]))
    """

    _parameter_constraints: dict = {
        "sample_shape": [tuple, list, None],
        "channels": [StrOptions({"auto", "last", "first"})],
        "value_range": [StrOptions({"auto"}), tuple, list],
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "color": [StrOptions({"auto", "grey", "rgb", "rgba"})],
        "on_broken": [StrOptions({"raise", "skip"})],
        "max_decoded_bytes": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        sample_shape=None,
        *,
        channels="auto",
        value_range="auto",
        image_size=None,
        color="auto",
        on_broken="raise",
        max_decoded_bytes=2_147_483_648,
        n_jobs=-1,
    ):
        self.sample_shape = sample_shape
        self.channels = channels
        self.value_range = value_range
        self.image_size = image_size
        self.color = color
        self.on_broken = on_broken
        self.max_decoded_bytes = max_decoded_bytes
        self.n_jobs = n_jobs

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : ImagePreprocessor
            The object itself.

        Raises
        ------
        ValueError
            If a shape, size or range is invalid.
        """
        super().check()
        shape, size, values = self.sample_shape, self.image_size, self.value_range
        if shape is not None:
            sides = [1 if side == -1 else side for side in shape]
            if len(sides) not in (2, 3) or not all(map(is_side, sides)) or list(shape).count(-1) > 1:
                raise make_error("sample_shape", "hold 2 or 3 positive integers, one of which may be -1", shape)
        if isinstance(size, (tuple, list)) and not (len(size) == 2 and all(map(is_side, size))):
            raise make_error("image_size", "be a side, (height, width) or None", size)
        if not isinstance(values, str) and not is_range(values):
            raise make_error("value_range", "be 'auto' or (black, white), two numbers with black < white", values)
        if self.n_jobs == 0:
            raise make_error("n_jobs", "be None for one thread, -1 for all cores, or a positive number", 0)
        return self

    def _learn(self, X, owner):
        X = unwrap(X)
        sources = find_sources(X)
        if sources is None:
            images, layout = self._open(X, owner, reset=True)
            target, self._layout = None, layout
            statistics = compute_statistics(images)
        else:
            self._layout = "last"
            target = find_target(sources, self.image_size, self.color, self._n_threads)
            self._check_target(target)
            images, statistics = self._scan(sources, target, owner)
            replace_columns(owner, int(np.prod(images.shape[1:])))
        self._describe(images, statistics, target)
        share_names(owner, self)
        if self.value_range == "auto" and self.value_range_ != UNIT_RANGE and images.dtype != np.uint8:
            self._range().check_one_scale(images)
        return self._samples(images, new=False)

    def _make_samples(self, X, owner, to_fit):
        """A view of X if it holds bytes; lazy images if it is a large memory map, or names many files."""
        X = unwrap(X)
        sources = find_sources(X)
        if sources is None:
            return self._samples(self._open(X, owner, reset=False)[0])
        target = self._fitted_target(sources)
        if to_fit and self.on_broken == "skip":
            return self._samples(self._scan(sources, target, owner)[0])
        files = ImageFiles(sources, target, self._blank(target), self._n_threads)
        fits = files.nbytes <= self.max_decoded_bytes
        return self._samples(decode_all(files, getattr(owner, "verbose", 0)) if fits else files)

    def check_unlabeled(self, X, unlabeled):
        """Refuse rows without labels that are on another scale than those with labels.

        Parameters
        ----------
        X, unlabeled : array-like
            Images in the same kind of container. Up to 256 of each in even steps are compared.

        Raises
        ------
        ValueError
            If their values have another range.
        TypeError
            If their types have another black or white.
        """
        some, more = (take_some(unwrap(rows)) for rows in (X, unlabeled))
        if find_sources(some) is not None:
            return
        fitted = clone(self).fit(some)
        values, _ = fitted._open(more, fitted, reset=False)
        try:
            fitted._samples(values)
        except ValueError as error:
            raise ValueError(f"unlabeled is on another scale than X: {str(error).replace('Input X', 'it')}") from error
        if fitted._range().of_type(values.dtype) != fitted.value_range_:
            raise TypeError(f"unlabeled holds {values.dtype}, which have another white than X. Bring both to one type.")

    def _scan(self, sources, target, owner):
        """Decode all files: the images and their statistics."""
        files, skip = ImageFiles(sources, target, None, self._n_threads), self.on_broken == "skip"
        return scan(files, getattr(owner, "verbose", 0), max_bytes=self.max_decoded_bytes, skip=skip)

    def _fitted_target(self, sources):
        """The target of the files in `fit`; one that fits their shape if `fit` saw arrays."""
        return self._target or make_target(self.sample_shape_, self.image_size is not None, sources)

    def _blank(self, target):
        """The mean colour, as files hold it, which replaces a broken one; None if that is an error."""
        if self.on_broken == "raise":
            return None
        low, high = self._range().of_type(np.dtype(target.dtype))
        colors = low + self.mean_ * (high - low)
        return tuple(colors.tolist() if target.dtype == "float32" else np.rint(colors).astype(int).tolist())

    def _check_target(self, target):
        shape, found = self.sample_shape, target.sample_shape
        if shape is not None and not matches(to_height_width_channels(shape, self.channels), found):
            raise ValueError(
                f"X holds files of {describe_shape(found)}, but sample_shape={shape!r}. Leave it None; files are "
                "brought to image_size and color."
            )
        if target.dtype == "uint8" and self.value_range != "auto" and tuple(self.value_range) != BYTE_RANGE:
            raise make_error(
                "value_range", "be 'auto' if X holds files of 8 bits per channel, from 0 to 255", self.value_range
            )

    @property
    def _n_threads(self):
        return min(joblib.effective_n_jobs(self.n_jobs or 1), 4 * joblib.cpu_count())  # some wait for the disk

    def _open(self, X, owner, *, reset):
        """View X as images, with the channels first, and find where they are in X."""
        fitted = None if reset else self.sample_shape_
        layout = "last" if reset else getattr(self, "_layout", "last")  # files of earlier versions have none
        wanted = {"sample_shape": self.sample_shape, "channels": self.channels}
        try:
            images, layout = open_array(X, owner, reset=reset, fitted=fitted, layout=layout, **wanted)
        except (TypeError, ValueError) as error:
            refuse_picture_column(X, error)
            raise
        mapping = check_mapping(images)
        if mapping is None:
            return make_shareable(images), layout
        is_large = images.nbytes >= MIN_MAPPED_BYTES
        return MappedImages(images) if is_large else make_shareable(copy_array(images)), layout

    def _describe(self, images, statistics, target):
        _, depth, height, width = images.shape
        self.sample_shape_, self._target = (height, width, depth), target
        low, high = self.value_range_ = find_range(self.value_range, images.dtype, statistics)
        self.mean_, self.std_ = (statistics.mean - low) / (high - low), statistics.std / (high - low)
        self.spec_ = ImageSpec((depth, height, width), mean=tuple(self.mean_.tolist()), std=tuple(self.std_.tolist()))

    def _range(self):
        return FittedRange(self.value_range_, isinstance(self.value_range, str), self.mean_, self.std_)

    def _samples(self, images, *, new=True):
        """Scale images to samples; `new` ones are held to the range of those in `fit`."""
        fitted = self._range()
        value_range = fitted.of_type(images.dtype)
        as_bytes = is_bytes(images.dtype, value_range)
        if new and not (as_bytes and isinstance(images, ImageFiles)):  # which would be decoded twice
            fitted.check(images)
        if as_bytes and value_range == self.value_range_:
            return images
        limits = fitted.limits if new or not fitted.learnt else None
        scale = partial(scale_to_intensities, value_range=value_range, limits=limits)
        return scale(images) if isinstance(images, np.ndarray) else images.convert(scale, np.float32)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def take_some(rows):
    """Take up to 256 rows in even steps."""
    frame = as_frame(rows, "X")
    some = frame[:: max(1, -(-len(rows) // N_COMPARED))]
    return some.to_native() if frame is not rows else some


def is_side(side):
    """Whether something is a positive integer."""
    return isinstance(side, Integral) and side >= 1


def is_range(values):
    """Whether something is a pair of numbers, black and white, with black smaller by more than rounding."""
    if len(values) != 2 or not all(isinstance(value, Real) for value in values):
        return False
    black, white = values
    return bool(-np.inf < black < white < np.inf) and white - black >= float(np.finfo(np.float32).tiny)


def make_error(parameter, must, value):
    """Make the error for a parameter out of range."""
    return ValueError(f"The {parameter!r} parameter of ImagePreprocessor must {must}. Got {value!r} instead.")

"""Images as samples: arrays, flat rows, memory maps and files, checked, with their channels' statistics learnt."""

from functools import partial
from numbers import Integral, Real

import joblib
import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._inputs._feature_names import share_names
from .._inputs._memory_maps import check_mapping
from .._parts._component import Component
from ._arrays import open_array, plain
from ._axes import with_channels, words
from ._image_files import ImageFiles, decode_all, scan
from ._intensities import BYTE_RANGE, check_range, count, find_range, intensities, is_bytes
from ._memmap import MappedImages, copied
from ._pillow import find_target, is_paths, target_like, to_paths
from ._spec import ImageSpec

LEAST_MAPPED_BYTES = 2**28  # a smaller memory map is read like an array


class ImagePreprocessor(Component):
    """Make samples of images: arrays, flat rows, arrays mapped from files, or image files.

    X may be

    - an array (n, height, width, channels) or (n, channels, height, width), with any number of channels, or
      (n, height, width) of grey images;
    - flat rows (n, height * width * channels), with `sample_shape`, as scikit-learn's tools pass them on;
    - an array of these shapes mapped from a file (`numpy.memmap`, ``numpy.load(..., mmap_mode="r")``), which may be
      larger than the memory: from 256 MiB on it is read a few images at a time and never as a whole;
    - a sequence of paths of image files, with Pillow.

    Bytes (uint8) stay bytes until they are on the device, and are not copied. Other numbers become float32
    intensities, 0 for black and 1 for white. The network receives intensities less the mean of their channel, divided
    by its standard deviation.

    Parameters
    ----------
    sample_shape : tuple of int or None, default=None
        Shape of the images that flat rows hold: (height, width) or (height, width, channels), or (channels, height,
        width) if ``channels="first"``. One of them may be -1, which is worked out. Of other arrays it is checked.
    channels : {"auto", "last", "first"}, default="auto"
        Where the channels of an array with four axes are. "auto" takes the place that holds 1, 3 or 4 if the other one
        does not; if neither does, the one that leaves two equal sides; and else refuses.
    value_range : "auto" or pair of float, default="auto"
        The values that are black and white. "auto" is 0 and 255 of bytes; 0 and 1 of booleans, and of numbers
        that all lie between; else the least and the largest value that `fit` sees.
    image_size : int, tuple of (int, int) or None, default=None
        Side, or height and width, to which files are resized; their proportions are kept and the longer side is cut.
        None takes the one size that all files have.
    color : {"auto", "grey", "rgb", "rgba"}, default="auto"
        What files are converted to. "auto" is grey if no file has colours, else RGB.
    on_broken : {"raise", "skip"}, default="raise"
        What happens to a file that cannot be decoded. "skip" leaves it out of `fit`; in `transform`, which returns a
        row for each image, a blank image of the mean colour stands for it. Both warn, and no row is ever NaN.
    max_decoded_bytes : int, default=2147483648
        Decoded files up to this size, in bytes, are kept in memory; more are decoded again whenever they are
        needed. The default is 2 GiB.
    n_jobs : int or None, default=-1
        Threads that decode files: -1 for as many as there are cores, None for one. They change nothing but the speed.

    Attributes
    ----------
    sample_shape_ : tuple of (int, int, int)
        Height, width and channels of an image.
    value_range_ : tuple of (float, float)
        The values that are black and white.
    mean_ : ndarray of shape (channels,), float64
        Mean intensity of each channel. Of more than 10,000 images of bytes, that of 10,000 evenly spaced ones.
    std_ : ndarray of shape (channels,), float64
        Standard deviation of each channel's intensity, of the same images.
    spec_ : SampleSpec
        What a sample is made of.
    n_features_in_ : int
        Values of one image: height * width * channels.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns seen in `fit`, if X had any.

    Notes
    -----
    Files are turned upright as their headers say and brought to 8 bits a channel.

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
            If a shape, size or range is none.
        """
        super().check()
        shape, size, values = self.sample_shape, self.image_size, self.value_range
        if shape is not None:
            sides = [1 if side == -1 else side for side in shape]
            if len(sides) not in (2, 3) or not all(map(is_side, sides)) or list(shape).count(-1) > 1:
                raise refused("sample_shape", "hold 2 or 3 positive integers, one of which may be -1", shape)
        if isinstance(size, (tuple, list)) and not (len(size) == 2 and all(map(is_side, size))):
            raise refused("image_size", "be a side, (height, width) or None", size)
        if not isinstance(values, str) and not is_range(values):
            raise refused("value_range", "be 'auto' or (black, white), two numbers with black < white", values)
        if self.n_jobs == 0:
            raise refused("n_jobs", "be None for one thread, -1 for all cores, or a positive number", 0)
        return self

    def fit(self, X, y=None, *, owner=None):
        """Learn the shape of the images, their range and their channels' statistics.

        Parameters
        ----------
        X : array-like or sequence of paths
            The images.
        y : Ignored
            Not used, present by convention.
        owner : estimator, default=None
            In whose name X is checked; it receives `n_features_in_` and `feature_names_in_`.

        Returns
        -------
        self : ImagePreprocessor
            The fitted preprocessor.

        Raises
        ------
        ValueError
            If X does not hold images of one shape, which can be told, of finite numbers; or if a file is broken.
        """
        self.fit_transform(X, owner=owner)
        return self

    def fit_transform(self, X, y=None, *, owner=None):
        """Learn from X, and make samples of it.

        Parameters
        ----------
        X : array-like or sequence of paths
            The images.
        y : Ignored
            Not used, present by convention.
        owner : estimator, default=None
            In whose name X is checked.

        Returns
        -------
        samples : ndarray or lazy images of shape (n, channels, height, width), uint8 or float32
            As from `transform`, without the broken files that were skipped.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        self.check()
        owner = self if owner is None else owner
        if not is_paths(X):
            images = self._open(X, owner, reset=True)
            self._learn(images, count(images), None, owner)
            return self._samples(images, owner)
        paths = to_paths(X)
        if not isinstance(self.value_range, str) and tuple(self.value_range) != BYTE_RANGE:
            raise refused(
                "value_range", "be 'auto' where X holds paths, since files are decoded to bytes", self.value_range
            )
        target = find_target(paths, self.image_size, self.color, self._n_threads)
        self._check_shape(target)
        files = ImageFiles(paths, target, None, self._n_threads)
        keep = files.nbytes <= self.max_decoded_bytes
        files, statistics, images = scan(files, owner, keep=keep, skip=self.on_broken == "skip")
        owner.n_features_in_ = int(np.prod(files.shape[1:]))
        owner.__dict__.pop("feature_names_in_", None)
        self._learn(files, statistics, target, owner)
        return images if keep else files

    def transform(self, X, *, owner=None):
        """Make samples of X.

        Parameters
        ----------
        X : array-like or sequence of paths
            Images of the shape that `fit` saw, in any of the forms.
        owner : estimator, default=None
            In whose name X is checked.

        Returns
        -------
        samples : ndarray or lazy images of shape (n, channels, height, width), uint8 or float32
            A view of X if it holds bytes. Lazy images, of which ``samples[rows]`` reads some, if X is mapped from a
            file, or holds paths of more images than `max_decoded_bytes`.

        Raises
        ------
        ValueError
            If X does not hold images of the shape that `fit` saw.
        NotFittedError
            If `fit` was not called before.
        """
        check_is_fitted(self)
        owner = self if owner is None else owner
        if not is_paths(X):
            return self._samples(self._open(X, owner, reset=False), owner)
        target = self._target or target_like(self.sample_shape_, resize=self.image_size is not None)
        blank = tuple(np.rint(255 * self.mean_).astype(int).tolist()) if self.on_broken == "skip" else None
        files = ImageFiles(to_paths(X), target, blank, self._n_threads)
        return files if files.nbytes > self.max_decoded_bytes else decode_all(files, owner)

    def transform_for_fit(self, X, *, owner=None):
        """Make samples of X for a fit that goes on: as `transform`, but broken files that are skipped are left out.

        Parameters
        ----------
        X : array-like or sequence of paths
            Images of the shape that `fit` saw.
        owner : estimator, default=None
            In whose name X is checked.

        Returns
        -------
        samples : ndarray or lazy images of shape (n, channels, height, width), uint8 or float32
            As from `fit_transform`.

        Raises
        ------
        ValueError, NotFittedError
            As in `transform`.
        """
        check_is_fitted(self)
        if self.on_broken == "raise" or not is_paths(X):
            return self.transform(X, owner=owner)
        target = self._target or target_like(self.sample_shape_, resize=self.image_size is not None)
        files = ImageFiles(to_paths(X), target, None, self._n_threads)
        keep = files.nbytes <= self.max_decoded_bytes
        files, _, images = scan(files, self if owner is None else owner, keep=keep, skip=True)
        return images if keep else files

    def _check_shape(self, target):
        if self.sample_shape is None:
            return
        wanted, found = with_channels(self.sample_shape, self.channels), target.sample_shape
        if any(side not in (-1, has) for side, has in zip(wanted, found, strict=True)):
            raise ValueError(
                f"X holds files of {words(found)}, but sample_shape={self.sample_shape!r}. Leave it None; files are "
                "brought to image_size and color."
            )

    @property
    def _n_threads(self):
        return joblib.effective_n_jobs(self.n_jobs or 1)

    def _open(self, X, owner, *, reset):
        fitted = None if reset else self.sample_shape_
        images = open_array(
            X, owner, reset=reset, sample_shape=self.sample_shape, channels=self.channels, fitted=fitted
        )
        mapping = check_mapping(images)
        if mapping is None:
            return plain(images)
        return MappedImages(images) if images.nbytes >= LEAST_MAPPED_BYTES else plain(copied(images))

    def _learn(self, images, statistics, target, owner):
        _, depth, height, width = images.shape
        self.sample_shape_, self._target = (height, width, depth), target
        low, high = self.value_range_ = find_range(self.value_range, images.dtype, statistics)
        self.mean_, self.std_ = (statistics.mean - low) / (high - low), statistics.std / (high - low)
        self.spec_ = ImageSpec((depth, height, width), mean=tuple(self.mean_.tolist()), std=tuple(self.std_.tolist()))
        share_names(owner, self)

    def _samples(self, images, owner):
        name = type(owner).__name__
        check_range(images, self.value_range_, name)
        if is_bytes(images.dtype, self.value_range_):
            return images
        convert = partial(intensities, value_range=self.value_range_)
        return images.converted(convert, np.float32) if isinstance(images, MappedImages) else convert(images)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def is_side(side):
    """Whether something is a positive integer."""
    return isinstance(side, Integral) and side >= 1


def is_range(values):
    """Whether something is a pair of numbers, black and white, that are neither equal nor nearly so."""
    if len(values) != 2 or not all(isinstance(value, Real) for value in values):
        return False
    black, white = values
    return bool(-np.inf < black < white < np.inf) and white - black >= float(np.finfo(np.float32).tiny)


def refused(parameter, must, value):
    """The error of a parameter out of range."""
    return ValueError(f"The {parameter!r} parameter of ImagePreprocessor must {must}. Got {value!r} instead.")

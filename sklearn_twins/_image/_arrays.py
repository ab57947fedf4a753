"""X as an array of images: checked in the estimator's name and viewed with the channels first."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from .._inputs._containers import as_frame, check_container
from .._parts._stored_state import shorten
from ._axes import (
    complete_shape,
    describe_shape,
    find_flat_layout,
    find_layout,
    matches,
    to_channels_first,
    to_height_width_channels,
)

NARROW = 16  # pixels
WANTED = "an array (n, height, width, channels), flat rows with sample_shape, or a sequence of paths"


def open_array(X, owner, *, reset, sample_shape, channels, fitted, layout):
    """View X as images with the channels first, without a copy.

    Parameters
    ----------
    X : array-like
        Flat rows, or an array with three or four axes.
    owner : estimator
        The estimator named in error messages; it receives or has `n_features_in_` and `feature_names_in_`.
    reset : bool
        Whether `owner` learns from X.
    sample_shape : tuple of int or None
        Shape of the images, as the caller gave it.
    channels : {"auto", "last", "first"}
        Where the channels are, as the caller says.
    fitted : tuple of int or None
        (height, width, channels) of the images in `fit`, unless `reset`.
    layout : {"last", "first"}
        Where the channels of flat rows are if nobody says: where they were in `fit`.

    Returns
    -------
    images : ndarray of shape (n, channels, height, width)
    layout : {"last", "first"}
        Where the channels are in X.

    Raises
    ------
    ValueError
        If X does not hold images, or not of the shape seen in `fit`.
    """
    X = stack_images(refuse_gaps(check_container(X, "X", WANTED)))
    shape = None if sample_shape is None else to_height_width_channels(sample_shape, channels)
    if X.ndim > 4:
        raise ValueError(f"X has the shape {X.shape}, but images have at most 4 axes. Give {WANTED}.")
    if X.ndim not in (3, 4):
        if sample_shape is not None or channels != "auto":
            layout = find_flat_layout(sample_shape, channels)
        return open_rows(X, owner, reset, fitted or shape, sample_shape, layout), layout
    options = {"dtype": "numeric", "ensure_all_finite": False, "allow_nd": True, "ensure_2d": False, "copy": False}
    array = check_array(to_numbers(X), **options, estimator=owner, input_name="X")
    if X.ndim == 3:
        images = open_grey(array, channels)
    else:
        layout = find_layout(array.shape, channels, fitted)
        images = to_channels_first(array, layout)
    depth, height, width = images.shape[1:]
    found = (height, width, depth)
    if fitted is not None and found != fitted:
        raise ValueError(
            f"X has images of {describe_shape(found)}, but {type(owner).__name__} was fitted on images of "
            f"{describe_shape(fitted)}. Bring them to that shape."
        )
    if shape is not None and not matches(shape, found):
        raise ValueError(
            f"X has images of {describe_shape(found)}, but sample_shape={sample_shape!r}. Make the two agree."
        )
    if 0 in found:
        raise ValueError(f"X has images of {describe_shape(found)}, which hold no value. Give at least one pixel.")
    if reset:
        if shape is None and channels == "auto":  # else the caller has said that these are images
            warn_of_series(height, width)
        owner.n_features_in_ = height * width * depth
        owner.__dict__.pop("feature_names_in_", None)
    return images, layout


def warn_of_series(height, width):
    """Warn of images that are so narrow that they look like time series."""
    shorter, longer = sorted((height, width))
    if shorter < NARROW and longer >= 5 * shorter:
        warnings.warn(
            f"X is taken for images of {height} x {width} pixels. Crops and flips do not suit time series, such as "
            f"windows of {shorter} sensors: set modality='series'. If these are images, set "
            f"preprocessor__sample_shape=({height}, {width}).",
            UserWarning,
            stacklevel=2,
        )


def refuse_gaps(X):
    """Refuse containers with gaps or implicit zeros; return anything else as it is."""
    if sparse.issparse(X):
        raise TypeError("Sparse data was passed for X, but images are dense. Give X.toarray().")
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        n = int(np.ma.count_masked(X))
        raise ValueError(
            f"X is a masked array with {n:,} values missing, but images have no gaps. Give, for example, X.filled(0)."
        )
    as_frame(X, "X")
    return X


def stack_images(X):
    """Stack a sequence of images, such as a column of a frame, to one array; return an array as it is.

    Raises
    ------
    ValueError
        If the images have different shapes.
    """
    if not isinstance(X, (list, tuple)) and not hasattr(X, "ndim"):
        X = np.asarray(X)
        if X.ndim == 0:
            raise ValueError(f"X is a {type(X.item()).__name__}, which holds no images. Give {WANTED}.")
    if hasattr(X, "ndim") and not (X.ndim == 1 and X.dtype == object):
        return X
    images = [merge_objects(image) for image in X]
    shapes = [getattr(image, "shape", None) for image in images]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(
                f"X holds images of different shapes: X[0] has {shapes[0]}, X[{i}] has {shape}. Bring them to one."
            )
    try:
        return np.asarray(images)
    except ValueError as error:
        raise ValueError(f"X holds images of different shapes ({error}). Bring them to one.") from error


def merge_objects(image):
    """Merge an array of arrays, as frames hold nested lists, to one array; return anything else as it is."""
    if isinstance(image, np.ndarray) and image.dtype == object and image.size and hasattr(image.flat[0], "shape"):
        return np.stack([merge_objects(part) for part in image])
    return image


def to_numbers(X):
    """Convert text and objects to numbers; return an array of numbers as it is.

    Raises
    ------
    ValueError, TypeError
        If X holds dates, text that is not a number, or other objects.
    """
    dtype = getattr(X, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.kind in "biuf":
        return X
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X holds {dtype}. Give real and imaginary parts as channels.")
    if dtype.kind in "mM":
        raise ValueError(f"X holds {dtype}, but images hold numbers. Give {WANTED}.")
    try:
        with np.errstate(over="ignore"):  # numbers that are too large become infinity, which is refused later
            return np.asarray(X).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"X holds {dtype}, but images hold numbers ({shorten(error)}). Give {WANTED}.") from error


def open_rows(X, owner, reset, shape, sample_shape, layout):
    """View flat rows as images."""
    try:
        array = validate_data(owner, to_numbers(X), reset=reset, dtype="numeric", ensure_all_finite=False)
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(f"X holds text, but images hold numbers ({shorten(error)}). Give {WANTED}.") from error
    if shape is None:
        raise ValueError(
            f"X has the shape {array.shape}: flat rows, which do not tell the shape of their images. Give it as "
            f"preprocessor__sample_shape=(height, width, channels), with a product of {array.shape[1]}; or give X as "
            "an array (n, height, width, channels)."
        )
    height, width, depth = complete_shape(shape, array.shape[1], sample_shape)
    if layout == "first":
        return array.reshape(len(array), depth, height, width)
    return to_channels_first(array.reshape(len(array), height, width, depth), "last")


def open_grey(array, channels):
    """Add an axis of one channel to grey images."""
    if channels == "auto" and array.shape[2] in (3, 4):
        raise ValueError(
            f"X has the shape {array.shape}, which could be one image with {array.shape[2]} channels or "
            f"{array.shape[0]} grey images {array.shape[2]} pixels wide. Give X[None] for one image, X[..., None] for "
            "grey images."
        )
    return array[:, None]


def make_shareable(images):
    """Copy images whose memory torch cannot share: those with negative strides or a foreign byte order."""
    if any(stride < 0 for stride in images.strides) or not images.dtype.isnative:
        return np.ascontiguousarray(images, dtype=images.dtype.newbyteorder("="))
    return images

"""X as an array of images, checked in the estimator's name -> a view of it with the channels first."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from .._inputs._containers import as_frame, check_container
from ._axes import channels_first, filled, find_layout, with_channels, words

WANTED = "an array (n, height, width, channels), flat rows with sample_shape, or a sequence of paths"


def open_array(X, owner, *, reset, sample_shape, channels, fitted):
    """Images of X, not copied.

    Parameters
    ----------
    X : array-like
        Flat rows, or an array with three or four axes.
    owner : estimator
        In whose name X is checked; it receives or has `n_features_in_` and `feature_names_in_`.
    reset : bool
        Whether `owner` learns from X.
    sample_shape : tuple of int or None
        Of the images, as the caller gave it.
    channels : {"auto", "last", "first"}
        Where they are, as the caller says.
    fitted : tuple of int or None
        (height, width, channels) of the images seen in `fit`, unless `reset`.

    Returns
    -------
    images : ndarray of shape (n, channels, height, width)

    Raises
    ------
    ValueError
        If X does not hold images, or others than `fit` saw.
    """
    X = gathered(refuse_gaps(check_container(X, "X", WANTED)))
    shape = None if sample_shape is None else with_channels(sample_shape, channels)
    if X.ndim > 4:
        raise ValueError(f"X has the shape {X.shape}, and images have 4 axes at most. Give {WANTED}.")
    if X.ndim not in (3, 4):
        return open_rows(X, owner, reset=reset, shape=fitted or shape, sample_shape=sample_shape, channels=channels)
    options = {"dtype": "numeric", "ensure_all_finite": False, "allow_nd": True, "ensure_2d": False, "copy": False}
    array = check_array(as_numbers(X), **options, estimator=owner, input_name="X")
    if X.ndim == 3:
        images = open_grey(array, channels)
    else:
        images = channels_first(array, layout_of(array.shape, channels, fitted))
    depth, height, width = images.shape[1:]
    found = (height, width, depth)
    if fitted is not None and found != fitted:
        raise ValueError(
            f"X has images of {words(found)}, but {type(owner).__name__} was fitted on images of {words(fitted)}. "
            "Bring them to that shape."
        )
    if shape is not None and any(side not in (-1, has) for side, has in zip(shape, found, strict=True)):
        raise ValueError(f"X has images of {words(found)}, but sample_shape={sample_shape!r}. Make the two agree.")
    if 0 in found:
        raise ValueError(f"X has images of {words(found)}, which hold no value. Give at least one pixel.")
    if reset:
        owner.n_features_in_ = height * width * depth
        owner.__dict__.pop("feature_names_in_", None)
    return images


def refuse_gaps(X):
    """Refuse containers whose gaps or zeros an image has no place for; anything else as it is."""
    if sparse.issparse(X):
        raise TypeError("Sparse data was passed for X, but images are dense. Give X.toarray().")
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        n = int(np.ma.count_masked(X))
        raise ValueError(
            f"X is a masked array with {n:,} values missing, and images have no gaps. Give X.filled(0), say."
        )
    as_frame(X, "X")
    return X


def gathered(X):
    """A sequence of images, a column of a frame for one, as one array; anything else as it is, or as NumPy takes it.

    Raises
    ------
    ValueError
        If the images have different shapes.
    """
    if hasattr(X, "ndim") and not (X.ndim == 1 and X.dtype == object):
        return X
    if not isinstance(X, (list, tuple)) and not hasattr(X, "ndim"):
        X = np.asarray(X)
        if X.ndim == 0:
            raise ValueError(f"X is a {type(X.item()).__name__}, which holds no images. Give {WANTED}.")
        return X
    images = list(X)
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


def as_numbers(X):
    """X, if it may hold numbers.

    Raises
    ------
    ValueError, TypeError
        If it holds dates, text that is no number, or other objects.
    """
    dtype = getattr(X, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.kind in "biuf":
        return X
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X holds {dtype}. Give real and imaginary parts as channels.")
    if dtype.kind in "mM":
        raise ValueError(f"X holds {dtype}, and images hold numbers. Give {WANTED}.")
    try:
        with np.errstate(over="ignore"):  # what is too large is refused as infinity is
            return np.asarray(X).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"X holds {dtype}, and images hold numbers ({error}). Give {WANTED}.") from error


def open_rows(X, owner, *, reset, shape, sample_shape, channels):
    """Images of flat rows."""
    try:
        array = validate_data(owner, as_numbers(X), reset=reset, dtype="numeric", ensure_all_finite=False)
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(f"X holds text, and images hold numbers ({error}). Give {WANTED}.") from error
    if shape is None:
        raise ValueError(
            f"X has the shape {array.shape}: flat rows, whose images have no shape of their own. Give it, such as "
            f"preprocessor__sample_shape=(height, width, channels) with a product of {array.shape[1]}; or give X as an "
            "array (n, height, width, channels)."
        )
    height, width, depth = filled(shape, array.shape[1], sample_shape)
    if channels == "first":
        return array.reshape(len(array), depth, height, width)
    return channels_first(array.reshape(len(array), height, width, depth), "last")


def open_grey(array, channels):
    """Grey images without an axis of channels."""
    if channels == "auto" and array.shape[2] in (3, 4):
        raise ValueError(
            f"X has the shape {array.shape}: one image with {array.shape[2]} channels, or {array.shape[0]} grey ones "
            f"of that width. Give X[None] for the one, X[..., None] for the others."
        )
    return array[:, None]


def layout_of(shape, channels, fitted):
    """Where the channels are: as `fit` found them, if just one place fits that."""
    if channels == "auto" and fitted is not None:
        height, width, depth = fitted
        fits = [shape[1:] == (height, width, depth), shape[1:] == (depth, height, width)]
        if fits != [True, True]:
            return "first" if fits[1] else "last"
    return find_layout(shape, channels)


def plain(images):
    """Images that torch can share memory with: no negative strides, and this machine's order of bytes."""
    if any(stride < 0 for stride in images.strides) or not images.dtype.isnative:
        return np.ascontiguousarray(images, dtype=images.dtype.newbyteorder("="))
    return images

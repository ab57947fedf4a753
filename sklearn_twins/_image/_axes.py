"""Axes of arrays of images: which are height, width and channels, inferred or given by the caller."""

import numpy as np

USUAL_CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def describe_shape(shape):
    """Describe a shape (height, width, channels) in words."""
    return "{} x {} x {} (height, width, channels)".format(*shape)


def find_flat_layout(sample_shape, channels):
    """Find out where the channels of flat rows are, from the caller's `sample_shape`.

    As in arrays with four axes, they are where 1, 3 or 4 is; if both ends have it, or neither, where the other two
    sides are equal. In doubt, they are last.

    Parameters
    ----------
    sample_shape : tuple of int or None
        The shape, in which -1 stands for any number.
    channels : {"auto", "last", "first"}
        Where the channels are, as the caller says.

    Returns
    -------
    layout : {"last", "first"}

    Raises
    ------
    ValueError
        If both ends may hold channels, and nothing speaks for one of them.
    """
    if channels != "auto" or sample_shape is None or len(sample_shape) == 2:
        return "first" if channels == "first" else "last"
    a, b, c = sample_shape
    last, first = c in USUAL_CHANNELS, a in USUAL_CHANNELS
    if last != first:
        return "last" if last else "first"
    last_square, first_square = a == b != -1, b == c != -1
    if last_square != first_square:
        return "last" if last_square else "first"
    if last and not a == c == 1:
        raise ValueError(
            f"sample_shape={sample_shape!r} could be (height, width, channels) or (channels, height, width). Say "
            "which: preprocessor__channels='last' or 'first'."
        )
    return "last"


def to_height_width_channels(sample_shape, channels):
    """Reorder the caller's `sample_shape` to (height, width, channels); without channels, there is one."""
    shape = tuple(int(side) for side in sample_shape)
    if len(shape) == 2:
        return (*shape, 1)
    return (shape[1], shape[2], shape[0]) if find_flat_layout(shape, channels) == "first" else shape


def matches(wanted, found):
    """Whether a shape is the wanted one, in which -1 stands for any number."""
    return all(side in (-1, has) for side, has in zip(wanted, found, strict=True))


def complete_shape(shape, n_columns, sample_shape):
    """Replace -1 in a shape by the number that fits flat rows of `n_columns`.

    Raises
    ------
    ValueError
        If `n_columns` is not the number of values of such an image.
    """
    known = int(np.prod([side for side in shape if side != -1]))
    fits = n_columns % known == 0 if -1 in shape else n_columns == known
    if not fits:
        needs = f"a multiple of {known}" if -1 in shape else known
        raise ValueError(
            f"X has {n_columns} columns, but sample_shape={sample_shape!r} needs {needs}. Give the shape of the images "
            "in these rows: preprocessor__sample_shape=(height, width, channels)."
        )
    return tuple(n_columns // known if side == -1 else side for side in shape)


def find_layout(shape, channels, fitted=None):
    """Find out where the channels of an array with four axes are.

    With `fitted`, the layout is the one in which the array has the fitted shape. Otherwise, if only one of the two axes
    has a length of 1, 3 or 4, it holds the channels. If neither has, it is the one that leaves two equal sides.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    channels : {"auto", "last", "first"}
        Where the channels are, as the caller says.
    fitted : tuple of int, default=None
        (height, width, channels) of the images in `fit`.

    Returns
    -------
    layout : {"last", "first"}

    Raises
    ------
    ValueError
        If the layout is ambiguous.
    """
    if channels != "auto":
        return channels
    _, a, b, c = shape
    if fitted is not None:
        last, first = fitted == (a, b, c), fitted == (b, c, a)
        if not (last and first):
            return "first" if first else "last"
    last, first = c in USUAL_CHANNELS, a in USUAL_CHANNELS
    if not (last or first):
        last, first = a == b, b == c
    if last == first:
        raise ValueError(
            f"X has the shape {tuple(shape)}, in which the channels could be last, {describe_shape((a, b, c))}, or "
            f"first, {describe_shape((b, c, a))}. Say which: preprocessor__channels='last' or 'first'."
        )
    return "last" if last else "first"


def to_channels_first(array, layout):
    """View an array of images as (n, channels, height, width); `layout` says where its channels are."""
    return array.transpose(0, 3, 1, 2) if layout == "last" else array

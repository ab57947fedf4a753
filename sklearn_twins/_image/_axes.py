"""What the axes of an array of images are: rows, height, width, channels, found by a rule or said by the caller."""

import numpy as np

USUAL = (1, 3, 4)  # grey, RGB, RGBA


def words(shape):
    """A shape (height, width, channels) in words."""
    return "{} x {} x {} (height, width, channels)".format(*shape)


def with_channels(sample_shape, channels):
    """`sample_shape` as the caller gave it -> (height, width, channels); a missing axis of channels is one of 1."""
    shape = tuple(int(side) for side in sample_shape)
    if len(shape) == 2:
        return (*shape, 1)
    return (shape[1], shape[2], shape[0]) if channels == "first" else shape


def filled(shape, n_columns, sample_shape):
    """A shape whose -1 is worked out from the number of columns of flat rows.

    Raises
    ------
    ValueError
        If rows of `n_columns` do not make such images.
    """
    known = int(np.prod([side for side in shape if side != -1]))
    fits = n_columns % known == 0 if -1 in shape else n_columns == known
    if not fits:
        needs = f"a multiple of {known}" if -1 in shape else known
        raise ValueError(
            f"X has {n_columns} columns, but sample_shape={sample_shape!r} needs {needs}. Give the shape of the images "
            "that the rows hold: preprocessor__sample_shape=(height, width, channels)."
        )
    return tuple(n_columns // known if side == -1 else side for side in shape)


def find_layout(shape, channels):
    """Where the channels of an array (n, ., ., .) are.

    One of the two places has 1, 3 or 4 channels and the other has not: that one. Neither has: the one that leaves two
    equal sides. Otherwise nobody can tell.

    Parameters
    ----------
    shape : tuple of int
        Of an array with four axes.
    channels : {"auto", "last", "first"}
        What the caller says.

    Returns
    -------
    layout : {"last", "first"}

    Raises
    ------
    ValueError
        If the rule finds none.
    """
    if channels != "auto":
        return channels
    _, a, b, c = shape
    usual = (c in USUAL, a in USUAL)
    if usual == (False, False):
        usual = (a == b, b == c)
    if usual[0] == usual[1]:
        raise ValueError(
            f"X has the shape {tuple(shape)}, in which the channels could be last, {words((a, b, c))}, or first, "
            f"{words((b, c, a))}. Say which: preprocessor__channels='last' or 'first'."
        )
    return "last" if usual[0] else "first"


def channels_first(array, layout):
    """A view of an array of images as (n, channels, height, width).

    Parameters
    ----------
    array : ndarray of shape (n, height, width, channels) or (n, channels, height, width)
        Not copied.
    layout : {"last", "first"}
        Which of the two.

    Returns
    -------
    images : ndarray of shape (n, channels, height, width)
    """
    return array.transpose(0, 3, 1, 2) if layout == "last" else array

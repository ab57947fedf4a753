"""Where the channels of an array of images are, and what shape flat rows have."""

import numpy as np
import pytest

from sklearn_twins._image._axes import channels_first, filled, find_layout, with_channels


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((5, 32, 32, 3), "last"),
        ((5, 3, 32, 32), "first"),
        ((5, 32, 20, 1), "last"),
        ((5, 1, 32, 20), "first"),
        ((5, 32, 20, 4), "last"),
        ((5, 4, 20, 32), "first"),
        ((5, 2, 2, 3), "last"),  # no side has 1, 3 or 4
        ((5, 32, 32, 10), "last"),  # neither does: the one that leaves a square
        ((5, 10, 32, 32), "first"),
        ((5, 145, 145, 200), "last"),
    ],
)
def test_the_rule(shape, layout):
    assert find_layout(shape, "auto") == layout


@pytest.mark.parametrize(
    "shape", [(5, 3, 32, 3), (5, 1, 28, 1), (5, 3, 3, 3), (5, 30, 20, 10), (5, 8, 8, 8), (5, 4, 4, 3)]
)
def test_what_nobody_can_tell_is_refused(shape):
    with pytest.raises(ValueError, match="preprocessor__channels='last' or 'first'") as error:
        find_layout(shape, "auto")
    assert str(shape) in str(error.value)
    assert find_layout(shape, "last") == "last" and find_layout(shape, "first") == "first"


def test_channels_first_is_a_view():
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    last, first = channels_first(array, "last"), channels_first(array, "first")
    assert last.shape == (2, 5, 3, 4) and last[1, 4, 2, 3] == array[1, 2, 3, 4] and np.shares_memory(last, array)
    assert first.shape == array.shape and np.shares_memory(first, array)


@pytest.mark.parametrize(
    ("given", "channels", "shape"),
    [
        ((8, 6), "auto", (8, 6, 1)),
        ((8, 6, 3), "auto", (8, 6, 3)),
        ((3, 8, 6), "first", (8, 6, 3)),
        ((8, 6), "first", (8, 6, 1)),
        ((-1, 6), "auto", (-1, 6, 1)),
    ],
)
def test_sample_shape_in_words_of_height_width_channels(given, channels, shape):
    assert with_channels(given, channels) == shape


def test_one_side_is_worked_out():
    assert filled((8, 6, 3), 144, (8, 6, 3)) == (8, 6, 3)
    assert filled((-1, 6, 1), 48, (-1, 6)) == (8, 6, 1)
    assert filled((1, -1, 1), 1, (1, -1, 1)) == (1, 1, 1)


@pytest.mark.parametrize(("shape", "needs"), [((8, 6, 3), "needs 144"), ((-1, 6, 3), "needs a multiple of 18")])
def test_a_shape_that_rows_do_not_have(shape, needs):
    with pytest.raises(ValueError, match=needs) as error:
        filled(shape, 100, shape)
    assert "X has 100 columns" in str(error.value) and repr(shape) in str(error.value)

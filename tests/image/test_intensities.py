"""Values as intensities, and channels' statistics, against NumPy's own on all images at once."""

import numpy as np
import pytest

from sklearn_twins._image import _intensities as module
from sklearn_twins._image._intensities import check_range, count, find_range, intensities, is_bytes


def images(dtype=np.uint8, n=50, channels=3, high=256):
    return np.random.default_rng(0).integers(0, high, size=(n, channels, 5, 4)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, bool])
@pytest.mark.parametrize("block_values", [1, 137, 2**22])
def test_statistics_are_those_of_all_images(monkeypatch, dtype, block_values):
    monkeypatch.setattr(module, "BLOCK_VALUES", block_values)
    X = images(dtype)
    found, values = count(X), X.astype(np.float64)
    np.testing.assert_allclose(found.mean, values.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.std, values.std(axis=(0, 2, 3)), rtol=1e-12)
    assert (found.low, found.high) == (values.min(), values.max())


def test_statistics_far_from_zero():
    X = 1e6 + np.random.default_rng(0).normal(size=(300, 1, 8, 8))
    found = count(X)
    np.testing.assert_allclose([found.mean[0], found.std[0]], [X.mean(), X.std()], rtol=1e-12)


def test_many_images_of_bytes_are_sampled_evenly(monkeypatch):
    monkeypatch.setattr(module, "MAX_COUNTED", 10)
    X = np.zeros((91, 1, 1, 1), dtype=np.uint8)
    X[::10] = 100  # the ten that are looked at
    assert count(X).mean == 100
    assert count(X.astype(np.float32)).mean == pytest.approx(1000 / 91)


@pytest.mark.parametrize(
    ("value_range", "X", "expected"),
    [
        ("auto", images(np.uint8, high=16), (0.0, 255.0)),
        ("auto", images(bool), (0.0, 1.0)),
        ("auto", images(np.float64) / 300, (0.0, 1.0)),
        ("auto", images(np.int64, n=500, high=17), (0.0, 16.0)),
        ("auto", images(np.float32) - 10.0, None),
        ("auto", np.full((3, 1, 2, 2), 7.0), (7.0, 8.0)),
        ((0, 4095), images(np.uint16), (0.0, 4095.0)),
        ((-1, 1), images(np.uint8), (-1.0, 1.0)),
    ],
)
def test_ranges(value_range, X, expected):
    found = find_range(value_range, X.dtype, count(X))
    assert found == (expected or (X.min(), X.max()))


def test_intensities():
    X = np.array([[[[0.0, 5.0], [10.0, 20.0]]]])
    found = intensities(X, (0.0, 10.0))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[[[0.0, 0.5], [1.0, 2.0]]]])


def test_intensities_far_from_zero_are_exact():
    """float32 alone would be off by a hundredth."""
    fractions = np.random.default_rng(0).random((20, 1, 3, 3))
    found = intensities(1e6 + fractions, (1e6, 1e6 + 1))
    np.testing.assert_allclose(found, fractions, atol=1e-6)


def test_intensities_as_they_are_are_not_copied():
    X = np.random.default_rng(0).random((4, 1, 3, 3), dtype=np.float32)
    assert intensities(X, (0.0, 1.0)) is X


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_is_refused(value, dtype):
    X = images(dtype)
    X[-1, 0, 0, 0] = value
    for call in (lambda: count(X), lambda: intensities(X, (0.0, 1.0))):
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            call()


def test_what_overflows_float32_is_refused():
    X = np.full((2, 1, 2, 2), 1e39)
    with pytest.raises(ValueError, match="infinity"):
        intensities(X, (0.0, 1.0))


def test_bytes_stay_bytes_only_in_their_own_range():
    assert is_bytes(np.dtype(np.uint8), (0.0, 255.0))
    assert not is_bytes(np.dtype(np.uint8), (0.0, 16.0)) and not is_bytes(np.dtype(np.float32), (0.0, 255.0))


@pytest.mark.parametrize(
    ("X", "value_range", "wrong"),
    [
        (images(np.float64) / 255, (0.0, 255.0), True),
        (images(np.uint8), (0.0, 1.0), True),
        (images(np.float64), (0.0, 255.0), False),
        (images(bool), (0.0, 255.0), False),
        (images(np.float32, high=2), (0.0, 255.0), False),  # nearly black, but whole numbers
        (np.zeros((3, 1, 2, 2)), (0.0, 255.0), False),
        (images(np.uint8, high=2), (0.0, 1.0), False),
        (images(np.float64) / 255, (0.0, 1.0), False),
        (images(np.uint8)[:0], (0.0, 1.0), False),
    ],
)
def test_another_range_than_that_of_fit(X, value_range, wrong):
    if not wrong:
        check_range(X, value_range, "Embedder")
        return
    with pytest.raises(ValueError, match="Bring them to that range") as error:
        check_range(X, value_range, "Embedder")
    assert f"{value_range[0]:g} to {value_range[1]:g}" in str(error.value)

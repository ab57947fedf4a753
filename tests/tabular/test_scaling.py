"""Scales of columns, against formulae written out here and SciPy's normal distribution."""

import numpy as np
import pytest
from scipy.stats import norm

from sklearn_twins._tabular._scaling import (
    LEVELS,
    apply_ranks,
    compute_quantiles,
    learn_center_and_scale,
    learn_ranks,
    soft_clip,
    standardize,
)

NAN, MAX, TINY = np.nan, np.finfo(np.float64).max, np.finfo(np.float64).tiny


def test_quantiles_of_what_is_there():
    column = np.random.default_rng(0).standard_cauchy(501)
    column[::5] = NAN
    before = column.copy()
    expected = np.percentile(column[~np.isnan(column)], 100 * np.arange(33) / 32)
    np.testing.assert_allclose(compute_quantiles(column), expected, rtol=1e-12)
    np.testing.assert_array_equal(column, before)


@pytest.mark.parametrize("column", [[], [NAN, NAN]])
def test_quantiles_of_nothing(column):
    assert compute_quantiles(np.array(column, dtype=np.float64)).tolist() == [0] * 33


def test_quantiles_of_the_largest_numbers():
    found = compute_quantiles(np.array([-MAX, MAX]))
    np.testing.assert_allclose(found / MAX, 2 * LEVELS - 1, atol=1e-15)


@pytest.mark.parametrize(
    ("column", "center", "scale"),
    [
        ([0, 1, 2, 3, 4], 2, 1 / 2),
        ([-8, 1, 2, 3, 1e30], 2, 1 / 2),
        ([5, 5, 5, 5, 5, 5, 7], 5, 2 / 2),
        ([0, 0, 0, 0, 0, 0, 0, -1, 3], 0, 2 / 4),
        ([7, 7, 7], 7, 0),
        ([], 0, 0),
        ([0, 0, 0, TINY / 2], 0, 0),
        ([-MAX, 0, MAX], 0, 1 / MAX),
        ([-MAX, -MAX, MAX, MAX], 0, 0.5 / MAX),
    ],
)
def test_robust_scale(column, center, scale):
    found = learn_center_and_scale(compute_quantiles(np.array(column, dtype=np.float64)))
    np.testing.assert_allclose(found, (center, scale), rtol=1e-12)


def test_standardize():
    numbers = np.array([[1.0, 5.0, MAX], [NAN, 5.0, -MAX], [-3.0, 9.0, 0.0]])
    before = numbers.copy()
    found = standardize(numbers, np.array([1.0, 5.0, -MAX]), np.array([0.5, 0.0, 1.0]))
    np.testing.assert_array_equal(found, [[0, 0, 1e9], [NAN, 0, 0], [-2, 0, 1e9]])
    np.testing.assert_array_equal(numbers, before)


@pytest.mark.parametrize("bound", [0.5, 3.0, 1e6])
def test_soft_clip(bound):
    z = np.array([-1e9, -bound, -1e-4, 0, 1e-4, bound, 1e9])
    found = soft_clip(z, bound)
    np.testing.assert_allclose(found, bound * np.sin(np.arctan(z / bound)), rtol=1e-12)
    np.testing.assert_array_equal(found, -found[::-1])
    assert (np.diff(found) > 0).all() and np.abs(found).max() <= bound


@pytest.mark.parametrize("z", [[NAN, NAN], [2.0, NAN, 2.0], [0.0]])
def test_a_constant_has_no_ranks(z):
    assert learn_ranks(np.array(z)[:, None]) is None
    assert apply_ranks(np.array([[1.5], [NAN]]), [None]).tolist()[0] == [1.5]


def test_ranks_become_normal():
    """Of few values: each has its own level, those between are between, those outside are at the ends."""
    learnt = np.array([[0.0], [1.0], [3.0], [NAN], [7.0], [100.0]])
    new = np.array([-5, 0, 0.5, 1, 2, 3, 7, 100, 1e9, NAN])
    levels = np.interp(new, [0, 1, 3, 7, 100], [0, 0.25, 0.5, 0.75, 1])
    iqr = norm.ppf(0.75) - norm.ppf(0.25)
    expected = norm.ppf(np.clip(levels, 1e-7, 1 - 1e-7)) / iqr
    found = apply_ranks(np.column_stack([new, new]), [learn_ranks(learnt), None])
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(found[:, 1], new)

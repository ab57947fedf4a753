"""The shapes of the learning-rate schedules: where they begin, peak and end."""

import numpy as np
import pytest

from sklearn_twins._training._schedules import SCHEDULES, WARMUP_SHARE

LENGTHS = [1, 2, 3, 5, 9, 10, 11, 100, 1_000]


def factors(name, n_steps):
    return np.array([SCHEDULES[name](step, n_steps) for step in range(n_steps)])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("n_steps", LENGTHS)
def test_factors_are_in_0_to_1_and_peak_at_1(name, n_steps):
    found = factors(name, n_steps)
    assert np.isfinite(found).all() and (found > 0).all()
    assert found.max() == 1.0


@pytest.mark.parametrize("name", ["warmup_cosine", "warmup_constant"])
@pytest.mark.parametrize("n_steps", [10, 100, 1_000])
def test_warm_up_is_linear_over_the_first_tenth(name, n_steps):
    warmup = round(WARMUP_SHARE * n_steps)
    np.testing.assert_allclose(factors(name, n_steps)[:warmup], np.arange(1, warmup + 1) / warmup)


@pytest.mark.parametrize("n_steps", [100, 1_000])
def test_warmup_cosine_falls_after_its_peak(n_steps):
    found = factors("warmup_cosine", n_steps)[round(WARMUP_SHARE * n_steps) :]
    assert found[0] == 1.0 and (np.diff(found) < 0).all()
    np.testing.assert_allclose(found, 0.5 * (1 + np.cos(np.pi * np.arange(len(found)) / len(found))))


@pytest.mark.parametrize("name", ["cosine", "warmup_cosine"])
def test_cosines_end_near_0(name):
    """At the last step, one before the end: about (pi / n)^2 / 4."""
    assert factors(name, 100)[-1] < 1e-3 and factors(name, 1_000)[-1] < 1e-5
    assert SCHEDULES[name](100, 100) == pytest.approx(0, abs=1e-15)


def test_cosine_is_half_way_at_half_time():
    found = factors("cosine", 100)
    assert found[0] == 1.0 and found[50] == pytest.approx(0.5)
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize("name", ["cosine", "warmup_cosine"])
def test_steps_beyond_the_end_do_not_rise_again(name):
    assert all(SCHEDULES[name](step, 100) == pytest.approx(0, abs=1e-15) for step in (100, 150, 299))


def test_constants():
    assert (factors("constant", 50) == 1).all()
    assert (factors("warmup_constant", 50)[5:] == 1).all()


def test_shape_does_not_depend_on_the_length():
    np.testing.assert_allclose(factors("warmup_cosine", 1_000)[100::100], factors("warmup_cosine", 10)[1:], atol=1e-12)

"""Which numbers are continuous, how much they correlate, and along which axes they vary."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sklearn_twins.preprocessing import TablePreprocessor
from sklearn_twins.preprocessing._collinear import N_ROWS, continuous_numbers, learn_axes


def mixed(n=400, seed=0):
    """Two continuous columns that are nearly one, two of few values, and a category."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    columns = {"a": a, "few": rng.integers(0, 4, n), "b": 5 * a + rng.normal(scale=0.5, size=n), "flag": a > 0}
    return pd.DataFrame({**columns, "job": rng.choice(["x", "y"], n)})


def test_continuous_are_those_of_many_values():
    spec = TablePreprocessor().fit(mixed()).spec_
    assert spec.continuous == (0, 2)
    assert continuous_numbers(()) == ()


def test_axes_and_collinearity_are_those_of_numpy():
    frame, preprocessor = mixed(), TablePreprocessor()
    samples, spec = preprocessor.fit_transform(frame), preprocessor.spec_
    Z = samples[:, [0, 2]].astype(np.float64)
    _, _, axes = np.linalg.svd(Z - Z.mean(0), full_matrices=False)
    assert_allclose(np.abs(spec.axes.T @ axes.T), np.eye(2), atol=1e-5)
    assert spec.collinearity == pytest.approx(np.corrcoef(Z.T)[0, 1] ** 2, rel=1e-6)
    assert spec.collinearity > 0.9


def test_fit_learns_what_fit_transform_learns():
    frame, twice = mixed(), [TablePreprocessor(), TablePreprocessor()]
    twice[0].fit(frame)
    twice[1].fit_transform(frame)
    assert twice[0].spec_.collinearity == twice[1].spec_.collinearity
    np.testing.assert_array_equal(twice[0].spec_.axes, twice[1].spec_.axes)


@pytest.mark.parametrize("width", [1, 513])
def test_too_few_columns_and_too_many(width):
    X = np.random.default_rng(0).normal(size=(40, width)).astype(np.float32)
    edges = np.quantile(X, np.linspace(0, 1, 33), axis=0).T
    assert learn_axes(X, tuple(map(tuple, edges))) == ((), None, 0.0)


def test_missing_values_and_constant_columns():
    frame = mixed().assign(constant=1.0)
    frame.loc[::3, "a"] = np.nan
    spec = TablePreprocessor().fit(frame).spec_
    assert np.isfinite(spec.axes).all() and 0 < spec.collinearity < 1
    assert spec.continuous == (0, 2)


def test_many_rows_are_sampled_from_all_over():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3 * N_ROWS, 2)).astype(np.float32)
    X[-N_ROWS:, 1] = X[-N_ROWS:, 0]  # sorted: the last third is collinear
    edges = tuple(map(tuple, np.quantile(X, np.linspace(0, 1, 33), axis=0).T))
    assert learn_axes(X, edges)[2] == pytest.approx(1 / 9, abs=0.03)

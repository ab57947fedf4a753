"""Numbers of a sample: the same bits however many are scaled at a time."""

import numpy as np
import pytest

from sklearn_twins._tabular import _numbers as module
from sklearn_twins.preprocessing import TablePreprocessor


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
@pytest.mark.parametrize("cells", [1, 7, 100])
def test_cells_at_a_time(monkeypatch, cells, scaling):
    X = np.random.default_rng(0).standard_cauchy((101, 4))
    X[::7, 1] = np.nan
    X[:, 3] = 5.0
    preprocessor = TablePreprocessor(scaling=scaling).fit(X)
    before, expected = X.copy(), preprocessor.transform(X)
    monkeypatch.setattr(module, "CELLS_AT_A_TIME", cells)
    np.testing.assert_array_equal(preprocessor.transform(X), expected)
    np.testing.assert_array_equal(X, before)


def test_no_numbers_at_all():
    X = np.array([["a", "b"], ["c", "b"]], dtype=object)
    assert TablePreprocessor().fit_transform(X).shape == (2, 2)

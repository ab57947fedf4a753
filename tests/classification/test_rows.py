"""Training rows: merged rows find their predictions again, and given labels are kept."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_twins._classification import _repeats
from sklearn_twins._classification._labels import read_labels
from sklearn_twins._classification._rows import Rows

X = np.array([[0.0], [1.0], [0.0], [2.0], [3.0], [1.0]])
Y = np.array([0, 1, 0, -1, -1, 1])


def rows_of(weights=None, groups=None, unlabeled=None):
    return Rows.prepare(X, unlabeled, groups, read_labels(Y, X, unlabeled, -1), weights, None)


def test_merged_rows_get_the_predictions_of_one(monkeypatch):
    monkeypatch.setattr(_repeats, "MIN_DISTINCT", 1)
    rows = rows_of(weights=[1, 1, 1, 1, 1, 0])
    assert_array_equal(rows.X, [[0], [1], [2], [3]])
    assert_array_equal(rows.labels.codes, [0, 1, -1, -1])
    labels, proba = rows.transduce(np.array([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]))
    assert_array_equal(labels, [0, 1, 0, 0, 1, 1])
    assert_array_equal(proba, [[1, 0], [0, 1], [1, 0], [0.9, 0.1], [0.2, 0.8], [0, 1]])


def test_nothing_to_merge():
    rows = rows_of(groups=[0, 0, 1, 1, 2, 2], unlabeled=X[:1])
    assert rows.X is X and rows.origin is None
    assert_array_equal(rows.group_codes, [0, 0, 1, 1, 2, 2, 3])
    assert_array_equal(rows.transduce(np.full((7, 2), 0.5))[1][:3], [[1, 0], [0, 1], [1, 0]])


@pytest.mark.parametrize(("name", "value"), [("groups", range(6)), ("weights", [1] * 5)])
def test_refused(name, value):
    with pytest.raises(ValueError, match=name[:6]):
        rows_of(**{name: value})

"""Labels: their classes and weights, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils import compute_class_weight

from sklearn_twins._classification._labels import (
    check_class_list,
    check_weights,
    read_labels,
    with_weights,
)

X = np.zeros((5, 2))
NAN = float("nan")


def test_more_rows_have_no_labels():
    labels = read_labels([0, 1, 0, 1, 0], X, X[:2], -1)
    assert_array_equal(labels.codes, [0, 1, 0, 1, 0, -1, -1])
    assert_array_equal(labels.rows, range(5))
    assert_array_equal(labels.counts, [3, 2])


@pytest.mark.parametrize(
    ("y", "error", "match"),
    [
        ([0, 1], ValueError, "2 labels for 5 rows"),
        ([-1] * 5, ValueError, "no labels: all 5 rows"),
        ([NAN] * 5, ValueError, "no labels"),
        ([0, 0, -1, 0, -1], ValueError, "one class only: 0, in 3 rows of 5"),
        (["a", "a", None, "a", None], ValueError, "one class only: 'a', in 3 rows of 5"),
        ([0.5, 1.0, 2.0, 1.0, 0.0], ValueError, "continuous.*0.5"),
        ([0.5, 1.0, None, 1.0, 0.0], ValueError, "continuous.*0.5"),
        ([0.0, 1.0, np.inf, 1.0, 0.0], ValueError, "infinity"),
        (np.array(["a", 1, "a", 1, None], dtype=object), TypeError, "types int, str"),
        (["a", "b", "-1", "-1", "a"], ValueError, "the text '-1'"),
        (np.array(["a", "b", NAN, "b", "a"]), ValueError, "the text 'nan'"),
        (np.array([np.inf, 1.0, None, 1.0, 0.0], dtype=object), ValueError, "infinity"),
        ([[0, 1]] * 5, ValueError, "1d array.*MultiOutputClassifier"),
        (None, ValueError, "1d array"),
    ],
    ids=str,
)
def test_refused(y, error, match):
    with pytest.raises(error, match=match):
        read_labels(y, X, None, -1)


def test_lists_of_classes():
    assert_array_equal(check_class_list(["b", "a", "b"], -1), ["a", "b"])
    assert_array_equal(check_class_list([1, -1], -1), [-1, 1])
    labels = read_labels([2, -1, 2, -1, -1], X, None, -1, np.array([0, 1, 2]))
    assert_array_equal(labels.codes, [2, -1, 2, -1, -1])
    with pytest.raises(ValueError, match="not in classes: 3"):
        read_labels([3, 2, 2, 2, 2], X, None, -1, np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="first call"):
        check_class_list(None, -1)
    with pytest.raises(ValueError, match="two classes"):
        check_class_list([1, 1], -1)
    for classes in ([-1, 0, 1], [0, 1, NAN], ["a", "b", None]):
        with pytest.raises(ValueError, match="holds a mark"):
            check_class_list(classes, -1)


@pytest.mark.parametrize("class_weight", [{0: -5}, {0: np.inf}, {0: 0, 1: 0}], ids=str)
def test_refused_class_weights(class_weight):
    with pytest.raises(ValueError, match="class_weight must hold numbers"):
        with_weights(read_labels([0, 0, 0, 1, -1], X, None, -1), None, class_weight)


def test_weights():
    labels = read_labels([0, 0, 0, 1, -1], X, None, -1)
    assert_array_equal(with_weights(labels, None, {0: 2, 1: 5}).weights, [2, 2, 2, 5, 0])
    balanced = with_weights(labels, None, "balanced").weights
    assert_allclose(balanced[[0, 3]], compute_class_weight("balanced", classes=np.arange(2), y=[0, 0, 0, 1]))
    weighted = with_weights(labels, check_weights([3, 0, 1, 2, 9], X, labels), None)
    assert_array_equal(weighted.weights, [3, 0, 1, 2, 0])
    assert_array_equal(weighted.codes, [0, -1, 0, 1, -1])
    assert_array_equal(weighted.is_left_out, [False, True, False, False, False])


@pytest.mark.parametrize(
    ("weights", "match"),
    [([0, 0, 0, 0, 1], "zero for all labelled"), ([1, 1, 1, 0, 1], "one class"), ([1, 1, 1, -1, 1], "Negative")],
)
def test_refused_weights(weights, match):
    for y in ([0, 0, 0, 1, -1], ["a", "a", "a", "b", None]):
        with pytest.raises(ValueError, match=match):
            labels = read_labels(y, X, None, -1)
            with_weights(labels, check_weights(weights, X, labels), None)


@pytest.mark.parametrize("weights", ["heavy", [1, 2], [1, 1, 1, NAN, 1]], ids=str)
def test_weights_that_are_none(weights):
    with pytest.raises(ValueError, match="sample_weight must hold a number"):
        check_weights(weights, X, read_labels([0, 1, 0, 1, -1], X, None, -1))


def test_weights_of_rows_without_label_may_be_missing():
    labels = read_labels([0, 1, 0, 1, -1], X, None, -1)
    for weights in ([1, 2, 3, 4, NAN], pd.Series([1, 2, 3, 4, pd.NA], dtype="Float64")):
        assert check_weights(weights, X, labels).tolist() == [1, 2, 3, 4, 1]

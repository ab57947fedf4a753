"""Repeated rows: merged with their weights, in a canonical order, and found again."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_twins._classification import _repeats
from sklearn_twins._classification._labels import read_labels, with_weights
from sklearn_twins._classification._repeats import merge_rows

DISTINCT = np.random.default_rng(0).integers(0, 9, size=(15, 3)).astype(float)
Y = np.arange(15) % 3 - 1  # a third of the rows has no label


def merged_of(X, y, weights=None, has_groups=False):
    labels = with_weights(read_labels(y, X, None, -1, np.array([0, 1])), weights, None)
    return merge_rows(X, labels, weights, has_groups)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, lambda X: X.tolist()], ids=["array", "sparse", "list"])
def test_weights_mean_repetition(make):
    counts = np.array([0, 1, 2, 3, 1] * 3)
    order = np.random.default_rng(1).permutation(15)
    repeats = np.where(Y >= 0, counts, 1)
    weighted = merged_of(make(DISTINCT[order]), Y[order], counts[order].astype(float))
    repeated = merged_of(make(DISTINCT.repeat(repeats, axis=0)), Y.repeat(repeats))
    n = int((repeated.labels.codes >= 0).sum())
    for one in (weighted, repeated):
        assert n >= 8 and (one.labels.codes[:n] >= 0).all() and (one.labels.codes[n:] < 0).all()
    assert_array_equal(DISTINCT[order][weighted.keep][:n], DISTINCT.repeat(repeats, axis=0)[repeated.keep][:n])
    assert_array_equal(weighted.labels.weights[:n], repeated.labels.weights[:n])
    assert_array_equal(weighted.labels.codes[:n], repeated.labels.codes[:n])


def test_rows_are_found_again():
    X, y = DISTINCT.repeat(2, axis=0), Y.repeat(2)
    merged = merged_of(X, y)
    assert len(merged.keep) == 10 + 10  # rows without label are not merged
    assert_array_equal(X[merged.keep][merged.origin], X)
    assert_array_equal(merged.labels.codes[merged.origin], y)
    assert merged.take(None) is None
    assert_array_equal(merged.take(pd.DataFrame(X)), X[merged.keep])


def test_equal_rows_of_two_classes_stay_apart():
    merged = merged_of(DISTINCT[[*range(12), *range(12)]], [*[0] * 12, *[1] * 6, *[0] * 6])
    assert len(merged.keep) == 18 and merged.labels.weights.sum() == 24


@pytest.mark.parametrize("case", ["distinct", "few", "frame", "groups", "text"])
def test_nothing_to_merge(case):
    X, y = DISTINCT.repeat(2, axis=0), Y.repeat(2)
    if case == "distinct":
        X, y = DISTINCT, Y
    if case == "few":
        X, y = X[: _repeats.MIN_DISTINCT], y[: _repeats.MIN_DISTINCT]
    X = {"frame": pd.DataFrame, "text": lambda X: X.astype(str)}.get(case, np.asarray)(X)
    assert merged_of(X, y, has_groups=case == "groups") is None


def test_rows_of_weight_0_are_left_out_of_frames_too():
    weights = np.where(np.arange(15) == 4, 0.0, 1.0)
    merged = merged_of(pd.DataFrame(DISTINCT), Y, weights)
    assert merged.origin[4] == -1 and len(merged.keep) == 14

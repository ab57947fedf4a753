"""Labels spread over a graph of neighbours, and classes aligned with shares."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from sklearn_twins._classification import _spreading
from sklearn_twins._classification._pseudo_labels import keep_reached
from sklearn_twins._classification._spreading import align, make_graph, spread_labels, whiten


@pytest.fixture
def arcs():
    """Two half circles around each other, in 32 columns: rows, and the class of each."""
    angles = np.linspace(0, np.pi, 150)
    first = np.column_stack([np.cos(angles), np.sin(angles)])
    waves = np.concatenate([first, [1, 0.4] - first]) @ np.random.default_rng(0).normal(scale=2, size=(2, 16))
    return np.concatenate([np.cos(waves), np.sin(waves)], axis=1).astype(np.float32), np.repeat([0, 1], 150)


@pytest.mark.parametrize("max_rows", [1_000, 200])
def test_labels_follow_the_rows(arcs, max_rows, monkeypatch):
    """One label of each class is enough for two curved clusters; with many rows, some are in the graph."""
    monkeypatch.setattr(_spreading, "MAX_ROWS", max_rows)
    X, y = arcs
    labeled = np.array([75, 225])
    proba = spread_labels(X[labeled], y[labeled], np.ones(2), X, 3)
    assert proba.shape == (300, 3)
    assert_allclose(proba.sum(axis=1), 1)
    assert (proba.argmax(axis=1) == y).mean() > 0.9
    assert_allclose(proba, spread_labels(X[labeled], y[labeled], np.full(2, 7.0), X, 3), err_msg="weights are relative")


def test_equal_rows_and_few_rows():
    zeros = np.zeros((1, 2), dtype=np.float32)
    assert_allclose(spread_labels(zeros, np.array([1]), np.ones(1), zeros, 2).argmax(axis=1), 1)
    far = np.array([[9.0, 9.0]], dtype=np.float32)
    many = np.repeat(np.concatenate([zeros, far]), 20, axis=0)
    proba = spread_labels(np.concatenate([zeros, far]), np.array([0, 1]), np.ones(2), many, 2)
    assert (proba.argmax(axis=1) == np.repeat([0, 1], 20)).all()


def test_graph_is_symmetric_and_contracts():
    rng = np.random.default_rng(0)
    distances = np.sort(rng.uniform(1, 2, size=(30, 4)))
    neighbors = np.array([rng.choice(np.delete(np.arange(30), row), 4, replace=False) for row in range(30)])
    graph = make_graph(distances, neighbors).toarray()
    assert_allclose(graph, graph.T)
    assert abs(np.linalg.eigvalsh(graph)).max() == pytest.approx(1)


def test_aligned_classes_have_the_shares():
    """The geometric mean of their own and the given ones."""
    proba = np.random.default_rng(0).uniform(0.1, 1, size=(500, 3)) * [5, 1, 1]
    aligned = align(proba, np.array([0.2, 0.5, 0.3]))
    expected = np.sqrt((proba / proba.sum(axis=1, keepdims=True)).mean(axis=0) * [0.2, 0.5, 0.3])
    assert_allclose(aligned.sum(axis=1), 1)
    assert_allclose(aligned.mean(axis=0), expected / expected.sum(), atol=0.01)
    assert (align(proba, np.array([0.5, 0.5, 0.0]))[:, 2] == 0).all()


def test_whitened_rows():
    """Directions have equal variance before each row is scaled to length 1; constant columns change nothing."""
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(400, 3)) * [100, 1, 0.2] @ rng.normal(size=(3, 3))).astype(np.float32)
    white, others = whiten(rows, rows[:5])
    assert white.dtype == np.float32
    assert_allclose(np.linalg.norm(white, axis=1), 1, rtol=1e-5)
    assert_allclose(white.T @ white / 400, np.eye(3) / 3, atol=0.05)
    assert_allclose(others, white[:5], rtol=1e-5)
    wide = whiten(np.c_[rows, np.ones(400, dtype=np.float32)], rows[:0, [0, 0, 0, 0]])[0]
    assert_allclose(wide @ wide.T, white @ white.T, atol=1e-3)
    assert_allclose(whiten(np.ones((3, 2)), np.ones((1, 2)))[1], 0)


@pytest.mark.parametrize("n", [40, 60, 200])
def test_labels_spread_among_few_rows(n):
    """In as many directions as there are rows, all distances would be one, and neighbours chance."""
    X, y = load_digits(n_class=2, return_X_y=True)
    X, y = X[:n].astype(np.float32), y[:n]
    labeled = np.concatenate([np.flatnonzero(y == digit)[:2] for digit in range(2)])
    others = np.setdiff1d(np.arange(n), labeled)
    proba = spread_labels(X[labeled], y[labeled], np.ones(4), X[others], 2)
    assert np.mean(proba.argmax(axis=1) == y[others]) > 0.9


def test_rows_that_no_label_reaches_get_none():
    """Groups of near copies are cliques of the graph: without a label in them, nothing is known about their rows."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 15)
    rows = (rng.normal(size=(20, 30))[groups] + rng.normal(scale=1e-3, size=(300, 30))).astype(np.float32)
    labeled = np.arange(0, 60, 15)  # one row of each of the first four groups
    others = np.setdiff1d(np.arange(300), labeled)
    codes = np.array([0, 1, 0, 1])
    found = keep_reached(spread_labels(rows[labeled], codes, np.ones(4), rows[others], 2), np.array([0.5, 0.5]), 1.0)
    assert_array_equal(found[groups[others] < 4], codes[groups[others][groups[others] < 4]])
    assert (found[groups[others] >= 4] == -1).all()
    assert (keep_reached(np.full((3, 2), 0.5), np.array([0.5, 0.5]), 0.8) == -1).all()

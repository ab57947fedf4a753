"""Invariance and redundancy: NumPy's correlations, the exact noise floor, invariances, degenerate coordinates."""

import itertools
import math

import numpy as np
import pytest

from sklearn_twins.metrics import invariance, redundancy

SHAPES = [(64, 5), (9, 9), (6, 40), (3, 2)]


def views(n, d, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, d))
    return 3 + 2 * (shared + 0.5 * rng.normal(size=(n, d))), -1 + 0.7 * (shared + 0.5 * rng.normal(size=(n, d)))


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_numpys_correlations(shape):
    (Z_a, Z_b), (n, d) = views(*shape), shape
    C = np.corrcoef(Z_a, Z_b, rowvar=False)[:d, d:]
    assert invariance(Z_a, Z_b) == pytest.approx(np.mean([(1 - C[i, i]) ** 2 for i in range(d)]), rel=1e-9)
    off = sum(C[i, j] ** 2 for i in range(d) for j in range(d) if i != j)
    assert redundancy(Z_a, Z_b) == pytest.approx(off - d * (d - 1) / (n - 1), rel=1e-9, abs=1e-9)
    per_pair = redundancy(Z_a, Z_b) / (d * (d - 1))
    assert redundancy(Z_a, Z_b, normalize=True) == pytest.approx(per_pair, rel=1e-12, abs=1e-15)


def test_both_gram_matrices_give_the_same():
    """Columns of zeros have no correlations and no floor."""
    Z_a, Z_b = views(20, 15)
    wide = [np.concatenate([Z, np.zeros((20, 30))], axis=1) for Z in (Z_a, Z_b)]
    assert redundancy(*wide) == pytest.approx(redundancy(Z_a, Z_b), rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_floor_is_exact_over_all_orders(n):
    """The mean of r^2 over all orders of one coordinate is 1 / (n - 1), whatever the values."""
    a, b = np.random.default_rng(n).exponential(size=(2, n)) ** 2
    squares = [np.corrcoef(a, b[list(order)])[0, 1] ** 2 for order in itertools.permutations(range(n))]
    assert np.mean(squares) == pytest.approx(1 / (n - 1), rel=1e-10)
    excess = [
        redundancy(np.stack([a, b[list(order)]], 1), np.stack([a, b[list(order)]], 1))
        for order in itertools.permutations(range(n))
    ]
    assert np.mean(excess) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("shape", [(20, 6), (6, 20)])
def test_independent_coordinates_have_no_redundancy_on_average(shape):
    """A perfect encoder: views are the same, and its coordinates independent, skewed and of few rows."""
    rng = np.random.default_rng(0)
    draws = [redundancy(Z, Z, normalize=True) for Z in rng.exponential(size=(400, *shape))]
    assert abs(np.mean(draws)) < 4 * np.std(draws) / math.sqrt(400)
    assert 4 * np.std(draws) / math.sqrt(400) < 0.1 / (shape[0] - 1), "the floor would show"


def test_unrelated_views():
    rng = np.random.default_rng(0)
    draws = [invariance(*rng.normal(size=(2, 11, 8))) for _ in range(400)]
    assert np.mean(draws) == pytest.approx(1.1, abs=0.05)


def test_same_opposite_and_copied_coordinates():
    Z, _ = views(50, 4)
    assert invariance(Z, Z) == pytest.approx(0, abs=1e-20)
    assert invariance(Z, -Z) == pytest.approx(4)
    copies = Z[:, [0, 0, 0]]
    assert redundancy(copies, copies, normalize=True) == pytest.approx(1 - 1 / 49)
    assert redundancy(copies, copies) == pytest.approx(6 - 6 / 49)


def test_scales_signs_and_order_of_coordinates():
    Z_a, Z_b = views(40, 5)
    Z = (Z_a - Z_a.mean(0)) * [1e-200, 1, 1e-160, 1, 1e100]
    assert invariance(Z, Z_b) == pytest.approx(invariance(Z_a, Z_b), rel=1e-8), "squares do not vanish"
    signs, order = [1, -1, 1, -1, 1], [3, 1, 0, 4, 2]
    assert invariance(Z_a * signs, Z_b * signs) == pytest.approx(invariance(Z_a, Z_b), rel=1e-10)
    assert redundancy(Z_a[:, order], Z_b[:, order]) == pytest.approx(redundancy(Z_a, Z_b), rel=1e-9)
    assert redundancy(Z_b, Z_a) == pytest.approx(redundancy(Z_a, Z_b), rel=1e-9)


@pytest.mark.parametrize("shape", [(30, 4), (3, 8)])
def test_constant_coordinates(shape):
    """Each costs 1 of invariance, and takes its pairs, in both floor and sum."""
    Z_a, Z_b = views(*shape)
    Z_a[:, 0], Z_b[:, 0], Z_b[:, 1] = 0.1, -7.0, 1 / 3
    n, d = shape
    C = np.array(
        [[0.0 if i == 0 or j < 2 else np.corrcoef(Z_a[:, i], Z_b[:, j])[0, 1] for j in range(d)] for i in range(d)]
    )
    pairs = [(i, j) for i in range(d) for j in range(d) if i != j and i > 0 and j > 1]
    assert invariance(Z_a, Z_b) == pytest.approx(np.mean((1 - np.diag(C)) ** 2), rel=1e-9)
    expected = sum(C[i, j] ** 2 for i, j in pairs) - len(pairs) / (n - 1)
    assert redundancy(Z_a, Z_b) == pytest.approx(expected, rel=1e-9, abs=1e-10)


def test_degenerate_embeddings():
    constant = np.full((9, 3), 0.1)
    assert invariance(constant, constant) == invariance([[1.0, 2.0]], [[1.0, 2.0]]) == 1
    assert redundancy(constant, constant) == redundancy([[1.0, 2.0]], [[1.0, 2.0]]) == 0
    assert redundancy([[1.0], [2.0]], [[1.0], [3.0]], normalize=True) == 0
    Z = np.random.default_rng(0).normal(size=(2, 3))
    assert redundancy(Z, Z) == pytest.approx(0, abs=1e-12), "two rows always correlate"

"""Alignment, uniformity and SelfCluster: loops from the formulas, values on the sphere, blocks, degenerate cases."""

import math

import numpy as np
import pytest
from scipy.special import hyp0f1

from sklearn_twins.metrics import _hypersphere, alignment, self_cluster, uniformity


def pair(n=30, d=4, seed=0):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, d))
    return 3 * Z, Z + 0.3 * rng.normal(size=(n, d))


def unit(row):
    return row / math.sqrt(sum(value**2 for value in row))


@pytest.mark.parametrize("alpha", [0.5, 1, 2, 3.0])
def test_alignment_equals_the_formula(alpha):
    Z_a, Z_b = pair()
    expected = np.mean([np.linalg.norm(unit(a) - unit(b)) ** alpha for a, b in zip(Z_a, Z_b, strict=True)])
    assert alignment(Z_a, Z_b, alpha=alpha) == pytest.approx(expected, rel=1e-12)


def test_alignment_of_same_opposite_and_unrelated_views():
    Z_a, Z_b = np.random.default_rng(0).normal(size=(2, 5000, 30))
    assert alignment(Z_a, 7 * Z_a) == pytest.approx(0, abs=1e-28)
    assert alignment(Z_a, -Z_a) == pytest.approx(4)
    assert alignment(Z_a, -Z_a, alpha=3) == pytest.approx(8)
    assert alignment(Z_a, Z_b) == pytest.approx(2, abs=0.05)
    assert alignment([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [3.0, 4.0]]) == pytest.approx(0.5)


@pytest.mark.parametrize("t", [0.1, 2, 10.0])
@pytest.mark.parametrize("block", [1, 7, 29, 512])
def test_uniformity_equals_the_formula(t, block, monkeypatch):
    monkeypatch.setattr(_hypersphere, "BLOCK_ROWS", block)
    Z, _ = pair()
    U = [unit(row) for row in Z]
    terms = [math.exp(-t * sum((U[i] - U[j]) ** 2)) for i in range(30) for j in range(i)]
    assert uniformity(Z, t=t) == pytest.approx(math.log(sum(terms) / len(terms)), rel=1e-10)


@pytest.mark.parametrize("d", [2, 3, 64])
def test_uniformity_of_uniform_rows(d):
    """The mean of exp(2 t cos) over the sphere is 0F1(d / 2, t^2)."""
    Z = np.random.default_rng(0).normal(size=(2000, d))
    assert uniformity(Z) == pytest.approx(math.log(hyp0f1(d / 2, 4.0)) - 4, abs=0.02)


def test_uniformity_of_collapsed_and_opposite_rows():
    assert uniformity(np.full((9, 3), 0.1)) == pytest.approx(0, abs=1e-12)
    assert uniformity(np.zeros((9, 3))) == 0
    assert uniformity([[1.0, 2.0]]) == 0
    assert uniformity([[1.0], [2.0], [5.0]]) == 0
    assert uniformity([[1.0, 1.0], [-2.0, -2.0]]) == pytest.approx(-8)
    assert uniformity([[1.0, 1.0], [-2.0, -2.0]], t=1e5) == pytest.approx(-4e5), "no underflow to log 0"
    assert uniformity([[0.0, 0.0], [0.0, 3.0]]) == pytest.approx(-2)


@pytest.mark.parametrize("shape", [(30, 4), (5, 5), (4, 30)])
def test_self_cluster_equals_both_formulas(shape):
    Z = 0.5 + np.random.default_rng(0).normal(size=shape)
    n, d = shape
    U = np.array([unit(row) for row in Z])
    norm = np.linalg.norm(U @ U.T, "fro") ** 2
    expected = (d * norm - n * (d + n - 1)) / ((d - 1) * (n - 1) * n)
    assert self_cluster(Z) == pytest.approx(expected, rel=1e-10)
    cosines = np.mean([(U[i] @ U[j]) ** 2 for i in range(n) for j in range(n) if i != j])
    assert self_cluster(Z) == pytest.approx((d * cosines - 1) / (d - 1), rel=1e-10)


def test_self_cluster_of_random_and_collapsed_directions():
    rng = np.random.default_rng(0)
    draws = [self_cluster(rng.normal(size=(20, 8))) for _ in range(300)]
    assert abs(np.mean(draws)) < 4 * np.std(draws) / math.sqrt(300), "0 expected at few rows, too"
    assert self_cluster(rng.normal(size=(50, 1)) @ rng.normal(size=(1, 8))) == pytest.approx(1)
    assert self_cluster(np.eye(6)) == pytest.approx(-1 / 5)
    assert self_cluster(np.tile(np.eye(6), (4, 1))) == pytest.approx(-1 / 23)
    clusters = rng.normal(size=(3, 20)).repeat(50, axis=0)
    assert self_cluster(clusters) == pytest.approx(1 / 3, abs=0.05)


def test_self_cluster_of_degenerate_rows():
    assert self_cluster(np.zeros((5, 3))) == self_cluster([[1.0, 2.0]]) == self_cluster([[1.0], [-2.0]]) == 1
    assert self_cluster(np.full((9, 3), 0.1)) == pytest.approx(1)
    alone = np.random.default_rng(0).normal(size=(20, 5))
    with_zeros = self_cluster(np.concatenate([alone, np.zeros((1, 5))]))
    assert with_zeros == pytest.approx(self_cluster(alone) * 19 / 21, rel=1e-10), "new pairs are at chance"

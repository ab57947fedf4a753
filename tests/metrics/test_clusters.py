"""Cluster agreement: worked by hand, chance, what does not matter, degenerate embeddings."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from sklearn_twins.metrics import cluster_agreement


def blobs(n=300, noise=0.05, seed=0):
    centres = 10 * np.eye(6)
    Z, labels = make_blobs(n, centers=centres, cluster_std=0.5, random_state=seed)
    rng = np.random.default_rng(seed)
    return Z + noise * rng.normal(size=Z.shape), Z + noise * rng.normal(size=Z.shape), labels


def test_groups_far_apart():
    Z_a, Z_b, _ = blobs()
    assert cluster_agreement(Z_a, Z_b, n_clusters=6, n_init=1) == pytest.approx(1)


def test_unrelated_views():
    rng = np.random.default_rng(0)
    values = [cluster_agreement(*rng.normal(size=(2, 400, 5)), random_state=seed) for seed in range(5)]
    assert np.mean(values) == pytest.approx(0, abs=0.015)


def test_by_hand():
    """Six rows in two pairs of groups; one row moves: of (2, 3) and (3, 2) rows the index is that of scikit-learn."""
    Z_a = np.array([[0.0], [1], [2], [20], [21], [22]])
    Z_b = np.array([[0.0], [1], [21], [20], [21.5], [22]])
    moved = adjusted_rand_score([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])
    assert cluster_agreement(Z_a, Z_b, n_clusters=2) == pytest.approx(moved)


def test_equals_an_independent_computation():
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(200, 4))
    views = [shared + 0.5 * rng.normal(size=shared.shape) for _ in range(2)]
    a, b = ((Z - Z.mean(0)) / Z.std(0) for Z in views)
    expected = []
    for seed in (3, 4):
        labels = KMeans(5, n_init=1, random_state=seed).fit_predict(np.vstack([a, b]))
        expected.append(adjusted_rand_score(labels[:200], labels[200:]))
    found = cluster_agreement(*views, n_clusters=5, n_init=2, random_state=3)
    assert found == pytest.approx(np.mean(expected), abs=0.02)  # of other units k-means may round to other clusters


@pytest.mark.parametrize("noise", [0.1, 1.0, 3.0])
def test_falls_with_noise(noise):
    less, more = (cluster_agreement(*blobs(noise=n)[:2]) for n in (noise, 3 * noise))
    assert less > more


def test_a_collapsed_embedding_agrees_less():
    """Coordinates that repeat each other give thin slices, across whose borders rows move."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(500, 1)) @ np.ones((1, 8))
    thin = cluster_agreement(*(shared + 0.3 * rng.normal(size=(500, 1)) for _ in range(2)))
    assert thin < cluster_agreement(*blobs(500, noise=0.3)[:2])


@pytest.mark.parametrize(
    ("Z_a", "Z_b"),
    [
        (np.ones((20, 3)), np.ones((20, 3))),
        (np.ones((20, 3)), np.arange(60.0).reshape(20, 3)),
        (np.zeros((2, 1)), np.zeros((2, 1))),
    ],
)
def test_constant_embeddings(Z_a, Z_b):
    assert cluster_agreement(Z_a, Z_b, n_clusters=2) == 0


def test_fewer_different_rows_than_clusters():
    Z = np.repeat([[0.0, 1], [1, 0], [5, 5]], 20, axis=0)
    assert cluster_agreement(Z, Z, n_clusters=10) == 1


def test_threads_and_seeds():
    Z_a, Z_b, _ = blobs(noise=2.0)
    before = torch.get_num_threads()
    assert cluster_agreement(Z_a, Z_b) == cluster_agreement(Z_a, Z_b)
    assert cluster_agreement(Z_a, Z_b) != cluster_agreement(Z_a, Z_b, random_state=7)
    assert torch.get_num_threads() == before

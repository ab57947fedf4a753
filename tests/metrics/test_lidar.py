"""LiDAR against the paper's formula in loops, in known limits and invariances, narrow and wide, and degenerate."""

import math

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power

from sklearn_twins.metrics import effective_rank, lidar


def reference(views, delta=1e-4):
    """Thilak et al., eq. 1 to 4, a row and a view at a time, with the matrix power as it is written."""
    n, q, d = views.shape
    grand = sum(views[i, k] for i in range(n) for k in range(q)) / (n * q)
    between, within = np.zeros((d, d)), np.zeros((d, d))
    for i in range(n):
        mean = sum(views[i, k] for k in range(q)) / q
        between += np.outer(mean - grand, mean - grand) / n
        for k in range(q):
            within += np.outer(views[i, k] - mean, views[i, k] - mean) / (n * q)
    ridge = delta * (np.trace(between) + np.trace(within)) / d
    root = fractional_matrix_power(within + ridge * np.eye(d), -0.5)
    eigenvalues = np.linalg.eigvalsh(root @ between @ root)
    shares = [value / eigenvalues.sum() for value in eigenvalues if value > 1e-12 * eigenvalues.max()]
    return math.exp(-sum(p * math.log(p) for p in shares))


def views_of(n, q, d, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return 2 + rng.normal(size=(n, 1, d)) * np.geomspace(2, 0.3, d) + noise * rng.normal(size=(n, q, d))


@pytest.mark.parametrize("shape", [(20, 4, 5), (6, 3, 6), (5, 2, 12), (3, 2, 30)])
@pytest.mark.parametrize("delta", [1e-4, 0.1])
def test_equals_the_formula(shape, delta):
    """Narrow, and wider than views and their means are many."""
    views = views_of(*shape)
    assert lidar(views, delta=delta) == pytest.approx(reference(views, delta), rel=1e-7)


def test_width_beyond_the_span_changes_nothing_but_the_ridge():
    views = views_of(6, 3, 10)
    padded = np.concatenate([views, np.zeros((6, 3, 40))], axis=2)
    assert lidar(padded, delta=5e-4) == pytest.approx(lidar(views, delta=1e-4), rel=1e-8)


def test_order_of_views_and_basis():
    """Shift and order of views do not matter; at a small ridge no change of basis does."""
    views, rng = views_of(30, 5, 6), np.random.default_rng(1)
    assert lidar(views + 50) == pytest.approx(lidar(views), rel=1e-7)
    assert lidar(views[:, ::-1]) == pytest.approx(lidar(views), rel=1e-7)
    mixed = views @ (rng.normal(size=(6, 6)) + 3 * np.eye(6))
    assert lidar(mixed, delta=1e-12) == pytest.approx(lidar(views, delta=1e-12), rel=1e-5)


def test_counts_directions_in_which_views_agree():
    """Four directions tell rows apart; in the other twelve views differ as much as rows, which RankMe would count."""
    rng = np.random.default_rng(0)
    signal = np.repeat(rng.normal(size=(400, 1, 4)), 10, axis=1) + 0.05 * rng.normal(size=(400, 10, 4))
    noise = rng.normal(size=(400, 10, 12))
    views = np.concatenate([signal, noise], axis=2)
    assert lidar(views) == pytest.approx(4, rel=0.05)
    assert effective_rank(views.reshape(-1, 16)) > 15


def test_pure_noise_keeps_all_directions():
    """Its eigenvalues are about 1 / q, all alike: their size does not show."""
    views = np.random.default_rng(0).normal(size=(3000, 5, 6))
    assert lidar(views) == pytest.approx(6, rel=0.01)
    assert lidar(views, normalize=True) == pytest.approx(lidar(views) / 6)


@pytest.mark.parametrize("shape", [(40, 6), (8, 30)])
def test_equal_views_give_the_effective_rank_of_rows(shape):
    Z = np.random.default_rng(0).normal(size=shape) * np.geomspace(1, 0.2, shape[1])
    assert lidar(np.repeat(Z[:, None], 3, axis=1)) == pytest.approx(effective_rank(Z), rel=1e-8)


@pytest.mark.parametrize("delta", [1e-4, 1e-12, 1e-20])
def test_a_small_ridge_of_a_singular_covariance(delta):
    """Views differ in two directions of five: rounding below 0 in the others is not taken for a variance."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    views = (rng.normal(size=(30, 1, 5)) + rng.normal(size=(30, 4, 5)) * [1, 1, 0, 0, 0]) @ rotation
    assert 1 <= lidar(views, delta=delta) <= 5


def test_degenerate_views():
    assert lidar(np.full((5, 3, 4), 0.1)) == 0
    assert lidar(np.full((5, 3, 4), 0.1), normalize=True) == 0
    assert lidar(np.zeros((5, 3, 4))) == 0
    assert lidar(np.random.default_rng(0).normal(size=(1, 3, 4))) == 0
    assert lidar(np.random.default_rng(0).normal(size=(5, 3, 1))) == pytest.approx(1)
    assert lidar(views_of(5, 2, 3) * [1, 0, 1]) <= 2 + 1e-12
    assert lidar(views_of(2, 3, 7), normalize=True) == pytest.approx(1)


def test_a_single_view_is_refused():
    with pytest.raises(ValueError, match=r"at least two views of each row, got shape \(4, 1, 3\)"):
        lidar(np.ones((4, 1, 3)))

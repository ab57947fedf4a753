"""Agreement of neighbours: sets from sorted distances, chance, ties, blocks, invariances, refusals."""

import numpy as np
import pytest

from sklearn_twins.metrics import _neighbors, neighbor_agreement


def pair(n=80, d=5, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, d))
    return Z, Z + noise * rng.normal(size=(n, d))


def reference(Z_a, Z_b, k):
    sets = []
    for Z in (Z_a, Z_b):
        distances = ((Z[:, None] - Z) ** 2).sum(2) + np.diag(np.full(len(Z), np.inf))
        sets.append([set(row) for row in np.argsort(distances, axis=1)[:, :k]])
    return np.mean([len(a & b) / k for a, b in zip(*sets, strict=True)])


@pytest.mark.parametrize("k", [1, 3, 10, 79])
@pytest.mark.parametrize("block", [1, 33, 512])
def test_equals_the_sets(k, block, monkeypatch):
    monkeypatch.setattr(_neighbors, "BLOCK_ROWS", block)
    Z_a, Z_b = pair()
    assert neighbor_agreement(Z_a, Z_b, n_neighbors=k) == pytest.approx(reference(Z_a, Z_b, k), rel=1e-12)


def test_widths_may_differ():
    Z_a, Z_b = pair()
    assert neighbor_agreement(Z_a, Z_b[:, :2]) == pytest.approx(reference(Z_a, Z_b[:, :2], 10), rel=1e-12)


def test_same_and_unrelated_views():
    Z_a, Z_b = np.random.default_rng(0).normal(size=(2, 600, 8))
    assert neighbor_agreement(Z_a, Z_a) == neighbor_agreement(Z_a, Z_a, normalize=True) == 1
    assert neighbor_agreement(Z_a, Z_b) == pytest.approx(10 / 599, abs=0.006)
    assert neighbor_agreement(Z_a, Z_b, normalize=True) == pytest.approx(0, abs=0.006)


def test_normalized_value():
    Z_a, Z_b = pair()
    chance = 10 / 79
    expected = (neighbor_agreement(Z_a, Z_b) - chance) / (1 - chance)
    assert neighbor_agreement(Z_a, Z_b, normalize=True) == pytest.approx(expected, rel=1e-12)
    assert neighbor_agreement(Z_a, Z_b, n_neighbors=79) == 1
    assert neighbor_agreement(Z_a, Z_b, n_neighbors=79, normalize=True) == 0


@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3, 1e9])
def test_constant_embeddings_agree_by_chance(constant):
    Z, collapsed = pair()[0], np.full((80, 5), constant)
    for pair_of in [(collapsed, collapsed), (Z, collapsed), (collapsed, Z)]:
        assert neighbor_agreement(*pair_of) == pytest.approx(10 / 79, rel=1e-12)
        assert neighbor_agreement(*pair_of, normalize=True) == pytest.approx(0, abs=1e-12)


def test_ties_are_the_mean_over_their_outcomes():
    """Rows 1 and 2 are equally near to row 0: each is its neighbour in half of the outcomes."""
    Z_a, Z_b = np.array([[0.0], [1.0], [-1.0], [5.0]]), np.array([[0.0], [1.0], [-3.0], [5.0]])
    # row 0: 1/2 of {1}; row 1: 0 in both; row 2: 0 in both; row 3: 1 in both
    assert neighbor_agreement(Z_a, Z_b, n_neighbors=1) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert neighbor_agreement(Z_a, Z_a, n_neighbors=1) == pytest.approx((0.5 + 1 + 1 + 1) / 4)


def test_distances_that_differ_by_rounding_are_ties():
    """All distances in a simplex are the same, whichever way it is turned."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 40)))[0]
    turned = np.eye(40) @ rotation + 0.3
    assert neighbor_agreement(turned, np.eye(40)) == pytest.approx(10 / 39, rel=1e-12)
    assert neighbor_agreement(turned, turned) == pytest.approx(10 / 39, rel=1e-12)


def test_duplicates_do_not_depend_on_the_order_of_rows():
    Z_a, Z_b = (np.repeat(Z, 4, axis=0) for Z in pair(20))
    order = np.random.default_rng(0).permutation(80)
    found = neighbor_agreement(Z_a, Z_b, n_neighbors=2)
    assert found == pytest.approx(2 / 3), "two of three copies, drawn twice"
    assert neighbor_agreement(Z_a[order], Z_b[order], n_neighbors=2) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("far", [1e6, 1e9])
def test_a_far_row_does_not_make_ties_of_the_others(far):
    Z_a, Z_b = pair()
    Z_a[5, 0] = far
    assert neighbor_agreement(Z_a, Z_b) == pytest.approx(reference(Z_a, Z_b, 10), rel=1e-12)


@pytest.mark.parametrize("n", [1, 10])
def test_as_many_neighbours_as_rows_are_refused(n):
    Z = np.random.default_rng(0).normal(size=(n, 2))
    with pytest.raises(ValueError, match=rf"n_neighbors must be below the number of rows, {n}, got 10"):
        neighbor_agreement(Z, Z)

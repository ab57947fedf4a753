"""Barlow Twins: worked by hand, what no loss is, its noise floor, the weight at different widths."""

import math

import numpy as np
import pytest
import torch
from builders import seeded, two_views

from sklearn_twins.objectives import BarlowTwins, barlow_twins_terms

pytestmark = pytest.mark.usefixtures("one_thread")

CODES = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])


def test_worked_by_hand():
    """With u, v orthogonal codes, z_a = (u, v) and z_b = (u, u + v): C = [[1, r], [0, r]], r = 1 / sqrt(2)."""
    u, v = CODES.double().T
    invariance, redundancy = barlow_twins_terms(torch.stack([u, v], 1), torch.stack([u, u + v], 1), 0.5)
    assert invariance.item() == pytest.approx((1 - math.sqrt(0.5)) ** 2, abs=1e-4)
    assert redundancy.item() == pytest.approx(0.5 * 0.5, abs=1e-4)
    assert BarlowTwins()(CODES, CODES).item() == pytest.approx(0, abs=1e-8), "perfect projections"
    assert BarlowTwins()(CODES, -CODES).item() == pytest.approx(8, abs=1e-3), "opposite views cost four a coordinate"


def test_signs_and_copies_change_nothing():
    """A coordinate flipped in both views; rows repeated, as the biased variance is of the empirical distribution."""
    for shape in [(8, 4), (8, 40)]:
        z_a, z_b = two_views(*shape)
        loss, signs = BarlowTwins()(z_a, z_b).item(), torch.tensor([1.0, -1, 1, -1]).repeat(shape[1] // 4)
        assert BarlowTwins()(z_a * signs, z_b * signs).item() == pytest.approx(loss, rel=1e-10)
        assert BarlowTwins()(z_a.repeat(3, 1), z_b.repeat(3, 1)).item() == pytest.approx(loss, rel=1e-10)


def test_constant_coordinates_cost_one_each():
    z_a, z_b = two_views(8, 2, dtype=torch.float32)
    z_a[:, 0], z_b[:, 0], z_b[:, 1] = 7.0, -7.0, 0.0
    assert BarlowTwins(0.0)(z_a, z_b).item() == pytest.approx(2.0)
    assert BarlowTwins()(torch.ones(8, 3), torch.ones(8, 3)).item() == 3.0


def test_auto_weight_means_the_same_at_every_width():
    """Independent views of n rows: invariance about d, redundancy about (d - 1) / n; each over d is constant."""
    n, ratios = 500, []
    for dim in (32, 128, 512):
        z_a, z_b = torch.randn(2, n, dim, generator=seeded(dim), dtype=torch.float64)
        terms = BarlowTwins().terms(z_a, z_b)
        assert terms["invariance"].item() / dim == pytest.approx(1, rel=0.05)
        ratios.append(terms["redundancy"].item() / (dim - 1))
    np.testing.assert_allclose(ratios, 1 / n, rtol=0.15)


@pytest.mark.parametrize(("n", "dim"), [(50, 200), (400, 60)])
def test_noise_floor_of_a_perfect_encoder(n, dim):
    """Independent normal coordinates: the squares of their sample correlations sum to d(d-1)/(n-1) on average.

    Each square is Beta(1/2, (n-2)/2), with mean 1/(n-1) and variance 2(n-2)/((n-1)^2 (n+1)); the d(d-1)/2
    distinct pairs are pairwise independent, and each occurs twice in the sum.
    """
    z = torch.randn(n, dim, generator=seeded(), dtype=torch.float64)
    redundancy, floor = BarlowTwins(1.0).terms(z, z)["redundancy"].item(), BarlowTwins(1.0).noise_floor(n, dim)
    assert floor == pytest.approx(dim * (dim - 1) / (n - 1), rel=1e-12)
    deviation = 2 * math.sqrt(dim * (dim - 1) / 2 * 2 * (n - 2) / ((n - 1) ** 2 * (n + 1)))
    assert abs(redundancy - floor) < 4 * deviation + 2e-5 * floor
    assert redundancy == pytest.approx(floor, rel=0.1)

"""The HSIC form: worked by hand, its relation to Barlow Twins, its floor and when it falls below."""

import math

import numpy as np
import pytest
import torch
from builders import seeded, two_views

from sklearn_twins.objectives import HSIC, BarlowTwins, barlow_twins_terms, cross_correlation, hsic_terms

pytestmark = pytest.mark.usefixtures("one_thread")


def floor(dim):
    """Least loss of two equal views at w = 1/d; see `test_floor_of_equal_views`."""
    return (dim - 2) ** 2 / (dim - 1)


@pytest.mark.parametrize("shape", [(64, 5), (6, 40), (2, 3), (2, 1)])
def test_equals_barlow_twins_and_a_linear_part(shape):
    """HSIC = BT + 2w (1'C1 - tr C) + w d(d-1); the invariance is the same."""
    z_a, z_b = two_views(*shape)
    weight, dim = 0.37, shape[1]
    C = cross_correlation(z_a, z_b)
    linear = 2 * weight * (C.sum() - C.trace()) + weight * dim * (dim - 1)
    expected = sum(barlow_twins_terms(z_a, z_b, weight)) + linear
    assert sum(hsic_terms(z_a, z_b, weight)).item() == pytest.approx(expected.item(), rel=1e-11, abs=1e-11)
    invariances = [objective.terms(z_a, z_b)["invariance"].item() for objective in (HSIC(0.5), BarlowTwins(0.1))]
    assert invariances[0] == invariances[1]


def test_worked_by_hand():
    """With u, v orthogonal codes, z_a = (u, v) and z_b = (u, u + v): C = [[1, r], [0, r]], r = 1 / sqrt(2)."""
    u, v = torch.tensor([1.0, 1, -1, -1]).double(), torch.tensor([1.0, -1, 1, -1]).double()
    invariance, redundancy = hsic_terms(torch.stack([u, v], 1), torch.stack([u, u + v], 1), 0.5)
    r = math.sqrt(0.5)
    assert invariance.item() == pytest.approx((1 - r) ** 2, abs=1e-4)
    assert redundancy.item() == pytest.approx(0.5 * ((1 + r) ** 2 + 1), abs=1e-4)
    opposite = torch.tensor([[1.0, -1], [-1, 1], [3, -3]]).double()
    assert HSIC()(opposite, opposite).item() == pytest.approx(0, abs=1e-8), "the one width above 1 without a floor"
    constant = torch.ones(8, 3)
    assert HSIC()(constant, constant).item() == pytest.approx(5.0), "C = 0: d, and d(d-1)/d off the diagonal"


def test_sign_of_a_coordinate_matters_and_copies_do_not():
    z_a, z_b = two_views(64, 4)
    signs, loss = torch.tensor([1.0, -1, 1, 1], dtype=torch.float64), HSIC()(z_a, z_b).item()
    assert abs(HSIC()(z_a * signs, z_b * signs).item() - loss) > 1e-3
    assert HSIC()(z_a.repeat(3, 1), z_b.repeat(3, 1)).item() == pytest.approx(loss, rel=1e-10)


def test_auto_weight_means_the_same_at_every_width():
    """Independent coordinates: redundancy (d - 1)(1 + 1/n) on average, so that over d - 1 it is constant."""
    n, ratios = 500, []
    for dim in (32, 128, 512):
        z = torch.randn(n, dim, generator=seeded(dim), dtype=torch.float64)
        ratios.append(HSIC().terms(z, z)["redundancy"].item() / (dim - 1))
    np.testing.assert_allclose(ratios, 1 + 1 / n, rtol=0.02)


@pytest.mark.parametrize("dim", [3, 8, 64])
def test_simplex_reaches_the_floor(dim):
    """The rows of I - 1/d correlate by -1/(d-1): as negative as all pairs can be at once."""
    z = 100 * (torch.eye(dim, dtype=torch.float64) - 1 / dim)
    loss = HSIC()(z, z).item()
    assert loss == pytest.approx(floor(dim), rel=1e-4)
    assert loss == pytest.approx(dim - 3, abs=1 / (dim - 1) + 1e-2)


def test_floor_of_equal_views(dim=6):
    """No two equal views are below (d - 2)^2 / (d - 1) = d - 3 + 1/(d - 1) at w = 1/d, and descent arrives there.

    Then C is positive semidefinite with a diagonal of at most 1. The loss is convex in C and symmetric in the
    coordinates, so averaging C over their permutations does not raise it: C = a I + c (J - I) is enough, where
    a + (d - 1) c >= 0. ``d (1 - a)^2 + (d - 1)(1 + c)^2`` grows with c, so c = -a / (d - 1), and then falls
    with a, so a = 1.
    """
    z = torch.randn(24, dim, generator=seeded(), dtype=torch.float64).mul_(10).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.5)
    losses = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = HSIC()(z, z)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses) >= floor(dim) - 1e-9
    assert losses[-1] == pytest.approx(floor(dim), abs=1e-3)


def test_views_that_oppose_each_other_go_below_that_floor():
    """A factor u common to all coordinates, of opposite sign in the two views, makes every off-diagonal C fall.

    With a share t of the variance, C_ii = 1 - 2t and C_ij = -t - (1 - t)/(d - 1): about 0.8 d at t = 0.2. Two
    draws of one augmentation cannot do this on average (C is then positive semidefinite); two different views can.
    """
    dim, t = 32, 0.2
    simplex = torch.eye(dim, dtype=torch.float64) - 1 / dim
    simplex = (simplex / simplex.std(0, correction=0)).repeat(2, 1)  # (2 dim, dim)
    u = torch.ones(dim, 1, dtype=torch.float64)
    u = torch.cat([u, -u])
    loss = HSIC()(t**0.5 * u + (1 - t) ** 0.5 * simplex, -(t**0.5) * u + (1 - t) ** 0.5 * simplex).item()
    assert loss == pytest.approx(dim * (2 * t) ** 2 + (dim - 1) * (1 - t - (1 - t) / (dim - 1)) ** 2, rel=1e-3)
    assert loss < 0.85 * floor(dim)

"""Barlow Twins against the paper's formula in NumPy: values, gradients, invariances, edge cases, noise floor."""

import math

import numpy as np
import pytest
import torch

from sklearn_twins.objectives import BarlowTwins, barlow_twins_terms

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = 1e-5
SHAPES = [(64, 5), (9, 9), (6, 40), (2, 3), (2, 1)]


def views(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, dim))
    return tuple(3 + 2 * (shared + 0.5 * rng.normal(size=(n, dim))) for _ in range(2))


def tensors(n, dim, seed=0, dtype=torch.float64):
    return tuple(torch.tensor(z, dtype=dtype) for z in views(n, dim, seed))


def reference(z_a, z_b, weight):
    """Zbontar et al. 2021, eq. 1 and 2, by loops over i and j."""
    n, dim = z_a.shape
    s_a, s_b = ((z - z.mean(0)) / np.sqrt(((z - z.mean(0)) ** 2).mean(0) + EPS) for z in (z_a, z_b))
    invariance = redundancy = 0.0
    for i in range(dim):
        for j in range(dim):
            c = (s_a[:, i] * s_b[:, j]).sum() / n
            if i == j:
                invariance += (1 - c) ** 2
            else:
                redundancy += weight * c**2
    return invariance, redundancy


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weight", [0.0, 0.0051, 1.0])
def test_terms_equal_the_formula(shape, weight):
    z_a, z_b = views(*shape)
    found = barlow_twins_terms(torch.tensor(z_a), torch.tensor(z_b), weight)
    np.testing.assert_allclose([term.item() for term in found], reference(z_a, z_b, weight), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_component_sums_the_terms(shape):
    z_a, z_b = views(*shape)
    objective = BarlowTwins(off_diagonal_weight=0.3)
    terms = objective.terms(torch.tensor(z_a), torch.tensor(z_b))
    assert list(terms) == ["invariance", "redundancy"]
    assert objective(torch.tensor(z_a), torch.tensor(z_b)).item() == pytest.approx(sum(reference(z_a, z_b, 0.3)))


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_float32_is_close_to_float64(shape):
    z_a, z_b = views(*shape)
    found = BarlowTwins(0.1)(*tensors(*shape, dtype=torch.float32)).item()
    assert found == pytest.approx(sum(reference(z_a, z_b, 0.1)), rel=1e-4)


def test_worked_by_hand():
    """With u, v orthogonal codes, z_a = (u, v) and z_b = (u, u + v): C = [[1, r], [0, r]], r = 1 / sqrt(2)."""
    u, v = torch.tensor([1.0, 1, -1, -1]).double(), torch.tensor([1.0, -1, 1, -1]).double()
    invariance, redundancy = barlow_twins_terms(torch.stack([u, v], 1), torch.stack([u, u + v], 1), 0.5)
    assert invariance.item() == pytest.approx((1 - math.sqrt(0.5)) ** 2, abs=1e-4)
    assert redundancy.item() == pytest.approx(0.5 * 0.5, abs=1e-4)


def test_perfect_projection_has_no_loss():
    z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert BarlowTwins()(z, z).item() == pytest.approx(0, abs=1e-8)


def test_opposite_views_cost_four_a_coordinate():
    z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert BarlowTwins()(z, -z).item() == pytest.approx(8, abs=1e-3)


def test_flipped_coordinate_in_both_views_changes_nothing():
    z_a, z_b = tensors(30, 4)
    signs = torch.tensor([1.0, -1, 1, -1], dtype=torch.float64)
    assert BarlowTwins()(z_a * signs, z_b * signs).item() == pytest.approx(BarlowTwins()(z_a, z_b).item(), rel=1e-10)


@pytest.mark.parametrize("shape", [(8, 4), (8, 40)])
def test_duplicate_rows_change_nothing(shape):
    """The biased variance makes the loss a function of the empirical distribution."""
    z_a, z_b = tensors(*shape)
    doubled = BarlowTwins()(z_a.repeat(3, 1), z_b.repeat(3, 1)).item()
    assert doubled == pytest.approx(BarlowTwins()(z_a, z_b).item(), rel=1e-10)


def loss_and_gradients(z_a, z_b):
    inputs = [z.clone().requires_grad_() for z in (z_a, z_b)]
    loss = BarlowTwins()(*inputs)
    return loss, torch.autograd.grad(loss, inputs)


@pytest.mark.parametrize("dim", [1, 2, 3, 50])
def test_batch_of_two_is_finite(dim):
    loss, gradients = loss_and_gradients(*tensors(2, dim, dtype=torch.float32))
    assert torch.isfinite(loss) and loss >= -1e-4
    assert all(torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("shape", [(8, 4), (8, 40)])
def test_constant_coordinates_cost_one_each_and_are_finite(shape):
    z_a, z_b = tensors(*shape, dtype=torch.float32)
    z_a[:, 0], z_b[:, 0], z_b[:, 1] = 7.0, -7.0, 0.0
    loss, gradients = loss_and_gradients(z_a, z_b)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients)
    assert BarlowTwins(0.0)(z_a[:, :2], z_b[:, :2]).item() == pytest.approx(2.0)


def test_all_rows_alike():
    loss, gradients = loss_and_gradients(torch.ones(8, 3), torch.ones(8, 3))
    assert loss.item() == 3.0
    assert all(torch.isfinite(g).all() for g in gradients)


def test_auto_weight_means_the_same_at_every_width():
    """Independent views of n rows: invariance about d, redundancy about (d - 1) / n; each over d is constant."""
    n, ratios = 500, []
    for dim in (32, 128, 512):
        generator = torch.Generator().manual_seed(dim)
        z_a, z_b = (torch.randn(n, dim, generator=generator, dtype=torch.float64) for _ in range(2))
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
    z = torch.randn(n, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    floor = BarlowTwins(1.0).terms(z, z)["redundancy"].item()
    deviation = 2 * math.sqrt(dim * (dim - 1) / 2 * 2 * (n - 2) / ((n - 1) ** 2 * (n + 1)))
    assert abs(floor - dim * (dim - 1) / (n - 1)) < 4 * deviation + 2 * EPS * floor
    assert floor == pytest.approx(dim * (dim - 1) / n, rel=0.1)


@pytest.mark.parametrize("weight", ["auto", 0, 1, 0.5, np.float32(0.25)])
def test_right_weight_passes(weight):
    objective = BarlowTwins(off_diagonal_weight=weight)
    assert objective.check() is objective

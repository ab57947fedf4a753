"""The HSIC form against the note's formula in NumPy: values, gradients, its relation to Barlow Twins, its floor."""

import math

import numpy as np
import pytest
import torch

from sklearn_twins.objectives import HSIC, BarlowTwins, barlow_twins_terms, cross_correlation, hsic_terms

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
    """arXiv 2104.13712, eq. 5, by loops over i and j."""
    n, dim = z_a.shape
    s_a, s_b = ((z - z.mean(0)) / np.sqrt(((z - z.mean(0)) ** 2).mean(0) + EPS) for z in (z_a, z_b))
    invariance = redundancy = 0.0
    for i in range(dim):
        for j in range(dim):
            c = (s_a[:, i] * s_b[:, j]).sum() / n
            if i == j:
                invariance += (1 - c) ** 2
            else:
                redundancy += weight * (1 + c) ** 2
    return invariance, redundancy


def floor(dim):
    """Least loss of two equal views at w = 1/d; see `test_floor_of_equal_views`."""
    return (dim - 2) ** 2 / (dim - 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weight", [0.0, 0.0051, 1.0])
def test_terms_equal_the_formula(shape, weight):
    z_a, z_b = views(*shape)
    found = hsic_terms(torch.tensor(z_a), torch.tensor(z_b), weight)
    np.testing.assert_allclose([term.item() for term in found], reference(z_a, z_b, weight), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_component_sums_the_terms(shape):
    z_a, z_b = views(*shape)
    objective = HSIC(off_diagonal_weight=0.3)
    terms = objective.terms(torch.tensor(z_a), torch.tensor(z_b))
    assert list(terms) == ["invariance", "redundancy"]
    assert objective(torch.tensor(z_a), torch.tensor(z_b)).item() == pytest.approx(sum(reference(z_a, z_b, 0.3)))


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_float32_is_close_to_float64(shape):
    z_a, z_b = views(*shape)
    found = HSIC(0.1)(*tensors(*shape, dtype=torch.float32)).item()
    assert found == pytest.approx(sum(reference(z_a, z_b, 0.1)), rel=1e-4)


@pytest.mark.parametrize("n", [4, 32])
def test_unbiased_convention_of_the_notes_code(n):
    """The note's code uses the unbiased deviation: its C is ours times (n - 1) / n, eps aside."""
    z_a, z_b = views(n, 5)
    unbiased = [(z - z.mean(0)) / z.std(0, ddof=1) for z in (z_a, z_b)]
    C = unbiased[0].T @ unbiased[1] / n
    off = ~np.eye(5, dtype=bool)
    theirs = ((1 - C.diagonal()) ** 2).sum() + 0.2 * ((1 + C[off]) ** 2).sum()
    ours = cross_correlation(torch.tensor(z_a), torch.tensor(z_b), eps=0.0).numpy() * (n - 1) / n
    assert theirs == pytest.approx(((1 - ours.diagonal()) ** 2).sum() + 0.2 * ((1 + ours[off]) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_barlow_twins_and_a_linear_part(shape):
    """HSIC = BT + 2w (1'C1 - tr C) + w d(d-1)."""
    z_a, z_b = tensors(*shape)
    weight, dim = 0.37, shape[1]
    C = cross_correlation(z_a, z_b)
    linear = 2 * weight * (C.sum() - C.trace()) + weight * dim * (dim - 1)
    expected = sum(barlow_twins_terms(z_a, z_b, weight)) + linear
    assert sum(hsic_terms(z_a, z_b, weight)).item() == pytest.approx(expected.item(), rel=1e-11, abs=1e-11)


def test_invariance_is_that_of_barlow_twins():
    z = tensors(30, 6)
    assert HSIC(0.5).terms(*z)["invariance"].item() == BarlowTwins(0.1).terms(*z)["invariance"].item()


def test_worked_by_hand():
    """With u, v orthogonal codes, z_a = (u, v) and z_b = (u, u + v): C = [[1, r], [0, r]], r = 1 / sqrt(2)."""
    u, v = torch.tensor([1.0, 1, -1, -1]).double(), torch.tensor([1.0, -1, 1, -1]).double()
    invariance, redundancy = hsic_terms(torch.stack([u, v], 1), torch.stack([u, u + v], 1), 0.5)
    r = math.sqrt(0.5)
    assert invariance.item() == pytest.approx((1 - r) ** 2, abs=1e-4)
    assert redundancy.item() == pytest.approx(0.5 * ((1 + r) ** 2 + 1), abs=1e-4)


def test_two_opposite_coordinates_have_no_loss():
    """The only width above one at which the target can be met: C = [[1, -1], [-1, 1]]."""
    z = torch.tensor([[1.0, -1], [-1, 1], [3, -3]]).double()
    assert HSIC()(z, z).item() == pytest.approx(0, abs=1e-8)


def test_sign_of_a_coordinate_matters():
    """Unlike Barlow Twins: -1 is not 1."""
    z_a, z_b = tensors(64, 4)
    signs = torch.tensor([1.0, -1, 1, 1], dtype=torch.float64)
    difference = HSIC()(z_a * signs, z_b * signs) - HSIC()(z_a, z_b)
    assert abs(difference.item()) > 1e-3


@pytest.mark.parametrize("shape", [(8, 4), (8, 40)])
def test_duplicate_rows_change_nothing(shape):
    z_a, z_b = tensors(*shape)
    assert HSIC()(z_a.repeat(3, 1), z_b.repeat(3, 1)).item() == pytest.approx(HSIC()(z_a, z_b).item(), rel=1e-10)


def loss_and_gradients(z_a, z_b):
    inputs = [z.clone().requires_grad_() for z in (z_a, z_b)]
    loss = HSIC()(*inputs)
    return loss, torch.autograd.grad(loss, inputs)


@pytest.mark.parametrize("dim", [1, 2, 3, 50])
def test_batch_of_two_is_finite(dim):
    loss, gradients = loss_and_gradients(*tensors(2, dim, dtype=torch.float32))
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("shape", [(8, 4), (8, 40)])
def test_constant_coordinates_are_finite(shape):
    z_a, z_b = tensors(*shape, dtype=torch.float32)
    z_a[:, 0], z_b[:, 0], z_b[:, 1] = 7.0, -7.0, 0.0
    loss, gradients = loss_and_gradients(z_a, z_b)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients)


def test_all_rows_alike():
    """C = 0: d from the diagonal, d(d-1)/d from the rest."""
    loss, gradients = loss_and_gradients(torch.ones(8, 3), torch.ones(8, 3))
    assert loss.item() == pytest.approx(5.0)
    assert all(torch.isfinite(g).all() for g in gradients)


def test_auto_weight_means_the_same_at_every_width():
    """Independent coordinates: redundancy (d - 1)(1 + 1/n) on average, so that over d - 1 it is constant."""
    n, ratios = 500, []
    for dim in (32, 128, 512):
        generator = torch.Generator().manual_seed(dim)
        z = torch.randn(n, dim, generator=generator, dtype=torch.float64)
        ratios.append(HSIC().terms(z, z)["redundancy"].item() / (dim - 1))
    np.testing.assert_allclose(ratios, 1 + 1 / n, rtol=0.02)


@pytest.mark.parametrize("dim", [3, 8, 64])
def test_simplex_reaches_the_floor(dim):
    """The rows of I - 1/d correlate by -1/(d-1): as negative as all pairs can be at once."""
    z = 100 * (torch.eye(dim, dtype=torch.float64) - 1 / dim)
    loss = HSIC()(z, z).item()
    assert loss == pytest.approx(floor(dim), rel=1e-4)
    assert loss == pytest.approx(dim - 3, abs=1 / (dim - 1) + 1e-2)


@pytest.mark.parametrize("dim", [3, 6])
def test_floor_of_equal_views(dim):
    """No two equal views are below (d - 2)^2 / (d - 1) = d - 3 + 1/(d - 1) at w = 1/d, and descent arrives there.

    Then C is positive semidefinite with a diagonal of at most 1. The loss is convex in C and symmetric in the
    coordinates, so averaging C over their permutations does not raise it: C = a I + c (J - I) is enough, where
    a + (d - 1) c >= 0. ``d (1 - a)^2 + (d - 1)(1 + c)^2`` grows with c, so c = -a / (d - 1), and then falls
    with a, so a = 1.
    """
    z = torch.randn(24, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64).mul_(10).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.3)
    losses = []
    for _ in range(400):
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

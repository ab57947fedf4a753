"""The cross-correlation against NumPy, its conventions and invariances, and the two equal forms of its norm."""

import numpy as np
import pytest
import torch
from builders import seeded, two_views

from sklearn_twins.objectives import BarlowTwins, _correlation, cross_correlation, stacked_terms, standardize
from sklearn_twins.objectives._correlation import Objective, gram, squared_norm

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = 1e-5
SHAPES = [(64, 5), (9, 9), (6, 40), (2, 3), (2, 1)]


@pytest.fixture(params=[0.0, float("inf")], ids=["gram", "direct"])
def form(request, monkeypatch):
    """The form that all shapes take."""
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", request.param)


@pytest.mark.parametrize("shape", SHAPES)
def test_standardize(shape):
    """NumPy's formula, and the authors' ``nn.BatchNorm1d(dim, affine=False)`` in training mode."""
    z, _ = two_views(*shape)
    s = standardize(z)
    expected = (z.numpy() - z.numpy().mean(0)) / np.sqrt(z.numpy().var(0, ddof=0) + EPS)
    np.testing.assert_allclose(s.numpy(), expected, rtol=1e-12, atol=1e-13)
    norm = torch.nn.BatchNorm1d(shape[1], affine=False, dtype=torch.float64)
    torch.testing.assert_close(s, norm(z), rtol=1e-11, atol=1e-12)


def test_constant_coordinates_become_zero():
    z = torch.randn(8, 3, generator=seeded())
    z[:, 1] = 0.5
    assert (standardize(z)[:, 1] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_cross_correlation_equals_numpy(shape):
    z_a, z_b = two_views(*shape)
    s_a, s_b = (standardize(z).numpy() for z in (z_a, z_b))
    C = cross_correlation(z_a, z_b)
    np.testing.assert_allclose(C.numpy(), s_a.T @ s_b / len(z_a), rtol=1e-11, atol=1e-13)
    assert (C.abs() <= 1).all()
    pearson = cross_correlation(z_a, z_b, eps=0.0).numpy()
    np.testing.assert_allclose(pearson, np.corrcoef(z_a.T, z_b.T)[: shape[1], shape[1] :], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [2, 5, 64])
def test_unbiased_convention_differs_by_a_factor(n):
    """The HSIC note's code divides by the unbiased deviation, the product by n: its C is ours (n - 1) / n at eps 0."""
    z_a, z_b = (z.numpy() for z in two_views(n, 3))
    unbiased = [(z - z.mean(0)) / z.std(0, ddof=1) for z in (z_a, z_b)]
    ours = cross_correlation(torch.tensor(z_a), torch.tensor(z_b), eps=0.0).numpy()
    np.testing.assert_allclose(unbiased[0].T @ unbiased[1] / n, ours * (n - 1) / n, rtol=1e-12)


def test_dtypes_and_autocast():
    """Half precision is raised to float32, other types stay, and the caller's autocast changes nothing."""
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        z_a, z_b = two_views(16, 4, dtype=dtype)
        C = cross_correlation(z_a, z_b)
        raised = torch.float64 if dtype == torch.float64 else torch.float32
        assert C.dtype == standardize(z_a).dtype == raised
        assert torch.equal(C, cross_correlation(z_a.to(raised), z_b.to(raised)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(cross_correlation(z_a, z_b), C)


def test_affine_changes_of_a_view_act_on_eps_only():
    """standardize(k z + m, k^2 eps) = sign(k) standardize(z, eps), to rounding; so C changes by at most eps / var."""
    z_a, z_b = two_views(40, 5)
    k, m = -37.0, 250.0
    torch.testing.assert_close(standardize(k * z_a + m, k**2 * EPS), -standardize(z_a, EPS), rtol=1e-10, atol=1e-12)
    scales = torch.tensor([0.5, 1.0, 10.0, 1e3, 1e6], dtype=torch.float64)
    smallest = torch.minimum((z_a * scales).var(0), z_a.var(0)).min().item()
    moved = cross_correlation(z_a * scales + 100, z_b)
    torch.testing.assert_close(moved, cross_correlation(z_a, z_b), rtol=0, atol=EPS / smallest)


def test_orders():
    """Rows in another order change nothing, coordinates permute C, swapped views transpose it, inputs stay."""
    z_a, z_b = two_views(33, 4)
    before, C = (z_a.clone(), z_b.clone()), cross_correlation(z_a, z_b)
    rows, p, q = torch.randperm(33, generator=seeded(1)), [2, 0, 3, 1], [1, 3, 2, 0]
    torch.testing.assert_close(cross_correlation(z_a[rows], z_b[rows]), C, rtol=0, atol=1e-14)
    torch.testing.assert_close(cross_correlation(z_a[:, p], z_b[:, q]), C[p][:, q], rtol=0, atol=1e-14)
    torch.testing.assert_close(cross_correlation(z_b, z_a), C.T, rtol=0, atol=1e-14)
    assert (cross_correlation(z_a, z_b.roll(1, 0)) - C).abs().max() > 0.1
    squared_norm(z_a, z_b)
    assert torch.equal(z_a, before[0]) and torch.equal(z_b, before[1])


@pytest.mark.parametrize("shape", [*SHAPES, (10, 12), (10, 13)])
def test_squared_norm(shape, form):
    """Sum of the squares of C, which is HSIC with linear kernels; either form gives it."""
    s_a, s_b = (standardize(z).numpy() for z in two_views(*shape))
    expected = ((s_a.T @ s_b / shape[0]) ** 2).sum()
    found = squared_norm(torch.tensor(s_a), torch.tensor(s_b)).item()
    assert found == pytest.approx(expected, rel=1e-11)
    H = np.eye(shape[0]) - 1 / shape[0]
    hsic = np.trace(s_a @ s_a.T @ H @ s_b @ s_b.T @ H) / shape[0] ** 2
    assert found == pytest.approx(hsic, rel=1e-9, abs=1e-12)


def test_gradients_of_the_norm(form):
    """With two inputs, one of which may be constant, of different widths, and with itself: one product less."""
    s_a, s_b = two_views(6, 3)[0].requires_grad_(), two_views(6, 5)[1].requires_grad_()
    assert torch.autograd.gradcheck(squared_norm, (s_a, s_b))
    assert torch.autograd.gradcheck(squared_norm, (s_a, s_b.detach()))
    assert torch.autograd.gradcheck(squared_norm, (s_a.detach(), s_b))
    for shape in [(6, 4), (4, 7)]:
        s = two_views(*shape)[0].requires_grad_()
        assert torch.autograd.gradcheck(lambda s: squared_norm(s, s), s)
        torch.testing.assert_close(squared_norm(s, s), squared_norm(s, s.clone()), rtol=1e-12, atol=0)
    with pytest.raises(NotImplementedError, match="create_graph"):
        torch.autograd.grad(squared_norm(s, s), s, create_graph=True)


@pytest.mark.parametrize("n", [1, 2, 127, 128, 129, 200])
def test_gram_is_all_products_of_rows(n):
    """Symmetric to the bit from 128 rows on: a quarter is copied."""
    s = two_views(n, 7)[0]
    torch.testing.assert_close(gram(s), s @ s.T, rtol=1e-13, atol=1e-12)
    if n >= 128:
        half = n // 2
        assert torch.equal(gram(s)[:half, half:], gram(s)[half:, :half].T)


@pytest.mark.parametrize("target", [0.0, -1.0])
def test_stacked_terms(target):
    """The terms of each pair by itself."""
    pairs, weights = [two_views(12, 5, seed) for seed in range(3)], torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    z_a, z_b = (torch.stack(views) for views in zip(*pairs, strict=True))
    terms = stacked_terms(z_a, z_b, weights, target)
    for i, (a, b) in enumerate(pairs):
        C = cross_correlation(a, b)
        off = (C - target).square().sum() - (C.diagonal() - target).square().sum()
        assert terms["invariance"][i].item() == pytest.approx((1 - C.diagonal()).square().sum().item(), rel=1e-10)
        assert terms["redundancy"][i].item() == pytest.approx((weights[i] * off).item(), rel=1e-10)


def test_objective_is_abstract_and_sums_its_terms():
    class Three(Objective):
        def terms(self, z_a, z_b):
            return {"a": z_a.sum(), "b": z_b.sum(), "c": torch.tensor(1.0)}

    assert Three()(torch.ones(2, 2), 2 * torch.ones(2, 2)).item() == 13.0
    with pytest.raises(NotImplementedError):
        Objective()(torch.ones(2, 2), torch.ones(2, 2))


def test_noise_floor_of_one_row_is_finite():
    assert BarlowTwins(1.0).noise_floor(1, 3) == 6.0

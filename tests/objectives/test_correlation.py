"""The cross-correlation against NumPy, its conventions and invariances, and the two equal forms of its norm."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_twins.objectives import BarlowTwins, _correlation, cross_correlation, standardize
from sklearn_twins.objectives._correlation import Objective, gram, squared_norm

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = 1e-5
SHAPES = [(64, 5), (9, 9), (6, 40), (2, 3), (2, 1)]


def views(n, dim, seed=0, dtype=np.float64):
    """Two correlated projections with offsets and scales of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, dim))
    z_a = 3 + 2 * (shared + 0.5 * rng.normal(size=(n, dim)))
    z_b = -1 + 0.7 * (shared + 0.5 * rng.normal(size=(n, dim)))
    return z_a.astype(dtype), z_b.astype(dtype)


def reference_standardize(z, eps=EPS):
    return (z - z.mean(0)) / np.sqrt(z.var(0, ddof=0) + eps)


def reference_correlation(z_a, z_b, eps=EPS):
    return reference_standardize(z_a, eps).T @ reference_standardize(z_b, eps) / len(z_a)


@pytest.mark.parametrize("shape", SHAPES)
def test_standardize_equals_numpy(shape):
    z, _ = views(*shape)
    np.testing.assert_allclose(standardize(torch.tensor(z)).numpy(), reference_standardize(z), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_standardize_equals_batch_norm_without_learned_scale(shape):
    """The authors' code standardises with ``nn.BatchNorm1d(dim, affine=False)`` in training mode."""
    z = torch.tensor(views(*shape)[0])
    norm = torch.nn.BatchNorm1d(shape[1], affine=False, dtype=torch.float64)
    torch.testing.assert_close(standardize(z), norm(z), rtol=1e-12, atol=1e-13)


def test_standardized_variance_is_the_biased_one():
    z, _ = views(7, 4)
    variance = z.var(0, ddof=0)
    s = standardize(torch.tensor(z)).numpy()
    np.testing.assert_allclose(s.mean(0), 0, atol=1e-14)
    np.testing.assert_allclose((s**2).mean(0), variance / (variance + EPS), rtol=1e-12)


def test_constant_coordinate_becomes_zero():
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    z[:, 1] = 0.5
    assert (standardize(z)[:, 1] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised_to_float32(dtype):
    z_a, z_b = (torch.tensor(z).to(dtype) for z in views(16, 4))
    assert standardize(z_a).dtype == torch.float32
    assert torch.equal(standardize(z_a), standardize(z_a.float()))
    assert torch.equal(cross_correlation(z_a, z_b), cross_correlation(z_a.float(), z_b.float()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_precision_is_kept(dtype):
    z_a, z_b = (torch.tensor(z).to(dtype) for z in views(16, 4))
    assert cross_correlation(z_a, z_b).dtype == dtype


def test_autocast_of_the_caller_does_not_round_the_correlation():
    """DESIGN section 6: in float32, autocast off. Calling a loss inside autocast is torch's usual pattern."""
    z_a, z_b = (torch.tensor(z, dtype=torch.float32) for z in views(64, 8))
    expected = cross_correlation(z_a, z_b)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = cross_correlation(z_a, z_b)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_cross_correlation_equals_numpy(shape):
    z_a, z_b = views(*shape)
    C = cross_correlation(torch.tensor(z_a), torch.tensor(z_b)).numpy()
    np.testing.assert_allclose(C, reference_correlation(z_a, z_b), rtol=1e-11, atol=1e-13)
    assert (np.abs(C) <= 1).all()


def test_cross_correlation_without_eps_is_pearsons():
    z_a, z_b = views(30, 4)
    C = cross_correlation(torch.tensor(z_a), torch.tensor(z_b), eps=0.0).numpy()
    np.testing.assert_allclose(C, np.corrcoef(z_a.T, z_b.T)[:4, 4:], rtol=1e-12)


@pytest.mark.parametrize("n", [2, 5, 64])
def test_unbiased_convention_differs_by_a_factor(n):
    """The HSIC note's code divides by the unbiased deviation, the product by n: its C is ours (n - 1) / n at eps 0."""
    z_a, z_b = views(n, 3)
    unbiased = [(z - z.mean(0)) / z.std(0, ddof=1) for z in (z_a, z_b)]
    theirs = unbiased[0].T @ unbiased[1] / n
    ours = cross_correlation(torch.tensor(z_a), torch.tensor(z_b), eps=0.0).numpy()
    np.testing.assert_allclose(theirs, ours * (n - 1) / n, rtol=1e-12)


def test_affine_changes_of_a_view_act_on_eps_only():
    """standardize(k z + m, k^2 eps) = sign(k) standardize(z, eps), to rounding."""
    z = torch.tensor(views(20, 4)[0])
    k, m = -37.0, 250.0
    torch.testing.assert_close(standardize(k * z + m, k**2 * EPS), -standardize(z, EPS), rtol=1e-10, atol=1e-12)


def test_affine_invariance_within_eps():
    """C scales by sqrt(v / (v + eps)) for each view: 1 - eps / (2 v) at first order, v the variance."""
    z_a, z_b = (torch.tensor(z) for z in views(40, 5))
    scales = torch.tensor([0.5, 1.0, 10.0, 1e3, 1e6], dtype=torch.float64)
    moved = cross_correlation(z_a * scales + 100, z_b)
    smallest = torch.minimum((z_a * scales).var(0), z_a.var(0)).min().item()
    torch.testing.assert_close(moved, cross_correlation(z_a, z_b), rtol=0, atol=EPS / smallest)


def test_row_order_does_not_matter():
    z_a, z_b = (torch.tensor(z) for z in views(33, 4))
    order = torch.randperm(33, generator=torch.Generator().manual_seed(1))
    expected = cross_correlation(z_a, z_b)
    torch.testing.assert_close(cross_correlation(z_a[order], z_b[order]), expected, rtol=0, atol=1e-14)


def test_rows_must_stay_paired():
    z_a, z_b = (torch.tensor(z) for z in views(33, 4))
    assert (cross_correlation(z_a, z_b.roll(1, 0)) - cross_correlation(z_a, z_b)).abs().max() > 0.1


def test_coordinate_order_permutes_the_matrix():
    z_a, z_b = (torch.tensor(z) for z in views(33, 4))
    p, q = [2, 0, 3, 1], [1, 3, 2, 0]
    expected = cross_correlation(z_a, z_b)[p][:, q]
    torch.testing.assert_close(cross_correlation(z_a[:, p], z_b[:, q]), expected, rtol=0, atol=1e-14)


def test_swapped_views_transpose_the_matrix():
    z_a, z_b = (torch.tensor(z) for z in views(33, 4))
    torch.testing.assert_close(cross_correlation(z_b, z_a), cross_correlation(z_a, z_b).T, rtol=0, atol=1e-14)


def test_inputs_are_not_modified():
    z_a, z_b = (torch.tensor(z) for z in views(12, 4))
    before = z_a.clone(), z_b.clone()
    cross_correlation(z_a, z_b)
    squared_norm(z_a, z_b)
    assert torch.equal(z_a, before[0]) and torch.equal(z_b, before[1])


def norm_and_gradients(shape):
    s_a, s_b = (torch.tensor(reference_standardize(z)).requires_grad_() for z in views(*shape))
    value = squared_norm(s_a, s_b)
    return value.detach(), *torch.autograd.grad(value, (s_a, s_b))


@pytest.mark.parametrize("shape", [*SHAPES, (10, 12), (10, 13)])
def test_gram_form_equals_direct_form(shape, monkeypatch):
    """Value and gradient, on both sides of the threshold of 1.2."""
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", 0.0)
    gram = norm_and_gradients(shape)
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", float("inf"))
    direct = norm_and_gradients(shape)
    for a, b in zip(gram, direct, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_squared_norm_equals_numpy(shape):
    s_a, s_b = (reference_standardize(z) for z in views(*shape))
    expected = ((s_a.T @ s_b / shape[0]) ** 2).sum()
    assert squared_norm(torch.tensor(s_a), torch.tensor(s_b)).item() == pytest.approx(expected, rel=1e-12)


def test_squared_norm_is_hsic_with_linear_kernels():
    """tr(K H L H) / n^2 with K, L linear kernels of the standardised views and H the centring matrix."""
    z_a, z_b = views(12, 5)
    s_a, s_b = reference_standardize(z_a), reference_standardize(z_b)
    H = np.eye(12) - 1 / 12
    hsic = np.trace(s_a @ s_a.T @ H @ s_b @ s_b.T @ H) / 12**2
    assert squared_norm(torch.tensor(s_a), torch.tensor(s_b)).item() == pytest.approx(hsic, rel=1e-12)


@pytest.mark.parametrize("form", [0.0, float("inf")], ids=["gram", "direct"])
def test_gradients_of_the_norm(form, monkeypatch):
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", form)
    z_a, z_b = (torch.tensor(z).requires_grad_() for z in views(5, 4))
    assert torch.autograd.gradcheck(lambda a, b: squared_norm(standardize(a), standardize(b)), (z_a, z_b))


@pytest.mark.parametrize("form", [0.0, float("inf")], ids=["gram", "direct"])
@pytest.mark.parametrize("shape", [(6, 4), (4, 7)])
def test_squared_norm_with_itself(form, shape, monkeypatch):
    """One product less, the same number and gradient."""
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", form)
    s = torch.tensor(views(*shape)[0]).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: squared_norm(s, s), s)
    torch.testing.assert_close(squared_norm(s, s), squared_norm(s, s.clone()), rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", [0.0, float("inf")], ids=["gram", "direct"])
def test_squared_norm_of_other_widths(form, monkeypatch):
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", form)
    s_a, s_b = torch.tensor(views(6, 3)[0]).requires_grad_(), torch.tensor(views(6, 5)[1]).requires_grad_()
    assert torch.autograd.gradcheck(squared_norm, (s_a, s_b))
    assert torch.autograd.gradcheck(squared_norm, (s_a, s_b.detach()))
    assert torch.autograd.gradcheck(squared_norm, (s_a.detach(), s_b))


@pytest.mark.parametrize("form", [0.0, float("inf")], ids=["gram", "direct"])
def test_squared_norm_has_no_second_derivative(form, monkeypatch):
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", form)
    s = torch.tensor(views(6, 4)[0]).requires_grad_()
    with pytest.raises(NotImplementedError, match="create_graph"):
        torch.autograd.grad(squared_norm(s, s), s, create_graph=True)


@pytest.mark.parametrize("n", [1, 2, 127, 128, 129, 200])
def test_gram_is_all_products_of_rows(n):
    """To the bit as far as symmetry goes: what is copied is not computed again."""
    s = torch.tensor(views(n, 7)[0])
    torch.testing.assert_close(gram(s), s @ s.T, rtol=1e-13, atol=1e-12)
    if n >= 128:
        half = n // 2
        assert torch.equal(gram(s)[:half, half:], gram(s)[half:, :half].T)


def test_objective_is_the_sum_of_its_terms():
    class Three(Objective):
        def terms(self, z_a, z_b):
            return {"a": z_a.sum(), "b": z_b.sum(), "c": torch.tensor(1.0)}

    assert Three()(torch.ones(2, 2), 2 * torch.ones(2, 2)).item() == 13.0


def test_objective_is_abstract():
    with pytest.raises(NotImplementedError):
        Objective()(torch.ones(2, 2), torch.ones(2, 2))


def test_objectives_clone():
    assert clone(BarlowTwins(off_diagonal_weight=0.3)).get_params() == {"off_diagonal_weight": 0.3}

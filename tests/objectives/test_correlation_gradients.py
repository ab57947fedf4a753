"""The fused terms against NumPy and against automatic gradients: values, gradients, dtypes, memory, refusals."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklearn_twins.objectives import _correlation, _correlation_gradients, cross_correlation
from sklearn_twins.objectives._correlation_gradients import correlation_terms, split_columns

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]  # seconds, being many

EPS = 1e-5
SHAPES = [(64, 5), (9, 9), (6, 40), (2, 3), (2, 1), (33, 17), (130, 300)]
FORMS = {"gram": 0.0, "direct": float("inf")}
both_targets = pytest.mark.parametrize("target", [0.0, -1.0], ids=["barlow_twins", "hsic"])


@pytest.fixture(params=FORMS)
def form(request, monkeypatch):
    """The name of the form that all shapes take."""
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", FORMS[request.param])
    return request.param


def views(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, dim))
    return [3 + 2 * (shared + 0.5 * rng.normal(size=(n, dim))) for _ in range(2)]


def tensors(n, dim, dtype=torch.float64):
    return [torch.tensor(z, dtype=dtype).requires_grad_() for z in views(n, dim)]


def reference_terms(z_a, z_b, weight, target):
    s_a, s_b = ((z - z.mean(0)) / np.sqrt(z.var(0) + EPS) for z in (z_a, z_b))
    C = s_a.T @ s_b / len(z_a)
    off = ~np.eye(len(C), dtype=bool)
    return ((1 - C.diagonal()) ** 2).sum(), weight * ((C[off] - target) ** 2).sum()


def reference_gradients(z_a, z_b, weight, target, of_terms):
    """By hand, the backward of standardisation with both its means."""
    n = len(z_a)
    deviations = [np.sqrt(z.var(0) + EPS) for z in (z_a, z_b)]
    s_a, s_b = ((z - z.mean(0)) / deviation for z, deviation in zip((z_a, z_b), deviations, strict=True))
    C = s_a.T @ s_b / n
    M = 2 * of_terms[1] * weight * (C - target)
    np.fill_diagonal(M, 2 * of_terms[0] * (C.diagonal() - 1))
    found = []
    for s, of_s, deviation in zip((s_a, s_b), (s_b @ M.T / n, s_a @ M / n), deviations, strict=True):
        found.append((of_s - of_s.mean(0) - s * (of_s * s).mean(0)) / deviation)
    return found


def simple_terms(z_a, z_b, weight, target):
    """With nothing of the package: batch norm, a product, a mask."""
    s_a, s_b = (torch.nn.functional.batch_norm(z, None, None, training=True, eps=EPS) for z in (z_a, z_b))
    C = s_a.T @ s_b / len(z_a)
    off = ~torch.eye(len(C), dtype=torch.bool)
    return (1 - C.diagonal()).square().sum(), weight * (C[off] - target).square().sum()


def relative_error(found, expected):
    found, expected = (torch.cat([z.double().flatten() for z in each]) for each in (found, expected))
    return ((found - expected).norm() / expected.norm()).item()


@both_targets
@pytest.mark.parametrize("shape", SHAPES)
def test_terms_equal_numpy(shape, target, form):
    found = [term.item() for term in correlation_terms(*tensors(*shape), 0.3, target)]
    np.testing.assert_allclose(found, reference_terms(*views(*shape), 0.3, target), rtol=1e-10, atol=1e-12)


@both_targets
@pytest.mark.parametrize("of_terms", [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (-2.0, 0.7)])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_equal_numpy(shape, of_terms, target, form):
    """Also of either term alone, and of other sums of them than the loss."""
    inputs = tensors(*shape)
    terms = correlation_terms(*inputs, 0.3, target)
    found = torch.autograd.grad(sum(g * term for g, term in zip(of_terms, terms, strict=True)), inputs)
    expected = reference_gradients(*views(*shape), 0.3, target, of_terms)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-8, atol=1e-10 * max(1e-3, np.abs(theirs).max()))


@both_targets
@pytest.mark.parametrize("shape", [(12, 5), (5, 12)])
def test_gradients_equal_finite_differences(shape, target, form):
    """Of the NumPy formula, along random directions: a reference with no derivative in it."""
    z = views(*shape)
    inputs = tensors(*shape)
    found = torch.autograd.grad(sum(correlation_terms(*inputs, 0.3, target)), inputs)
    for seed in range(3):
        directions = np.random.default_rng(seed).normal(size=(2, *shape))
        ahead, behind = (
            sum(reference_terms(*(np.array(z) + step * directions), 0.3, target)) for step in (1e-5, -1e-5)
        )
        slope = sum((g.numpy() * direction).sum() for g, direction in zip(found, directions, strict=True))
        assert slope == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


@both_targets
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[0] > 2])
def test_equals_automatic_gradients_of_the_simple_formulation(shape, target, form):
    results = []
    for terms in (correlation_terms, simple_terms):
        inputs = tensors(*shape)
        values = terms(*inputs, 0.3, target)
        results.append([*values, *torch.autograd.grad(sum(values), inputs)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


@both_targets
@pytest.mark.parametrize("shape", [(6, 4), (4, 7), (2, 3), (5, 1)])
def test_gradcheck(shape, target, form):
    """Of both terms at once, and where one projection alone is learned."""
    z_a, z_b = tensors(*shape)
    assert torch.autograd.gradcheck(lambda a, b: correlation_terms(a, b, 0.3, target), (z_a, z_b))
    assert torch.autograd.gradcheck(lambda a: correlation_terms(a, z_b.detach(), 0.3, target), z_a)
    assert torch.autograd.gradcheck(lambda b: correlation_terms(z_a.detach(), b, 0.3, target), z_b)
    assert torch.autograd.gradcheck(lambda a: correlation_terms(a, a, 0.3, target), z_a)


@both_targets
@pytest.mark.parametrize("shape", [(256, 128), (256, 256), (256, 700), (100, 333)])
def test_gradients_in_float32_are_exact_to_rounding(shape, target):
    exact, inputs = tensors(*shape), tensors(*shape, dtype=torch.float32)
    expected = torch.autograd.grad(sum(simple_terms(*exact, 1 / shape[1], target)), exact)
    found = torch.autograd.grad(sum(correlation_terms(*inputs, 1 / shape[1], target)), inputs)
    assert relative_error(found, expected) <= 2e-6


@both_targets
def test_large_means_cost_no_more_than_their_own_rounding(target, form):
    """Means 500 times the deviation: float32 keeps 3e-5 of it, in the projections themselves and in their mean."""
    inputs = [(z.detach() + 1000).requires_grad_() for z in tensors(64, 40, torch.float32)]
    exact = [z.detach().double().requires_grad_() for z in inputs]
    expected = torch.autograd.grad(sum(simple_terms(*exact, 0.1, target)), exact)
    found = torch.autograd.grad(sum(correlation_terms(*inputs, 0.1, target)), inputs)
    assert relative_error(found, expected) <= 3e-5


@both_targets
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_dtypes(dtype, target, form):
    """Gradients have the projections' dtype, terms at least float32; halves are raised before anything is computed."""
    inputs = tensors(16, 12, dtype)
    terms = correlation_terms(*inputs, 0.1, target)
    gradients = torch.autograd.grad(sum(terms), inputs)
    assert {term.dtype for term in terms} == {torch.float64 if dtype == torch.float64 else torch.float32}
    assert {g.dtype for g in gradients} == {dtype}
    raised = [z.detach().to(terms[0].dtype).requires_grad_() for z in inputs]
    expected = torch.autograd.grad(sum(correlation_terms(*raised, 0.1, target)), raised)
    assert all(torch.equal(ours, theirs.to(dtype)) for ours, theirs in zip(gradients, expected, strict=True))


@both_targets
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_degenerate_batches_have_finite_gradients(dtype, target, form):
    z = torch.tensor(views(8, 6)[0], dtype=dtype)
    constant = z * torch.tensor([0, 1, 0, 1, 1, 1], dtype=dtype) + 7
    pairs = [(z[:2], z[2:4]), (z[:1], z[1:2]), (constant, z), (constant, constant), (z[:1].expand(8, -1), z)]
    pairs += [(z[:2].repeat(4, 1), z[2:4].repeat(4, 1)), (torch.zeros_like(z), torch.ones_like(z))]
    for pair in pairs:
        inputs = [each.clone().requires_grad_() for each in pair]
        terms = correlation_terms(*inputs, 0.1, target)
        assert all(torch.isfinite(x).all() for x in (*terms, *torch.autograd.grad(sum(terms), inputs)))


def test_constant_coordinates_have_no_correlation(form):
    z = torch.full((8, 3), 0.1)
    assert [term.item() for term in correlation_terms(z, z, 1.0, 0.0)] == pytest.approx([3, 0], abs=1e-6)


@both_targets
def test_backward_in_autocast_rounds_nothing(target, form):
    inputs = tensors(64, 8, torch.float32)
    expected = torch.autograd.grad(sum(correlation_terms(*inputs, 0.1, target)), inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = torch.autograd.grad(sum(correlation_terms(*inputs, 0.1, target)), inputs)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@both_targets
def test_backward_twice_gives_the_same(target, form):
    inputs = tensors(12, 10)
    loss = sum(correlation_terms(*inputs, 0.1, target))
    first, again = torch.autograd.grad(loss, inputs, retain_graph=True), torch.autograd.grad(loss, inputs)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@both_targets
def test_strides_do_not_matter(target, form):
    """Slices of one stacked pass, and the columns of another layout."""
    z_a, z_b = (z.detach() for z in tensors(12, 10))
    expected = [term.item() for term in correlation_terms(z_a, z_b, 0.1, target)]
    stacked = torch.stack([z_a, z_b], 1).flatten(1)  # (12, 20)
    for inputs in (stacked.chunk(2, 1), [z.T.contiguous().T for z in (z_a, z_b)]):
        inputs = [z.requires_grad_() for z in inputs]
        terms = correlation_terms(*inputs, 0.1, target)
        assert [term.item() for term in terms] == pytest.approx(expected, rel=1e-12)
        gradients = reference_gradients(z_a.numpy(), z_b.numpy(), 0.1, target, (1.0, 1.0))
        for ours, theirs in zip(torch.autograd.grad(sum(terms), inputs), gradients, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-8, atol=1e-11)


@both_targets
@pytest.mark.parametrize("narrowest", [1, 3, 7, 39])
def test_pieces_do_not_matter(narrowest, target, monkeypatch):
    shape = (6, 40)
    monkeypatch.setattr(_correlation_gradients, "CHUNK_NUMBERS", 1)
    monkeypatch.setattr(_correlation_gradients, "NARROWEST_CHUNK", narrowest)
    inputs = tensors(*shape)
    terms = correlation_terms(*inputs, 0.3, target)
    np.testing.assert_allclose([t.item() for t in terms], reference_terms(*views(*shape), 0.3, target), rtol=1e-10)
    gradients = reference_gradients(*views(*shape), 0.3, target, (1.0, 1.0))
    for ours, theirs in zip(torch.autograd.grad(sum(terms), inputs), gradients, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("dim", [1, 256, 257, 383, 384, 1000, 8192])
def test_pieces_are_about_equal_and_all_there(dim):
    z, scale = torch.zeros(256, dim), torch.zeros(dim)
    pieces = list(split_columns(z, scale))
    widths = [len(scale_j) for _, scale_j in pieces]
    assert sum(widths) == dim and max(widths) <= 384 and all(z_j.shape == (256, len(s_j)) for z_j, s_j in pieces)
    assert len(widths) == 1 or min(widths) > max(widths) / 2


@both_targets
def test_whole_objective_is_one_node(target, form):
    inputs = tensors(6, 5)
    invariance, redundancy = correlation_terms(*inputs, 0.1, target)
    assert invariance.grad_fn is redundancy.grad_fn
    leaves = [node for node, _ in invariance.grad_fn.next_functions if node is not None]
    assert [leaf.variable is z for leaf, z in zip(leaves, inputs, strict=True)] == [True, True]


@both_targets
def test_second_derivatives_are_refused(target, form):
    inputs = tensors(6, 5)
    with pytest.raises(NotImplementedError, match="first derivatives only, got create_graph=True"):
        torch.autograd.grad(sum(correlation_terms(*inputs, 0.1, target)), inputs, create_graph=True)


class Largest(TorchDispatchMode):
    """Keeps the numbers in the largest storage behind any operation's result."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.numbers = max(self.numbers, leaf.untyped_storage().nbytes() // leaf.element_size())
        return result


def largest_tensor(n, dim, target):
    inputs = tensors(n, dim, torch.float32)
    with Largest() as largest:
        torch.autograd.grad(sum(correlation_terms(*inputs, 1 / dim, target)), inputs)
    return largest.numbers


@both_targets
def test_gram_form_makes_nothing_of_width_times_width(target):
    """Nor anything else larger than the projections or the Gram matrices."""
    for n, dim in [(20, 300), (150, 200), (16, 1000)]:
        assert largest_tensor(n, dim, target) == max(n * dim, n * n) < dim * dim


@both_targets
def test_what_measures_that_sees_width_times_width(target, monkeypatch):
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", FORMS["direct"])
    assert largest_tensor(20, 300, target) == 300 * 300


@both_targets
def test_direct_form_makes_nothing_of_rows_times_rows(target):
    assert largest_tensor(300, 20, target) == 300 * 20


@both_targets
def test_correlation_is_that_of_the_public_function(target, form):
    z_a, z_b = (z.detach() for z in tensors(30, 7))
    C = cross_correlation(z_a, z_b)
    off = (C - target).square().sum() - (C.diagonal() - target).square().sum()
    found = correlation_terms(z_a, z_b, 1.0, target)
    torch.testing.assert_close(found, ((1 - C.diagonal()).square().sum(), off), rtol=1e-10, atol=1e-12)

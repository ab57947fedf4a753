"""The terms in one step each way, against NumPy: values, gradients, precision, memory, refusals."""

import numpy as np
import pytest
import torch
from builders import two_views
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklearn_twins.objectives import _correlation, _correlation_gradients
from sklearn_twins.objectives._correlation_gradients import correlation_terms, split_columns

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = 1e-5
FORMS = {"gram": 0.0, "direct": float("inf")}


@pytest.fixture(params=FORMS)
def form(request, monkeypatch):
    """The name of the form that all shapes take."""
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", FORMS[request.param])
    return request.param


@pytest.fixture(params=[0.0, -1.0], ids=["barlow_twins", "hsic"])
def target(request):
    """The target of off-diagonal correlations."""
    return request.param


def inputs_of(n, dim, dtype=torch.float64):
    return [z.requires_grad_() for z in two_views(n, dim, dtype=dtype)]


def reference_terms(z_a, z_b, weight, target):
    s_a, s_b = ((z - z.mean(0)) / np.sqrt(z.var(0) + EPS) for z in (z_a, z_b))
    C = s_a.T @ s_b / len(z_a)
    off = ~np.eye(len(C), dtype=bool)
    return ((1 - C.diagonal()) ** 2).sum(), weight * ((C[off] - target) ** 2).sum()


def reference_gradients(z_a, z_b, weight, target, of_terms=(1.0, 1.0)):
    """By hand, the backward of standardisation with both its means."""
    n = len(z_a)
    deviations = [np.sqrt(z.var(0) + EPS) for z in (z_a, z_b)]
    s_a, s_b = ((z - z.mean(0)) / deviation for z, deviation in zip((z_a, z_b), deviations, strict=True))
    C = s_a.T @ s_b / n
    M = 2 * of_terms[1] * weight * (C - target)
    np.fill_diagonal(M, 2 * of_terms[0] * (C.diagonal() - 1))
    gradients = []
    for s, of_s, deviation in zip((s_a, s_b), (s_b @ M.T / n, s_a @ M / n), deviations, strict=True):
        gradients.append((of_s - of_s.mean(0) - s * (of_s * s).mean(0)) / deviation)
    return gradients


def check(inputs, weight, target, of_terms=(1.0, 1.0)):
    """Terms and gradients equal NumPy's."""
    arrays = [z.detach().numpy() for z in inputs]
    terms = correlation_terms(*inputs, weight, target)
    np.testing.assert_allclose(
        [t.item() for t in terms], reference_terms(*arrays, weight, target), rtol=1e-9, atol=1e-12
    )
    found = torch.autograd.grad(sum(g * term for g, term in zip(of_terms, terms, strict=True)), inputs)
    for ours, theirs in zip(found, reference_gradients(*arrays, weight, target, of_terms), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-8, atol=1e-10 * max(1e-3, np.abs(theirs).max()))


@pytest.mark.parametrize("shape", [(64, 5), (9, 9), (6, 40), (2, 3), (2, 1), (33, 17), (130, 300)])
def test_terms_and_gradients_equal_numpy(shape, target, form):
    """Also of either term alone, and of other sums than the loss."""
    for of_terms in [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (-2.0, 0.7)]:
        check(inputs_of(*shape), 0.3, target, of_terms)


@pytest.mark.parametrize("shape", [(6, 4), (2, 3)])
def test_finite_differences(shape, target, form):
    """Of both terms, and where only one projection is learned or both are the same tensor."""
    z_a, z_b = inputs_of(*shape)
    assert torch.autograd.gradcheck(lambda a, b: correlation_terms(a, b, 0.3, target), (z_a, z_b))
    assert torch.autograd.gradcheck(lambda a: correlation_terms(a, z_b.detach(), 0.3, target), z_a)
    assert torch.autograd.gradcheck(lambda b: correlation_terms(z_a.detach(), b, 0.3, target), z_b)
    assert torch.autograd.gradcheck(lambda a: correlation_terms(a, a, 0.3, target), z_a)


@pytest.mark.parametrize(
    ("shape", "mean", "error"), [((256, 128), 0, 2e-6), ((100, 333), 0, 2e-6), ((64, 40), 1000, 5e-5)]
)
def test_gradients_in_float32_are_exact_to_rounding(shape, mean, error, target):
    """A mean 500 times the deviation costs float32 3e-5 of it, in the projections and in their mean."""
    inputs = [(z.detach() + mean).requires_grad_() for z in inputs_of(*shape, torch.float32)]
    expected = np.array(reference_gradients(*(z.detach().double().numpy() for z in inputs), 1 / shape[1], target))
    found = torch.stack(torch.autograd.grad(sum(correlation_terms(*inputs, 1 / shape[1], target)), inputs))
    assert np.linalg.norm(found.double().numpy() - expected) <= error * np.linalg.norm(expected)


def test_backward_twice_gives_the_same(target, form):
    inputs = inputs_of(12, 10)
    loss = sum(correlation_terms(*inputs, 0.1, target))
    first, again = torch.autograd.grad(loss, inputs, retain_graph=True), torch.autograd.grad(loss, inputs)
    assert all(map(torch.equal, first, again))


def test_strides_do_not_matter(target, form):
    """Slices of one stacked pass, and the columns of another layout."""
    views = [z.detach() for z in inputs_of(12, 10)]
    for strided in (torch.stack(views, 1).flatten(1).chunk(2, 1), [z.T.contiguous().T for z in views]):
        check([z.requires_grad_() for z in strided], 0.1, target)


@pytest.mark.parametrize("narrowest", [1, 7, 39])
def test_chunks_do_not_matter(narrowest, target, monkeypatch):
    monkeypatch.setattr(_correlation_gradients, "CHUNK_NUMBERS", 1)
    monkeypatch.setattr(_correlation_gradients, "NARROWEST_CHUNK", narrowest)
    check(inputs_of(6, 40), 0.3, target)


def test_chunks_are_about_equal_and_complete():
    for dim in (1, 256, 257, 383, 384, 1000, 8192):
        z, scale = torch.zeros(256, dim), torch.zeros(dim)
        chunks = list(split_columns(z, scale))
        widths = [len(scale_j) for _, scale_j in chunks]
        assert sum(widths) == dim and max(widths) <= 384 and all(z_j.shape == (256, len(s_j)) for z_j, s_j in chunks)
        assert len(widths) == 1 or min(widths) > max(widths) / 2


def test_both_terms_are_one_node_without_second_derivatives(target, form):
    inputs = inputs_of(6, 5)
    invariance, redundancy = correlation_terms(*inputs, 0.1, target)
    assert invariance.grad_fn is redundancy.grad_fn
    leaves = [node for node, _ in invariance.grad_fn.next_functions if node is not None]
    assert [leaf.variable is z for leaf, z in zip(leaves, inputs, strict=True)] == [True, True]
    with pytest.raises(NotImplementedError, match=r"first derivatives only\. Got create_graph=True"):
        torch.autograd.grad(invariance + redundancy, inputs, create_graph=True)


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
    inputs = inputs_of(n, dim, torch.float32)
    with Largest() as largest:
        torch.autograd.grad(sum(correlation_terms(*inputs, 1 / dim, target)), inputs)
    return largest.numbers


def test_memory(target, monkeypatch):
    """The Gram form makes nothing of width times width, the direct form nothing of rows times rows."""
    for n, dim in [(20, 300), (150, 200), (16, 1000)]:
        assert largest_tensor(n, dim, target) == max(n * dim, n * n) < dim * dim
    assert largest_tensor(300, 20, target) == 300 * 20
    monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", FORMS["direct"])
    assert largest_tensor(20, 300, target) == 300 * 300, "the measure sees it"

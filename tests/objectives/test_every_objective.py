"""What holds for every objective of the cross-correlation: gradients, invariances, half precision, its weight."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_twins.objectives import HSIC, BarlowTwins, _correlation

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=[BarlowTwins, HSIC], ids=lambda kind: kind.__name__)
def kind(request):
    """The objective's class."""
    return request.param


def views(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, dim))
    return tuple(3 + 2 * (shared + 0.5 * rng.normal(size=(n, dim))) for _ in range(2))


def tensors(n, dim, seed=0, dtype=torch.float64):
    return tuple(torch.tensor(z, dtype=dtype) for z in views(n, dim, seed))


@pytest.mark.parametrize("shape", [(6, 4), (4, 7)], ids=["direct", "gram"])
def test_gradients(kind, shape):
    inputs = [z.requires_grad_() for z in tensors(*shape)]
    assert torch.autograd.gradcheck(kind(0.2), inputs)


@pytest.mark.parametrize("shape", [(10, 14), (10, 15)])
def test_forms_agree_about_the_threshold(kind, shape, monkeypatch):
    """Width 14 of 10 rows takes the direct form, 15 the Gram form; either would give the same."""
    results = []
    for threshold in (1.4, 0.0, float("inf")):
        monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", threshold)
        inputs = [z.requires_grad_() for z in tensors(*shape)]
        loss = kind()(*inputs)
        results.append([loss.detach(), *torch.autograd.grad(loss, inputs)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_invariances(kind, shape):
    """Rows and coordinates in another order, views swapped, units changed (within eps): the same number."""
    z_a, z_b = tensors(*shape)
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.randperm(shape[0], generator=generator), torch.randperm(shape[1], generator=generator)
    scales = torch.logspace(0, 3, shape[1], dtype=torch.float64)
    objective = kind()
    loss = objective(z_a, z_b).item()
    assert objective(z_a[rows], z_b[rows]).item() == pytest.approx(loss, rel=1e-10)
    assert objective(z_a[:, columns], z_b[:, columns]).item() == pytest.approx(loss, rel=1e-10)
    assert objective(z_b, z_a).item() == pytest.approx(loss, rel=1e-10)
    assert objective(z_a * scales - 5, z_b / 3 + scales).item() == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_a_float32_loss(kind, dtype):
    z_a, z_b = tensors(32, 8, dtype=dtype)
    loss = kind()(z_a, z_b)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, kind()(z_a.float(), z_b.float()))


@pytest.mark.parametrize("dim", [1, 10, 333])
def test_auto_weight_is_one_over_the_width(kind, dim):
    z = tensors(20, dim)
    assert kind()(*z).item() == kind(off_diagonal_weight=1 / dim)(*z).item()


@pytest.mark.parametrize("weight", [-0.1, "ten", None, float("nan"), float("inf")])
def test_wrong_weight_is_refused(kind, weight):
    with pytest.raises(ValueError, match="off_diagonal_weight"):
        kind(off_diagonal_weight=weight).check()


def test_clone_and_pickle(kind):
    objective = kind(off_diagonal_weight=0.25)
    assert clone(objective).get_params() == objective.get_params()
    assert repr(pickle.loads(pickle.dumps(objective))) == f"{kind.__name__}(off_diagonal_weight=0.25)"

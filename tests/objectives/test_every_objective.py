"""What holds for every objective: gradients, invariances, half precision, degenerate batches, training with it."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_twins._roles import ROLES
from sklearn_twins.objectives import HSIC, SSLHSIC, BarlowTwins, InfoNCE, MixedBarlowTwins, VICReg, _correlation

pytestmark = pytest.mark.usefixtures("one_thread")

OF_CORRELATION = [BarlowTwins, HSIC, MixedBarlowTwins]
OBJECTIVES = [
    BarlowTwins(),
    BarlowTwins(off_diagonal_weight=0.2),
    HSIC(),
    HSIC(off_diagonal_weight=0.2),
    MixedBarlowTwins(),
    VICReg(),
    VICReg(2, 30, 5, gamma=3.0),
    InfoNCE(),
    InfoNCE(temperature=0.2),
    InfoNCE(negatives="other"),
    SSLHSIC(),
    SSLHSIC(kernel="gaussian", bandwidth=0.7),
    SSLHSIC(kernel="gaussian", scaling="standardize"),
    SSLHSIC(kernel="linear", scaling="standardize"),
    SSLHSIC(kernel="linear", scaling="none", estimator="unbiased"),
    SSLHSIC(estimator="unbiased"),
    SSLHSIC(scaling="none"),
    SSLHSIC(n_features=16),
    SSLHSIC(kernel="gaussian", n_features=5, random_state=3),
]
TERMS = {
    "barlow_twins": ["invariance", "redundancy"],
    "hsic": ["invariance", "redundancy"],
    "info_nce": ["alignment", "uniformity"],
    "mixed_barlow_twins": ["invariance", "redundancy", "mixing"],
    "ssl_hsic": ["invariance", "redundancy"],
    "vicreg": ["invariance", "variance", "covariance"],
}


@pytest.fixture(params=OBJECTIVES, ids=repr)
def objective(request):
    """An objective."""
    return clone(request.param)


@pytest.fixture(params=OF_CORRELATION, ids=lambda kind: kind.__name__)
def kind(request):
    """The class of an objective with two terms of the cross-correlation."""
    return request.param


def views(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, dim))
    return tuple(3 + 2 * (shared + 0.5 * rng.normal(size=(n, dim))) for _ in range(2))


def tensors(n, dim, seed=0, dtype=torch.float64):
    return tuple(torch.tensor(z, dtype=dtype) for z in views(n, dim, seed))


def loss_and_gradients(objective, z_a, z_b):
    inputs = [z.clone().requires_grad_() for z in (z_a, z_b)]
    loss = objective(*inputs)
    return loss, torch.autograd.grad(loss, inputs)


def fixed_bandwidth(objective):
    """The median has no gradient, by intention, so that finite differences would see another function."""
    is_median = objective.get_params().get("bandwidth") == "median"
    return objective.set_params(bandwidth=0.9) if is_median else objective


@pytest.mark.parametrize("shape", [(6, 4), (4, 7)], ids=["direct", "gram"])
def test_gradients(objective, shape):
    inputs = [z.requires_grad_() for z in tensors(*shape)]
    assert torch.autograd.gradcheck(fixed_bandwidth(objective), inputs)


@pytest.mark.parametrize("shape", [(10, 12), (10, 13)])
def test_forms_agree_about_the_threshold(objective, shape, monkeypatch):
    """Width 12 of 10 rows takes the direct form, 13 the Gram form; either would give the same."""
    results = []
    for threshold in (1.2, 0.0, float("inf")):
        monkeypatch.setattr(_correlation, "GRAM_IF_WIDER_THAN", threshold)
        loss, gradients = loss_and_gradients(objective, *tensors(*shape))
        results.append([loss.detach(), *gradients])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_invariances(objective, shape):
    """Rows and coordinates in another order, views swapped: the same number.

    Random features of permuted coordinates are other features.
    """
    z_a, z_b = tensors(*shape)
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.randperm(shape[0], generator=generator), torch.randperm(shape[1], generator=generator)
    loss = objective(z_a, z_b).item()
    assert objective(z_a[rows], z_b[rows]).item() == pytest.approx(loss, rel=1e-10)
    assert objective(z_b, z_a).item() == pytest.approx(loss, rel=1e-10)
    if objective.get_params().get("n_features") is None:
        assert objective(z_a[:, columns], z_b[:, columns]).item() == pytest.approx(loss, rel=1e-10)


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_units_do_not_matter(kind, shape):
    """Standardised projections forget scales and offsets, within eps."""
    z_a, z_b = tensors(*shape)
    scales = torch.logspace(0, 3, shape[1], dtype=torch.float64)
    loss = kind()(z_a, z_b).item()
    assert kind()(z_a * scales - 5, z_b / 3 + scales).item() == pytest.approx(loss, rel=1e-3)


def test_rows_must_stay_paired(objective):
    z_a, z_b = tensors(30, 4)
    assert objective(z_a, z_b.roll(1, 0)).item() > objective(z_a, z_b).item()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_a_float32_loss(objective, dtype):
    z_a, z_b = tensors(32, 8, dtype=dtype)
    loss, gradients = loss_and_gradients(objective, z_a, z_b)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, objective(z_a.float(), z_b.float()))
    assert all(g.dtype == dtype and torch.isfinite(g).all() for g in gradients)


def test_autocast_of_the_caller_rounds_nothing(objective):
    inputs = [z.requires_grad_() for z in tensors(32, 8, dtype=torch.float32)]
    expected, gradients = loss_and_gradients(objective, *inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective(*inputs)
    assert torch.equal(loss, expected)
    assert all(torch.equal(a, b) for a, b in zip(torch.autograd.grad(loss, inputs), gradients, strict=True))


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_float32_is_close_to_float64(objective, shape):
    expected = objective(*tensors(*shape)).item()
    assert objective(*tensors(*shape, dtype=torch.float32)).item() == pytest.approx(expected, rel=1e-3, abs=1e-4)


DEGENERATE = {
    "two rows": lambda n: tensors(2, 5),
    "two rows of one number": lambda n: tensors(2, 1),
    "three rows": lambda n: tensors(3, 5),
    "constant coordinates": lambda n: tuple(z * torch.tensor([0, 1, 0, 1, 1]) + 7 for z in tensors(n, 5)),
    "duplicate rows": lambda n: tuple(z.repeat_interleave(4, 0) for z in tensors(2, 5)),
    "most rows alike": lambda n: tuple(torch.cat([z[:1].expand(n - 1, -1), z[-1:]]) for z in tensors(n, 5)),
    "equal views": lambda n: (tensors(n, 5)[0],) * 2,
    "opposite views": lambda n: (tensors(n, 5)[0], -tensors(n, 5)[0]),
    "all rows alike": lambda n: (torch.full((n, 5), 0.1),) * 2,
    "each view all alike": lambda n: (torch.full((n, 5), 0.1), torch.full((n, 5), -0.3)),
    "zeros": lambda n: (torch.zeros(n, 5), torch.zeros(n, 5)),
    "one row of zeros": lambda n: tuple(torch.cat([0 * z[:1], z[1:]]) for z in tensors(n, 5)),
    "large": lambda n: tuple(1e6 * z for z in tensors(n, 5)),
    "small": lambda n: tuple(1e-6 * z for z in tensors(n, 5)),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("batch", DEGENERATE)
def test_degenerate_batches_are_finite(objective, batch, dtype):
    loss, gradients = loss_and_gradients(objective, *(z.to(dtype) for z in DEGENERATE[batch](8)))
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients)


def test_one_row_is_finite(objective):
    """The rest of a validation set may be that."""
    loss, gradients = loss_and_gradients(objective, *tensors(1, 4, dtype=torch.float32))
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients)


def test_inputs_are_not_modified(objective):
    z_a, z_b = tensors(12, 4)
    before = z_a.clone(), z_b.clone()
    objective(z_a, z_b)
    assert torch.equal(z_a, before[0]) and torch.equal(z_b, before[1])


def test_same_number_again(objective):
    z = tensors(12, 4)
    assert objective(*z).item() == clone(objective)(*z).item()


@pytest.mark.parametrize("dim", [1, 10, 333])
def test_auto_weight_is_one_over_the_width(kind, dim):
    z = tensors(20, dim)
    assert kind()(*z).item() == kind(off_diagonal_weight=1 / dim)(*z).item()


WRONG = [(kind, "off_diagonal_weight", w) for kind in OF_CORRELATION for w in (-0.1, "ten", None, np.nan, np.inf)]
WRONG += [(VICReg, f"{name}_weight", -1) for name in ("invariance", "variance", "covariance")]
WRONG += [(VICReg, "gamma", 0), (VICReg, "eps", 0), (VICReg, "variance_weight", "auto")]
WRONG += [(InfoNCE, "temperature", 0), (InfoNCE, "temperature", "auto"), (InfoNCE, "negatives", "all")]
WRONG += [(SSLHSIC, "kernel", "rbf"), (SSLHSIC, "gamma", -1), (SSLHSIC, "bandwidth", 0), (SSLHSIC, "bandwidth", "auto")]
WRONG += [(SSLHSIC, "scaling", None), (SSLHSIC, "estimator", "paper"), (SSLHSIC, "n_features", 0)]
WRONG += [(SSLHSIC, "n_features", 2.5), (SSLHSIC, "random_state", -1), (SSLHSIC, "random_state", None)]


@pytest.mark.parametrize(("kind", "parameter", "value"), WRONG)
def test_wrong_parameters_are_refused(kind, parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {kind.__name__}"):
        kind(**{parameter: value}).check()


def test_clone_and_pickle(objective):
    assert objective.check() is objective
    assert clone(objective).get_params() == objective.get_params()
    assert repr(pickle.loads(pickle.dumps(objective))) == repr(objective)


def test_terms_sum_to_the_loss(objective):
    z = tensors(12, 4)
    terms = objective.terms(*z)
    assert all(term.dim() == 0 for term in terms.values())
    assert sum(terms.values()).item() == objective(*z).item()


@pytest.mark.slow
@pytest.mark.parametrize("name", ROLES["objective"].parts())
def test_embedder_trains_with_it(name, make, X):
    embedder = make(objective=name, max_epochs=2).fit(X)
    embedded = embedder.transform(X)
    assert np.isfinite(embedded).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(X), embedded)
    assert set(TERMS[name]) <= set(embedder.history_)

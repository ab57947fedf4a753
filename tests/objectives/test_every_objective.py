"""What every objective has to satisfy: the paper's formula, gradients, invariances, half precision, odd batches."""

import math
import pickle

import numpy as np
import pytest
import torch
from builders import seeded, two_views
from sklearn.base import clone

from sklearn_twins._roles import ROLES
from sklearn_twins.objectives import HSIC, SSLHSIC, BarlowTwins, InfoNCE, MixedBarlowTwins, VICReg

pytestmark = pytest.mark.usefixtures("one_thread")

OF_CORRELATION = [BarlowTwins, HSIC, MixedBarlowTwins]
OBJECTIVES = [
    BarlowTwins(),
    BarlowTwins(off_diagonal_weight=0.2),
    HSIC(),
    HSIC(off_diagonal_weight=0.2),
    MixedBarlowTwins(),
    VICReg(),
    VICReg(2, 30, 5, gamma=3.0, eps=0.1),
    InfoNCE(),
    InfoNCE(temperature=0.2, negatives="other"),
    SSLHSIC(),
    SSLHSIC(kernel="gaussian", bandwidth=0.7, gamma=0.7),
    SSLHSIC(kernel="gaussian", scaling="standardize"),
    SSLHSIC(kernel="linear", scaling="standardize"),
    SSLHSIC(kernel="linear", scaling="none", estimator="unbiased"),
    SSLHSIC(estimator="unbiased"),
    SSLHSIC(n_features=16),
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


def standardized(z):
    return (z - z.mean(0)) / np.sqrt(((z - z.mean(0)) ** 2).mean(0) + 1e-5)


def correlation_terms(z_a, z_b, weight, target):
    """Zbontar et al. 2021, eq. 1 and 2, and arXiv 2104.13712, eq. 5, by loops over i and j."""
    s_a, s_b = standardized(z_a), standardized(z_b)
    invariance = redundancy = 0.0
    for i in range(s_a.shape[1]):
        for j in range(s_b.shape[1]):
            c = (s_a[:, i] * s_b[:, j]).sum() / len(s_a)
            if i == j:
                invariance += (1 - c) ** 2
            else:
                redundancy += weight * (c - target) ** 2
    return invariance, redundancy


def vicreg_terms(z_a, z_b, gamma, eps):
    """Bardes et al. 2022, eq. 1 to 5 by loops, with the means of the authors' code."""
    n, dim = z_a.shape
    s = sum(((z_a[i] - z_b[i]) ** 2).sum() for i in range(n)) / n
    v = c = 0.0
    for z in (z_a, z_b):
        covariance = sum(np.outer(row - z.mean(0), row - z.mean(0)) for row in z) / (n - 1)
        for i in range(dim):
            v += max(0.0, gamma - math.sqrt(covariance[i, i] + eps)) / dim
            for j in range(dim):
                c += covariance[i, j] ** 2 / dim if i != j else 0.0
    return s / dim, v / 2, c


def info_nce_terms(z_a, z_b, tau, negatives):
    """Chen et al. 2020, algorithm 1, and Bahri et al. 2022, algorithm 1, a row at a time."""
    n, u = len(z_a), [row / math.sqrt(row @ row) for row in np.concatenate([z_a, z_b])]
    alignment = uniformity = 0.0
    for i in range(2 * n):
        other = (i + n) % (2 * n)
        view = range(n) if other < n else range(n, 2 * n)
        candidates = [k for k in range(2 * n) if k != i] if negatives == "both" else view
        alignment -= u[i] @ u[other] / tau
        uniformity += math.log(sum(math.exp(u[i] @ u[k] / tau) for k in candidates))
    return alignment / (2 * n), uniformity / (2 * n)


def ssl_hsic_terms(z_a, z_b, objective):
    """Li et al. 2021, section 3.2 with B images of M = 2 views, and tr(KHKH) / (BM)^2."""
    n, z = len(z_a), np.concatenate([z_a, z_b])
    if objective.scaling == "standardize":
        z = np.concatenate([standardized(z_a), standardized(z_b)])
    elif objective.scaling == "unit_norm":
        z = z / np.sqrt((z**2).sum(1, keepdims=True))
    squares = np.array([[((x - y) ** 2).sum() for y in z] for x in z])
    distances = np.sort(np.sqrt(squares[np.triu_indices(2 * n, 1)]))
    median = distances[(len(distances) - 1) // 2]
    b = median if objective.bandwidth == "median" else objective.bandwidth
    K = {"linear": z @ z.T, "gaussian": np.exp(-squares / (2 * b**2))}.get(
        objective.kernel, b / np.sqrt(b**2 + squares)
    )
    H = np.eye(2 * n) - 1 / (2 * n)
    spread = np.trace(K @ H @ K @ H) / (2 * n) ** 2
    return K.sum() / (2 * n) ** 2 - np.mean(np.diag(K[:n, n:])), objective.gamma * math.sqrt(max(spread, 0) + 1e-8)


def reference(objective, z_a, z_b):
    """The terms in NumPy; None for estimators that have tests of their own."""
    if isinstance(objective, (BarlowTwins, HSIC, MixedBarlowTwins)):
        weight = 1 / z_a.shape[1] if objective.off_diagonal_weight == "auto" else objective.off_diagonal_weight
        return correlation_terms(z_a, z_b, weight, -1 if isinstance(objective, HSIC) else 0)
    if isinstance(objective, VICReg):
        terms = vicreg_terms(z_a, z_b, objective.gamma, objective.eps)
        weights = objective.invariance_weight, objective.variance_weight, objective.covariance_weight
        return [weight * term for weight, term in zip(weights, terms, strict=True)]
    if isinstance(objective, InfoNCE):
        return info_nce_terms(z_a, z_b, objective.temperature, objective.negatives)
    median_of_signs = z_a.shape[1] == 1 and objective.bandwidth == "median"  # no more than rounding
    if objective.estimator == "unbiased" or objective.n_features or median_of_signs:
        return None
    return ssl_hsic_terms(z_a, z_b, objective)


def loss_and_gradients(objective, z_a, z_b):
    inputs = [z.clone().requires_grad_() for z in (z_a, z_b)]
    loss = objective(*inputs)
    return loss, torch.autograd.grad(loss, inputs)


@pytest.mark.parametrize("shape", [(40, 5), (9, 9), (6, 40), (2, 3), (2, 1)])
def test_terms_equal_the_formula(objective, shape):
    z = two_views(*shape)
    expected = reference(objective, *(view.numpy() for view in z))
    terms = objective.terms(*z)
    assert all(term.dim() == 0 for term in terms.values())
    assert objective(*z).item() == sum(terms.values()).item()
    if expected is not None:
        np.testing.assert_allclose([term.item() for term in terms.values()], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", [(6, 4), (4, 7)], ids=["direct", "gram"])
def test_gradients(objective, shape):
    """The median bandwidth has no gradient, on purpose: finite differences would see another function."""
    if objective.get_params().get("bandwidth") == "median":
        objective.set_params(bandwidth=0.9)
    assert torch.autograd.gradcheck(objective, [z.requires_grad_() for z in two_views(*shape)])


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_invariances(objective, shape):
    """The order of rows, coordinates and views does not matter; the pairing of rows does.

    With random features the order of coordinates matters.
    """
    z_a, z_b = two_views(*shape)
    rows, columns = (torch.randperm(n, generator=seeded(n)) for n in shape)
    loss = objective(z_a, z_b).item()
    assert objective(z_a[rows], z_b[rows]).item() == pytest.approx(loss, rel=1e-10)
    assert objective(z_b, z_a).item() == pytest.approx(loss, rel=1e-10)
    if objective.get_params().get("n_features") is None:
        assert objective(z_a[:, columns], z_b[:, columns]).item() == pytest.approx(loss, rel=1e-10)
    assert objective(z_a, z_b.roll(1, 0)).item() > loss


def test_units_do_not_matter(kind):
    """Standardised projections have no scale and no offset, within eps."""
    for shape in [(64, 5), (6, 40)]:
        z_a, z_b = two_views(*shape)
        scales = torch.logspace(0, 3, shape[1], dtype=torch.float64)
        loss = kind()(z_a, z_b).item()
        assert kind()(z_a * scales - 5, z_b / 3 + scales).item() == pytest.approx(loss, rel=1e-3)


def test_precision(objective):
    """Half precision is raised to float32, the caller's autocast changes nothing, float32 is close to float64."""
    for dtype in (torch.float16, torch.bfloat16):
        z = two_views(32, 8, dtype=dtype)
        loss, gradients = loss_and_gradients(objective, *z)
        assert loss.dtype == torch.float32 and torch.equal(loss, objective(*(view.float() for view in z)))
        assert all(g.dtype == dtype and torch.isfinite(g).all() for g in gradients)
    for shape in [(64, 5), (6, 40)]:
        z = two_views(*shape, dtype=torch.float32)
        expected, gradients = loss_and_gradients(objective, *z)
        assert expected.item() == pytest.approx(objective(*two_views(*shape)).item(), rel=1e-3, abs=1e-4)
        inputs = [view.requires_grad_() for view in z]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = objective(*inputs)
        assert torch.equal(loss, expected) and all(map(torch.equal, torch.autograd.grad(loss, inputs), gradients))


def odd_batches(n=8):
    """Batches with few, constant, equal, opposite, zero, large and small rows, by name."""
    a, b = two_views(n, 5)
    yield "one row", two_views(1, 4)
    yield "two rows", two_views(2, 5)
    yield "two rows of one number", two_views(2, 1)
    yield "three rows", two_views(3, 5)
    yield "constant coordinates", [z * torch.tensor([0, 1, 0, 1, 1]) + 7 for z in (a, b)]
    yield "duplicate rows", [z.repeat_interleave(4, 0) for z in two_views(2, 5)]
    yield "most rows equal", [torch.cat([z[:1].expand(n - 1, -1), z[-1:]]) for z in (a, b)]
    yield "equal views", (a, a)
    yield "opposite views", (a, -a)
    yield "all rows equal", [torch.full((n, 5), 0.1)] * 2
    yield "each view constant", [torch.full((n, 5), 0.1), torch.full((n, 5), -0.3)]
    yield "zeros", [torch.zeros(n, 5)] * 2
    yield "one row of zeros", [torch.cat([0 * z[:1], z[1:]]) for z in (a, b)]
    yield "large", (1e6 * a, 1e6 * b)
    yield "small", (1e-6 * a, 1e-6 * b)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_odd_batches_are_finite(objective, dtype):
    for name, batch in odd_batches():
        loss, gradients = loss_and_gradients(objective, *(z.to(dtype) for z in batch))
        assert torch.isfinite(loss) and all(torch.isfinite(g).all() for g in gradients), name


def test_calls_change_nothing(objective):
    """Neither the projections nor the objective; a clone gives the same loss, a pickle is the same objective."""
    z_a, z_b = two_views(12, 4)
    before = z_a.clone(), z_b.clone()
    assert objective.check() is objective
    loss = objective(z_a, z_b).item()
    assert torch.equal(z_a, before[0]) and torch.equal(z_b, before[1])
    assert objective(z_a, z_b).item() == clone(objective)(z_a, z_b).item() == loss
    assert clone(objective).get_params() == objective.get_params()
    assert repr(pickle.loads(pickle.dumps(objective))) == repr(objective)


@pytest.mark.parametrize("dim", [1, 10, 333])
def test_auto_weight_is_one_over_the_width(kind, dim):
    z = two_views(20, dim)
    assert kind()(*z).item() == kind(off_diagonal_weight=1 / dim)(*z).item()


WRONG = [(kind, "off_diagonal_weight", w) for kind in OF_CORRELATION for w in (-0.1, "ten", None, np.nan, np.inf)]
WRONG += [(MixedBarlowTwins, "mixing_weight", w) for w in (-1, "auto")]
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


@pytest.mark.parametrize("weight", ["auto", 0, 1, np.float32(0.25)])
def test_right_weights_pass(kind, weight):
    assert kind(off_diagonal_weight=weight).check().off_diagonal_weight == weight


@pytest.mark.parametrize("name", ROLES["objective"].parts())
def test_embedder_trains_with_it(name, make, X):
    embedder = make(objective=name, max_epochs=1).fit(X)
    embedded = embedder.transform(X)
    assert np.isfinite(embedded).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(X), embedded)
    assert set(TERMS[name]) <= set(embedder.history_)

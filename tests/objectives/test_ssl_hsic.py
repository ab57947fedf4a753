"""SSL-HSIC against the paper's estimators in NumPy: kernels, the bridge to Barlow Twins, unbiasedness, features."""

import itertools
import math

import numpy as np
import pytest
import torch
from builders import seeded, two_views

from sklearn_twins.objectives import SSLHSIC, cross_correlation, standardize
from sklearn_twins.objectives._ssl_hsic import (
    biased_hsic,
    draw_frequencies,
    fourier_features,
    median_distance,
    unbiased_hsic,
)

pytestmark = pytest.mark.usefixtures("one_thread")

KERNELS = ["linear", "gaussian", "inverse_multiquadric"]


def k(x, y, kernel, b):
    square = ((x - y) ** 2).sum()
    if kernel == "linear":
        return x @ y
    return math.exp(-square / (2 * b**2)) if kernel == "gaussian" else b / math.sqrt(b**2 + square)


def gram(z_a, z_b, kernel, b):
    z = np.concatenate([z_a, z_b])
    return np.array([[k(x, y, kernel, b) for y in z] for x in z])


def instances(n):
    """Kernel of the one-hot identities of both views' rows."""
    return np.tile(np.eye(n), (2, 2))


@pytest.mark.parametrize("kernel", KERNELS[1:])
@pytest.mark.parametrize("n", [3, 12])
def test_estimate_of_bounded_kernels_as_the_paper_writes_it(kernel, n):
    """With p = l in the first sum, 1 / (M - 1) is subtracted: the same where k(z, z) = 1."""
    z_a, z_b = (z.numpy() for z in two_views(n, 4))
    K = gram(z_a, z_b, kernel, 1.5)
    written = (K * instances(n)).sum() / (2 * n) - K.mean() - 1
    assert biased_hsic(torch.tensor(K))[0].item() == pytest.approx(written, rel=1e-10)


@pytest.mark.parametrize("shape", [(20, 5), (9, 9), (6, 40), (2, 3)])
def test_bridge_to_barlow_twins(shape):
    """DESIGN section 6, exactly, with d' = tr (C_aa + C_bb) / 2, the width less what eps takes of it.

    tr(K H L H) / (2 n)^2 = (d' + tr C) / (2 n) for one-hot L, of which our HSIC(Z, Y) is 2 n times less d': tr C. And
    HSIC(Z, Z) = ||Cov Z||_F^2, Cov Z = (C_aa + C_bb) / 2.
    """
    n = shape[0]
    z_a, z_b = two_views(*shape)
    trace = cross_correlation(z_a, z_b).trace().item()
    covariance = (cross_correlation(z_a, z_a) + cross_correlation(z_b, z_b)).numpy() / 2
    dependence, spread = SSLHSIC("linear", scaling="standardize").measure(standardize(z_a), standardize(z_b))
    assert dependence.item() == pytest.approx(trace, rel=1e-6)
    assert spread.item() == pytest.approx((covariance**2).sum(), rel=1e-6)

    width = np.trace(covariance)
    assert width == pytest.approx(shape[1], rel=1e-3)
    K = gram(standardize(z_a).numpy(), standardize(z_b).numpy(), "linear", None)
    H = np.eye(2 * n) - 1 / (2 * n)
    plain = np.trace(K @ H @ instances(n) @ H) / (2 * n) ** 2
    assert plain == pytest.approx((width + trace) / (2 * n), rel=1e-6)
    assert 2 * n * plain - width == pytest.approx(dependence.item(), rel=1e-6)
    assert np.trace(K @ H @ K @ H) / (2 * n) ** 2 == pytest.approx(spread.item(), rel=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n", [2, 7])
def test_plain_estimate_in_terms_of_ours(kernel, n):
    """n tr(K H L H) / (2 n)^2 = mean k(z, z) / 2 + mean k(a, b) / 2 - mean(K), as the docstring has it."""
    z_a, z_b = (z.numpy() for z in two_views(n, 3))
    K = gram(z_a, z_b, kernel, 1.0)
    H = np.eye(2 * n) - 1 / (2 * n)
    plain = np.trace(K @ H @ instances(n) @ H) / (2 * n) ** 2
    assert n * plain == pytest.approx(K.diagonal().mean() / 2 + K[:n, n:].diagonal().mean() / 2 - K.mean())


def test_worked_by_hand():
    """Points 0 and 1 on a line, the same in both views, b = 1: k is 1 or r = 1 / sqrt(2).

    HSIC(Z, Y) = 1 - (1 + r) / 2; centred, K is +-(1 - r) / 2 everywhere.
    """
    z, r = torch.tensor([[0.0], [1.0]]).double(), math.sqrt(0.5)
    dependence, spread = SSLHSIC(bandwidth=1.0).measure(z, z)
    assert dependence.item() == pytest.approx((1 - r) / 2, rel=1e-10)
    assert spread.item() == pytest.approx(((1 - r) / 2) ** 2, rel=1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n", [4, 5])
def test_unbiased_estimate_is_a_mean_over_different_samples(kernel, n):
    """The expectations of HSIC(Z, Z) = E k^2 - 2 E k(Z, Z') k(Z, Z'') + (E k)^2, by loops over samples and views."""
    K = gram(*(z.numpy() for z in two_views(n, 3)), kernel, 1.3)
    both = [(0, n)] * n  # offsets of a sample's two rows

    def mean(product, count):
        values = [
            product(*(i + offset for i, offset in zip(samples, offsets, strict=True)))
            for samples in itertools.permutations(range(n), count)
            for offsets in itertools.product(*both[:count])
        ]
        return np.mean(values)

    pairs = mean(lambda i, j: K[i, j] ** 2, 2)
    triples = mean(lambda i, j, q: K[i, j] * K[i, q], 3)
    quadruples = mean(lambda i, j, q, r: K[i, j] * K[q, r], 4)
    dependence, spread = unbiased_hsic(torch.tensor(K))
    assert dependence.item() == pytest.approx(np.mean(K[:n, n:].diagonal()) - mean(lambda i, j: K[i, j], 2))
    assert spread.item() == pytest.approx(pairs - 2 * triples + quadruples, rel=1e-9)


@pytest.mark.slow
def test_unbiased_estimate_is_so_on_average():
    """Linear kernel, Z = x + noise of unit variance each on 3 coordinates: HSIC(Z, Y) = 3, HSIC(Z, Z) = 3 * 2^2."""
    rng = np.random.default_rng(0)
    estimates = {"biased": [], "unbiased": []}
    for _ in range(1500):
        x = rng.normal(size=(6, 3))
        z = [torch.tensor(x + rng.normal(size=(6, 3))) for _ in range(2)]
        for estimator, found in estimates.items():
            found.append([number.item() for number in SSLHSIC("linear", estimator=estimator).measure(*z)])
    means = {name: np.mean(found, 0) for name, found in estimates.items()}
    error = np.std(estimates["unbiased"], 0) / math.sqrt(1500)
    assert (np.abs(means["unbiased"] - [3, 12]) < 4 * error).all()
    assert (np.abs(means["biased"] - [3, 12]) > 4 * error).all()


def test_estimators_agree_on_many_rows():
    z = two_views(400, 4)
    one, other = (SSLHSIC(bandwidth=1.0, estimator=name)(*z).item() for name in ("biased", "unbiased"))
    assert one == pytest.approx(other, abs=0.01) and one != other


@pytest.mark.parametrize("n", [1, 2, 3])
def test_below_four_rows_the_unbiased_estimate_is_the_biased_one(n):
    z = two_views(n, 3)
    assert SSLHSIC(estimator="unbiased")(*z).item() == SSLHSIC()(*z).item()


def test_unbiased_spread_of_four_samples_is_a_sum_of_squares():
    """Of one row each, with S the sums of k over the three ways to make two pairs: sum (S_i - S_j)^2 / 12.

    So no estimate is below 0; with two views it is a mean over the choices of one row each.
    """
    K = gram(*(z.numpy() for z in two_views(4, 2)), "gaussian", 1.0)
    spreads = []
    for i, j, q, r in itertools.product((0, 4), (1, 5), (2, 6), (3, 7)):
        S = [K[i, j] + K[q, r], K[i, q] + K[j, r], K[i, r] + K[j, q]]
        spreads.append(sum((x - y) ** 2 for x, y in itertools.combinations(S, 2)) / 12)
    assert unbiased_hsic(torch.tensor(K))[1].item() == pytest.approx(np.mean(spreads), rel=1e-10)


@pytest.mark.parametrize("gamma", [1.0, 3.0])
@pytest.mark.parametrize("n", [2, 10, 11, 40])
def test_rows_wholly_apart_cost_what_the_docstring_says(gamma, n):
    z = torch.eye(n, dtype=torch.float64)
    loss = SSLHSIC("gaussian", gamma, bandwidth=0.1)(z, z).item()
    assert loss == pytest.approx(1 / n - 1 + gamma * math.sqrt(n - 1) / n, abs=1e-6)
    alike = SSLHSIC(gamma=gamma)(torch.ones(n, 3), torch.ones(n, 3)).item()
    assert alike == pytest.approx(1e-4 * gamma, rel=1e-4)
    assert (loss < alike - 1e-3) == (n > gamma**2 + 1)


@pytest.mark.parametrize("kernel", KERNELS[1:])
def test_median_is_that_of_numpy(kernel):
    z_a, z_b = two_views(8, 4)
    z = torch.cat([z_a, z_b]).numpy()
    distances = np.sort([np.sqrt(((x - y) ** 2).sum()) for x, y in itertools.combinations(z, 2)])
    b = distances[(len(distances) - 1) // 2]
    assert median_distance(z_a, z_b).item() == pytest.approx(b, rel=1e-10)
    by_number = SSLHSIC(kernel, bandwidth=float(b), scaling="none")(z_a, z_b).item()
    assert SSLHSIC(kernel, scaling="none")(z_a, z_b).item() == pytest.approx(by_number, rel=1e-10)


def test_median_makes_units_irrelevant():
    z_a, z_b = two_views(12, 4)
    loss = SSLHSIC(scaling="none")(z_a, z_b).item()
    assert SSLHSIC(scaling="none")(1e4 * z_a + 3, 1e4 * z_b + 3).item() == pytest.approx(loss, rel=1e-9)


def test_median_has_no_gradient():
    z_a, z_b = (z.requires_grad_() for z in two_views(8, 3))
    b = median_distance(z_a, z_b)
    assert not b.requires_grad
    found, expected = (
        torch.autograd.grad(SSLHSIC(bandwidth=width, scaling="none")(z_a, z_b), z_a)[0]
        for width in ("median", b.item())
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e5, 0.1])
def test_median_of_rows_alike_is_one(dtype, value):
    z = torch.full((7, 3), value, dtype=dtype)
    assert median_distance(z, z).item() == 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_median_of_rows_alike_to_rounding_is_one(dtype):
    """Collapse in practice: the kernel would measure the noise of the last digit."""
    lengths = torch.linspace(1, 9, 30, dtype=dtype)[:, None]
    z = torch.nn.functional.normalize(lengths * torch.tensor([0.3, -0.7, 1.1], dtype=dtype))
    assert len(z.unique(dim=0)) > 1
    assert median_distance(z, z).item() == 1.0
    moved = z + 1e-3 * torch.randn(30, 3, generator=seeded(), dtype=dtype)
    assert 1e-3 < median_distance(moved, moved).item() < 1e-2


def test_median_of_a_large_batch_is_of_its_first_rows():
    z_a, z_b = two_views(300, 3)
    assert median_distance(z_a, z_b) == median_distance(z_a[:256], z_b[:256])


@pytest.mark.parametrize("kernel", KERNELS[1:])
def test_features_approximate_the_kernel(kernel):
    z = two_views(6, 4)[0]
    w, _ = draw_frequencies(kernel, 4, 20_000, 0)
    features = fourier_features(z, w, 2.0)
    expected = np.array([[k(x, y, kernel, 2.0) for y in z.numpy()] for x in z.numpy()])
    np.testing.assert_allclose((features @ features.T).numpy(), expected, atol=0.03)
    torch.testing.assert_close(features.square().sum(1), torch.ones(6).double())


@pytest.mark.parametrize("kernel", KERNELS[1:])
def test_features_approximate_the_loss(kernel):
    """Value and gradient; a mean over seeds comes nearer than one."""
    inputs = [z.requires_grad_() for z in two_views(16, 5)]

    def gradient(objective):
        return torch.autograd.grad(objective(*inputs), inputs[0])[0]

    exact = SSLHSIC(kernel)
    seeds = [SSLHSIC(kernel, n_features=2000, random_state=seed) for seed in range(8)]
    losses = [objective(*inputs).item() for objective in seeds]
    assert np.mean(losses) == pytest.approx(exact(*inputs).item(), abs=4 * np.std(losses) / math.sqrt(7))
    expected, gradients = gradient(exact), torch.stack([gradient(objective) for objective in seeds])
    assert (gradients.mean(0) - expected).norm() < 0.6 * (gradients[0] - expected).norm()
    assert (gradients.mean(0) - expected).norm() < 0.1 * expected.norm()


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS[1:])
def test_spread_of_features_is_unbiased_over_seeds(kernel):
    """Two sets; the square of one set's error would add about half of the spread here."""
    z_a, z_b = two_views(10, 3)
    exact = SSLHSIC(kernel, bandwidth=2.0).measure(z_a, z_b)[1].item()
    of_seeds = [
        SSLHSIC(kernel, bandwidth=2.0, n_features=8, random_state=seed).measure(z_a, z_b)[1].item()
        for seed in range(700)
    ]
    error = np.std(of_seeds) / math.sqrt(len(of_seeds))
    assert np.mean(of_seeds) == pytest.approx(exact, abs=4 * error) and error < 0.03 * exact


def test_features_depend_on_the_seed_alone():
    z = two_views(10, 4)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    losses = [SSLHSIC(n_features=16, random_state=seed)(*z).item() for seed in (0, 0, 1)]
    draw_frequencies.cache_clear()
    assert losses[0] == losses[1] == SSLHSIC(n_features=16)(*z).item() != losses[2]
    assert torch.equal(torch.get_rng_state(), state)


def test_features_drawn_in_inference_mode_can_be_trained_on():
    draw_frequencies.cache_clear()
    z_a, z_b = (z.requires_grad_() for z in two_views(6, 3))
    with torch.inference_mode():
        SSLHSIC(n_features=8)(z_a, z_b)
    SSLHSIC(n_features=8)(z_a, z_b).backward()
    assert torch.isfinite(z_a.grad).all()


def test_features_are_refused_with_the_unbiased_estimator():
    with pytest.raises(ValueError, match=r"n_features=8 .* estimator='biased'"):
        SSLHSIC(estimator="unbiased", n_features=8).check()
    assert SSLHSIC(n_features=8).check().n_features == 8


def test_linear_kernel_takes_no_features():
    z = two_views(10, 4)
    assert SSLHSIC("linear", n_features=3)(*z).item() == SSLHSIC("linear")(*z).item()


@pytest.mark.parametrize("kernel", KERNELS)
def test_duplicate_rows_change_nothing(kernel):
    """Both are functions of the empirical distribution, HSIC(Z, Y) being without its factor 1 / n."""
    z_a, z_b = two_views(8, 3)
    objective = SSLHSIC(kernel, bandwidth=1.0)
    loss = objective(z_a, z_b).item()
    assert objective(z_a.repeat(3, 1), z_b.repeat(3, 1)).item() == pytest.approx(loss, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS[1:])
@pytest.mark.parametrize(("scaling", "least"), [("standardize", 0.4), ("unit_norm", 0.99)])
def test_descent_brings_views_together_and_rows_apart(kernel, scaling, least):
    generator = seeded()
    z = [torch.randn(12, 4, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2)]
    objective = SSLHSIC(kernel, bandwidth=1.0, scaling=scaling)
    optimizer = torch.optim.Adam(z, lr=0.05)
    before = objective(*z).item()
    for _ in range(150):
        optimizer.zero_grad()
        objective(*z).backward()
        optimizer.step()
    assert objective(*z).item() < before - 0.1
    agreement = torch.nn.functional.cosine_similarity(*z).mean().item()
    rows = torch.nn.functional.cosine_similarity(z[0][:, None], z[0][None], dim=2).mean().item()
    assert agreement > least and rows < 0.2

"""InfoNCE against the papers' algorithms in NumPy: NT-Xent, SCARF's loss, bounds, and what counts as a negative."""

import math

import numpy as np
import pytest
import torch

from sklearn_twins.objectives import InfoNCE, info_nce_terms

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPES = [(40, 5), (9, 9), (6, 40), (2, 3), (2, 1)]


def views(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, dim))
    return tuple(1 + 2 * (shared + 0.5 * rng.normal(size=(n, dim))) for _ in range(2))


def tensors(n, dim, seed=0, dtype=torch.float64):
    return tuple(torch.tensor(z, dtype=dtype) for z in views(n, dim, seed))


def cosine(x, y):
    return x @ y / math.sqrt(x @ x) / math.sqrt(y @ y)


def nt_xent(z_a, z_b, tau):
    """Chen et al. 2020, algorithm 1: rows 2k - 1 and 2k are a pair, eq. 1 for each of the 2N ordered ones."""
    n = len(z_a)
    z = np.stack([z_a, z_b], 1).reshape(2 * n, -1)
    s = np.array([[cosine(x, y) for y in z] for x in z])

    def loss(i, j):
        return -math.log(math.exp(s[i, j] / tau) / sum(math.exp(s[i, k] / tau) for k in range(2 * n) if k != i))

    return sum(loss(2 * k, 2 * k + 1) + loss(2 * k + 1, 2 * k) for k in range(n)) / (2 * n)


def scarf(z, corrupted, tau):
    """Bahri et al. 2022, algorithm 1: anchors of one view, candidates of the other, the mean of the exponentials."""
    n = len(z)
    s = np.array([[cosine(x, y) for y in corrupted] for x in z])
    return -sum(math.log(math.exp(s[i, i] / tau) / np.mean(np.exp(s[i] / tau))) for i in range(n)) / n


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0])
def test_both_is_nt_xent(shape, tau):
    z_a, z_b = views(*shape)
    found = InfoNCE(tau)(torch.tensor(z_a), torch.tensor(z_b)).item()
    assert found == pytest.approx(nt_xent(z_a, z_b, tau), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_other_is_scarf_in_both_directions(shape, tau):
    """But for log(n), the mean of the exponentials being taken for their sum."""
    z_a, z_b = views(*shape)
    found = InfoNCE(tau, negatives="other")(torch.tensor(z_a), torch.tensor(z_b)).item()
    expected = (scarf(z_a, z_b, tau) + scarf(z_b, z_a, tau)) / 2 + math.log(shape[0])
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("tau", [0.2, 1.0])
def test_other_is_torchs_cross_entropy(tau):
    z_a, z_b = tensors(12, 5)
    logits = torch.nn.functional.cosine_similarity(z_a[:, None], z_b[None], dim=2) / tau
    target = torch.arange(12)
    expected = sum(torch.nn.functional.cross_entropy(x, target) for x in (logits, logits.T)) / 2
    assert InfoNCE(tau, "other")(z_a, z_b).item() == pytest.approx(expected.item(), rel=1e-10)


def test_worked_by_hand():
    """Rows e1, e2 and e1, -e2 at tau 1: s = [[1, 0], [0, -1]] between the views, 0 within them."""
    z_a, z_b = torch.tensor([[2.0, 0], [0, 3]]).double(), torch.tensor([[1.0, 0], [0, -1]]).double()
    e = math.e
    alignment, uniformity = info_nce_terms(z_a, z_b)
    assert alignment.item() == pytest.approx(0, abs=1e-10)
    assert uniformity.item() == pytest.approx((math.log(e + 2) + math.log(1 / e + 2)) / 2, rel=1e-10)
    alignment, uniformity = info_nce_terms(z_a, z_b, 0.5, "other")
    assert uniformity.item() == pytest.approx((math.log(e**2 + 1) + math.log(1 / e**2 + 1)) / 2, rel=1e-10)


def test_terms_are_the_halves_of_the_loss():
    z = tensors(10, 4)
    terms = InfoNCE(0.3).terms(*z)
    assert list(terms) == ["alignment", "uniformity"]
    mean = torch.nn.functional.cosine_similarity(*z).mean().item()
    assert terms["alignment"].item() == pytest.approx(-mean / 0.3, rel=1e-10)


@pytest.mark.parametrize("negatives", ["both", "other"])
def test_length_of_a_row_does_not_matter(negatives):
    z_a, z_b = tensors(10, 4)
    scales = torch.logspace(-2, 3, 10, dtype=torch.float64)[:, None]
    loss = InfoNCE(0.5, negatives)(z_a, z_b).item()
    assert InfoNCE(0.5, negatives)(z_a * scales, z_b * scales.flip(0)).item() == pytest.approx(loss, rel=1e-8)


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("negatives", ["both", "other"])
def test_collapse_costs_the_logarithm_of_the_candidates(n, negatives):
    z = torch.ones(n, 3)
    candidates = 2 * n - 1 if negatives == "both" else n
    assert InfoNCE(0.1, negatives)(z, z).item() == pytest.approx(math.log(candidates), rel=1e-5)


@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_two_opposite_rows_reach_the_floor(tau):
    z = torch.tensor([[1.0, 0], [-1, 0]]).double()
    assert InfoNCE(tau)(z, z).item() == pytest.approx(math.log(1 + 2 * math.exp(-2 / tau)), rel=1e-8)
    assert InfoNCE(tau, "other")(z, z).item() == pytest.approx(math.log(1 + math.exp(-2 / tau)), rel=1e-8)


@pytest.mark.parametrize("negatives", ["both", "other"])
def test_low_temperature_does_not_overflow(negatives):
    """exp(1 / tau) is beyond float32 below 0.0113."""
    z_a, z_b = (z.requires_grad_() for z in tensors(16, 4, dtype=torch.float32))
    loss = InfoNCE(1e-3, negatives)(z_a, z_b)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(z_a.grad).all() and torch.isfinite(z_b.grad).all()


def test_own_view_counts_in_both_only():
    """Two rows of one view moved to each other, seen from the other view alike: a change for "both" alone."""
    z_a = torch.tensor([[1.0, 1, 0], [1, -1, 0]]).double()
    moved = torch.tensor([[1.0, 0, 1], [1, 0, 1]]).double()
    z_b = torch.tensor([[1.0, 0, 0], [1, 0, 0]]).double()
    assert InfoNCE(1.0, "other")(z_a, z_b).item() == pytest.approx(InfoNCE(1.0, "other")(moved, z_b).item())
    assert InfoNCE()(z_a, z_b).item() < InfoNCE()(moved, z_b).item() - 0.1

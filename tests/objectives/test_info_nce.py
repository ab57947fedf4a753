"""InfoNCE: torch's cross-entropy, worked by hand, its bounds, and what counts as a negative."""

import math

import pytest
import torch
from builders import two_views

from sklearn_twins.objectives import InfoNCE, info_nce_terms

pytestmark = pytest.mark.usefixtures("one_thread")

both_kinds = pytest.mark.parametrize("negatives", ["both", "other"])


@pytest.mark.parametrize("tau", [0.2, 1.0])
def test_other_is_torchs_cross_entropy(tau):
    z_a, z_b = two_views(12, 5)
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


@both_kinds
def test_length_of_a_row_does_not_matter(negatives):
    z_a, z_b = two_views(10, 4)
    scales = torch.logspace(-2, 3, 10, dtype=torch.float64)[:, None]
    loss = InfoNCE(0.5, negatives)(z_a, z_b).item()
    assert InfoNCE(0.5, negatives)(z_a * scales, z_b * scales.flip(0)).item() == pytest.approx(loss, rel=1e-8)


@both_kinds
def test_bounds(negatives):
    """Equal rows cost the logarithm of the number of candidates; two opposite rows reach the floor."""
    for n in (2, 3, 8):
        candidates = 2 * n - 1 if negatives == "both" else n
        z = torch.ones(n, 3)
        assert InfoNCE(0.1, negatives)(z, z).item() == pytest.approx(math.log(candidates), rel=1e-5)
    z = torch.tensor([[1.0, 0], [-1, 0]]).double()
    for tau in (0.1, 1.0):
        floor = math.log(1 + (2 if negatives == "both" else 1) * math.exp(-2 / tau))
        assert InfoNCE(tau, negatives)(z, z).item() == pytest.approx(floor, rel=1e-8)


@both_kinds
def test_low_temperature_does_not_overflow(negatives):
    """exp(1 / tau) is beyond float32 below 0.0113."""
    inputs = [z.requires_grad_() for z in two_views(16, 4, dtype=torch.float32)]
    loss = InfoNCE(1e-3, negatives)(*inputs)
    assert torch.isfinite(loss) and all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, inputs))


def test_own_view_counts_in_both_only():
    """Two rows of one view moved to each other, at equal distances from the other view: a change for "both" alone."""
    z_a = torch.tensor([[1.0, 1, 0], [1, -1, 0]]).double()
    moved = torch.tensor([[1.0, 0, 1], [1, 0, 1]]).double()
    z_b = torch.tensor([[1.0, 0, 0], [1, 0, 0]]).double()
    assert InfoNCE(1.0, "other")(z_a, z_b).item() == pytest.approx(InfoNCE(1.0, "other")(moved, z_b).item())
    assert InfoNCE()(z_a, z_b).item() < InfoNCE()(moved, z_b).item() - 0.1

"""VICReg: worked by hand, the paper's equations as weights, its hinge, invariances and collapse."""

import math

import numpy as np
import pytest
import torch
from builders import seeded, two_views

from sklearn_twins.objectives import VICReg, vicreg_terms

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("shape", [(64, 5), (6, 40)])
def test_paper_and_code_differ_in_weights(shape):
    """Eq. 5 and 6 are 25 times the width, 50 and 1; the authors' code is NumPy's covariance with 25, 25 and 1."""
    z_a, z_b = (0.3 * z.numpy() for z in two_views(*shape))
    of_views = []
    for z in (z_a, z_b):
        hinge = np.maximum(0, 1 - np.sqrt(z.var(0, ddof=1) + 1e-4)).mean()
        off = np.cov(z.T)[~np.eye(shape[1], dtype=bool)]
        of_views.append((hinge, (off**2).sum() / shape[1]))
    v, c = np.sum(of_views, 0)
    squares, views = (z_a - z_b) ** 2, (torch.tensor(z_a), torch.tensor(z_b))
    assert VICReg()(*views).item() == pytest.approx(25 * squares.mean() + 25 * v / 2 + c, rel=1e-10)
    paper = VICReg(invariance_weight=25 * shape[1], variance_weight=50)
    assert paper(*views).item() == pytest.approx(25 * squares.sum() / shape[0] + 25 * v + c, rel=1e-10)


def test_worked_by_hand():
    """Rows (0, 0), (1, 2) and (0, 0), (1, 0), of variances 1/2, 2 and 1/2, 0; the first two covary by 1.

    Invariance 4/4; hinges (1 - r) / 2 and (2 - r) / 2, r = 1 / sqrt(2), of mean (3 - 2 r) / 4; covariance 2 * 1 / 2.
    """
    z_a, z_b = torch.tensor([[0.0, 0], [1, 2]]).double(), torch.tensor([[0.0, 0], [1, 0]]).double()
    found = [term.item() for term in vicreg_terms(z_a, z_b, eps=1e-12)]
    np.testing.assert_allclose(found, [1, (3 - 2 * math.sqrt(0.5)) / 4, 1], atol=1e-5)


def test_coordinates_that_vary_enough_are_left_alone():
    """No loss for orthogonal codes of deviation above gamma, and no gradient of the hinge; one below gamma."""
    codes = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert VICReg()(codes, codes).item() == pytest.approx(0, abs=1e-5)
    z = (codes * torch.tensor([3.0, 0.3])).requires_grad_()
    vicreg_terms(z, z)[1].backward()
    assert (z.grad[:, 0] == 0).all() and (z.grad[:, 1] != 0).all()


def test_offsets_and_rotations():
    """An offset common to both views changes nothing; a rotation changes the covariance but not the invariance."""
    z_a, z_b = two_views(50, 3)
    shift, Q = torch.arange(3.0), torch.linalg.qr(torch.randn(3, 3, generator=seeded(), dtype=torch.float64))[0]
    assert VICReg()(z_a + shift, z_b + shift).item() == pytest.approx(VICReg()(z_a, z_b).item(), rel=1e-9)
    before, after = vicreg_terms(z_a, z_b), vicreg_terms(z_a @ Q, z_b @ Q)
    assert after[0].item() == pytest.approx(before[0].item(), rel=1e-10)
    assert abs(after[2].item() - before[2].item()) > 1e-3


def test_collapse_costs_as_documented():
    z = torch.ones(8, 3)
    terms = VICReg().terms(z, z)
    assert terms["variance"].item() == pytest.approx(24.75)
    assert terms["invariance"].item() == terms["covariance"].item() == 0.0

"""VICReg against the paper's equations and the authors' convention in NumPy: values, edge cases, collapse."""

import math

import numpy as np
import pytest
import torch

from sklearn_twins.objectives import VICReg, vicreg_terms

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPES = [(64, 5), (9, 9), (6, 40), (2, 3), (2, 1)]


def views(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, dim))
    return tuple(3 + 0.9 * (shared + 0.5 * rng.normal(size=(n, dim))) for _ in range(2))


def tensors(n, dim, seed=0, dtype=torch.float64):
    return tuple(torch.tensor(z, dtype=dtype) for z in views(n, dim, seed))


def paper(z_a, z_b, gamma=1.0, eps=1e-4):
    """Bardes et al. 2022, eq. 1 to 5 and the sums of eq. 6, by loops: s(Z, Z'), v(Z) + v(Z'), c(Z) + c(Z')."""
    n, dim = z_a.shape
    s = sum(((z_a[i] - z_b[i]) ** 2).sum() for i in range(n)) / n
    v = c = 0.0
    for z in (z_a, z_b):
        covariance = sum(np.outer(row - z.mean(0), row - z.mean(0)) for row in z) / (n - 1)
        for i in range(dim):
            v += max(0.0, gamma - math.sqrt(covariance[i, i] + eps)) / dim
            for j in range(dim):
                c += covariance[i, j] ** 2 / dim if i != j else 0.0
    return s, v, c


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("gamma", "eps"), [(1.0, 1e-4), (2.0, 0.1)])
def test_terms_equal_the_formula(shape, gamma, eps):
    """The paper's, with the squared differences over the width and half the variance's sum."""
    z_a, z_b = views(*shape)
    s, v, c = paper(z_a, z_b, gamma, eps)
    found = [term.item() for term in vicreg_terms(torch.tensor(z_a), torch.tensor(z_b), gamma, eps)]
    np.testing.assert_allclose(found, [s / shape[1], v / 2, c], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_convention_of_the_authors(shape):
    """Mean squared error, hinges halved, squared covariances of both views over the width; weights 25, 25, 1."""
    z_a, z_b = views(*shape)
    loss = 25 * ((z_a - z_b) ** 2).mean()
    for z in (z_a, z_b):
        loss += 25 * np.maximum(0, 1 - np.sqrt(z.var(0, ddof=1) + 1e-4)).mean() / 2
        covariance = np.atleast_2d(np.cov(z.T))
        loss += (covariance[~np.eye(shape[1], dtype=bool)] ** 2).sum() / shape[1]
    assert VICReg()(torch.tensor(z_a), torch.tensor(z_b)).item() == pytest.approx(loss, rel=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_paper_is_a_choice_of_weights(shape):
    """As the docstring says: 25 times the width, 50 and 1."""
    z_a, z_b = views(*shape)
    s, v, c = paper(z_a, z_b)
    objective = VICReg(invariance_weight=25 * shape[1], variance_weight=50)
    assert objective(torch.tensor(z_a), torch.tensor(z_b)).item() == pytest.approx(25 * s + 25 * v + c, rel=1e-10)


def test_component_weighs_the_terms():
    z = tensors(20, 4)
    terms = VICReg(2, 3, 0.5).terms(*z)
    assert list(terms) == ["invariance", "variance", "covariance"]
    expected = np.array([2, 3, 0.5]) * [term.item() for term in vicreg_terms(*z)]
    np.testing.assert_allclose([term.item() for term in terms.values()], expected, rtol=1e-12)


def test_worked_by_hand():
    """Rows (0, 0), (1, 2) and (0, 0), (1, 0), of variances 1/2, 2 and 1/2, 0; the first two covary by 1.

    Invariance 4/4; hinges (1 - r) / 2 and (2 - r) / 2, r = 1 / sqrt(2), of mean (3 - 2 r) / 4; covariance 2 * 1 / 2.
    """
    z_a, z_b = torch.tensor([[0.0, 0], [1, 2]]).double(), torch.tensor([[0.0, 0], [1, 0]]).double()
    found = [term.item() for term in vicreg_terms(z_a, z_b, eps=1e-12)]
    np.testing.assert_allclose(found, [1, (3 - 2 * math.sqrt(0.5)) / 4, 1], atol=1e-5)


def test_perfect_projection_has_no_loss():
    """Orthogonal codes of deviation above gamma, the same in both views."""
    z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert VICReg()(z, z).item() == pytest.approx(0, abs=1e-5)


def test_what_varies_enough_is_left_alone():
    """The hinge: no gradient to a coordinate of deviation above gamma, one to that below."""
    z = (torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * torch.tensor([3.0, 0.3])).requires_grad_()
    vicreg_terms(z, z)[1].backward()
    assert (z.grad[:, 0] == 0).all() and (z.grad[:, 1] != 0).all()


@pytest.mark.parametrize("shape", [(8, 3), (8, 40)])
def test_offsets_common_to_both_views_change_nothing(shape):
    z_a, z_b = tensors(*shape)
    shift = torch.arange(shape[1], dtype=torch.float64)
    assert VICReg()(z_a + shift, z_b + shift).item() == pytest.approx(VICReg()(z_a, z_b).item(), rel=1e-9)


def test_rotation_changes_the_covariance_but_not_the_invariance():
    z_a, z_b = tensors(50, 3)
    Q = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    before, after = vicreg_terms(z_a, z_b), vicreg_terms(z_a @ Q, z_b @ Q)
    assert after[0].item() == pytest.approx(before[0].item(), rel=1e-10)
    assert abs(after[2].item() - before[2].item()) > 1e-3


def test_collapse_costs_what_the_docstring_says():
    z = torch.ones(8, 3, requires_grad=True)
    terms = VICReg().terms(z, z)
    assert terms["variance"].item() == pytest.approx(24.75)
    assert terms["invariance"].item() == terms["covariance"].item() == 0.0

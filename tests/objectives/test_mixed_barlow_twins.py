"""Mixed Barlow Twins: its term against NumPy, what is exact, how rows are mixed, and that training passes them."""

import numpy as np
import pandas as pd
import pytest
import torch
from builders import seeded

from sklearn_twins import SampleSpec
from sklearn_twins.objectives import BarlowTwins, MixedBarlowTwins, mixing_term
from sklearn_twins.preprocessing import TableSpec

pytestmark = pytest.mark.usefixtures("one_thread")


def projections(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, dim)) + 2 for _ in range(3)]


def reference(z_a, z_b, z_m, share, partners):
    """The four correlation matrices, formed one by one."""

    def standardized(z):
        return (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)

    a, b, m = (standardized(z) for z in (z_a, z_b, z_m))
    n, total = len(a), 0.0
    for view in (a, b):
        expected = share * a.T @ view / n + (1 - share) * b[partners].T @ view / n
        total += ((m.T @ view / n - expected) ** 2).sum()
    return total


@pytest.mark.parametrize("shape", [(30, 4), (6, 20)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_term_equals_numpy(shape, share):
    z = projections(*shape)
    partners = np.random.default_rng(1).permutation(shape[0])
    found = mixing_term(*map(torch.tensor, z), share, torch.tensor(partners))
    assert found.item() == pytest.approx(reference(*z, share, partners), rel=1e-10)


@pytest.mark.parametrize("shape", [(6, 4), (4, 7)], ids=["direct", "gram"])
def test_gradients(shape):
    inputs = [torch.tensor(z, requires_grad=True) for z in projections(*shape)]
    partners = torch.randperm(shape[0], generator=seeded(0))
    mixed = lambda *z: sum(MixedBarlowTwins().mixed_terms(*z, (0.3, partners)).values())  # noqa: E731
    assert torch.autograd.gradcheck(mixed, inputs)


def test_weights():
    z = list(map(torch.tensor, projections(12, 4)))
    partners = torch.arange(12).flip(0)
    terms = MixedBarlowTwins(off_diagonal_weight=0.5, mixing_weight=3.0).mixed_terms(*z, (0.4, partners))
    assert sum(list(terms.values())[:2]).item() == BarlowTwins(0.5)(*z[:2]).item()
    assert terms["mixing"].item() == pytest.approx(1.5 * mixing_term(*z, 0.4, partners).item(), rel=1e-12)


def test_worked_by_hand():
    """Rows mixed with themselves are themselves, and a linear projection of variance 1 mixes as its rows do."""
    z = torch.tensor(np.random.default_rng(0).normal(size=(64, 3)))
    assert mixing_term(z, z, z, 0.3, torch.arange(64)).item() == pytest.approx(0, abs=1e-9)
    signs = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    partners = torch.tensor([2, 3, 0, 1])  # each sign meets the other one
    mixed = 0.8 * signs + 0.2 * signs[partners]
    expected = 2 * (1 - 0.6) ** 2  # standardised, the mixed rows are the signs again, though they should be 0.6 of them
    assert mixing_term(signs, signs, mixed, 0.8, partners).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_projections_are_finite(dtype, value):
    z = [torch.full((8, 5), value, dtype=dtype, requires_grad=True) for _ in range(3)]
    loss = sum(MixedBarlowTwins().mixed_terms(*z, (0.5, torch.arange(8))).values())
    assert torch.isfinite(loss) and all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, z))


def mixed(x_a, x_b, spec, seed=0):
    return MixedBarlowTwins().mix(x_a, x_b, spec, seeded(seed))


@pytest.mark.parametrize("shape", [(5,), (3, 4, 4)])
def test_numbers_are_mixed_by_one_share(shape):
    x_a, x_b = torch.rand(2, 9, *shape)
    x_m, (share, partners) = mixed(x_a, x_b, SampleSpec(shape))
    assert share.shape == (9, 1) and share.unique().numel() == 1
    share = share[0, 0]
    assert 0 <= share <= 1 and sorted(partners.tolist()) == list(range(9))
    torch.testing.assert_close(x_m, share * x_a + (1 - share) * x_b[partners])


def test_shares_are_uniform():
    x, spec = torch.zeros(2, 1), SampleSpec((1,))
    shares = [mixed(x, x, spec, seed)[1][0][0].item() for seed in range(400)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06) and np.std(shares) == pytest.approx(0.289, abs=0.03)


def test_categories_are_one_or_the_other():
    n = 2000
    x_a = torch.cat([torch.zeros(n, 1), torch.full((n, 1), 2.0)], 1)
    x_b = torch.cat([torch.ones(n, 1), torch.full((n, 1), 5.0)], 1)
    x_m, (share, _) = mixed(x_a, x_b, TableSpec((2,), categories=(6,)))
    assert set(x_m[:, 1].tolist()) == {2.0, 5.0}
    assert (x_m[:, 1] == 2).float().mean().item() == pytest.approx(share[0].item(), abs=0.05)


def test_missing_numbers():
    """A row keeps its own number where the partner has none; where it has none itself, nothing lies in between."""
    x_a, x_b = torch.tensor([[1.0], [float("nan")]]), torch.tensor([[float("nan")], [4.0]])
    x_m, (_, partners) = mixed(x_a, x_b, TableSpec((1,), missing=(0,)))
    expected = [1.0 if partners[0] == 0 else x_m[0].item(), float("nan")]
    torch.testing.assert_close(x_m.flatten(), torch.tensor(expected), equal_nan=True)
    assert torch.isfinite(x_m[0])


def test_training_passes_mixed_rows(make, X):
    """Of tables with categories and gaps; held-out rows too. The same seed gives the same bits."""
    frame = pd.DataFrame(X, columns=list("vwxyz")).assign(letter=list("abc") * 20)
    frame.iloc[::7, 0] = np.nan
    embedder = make(objective=MixedBarlowTwins(mixing_weight=1), early_stopping=True)
    first, again = (embedder.fit_transform(frame) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    history = embedder.history_
    assert (history["mixing"] > 0).all() and (history["valid_mixing"] > 0).all()
    total = history["invariance"] + history["redundancy"] + history["mixing"]
    np.testing.assert_allclose(history["loss"], total, rtol=1e-6)

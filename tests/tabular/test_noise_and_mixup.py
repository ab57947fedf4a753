"""Gaussian noise and mixup: distributions, missing values and categories."""

import numpy as np
import pytest
import torch
from builders import bound, same, seeded, table_spec
from scipy import stats

from sklearn_twins.augmentations import GaussianNoise, Mixup

BOTH = pytest.mark.parametrize("kind", [GaussianNoise, Mixup])
MIXED = table_spec(5, categories=(200, 200, 200))


def telling_rows():
    """Rows of 0 with code 150, and training rows j with numbers (1, j) and codes j; mixed, the numbers are (t, t j)."""
    j = torch.arange(100.0)
    data = torch.column_stack([torch.ones(100), j, j, j, j])
    return torch.tensor([[0.0, 0.0, 150.0, 150.0, 150.0]]).repeat(20_000, 1), data


@BOTH
def test_missing_stays_missing(kind):
    x = torch.randn(50, 4, generator=seeded(1))
    x[::3, 2] = torch.nan
    view = kind(0.5)(x, torch.zeros(9, 4), seeded())
    assert torch.equal(torch.isnan(view), torch.isnan(x))


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_noise_is_normal_and_independent(scale):
    x = torch.full((3_000, 4), 10.0, dtype=torch.float64)
    noise = (GaussianNoise(scale)(x, x, seeded()) - x).numpy()
    assert stats.kstest(noise.ravel(), "norm", args=(0, scale)).pvalue > 1e-3
    C = np.corrcoef(noise.T)
    assert np.abs(C[~np.eye(4, dtype=bool)]).max() < 4.5 / np.sqrt(3_000)


@pytest.mark.parametrize("max_weight", [0.3, 1.0])
def test_mixup_has_one_uniform_weight_a_row(max_weight):
    """Between rows of 0 and of 1, the view is the weight. Images have one weight, too."""
    x, data = torch.zeros(4_000, 3, dtype=torch.float64), torch.ones(5, 3, dtype=torch.float64)
    view = Mixup(max_weight)(x, data, seeded())
    assert torch.equal(view, view[:, :1].expand_as(view))
    assert stats.kstest(view[:, 0].numpy(), "uniform", args=(0, max_weight)).pvalue > 1e-3
    assert len(view[:, 0].unique()) > 3_900
    view = Mixup(max_weight)(torch.zeros(20, 4, 5, 3), torch.ones(6, 4, 5, 3), seeded())
    assert torch.equal(view, view[:, :1, :1, :1].expand_as(view))


def test_mixup_partners_are_whole_rows_uniformly_drawn():
    """Partners are unit vectors: the column that is not 0 identifies the partner, and its value is the weight."""
    n = 25
    view = Mixup(1.0)(torch.zeros(5_000, n), torch.eye(n), seeded())
    assert ((view != 0).sum(1) <= 1).all()
    weight, partner = view.sum(1).numpy(), view.argmax(1).numpy()
    assert stats.chisquare(np.bincount(partner[weight > 0], minlength=n)).pvalue > 1e-3
    assert stats.f_oneway(*(weight[partner == j] for j in range(n))).pvalue > 1e-3, "independent"


def test_mixup_equals_its_formula():
    """Partners come from all training rows, also where the batch is smaller."""
    x, data = torch.randn(30, 4, generator=seeded(1)), torch.randn(50, 4, generator=seeded(2))
    view = Mixup(0.7)(x, data, seeded(5))
    generator = seeded(5)
    partners = torch.randint(50, (30,), generator=generator)
    t = 0.7 * torch.rand(30, generator=generator)[:, None]
    torch.testing.assert_close(view, (1 - t) * x + t * data[partners], rtol=1e-6, atol=1e-6)


def test_mixup_with_a_missing_value_keeps_the_row_unchanged():
    data = torch.ones(4, 3)
    data[:, 1] = torch.nan
    view = Mixup(0.5)(torch.zeros(30, 3), data, seeded())
    assert (view[:, 1] == 0).all() and (view[:, [0, 2]] > 0).all()


@BOTH
def test_numbers_move_alike_with_and_without_categories(kind):
    """To the bit, since their random numbers are drawn first."""
    x = torch.randn(60, 5, generator=seeded(1))
    x[::3, 1] = torch.nan
    data = x.flip(0)
    view = bound(kind(0.5), MIXED)(x, data, seeded())[:, :2]
    assert same(view, kind(0.5)(x[:, :2], data[:, :2], seeded()))


def test_noise_leaves_codes_alone():
    x, data = telling_rows()
    view = bound(GaussianNoise(2.0), MIXED)(x, data, seeded())
    assert torch.equal(view[:, 2:], x[:, 2:])
    assert stats.kstest(view[:, :2].numpy().ravel(), "norm", args=(0, 2)).pvalue > 1e-3


@pytest.mark.parametrize("max_weight", [0.3, 1.0])
def test_mixup_takes_a_category_with_the_probability_of_its_weight(max_weight):
    """From the same partner as the numbers, and independently of each other."""
    x, data = telling_rows()
    view = bound(Mixup(max_weight), MIXED)(x, data, seeded())
    t = view[:, 0].double()
    partner = (view[:, 1] / view[:, 0]).round()
    taken = view[:, 2:] != 150
    assert torch.equal(view[:, 2:], torch.where(taken, partner[:, None], 150.0))
    deviation = (t * (1 - t)).sqrt()
    for part in t.argsort().chunk(5):
        off = (taken[part].double() - t[part, None]).sum(0)
        assert (off.abs() < 4 * deviation[part].square().sum().sqrt()).all()
    correlations = np.corrcoef((taken.double() - t[:, None]).numpy().T)[~np.eye(3, dtype=bool)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(len(view))


def test_mixup_takes_categories_where_the_other_row_s_number_is_missing():
    x, data = telling_rows()
    data[:, 1] = torch.nan
    view = bound(Mixup(1.0), MIXED)(x, data, seeded())
    assert (view[:, 1] == 0).all()
    assert (view[:, 2:] != 150).double().mean().item() == pytest.approx(0.5, abs=0.02)

"""Gaussian noise and mixup: their distributions, one draw for each row, missing values, categories left whole."""

import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_twins._parts._augmentation import bind
from sklearn_twins.augmentations import GaussianNoise, Mixup
from sklearn_twins.preprocessing import TableSpec

KINDS = [GaussianNoise, Mixup]
BOTH = pytest.mark.parametrize("kind", KINDS)
MIXED = TableSpec((5,), categories=(200, 200, 200))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def bound(component):
    return bind(component, MIXED, torch.device("cpu"))


def partners_told():
    """Rows of 0 with code 150, and training rows j of (1, j) with codes j: mixed, they are t and t j."""
    j = torch.arange(100.0)
    data = torch.column_stack([torch.ones(100), j, j, j, j])
    return torch.tensor([[0.0, 0.0, 150.0, 150.0, 150.0]]).repeat(20_000, 1), data


@BOTH
def test_strength_zero_is_the_identity_where_other_rows_miss_values(kind):
    """With no weight at all a partner cannot matter, its missing values included."""
    x = torch.randn(30, 4, generator=seeded(1))
    view = kind(0.0)(x, torch.full((10, 4), float("nan")), seeded())
    assert torch.equal(view, x)


@BOTH
def test_missing_stays_missing(kind):
    x = torch.randn(50, 4, generator=seeded(1))
    x[::3, 2] = float("nan")
    view = kind(0.5)(x, torch.zeros(9, 4), seeded())
    assert torch.equal(torch.isnan(view), torch.isnan(x))


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_noise_is_normal_and_independent(scale):
    x = torch.full((3_000, 4), 10.0, dtype=torch.float64)
    noise = (GaussianNoise(scale)(x, x, seeded()) - x).numpy()
    assert stats.kstest(noise.ravel(), "norm", args=(0, scale)).pvalue > 1e-3
    C = np.corrcoef(noise.T)
    assert np.abs(C[~np.eye(4, dtype=bool)]).max() < 4.5 / np.sqrt(3_000)


def test_noise_may_be_large():
    assert GaussianNoise(5.0).check().scale == 5.0


@pytest.mark.parametrize("max_weight", [0.3, 1.0])
def test_mixup_has_one_uniform_weight_a_row(max_weight):
    """From 0 towards 1, the view is the weight itself."""
    x, data = torch.zeros(4_000, 3, dtype=torch.float64), torch.ones(5, 3, dtype=torch.float64)
    view = Mixup(max_weight)(x, data, seeded())
    assert torch.equal(view, view[:, :1].expand_as(view))
    assert stats.kstest(view[:, 0].numpy(), "uniform", args=(0, max_weight)).pvalue > 1e-3
    assert len(view[:, 0].unique()) > 3_900


def test_mixup_has_one_weight_an_image():
    view = Mixup()(torch.zeros(20, 4, 5, 3), torch.ones(6, 4, 5, 3), seeded())
    assert torch.equal(view, view[:, :1, :1, :1].expand_as(view))


def test_mixup_partners_are_whole_rows_uniformly_drawn():
    """Partners are unit vectors, so the one column that is not 0 names the partner."""
    n = 25
    view = Mixup(1.0)(torch.zeros(5_000, n), torch.eye(n), seeded())
    assert ((view != 0).sum(1) <= 1).all()
    counts = torch.bincount(view.argmax(1)[view.sum(1) > 0], minlength=n).numpy()
    assert stats.chisquare(counts).pvalue > 1e-3


def test_mixup_weight_and_partner_are_independent():
    view = Mixup(1.0)(torch.zeros(20_000, 8), torch.eye(8), seeded())
    weight, partner = view.sum(1).numpy(), view.argmax(1).numpy()
    assert stats.f_oneway(*(weight[partner == j] for j in range(8))).pvalue > 1e-3


def test_mixup_is_convex():
    """Between the row and some training row, nearer to the row for weights below a half."""
    x, data = torch.randn(200, 1, generator=seeded(1)), torch.randn(30, 1, generator=seeded(2))
    view = Mixup(0.4)(x, data, seeded())
    low, high = torch.minimum(x, data.min()), torch.maximum(x, data.max())
    assert ((view >= low) & (view <= high)).all()
    assert ((view - x).abs() <= 0.4 * torch.maximum(high - x, x - low) + 1e-6).all()


def test_mixup_equals_its_formula():
    x, data = torch.randn(50, 4, generator=seeded(1)), torch.randn(30, 4, generator=seeded(2))
    view = Mixup(0.7)(x, data, seeded(5))
    generator = seeded(5)
    partners = torch.randint(30, (50,), generator=generator)
    t = 0.7 * torch.rand(50, generator=generator)[:, None]
    torch.testing.assert_close(view, (1 - t) * x + t * data[partners], rtol=1e-6, atol=1e-6)


def test_mixup_of_a_row_with_itself_is_the_row():
    x = torch.tensor([[1.0, -2.0, 3.0]])
    torch.testing.assert_close(Mixup(1.0)(x.repeat(20, 1), x, seeded()), x.repeat(20, 1))


def test_mixup_with_a_missing_value_keeps_the_row_s_own():
    data = torch.ones(4, 3)
    data[:, 1] = float("nan")
    view = Mixup(0.5)(torch.zeros(30, 3), data, seeded())
    assert (view[:, 1] == 0).all()
    assert (view[:, [0, 2]] > 0).all()


def test_mixup_leaves_a_row_s_missing_values_missing():
    view = Mixup(0.5)(torch.full((30, 3), float("nan")), torch.ones(4, 3), seeded())
    assert torch.isnan(view).all()


@BOTH
def test_numbers_beside_categories_move_as_numbers_alone(kind):
    """The same bits: further draws come after theirs."""
    x = torch.randn(60, 5, generator=seeded(1))
    x[::3, 1] = float("nan")
    data = x.flip(0)
    view = bound(kind(0.5))(x, data, seeded())[:, :2]
    expected = kind(0.5)(x[:, :2], data[:, :2], seeded())
    assert torch.equal(view.nan_to_num(9), expected.nan_to_num(9))


def test_noise_leaves_codes_alone():
    x, data = partners_told()
    view = bound(GaussianNoise(2.0))(x, data, seeded())
    assert torch.equal(view[:, 2:], x[:, 2:])
    assert stats.kstest(view[:, :2].numpy().ravel(), "norm", args=(0, 2)).pvalue > 1e-3


@pytest.mark.parametrize("max_weight", [0.3, 1.0])
def test_mixup_takes_a_category_with_the_probability_of_its_weight(max_weight):
    """Whole, from the row that the numbers go towards; for each weight as often as it says."""
    x, data = partners_told()
    view = bound(Mixup(max_weight))(x, data, seeded())
    t = view[:, 0].double()
    partner = (view[:, 1] / view[:, 0]).round()
    taken = view[:, 2:] != 150
    assert torch.equal(view[:, 2:], torch.where(taken, partner[:, None], 150.0))
    deviation = (t * (1 - t)).sqrt()
    for part in t.argsort().chunk(5):
        off = (taken[part].double() - t[part, None]).sum(0)
        assert (off.abs() < 4 * deviation[part].square().sum().sqrt()).all()


def test_mixup_takes_each_category_on_its_own():
    x, data = partners_told()
    view = bound(Mixup(1.0))(x, data, seeded())
    residuals = (view[:, 2:] != 150).double() - view[:, :1]
    correlations = np.corrcoef(residuals.numpy().T)[~np.eye(3, dtype=bool)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(len(view))


def test_mixup_takes_categories_where_the_other_row_s_number_is_missing():
    x, data = partners_told()
    data[:, 1] = float("nan")
    view = bound(Mixup(1.0))(x, data, seeded())
    assert (view[:, 1] == 0).all()
    assert (view[:, 2:] != 150).double().mean().item() == pytest.approx(0.5, abs=0.02)

"""Gaussian noise and mixup: their distributions, one draw for each row, missing values, nothing changed in place."""

import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone

from sklearn_twins.augmentations import GaussianNoise, Mixup

KINDS = [GaussianNoise, Mixup]
BOTH = pytest.mark.parametrize("kind", KINDS)
PARAMETER = {GaussianNoise: "scale", Mixup: "max_weight"}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@BOTH
@pytest.mark.parametrize("strength", [0, 0.5, 1.0])
def test_inputs_are_not_modified_nor_shared(kind, strength):
    x = torch.randn(40, 5, generator=seeded(1))
    before = x.clone()
    view = kind(strength)(x, x, seeded())
    view += 1
    assert torch.equal(x, before)


@BOTH
def test_same_generator_state_same_view(kind):
    x = torch.randn(64, 8, generator=seeded(1))
    generator = seeded(3)
    state = generator.get_state()
    first, second = kind(0.5)(x, x, generator), kind(0.5)(x, x, generator)
    assert not torch.equal(first, second)
    generator.set_state(state)
    assert torch.equal(kind(0.5)(x, x, generator), first)


@BOTH
def test_global_generator_is_untouched(kind):
    before = torch.get_rng_state()
    kind(0.5)(torch.ones(9, 3), torch.zeros(9, 3), seeded())
    assert torch.equal(torch.get_rng_state(), before)


@BOTH
def test_strength_zero_is_the_identity(kind):
    x = torch.randn(30, 4, generator=seeded(1))
    assert torch.equal(kind(0.0)(x, x, seeded()), x)


@BOTH
def test_strength_zero_is_the_identity_where_other_rows_miss_values(kind):
    """With no weight at all a partner cannot matter, its missing values included."""
    x = torch.randn(30, 4, generator=seeded(1))
    view = kind(0.0)(x, torch.full((10, 4), float("nan")), seeded())
    assert torch.equal(view, x)


@BOTH
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5, 4, 4, 3), (6, 100)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept(kind, shape, dtype):
    view = kind(0.5)(torch.ones(shape, dtype=dtype), torch.zeros((11, *shape[1:]), dtype=dtype), seeded())
    assert view.shape == shape and view.dtype == dtype


@BOTH
def test_missing_stays_missing(kind):
    x = torch.randn(50, 4, generator=seeded(1))
    x[::3, 2] = float("nan")
    view = kind(0.5)(x, torch.zeros(9, 4), seeded())
    assert torch.equal(torch.isnan(view), torch.isnan(x))


@BOTH
@pytest.mark.parametrize("strength", [-0.01, "0.3", None, float("nan"), float("inf")])
def test_wrong_strength_is_refused(kind, strength):
    with pytest.raises(ValueError, match=f"'{PARAMETER[kind]}' parameter of {kind.__name__}"):
        kind(strength).check()


@BOTH
def test_clone_parameters_and_pickle(kind):
    component = kind().set_params(**{PARAMETER[kind]: 0.7})
    copy = clone(component)
    assert copy is not component and copy.get_params() == {PARAMETER[kind]: 0.7}
    assert repr(pickle.loads(pickle.dumps(component))) == f"{kind.__name__}({PARAMETER[kind]}=0.7)"
    assert component.check() is component


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_noise_is_normal_and_independent(scale):
    x = torch.full((3_000, 4), 10.0, dtype=torch.float64)
    noise = (GaussianNoise(scale)(x, x, seeded()) - x).numpy()
    assert stats.kstest(noise.ravel(), "norm", args=(0, scale)).pvalue > 1e-3
    C = np.corrcoef(noise.T)
    assert np.abs(C[~np.eye(4, dtype=bool)]).max() < 4.5 / np.sqrt(3_000)


def test_noise_may_be_large():
    assert GaussianNoise(5.0).check().scale == 5.0


def test_mixup_weight_is_refused_above_one():
    with pytest.raises(ValueError, match="'max_weight' parameter of Mixup"):
        Mixup(1.01).check()


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


@pytest.mark.gpu
@BOTH
def test_views_are_made_where_the_batch_is(kind):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    x, data = torch.ones(100, 5, device="cuda"), torch.zeros(50, 5, device="cuda")
    first, second = (kind(0.5)(x, data, torch.Generator(device="cuda").manual_seed(0)) for _ in range(2))
    assert first.device.type == "cuda" and torch.equal(first, second)
    assert not torch.equal(first, x)

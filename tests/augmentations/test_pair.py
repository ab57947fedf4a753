"""Two views of a batch: drawn twice from one augmentation, or one from each of a pair."""

import pickle

import pytest
import torch
from sklearn.base import clone

from sklearn_twins._components import SampleSpec, bind
from sklearn_twins.augmentations import GaussianNoise, Identity, MarginalCorruption, Masking, Pair, make_views


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n=40, dim=5):
    return torch.randn(n, dim, generator=seeded(1))


def plus_one(x, data, generator):
    """An augmentation of the user's own."""
    return x + 1


def test_identity_is_a_copy():
    x = rows()
    view = Identity()(x, x, seeded())
    assert torch.equal(view, x) and view.data_ptr() != x.data_ptr()


def test_identity_draws_nothing():
    generator = seeded()
    before = generator.get_state()
    Identity()(rows(), rows(), generator)
    assert torch.equal(generator.get_state(), before)


def test_identity_keeps_missing_values():
    x = torch.tensor([[1.0, float("nan")]])
    assert torch.isnan(Identity()(x, x, seeded())).tolist() == [[False, True]]


def test_two_views_are_two_draws():
    x, generator = rows(), seeded(7)
    x_a, x_b = make_views(MarginalCorruption(0.5), x, x, seeded(7))
    assert not torch.equal(x_a, x_b)
    assert torch.equal(x_a, MarginalCorruption(0.5)(x, x, generator))
    assert torch.equal(x_b, MarginalCorruption(0.5)(x, x, generator))


def test_draws_of_the_two_views_are_independent():
    x = torch.ones(400, 50)
    x_a, x_b = make_views(Masking(0.5), x, x, seeded())
    both = ((x_a == 0) & (x_b == 0)).double().mean().item()
    assert abs(both - 0.25) < 4 * (0.25 * 0.75 / x.numel()) ** 0.5


def test_pair_gives_a_clean_first_view():
    x = rows()
    x_a, x_b = make_views(Pair(Identity(), MarginalCorruption(0.5)), x, x, seeded(7))
    assert torch.equal(x_a, x) and x_a.data_ptr() != x.data_ptr()
    assert torch.equal(x_b, MarginalCorruption(0.5)(x, x, seeded(7)))


def test_pair_keeps_its_order():
    x = rows()
    x_a, x_b = make_views(Pair(plus_one, Identity()), x, x, seeded())
    assert torch.equal(x_a, x + 1) and torch.equal(x_b, x)


def test_pair_draws_for_the_first_view_first():
    x, generator = rows(), seeded(7)
    x_a, x_b = make_views(Pair(GaussianNoise(), Masking()), x, x, seeded(7))
    assert torch.equal(x_a, GaussianNoise()(x, x, generator))
    assert torch.equal(x_b, Masking()(x, x, generator))


def test_pair_called_makes_its_second_view():
    x = rows()
    assert torch.equal(Pair(Identity(), plus_one)(x, x, seeded()), x + 1)


def test_callables_of_the_users_own_make_views():
    x = rows()
    x_a, x_b = make_views(plus_one, x, x, seeded())
    assert torch.equal(x_a, x + 1) and torch.equal(x_b, x + 1) and x_a.data_ptr() != x_b.data_ptr()


def test_bound_pair_makes_the_two_bound_views():
    """In its order, from one generator; a callable that cannot be told is called as it is."""
    spec, cpu = SampleSpec((5,), categories=(9,), sources=(0, 0, 1, 1, 2)), torch.device("cpu")
    x, generator = rows(), seeded(7)
    pair = Pair(Masking(0.5), GaussianNoise())
    x_a, x_b = make_views(bind(pair, spec, cpu), x, x, seeded(7))
    assert torch.equal(x_a, bind(pair.view_a, spec, cpu)(x, x, generator))
    assert torch.equal(x_b, bind(pair.view_b, spec, cpu)(x, x, generator))
    assert torch.equal(x_b[:, 4], x[:, 4]) and torch.equal(x_a[:, 0] == 0, x_a[:, 1] == 0)
    x_a, x_b = make_views(bind(Pair(Identity(), plus_one), spec, cpu), x, x, seeded())
    assert torch.equal(x_a, x) and torch.equal(x_b, x + 1)


def test_nested_parameters():
    pair = Pair(Identity(), MarginalCorruption())
    assert pair.set_params(view_b__corruption_rate=0.7) is pair
    assert pair.get_params()["view_b__corruption_rate"] == 0.7
    pair.set_params(view_a=Masking(), view_a__mask_rate=0.2)
    assert repr(pair.view_a) == "Masking(mask_rate=0.2)"
    with pytest.raises(ValueError, match="corruption_rat"):
        pair.set_params(view_b__corruption_rat=0.7)


def test_clone_and_pickle():
    pair = Pair(Identity(), MarginalCorruption(0.7))
    copy = clone(pair)
    assert copy.view_b is not pair.view_b and repr(copy) == repr(pair)
    assert repr(pickle.loads(pickle.dumps(pair))) == repr(pair)
    assert clone(Pair(plus_one, Identity())).view_a is not None


@pytest.mark.parametrize("pair", [Pair("identity", Identity()), Pair(Identity(), None), Pair(3, Identity())])
def test_view_that_is_no_augmentation_is_refused(pair):
    with pytest.raises(ValueError, match="parameter of Pair must be"):
        pair.check()


@pytest.mark.parametrize("pair", [Pair(Masking(2.0), Identity()), Pair(Identity(), Masking(2.0))])
def test_wrong_parameter_of_a_view_is_refused(pair):
    with pytest.raises(ValueError, match="'mask_rate' parameter of Masking"):
        pair.check()


def test_right_pairs_pass():
    for pair in (Pair(Identity(), Masking()), Pair(plus_one, Identity())):
        assert pair.check() is pair
    assert isinstance(Identity().check(), Identity)

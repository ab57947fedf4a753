"""Two views of a batch: two draws of one augmentation, or one of each augmentation in a pair."""

import pickle

import pytest
import torch
from builders import seeded
from sklearn.base import clone

from sklearn_twins._parts._augmentation import bind
from sklearn_twins.augmentations import (
    Chain,
    GaussianNoise,
    Identity,
    ImageViews,
    MarginalCorruption,
    Masking,
    Mixup,
    Pair,
    make_views,
)
from sklearn_twins.preprocessing import ImageSpec, TableSpec


def rows(n=40, dim=5):
    return torch.randn(n, dim, generator=seeded(1))


def plus_one(x, data, generator):
    """A user's augmentation."""
    return x + 1


def test_identity_is_a_copy():
    x = rows()
    view = Identity()(x, x, seeded())
    assert torch.equal(view, x) and view.data_ptr() != x.data_ptr()


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
    """The views are made in order, from one generator; a callable without `bind` is called as it is."""
    spec, cpu = TableSpec((5,), categories=(9,), sources=(0, 0, 1, 1, 2)), torch.device("cpu")
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


class Plus(torch.nn.Module):
    """A user's module, which takes only a batch, and needs it to be contiguous as `view` does."""

    def __init__(self, with_tensor=False):
        super().__init__()
        if with_tensor:
            self.register_buffer("one", torch.ones(()))
        self.seen = []

    def forward(self, x):
        self.seen.append((x.dtype, x.is_contiguous()))
        return x + 1


def test_modules_are_given_contiguous_intensities_alone():
    x = torch.randint(0, 256, (6, 3, 4, 5), generator=seeded(1), dtype=torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    for augmentation in (Plus(), Pair(Plus(), Plus()), Chain([("a", Plus())])):
        x_a, x_b = make_views(augmentation, x, x, seeded())
        assert torch.equal(x_a, x / 255 + 1) and torch.equal(x_b, x_a)
        parts = [augmentation] if isinstance(augmentation, Plus) else list(augmentation.get_params(deep=False).values())
        for part in parts if not isinstance(parts[0], list) else [parts[0][0][1]]:
            assert set(part.seen) == {(torch.float32, True)}
    assert torch.equal(Pair(Identity(), Plus())(x / 255, x, seeded()), x_a)


def test_module_that_does_nothing_gives_copies():
    x = rows()
    x_a, x_b = make_views(torch.nn.Identity(), x, x, seeded())
    assert torch.equal(x_a, x) and len({t.data_ptr() for t in (x, x_a, x_b)}) == 3


def test_module_with_tensors_is_copied_to_the_device():
    spec = ImageSpec((3, 4, 5))
    plain, filled = Plus(), Plus(with_tensor=True)
    assert bind(plain, spec, torch.device("cpu")) is plain
    moved = bind(filled, spec, torch.device("meta"))
    assert moved.one.device.type == "meta" and filled.one.device.type == "cpu"


def test_each_view_receives_bytes_in_its_memory_order():
    """A user's callable receives contiguous bytes, next to a view that prefers columns first."""

    def flat(x, data, generator):
        return x.view(len(x), -1).clone().view(x.shape)

    x = torch.randint(0, 256, (6, 3, 4, 5), generator=seeded(1), dtype=torch.uint8)
    for pair in (Pair(flat, ImageViews()), Pair(ImageViews(), Chain([("flat", flat)]))):
        bound = bind(pair, ImageSpec((3, 4, 5)), torch.device("cpu"))
        views = make_views(bound, x.contiguous(memory_format=torch.channels_last), x, seeded())
        own, other = views if pair.view_a is flat else views[::-1]
        assert torch.equal(own, x / 255)
        assert torch.allclose(other, ImageViews()(x, x, seeded()), atol=1e-6)


def test_values_of_other_rows_are_intensities():
    x, data = torch.zeros(50, 3, 4, 5, dtype=torch.uint8), torch.full((7, 3, 4, 5), 51, dtype=torch.uint8)
    corrupted, _ = make_views(MarginalCorruption(0.5), x, data, seeded())
    assert corrupted.unique().tolist() == pytest.approx([0.0, 0.2])
    mixed, _ = make_views(Mixup(1.0), x, data, seeded())
    assert mixed.dtype == torch.float32 and 0 < mixed.min() < mixed.max() <= 0.2 + 1e-6

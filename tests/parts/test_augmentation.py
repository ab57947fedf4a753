"""Chains of augmentations: their order, names and parameters, and what is refused."""

import pickle

import pytest
import torch
from builders import seeded
from sklearn.base import clone

from sklearn_twins import SampleSpec
from sklearn_twins._parts._augmentation import bind
from sklearn_twins.augmentations import (
    AudioCrop,
    Augmentation,
    Chain,
    Cutout,
    FrequencyMask,
    GaussianNoise,
    HorizontalFlip,
    Identity,
    MarginalCorruption,
    Masking,
    Mixup,
    Pair,
    TimeCrop,
    make_views,
)
from sklearn_twins.preprocessing import AudioSpec, SeriesSpec, TableSpec

MIXED = TableSpec((5,), categories=(9,), sources=(0, 0, 1, 1, 2))
CPU = torch.device("cpu")


def rows():
    return torch.randn(40, 5, generator=seeded(1))


def plus_one(x, data, generator):
    return x + 1


def twice(x, data, generator):
    return 2 * x


class Told(Augmentation):
    """A user's augmentation that remembers what it was bound to."""

    def __init__(self, told=None):
        self.told = told

    def bind(self, spec, device):
        return Told((spec, device))

    def __call__(self, x, data, generator):
        return torch.full_like(x, self.told[0].n_numbers)


def test_steps_apply_in_order():
    x = rows()
    assert torch.equal(Chain([("plus", plus_one), ("twice", twice)])(x, x, seeded()), 2 * (x + 1))
    assert torch.equal(Chain([("twice", twice), ("plus", plus_one)])(x, x, seeded()), 2 * x + 1)


def test_steps_draw_one_after_another_from_one_generator():
    x, generator = rows(), seeded(5)
    chain = Chain([("corrupt", MarginalCorruption(0.5)), ("noise", GaussianNoise(0.3)), ("mix", Mixup())])
    expected = x
    for _, step in chain.steps:
        expected = step(expected, x, generator)
    assert torch.equal(chain(x, x, seeded(5)), expected)


def test_every_step_sees_the_training_rows():
    data = torch.full((3, 5), 7.0)
    chain = Chain([("zero", lambda x, data, generator: 0 * x), ("corrupt", MarginalCorruption(1.0))])
    assert (chain(rows(), data, seeded()) == 7).all()


def test_chains_and_pairs_nest():
    x = rows()
    inner = Chain([("plus", plus_one), ("twice", twice)])
    outer = Chain([("inner", inner), ("plus", plus_one)])
    assert torch.equal(outer.check()(x, x, seeded()), 2 * (x + 1) + 1)
    x_a, x_b = make_views(Pair(Identity(), inner).check(), x, x, seeded())
    assert torch.equal(x_a, x) and torch.equal(x_b, 2 * (x + 1))


def test_parameters_of_steps():
    chain = Chain([("corrupt", MarginalCorruption()), ("noise", GaussianNoise())])
    params = chain.get_params()
    assert params["corrupt__corruption_rate"] == "auto" and params["noise"] is chain.steps[1][1]
    assert set(chain.get_params(deep=False)) == {"steps"}
    assert chain.set_params(corrupt__corruption_rate=0.6, noise__scale=0.2) is chain
    assert repr(chain.steps[0][1]) == "MarginalCorruption(corruption_rate=0.6)"


def test_step_is_replaced_by_its_name():
    steps = [("a", GaussianNoise()), ("b", Masking())]
    chain = Chain(steps).set_params(a=Mixup(), a__max_weight=0.1)
    assert repr(chain.steps[0]) == "('a', Mixup(max_weight=0.1))"
    assert repr(steps[0][1]) == "GaussianNoise()", "the caller's list must not be written to"
    chain.set_params(steps=[("c", Identity())])
    assert [name for name, _ in chain.steps] == ["c"]


def test_unknown_parameter_is_refused():
    with pytest.raises(ValueError, match="Invalid parameter 'scal'"):
        Chain([("noise", GaussianNoise())]).set_params(noise__scal=1)
    with pytest.raises(ValueError, match="Invalid parameter 'nose'"):
        Chain([("noise", GaussianNoise())]).set_params(nose__scale=1)


def test_clone_and_pickle():
    chain = Chain([("corrupt", MarginalCorruption(0.6)), ("own", plus_one)])
    copy = clone(chain)
    assert copy.steps is not chain.steps and copy.steps[0][1] is not chain.steps[0][1]
    assert copy.get_params()["corrupt__corruption_rate"] == 0.6
    copy.set_params(corrupt__corruption_rate=0.1)
    assert chain.get_params()["corrupt__corruption_rate"] == 0.6
    again = pickle.loads(pickle.dumps(Chain([("corrupt", MarginalCorruption(0.6))])))
    assert repr(again) == "Chain(steps=[('corrupt', MarginalCorruption(corruption_rate=0.6))])"


def test_empty_chain_is_refused():
    with pytest.raises(ValueError, match="'steps' parameter of Chain is empty"):
        Chain([]).check()


@pytest.mark.parametrize("steps", [None, "noise", (("noise", GaussianNoise()),), {"noise": GaussianNoise()}])
def test_steps_must_be_a_list(steps):
    with pytest.raises(ValueError, match="'steps' parameter of Chain"):
        Chain(steps).check()


@pytest.mark.parametrize(
    "step", [GaussianNoise(), ("noise",), ("noise", "gaussian_noise"), (1, GaussianNoise()), ["noise", GaussianNoise()]]
)
def test_step_that_is_no_pair_is_refused(step):
    with pytest.raises(TypeError, match=r"\(name, augmentation\) tuple"):
        Chain([("first", Identity()), step]).check()


@pytest.mark.parametrize("names", [("a", "a"), ("a__b", "c"), ("steps", "b")])
def test_wrong_names_are_refused(names):
    with pytest.raises(ValueError, match="ames"):
        Chain([(name, Identity()) for name in names]).check()


def test_wrong_parameter_of_a_step_is_refused():
    with pytest.raises(ValueError, match="'scale' parameter of GaussianNoise"):
        Chain([("fine", Identity()), ("noise", GaussianNoise(scale=-1))]).check()
    with pytest.raises(ValueError, match="'scale' parameter of GaussianNoise"):
        Chain([("inner", Chain([("noise", GaussianNoise(scale=-1))]))]).check()


def test_bound_chain_applies_the_bound_steps():
    steps = [("corrupt", MarginalCorruption(0.5)), ("noise", GaussianNoise(0.3)), ("mask", Masking()), ("mix", Mixup())]
    x, generator = rows(), seeded(5)
    expected = x
    for _, step in steps:
        expected = bind(step, MIXED, CPU)(expected, x, generator)
    chain = Chain(steps)
    assert torch.equal(bind(chain, MIXED, CPU)(x, x, seeded(5)), expected)
    assert not torch.equal(chain(x, x, seeded(5)), expected)
    assert all(hasattr(step, "get_params") for _, step in chain.steps), "the steps are still components"


def test_steps_are_bound_in_whatever_holds_them():
    told = Told()
    for outer in (Chain([("a", told)]), Chain([("a", Chain([("b", twice), ("c", told)])), ("d", Identity())])):
        assert (bind(outer, MIXED, CPU)(rows(), rows(), seeded()) == 4).all()
    x_a, x_b = make_views(bind(Pair(told, Chain([("c", told)])), MIXED, CPU), rows(), rows(), seeded())
    assert (x_a == 4).all() and (x_b == 4).all() and told.told is None
    assert bind(told, MIXED, CPU).told == (MIXED, CPU)


def test_callables_that_cannot_be_bound_stay():
    assert bind(twice, MIXED, CPU) is twice
    chain = bind(Chain([("twice", twice), ("plus", plus_one)]), MIXED, CPU)
    assert chain.steps == [("twice", twice), ("plus", plus_one)]
    assert torch.equal(chain(rows(), rows(), seeded()), 2 * rows() + 1)


@pytest.mark.parametrize(
    ("augmentation", "spec"),
    [
        (FrequencyMask(), AudioSpec((64, 96))),
        (AudioCrop(), SeriesSpec((64, 96))),
        (Cutout(), AudioSpec((64, 96))),
        (Chain([("turn", HorizontalFlip())]), SeriesSpec((1, 30))),
        (TimeCrop(), MIXED),
    ],
)
def test_views_of_another_kind_are_refused(augmentation, spec):
    got = rf"makes views of .*Got samples of shape .* \({spec.kind}\)\. Use augmentation='auto'"
    with pytest.raises(ValueError, match=got):
        bind(augmentation, spec, CPU)


def test_samples_of_ones_own_are_judged_by_their_axes():
    x = torch.zeros(4, 3, 8)
    for augmentation in (TimeCrop(), AudioCrop()):
        assert bind(augmentation, SampleSpec((3, 8)), CPU)(x, x, seeded()).shape == x.shape
        with pytest.raises(ValueError, match=r"Got samples of shape \(8,\)\. Use"):
            bind(augmentation, SampleSpec((8,)), CPU)

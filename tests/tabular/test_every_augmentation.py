"""Promises of every augmentation of tables, for plain rows and rows with missing values, categories and a date."""

import pickle

import pytest
import torch
from builders import bound, image_spec, same, seeded, table_samples, table_spec
from sklearn.base import clone

from sklearn_twins._parts._augmentation import bind
from sklearn_twins.augmentations import Chain, GaussianNoise, Identity, MarginalCorruption, Masking, Mixup, Pair

SPECS = {
    "plain": table_spec(6),
    "categories": table_spec(6, categories=(5, 9)),
    "mixed": table_spec(6, missing=(1, 2), categories=(5, 9), sources=(0, 3, 3, 4, 1, 2)),
    "codes only": table_spec(2, categories=(5, 9)),
}
AUGMENTATIONS = [
    MarginalCorruption(0.5),
    Masking(0.5),
    GaussianNoise(0.5),
    Mixup(0.5),
    Chain([("corrupt", MarginalCorruption(0.5)), ("noise", GaussianNoise()), ("mask", Masking()), ("mix", Mixup())]),
    Pair(Identity(), Chain([("mix", Mixup(1.0)), ("corrupt", MarginalCorruption(1.0))])),
    Identity(),
]
every = pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda a: type(a).__name__)
every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
with_strength = pytest.mark.parametrize(
    ("kind", "parameter", "largest"),
    [
        (MarginalCorruption, "corruption_rate", 1),
        (Masking, "mask_rate", 1),
        (GaussianNoise, "scale", 5.0),
        (Mixup, "max_weight", 1),
    ],
)


@every
@every_spec
def test_view_has_the_shape_and_type_of_the_batch_and_is_new(augmentation, spec):
    """With more or fewer rows in the batch than in the data."""
    for n, n_data, dtype in [(1, 11, torch.float32), (7, 1, torch.float64), (300, 11, torch.float32), (9, 0, None)]:
        x = table_samples(spec, n, dtype=dtype or torch.float32)
        data = table_samples(spec, n_data, seed=2, dtype=dtype) if dtype else x
        before = x.clone(), data.clone()
        view = bound(augmentation, spec)(x, data, seeded())
        assert view.shape == x.shape and view.dtype == x.dtype
        view += 1
        assert same(x, before[0]) and same(data, before[1])


@every
@every_spec
def test_same_generator_state_same_view(augmentation, spec):
    """For any memory layout, and without changing the augmentation."""
    component = clone(augmentation)
    before, x, generator = (repr(component), pickle.dumps(component)), table_samples(spec), seeded(3)
    views, state = bound(component, spec), generator.get_state()
    first, second = views(x, x, generator), views(x, x, generator)
    generator.set_state(state)
    other_layout = x.T.contiguous().T
    assert not other_layout.is_contiguous()
    assert same(bound(augmentation, spec)(other_layout, other_layout, generator), first)
    nothing_drawn = isinstance(augmentation, Identity) or (
        isinstance(augmentation, GaussianNoise) and spec.n_numbers == 0
    )
    assert same(first, second) == same(first, views(x, x, seeded(4))) == nothing_drawn
    assert (repr(component), pickle.dumps(component)) == before


@every
@every_spec
def test_codes_stay_codes_and_parts_of_a_date_are_missing_together(augmentation, spec):
    x = table_samples(spec, 500)
    view = bound(augmentation, spec)(x, table_samples(spec, 50, seed=2), seeded())
    for column, n_codes in zip(view[:, spec.n_numbers :].T, spec.categories, strict=True):
        assert set(column.tolist()) <= set(range(n_codes))
    missing = view.isnan()
    others = [j for j in range(len(view.T)) if j not in spec.missing]
    assert not missing[:, others].any()
    if spec.missing:
        assert torch.equal(missing[:, 1], missing[:, 2]) and 0 < missing[:, 1].sum() < 500


@every
@pytest.mark.parametrize("spec", [SPECS["plain"], SPECS["mixed"]], ids=["plain", "mixed"])
def test_global_settings_do_not_matter_and_do_not_change(augmentation, spec):
    """The global generator, the default dtype, the default device."""
    x = table_samples(spec)
    expected = bound(augmentation, spec)(x, x, seeded())
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for dtype, device in [(torch.float32, None), (torch.float64, None), (torch.float32, "meta")]:
        generator = seeded()
        torch.set_default_dtype(dtype)
        torch.set_default_device(device)
        try:
            found = bound(augmentation, spec)(x, x, generator)
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)
        assert same(found, expected) and torch.equal(torch.get_rng_state(), before)


@every
def test_binding_to_plain_rows_changes_no_bit(augmentation):
    """Nor of categories, for augmentations that replace whole values."""
    whole = isinstance(augmentation, (MarginalCorruption, Masking, Identity))
    for spec in [SPECS["plain"], *[SPECS["categories"]] * whole]:
        x = table_samples(spec)
        assert same(bound(augmentation, spec)(x, x, seeded()), augmentation(x, x, seeded()))


@pytest.mark.parametrize("augmentation", [Masking(0.5), GaussianNoise(0.5), Mixup(0.5), Identity()], ids=str)
def test_samples_of_any_shape(augmentation):
    """Images, for example."""
    x = torch.randn(5, 4, 6, 3, generator=seeded(1))
    view = bound(augmentation, image_spec((4, 6, 3)))(x, x, seeded())
    assert same(view, augmentation(x, x, seeded())) and view.data_ptr() != x.data_ptr()
    assert ((view != x).flatten(1).any(1) != isinstance(augmentation, Identity)).all()


@with_strength
@every_spec
def test_strength_zero_is_the_identity(kind, parameter, largest, spec):
    """As a new tensor, even if other rows are missing."""
    x = table_samples(spec)
    for strength, data in [(0, table_samples(spec, 20, seed=2)), (0.0, torch.full_like(x, torch.nan))]:
        view = bound(kind(strength), spec)(x, data, seeded())
        assert same(view, x) and view.data_ptr() != x.data_ptr()


@with_strength
def test_strengths_are_checked(kind, parameter, largest):
    component = kind(largest)
    assert component.check() is component
    for strength in [-0.01, "0.3", None, float("nan"), float("inf"), *[1.01] * (kind is not GaussianNoise)]:
        with pytest.raises(ValueError, match=f"'{parameter}' parameter of {kind.__name__}"):
            kind(strength).check()


@with_strength
def test_clone_parameters_and_pickle(kind, parameter, largest):
    component = kind().set_params(**{parameter: 0.7})
    copy = clone(component)
    assert copy is not component and copy.get_params() == component.get_params()
    assert copy.get_params()[parameter] == 0.7
    assert repr(pickle.loads(pickle.dumps(component))) == f"{kind.__name__}({parameter}=0.7)"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA can use")
@every
def test_views_are_made_where_the_batch_is(augmentation):
    for spec in SPECS.values():
        x, data = table_samples(spec, 100).cuda(), table_samples(spec, 70_000, seed=2).cuda()
        views = bind(augmentation, spec, x.device)
        first, second = (views(x, data, torch.Generator(device="cuda").manual_seed(0)) for _ in range(2))
        assert first.device.type == "cuda" and same(first, second)

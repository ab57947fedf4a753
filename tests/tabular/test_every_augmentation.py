"""What holds for every augmentation, of plain rows and of rows with missing values, categories and a date."""

import pickle

import pytest
import torch
from sklearn.base import clone

from sklearn_twins import SampleSpec
from sklearn_twins._parts._augmentation import bind
from sklearn_twins.augmentations import Chain, GaussianNoise, Identity, MarginalCorruption, Masking, Mixup, Pair
from sklearn_twins.preprocessing import TableSpec

NAN = float("nan")
SPECS = {
    "plain": TableSpec((6,)),
    "categories": TableSpec((6,), categories=(5, 9)),
    "mixed": TableSpec((6,), missing=(1, 2), categories=(5, 9), sources=(0, 3, 3, 4, 1, 2)),
    "codes only": TableSpec((2,), categories=(5, 9)),
}
AUGMENTATIONS = [
    MarginalCorruption(0.5),
    Masking(0.5),
    GaussianNoise(0.5),
    Mixup(0.5),
    Chain([("corrupt", MarginalCorruption(0.5)), ("noise", GaussianNoise()), ("mask", Masking()), ("mix", Mixup())]),
    Pair(Identity(), Chain([("mix", Mixup(1.0)), ("corrupt", MarginalCorruption(1.0))])),
]
every_random = pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda a: type(a).__name__)
every = pytest.mark.parametrize("augmentation", [*AUGMENTATIONS, Identity()], ids=lambda a: type(a).__name__)
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


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(spec, n=64, seed=1, dtype=torch.float32):
    """Numbers, the parts of a date missing together, then codes."""
    generator = seeded(seed)
    x = torch.randn(n, spec.n_numbers, generator=generator, dtype=dtype)
    if spec.missing:
        x[torch.rand(n, generator=generator) < 0.3, 1:3] = NAN
    return torch.column_stack([x, *(torch.randint(c, (n,), generator=generator).to(dtype) for c in spec.categories)])


def bound(augmentation, spec):
    return bind(augmentation, spec, torch.device("cpu"))


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


@every
@every_spec
@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept(augmentation, spec, n, dtype):
    """Batches may hold more rows than the data, which may be one, and fewer."""
    x = rows(spec, n, dtype=dtype)
    for n_data in (1, 11):
        view = bound(augmentation, spec)(x, rows(spec, n_data, seed=2, dtype=dtype), seeded())
        assert view.shape == x.shape and view.dtype == dtype


@every
@every_spec
def test_inputs_are_not_modified_nor_shared(augmentation, spec):
    x, data = rows(spec), rows(spec, 20, seed=2)
    before = x.clone(), data.clone()
    for training in (x, data):
        view = bound(augmentation, spec)(x, training, seeded())
        view += 1
    assert same(x, before[0]) and same(data, before[1])


@every_random
@every_spec
def test_same_generator_state_same_view(augmentation, spec):
    x, generator, views = rows(spec), seeded(3), bound(augmentation, spec)
    state = generator.get_state()
    first, second = views(x, x, generator), views(x, x, generator)
    generator.set_state(state)
    again, other = bound(augmentation, spec)(x, x, generator), views(x, x, seeded(4))
    assert same(again, first)
    noise_of_codes = isinstance(augmentation, GaussianNoise) and spec.n_numbers == 0
    assert same(first, second) == same(first, other) == noise_of_codes


@every
@every_spec
def test_codes_stay_codes_of_their_column(augmentation, spec):
    x = rows(spec, 500)
    codes = bound(augmentation, spec)(x, x, seeded())[:, spec.n_numbers :]
    for column, n_codes in zip(codes.T, spec.categories, strict=True):
        assert set(column.tolist()) <= set(range(n_codes))


@every
def test_parts_of_a_date_are_missing_together(augmentation):
    spec = SPECS["mixed"]
    missing = bound(augmentation, spec)(rows(spec, 500), rows(spec, 50, seed=2), seeded()).isnan()
    assert torch.equal(missing[:, 1], missing[:, 2])
    assert 0 < missing[:, 1].sum() < 500 and not missing[:, [0, 3, 4, 5]].any()


@every
@every_spec
@pytest.mark.parametrize("setting", ["no setting", "float64", "meta"])
def test_caller_s_global_settings_neither_matter_nor_change(augmentation, spec, setting):
    """The global generator, the default dtype, the default device."""
    x = rows(spec)
    expected = bound(augmentation, spec)(x, x, seeded())
    torch.manual_seed(7)
    before, generator = torch.get_rng_state(), seeded()
    torch.set_default_dtype(torch.float64 if setting == "float64" else torch.float32)
    torch.set_default_device("meta" if setting == "meta" else None)
    try:
        found = bound(augmentation, spec)(x, x, generator)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert same(found, expected) and torch.equal(torch.get_rng_state(), before)


@every
@every_spec
def test_memory_layout_does_not_matter(augmentation, spec):
    x = rows(spec)
    other = x.T.contiguous().T
    assert not other.is_contiguous()
    assert same(bound(augmentation, spec)(other, other, seeded()), bound(augmentation, spec)(x, x, seeded()))


@every
def test_binding_to_plain_rows_changes_no_bit(augmentation):
    x = rows(SPECS["plain"])
    assert same(bound(augmentation, SPECS["plain"])(x, x, seeded()), augmentation(x, x, seeded()))


@pytest.mark.parametrize("augmentation", [MarginalCorruption(0.5), Masking(0.5), Identity()], ids=str)
def test_binding_to_columns_of_their_own_changes_no_bit(augmentation):
    """Where a value is replaced whole, a category is like a number."""
    x = rows(SPECS["categories"])
    assert same(bound(augmentation, SPECS["categories"])(x, x, seeded()), augmentation(x, x, seeded()))


@every
@every_spec
def test_binding_leaves_the_component_as_it_was(augmentation, spec):
    component = clone(augmentation)
    before = repr(component), pickle.dumps(component)
    bound(component, spec)
    assert (repr(component), pickle.dumps(component)) == before


@pytest.mark.parametrize("augmentation", [Masking(0.5), GaussianNoise(0.5), Mixup(0.5), Identity()], ids=str)
def test_samples_of_any_shape(augmentation):
    """Images, say: n_numbers is of tables only."""
    x = torch.randn(5, 4, 6, 3, generator=seeded(1))
    view = bound(augmentation, SampleSpec((4, 6, 3)))(x, x, seeded())
    assert same(view, augmentation(x, x, seeded())) and view.data_ptr() != x.data_ptr()
    assert ((view != x).flatten(1).any(1) != isinstance(augmentation, Identity)).all()


@with_strength
@every_spec
@pytest.mark.parametrize("strength", [0, 0.0])
def test_strength_zero_is_the_identity(kind, parameter, largest, spec, strength):
    x = rows(spec)
    view = bound(kind(strength), spec)(x, rows(spec, 20, seed=2), seeded())
    assert same(view, x) and view.data_ptr() != x.data_ptr()


@with_strength
@pytest.mark.parametrize("strength", [-0.01, "0.3", None, NAN, float("inf")])
def test_wrong_strength_is_refused(kind, parameter, largest, strength):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {kind.__name__}"):
        kind(strength).check()


@with_strength
def test_largest_strength(kind, parameter, largest):
    component = kind(largest)
    assert component.check() is component
    if kind is not GaussianNoise:
        with pytest.raises(ValueError, match=f"'{parameter}' parameter of {kind.__name__}"):
            kind(1.01).check()


@with_strength
def test_clone_parameters_and_pickle(kind, parameter, largest):
    component = kind().set_params(**{parameter: 0.7})
    copy = clone(component)
    assert copy is not component and copy.get_params() == component.get_params()
    assert copy.get_params()[parameter] == 0.7
    assert repr(pickle.loads(pickle.dumps(component))) == f"{kind.__name__}({parameter}=0.7)"


@pytest.mark.gpu
@every_random
@every_spec
def test_views_are_made_where_the_batch_is(augmentation, spec):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    x, data = rows(spec, 100).cuda(), rows(spec, 70_000, seed=2).cuda()
    views = bind(augmentation, spec, x.device)
    first, second = (views(x, data, torch.Generator(device="cuda").manual_seed(0)) for _ in range(2))
    assert first.device.type == "cuda" and same(first, second)
    noise_of_codes = isinstance(augmentation, GaussianNoise) and spec.n_numbers == 0
    assert same(first, x) == noise_of_codes

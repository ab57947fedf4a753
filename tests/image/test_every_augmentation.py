"""What holds for every augmentation of images, of any size and number of channels."""

import pickle

import pytest
import torch
from sklearn.base import clone

from sklearn_twins._parts._augmentation import bind
from sklearn_twins.augmentations import (
    Chain,
    ColorJitter,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    Grayscale,
    HorizontalFlip,
    Identity,
    ImageViews,
    MarginalCorruption,
    Masking,
    Mixup,
    Pair,
    RandomResizedCrop,
    Solarize,
    barlow_twins_pair,
    make_views,
)
from sklearn_twins.preprocessing import ImageSpec

OF_IMAGES = [
    RandomResizedCrop(),
    HorizontalFlip(),
    ColorJitter(),
    Grayscale(0.5),
    GaussianBlur(),
    Solarize(probability=0.5),
    Cutout(probability=0.5),
    ImageViews(),
    Chain([("crop", RandomResizedCrop()), ("flip", HorizontalFlip()), ("cut", Cutout()), ("blur", GaussianBlur())]),
]
OF_ANYTHING = [MarginalCorruption(0.5), Masking(0.5), GaussianNoise(0.1), Mixup(0.5)]
SHAPES = [(3, 32, 32), (1, 28, 28), (4, 8, 8), (10, 5, 7), (3, 1, 9), (3, 1, 1), (1, 9, 1), (2, 2, 3)]


def name_of(augmentation):
    return type(augmentation).__name__


of_images = pytest.mark.parametrize("augmentation", OF_IMAGES, ids=name_of)
of_all = pytest.mark.parametrize("augmentation", [*OF_IMAGES, *OF_ANYTHING, Identity()], ids=name_of)
FAST = SHAPES[2:6]
every_shape = pytest.mark.parametrize(
    "shape", [shape if shape in FAST else pytest.param(shape, marks=pytest.mark.slow) for shape in SHAPES], ids=str
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def of_bytes(n, shape, seed=1):
    return torch.randint(0, 256, (n, *shape), generator=seeded(seed), dtype=torch.uint8)


def images(n, shape, seed=1, dtype=torch.float32):
    return of_bytes(n, shape, seed).to(dtype) / 255


def bound(augmentation, shape, device="cpu"):
    return bind(augmentation, ImageSpec(shape), torch.device(device))


def layouts(x):
    """The same images in other memory orders, one of them no dense block of memory."""
    wide = torch.zeros(*x.shape[:3], 2 * x.shape[3], dtype=x.dtype)
    wide[..., ::2] = x
    return (
        x.contiguous(memory_format=torch.channels_last),
        x.transpose(1, 2).contiguous().transpose(1, 2),
        wide[..., ::2],
    )


@pytest.mark.slow
@of_images
@every_shape
@pytest.mark.parametrize("n", [1, 2, 90])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept(augmentation, shape, n, dtype):
    x = images(n, shape, dtype=dtype)
    view = bound(augmentation, shape)(x, x, seeded())
    assert view.shape == x.shape and view.dtype == dtype
    assert view.min() >= 0 and view.max() <= 1 + 1e-5


@of_all
@every_shape
def test_bytes_are_made_intensities_once(augmentation, shape):
    """Views of bytes are those of the intensities, of the training samples too."""
    x, data = of_bytes(40, shape), of_bytes(9, shape, seed=2)
    found = make_views(bound(augmentation, shape), x, data, seeded())
    expected = make_views(bound(augmentation, shape), x / 255, data / 255, seeded())
    for view, other in zip(found, expected, strict=True):
        assert view.dtype == torch.float32 and torch.allclose(view, other, atol=1e-6)


@of_images
def test_bytes_may_be_given_to_a_component_itself(augmentation):
    x = of_bytes(20, (3, 8, 8))
    assert torch.allclose(augmentation(x, x, seeded()), augmentation(x / 255, x, seeded()), atol=1e-6)


@pytest.mark.slow
@of_all
@every_shape
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_inputs_are_not_modified_nor_shared(augmentation, shape, dtype):
    x = of_bytes(20, shape) if dtype == torch.uint8 else images(20, shape)
    before = x.clone()
    for layout in (x, *layouts(x)):
        for view in make_views(bound(augmentation, shape), layout, layout, seeded()):
            view += 1
        assert torch.equal(layout, before)


@pytest.mark.slow
@of_all
@every_shape
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_memory_layout_does_not_matter(augmentation, shape, dtype):
    x = of_bytes(20, shape) if dtype == torch.uint8 else images(20, shape)
    expected = make_views(bound(augmentation, shape), x, x, seeded())
    for layout in layouts(x):
        assert torch.equal(layout, x)
        for view, other in zip(make_views(bound(augmentation, shape), layout, layout, seeded()), expected, strict=True):
            assert torch.allclose(view, other, atol=1e-6)


@of_images
@every_shape
def test_same_generator_state_same_view(augmentation, shape):
    x, generator, views = images(50, shape), seeded(3), bound(augmentation, shape)
    state = generator.get_state()
    first, second = views(x, x, generator), views(x, x, generator)
    generator.set_state(state)
    assert torch.equal(bound(augmentation, shape)(x, x, generator), first)
    unbound = augmentation(x, x, seeded(3))
    assert torch.allclose(unbound, first, atol=5e-6), "unbound, the shape is that of x"
    if min(shape[1:]) > 4 and (shape[0] in (3, 4) or not isinstance(augmentation, Grayscale)):
        assert not torch.allclose(first, second, atol=1e-3)


@of_images
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 8, 8)], ids=str)
def test_images_are_independent(augmentation, shape):
    """Another image in some places, in each block, changes no other image's view."""
    x = images(100, shape)
    other = x.clone()
    other[::7] = images(100, shape, seed=9)[::7]
    views = bound(augmentation, shape)
    view, changed = views(x, x, seeded()), views(other, other, seeded())
    kept = torch.arange(100) % 7 != 0
    assert torch.equal(view[kept], changed[kept])


@of_images
def test_images_are_changed_each_in_its_own_way(augmentation):
    x = images(1, (3, 16, 16)).expand(200, -1, -1, -1)
    view = augmentation(x, x, seeded())
    n_kinds = len(view.flatten(1).unique(dim=0))
    few = isinstance(augmentation, (HorizontalFlip, Grayscale, Solarize))
    assert n_kinds == 2 if few else n_kinds > 80


@of_all
@pytest.mark.parametrize("setting", ["no setting", "float64", "meta"])
def test_caller_s_global_settings_neither_matter_nor_change(augmentation, setting):
    """The global generator, the default dtype, the default device."""
    shape = (3, 8, 9)
    x = of_bytes(20, shape)
    expected = make_views(bound(augmentation, shape), x, x, seeded())
    torch.manual_seed(7)
    before, generator = torch.get_rng_state(), seeded()
    torch.set_default_dtype(torch.float64 if setting == "float64" else torch.float32)
    torch.set_default_device("meta" if setting == "meta" else None)
    try:
        found = make_views(bound(augmentation, shape), x, x, generator)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "augmentation",
    [
        HorizontalFlip(0),
        ColorJitter(probability=0),
        Grayscale(0),
        GaussianBlur(probability=0),
        Solarize(probability=0),
        Cutout(probability=0),
        Cutout(size=0),
        Chain([("flip", HorizontalFlip(0.0)), ("gray", Grayscale(0.0))]),
    ],
    ids=str,
)
@every_shape
def test_probability_zero_is_the_identity(augmentation, shape):
    x = images(30, shape)
    for make in (augmentation, bound(augmentation, shape)):
        view = make(x, x, seeded())
        assert torch.equal(view, x) and view.data_ptr() != x.data_ptr()


PARAMETERS = [(type(a), name) for a in OF_IMAGES[:-1] for name in a.get_params()]


@pytest.mark.parametrize(("kind", "name"), PARAMETERS)
@pytest.mark.parametrize("value", [-0.01, None, "0.3", float("nan"), (2.0, 1.0)])
def test_wrong_parameters_are_refused(kind, name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {kind.__name__}"):
        kind(**{name: value}).check()


@pytest.mark.parametrize("kind", [type(a) for a in OF_IMAGES[:-1]])
def test_defaults_pass(kind):
    component = kind()
    assert component.check() is component


@of_images
def test_clone_and_pickle(augmentation):
    copy = clone(augmentation)
    assert copy is not augmentation and repr(copy) == repr(augmentation)
    assert repr(pickle.loads(pickle.dumps(augmentation))) == repr(augmentation)


@of_images
def test_binding_leaves_the_component_as_it_was(augmentation):
    before = pickle.dumps(augmentation)
    bound(augmentation, (3, 64, 64))
    assert pickle.dumps(augmentation) == before


@pytest.mark.gpu
@pytest.mark.parametrize("augmentation", [*OF_IMAGES, *OF_ANYTHING, Identity(), barlow_twins_pair()], ids=name_of)
@every_shape
def test_views_are_made_where_the_batch_is(augmentation, shape):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    x, data = of_bytes(100, shape).cuda(), of_bytes(9, shape, seed=2).cuda()
    views = bound(augmentation, shape, "cuda")
    first, second = (make_views(views, x, data, torch.Generator(device="cuda").manual_seed(0)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.device.type == "cuda" and torch.equal(a, b)


@pytest.mark.gpu
@of_images
def test_gpu_makes_the_views_of_the_cpu(augmentation):
    """From the same draws, made on the CPU."""
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    shape = (3, 24, 20)
    x = images(100, shape)
    on_cpu, on_gpu = (bound(Chain([("only", augmentation)]), shape, device).steps[0][1] for device in ("cpu", "cuda"))
    drawn = on_cpu.draw(len(x), seeded())

    def moved(numbers):
        return (
            tuple(map(moved, numbers)) if isinstance(numbers, tuple) else numbers if numbers is None else numbers.cuda()
        )

    view = on_gpu.apply(x.cuda(), moved(drawn), masked=True)
    assert torch.allclose(view.cpu(), on_cpu.apply(x, drawn), atol=1e-5)


def test_pair_of_images_is_bound():
    x = of_bytes(30, (3, 16, 16))
    x_a, x_b = make_views(bound(Pair(Identity(), RandomResizedCrop()), (3, 16, 16)), x, x, seeded())
    assert torch.equal(x_a, x / 255) and torch.allclose(x_b, RandomResizedCrop()(x, x, seeded()), atol=1e-6)

"""The contract of all augmentations of images, at any size and number of channels."""

import pickle

import pytest
import torch
from builders import bound, byte_images, image_spec, images, seeded
from sklearn.base import clone

from sklearn_twins._image._operations import draw_all
from sklearn_twins._parts._augmentation import bind
from sklearn_twins.augmentations import (
    Chain,
    ColorJitter,
    Cutout,
    ElasticTransform,
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
    RandomRotation,
    RandomTranslation,
    Solarize,
    barlow_twins_pair,
    make_views,
)

OF_IMAGES = [
    RandomResizedCrop(),
    HorizontalFlip(),
    ColorJitter(),
    Grayscale(0.5),
    GaussianBlur(),
    Solarize(probability=0.5),
    Cutout(probability=0.5),
    RandomRotation(90),
    RandomTranslation(0.5, 0.5, padding_mode="zeros"),
    ElasticTransform(0.2, padding_mode="reflection"),
    ImageViews(),
    Chain([("crop", RandomResizedCrop()), ("flip", HorizontalFlip()), ("cut", Cutout()), ("blur", GaussianBlur())]),
]
OF_ANYTHING = [MarginalCorruption(0.5), Masking(0.5), GaussianNoise(0.1), Mixup(0.5), Identity()]
SHAPES = [(3, 32, 32), (1, 28, 28), (4, 8, 8), (10, 5, 7), (3, 1, 9), (3, 1, 1), (1, 9, 1), (2, 2, 3)]


def name_of(augmentation):
    return type(augmentation).__name__


of_images = pytest.mark.parametrize("augmentation", OF_IMAGES, ids=name_of)
of_all = pytest.mark.parametrize("augmentation", [*OF_IMAGES, *OF_ANYTHING], ids=name_of)


def bind_to(augmentation, shape):
    return bound(augmentation, image_spec(shape))


def layouts(x):
    """The same images in other memory orders, one of them not dense."""
    wide = torch.zeros(*x.shape[:3], 2 * x.shape[3], dtype=x.dtype)
    wide[..., ::2] = x
    return (
        x.contiguous(memory_format=torch.channels_last),
        x.transpose(1, 2).contiguous().transpose(1, 2),
        wide[..., ::2],
    )


@of_images
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept(augmentation, dtype):
    for shape, n in zip(SHAPES, [90, 1, 2] * 3, strict=False):
        x = images(n, shape, dtype=dtype)
        view = bind_to(augmentation, shape)(x, x, seeded())
        assert view.shape == x.shape and view.dtype == dtype
        assert view.min() >= 0 and view.max() <= 1 + 1e-5


@pytest.mark.slow
@of_all
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_views_depend_on_values_only(augmentation, shape):
    """Bytes give the views of their intensities, in any memory order; nothing is written to the batch."""
    x, data = byte_images(20, shape), byte_images(9, shape, seed=2)
    views = bind_to(augmentation, shape)
    expected = make_views(views, x / 255, data / 255, seeded())
    for batch in (x, *layouts(x), *layouts(x / 255)):
        before = batch.clone()
        found = make_views(views, batch, data if batch.dtype == torch.uint8 else data / 255, seeded())
        for view, other in zip(found, expected, strict=True):
            assert view.dtype == torch.float32 and torch.allclose(view, other, atol=1e-6)
            view += 1
        assert torch.equal(batch, before)


@of_images
def test_bytes_may_be_given_to_a_component_itself(augmentation):
    x = byte_images(20, (3, 8, 8))
    assert torch.allclose(augmentation(x, x, seeded()), augmentation(x / 255, x, seeded()), atol=1e-6)


@of_images
@pytest.mark.parametrize("shape", SHAPES[2:6], ids=str)
def test_same_generator_state_same_view(augmentation, shape):
    x, generator, views = images(50, shape), seeded(3), bind_to(augmentation, shape)
    state = generator.get_state()
    first, second = views(x, x, generator), views(x, x, generator)
    generator.set_state(state)
    assert torch.equal(bind_to(augmentation, shape)(x, x, generator), first)
    assert torch.allclose(augmentation(x, x, seeded(3)), first, atol=5e-6), "unbound, the shape is that of x"
    if min(shape[1:]) > 4 and (shape[0] in (3, 4) or not isinstance(augmentation, Grayscale)):
        assert not torch.allclose(first, second, atol=1e-3)


@of_images
@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_images_are_independent(augmentation, shape):
    """Another image in some places of each block changes no other image's view."""
    x = images(100, shape)
    other = x.clone()
    other[::7] = images(100, shape, seed=9)[::7]
    views = bind_to(augmentation, shape)
    view, changed = views(x, x, seeded()), views(other, other, seeded())
    kept = torch.arange(100) % 7 != 0
    assert torch.equal(view[kept], changed[kept])


@of_images
def test_each_image_is_changed_by_its_own_numbers(augmentation):
    x = images(1, (3, 16, 16)).expand(200, -1, -1, -1)
    view = augmentation(x, x, seeded())
    n_kinds = len(view.flatten(1).unique(dim=0))
    two_kinds = isinstance(augmentation, (HorizontalFlip, Grayscale, Solarize))
    assert n_kinds == 2 if two_kinds else n_kinds > 80


@of_all
@pytest.mark.parametrize("setting", ["no setting", "float64", "meta"])
def test_caller_s_global_settings_neither_matter_nor_change(augmentation, setting):
    """The global generator, the default dtype, the default device."""
    shape = (3, 8, 9)
    x = byte_images(20, shape)
    expected = make_views(bind_to(augmentation, shape), x, x, seeded())
    torch.manual_seed(7)
    before, generator = torch.get_rng_state(), seeded()
    torch.set_default_dtype(torch.float64 if setting == "float64" else torch.float32)
    torch.set_default_device("meta" if setting == "meta" else None)
    try:
        found = make_views(bind_to(augmentation, shape), x, x, generator)
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
        ColorJitter(0, 0, 0, 0, 1.0),
        Grayscale(0),
        GaussianBlur(probability=0),
        GaussianBlur((0, 0), 1.0),
        Solarize(probability=0),
        Cutout(probability=0),
        Cutout(size=0),
        RandomRotation(0),
        RandomTranslation(0, 0),
        ElasticTransform(0),
        Chain([("flip", HorizontalFlip(0.0)), ("gray", Grayscale(0.0))]),
    ],
    ids=str,
)
def test_nothing_to_do_is_the_identity(augmentation):
    for shape in SHAPES:
        x = images(30, shape)
        for make in (augmentation, bind_to(augmentation, shape)):
            view = make(x, x, seeded())
            assert torch.equal(view, x) and view.data_ptr() != x.data_ptr()


@of_images
def test_no_image_at_all(augmentation):
    x = images(0, (3, 8, 8))
    assert augmentation(x, x, seeded()).shape == (0, 3, 8, 8)


PARAMETERS = [(type(a), name) for a in OF_IMAGES[:-1] for name in a.get_params()]
PAIRS = [(RandomResizedCrop, "scale"), (RandomResizedCrop, "ratio"), (GaussianBlur, "sigma")]
NO_PAIRS = [(-0.1, 1.0), (2.0, 1.0), (0.5,), (0.1, 0.5, 1.0), ("a", "b"), (0.1, float("nan"))]


@pytest.mark.parametrize(("kind", "name"), PARAMETERS)
def test_wrong_parameters_are_refused(kind, name):
    for value in [-0.01, None, "0.3", float("nan"), (2.0, 1.0)]:
        with pytest.raises(ValueError, match=f"'{name}' parameter of {kind.__name__}"):
            kind(**{name: value}).check()
    assert kind().check()


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *((kind, name, value) for kind, name in PAIRS for value in NO_PAIRS),
        (RandomResizedCrop, "scale", (0.0, 1.0)),
        (RandomResizedCrop, "scale", (0.1, 1.1)),
        (RandomResizedCrop, "ratio", (0.0, 1.0)),
    ],
)
def test_wrong_pairs_are_refused(kind, name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {kind.__name__} must be two numbers"):
        kind(**{name: value}).check()


@of_images
def test_clone_pickle_and_bind_leave_the_component_as_it_is(augmentation):
    before = pickle.dumps(augmentation)
    bind_to(augmentation, (3, 64, 64))
    assert pickle.dumps(augmentation) == before
    for copy in (clone(augmentation), pickle.loads(before)):
        assert copy is not augmentation and repr(copy) == repr(augmentation)


@of_images
def test_tables_are_refused(augmentation):
    if isinstance(augmentation, Chain):
        augmentation = augmentation.steps[0][1]
    x = torch.zeros(5, 4)
    for call in (lambda: augmentation(x, x, seeded()), lambda: bind_to(augmentation, (4,))):
        with pytest.raises(ValueError, match=f"{name_of(augmentation)} makes views of images"):
            call()


def test_pair_of_images_is_bound():
    x = byte_images(30, (3, 16, 16))
    x_a, x_b = make_views(bind_to(Pair(Identity(), RandomResizedCrop()), (3, 16, 16)), x, x, seeded())
    assert torch.equal(x_a, x / 255) and torch.allclose(x_b, RandomResizedCrop()(x, x, seeded()), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("augmentation", [*OF_IMAGES, *OF_ANYTHING, barlow_twins_pair()], ids=name_of)
def test_views_are_made_where_the_batch_is(augmentation):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    for shape in SHAPES:
        x, data = byte_images(100, shape).cuda(), byte_images(9, shape, seed=2).cuda()
        views = bind(augmentation, image_spec(shape), torch.device("cuda"))
        first, second = (make_views(views, x, data, torch.Generator(device="cuda").manual_seed(0)) for _ in range(2))
        for a, b in zip(first, second, strict=True):
            assert a.device.type == "cuda" and torch.equal(a, b)


def to_gpu(drawn):
    return tuple(map(to_gpu, drawn)) if isinstance(drawn, tuple) else drawn if drawn is None else drawn.cuda()


@pytest.mark.gpu
@of_images
def test_gpu_makes_the_views_of_the_cpu(augmentation):
    """From the same draws, made on the CPU."""
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    shape = (3, 24, 20)
    x, chain = images(100, shape), Chain([("only", augmentation)])
    on_cpu, on_gpu = (bind(chain, image_spec(shape), torch.device(d)).steps[0][1] for d in ("cpu", "cuda"))
    drawn = draw_all(on_cpu.steps, len(x), seeded())
    view = on_gpu.apply(x.cuda(), to_gpu(drawn), masked=True)
    assert torch.allclose(view.cpu(), on_cpu.apply(x, drawn), atol=1e-5)

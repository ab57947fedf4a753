"""How views of images are made: blocks, images left out by either way, neighbours fused, bytes as intensities."""

import pytest
import torch

from sklearn_twins._image import _operations as _images
from sklearn_twins._image._operations import BLOCK, ImageSteps, Operation, columns_first, rows_first
from sklearn_twins._parts._augmentation import bind, to_intensities
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
    RandomResizedCrop,
    Solarize,
)
from sklearn_twins.preprocessing import ImageSpec

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*shape, seed=1):
    return torch.rand(shape, generator=seeded(seed))


def bound(augmentation, shape):
    return bind(augmentation, ImageSpec(shape), CPU)


def steps_of(chain):
    return [type(step).__name__ for _, step in chain.steps]


RECIPES = [
    Chain([("crop", RandomResizedCrop()), ("flip", HorizontalFlip())]),
    Chain([("flip", HorizontalFlip(1.0)), ("crop", RandomResizedCrop()), ("blur", GaussianBlur((0.5, 2.0)))]),
    Chain([("blur", GaussianBlur((0.5, 2.0), 0.4)), ("flip", HorizontalFlip(0.3))]),
    Chain([("blur", GaussianBlur((0.5, 2.0), 1.0)), ("crop", RandomResizedCrop()), ("jitter", ColorJitter())]),
    Chain([("views", ImageViews()), ("cut", Cutout(probability=0.5)), ("flip", HorizontalFlip())]),
]


@pytest.mark.parametrize("chain", RECIPES, ids=range(len(RECIPES)))
@pytest.mark.parametrize("shape", [(3, 16, 12), (1, 9, 9), (4, 5, 7)])
def test_fused_chain_makes_the_views_of_its_steps(chain, shape):
    """The same numbers are drawn; products along an axis are taken in another order."""
    x = images(70, *shape)
    fused = bound(chain, shape)
    assert steps_of(fused) == ["ImageSteps"]
    assert torch.allclose(fused(x, x, seeded()), chain(x, x, seeded()), atol=5e-6)


def test_flip_behind_a_crop_is_done_in_it():
    views = bound(ImageViews(), (3, 64, 64))
    assert len(views.operations) == 6 and len(views.steps) == 5
    assert len(bound(RECIPES[0], (3, 8, 8)).steps[0][1].steps) == 1
    assert len(bound(RECIPES[1], (3, 8, 8)).steps[0][1].steps) == 3, "a flip before it is not"


def test_what_is_of_another_kind_is_not_fused():
    chain = Chain([("a", HorizontalFlip()), ("b", GaussianNoise()), ("c", HorizontalFlip()), ("d", Grayscale())])
    fused = bound(chain, (3, 8, 8))
    assert steps_of(fused) == ["ImageSteps", "GaussianNoise", "ImageSteps"]
    assert [name for name, _ in fused.steps] == ["a", "b", "c"]
    assert ImageSteps([], (3, 8, 8)).fused_with(ImageSteps([], (1, 8, 8))) is None
    assert steps_of(bound(Chain([("a", Identity()), ("b", MarginalCorruption())]), (3, 8, 8))) == [
        "Identity",
        "MarginalCorruption",
    ]


@pytest.mark.parametrize("chain", RECIPES, ids=range(len(RECIPES)))
def test_images_left_out_by_mask_or_by_index(chain):
    x = images(90, 3, 16, 12)
    steps = bound(chain, (3, 16, 12)).steps[0][1]
    drawn = steps.draw(len(x), seeded())
    by_index, by_mask = (steps.apply(x, drawn, masked) for masked in (False, True))
    assert torch.allclose(by_index, by_mask, atol=1e-6)
    assert torch.equal(by_index, steps(x, x, seeded()))


@pytest.mark.parametrize("component", [HorizontalFlip(), Grayscale(0.5), Solarize(probability=0.5), Cutout()], ids=str)
def test_mask_and_index_agree_to_the_bit(component):
    """Where nothing is rounded by an image's place."""
    x = images(90, 3, 16, 12)
    steps = bound(component, (3, 16, 12))
    drawn = steps.draw(len(x), seeded())
    assert torch.equal(steps.apply(x, drawn, True), steps.apply(x, drawn, False))


@pytest.mark.parametrize("size", [1, 500, 10**9])
def test_size_of_blocks_does_not_matter(size, monkeypatch):
    x = images(50, 3, 9, 11)
    expected = ImageViews()(x, x, seeded())
    monkeypatch.setattr(_images, "BLOCK", size)
    assert torch.allclose(ImageViews()(x, x, seeded()), expected, atol=1e-6)


def test_blocks_are_of_one_size(monkeypatch):
    """A last block of few images would cost as many calls as the others."""
    sizes = []
    steps = ImageSteps([Operation(lambda x: sizes.append(len(x)) or x + 1)], (3, 32, 32))
    n = 2 * (BLOCK // 3072) + 1
    assert torch.equal(steps(torch.zeros(n, 3, 32, 32), None, seeded()), torch.ones(n, 3, 32, 32))
    assert len(sizes) == 3 and max(sizes) - min(sizes) <= 2 and sum(sizes) == n


def test_memory_orders():
    x = images(4, 2, 5, 6)
    for order, axes in ((rows_first, (0, 2, 1, 3)), (columns_first, (0, 3, 1, 2))):
        assert torch.equal(order(x), x) and order(x).permute(axes).is_contiguous()
        y = order(x)
        assert order(y).data_ptr() == y.data_ptr()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_bytes_as_intensities(memory_format):
    x = torch.arange(240, dtype=torch.uint8).reshape(5, 3, 4, 4).contiguous(memory_format=memory_format)
    found = to_intensities(x)
    assert found.dtype == torch.float32 and torch.equal(found, x.float() / 255)
    assert torch.equal(to_intensities(torch.tensor([[0, 51, 255]], dtype=torch.uint8)), torch.tensor([[0, 0.2, 1]]))
    for dtype in (torch.float32, torch.float64):
        assert to_intensities(found.to(dtype)).dtype == dtype
    assert to_intensities(found) is found


def test_no_image_at_all():
    x = images(0, 3, 8, 8)
    assert ImageViews()(x, x, seeded()).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("component", [RandomResizedCrop(), ImageViews(), Cutout()], ids=lambda c: type(c).__name__)
def test_tables_are_refused(component):
    x = torch.zeros(5, 4)
    for call in (lambda: component(x, x, seeded()), lambda: bound(component, (4,))):
        with pytest.raises(ValueError, match=f"{type(component).__name__} makes views of images"):
            call()


def test_no_image_is_looked_for_where_they_are_masked(monkeypatch):
    """As on a GPU, which would wait for the number of those that are found."""

    def nonzero(x):
        raise AssertionError("waits")

    steps = bind(ImageViews(blur=0.5), ImageSpec((3, 64, 64)), CPU)
    x, drawn = torch.rand(8, 3, 64, 64), steps.draw(8, seeded())
    monkeypatch.setattr(torch.Tensor, "nonzero", nonzero)
    steps.apply(x, drawn, masked=True)
    with pytest.raises(AssertionError, match="waits"):
        steps.apply(x, drawn)

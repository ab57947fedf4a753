"""How views of images are made: blocks, images left out by mask or by index, fused neighbours, memory orders."""

import pytest
import torch
from builders import bound, byte_images, image_spec, images, seeded

from sklearn_twins._image import _operations
from sklearn_twins._image._operations import (
    BLOCK_VALUES,
    ImageSteps,
    Operation,
    draw_all,
    to_columns_first,
    to_rows_first,
)
from sklearn_twins._parts._augmentation import to_intensities
from sklearn_twins._parts._two_views import find_memory_order
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


def bind_to(augmentation, shape):
    return bound(augmentation, image_spec(shape))


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
    x = images(70, shape)
    fused = bind_to(chain, shape)
    assert steps_of(fused) == ["ImageSteps"]
    assert torch.allclose(fused(x, x, seeded()), chain(x, x, seeded()), atol=5e-6)


def test_flip_behind_a_crop_is_done_in_it():
    views = bind_to(ImageViews(), (3, 64, 64))
    assert len(views.operations) == 6 and len(views.steps) == 5
    assert len(bind_to(RECIPES[0], (3, 8, 8)).steps[0][1].steps) == 1
    assert len(bind_to(RECIPES[1], (3, 8, 8)).steps[0][1].steps) == 3, "a flip before it is not"


def test_other_kinds_are_not_fused():
    chain = Chain([("a", HorizontalFlip()), ("b", GaussianNoise()), ("c", HorizontalFlip()), ("d", Grayscale())])
    fused = bind_to(chain, (3, 8, 8))
    assert steps_of(fused) == ["ImageSteps", "GaussianNoise", "ImageSteps"]
    assert [name for name, _ in fused.steps] == ["a", "b", "c"]
    assert ImageSteps([], (3, 8, 8)).fused_with(ImageSteps([], (1, 8, 8))) is None
    unlike = bind_to(Chain([("a", Identity()), ("b", MarginalCorruption())]), (3, 8, 8))
    assert steps_of(unlike) == ["Identity", "MarginalCorruption"]


@pytest.mark.parametrize("chain", RECIPES, ids=range(len(RECIPES)))
def test_images_left_out_by_mask_or_by_index(chain):
    x = images(90, (3, 16, 12))
    steps = bind_to(chain, (3, 16, 12)).steps[0][1]
    drawn = draw_all(steps.steps, len(x), seeded())
    by_index, by_mask = (steps.apply(x, drawn, masked) for masked in (False, True))
    assert torch.allclose(by_index, by_mask, atol=1e-6)
    assert torch.equal(by_index, steps(x, x, seeded()))


@pytest.mark.parametrize("component", [HorizontalFlip(), Grayscale(0.5), Solarize(probability=0.5), Cutout()], ids=str)
def test_mask_and_index_agree_to_the_bit(component):
    """Where rounding does not depend on an image's place."""
    x = images(90, (3, 16, 12))
    steps = bind_to(component, (3, 16, 12))
    drawn = draw_all(steps.steps, len(x), seeded())
    assert torch.equal(steps.apply(x, drawn, True), steps.apply(x, drawn, False))


def test_a_mask_needs_no_index(monkeypatch):
    """A GPU would wait for the number of images in it."""

    def nonzero(x):
        raise AssertionError("waits")

    steps = bind_to(ImageViews(blur=0.5), (3, 64, 64))
    x, drawn = images(8, (3, 64, 64)), draw_all(steps.steps, 8, seeded())
    monkeypatch.setattr(torch.Tensor, "nonzero", nonzero)
    steps.apply(x, drawn, masked=True)
    with pytest.raises(AssertionError, match="waits"):
        steps.apply(x, drawn)


@pytest.mark.parametrize("size", [1, 500, 10**9])
def test_size_of_blocks_does_not_matter(size, monkeypatch):
    x = images(50, (3, 9, 11))
    expected = ImageViews()(x, x, seeded())
    monkeypatch.setattr(_operations, "BLOCK_VALUES", size)
    assert torch.allclose(ImageViews()(x, x, seeded()), expected, atol=1e-6)


def test_blocks_are_of_one_size():
    """A last block of few images would cost as many calls as the others."""
    sizes = []
    steps = ImageSteps([Operation(lambda x: sizes.append(len(x)) or x + 1)], (3, 32, 32))
    n = 2 * (BLOCK_VALUES // 3072) + 1
    assert torch.equal(steps(torch.zeros(n, 3, 32, 32), None, seeded()), torch.ones(n, 3, 32, 32))
    assert len(sizes) == 3 and max(sizes) - min(sizes) <= 2 and sum(sizes) == n


def test_memory_orders():
    x = images(4, (2, 5, 6))
    for order, axes in ((to_rows_first, (0, 2, 1, 3)), (to_columns_first, (0, 3, 1, 2))):
        y = order(x)
        assert torch.equal(y, x) and y.permute(axes).is_contiguous() and order(y).data_ptr() == y.data_ptr()


@pytest.mark.parametrize(
    ("views", "order"), [(ImageViews(), to_columns_first), (GaussianBlur(), to_rows_first)], ids=["columns", "rows"]
)
def test_a_batch_is_stored_as_the_first_step_asks_for(views, order):
    chain = Chain([("inner", Chain([("first", views), ("flip", HorizontalFlip())]))])
    for augmentation in (views, chain):
        assert find_memory_order(bind_to(augmentation, (3, 8, 8))) is order
    x = byte_images(2, (3, 4, 4)).contiguous(memory_format=torch.channels_last)
    assert find_memory_order(bind_to(GaussianNoise(), (3, 4, 4)))(x).is_contiguous()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_bytes_as_intensities(memory_format):
    x = torch.arange(240, dtype=torch.uint8).reshape(5, 3, 4, 4).contiguous(memory_format=memory_format)
    found = to_intensities(x)
    assert found.dtype == torch.float32 and torch.equal(found, x.float() / 255)
    assert torch.equal(to_intensities(torch.tensor([[0, 51, 255]], dtype=torch.uint8)), torch.tensor([[0, 0.2, 1]]))
    for dtype in (torch.float32, torch.float64):
        assert to_intensities(found.to(dtype)).dtype == dtype
    assert to_intensities(found) is found

"""Changes of colours as a compiler takes them: to rounding the same as the others; here they are not compiled."""

from functools import partial

import pytest
import torch

from sklearn_twins._image._colors import PLANES
from sklearn_twins._image._operations import MOST_PLANES, ColourSteps
from sklearn_twins._parts._augmentation import bind, compiled_by
from sklearn_twins.augmentations import (
    Chain,
    ColorJitter,
    Cutout,
    GaussianBlur,
    Grayscale,
    HorizontalFlip,
    ImageViews,
    MarginalCorruption,
    Pair,
    Solarize,
)
from sklearn_twins.preprocessing import ImageSpec

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*shape):
    return torch.rand(shape, generator=seeded(1))


def as_it_is(function, *constants):
    """What stands for the compiler."""
    return partial(function, *constants)


def both(augmentation, shape):
    plain = bind(augmentation, ImageSpec(shape), CPU)
    return plain, compiled_by(plain, as_it_is)


@pytest.mark.parametrize("change", PLANES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_each_change(change, channels):
    if channels != 3 and change.__name__ in ("saturation", "hue"):
        return
    x = images(40, channels, 9, 7)
    x[:5] = x[:5, :1]  # gray
    x[5:8], x[8:10] = 0, 1
    x[10:14] = (x[10:14] * 3).round() / 3  # ties between channels
    amount = torch.rand(40, generator=seeded()) - (0.5 if change.__name__ == "hue" else 0)
    amount = amount if change.__name__ == "hue" else 2 * amount
    found = torch.stack(PLANES[change](list(x.unbind(1)), amount), 1)
    assert torch.allclose(found, change(x, amount), atol=1e-6)


@pytest.mark.parametrize(
    "augmentation",
    [
        ColorJitter(),
        ColorJitter(hue=0.5, probability=1.0),
        ColorJitter(saturation=0.0),
        Grayscale(0.5),
        Solarize(probability=0.5),
        Solarize(0.3, 0.5),
        ImageViews(),
        Chain([("blur", GaussianBlur()), ("jitter", ColorJitter()), ("cut", Cutout()), ("solarize", Solarize())]),
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(1, 16, 12), (2, 9, 9), (3, 16, 12), (4, 60, 60)])
def test_same_draws_same_views(augmentation, shape):
    x = images(40, *shape)
    plain, ours = both(augmentation, shape)
    generators = seeded(), seeded()
    expected, found = (a(x, x, g) for a, g in zip((plain, ours), generators, strict=True))
    assert torch.allclose(found, expected, atol=2e-6) and found.dtype == expected.dtype
    assert torch.equal(generators[0].get_state(), generators[1].get_state())


def test_images_not_chosen_keep_their_values():
    """Also those outside of 0 and 1, which noise may have made."""
    x = 3 * images(40, 3, 8, 8) - 1
    _, ours = both(
        Chain([("jitter", ColorJitter(probability=0.3)), ("solarize", Solarize(probability=0.3))]), x.shape[1:]
    )
    view = ours(x, x, seeded())
    same = (view == x).flatten(1).all(1)
    assert 10 < same.sum() < 30


def test_what_is_grouped():
    parts = both(ImageViews(), (3, 64, 64))[1].steps
    assert [type(part).__name__ for _, part in parts] == ["ImageSteps", "ColourSteps", "ImageSteps", "ColourSteps"]
    assert [len(part.steps) for _, part in parts] == [1, 2, 1, 1]
    small = both(ImageViews(), (3, 32, 32))[1].steps
    assert [len(part.steps) for _, part in small] == [1, 3], "no blur"


def test_what_has_no_colours_stays_as_it_is():
    for augmentation in (HorizontalFlip(), GaussianBlur(), MarginalCorruption()):
        plain, ours = both(augmentation, (3, 8, 8))
        assert ours is plain
    plain, ours = both(ImageViews(), (MOST_PLANES + 1, 8, 8))
    assert ours is plain
    view = torch.nn.Identity()
    assert compiled_by(view, as_it_is) is view


def test_pairs_and_chains_of_chains():
    inner = Chain([("views", ImageViews())])
    _, pair = both(Pair(inner, HorizontalFlip()), (3, 8, 8))
    assert isinstance(pair.view_a.steps[0][1].steps[-1][1], ColourSteps)
    assert not hasattr(pair.view_b, "change")


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_memory_order_does_not_matter(order):
    x = images(20, 3, 8, 8)
    _, ours = both(ColorJitter(), (3, 8, 8))
    assert torch.equal(ours(x.contiguous(memory_format=order), x, seeded()), ours(x, x, seeded()))

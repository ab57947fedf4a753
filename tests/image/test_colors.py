"""Changes of colour: against NumPy and the standard library's HSV, one image at a time, and in compiled form."""

import colorsys
import itertools
from functools import partial

import numpy as np
import pytest
import torch
from builders import bound, image_spec, images, seeded
from scipy import stats

from sklearn_twins._image._colors import (
    PLANES,
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    rotate_hue,
    solarize,
    to_grayscale,
)
from sklearn_twins._image._operations import MAX_COMPILED_CHANNELS, CompiledColorSteps
from sklearn_twins._parts._augmentation import compiled_by
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

GRAY = np.array([0.2989, 0.587, 0.114])
CPU = torch.device("cpu")


def cube():
    """Every colour of six values of each channel, some nearly equal: black, white, grays, pure colours."""
    values = [0.0, 1e-6, 0.3, 0.3 + 1e-6, 0.5, 1.0]
    return torch.tensor(list(itertools.product(values, repeat=3))).T.reshape(1, 3, 12, 18)


def pictures():
    """Random images and edge cases: the cube, constant images, grays."""
    random = images(6, (3, 12, 18))
    constant = torch.stack([torch.zeros(3, 12, 18), torch.ones(3, 12, 18), torch.full((3, 12, 18), 0.4)])
    return torch.cat([random, cube(), constant, 0.5 * (1 + random[:1].mean(1, keepdim=True).expand(-1, 3, -1, -1))])


def in_turn(change, x, amounts):
    """The change of each image, as an array (3, H, W)."""
    return np.stack([change(image, amount) for image, amount in zip(x.double().numpy(), amounts.tolist(), strict=True)])


def gray_of(image):
    return np.tensordot(GRAY, image, 1)


def blend(image, other, factor):
    return np.clip(factor * image + (1 - factor) * other, 0, 1)


def rotate_by_hsv(image, shift):
    """The hue of each pixel rotated in HSV."""
    pixels = []
    for pixel in image.reshape(3, -1).T:
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        pixels.append(colorsys.hsv_to_rgb((h + shift) % 1, s, v))
    return np.array(pixels).T.reshape(image.shape)


CHANGES = {
    "brightness": (adjust_brightness, lambda image, f: np.clip(f * image, 0, 1), (0.0, 2.5)),
    "contrast": (adjust_contrast, lambda image, f: blend(image, gray_of(image).mean(), f), (0.0, 2.5)),
    "saturation": (adjust_saturation, lambda image, f: blend(image, gray_of(image), f), (0.0, 2.5)),
    "hue": (rotate_hue, rotate_by_hsv, (-0.5, 0.5)),
}


@pytest.mark.parametrize(("change", "expected", "limits"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_change_of_each_image(change, expected, limits, dtype):
    x = pictures().to(dtype)
    amounts = torch.linspace(*limits, len(x), dtype=dtype)
    for amount in (amounts, amounts.flip(0)):
        view = change(x, amount)
        assert view.dtype == dtype and view.min() >= 0 and view.max() <= 1
        np.testing.assert_allclose(view, in_turn(expected, x, amount), atol=2e-6)


@pytest.mark.parametrize("shift", [-0.5, -1 / 3, -1 / 6, -0.1, 0.0, 0.05, 1 / 6, 0.25, 1 / 3, 0.5])
def test_hue_of_every_colour(shift):
    x = cube()
    np.testing.assert_allclose(
        rotate_hue(x, torch.tensor([shift]))[0], rotate_by_hsv(x[0].double().numpy(), shift), atol=2e-6
    )


def test_grayscale():
    x = pictures()
    expected = in_turn(lambda image, _: gray_of(image)[None], x, x[:, 0, 0, 0])
    np.testing.assert_allclose(to_grayscale(x), np.repeat(expected, 3, 1), atol=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_solarize(threshold):
    x = torch.cat([pictures(), torch.full((1, 3, 12, 18), threshold)])
    x[-1, 0, 0, 0] = float(np.nextafter(np.float32(threshold), np.float32(0)))
    assert torch.equal(solarize(x, threshold), torch.where(x >= threshold, 1 - x, x))


def test_jitter_is_the_four_in_their_order():
    """The numbers that the component draws, applied to each image by hand."""
    x = pictures()
    component = ColorJitter(0.4, 0.5, 0.3, 0.2, probability=0.7)
    (operation,) = component._operations((3, 12, 18), x.device)
    chosen, *amounts = operation.draw(len(x), seeded(3))
    assert 0 < chosen.sum() < len(x)
    view = component(x, x, seeded(3))
    for i, image in enumerate(x.double().numpy()):
        expected = image
        for (_, change, _), amount in zip(CHANGES.values(), amounts, strict=True):
            expected = change(expected, amount[i].item())
        np.testing.assert_allclose(view[i], expected if chosen[i] else image, atol=5e-6)
    assert torch.equal(view[~chosen], x[~chosen])


@pytest.mark.parametrize(
    ("params", "ranges"),
    [
        ((0.4, 0.3, 0.2, 0.1), [(0.6, 1.4), (0.7, 1.3), (0.8, 1.2), (-0.1, 0.1)]),
        ((0.0, 0.3, 0.0, 0.5), [(0.7, 1.3), (-0.5, 0.5)]),
    ],
)
def test_amounts_are_uniform(params, ranges):
    (operation,) = ColorJitter(*params)._operations((3, 8, 8), CPU)
    amounts = operation.draw_numbers(20_000, seeded())
    for values, (low, high) in zip(amounts, ranges, strict=True):
        assert stats.kstest(values.numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(torch.stack(amounts)) - np.eye(len(ranges))).max() < 4 / np.sqrt(20_000)


def test_factors_are_never_negative():
    (operation,) = ColorJitter(3.0, 2.0, 5.0, 0.0)._operations((3, 8, 8), CPU)
    assert all(0 == amount.min() < amount.max() for amount in operation.draw_numbers(1_000, seeded()))


@pytest.mark.parametrize(
    "component", [ColorJitter(probability=1.0), Grayscale(1.0), Solarize(probability=1.0)], ids=str
)
def test_opacity_stays_and_colours_change_as_without_it(component):
    x = images(20, (4, 6, 5))
    view = component(x, x, seeded())
    assert torch.equal(view[:, 3], x[:, 3])
    assert torch.allclose(view[:, :3], component(x[:, :3], x, seeded()), atol=1e-6)
    assert not torch.equal(view[:, :3], x[:, :3])


@pytest.mark.parametrize("n_channels", [1, 2, 10])
def test_images_without_colour(n_channels):
    """Brightness and contrast of all channels alike; no hue, no saturation, no gray."""
    x = images(20, (n_channels, 6, 5))
    assert torch.equal(Grayscale(1.0)(x, x, seeded()), x)
    assert torch.equal(ColorJitter(0, 0, 0.5, 0.5, 1.0)(x, x, seeded()), x)
    (operation,) = ColorJitter(probability=1.0)._operations(x.shape[1:], x.device)
    _, factors, contrasts = operation.draw(len(x), seeded())
    view = ColorJitter(probability=1.0)(x, x, seeded())
    for i, image in enumerate(x.double().numpy()):
        lit = np.clip(image * factors[i].item(), 0, 1)
        np.testing.assert_allclose(view[i], blend(lit, lit.mean(), contrasts[i].item()), atol=1e-6)


def bind_and_compile(augmentation, shape):
    """A bound augmentation, and the same with its changes of colours as a compiler takes them."""
    eager = bound(augmentation, image_spec(shape))
    return eager, compiled_by(eager, partial)


@pytest.mark.parametrize("change", PLANES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_planes_of_each_change(change, channels):
    if channels != 3 and change in (adjust_saturation, rotate_hue):
        return
    x = images(40, (channels, 9, 7))
    x[:5] = x[:5, :1]  # gray
    x[5:8], x[8:10] = 0, 1
    x[10:14] = (x[10:14] * 3).round() / 3  # ties between channels
    amount = torch.rand(40, generator=seeded())
    amount = amount - 0.5 if change is rotate_hue else 2 * amount
    assert torch.allclose(torch.stack(PLANES[change](list(x.unbind(1)), amount), 1), change(x, amount), atol=1e-6)


@pytest.mark.parametrize(
    "augmentation",
    [
        ColorJitter(hue=0.5, probability=1.0),
        ColorJitter(saturation=0.0),
        Grayscale(0.5),
        Solarize(0.3, 0.5),
        ImageViews(),
        Chain([("blur", GaussianBlur()), ("jitter", ColorJitter()), ("cut", Cutout()), ("solarize", Solarize())]),
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(1, 16, 12), (2, 9, 9), (3, 16, 12), (4, 60, 60)])
def test_compiled_views_are_the_eager_ones(augmentation, shape):
    """To rounding, from the same draws, in any memory order."""
    x = images(40, shape)
    eager, compiled = bind_and_compile(augmentation, shape)
    generators = seeded(), seeded()
    expected, found = (views(x, x, g) for views, g in zip((eager, compiled), generators, strict=True))
    assert torch.allclose(found, expected, atol=2e-6) and found.dtype == expected.dtype
    assert torch.equal(generators[0].get_state(), generators[1].get_state())
    assert torch.equal(compiled(x.contiguous(memory_format=torch.channels_last), x, seeded()), found)


def test_compiled_steps_leave_other_images_as_they_are():
    """Also with values outside of 0 and 1, which noise may have made."""
    x = 3 * images(40, (3, 8, 8)) - 1
    chain = Chain([("jitter", ColorJitter(probability=0.3)), ("solarize", Solarize(probability=0.3))])
    view = bind_and_compile(chain, (3, 8, 8))[1](x, x, seeded())
    assert 10 < (view == x).flatten(1).all(1).sum() < 30


def test_neighbouring_changes_of_colour_are_compiled_together():
    parts = bind_and_compile(ImageViews(), (3, 64, 64))[1].steps
    kinds = ["ImageSteps", "CompiledColorSteps"] * 2
    assert [(type(part).__name__, len(part.steps)) for _, part in parts] == list(zip(kinds, [1, 2, 1, 1], strict=True))
    small = bind_and_compile(ImageViews(), (3, 32, 32))[1].steps
    assert [len(part.steps) for _, part in small] == [1, 3], "no blur"
    _, pair = bind_and_compile(Pair(Chain([("views", ImageViews())]), HorizontalFlip()), (3, 8, 8))
    assert isinstance(pair.view_a.steps[0][1].steps[-1][1], CompiledColorSteps)
    assert not isinstance(pair.view_b, CompiledColorSteps)


def test_other_augmentations_are_not_compiled():
    for augmentation, channels in [
        (HorizontalFlip(), 3),
        (GaussianBlur(), 3),
        (MarginalCorruption(), 3),
        (ImageViews(), MAX_COMPILED_CHANNELS + 1),
    ]:
        eager, compiled = bind_and_compile(augmentation, (channels, 8, 8))
        assert compiled is eager
    module = torch.nn.Identity()
    assert compiled_by(module, partial) is module

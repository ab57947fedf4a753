"""Changes of colour, against one image at a time, in NumPy and the standard library's HSV; edges of the colour cube."""

import colorsys
import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_twins._image._colors import brightness, contrast, grayscale, hue, saturation, solarize
from sklearn_twins.augmentations import ColorJitter, Grayscale, Solarize

GRAY = np.array([0.2989, 0.587, 0.114])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def cube():
    """Every colour of three values of each channel, some of them nearly equal: black, white, grays, pure colours."""
    values = [0.0, 1e-6, 0.3, 0.3 + 1e-6, 0.5, 1.0]
    return torch.tensor(list(itertools.product(values, repeat=3))).T.reshape(1, 3, 12, 18)


def images():
    """Random images, and the edge cases among them."""
    random = torch.rand(6, 3, 12, 18, generator=seeded(1))
    plain = torch.stack([torch.zeros(3, 12, 18), torch.ones(3, 12, 18), torch.full((3, 12, 18), 0.4)])
    return torch.cat([random, cube(), plain, 0.5 * (1 + random[:1].mean(1, keepdim=True).expand(-1, 3, -1, -1))])


def factors(low, high):
    return torch.linspace(low, high, len(images()))


def in_turn(change, x, amounts):
    """A change of one image as an array (3, H, W), of one after another."""
    return np.stack([change(image, amount) for image, amount in zip(x.double().numpy(), amounts.tolist(), strict=True)])


def gray_of(image):
    return np.tensordot(GRAY, image, 1)


def blended(image, other, factor):
    return np.clip(factor * image + (1 - factor) * other, 0, 1)


def turned(image, shift):
    """The hue of each pixel turned in HSV."""
    pixels = []
    for pixel in image.reshape(3, -1).T:
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        pixels.append(colorsys.hsv_to_rgb((h + shift) % 1, s, v))
    return np.array(pixels).T.reshape(image.shape)


CHANGES = {
    "brightness": (brightness, lambda image, f: np.clip(f * image, 0, 1), (0.0, 2.5)),
    "contrast": (contrast, lambda image, f: blended(image, gray_of(image).mean(), f), (0.0, 2.5)),
    "saturation": (saturation, lambda image, f: blended(image, gray_of(image), f), (0.0, 2.5)),
    "hue": (hue, turned, (-0.5, 0.5)),
}


@pytest.mark.parametrize(("change", "expected", "limits"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_change_of_each_image(change, expected, limits, dtype):
    x, amounts = images().to(dtype), factors(*limits).to(dtype)
    for order in (amounts, amounts.flip(0)):
        view = change(x, order)
        assert view.dtype == dtype and view.min() >= 0 and view.max() <= 1
        np.testing.assert_allclose(view, in_turn(expected, x, order), atol=2e-6)


@pytest.mark.parametrize("shift", [-0.5, -1 / 3, -1 / 6, -0.1, 0.0, 0.05, 1 / 6, 0.25, 1 / 3, 0.5])
def test_hue_of_every_colour(shift):
    x = cube()
    np.testing.assert_allclose(hue(x, torch.tensor([shift]))[0], turned(x[0].double().numpy(), shift), atol=2e-6)


def test_hue_keeps_the_largest_and_smallest_channel():
    x = images()
    view = hue(x, factors(-0.5, 0.5))
    for extreme in (torch.amax, torch.amin):
        assert torch.allclose(extreme(view, 1), extreme(x, 1), atol=1e-6)


def test_hue_of_nothing_is_the_image():
    x = images()
    assert torch.allclose(hue(x, torch.zeros(len(x))), x, atol=1e-6)


def test_thirds_of_a_turn_permute_channels():
    x = images()
    assert torch.allclose(hue(x, torch.full((len(x),), 1 / 3)), x[:, [2, 0, 1]], atol=1e-6)
    assert torch.allclose(hue(x, torch.full((len(x),), -1 / 3)), x[:, [1, 2, 0]], atol=1e-6)


def test_grayscale():
    x = images()
    view = grayscale(x)
    np.testing.assert_allclose(
        view, np.repeat(in_turn(lambda i, _: gray_of(i)[None], x, x[:, 0, 0, 0]), 3, 1), atol=1e-6
    )


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_solarize(threshold):
    x = torch.cat([images(), torch.full((1, 3, 12, 18), threshold)])
    x[-1, 0, 0, 0] = float(np.nextafter(np.float32(threshold), np.float32(0)))
    assert torch.equal(solarize(x, threshold), torch.where(x >= threshold, 1 - x, x))


def test_jitter_is_the_four_in_their_order():
    """The numbers that the component draws, applied to each image by hand."""
    x = images()
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
    (operation,) = ColorJitter(*params)._operations((3, 8, 8), torch.device("cpu"))
    amounts = operation.numbers(20_000, seeded())
    for values, (low, high) in zip(amounts, ranges, strict=True):
        assert stats.kstest(values.numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(torch.stack(amounts)) - np.eye(len(ranges))).max() < 4 / np.sqrt(20_000)


def test_factors_are_never_negative():
    (operation,) = ColorJitter(3.0, 2.0, 5.0, 0.0)._operations((3, 8, 8), torch.device("cpu"))
    assert all(0 == amount.min() < amount.max() for amount in operation.numbers(1_000, seeded()))


@pytest.mark.parametrize(
    "component", [ColorJitter(probability=1.0), Grayscale(1.0), Solarize(probability=1.0)], ids=str
)
def test_opacity_stays_and_colours_do_as_without(component):
    x = torch.rand(20, 4, 6, 5, generator=seeded(1))
    view = component(x, x, seeded())
    assert torch.equal(view[:, 3], x[:, 3])
    assert torch.allclose(view[:, :3], component(x[:, :3], x, seeded()), atol=1e-6)
    assert not torch.equal(view[:, :3], x[:, :3])


@pytest.mark.parametrize("n_channels", [1, 2, 10])
def test_images_without_colour(n_channels):
    """Brightness and contrast of all channels alike; no hue, no saturation, no gray."""
    x = torch.rand(20, n_channels, 6, 5, generator=seeded(1))
    assert torch.equal(Grayscale(1.0)(x, x, seeded()), x)
    assert torch.equal(ColorJitter(0, 0, 0.5, 0.5, 1.0)(x, x, seeded()), x)
    (operation,) = ColorJitter(probability=1.0)._operations(x.shape[1:], x.device)
    _, bright, contrasts = operation.draw(len(x), seeded())
    view = ColorJitter(probability=1.0)(x, x, seeded())
    for i, image in enumerate(x.double().numpy()):
        lit = np.clip(image * bright[i].item(), 0, 1)
        np.testing.assert_allclose(view[i], blended(lit, lit.mean(), contrasts[i].item()), atol=1e-6)


def test_what_leaves_out_all_four_is_the_identity():
    x = images()
    assert torch.equal(ColorJitter(0, 0, 0, 0, 1.0)(x, x, seeded()), x)

"""The image stem: bytes and intensities standardised as NumPy does it, in the layout asked for, nothing trained."""

import copy

import numpy as np
import pytest
import torch
from builders import build_layer, byte_images, image_spec, seeded
from torch import nn

from sklearn_twins.networks import ImageStem

SHAPES = [(1, 1, 1), (3, 1, 9), (4, 5, 7), (10, 6, 6), (3, 33, 17)]


def spec_of(shape):
    rng = np.random.default_rng(len(shape) + shape[0])
    return image_spec(shape, mean=tuple(rng.uniform(size=shape[0])), std=tuple(rng.uniform(0.1, 0.5, size=shape[0])))


def build_stem(spec, **params):
    return build_layer(lambda: ImageStem(spec, **params))


def standardise(x, spec):
    """As NumPy standardises channels, in float64."""
    mean, std = (np.reshape(values, (-1, 1, 1)) for values in (spec.mean, spec.std))
    return (x.numpy().astype(np.float64) / 255 - mean) / std


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("channels_last", [True, False])
def test_bytes_and_intensities_are_standardised(shape, channels_last):
    """Any layout, also part of a larger array, comes out in the layout asked for; the input is not written to."""
    spec, x = spec_of(shape), byte_images(6, shape)
    stem, expected = build_stem(spec, channels_last=channels_last), standardise(x, spec)
    asked = torch.channels_last if channels_last else torch.contiguous_format
    larger = torch.zeros(6, shape[0] + 2, shape[1] + 3, shape[2] + 3, dtype=torch.uint8)
    part = larger[:, 1:-1, 1:-2, 2:-1].copy_(x)
    for given in (x, x.contiguous(memory_format=torch.channels_last), part, x / 255, x.double() / 255):
        before = given.clone()
        out = stem(given)
        assert out.dtype == torch.float32 and out.shape == x.shape and out.is_contiguous(memory_format=asked)
        np.testing.assert_allclose(out, expected, atol=1e-5)
        out.add_(1)
        assert torch.equal(given, before)
    assert stem(x.bfloat16() / 255).dtype == torch.float32


def test_without_statistics_intensities_stay():
    """In new memory."""
    x = byte_images(6, (3, 5, 5))
    for channels_last in (True, False):
        stem, given = build_stem(image_spec((3, 5, 5)), channels_last=channels_last), x / 255
        torch.testing.assert_close(stem(x), given)
        assert torch.equal(stem(given), given) and stem(given).data_ptr() != given.data_ptr()


@pytest.mark.parametrize("std", [0.0, 1e-12])
def test_constant_channel_is_shifted_only(std):
    """Rounding gives equal numbers a standard deviation above 0."""
    spec = image_spec((2, 4, 4), mean=(0.2, 0.6), std=(0.25, std))
    out = build_stem(spec)(torch.full((3, 2, 4, 4), 0.7))
    torch.testing.assert_close(out[:, 0], torch.full((3, 4, 4), 2.0))
    torch.testing.assert_close(out[:, 1], torch.full((3, 4, 4), 0.1))


@pytest.mark.parametrize("name", ["mean", "std"])
def test_statistics_must_be_of_each_channel(name):
    with pytest.raises(ValueError, match=rf"\.{name} must have one number for each of the 3 channels"):
        ImageStem(image_spec((3, 4, 4), **{name: (0.5,)}))


def test_nothing_is_trained_stored_or_drawn():
    """Statistics go where the module goes."""
    x = byte_images(6, (3, 4, 4))
    stem, other = (build_layer(lambda: ImageStem(spec_of((3, 4, 4))), seed) for seed in (0, 1))
    assert not list(stem.parameters()) and not stem.state_dict()
    assert torch.equal(stem(x), other(x)) and torch.equal(copy.deepcopy(stem)(x), stem(x))
    assert nn.Sequential(stem).to("meta")(x.to("meta")).device.type == "meta"


def test_statistics_may_be_numpys():
    spec = image_spec((2, 4, 4), mean=tuple(np.float32([0.5, 0.25])), std=(np.float64(0.5), 1))
    x = byte_images(6, (2, 4, 4))
    np.testing.assert_allclose(build_stem(spec)(x), standardise(x, spec), atol=1e-5)


def test_gradients_reach_the_intensities():
    spec = spec_of((2, 3, 3))
    x = torch.rand(4, 2, 3, 3, generator=seeded()).requires_grad_()
    build_stem(spec)(x).sum().backward()
    expected = torch.tensor(spec.std, dtype=torch.float32).reciprocal().reshape(2, 1, 1).expand(4, 2, 3, 3)
    torch.testing.assert_close(x.grad, expected)


def test_autocast_default_dtype_and_device_do_not_matter():
    spec, x = spec_of((3, 4, 4)), byte_images(6, (3, 4, 4))
    stem = build_stem(spec)
    expected = stem(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for given in (x, x / 255):
            torch.testing.assert_close(stem(given), expected)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        out = build_stem(spec)(x)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert out.dtype == torch.float32 and torch.equal(out, expected)

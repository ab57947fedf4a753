"""The image stem: bytes and intensities standardised as NumPy does it, in the layout asked for, nothing trained."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_twins._parts._initialize import build_on_meta
from sklearn_twins.networks import ImageStem, initialize
from sklearn_twins.preprocessing import ImageSpec

SHAPES = [(1, 1, 1), (3, 1, 9), (4, 5, 7), (1, 8, 8), (10, 6, 6), (1, 28, 28), (3, 33, 17)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_layout = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_spec(shape):
    rng = np.random.default_rng(len(shape) + shape[0])
    return ImageSpec(shape, mean=tuple(rng.uniform(size=shape[0])), std=tuple(rng.uniform(0.1, 0.5, size=shape[0])))


def build(spec, **params):
    return initialize(build_on_meta(lambda: ImageStem(spec, **params)), seeded())


def images(shape, n=6):
    return torch.randint(256, (n, *shape), generator=seeded(3), dtype=torch.uint8)


def by_hand(x, spec):
    """As NumPy standardises channels, in float64."""
    mean, std = (np.reshape(values, (-1, 1, 1)) for values in (spec.mean, spec.std))
    return (x.numpy().astype(np.float64) / 255 - mean) / std


@every_shape
@every_layout
@pytest.mark.parametrize("channels_last", [True, False])
def test_bytes_and_intensities_are_standardised(shape, layout, channels_last):
    """Whatever layout they come in; what comes out has the layout asked for."""
    spec, x = make_spec(shape), images(shape).contiguous(memory_format=layout)
    stem, before = build(spec, channels_last=channels_last), x.clone()
    asked = torch.channels_last if channels_last else torch.contiguous_format
    for given in (x, x / 255, x.double() / 255):
        out = stem(given)
        assert out.dtype == torch.float32 and out.shape == x.shape and out.is_contiguous(memory_format=asked)
        np.testing.assert_allclose(out, by_hand(x, spec), atol=1e-5)
    assert torch.equal(x, before)


def test_any_strides_will_do():
    """Images whose channels come last in their array, looked at as if they came first; parts of larger ones."""
    spec = make_spec((3, 8, 6))
    array = np.ascontiguousarray(images((8, 6, 3)).numpy())
    x = torch.from_numpy(array).permute(0, 3, 1, 2)
    larger = torch.zeros(6, 5, 10, 10, dtype=torch.uint8)
    part = larger[:, 1:4, 1:9, 2:8].copy_(x)
    for given in (x, part):
        for channels_last in (True, False):
            np.testing.assert_allclose(build(spec, channels_last=channels_last)(given), by_hand(x, spec), atol=1e-5)


def test_its_input_is_not_written_to():
    """Nor handed on, even where there is nothing to change."""
    x = torch.rand(4, 3, 5, 5, generator=seeded())
    stem, before = build(ImageSpec((3, 5, 5)), channels_last=False), x.clone()
    stem(x).add_(1)
    assert torch.equal(x, before)


def test_without_statistics_intensities_stay():
    x = images((3, 5, 5))
    stem = build(ImageSpec((3, 5, 5)))
    assert torch.equal(stem(x / 255), x / 255)
    torch.testing.assert_close(stem(x), x / 255)


@pytest.mark.parametrize("std", [0.0, 1e-12])
def test_constant_channel_is_shifted_only(std):
    """Rounding gives the standard deviation of equal numbers a size of its own."""
    spec = ImageSpec((2, 4, 4), mean=(0.2, 0.6), std=(0.25, std))
    x = torch.full((3, 2, 4, 4), 0.7)
    out = build(spec)(x)
    torch.testing.assert_close(out[:, 0], torch.full((3, 4, 4), 2.0))
    torch.testing.assert_close(out[:, 1], torch.full((3, 4, 4), 0.1))


@pytest.mark.parametrize("name", ["mean", "std"])
def test_statistics_must_be_of_each_channel(name):
    with pytest.raises(ValueError, match=rf"ImageSpec\.{name} must have one number for each of the 3 channels"):
        ImageStem(ImageSpec((3, 4, 4), **{name: (0.5,)}))


def test_nothing_is_trained_stored_or_drawn():
    generator = seeded()
    before = generator.get_state()
    stem = initialize(build_on_meta(lambda: ImageStem(make_spec((3, 4, 4)))), generator)
    assert not list(stem.parameters()) and not stem.state_dict()
    assert torch.equal(generator.get_state(), before)


def test_statistics_go_where_the_module_goes():
    spec, x = make_spec((3, 4, 4)), images((3, 4, 4))
    stem = build(spec)
    assert torch.equal(copy.deepcopy(stem)(x), stem(x))
    assert nn.Sequential(stem).to("meta")(x.to("meta")).device.type == "meta"


def test_statistics_may_be_numpys():
    spec = ImageSpec((2, 4, 4), mean=tuple(np.float32([0.5, 0.25])), std=(np.float64(0.5), 1))
    np.testing.assert_allclose(build(spec)(images((2, 4, 4))), by_hand(images((2, 4, 4)), spec), atol=1e-5)


def test_autocast_does_not_round_it():
    stem, x = build(make_spec((3, 4, 4))), images((3, 4, 4))
    expected = stem(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for given in (x, x / 255):
            out = stem(given)
            assert out.dtype == torch.float32
            torch.testing.assert_close(out, expected)


def test_half_precision_intensities_become_float32():
    assert build(make_spec((3, 4, 4)))(images((3, 4, 4)).bfloat16() / 255).dtype == torch.float32


def test_gradients_reach_the_intensities():
    spec = make_spec((2, 3, 3))
    x = torch.rand(4, 2, 3, 3, generator=seeded()).requires_grad_()
    build(spec)(x).sum().backward()
    expected = torch.tensor(spec.std, dtype=torch.float32).reciprocal().reshape(2, 1, 1).expand(4, 2, 3, 3)
    torch.testing.assert_close(x.grad, expected)


def test_default_dtype_and_device_do_not_matter():
    spec, x = make_spec((3, 4, 4)), images((3, 4, 4))
    expected = build(spec)(x)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        stem = build(spec)
        out = stem(x)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert out.dtype == torch.float32 and torch.equal(out, expected)

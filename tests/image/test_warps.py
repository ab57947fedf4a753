"""Rotation, translation and elastic deformation, against SciPy's interpolation image by image."""

import math

import numpy as np
import pytest
import torch
from builders import bound, image_spec, images, seeded
from scipy import ndimage, stats

from sklearn_twins._image._warps import make_smoothing_matrix, rotate, translate
from sklearn_twins.augmentations import Chain, ElasticTransform, HorizontalFlip, RandomRotation, RandomTranslation

MODES = {"border": "nearest", "reflection": "grid-mirror", "zeros": "grid-constant"}
SHAPES = [(3, 20, 16), (1, 9, 9), (4, 5, 8), (2, 1, 7), (1, 1, 1)]


def take(image, rows, columns, padding_mode):
    """Each channel of an image (C, H, W) at places (H, W)."""
    places = np.stack([rows, columns])
    return np.stack([ndimage.map_coordinates(plane, places, order=1, mode=MODES[padding_mode]) for plane in image])


def places_of(shape):
    return np.mgrid[: shape[1], : shape[2]].astype(float)


def drawn_by(component, shape, n):
    (operation,) = component._operations(shape, torch.device("cpu"))
    return operation.draw(n, seeded(2))


@pytest.mark.parametrize("padding_mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rotation(shape, padding_mode):
    x = images(10, shape)
    component = RandomRotation(120, 0.7, padding_mode)
    chosen, angles = drawn_by(component, shape, 10)
    view, (rows, columns) = component(x, x, seeded(2)), places_of(shape)
    middle = (shape[1] - 1) / 2, (shape[2] - 1) / 2
    for i, angle in enumerate(angles.tolist()):
        z = (columns - middle[1] - 1j * (rows - middle[0])) * np.exp(-1j * angle)  # the imaginary axis points up
        expected = (
            take(x[i].double().numpy(), middle[0] - z.imag, middle[1] + z.real, padding_mode) if chosen[i] else x[i]
        )
        np.testing.assert_allclose(view[i], expected, atol=1e-4)


@pytest.mark.parametrize("padding_mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_translation(shape, padding_mode):
    x = images(10, shape)
    component = RandomTranslation(1, 0.6, 0.7, padding_mode)
    chosen, down, right = drawn_by(component, shape, 10)
    view, (rows, columns) = component(x, x, seeded(2)), places_of(shape)
    for i in range(10):
        at = rows - down[i].item(), columns - right[i].item()
        expected = take(x[i].double().numpy(), *at, padding_mode) if chosen[i] else x[i]
        np.testing.assert_allclose(view[i], expected, atol=1e-5)


@pytest.mark.parametrize("padding_mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_deformation(shape, padding_mode):
    x = images(10, shape)
    component = ElasticTransform(0.1, 0.3, 0.7, padding_mode)
    chosen, noise = drawn_by(component, shape, 10)
    view, (rows, columns) = component(x, x, seeded(2)), places_of(shape)
    side = min(shape[1:])
    bases = []
    for size in shape[1:]:
        sigma = max(0.5, 0.3 * side)
        points = sigma * np.arange(-3, math.ceil(size / sigma) + 4)
        bells = stats.norm.pdf(np.arange(size)[:, None], points, sigma)
        bases.append(bells / np.sqrt((bells**2).sum(1, keepdims=True)))
    for i, (down, right) in enumerate(0.1 * side * np.einsum("hn,bcnm,wm->bchw", bases[0], noise.double(), bases[1])):
        expected = take(x[i].double().numpy(), rows + down, columns + right, padding_mode) if chosen[i] else x[i]
        np.testing.assert_allclose(view[i], expected, atol=1e-4)


def test_quarter_turns_are_exact():
    x = images(4, (3, 8, 8))
    for turns in range(4):
        angle = torch.full((4,), turns * math.pi / 2)
        np.testing.assert_allclose(rotate(x, angle, "zeros"), np.rot90(x, turns, axes=(2, 3)), atol=1e-5)


def test_translation_moves_down_and_to_the_right():
    x = images(1, (1, 6, 5))
    view = translate(x, torch.tensor([2.0]), torch.tensor([1.0]), "zeros")
    np.testing.assert_allclose(view[0, 0, 2:, 1:], x[0, 0, :-2, :-1], atol=1e-6)
    assert max(view[0, 0, :2].max(), view[0, 0, :, 0].max()) < 1e-6


def test_draws_are_uniform_and_normal():
    _, angle = drawn_by(RandomRotation(30), (1, 8, 8), 20_000)
    assert stats.kstest(angle.rad2deg(), stats.uniform(-30, 60).cdf).pvalue > 1e-3
    _, down, right = drawn_by(RandomTranslation(0.25, 0.1), (1, 20, 20), 20_000)
    for shifts, largest in ((down, 2), (right, 5)):
        assert stats.chisquare(torch.bincount((shifts + largest).long(), minlength=2 * largest + 1)).pvalue > 1e-3
        assert torch.equal(shifts, shifts.round()) and shifts.abs().max() == largest
    _, noise = drawn_by(ElasticTransform(), (1, 20, 20), 1_000)
    assert stats.kstest(noise.flatten(), stats.norm.cdf).pvalue > 1e-3


@pytest.mark.parametrize("sigma", [0.5, 3.0, 20.0])
@pytest.mark.parametrize("size", [1, 9, 64])
def test_displacements_have_unit_variance_and_are_smooth(size, sigma):
    matrix = make_smoothing_matrix(size, sigma, torch.device("cpu"))
    covariance = matrix @ matrix.T
    np.testing.assert_allclose(covariance.diagonal(), 1, atol=1e-5)
    distance = np.arange(size)[:, None] - np.arange(size)
    np.testing.assert_allclose(covariance, np.exp(-0.25 * (distance / sigma) ** 2), atol=0.05)


def test_in_a_chain_with_other_views():
    x = images(30, (3, 12, 12))
    chain = Chain([("turn", RandomRotation()), ("flip", HorizontalFlip()), ("shift", RandomTranslation())])
    spec = image_spec((3, 12, 12))
    first, second = (bound(chain, spec)(x, x, seeded()) for _ in range(2))
    assert torch.equal(first, second) and not torch.equal(first, x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_places_are_exact_in_any_precision(dtype):
    x = torch.rand(2, 1, 3, 1500, generator=seeded()).to(dtype)
    found = translate(x, torch.zeros(2), torch.ones(2), "zeros")
    assert found.dtype == dtype
    torch.testing.assert_close(found[..., 1:], x[..., :-1], atol=1e-3, rtol=0)

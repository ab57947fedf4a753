"""Gaussian blur: against a convolution of each image, also of images narrower than the Gaussian."""

import math

import numpy as np
import pytest
import torch
from builders import images, seeded
from scipy import stats

from sklearn_twins._image._blur import count_reflections, make_blur_matrices, multiply_both_axes
from sklearn_twins._image._operations import to_rows_first
from sklearn_twins.augmentations import GaussianBlur


def blur_by_hand(image, sigma, radius):
    """One image (C, H, W), mirrored at its borders and convolved along either axis."""
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    for axis in (1, 2):
        widths = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(image, widths, mode="reflect")
        image = np.apply_along_axis(np.convolve, axis, padded, weights / weights.sum(), mode="valid")
    return image


@pytest.mark.parametrize("shape", [(3, 20, 16), (1, 28, 20), (4, 8, 8), (2, 5, 7), (1, 1, 9), (3, 1, 1), (1, 2, 2)])
@pytest.mark.parametrize("sigma", [(0.1, 2.0), (1.0, 3.0), (0.5, 0.5)])
def test_blur_is_a_convolution_of_mirrored_images(shape, sigma):
    x = images(10, shape)
    component = GaussianBlur(sigma, probability=0.7)
    (operation,) = component._operations(shape, x.device)
    chosen, widths = operation.draw(10, seeded(2))
    view = component(x, x, seeded(2))
    for i, image in enumerate(x.double().numpy()):
        expected = blur_by_hand(image, widths[i].item(), math.ceil(4 * sigma[1])) if chosen[i] else image
        np.testing.assert_allclose(view[i], expected, atol=2e-6)
    assert torch.equal(view[~chosen], x[~chosen]) and 0 < chosen.sum() < 10


@pytest.mark.parametrize("size", [1, 2, 5, 40])
@pytest.mark.parametrize("sigma", [1e-9, 0.1, 1.0, 30.0])
def test_weights_sum_to_one_and_are_no_denormal_numbers(size, sigma):
    matrix = make_blur_matrices(torch.tensor([sigma]), count_reflections(size, 12, "cpu"))
    assert torch.allclose(matrix.sum(2), torch.ones(1, size), atol=1e-6)
    assert (matrix[matrix > 0] > 1e-12).all() and (matrix >= 0).all()


def test_multiply_both_axes():
    x, rows, columns = (torch.rand(shape, generator=seeded(1)) for shape in ((4, 2, 5, 6), (4, 5, 5), (4, 6, 6)))
    for layout in (x, to_rows_first(x), x.contiguous(memory_format=torch.channels_last)):
        expected = torch.einsum("nij,ncjw,nkw->ncik", rows, x, columns)
        assert torch.allclose(multiply_both_axes(layout, rows, columns), expected, atol=1e-5)


def test_a_narrow_blur_changes_nothing():
    x = images(5, (3, 8, 8))
    assert torch.allclose(GaussianBlur((1e-9, 0.01), 1.0)(x, x, seeded()), x, atol=1e-6)


def test_widths_are_uniform():
    (operation,) = GaussianBlur((0.3, 1.7))._operations((1, 8, 8), torch.device("cpu"))
    (sigma,) = operation.draw_numbers(20_000, seeded())
    assert stats.kstest(sigma.numpy(), stats.uniform(0.3, 1.4).cdf).pvalue > 1e-3

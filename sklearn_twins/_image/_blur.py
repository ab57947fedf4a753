"""Gaussian blur of random width."""

import math
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from .._parts._validation import check_pair
from ._operations import ImageAugmentation, Operation, draw_uniform

TRUNCATE = 4  # standard deviations of the widest Gaussian; weights beyond are below 3e-4 of the largest one
MIN_EXPONENT = -20.0  # weights far below are denormal numbers, with which products take ten times as long


def count_reflections(size, radius, device):
    """Count how often each pixel occurs at each distance from each other pixel of an axis with mirrored ends.

    The axis is reflected at both ends, repeatedly if the radius is larger than the axis; the pixels at the ends are
    not repeated.

    Shape
    -----
    returns (radius + 1, size, size), float32: entry (d, i, j) counts how often pixel j is at distance d from pixel i
    """
    i = torch.arange(size, device=device)
    offsets = torch.arange(-radius, radius + 1, device=device)[:, None]  # (2 radius + 1, 1)
    period = max(1, 2 * (size - 1))
    j = (i + offsets) % period
    j = torch.minimum(j, period - j)  # (2 radius + 1, size)
    counts = torch.zeros(radius + 1, size, size, dtype=torch.float32, device=device)
    one = torch.ones((), dtype=torch.float32, device=device)
    return counts.index_put_((offsets.abs().expand_as(j), i.expand_as(j), j), one, accumulate=True)


def make_blur_matrices(sigma, counts):
    """Make matrices that blur an axis by Gaussians.

    Shape
    -----
    sigma : (batch,), in pixels; counts : (radius + 1, size, size), from `count_reflections`; returns (batch, size,
    size), rows of sum 1
    """
    d = torch.arange(len(counts), device=sigma.device, dtype=sigma.dtype)
    weights = (-0.5 * (d / sigma.clamp(min=1e-3)[:, None]) ** 2).clamp_(min=MIN_EXPONENT).exp_()
    weights = weights / (2 * weights.sum(1, keepdim=True) - weights[:, :1])  # (batch, radius + 1)
    return torch.mm(weights, counts.flatten(1)).unflatten(1, counts.shape[1:])


def multiply_both_axes(x, rows, columns):
    """Multiply each image by one matrix along its rows and by another along its columns.

    Shape
    -----
    x : (batch, C, H, W), fastest in the order (batch, H, C, W), in which nothing is copied; rows : (batch, H, H);
    columns : (batch, W, W); returns (batch, C, H, W) in that order
    """
    n, c, h, w = x.shape
    y = torch.bmm(rows.to(x.dtype), x.transpose(1, 2).reshape(n, h, c * w))
    y = torch.bmm(y.reshape(n, h * c, w), columns.to(x.dtype).mT)
    return y.reshape(n, h, c, w).transpose(1, 2)


class GaussianBlur(ImageAugmentation):
    """Blur some images, each by a Gaussian of random width.

    Images are reflected at their borders. The Gaussian is truncated at four standard deviations of the widest one.

    Parameters
    ----------
    sigma : tuple of two floats, default=(0.1, 2.0)
        Smallest and largest standard deviation, in pixels.
    probability : float, default=0.5
        Share of the images that are blurred, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import GaussianBlur
    >>> x = torch.zeros(1, 1, 9, 9)
    >>> x[..., 4, 4] = 1.0  # a point
    >>> view = GaussianBlur(sigma=(1.0, 1.0), probability=1.0)(x, x, torch.Generator().manual_seed(0))
    >>> round(view.max().item(), 2), round(view.sum().item(), 2)
    (0.16, 1.0)
    """

    _parameter_constraints: dict = {
        "sigma": [tuple, list],
        "probability": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, sigma=(0.1, 2.0), probability=0.5):
        self.sigma = sigma
        self.probability = probability

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : GaussianBlur
            The object itself.

        Raises
        ------
        InvalidParameterError, ValueError
            If `sigma` is not a pair of numbers, the smaller one first, or `probability` is out of range.
        """
        super().check()
        check_pair(self, "sigma", 0, float("inf"))
        return self

    def _operations(self, shape, device):
        low, high = self.sigma
        if self.probability == 0 or high == 0:
            return []
        radius = math.ceil(TRUNCATE * high)
        counts = {size: count_reflections(size, radius, device) for size in shape[1:]}  # by length of the axis

        def draw_numbers(n, generator):
            return (low + (high - low) * draw_uniform(n, 1, generator)[:, 0],)

        def blur(x, sigma):
            matrices = {size: make_blur_matrices(sigma, of_size) for size, of_size in counts.items()}
            return multiply_both_axes(x, matrices[shape[1]], matrices[shape[2]])

        return [Operation(blur, draw_numbers, self.probability)]

"""Views of images out of focus: a Gaussian blur of random width."""

import math
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from ._operations import ImageAugmentation, Operation, check_pair, draw

REACH = 4  # standard deviations of the widest Gaussian, from where on weights are left out: below 3e-4 of the middle
SMALLEST_EXPONENT = -20.0  # weights far below it are denormal numbers, with which products take ten times as long


def reflection(size, radius, device):
    """Which pixels are how far away, in an axis that goes on beyond its ends as in a mirror.

    Both ends are mirrored, again and again if the radius is larger than the image; the pixels at the ends are not
    repeated.

    Shape
    -----
    returns (radius + 1, size, size), float32: how often, i and j given, pixel j is at this distance from pixel i
    """
    i = torch.arange(size, device=device)
    offsets = torch.arange(-radius, radius + 1, device=device)[:, None]  # (2 radius + 1, 1)
    period = max(1, 2 * (size - 1))
    j = (i + offsets) % period
    j = torch.minimum(j, period - j)  # (2 radius + 1, size)
    counts = torch.zeros(radius + 1, size, size, dtype=torch.float32, device=device)
    one = torch.ones((), dtype=torch.float32, device=device)
    return counts.index_put_((offsets.abs().expand_as(j), i.expand_as(j), j), one, accumulate=True)


def blurring(sigma, distances):
    """Matrices that blur an axis by Gaussians.

    Shape
    -----
    sigma : (batch,), in pixels; distances : (radius + 1, size, size); returns (batch, size, size), rows of sum 1
    """
    d = torch.arange(len(distances), device=sigma.device, dtype=sigma.dtype)
    weights = (-0.5 * (d / sigma.clamp(min=1e-3)[:, None]) ** 2).clamp_(min=SMALLEST_EXPONENT).exp_()
    weights = weights / (2 * weights.sum(1, keepdim=True) - weights[:, :1])  # (batch, radius + 1)
    return torch.mm(weights, distances.flatten(1)).unflatten(1, distances.shape[1:])


def separable(x, rows, columns):
    """Each image times a matrix of its own on either axis.

    Shape
    -----
    x : (batch, C, H, W), best in the order (batch, H, C, W), in which nothing is copied; rows : (batch, H, H);
    columns : (batch, W, W); returns (batch, C, H, W) in that order
    """
    n, c, h, w = x.shape
    y = torch.bmm(rows.to(x.dtype), x.transpose(1, 2).reshape(n, h, c * w))
    y = torch.bmm(y.reshape(n, h * c, w), columns.to(x.dtype).mT)
    return y.reshape(n, h, c, w).transpose(1, 2)


class GaussianBlur(ImageAugmentation):
    """Blur some images, each by a Gaussian of a width of its own.

    Beyond its ends the image goes on as in a mirror. Weights are left out from four standard deviations of the widest
    Gaussian on.

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
        radius = math.ceil(REACH * high)
        distances = {size: reflection(size, radius, device) for size in shape[1:]}  # by the length of an axis

        def numbers(n, generator):
            return (low + (high - low) * draw(n, 1, generator)[:, 0],)

        def blur(x, sigma):
            matrices = {size: blurring(sigma, of_size) for size, of_size in distances.items()}
            return separable(x, matrices[shape[1]], matrices[shape[2]])

        return [Operation(blur, numbers, self.probability)]

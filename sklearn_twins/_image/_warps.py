"""Augmentations that move an image's pixels and keep its size: rotation, translation, elastic deformation."""

import math
from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch.nn.functional import grid_sample

from ._operations import ImageAugmentation, Operation, draw_uniform

SHARE = Interval(Real, 0, 1, closed="both")
PADDINGS = {"border", "reflection", "zeros"}  # as torch's grid_sample has them
MIN_SIGMA = 0.5  # pixels; control points are not closer


def make_places(x):
    """Make the row and the column of each pixel.  # (1, H, 1), (1, 1, W)"""
    rows, columns = (torch.arange(size, device=x.device, dtype=torch.float32) for size in x.shape[2:])
    return rows[None, :, None], columns[None, None, :]


def sample(x, rows, columns, padding_mode):
    """Take each pixel from a place of its image, by bilinear interpolation.

    Shape
    -----
    x : (batch, C, H, W); rows, columns : (batch, H, W) or what broadcasts to it, in pixels; returns as x
    """
    height, width = x.shape[2:]
    grid = torch.broadcast_tensors((2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1)
    exact = torch.promote_types(x.dtype, torch.float32)  # half precision has too few digits for places
    grid = torch.stack(grid, dim=-1).to(exact).expand(len(x), height, width, 2)
    return grid_sample(x.to(exact), grid, mode="bilinear", padding_mode=padding_mode, align_corners=False).to(x.dtype)


def rotate(x, angle, padding_mode):
    """Rotate each image counter-clockwise about its centre.

    Shape
    -----
    x : (batch, C, H, W); angle : (batch,), in radians; returns as x
    """
    rows, columns = make_places(x)
    middle_row, middle_column = ((size - 1) / 2 for size in x.shape[2:])
    down, right = rows - middle_row, columns - middle_column
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return sample(x, middle_row + sin * right + cos * down, middle_column + cos * right - sin * down, padding_mode)


def translate(x, down, right, padding_mode):
    """Move each image.

    Shape
    -----
    x : (batch, C, H, W); down, right : (batch,), in pixels; returns as x
    """
    rows, columns = make_places(x)
    return sample(x, rows - down[:, None, None], columns - right[:, None, None], padding_mode)


def make_smoothing_matrix(size, sigma, device):
    """Make a matrix that turns independent normal numbers at control points into a smooth curve of unit variance.

    Shape
    -----
    returns (size, n_points), float32; its rows have the norm 1
    """
    points = torch.arange(-3, math.ceil(size / sigma) + 4, device=device, dtype=torch.float32) * sigma
    pixels = torch.arange(size, device=device, dtype=torch.float32)
    weights = (-0.5 * ((pixels[:, None] - points) / sigma) ** 2).exp()
    return weights / weights.norm(dim=1, keepdim=True)


def deform(x, noise, to_rows, to_columns, scale, padding_mode):
    """Move each pixel by a smooth random displacement.

    Shape
    -----
    x : (batch, C, H, W); noise : (batch, 2, n, m); to_rows : (H, n); to_columns : (W, m); scale in pixels; returns as x
    """
    down, right = (scale * (to_rows @ noise @ to_columns.mT)).unbind(1)  # (batch, H, W) each
    rows, columns = make_places(x)
    return sample(x, rows + down, columns + right, padding_mode)


class RandomRotation(ImageAugmentation):
    """Rotate some images about their centre by a random angle.

    The angle is uniform in [-degrees, degrees]. Pixels are interpolated bilinearly.

    Parameters
    ----------
    degrees : float, default=15.0
        Largest angle in degrees, in [0, 180].
    probability : float, default=1.0
        Share of the images that are rotated, in [0, 1].
    padding_mode : {"border", "reflection", "zeros"}, default="border"
        What is seen beyond the image: its outermost pixels again, its reflection, or black.

    See Also
    --------
    RandomTranslation : Shift images without resizing them.
    ElasticTransform : Deform images.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import RandomRotation
    >>> x = torch.rand(8, 3, 32, 32)
    >>> RandomRotation(degrees=30)(x, x, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 3, 32, 32])
    """

    _parameter_constraints: dict = {
        "degrees": [Interval(Real, 0, 180, closed="both")],
        "probability": [SHARE],
        "padding_mode": [StrOptions(PADDINGS)],
    }

    def __init__(self, degrees=15.0, probability=1.0, padding_mode="border"):
        self.degrees = degrees
        self.probability = probability
        self.padding_mode = padding_mode

    def _operations(self, shape, device):
        if self.degrees == 0 or self.probability == 0:
            return []
        largest = math.radians(self.degrees)

        def draw_numbers(n, generator):
            return ((2 * draw_uniform(n, 1, generator)[:, 0] - 1) * largest,)

        return [Operation(partial(rotate, padding_mode=self.padding_mode), draw_numbers, self.probability)]


class RandomTranslation(ImageAugmentation):
    """Shift some images by a random number of whole pixels, without resizing them.

    Both shifts are uniform up to the largest one, in either direction.

    Parameters
    ----------
    translate_x : float, default=0.1
        Largest shift to the left or right as a share of the width, in [0, 1].
    translate_y : float, default=0.1
        Largest shift up or down as a share of the height, in [0, 1].
    probability : float, default=1.0
        Share of the images that are shifted, in [0, 1].
    padding_mode : {"border", "reflection", "zeros"}, default="border"
        What is seen beyond the image: its outermost pixels again, its reflection, or black.

    See Also
    --------
    RandomResizedCrop : Enlarge a part of each image.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import RandomTranslation
    >>> x = torch.rand(8, 3, 32, 32)
    >>> RandomTranslation(0.25, 0.25, padding_mode="zeros")(x, x, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 3, 32, 32])
    """

    _parameter_constraints: dict = {
        "translate_x": [SHARE],
        "translate_y": [SHARE],
        "probability": [SHARE],
        "padding_mode": [StrOptions(PADDINGS)],
    }

    def __init__(self, translate_x=0.1, translate_y=0.1, probability=1.0, padding_mode="border"):
        self.translate_x = translate_x
        self.translate_y = translate_y
        self.probability = probability
        self.padding_mode = padding_mode

    def _operations(self, shape, device):
        _, height, width = shape
        largest = round(self.translate_y * height), round(self.translate_x * width)
        if not any(largest) or self.probability == 0:
            return []

        def draw_numbers(n, generator):
            shifts = zip(draw_uniform(n, 2, generator).unbind(1), largest, strict=True)
            return tuple((u * (2 * most + 1)).floor_().clamp_(max=2 * most) - most for u, most in shifts)

        return [Operation(partial(translate, padding_mode=self.padding_mode), draw_numbers, self.probability)]


class ElasticTransform(ImageAugmentation):
    """Deform some images smoothly, each by its own random displacements.

    Displacements are normal and change smoothly over the image: they are sums of Gaussians around control points, with
    random weights.

    NOTE[DIFF]: the paper smooths noise at every pixel and multiplies it by `alpha`, in pixels. Here, `alpha` and
    `sigma` are shares of the image's shorter side, and `alpha` is the displacement's standard deviation.

    Parameters
    ----------
    alpha : float, default=0.04
        Standard deviation of the displacements as a share of the image's shorter side, in [0, 1].
    sigma : float, default=0.15
        Width of the Gaussians as a share of the image's shorter side, in (0, 1]. The larger it is, the smoother is the
        deformation. Below three times `alpha`, the image may fold.
    probability : float, default=1.0
        Share of the images that are deformed, in [0, 1].
    padding_mode : {"border", "reflection", "zeros"}, default="border"
        What is seen beyond the image: its outermost pixels again, its reflection, or black.

    References
    ----------
    Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis", ICDAR 2003, section 2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import ElasticTransform
    >>> x = torch.rand(8, 1, 28, 28)
    >>> ElasticTransform()(x, x, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 1, 28, 28])
    """

    _parameter_constraints: dict = {
        "alpha": [SHARE],
        "sigma": [Interval(Real, 0, 1, closed="right")],
        "probability": [SHARE],
        "padding_mode": [StrOptions(PADDINGS)],
    }

    def __init__(self, alpha=0.04, sigma=0.15, probability=1.0, padding_mode="border"):
        self.alpha = alpha
        self.sigma = sigma
        self.probability = probability
        self.padding_mode = padding_mode

    def _operations(self, shape, device):
        if self.alpha == 0 or self.probability == 0:
            return []
        side = min(shape[1:])
        to_rows, to_columns = (
            make_smoothing_matrix(size, max(MIN_SIGMA, self.sigma * side), device) for size in shape[1:]
        )

        def draw_numbers(n, generator):
            size = (n, 2, to_rows.shape[1], to_columns.shape[1])
            return (torch.randn(size, generator=generator, device=generator.device, dtype=torch.float32),)

        constants = {"to_rows": to_rows, "to_columns": to_columns, "scale": self.alpha * side}
        change = partial(deform, **constants, padding_mode=self.padding_mode)
        return [Operation(change, draw_numbers, self.probability)]

"""Augmentations that move or hide parts of images: resized crops, mirror images, squares cut out."""

import math
from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from .._parts._validation import check_pair
from ._operations import ImageAugmentation, Operation, draw_uniform

N_TRIES = 10


def find_fallback_box(height, width, ratio):
    """Find the height and width of the largest box with an aspect ratio in range."""
    if width / height < ratio[0]:
        return max(1, round(width / ratio[0])), width
    if width / height > ratio[1]:
        return height, max(1, round(height * ratio[1]))
    return height, width


def draw_boxes(n, generator, height, width, scale, ratio):
    """Draw the boxes that crops are taken from: a share of the area, an aspect ratio and a place.

    The area is uniform in `scale`, the ratio of width to height is log-uniform in `ratio`, and sides are rounded. Ten
    boxes are tried, and the first that fits into the image is taken; if all are too large, the largest centred box is.

    Shape
    -----
    returns top, left, box_height, box_width : (n,), float32, whole numbers
    """
    u = draw_uniform(n, 2 * N_TRIES + 2, generator)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * u[:, :N_TRIES])  # (n, tries)
    log_ratio = math.log(ratio[0]) + math.log(ratio[1] / ratio[0]) * u[:, N_TRIES:-2]
    widths = (area * log_ratio.exp()).sqrt_().round_()
    heights = (area * log_ratio.neg().exp_()).sqrt_().round_()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.byte().argmax(1, keepdim=True)  # (n, 1)
    found = fits.gather(1, first)[:, 0]
    h, w = find_fallback_box(height, width, ratio)
    box_height = torch.where(found, heights.gather(1, first)[:, 0], float(h))
    box_width = torch.where(found, widths.gather(1, first)[:, 0], float(w))
    top = torch.minimum((u[:, -2] * (height - box_height + 1)).floor_(), height - box_height)
    left = torch.minimum((u[:, -1] * (width - box_width + 1)).floor_(), width - box_width)
    top = torch.where(found, top, float((height - h) // 2))
    left = torch.where(found, left, float((width - w) // 2))
    return top, left, box_height, box_width


def stretch(y, start, length, mirrored=None):
    """Stretch a part of the first axis behind the batch over the whole axis, with linear interpolation.

    A part is never longer than the axis, so each new pixel is a mean of two, and antialiasing would change nothing. The
    part's first and last pixel are repeated beyond its ends.

    Shape
    -----
    y : (batch, size, A, B), contiguous; start, length : (batch,); mirrored : (batch,), bool; returns as y
    """
    n, size = y.shape[:2]
    pixels = torch.arange(size, device=y.device, dtype=torch.float32) + 0.5
    if mirrored is not None:
        pixels = torch.where(mirrored[:, None], size - pixels, pixels)
    first, last = start[:, None], (start + length - 1)[:, None]
    at = first - 0.5 + pixels * (length / size)[:, None]  # (batch, size)
    at = torch.minimum(torch.maximum(at, first), last)
    low = at.floor()
    weight = (at - low).to(y.dtype).reshape(-1, 1)
    offset = size * torch.arange(n, device=y.device)[:, None]  # first row of each image among the rows of all
    rows = y.reshape(n * size, -1)
    pixel = rows.index_select(0, (low.long() + offset).flatten())
    following = rows.index_select(0, (torch.minimum(low + 1, last).long() + offset).flatten())
    return torch.lerp(pixel, following, weight).reshape(y.shape)


def crop_and_resize(x, top, left, box_height, box_width, mirrored=None):
    """Resize a box of each image to the image's size, and mirror some of them, left for right.

    Columns are gathered where each is contiguous, then rows where each is. At 32 pixels this is a little faster than
    products with matrices, at 224 three times as fast.

    Shape
    -----
    x : (batch, C, H, W), fastest in the order (batch, W, C, H); top, left, box_height, box_width, mirrored : (batch,);
    returns (batch, C, H, W), in the order (batch, H, C, W)
    """
    y = stretch(x.permute(0, 3, 1, 2).contiguous(), left, box_width, mirrored)  # (batch, W, C, H)
    return stretch(y.transpose(1, 3).contiguous(), top, box_height).transpose(1, 2)


def flip(x):
    """Mirror images, left for right.  # (batch, C, H, W)"""
    return x.flip(3)


def fuse_with_flip(crop, other):
    """Fuse a crop with the flip behind it, which then costs nothing; None if the other is not a flip."""
    if other.change is not flip:
        return None

    def draw_numbers(n, generator):
        box = crop.draw_numbers(n, generator)
        (mirrored,) = other.draw(n, generator)
        return (*box, torch.ones_like(box[0], dtype=torch.bool) if mirrored is None else mirrored)

    return Operation(crop_and_resize, draw_numbers, columns_first=True)


def cut_out(x, top, left, side):
    """Fill a square of each image with the mean of each channel; the square is clipped at the border.

    Shape
    -----
    x : (batch, C, H, W); top, left : (batch,); returns (batch, C, H, W)
    """
    h, w = (torch.arange(size, device=x.device) for size in x.shape[2:])
    rows = (h >= top[:, None]) & (h < top[:, None] + side)  # (batch, H)
    columns = (w >= left[:, None]) & (w < left[:, None] + side)  # (batch, W)
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    return torch.where(inside, x.mean((2, 3), keepdim=True), x)


class RandomResizedCrop(ImageAugmentation):
    """Crop a random part of each image and resize it to the image's size.

    The part has a random share of the image's area and a random aspect ratio, and is resized bilinearly. A
    `HorizontalFlip` right after it costs nothing.

    Parameters
    ----------
    scale : tuple of two floats, default=(0.08, 1.0)
        Smallest and largest share of the area, in (0, 1].
    ratio : tuple of two floats, default=(0.75, 1.3333333333333333)
        Smallest and largest ratio of width to height.

    References
    ----------
    Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, section 6.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import RandomResizedCrop
    >>> x = torch.rand(8, 3, 32, 32)
    >>> RandomResizedCrop(scale=(0.2, 1.0))(x, x, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 3, 32, 32])
    """

    _parameter_constraints: dict = {"scale": [tuple, list], "ratio": [tuple, list]}

    def __init__(self, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
        self.scale = scale
        self.ratio = ratio

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : RandomResizedCrop
            The object itself.

        Raises
        ------
        InvalidParameterError, ValueError
            If a hyper-parameter is not a pair of numbers in its range, the smaller one first.
        """
        super().check()
        check_pair(self, "scale", 0, 1, above=True)
        check_pair(self, "ratio", 0, float("inf"), above=True)
        return self

    def _operations(self, shape, device):
        _, height, width = shape
        draw_numbers = partial(draw_boxes, height=height, width=width, scale=self.scale, ratio=self.ratio)
        return [Operation(crop_and_resize, draw_numbers, columns_first=True, fuse=fuse_with_flip)]


class HorizontalFlip(ImageAugmentation):
    """Mirror some images, left for right.

    Parameters
    ----------
    probability : float, default=0.5
        Share of the images that are mirrored, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import HorizontalFlip
    >>> x = torch.tensor([[[[0.0, 0.5, 1.0]]]])
    >>> HorizontalFlip(probability=1.0)(x, x, torch.Generator().manual_seed(0))
    tensor([[[[1.0000, 0.5000, 0.0000]]]])
    """

    _parameter_constraints: dict = {"probability": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, probability=0.5):
        self.probability = probability

    def _operations(self, shape, device):
        if self.probability == 0:
            return []
        return [Operation(flip, probability=self.probability)]


class Cutout(ImageAugmentation):
    """Cut a square out of some images and fill it with the image's mean colour.

    The centre of the square is uniform over the image; the square is clipped at the border.

    NOTE[DIFF]: the paper fills the square with 0 after subtracting the mean of all images, which is nearly the same.

    Parameters
    ----------
    size : float, default=0.5
        Side of the square as a share of the image's shorter side, in [0, 1].
    probability : float, default=1.0
        Share of the images that are cut, in [0, 1].

    References
    ----------
    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", arXiv 1708.04552,
    section 3.2.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Cutout
    >>> x = torch.zeros(1, 1, 4, 4)
    >>> x[..., 2:] = 1.0  # black beside white
    >>> view = Cutout(size=1.0)(x, x, torch.Generator().manual_seed(0))
    >>> bool((view == 0.5).any())  # the square has the mean colour
    True
    """

    _parameter_constraints: dict = {
        "size": [Interval(Real, 0, 1, closed="both")],
        "probability": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, size=0.5, probability=1.0):
        self.size = size
        self.probability = probability

    def _operations(self, shape, device):
        _, height, width = shape
        side = int(self.size * min(height, width) + 0.5)

        def draw_numbers(n, generator):
            u = draw_uniform(n, 2, generator)
            return (u[:, 0] * height).floor_() - side // 2, (u[:, 1] * width).floor_() - side // 2

        if side == 0 or self.probability == 0:
            return []
        return [Operation(partial(cut_out, side=side), draw_numbers, self.probability)]

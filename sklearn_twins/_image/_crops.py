"""Views of images that differ in place: crops resized to the whole, mirror images, squares cut out."""

import math
from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from ._operations import ImageAugmentation, Operation, check_pair, draw

TRIES = 10


def fallback_box(height, width, ratio):
    """The largest centred box with an aspect ratio in range.  # height, width"""
    if width / height < ratio[0]:
        return max(1, round(width / ratio[0])), width
    if width / height > ratio[1]:
        return height, max(1, round(height * ratio[1]))
    return height, width


def random_boxes(n, generator, height, width, scale, ratio):
    """Boxes in images: a share of the area and an aspect ratio, both at random, and a place.

    The area is uniform in `scale`, the ratio of width to height log-uniform in `ratio`, sides are rounded. Of ten tries
    the first that fits into the image is taken; if none does, the largest centred box is.

    Shape
    -----
    returns top, left, box_height, box_width : (n,), float32, whole numbers
    """
    u = draw(n, 2 * TRIES + 2, generator)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * u[:, :TRIES])  # (n, tries)
    log_ratio = math.log(ratio[0]) + math.log(ratio[1] / ratio[0]) * u[:, TRIES:-2]
    widths = (area * log_ratio.exp()).sqrt_().round_()
    heights = (area * log_ratio.neg().exp_()).sqrt_().round_()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.byte().argmax(1, keepdim=True)  # (n, 1)
    found = fits.gather(1, first)[:, 0]
    h, w = fallback_box(height, width, ratio)
    box_height = torch.where(found, heights.gather(1, first)[:, 0], float(h))
    box_width = torch.where(found, widths.gather(1, first)[:, 0], float(w))
    top = torch.minimum((u[:, -2] * (height - box_height + 1)).floor_(), height - box_height)
    left = torch.minimum((u[:, -1] * (width - box_width + 1)).floor_(), width - box_width)
    top = torch.where(found, top, float((height - h) // 2))
    left = torch.where(found, left, float((width - w) // 2))
    return top, left, box_height, box_width


def stretched(y, start, length, mirrored=None):
    """A part of the first axis behind the batch, stretched over the whole of it, bilinearly.

    A part is no longer than the whole, so that two of its pixels make one, and antialiasing would change nothing.
    Beyond the part's first and last pixel, it goes on as they are.

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
    image = size * torch.arange(n, device=y.device)[:, None]  # the first row of each image, when all are one axis
    rows = y.reshape(n * size, -1)
    one = rows.index_select(0, (low.long() + image).flatten())
    next_one = rows.index_select(0, (torch.minimum(low + 1, last).long() + image).flatten())
    return torch.lerp(one, next_one, weight).reshape(y.shape)


def resized_crop(x, top, left, box_height, box_width, mirrored=None):
    """A box of each image, resized to the whole; some of them mirrored, left for right.

    Whole rows of memory are taken, first of an image with its columns first, then of one with its rows first. For 32
    pixels this is a little quicker than products with matrices, for 224 three times.

    Shape
    -----
    x : (batch, C, H, W), best in the order (batch, W, C, H); top, left, box_height, box_width, mirrored : (batch,);
    returns (batch, C, H, W), in the order (batch, H, C, W)
    """
    y = stretched(x.permute(0, 3, 1, 2).contiguous(), left, box_width, mirrored)  # (batch, W, C, H)
    return stretched(y.transpose(1, 3).contiguous(), top, box_height).transpose(1, 2)


def flip(x):
    """Mirror images, left for right.  # (batch, C, H, W)"""
    return x.flip(3)


def with_flip(crop, other):
    """One operation for a crop and the flip behind it, which then costs nothing; None, if it is no flip."""
    if other.change is not flip:
        return None

    def numbers(n, generator):
        box = crop.numbers(n, generator)
        (mirrored,) = other.draw(n, generator)
        return (*box, torch.ones_like(box[0], dtype=torch.bool) if mirrored is None else mirrored)

    return Operation(resized_crop, numbers, columns_first=True)


def cutout(x, top, left, side):
    """Fill a square of each image with the image's mean, channel by channel; what lies outside is cut off.

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
    """A random part of the image, resized to the whole.

    The part has a random share of the image's area and a random aspect ratio. It is resized bilinearly; a
    `HorizontalFlip` right behind it costs nothing.

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
            If one is not a pair of numbers in its range, the smaller one first.
        """
        super().check()
        check_pair(self, "scale", 0, 1, above=True)
        check_pair(self, "ratio", 0, float("inf"), above=True)
        return self

    def _operations(self, shape, device):
        _, height, width = shape
        numbers = partial(random_boxes, height=height, width=width, scale=self.scale, ratio=self.ratio)
        return [Operation(resized_crop, numbers, columns_first=True, fuse=with_flip)]


class HorizontalFlip(ImageAugmentation):
    """The mirror image, left for right, of some images.

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
    """Cut a square out of some images, and fill it with the image's mean colour.

    Its centre is anywhere in the image; what of it lies outside is cut off.

    NOTE[DIFF]: the paper fills with 0 after subtracting the mean of all images, which is nearly the same.

    Parameters
    ----------
    size : float, default=0.5
        The square's side as a share of the image's shorter side, in [0, 1].
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
    >>> bool((view == 0.5).any())  # what is cut out has the mean
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

        def numbers(n, generator):
            u = draw(n, 2, generator)
            return (u[:, 0] * height).floor_() - side // 2, (u[:, 1] * width).floor_() - side // 2

        if side == 0 or self.probability == 0:
            return []
        return [Operation(partial(cutout, side=side), numbers, self.probability)]

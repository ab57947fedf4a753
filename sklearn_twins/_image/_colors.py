"""Augmentations that change colours: brightness, contrast, saturation, hue, grayscale, solarize."""

from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from ._color_planes import (
    GRAY,
    adjust_brightness_planes,
    adjust_contrast_planes,
    adjust_saturation_planes,
    jitter_planes,
    rotate_hue_planes,
    solarize_planes,
    to_grayscale_planes,
)
from ._operations import ImageAugmentation, Operation, draw_uniform, per_image


def to_gray(x):
    """Compute the gray of colours.

    Shape
    -----
    x : (batch, 3, H, W); returns (batch, H, W)
    """
    red, green, blue = x.unbind(1)
    return (red * GRAY[0]).add_(green, alpha=GRAY[1]).add_(blue, alpha=GRAY[2])


def to_grayscale(x):
    """Replace colours by their gray.

    Shape
    -----
    x : (batch, 3, H, W); returns (batch, 3, H, W), in the order (batch, H, C, W)
    """
    return to_gray(x)[:, :, None].expand(-1, -1, 3, -1).contiguous().transpose(1, 2)


def adjust_brightness(x, factor):
    """Multiply intensities by a factor, clipped at white.

    Shape
    -----
    x : (batch, C, H, W); factor : (batch,); returns (batch, C, H, W)
    """
    return (x * per_image(factor)).clamp_(0, 1)


def adjust_contrast(x, factor):
    """Scale the distances of intensities from the image's mean gray; from its mean if the image is not RGB.

    Shape
    -----
    x : (batch, C, H, W); factor : (batch,); returns (batch, C, H, W)
    """
    mean = x.mean(2).mean(2)  # (batch, C); in two steps, of which the first adds rows
    if x.shape[1] == 3:
        mean = mean[:, 0] * GRAY[0] + mean[:, 1] * GRAY[1] + mean[:, 2] * GRAY[2]
    else:
        mean = mean.mean(1)
    return (x * per_image(factor)).add_(per_image((1 - factor) * mean)).clamp_(0, 1)


def adjust_saturation(x, factor):
    """Scale the distances of colours from their gray.

    Shape
    -----
    x : (batch, 3, H, W); factor : (batch,); returns (batch, 3, H, W)
    """
    return torch.lerp(to_gray(x)[:, None], x, per_image(factor)).clamp_(0, 1)


def rotate_hue(x, shift):
    """Rotate the hue, as in HSV; the largest and the smallest value of each pixel's channels are kept.

    The hue is a place on a circle of six units, with red at 0, green at 2 and blue at 4. Let c be the largest minus the
    smallest channel; all distances are in units of c, so that nothing is divided. A channel at a distance d from the
    hue has the height ``2c - d`` above the smallest channel, clipped to [0, c]. For heights r, g and b, the distance of
    the hue from red is ``c + g + b - r``, on green's side if g > b. The distance round the circle is
    ``3c - ||u| - 3c|`` for any u within one turn. `e` collects the constants of these formulas.

    Shape
    -----
    x : (batch, 3, H, W); shift : (batch,), in turns, -0.5 to 0.5; returns (batch, 3, H, W)
    """
    red, green, blue = x.unbind(1)  # (batch, H, W)
    largest = torch.maximum(red, green)
    torch.maximum(largest, blue, out=largest)
    smallest = torch.minimum(red, green)
    torch.minimum(smallest, blue, out=smallest)
    c = largest - smallest
    e = torch.sub(largest, smallest, alpha=2)
    place = (e + green).add_(blue).sub_(red)
    place = torch.copysign(place, green - blue)  # (batch, H, W), -3c to 3c
    view = torch.empty_like(x)
    for channel, at in enumerate((0.0, 2.0, 4.0)):
        turn = 6 * shift - at
        turn = turn - 6 * torch.round(turn / 6)  # (batch,), -3 to 3
        u = torch.addcmul(place, c, turn[:, None, None])
        u.abs_().sub_(c, alpha=3).abs_().sub_(e)
        torch.clamp(u, smallest, largest, out=view[:, channel])
    return view


def solarize(x, threshold):
    """Invert intensities at or above a threshold.

    Shape
    -----
    x : (batch, C, H, W); returns (batch, C, H, W)
    """
    inverted = 1 - x
    return torch.minimum(x, inverted) if threshold == 0.5 else torch.where(x >= threshold, inverted, x)


def change_colors(change, x, *numbers):
    """Change all channels but the fourth, which is opacity.

    Shape
    -----
    x : (batch, C, H, W); returns (batch, C, H, W)
    """
    if x.shape[1] != 4:
        return change(x, *numbers)
    view = torch.empty_like(x)
    view[:, :3], view[:, 3] = change(x[:, :3], *numbers), x[:, 3]
    return view


def has_colors(shape):
    """Whether images have colours: three channels, or four with opacity."""
    return shape[0] in (3, 4)


PLANES = {
    adjust_brightness: adjust_brightness_planes,
    adjust_contrast: adjust_contrast_planes,
    adjust_saturation: adjust_saturation_planes,
    rotate_hue: rotate_hue_planes,
}


class ColorJitter(ImageAugmentation):
    """Change brightness, contrast, saturation and hue of some images by random amounts.

    Only images with three or four channels have saturation and hue. In others, brightness and contrast change, in all
    channels alike. A fourth channel is taken for opacity and is not changed.

    NOTE[DIFF]: the usual order of the four changes is random; here it is fixed, as listed. A random order for each
    image would change intensities by 0.005 on average, at the cost of several more passes over all images.

    Parameters
    ----------
    brightness : float, default=0.4
        Intensities are multiplied by a factor drawn from [1 - `brightness`, 1 + `brightness`], clipped at 0.
    contrast : float, default=0.4
        Distances from the image's mean gray are multiplied by a factor drawn in the same way.
    saturation : float, default=0.2
        Distances of colours from their gray are multiplied by a factor drawn in the same way.
    hue : float, default=0.1
        The hue is rotated by a share of a full turn drawn from [-`hue`, `hue`]; `hue` is in [0, 0.5].
    probability : float, default=0.8
        Share of the images that are changed, in [0, 1].

    References
    ----------
    Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual Representations",
    ICML 2020, appendix A.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import ColorJitter
    >>> gray = torch.full((4, 3, 8, 8), 0.5)
    >>> view = ColorJitter(contrast=0.0, probability=1.0)(gray, gray, torch.Generator().manual_seed(0))
    >>> bool(((view >= 0.3) & (view <= 0.7)).all())
    True
    """

    _parameter_constraints: dict = {
        "brightness": [Interval(Real, 0, None, closed="left")],
        "contrast": [Interval(Real, 0, None, closed="left")],
        "saturation": [Interval(Real, 0, None, closed="left")],
        "hue": [Interval(Real, 0, 0.5, closed="both")],
        "probability": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, probability=0.8):
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.probability = probability

    def _operations(self, shape, device):
        wanted = [(adjust_brightness, self.brightness, 1), (adjust_contrast, self.contrast, 1)]
        if has_colors(shape):
            wanted += [(adjust_saturation, self.saturation, 1), (rotate_hue, self.hue, 0)]
        wanted = [(change, width, middle) for change, width, middle in wanted if width > 0]
        if not wanted or self.probability == 0:
            return []

        def draw_numbers(n, generator):
            u = draw_uniform(n, len(wanted), generator).mul_(2).sub_(1)  # (n, operations), -1 to 1
            amounts = (middle + width * v for v, (_, width, middle) in zip(u.unbind(1), wanted, strict=True))
            return tuple(
                amount.clamp_(min=-0.5 if change is rotate_hue else 0)
                for (change, _, _), amount in zip(wanted, amounts, strict=True)
            )

        def jitter(x, *amounts):
            for (change, _, _), amount in zip(wanted, amounts, strict=True):
                x = change(x, amount.to(x.dtype))
            return x

        planes = (jitter_planes, tuple(PLANES[change] for change, _, _ in wanted))
        return [Operation(partial(change_colors, jitter), draw_numbers, self.probability, planes=planes)]


class Grayscale(ImageAugmentation):
    """Turn some images gray; images without three or four channels have no colours and are left as they are.

    Parameters
    ----------
    probability : float, default=0.2
        Share of the images that become gray, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Grayscale
    >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    >>> Grayscale(probability=1.0)(red, red, torch.Generator().manual_seed(0)).flatten()
    tensor([0.2989, 0.2989, 0.2989])
    """

    _parameter_constraints: dict = {"probability": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, probability=0.2):
        self.probability = probability

    def _operations(self, shape, device):
        if not has_colors(shape) or self.probability == 0:
            return []
        change = partial(change_colors, to_grayscale)
        return [Operation(change, probability=self.probability, planes=(to_grayscale_planes,))]


class Solarize(ImageAugmentation):
    """Invert the bright parts of some images; a fourth channel, opacity, is left as it is.

    Parameters
    ----------
    threshold : float, default=0.5
        Intensities x from this value on become 1 - x.
    probability : float, default=0.1
        Share of the images that are changed, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Solarize
    >>> x = torch.tensor([[[[0.25, 0.75]]]])
    >>> Solarize(probability=1.0)(x, x, torch.Generator().manual_seed(0))
    tensor([[[[0.2500, 0.2500]]]])
    """

    _parameter_constraints: dict = {
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "probability": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, threshold=0.5, probability=0.1):
        self.threshold = threshold
        self.probability = probability

    def _operations(self, shape, device):
        if self.probability == 0:
            return []
        change = partial(change_colors, partial(solarize, threshold=self.threshold))
        return [Operation(change, probability=self.probability, planes=(solarize_planes, float(self.threshold)))]

"""Views of images that differ in colour: brightness, contrast, saturation, hue, none at all, or inverted."""

from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from ._color_planes import (
    GRAY,
    brightness_planes,
    contrast_planes,
    grayscale_planes,
    hue_planes,
    jitter_planes,
    saturation_planes,
    solarize_planes,
)
from ._operations import ImageAugmentation, Operation, draw, each


def gray(x):
    """The gray of colours.

    Shape
    -----
    x : (batch, 3, H, W); returns (batch, H, W)
    """
    red, green, blue = x.unbind(1)
    return (red * GRAY[0]).add_(green, alpha=GRAY[1]).add_(blue, alpha=GRAY[2])


def grayscale(x):
    """Colours as grays.

    Shape
    -----
    x : (batch, 3, H, W); returns (batch, 3, H, W), in the order (batch, H, C, W)
    """
    return gray(x)[:, :, None].expand(-1, -1, 3, -1).contiguous().transpose(1, 2)


def brightness(x, factor):
    """Intensities times a factor, those above white white.

    Shape
    -----
    x : (batch, C, H, W); factor : (batch,); returns (batch, C, H, W)
    """
    return (x * each(factor)).clamp_(0, 1)


def contrast(x, factor):
    """Move intensities away from the mean gray of their image, or towards it; of other than colours, from their mean.

    Shape
    -----
    x : (batch, C, H, W); factor : (batch,); returns (batch, C, H, W)
    """
    mean = x.mean(2).mean(2)  # (batch, C); in two steps, the first of which adds rows
    if x.shape[1] == 3:
        mean = mean[:, 0] * GRAY[0] + mean[:, 1] * GRAY[1] + mean[:, 2] * GRAY[2]
    else:
        mean = mean.mean(1)
    return (x * each(factor)).add_(each((1 - factor) * mean)).clamp_(0, 1)


def saturation(x, factor):
    """Move colours away from their gray, or towards it.

    Shape
    -----
    x : (batch, 3, H, W); factor : (batch,); returns (batch, 3, H, W)
    """
    return torch.lerp(gray(x)[:, None], x, each(factor)).clamp_(0, 1)


def hue(x, shift):
    """Turn colours about the gray axis, as the hue of HSV does; the largest and smallest channel keep their values.

    The hue is a place on a circle of six units on which red is at 0, green at 2 and blue at 4. With c the largest
    minus the smallest channel, everything is in units of c, so that nothing is divided. A channel's height above the
    smallest is ``2c - d``, but between 0 and c, for a distance d of the hue from the channel's place; and the distance
    from red is ``c + g + b - r`` for heights r, g and b, on green's side where g > b. A distance round the circle is
    ``3c - ||u| - 3c|`` for any u within one turn. In `e` are the constants of these.

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
    """Invert the intensities from a threshold on.

    Shape
    -----
    x : (batch, C, H, W); returns (batch, C, H, W)
    """
    inverted = 1 - x
    return torch.minimum(x, inverted) if threshold == 0.5 else torch.where(x >= threshold, inverted, x)


def keeping_alpha(change, x, *numbers):
    """Change colours; a fourth channel, their opacity, stays.

    Shape
    -----
    x : (batch, C, H, W); returns (batch, C, H, W)
    """
    if x.shape[1] != 4:
        return change(x, *numbers)
    view = torch.empty_like(x)
    view[:, :3], view[:, 3] = change(x[:, :3], *numbers), x[:, 3]
    return view


def has_colour(shape):
    """Whether images have a hue: three channels, or four with their opacity."""
    return shape[0] in (3, 4)


PLANES = {
    brightness: brightness_planes,
    contrast: contrast_planes,
    saturation: saturation_planes,
    hue: hue_planes,
}


class ColorJitter(ImageAugmentation):
    """Change brightness, contrast, saturation and hue of some images, each by a random amount.

    Images of other than three or four channels have neither saturation nor hue: they are changed in brightness and
    contrast, all channels alike. Of four channels, the last one is the opacity and stays.

    NOTE[DIFF]: the usual order is random; here it is the one in which the four are named. An order drawn for each image
    changes intensities by 0.005 on average, and would cost a pass over all images for each place of each operation.

    Parameters
    ----------
    brightness : float, default=0.4
        Intensities are multiplied by a factor drawn from [1 - `brightness`, 1 + `brightness`], never a negative one.
    contrast : float, default=0.4
        So are their distances from the image's mean gray.
    saturation : float, default=0.2
        So are the distances of colours from their gray.
    hue : float, default=0.1
        The hue is turned by a share of the circle of colours drawn from [-`hue`, `hue`], in [0, 0.5].
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
        wanted = [(brightness, self.brightness, 1), (contrast, self.contrast, 1)]
        if has_colour(shape):
            wanted += [(saturation, self.saturation, 1), (hue, self.hue, 0)]
        wanted = [(change, width, middle) for change, width, middle in wanted if width > 0]
        if not wanted or self.probability == 0:
            return []

        def numbers(n, generator):
            u = draw(n, len(wanted), generator).mul_(2).sub_(1)  # (n, operations), -1 to 1
            amounts = (middle + width * v for v, (_, width, middle) in zip(u.unbind(1), wanted, strict=True))
            return tuple(
                amount.clamp_(min=-0.5 if change is hue else 0)
                for (change, _, _), amount in zip(wanted, amounts, strict=True)
            )

        def jitter(x, *amounts):
            for (change, _, _), amount in zip(wanted, amounts, strict=True):
                x = change(x, amount.to(x.dtype))
            return x

        planes = (jitter_planes, tuple(PLANES[change] for change, _, _ in wanted))
        return [Operation(partial(keeping_alpha, jitter), numbers, self.probability, planes=planes)]


class Grayscale(ImageAugmentation):
    """Take the colour out of some images; those of other than three or four channels have none, and stay.

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
        if not has_colour(shape) or self.probability == 0:
            return []
        change = partial(keeping_alpha, grayscale)
        return [Operation(change, probability=self.probability, planes=(grayscale_planes,))]


class Solarize(ImageAugmentation):
    """Invert what is bright in some images; of four channels, the last one is the opacity and stays.

    Parameters
    ----------
    threshold : float, default=0.5
        Intensities from here on are inverted: 1 - x for x.
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
        change = partial(keeping_alpha, partial(solarize, threshold=self.threshold))
        return [Operation(change, probability=self.probability, planes=(solarize_planes, float(self.threshold)))]

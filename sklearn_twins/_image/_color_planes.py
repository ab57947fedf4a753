"""Changes of colours as a compiler takes them best: planes of channels, nothing overwritten, no image looked for."""

import torch

GRAY = (0.2989, 0.587, 0.114)  # weights of red, green and blue in the gray of a colour


def over_plane(values):
    """One value for each image, to be broadcast over a plane.  # (batch,) -> (batch, 1, 1)"""
    return values[:, None, None]


def gray_plane(planes):
    """The gray of colours.  # 3 x (batch, H, W) -> (batch, H, W)"""
    return planes[0] * GRAY[0] + planes[1] * GRAY[1] + planes[2] * GRAY[2]


def brightness_planes(planes, factor):
    """As `brightness` does.  # C x (batch, H, W); factor : (batch,)"""
    return [(plane * over_plane(factor)).clamp(0, 1) for plane in planes]


def contrast_planes(planes, factor):
    """As `contrast` does.  # C x (batch, H, W); factor : (batch,)"""
    mean = (gray_plane(planes) if len(planes) == 3 else sum(planes) / len(planes)).mean((1, 2))  # (batch,)
    shift = over_plane((1 - factor) * mean)
    return [(plane * over_plane(factor) + shift).clamp(0, 1) for plane in planes]


def saturation_planes(planes, factor):
    """As `saturation` does.  # 3 x (batch, H, W); factor : (batch,)"""
    gray = gray_plane(planes)
    return [(gray + (plane - gray) * over_plane(factor)).clamp(0, 1) for plane in planes]


def hue_planes(planes, shift):
    """As `hue` does, where the formulas are explained.  # 3 x (batch, H, W); shift : (batch,), in turns"""
    red, green, blue = planes
    largest = torch.maximum(torch.maximum(red, green), blue)
    smallest = torch.minimum(torch.minimum(red, green), blue)
    c = largest - smallest
    e = largest - 2 * smallest
    place = e + green + blue - red
    place = torch.where(green >= blue, place, -place)
    turned = []
    for at in (0.0, 2.0, 4.0):
        turn = 6 * shift - at
        turn = turn - 6 * torch.round(turn / 6)
        u = (place + c * over_plane(turn)).abs() - 3 * c
        turned.append(torch.minimum(torch.maximum(u.abs() - e, smallest), largest))
    return turned


def jitter_planes(planes, changes, *amounts):
    """Changes one after another, each with its amount for each image.  # C x (batch, H, W); amounts : (batch,)"""
    for change, amount in zip(changes, amounts, strict=True):
        planes = change(planes, amount)
    return planes


def grayscale_planes(planes):
    """As `grayscale` does.  # 3 x (batch, H, W)"""
    return [gray_plane(planes)] * 3


def solarize_planes(planes, threshold):
    """As `solarize` does.  # C x (batch, H, W)"""
    return [torch.where(plane >= threshold, 1 - plane, plane) for plane in planes]


def change_planes(changes, x, drawn):
    """Apply changes in turn; images that one has not chosen keep their values. A fourth channel, opacity, stays.

    Parameters
    ----------
    changes : tuple of tuples
        For each change, its function and constants: ``function(planes, *constants, *numbers) -> planes``.
    x : Tensor of shape (batch, C, H, W)
    drawn : sequence of tuples
        For each change, which images it has chosen (None: all), and its numbers.

    Returns
    -------
    view : Tensor of shape (batch, C, H, W)
    """
    planes = list(x.unbind(1))
    n_changed = 3 if len(planes) == 4 else len(planes)
    planes, opacity = planes[:n_changed], planes[n_changed:]
    for (change, *constants), (chosen, *numbers) in zip(changes, drawn, strict=True):
        changed = change(planes, *constants, *numbers)
        if chosen is not None:
            chosen = over_plane(chosen)
            changed = [torch.where(chosen, new, old) for new, old in zip(changed, planes, strict=True)]
        planes = changed
    return torch.stack([*planes, *opacity], 1)

"""Changes of colours in a form that compiles well: separate channels, nothing overwritten, no index of images."""

import torch

GRAY = (0.2989, 0.587, 0.114)  # weights of red, green and blue in the gray of a colour


def per_plane(values):
    """Reshape one value per image so that it broadcasts over a channel.  # (batch,) -> (batch, 1, 1)"""
    return values[:, None, None]


def to_gray_plane(planes):
    """Compute the gray of colours.  # 3 x (batch, H, W) -> (batch, H, W)"""
    return planes[0] * GRAY[0] + planes[1] * GRAY[1] + planes[2] * GRAY[2]


def adjust_brightness_planes(planes, factor):
    """Do the same as `adjust_brightness`.  # C x (batch, H, W); factor : (batch,)"""
    return [(plane * per_plane(factor)).clamp(0, 1) for plane in planes]


def adjust_contrast_planes(planes, factor):
    """Do the same as `adjust_contrast`.  # C x (batch, H, W); factor : (batch,)"""
    mean = (to_gray_plane(planes) if len(planes) == 3 else sum(planes) / len(planes)).mean((1, 2))  # (batch,)
    shift = per_plane((1 - factor) * mean)
    return [(plane * per_plane(factor) + shift).clamp(0, 1) for plane in planes]


def adjust_saturation_planes(planes, factor):
    """Do the same as `adjust_saturation`.  # 3 x (batch, H, W); factor : (batch,)"""
    gray = to_gray_plane(planes)
    return [(gray + (plane - gray) * per_plane(factor)).clamp(0, 1) for plane in planes]


def rotate_hue_planes(planes, shift):
    """Do the same as `rotate_hue`, which explains the formulas.  # 3 x (batch, H, W); shift : (batch,), in turns"""
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
        u = (place + c * per_plane(turn)).abs() - 3 * c
        turned.append(torch.minimum(torch.maximum(u.abs() - e, smallest), largest))
    return turned


def jitter_planes(planes, changes, *amounts):
    """Apply changes in turn, each with one amount per image.  # C x (batch, H, W); amounts : (batch,)"""
    for change, amount in zip(changes, amounts, strict=True):
        planes = change(planes, amount)
    return planes


def to_grayscale_planes(planes):
    """Do the same as `to_grayscale`.  # 3 x (batch, H, W)"""
    return [to_gray_plane(planes)] * 3


def solarize_planes(planes, threshold):
    """Do the same as `solarize`.  # C x (batch, H, W)"""
    return [torch.where(plane >= threshold, 1 - plane, plane) for plane in planes]


def change_planes(changes, x, drawn):
    """Apply changes in turn, each to the images that it has chosen. A fourth channel, opacity, is left as it is.

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
            chosen = per_plane(chosen)
            changed = [torch.where(chosen, new, old) for new, old in zip(changed, planes, strict=True)]
        planes = changed
    return torch.stack([*planes, *opacity], 1)

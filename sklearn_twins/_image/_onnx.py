"""The part of an ONNX graph that reads images."""

import torch
from torch import nn

from .._parts._modality import OnnxFront
from ._value_range import BYTE_RANGE


def read_rows(preprocessor):
    """The module that turns images into samples, and two images as X holds them."""
    dtype = torch.uint8 if preprocessor.value_range_ == BYTE_RANGE else torch.float32
    return ImageReader(*preprocessor.value_range_), torch.zeros((2, *preprocessor.sample_shape_), dtype=dtype)


def read_samples(preprocessor):
    """The module that turns samples into intensities, and two samples."""
    if getattr(preprocessor, "value_range_", None) == BYTE_RANGE:
        return Bytes(), torch.zeros((2, *preprocessor.spec_.shape), dtype=torch.uint8)
    return nn.Identity(), torch.zeros((2, *preprocessor.spec_.shape))


class ImageReader(nn.Module):
    """Images as X holds them -> intensities, channels first.

    Shape
    -----
    (rows, height, width, channels), uint8 or float32 -> (rows, channels, height, width), float32
    """

    def __init__(self, low, high):
        super().__init__()
        self.low, self.width = low, high - low

    def forward(self, x):
        return ((x.permute(0, 3, 1, 2).double() - self.low) / self.width).float()


class Bytes(nn.Module):
    """Samples of bytes -> intensities.

    Shape
    -----
    (rows, channels, height, width), uint8 -> the same, float32
    """

    def forward(self, x):
        return x.float() / 255


def is_not_finite(x):
    """Which values are infinite or NaN.  # (rows, ...), bool"""
    return ~(x.abs() < torch.inf)


FRONT = OnnxFront(read_rows, read_samples, is_refused=is_not_finite)

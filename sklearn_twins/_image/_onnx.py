"""The part of an ONNX graph that reads images."""

from torch import nn


class ImageReader(nn.Module):
    """Images as they come -> intensities, channels first.

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

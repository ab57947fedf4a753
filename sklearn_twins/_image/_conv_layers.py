"""Convolutions of image encoders, with initial weights suited to ReLU and batch norm."""

import math

from torch import nn

from .._parts._initialize import SeededLayer


class Convolution(SeededLayer, nn.Conv2d):
    """A square convolution of odd size without bias, padded so that only its stride makes the image smaller.

    Initial weights are normal with variance 2 / fan-out, which keeps the size of gradients through a following ReLU.

    Parameters
    ----------
    width_in, width_out : int
        Number of input and output channels.
    size : int
        Height and width of the kernel.
    stride : int or (int, int), default=1
        Stride along each side; a side of n pixels becomes ``ceil(n / stride)``.

    References
    ----------
    He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015, section 2.2, eq. 14.

    Shape
    -----
    (batch, width_in, height, width) -> (batch, width_out, ceil(height / stride), ceil(width / stride))
    """

    folds_as = nn.Conv2d

    def __init__(self, width_in, width_out, size, stride=1):
        super().__init__(width_in, width_out, size, stride, padding=size // 2, bias=False)

    def reset_parameters_from(self, generator):
        """Draw the weights."""
        fan_out = self.weight[:, 0].numel()
        self.weight.normal_(std=math.sqrt(2 / fan_out), generator=generator)


class ZeroScaleNorm(SeededLayer, nn.BatchNorm2d):
    """Batch norm whose scale starts at 0, so that the residual block that it ends starts as the identity.

    References
    ----------
    Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", arXiv 1706.02677, 2017, section 5.1.
    """

    folds_as = nn.BatchNorm2d

    def reset_parameters_from(self, generator):
        """Reset as batch norm does, but with a scale of 0; nothing is drawn."""
        self.reset_parameters()
        self.weight.zero_()


def make_conv_norm(width_in, width_out, size, stride=1, norm=nn.BatchNorm2d):
    """Make a convolution and its batch norm."""
    return [Convolution(width_in, width_out, size, stride), norm(width_out)]


def make_conv_norm_relu(width_in, width_out, size, stride=1):
    """Make a convolution, its batch norm and a ReLU that overwrites the norm's output, which no gradient needs."""
    return [*make_conv_norm(width_in, width_out, size, stride), nn.ReLU(inplace=True)]

"""ImageResNetEncoder: ResNet-18, -34 and -50, with a first layer that fits the size of the images."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import nn

from .._parts._encoder import BLOCK
from ._conv_layers import ZeroScaleNorm, make_conv_norm, make_conv_norm_relu
from ._encoder import ImageEncoder

SMALL_SIDE = 64  # pixels of the longer side up to which stem="auto" is "small"


class ImageResidual(nn.Module):
    """``relu(shortcut(x) + branch(x))``.

    Shape
    -----
    (batch, width_in, height, width) -> (batch, width_out, ceil(height / stride), ceil(width / stride))
    """

    folds_as = BLOCK

    def __init__(self, branch, width_in, width_out, stride):
        super().__init__()
        self.branch = nn.Sequential(*branch)
        same = stride == 1 and width_in == width_out
        self.shortcut = nn.Identity() if same else nn.Sequential(*make_conv_norm(width_in, width_out, 1, stride))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.shortcut(x) + self.branch(x))


def make_basic_block(width_in, width, stride):
    """Make a block of two convolutions of 3 x 3."""
    branch = [*make_conv_norm_relu(width_in, width, 3, stride), *make_conv_norm(width, width, 3, norm=ZeroScaleNorm)]
    return ImageResidual(branch, width_in, width, stride)


def make_bottleneck_block(width_in, width, stride):
    """Make a block of a convolution of 3 x 3 between two of 1 x 1; the last one is four times as wide.

    NOTE[DIFF]: the 3 x 3 convolution has the stride, as in all implementations since; in the paper the first one has.
    """
    branch = [
        *make_conv_norm_relu(width_in, width, 1),
        *make_conv_norm_relu(width, width, 3, stride),
        *make_conv_norm(width, 4 * width, 1, norm=ZeroScaleNorm),
    ]
    return ImageResidual(branch, width_in, 4 * width, stride)


# depth -> (function that makes a block, width of its output over that of its stage, number of blocks per stage)
DEPTHS = {
    18: (make_basic_block, 1, (2, 2, 2, 2)),
    34: (make_basic_block, 1, (3, 4, 6, 3)),
    50: (make_bottleneck_block, 4, (3, 4, 6, 3)),
}


class ImageResNetEncoder(ImageEncoder):
    """A residual network for images.

    The last scale of each residual branch starts at 0, as in the Barlow Twins authors' code.

    Parameters
    ----------
    depth : {18, 34, 50}, default=18
        Number of layers with weights. As in the paper, this counts the classifier, although it is left out.
    width : int, default=64
        Number of channels of the first stage; each of the three others has twice as many as the one before. The
        embedding is 8 times as wide (512), or 32 times at a depth of 50 (2048); for another `n_components`, a linear
        layer is added.
    stem : {"auto", "small", "large"}, default="auto"
        The first layer. "large" is the paper's, for photographs: a convolution of 7 x 7 and a maximum over 3 x 3, both
        with a stride of 2. "small" is a convolution of 3 x 3 that keeps the image's size. "auto" is "small" if the
        longer side has 64 pixels or fewer.

    See Also
    --------
    ConvNetEncoder : A small convolutional network, the default.
    TimmEncoder : Networks from timm, also with pretrained weights.

    References
    ----------
    He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, sections 3 and 4.2, table 1.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins.networks import ImageResNetEncoder
    >>> from sklearn_twins.preprocessing import ImagePreprocessor
    >>> preprocessor = ImagePreprocessor().fit(load_digits().images)  # 8 x 8, grey
    >>> encoder = ImageResNetEncoder(width=8).build(preprocessor.spec_, None, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 64])
    """

    _parameter_constraints: dict = {
        "depth": [Options(Integral, set(DEPTHS))],
        "width": [Interval(Integral, 1, None, closed="left")],
        "stem": [StrOptions({"auto", "small", "large"})],
    }

    def __init__(self, depth=18, width=64, stem="auto"):
        self.depth = depth
        self.width = width
        self.stem = stem

    def _layers(self, spec):
        """Make the layers behind the stem; also return their number of output channels."""
        n_channels, *sides = spec.shape
        small = max(sides) <= SMALL_SIDE if self.stem == "auto" else self.stem == "small"
        if small:
            layers = make_conv_norm_relu(n_channels, self.width, 3)
        else:
            layers = [*make_conv_norm_relu(n_channels, self.width, 7, 2), nn.MaxPool2d(3, 2, padding=1)]
        make_block, widening, n_blocks = DEPTHS[self.depth]
        width_in = self.width
        for stage, n in enumerate(n_blocks):
            width = self.width * 2**stage
            for block in range(n):
                layers.append(make_block(width_in, width, 2 if stage > 0 and block == 0 else 1))
                width_in = widening * width
        return layers, width_in

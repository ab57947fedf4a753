"""Residual networks over images: ResNet-18, -34 and -50, with a first layer that fits the image's size."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import nn

from .._parts._encoder import BLOCK
from ._conv_layers import ZeroScaleNorm, conv_norm, conv_norm_relu
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
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(width_in, width_out, 1, stride))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.shortcut(x) + self.branch(x))


def basic(width_in, width, stride):
    """Two convolutions of 3 x 3."""
    branch = [*conv_norm_relu(width_in, width, 3, stride), *conv_norm(width, width, 3, norm=ZeroScaleNorm)]
    return ImageResidual(branch, width_in, width, stride)


def bottleneck(width_in, width, stride):
    """A convolution of 3 x 3 between two of 1 x 1, the last of which is four times as wide.

    NOTE[DIFF]: the stride is that of the 3 x 3, as in all implementations since; the paper's is that of the first one.
    """
    branch = [
        *conv_norm_relu(width_in, width, 1),
        *conv_norm_relu(width, width, 3, stride),
        *conv_norm(width, 4 * width, 1, norm=ZeroScaleNorm),
    ]
    return ImageResidual(branch, width_in, 4 * width, stride)


# depth -> how a block is made, how much wider than its stage its output is, and how many blocks each stage has
DEPTHS = {
    18: (basic, 1, (2, 2, 2, 2)),
    34: (basic, 1, (3, 4, 6, 3)),
    50: (bottleneck, 4, (3, 4, 6, 3)),
}


class ImageResNetEncoder(ImageEncoder):
    """A residual network over images.

    The last scale of each residual branch begins as 0, as Barlow Twins' authors have it.

    Parameters
    ----------
    depth : {18, 34, 50}, default=18
        Layers with weights, counted with the paper's classifier, which is left out.
    width : int, default=64
        Channels of the first stage; each of the three others has twice as many as the one before. The embedding's own
        width is 8 times as much (512), or 32 times at a depth of 50 (2048), unless `n_components` asks for another:
        then one linear layer more leads to it.
    stem : {"auto", "small", "large"}, default="auto"
        The first layer. "large" is the paper's for photographs: 7 x 7 with a stride of 2, then the maximum of each
        3 x 3, with another. "small" is 3 x 3 and keeps the image's size. "auto" is "small" if the longer side has
        64 pixels or fewer.

    See Also
    --------
    ConvNetEncoder : A small network, the default.
    TimmEncoder : Networks of timm, also with trained weights.

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
        """Layers behind the stem, and the number of their channels."""
        n_channels, *sides = spec.shape
        small = max(sides) <= SMALL_SIDE if self.stem == "auto" else self.stem == "small"
        if small:
            layers = conv_norm_relu(n_channels, self.width, 3)
        else:
            layers = [*conv_norm_relu(n_channels, self.width, 7, 2), nn.MaxPool2d(3, 2, padding=1)]
        make_block, widening, n_blocks = DEPTHS[self.depth]
        width_in = self.width
        for stage, n in enumerate(n_blocks):
            width = self.width * 2**stage
            for block in range(n):
                layers.append(make_block(width_in, width, 2 if stage > 0 and block == 0 else 1))
                width_in = widening * width
        return layers, width_in

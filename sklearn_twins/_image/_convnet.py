"""A small convolutional network: the default encoder of images, fast enough to train on a CPU."""

from .._parts._projector import check_widths
from ._conv_layers import conv_norm_relu
from ._encoder import ImageEncoder

LEAST_SIDE = 2  # pixels that halving leaves of a side


def strides(side, n_layers):
    """Stride of each layer along one side of an image: the last layers halve it, as many as leave two pixels of it.

    Parameters
    ----------
    side : int
        Pixels.
    n_layers : int
        Convolutions.

    Returns
    -------
    strides : list of {1, 2}
        One for each layer, ones first.
    """
    n_halved = 0
    while n_halved < n_layers and -(-side // 2) >= LEAST_SIDE:  # rounded up
        side, n_halved = -(-side // 2), n_halved + 1
    return [1] * (n_layers - n_halved) + [2] * n_halved


class ConvNetEncoder(ImageEncoder):
    """A small convolutional network over images.

    Convolutions of 3 x 3 pixels, each with batch norm and ReLU, then the mean over all places. From 17 pixels on, each
    of the four layers of the default halves a side; a smaller one is halved by the last layers only, as long as two
    pixels of it are left (8 pixels by the last two), so that small images keep their detail.

    Parameters
    ----------
    widths : tuple of int, default=(32, 64, 128, 256)
        Channels of each convolution. The last one is the embedding's own width, unless `n_components` asks for
        another: then one linear layer more leads to it.

    See Also
    --------
    ImageResNetEncoder : A residual network, as papers on images use.
    TimmEncoder : Networks of timm, also with trained weights.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins.networks import ConvNetEncoder
    >>> from sklearn_twins.preprocessing import ImagePreprocessor
    >>> preprocessor = ImagePreprocessor().fit(load_digits().images)  # 8 x 8, grey
    >>> encoder = ConvNetEncoder().build(preprocessor.spec_, 64, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 64])
    """

    _parameter_constraints: dict = {"widths": [tuple, list]}

    def __init__(self, widths=(32, 64, 128, 256)):
        self.widths = widths

    def check(self):
        """Refuse widths that are no positive integers, and no layer at all.

        Returns
        -------
        self : ConvNetEncoder
            The object itself.

        Raises
        ------
        ValueError
            If `widths` is empty or holds anything but positive integers.
        """
        super().check()
        check_widths(self, "widths")
        if not self.widths:
            raise ValueError("The 'widths' parameter of ConvNetEncoder is empty; give at least one width.")
        return self

    def _layers(self, spec):
        """Layers behind the stem, and the number of their channels."""
        n_channels, *sides = spec.shape
        by_layer = zip(*(strides(side, len(self.widths)) for side in sides), strict=True)
        widths_in = [n_channels, *self.widths[:-1]]
        layers = []
        for width_in, width, stride in zip(widths_in, self.widths, by_layer, strict=True):
            layers += conv_norm_relu(width_in, width, 3, stride)
        return layers, self.widths[-1]

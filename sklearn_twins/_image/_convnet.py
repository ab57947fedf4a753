"""ConvNetEncoder: a small convolutional network, the default for images, fast enough to train on a CPU."""

from .._parts._projector import check_widths
from ._conv_layers import make_conv_norm_relu
from ._encoder import ImageEncoder

MIN_SIDE = 2  # pixels; no side is halved to less


def compute_strides(side, n_layers):
    """Compute the stride of each layer along one side: the last layers halve it, as long as two pixels are left.

    Parameters
    ----------
    side : int
        Length of the side in pixels.
    n_layers : int
        Number of convolutions.

    Returns
    -------
    strides : list of {1, 2}
        One stride per layer, ones first.
    """
    n_halved = 0
    while n_halved < n_layers and -(-side // 2) >= MIN_SIDE:  # rounded up
        side, n_halved = -(-side // 2), n_halved + 1
    return [1] * (n_layers - n_halved) + [2] * n_halved


class ConvNetEncoder(ImageEncoder):
    """A small convolutional network for images.

    Convolutions of 3 x 3 pixels, each with batch norm and ReLU, then the mean over all places. Layers have a stride of
    2, but small images keep their detail: no side is halved to less than two pixels, and if not all layers can halve a
    side, the last ones do. By default, all four layers halve sides of 17 pixels or more; the last two halve sides of 8.

    Parameters
    ----------
    widths : tuple of int, default=(32, 64, 128, 256)
        Number of channels of each convolution. The last one is the width of the embedding; for another `n_components`,
        a linear layer is added.

    See Also
    --------
    ImageResNetEncoder : A residual network, as used in papers.
    TimmEncoder : Networks from timm, also with pretrained weights.

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
        """Refuse widths that are not positive integers, and an empty list.

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
        """Make the layers behind the stem; also return their number of output channels."""
        n_channels, *sides = spec.shape
        by_layer = zip(*(compute_strides(side, len(self.widths)) for side in sides), strict=True)
        widths_in = [n_channels, *self.widths[:-1]]
        layers = []
        for width_in, width, stride in zip(widths_in, self.widths, by_layer, strict=True):
            layers += make_conv_norm_relu(width_in, width, 3, stride)
        return layers, self.widths[-1]

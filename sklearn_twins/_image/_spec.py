"""ImageSpec: the shape of an image, and the statistics of its channels."""

import math
from dataclasses import dataclass
from typing import ClassVar

from .._parts._spec import BLOCK_ROWS, GPU_BLOCK_ROWS, SampleSpec

BLOCK_VALUES = 2**17  # values in a block: 32 images of 32 x 32 x 3
# In a small network, starting a layer takes about as long as a few images: blocks four times as large are a tenth
# faster. A large network gains nothing, and a single image would cost it a second.
SMALL_NETWORK_BLOCK_VALUES = 2**19
SMALL_NETWORK = 2**20  # weights
GPU_BLOCK_VALUES = 2**23  # 2,048 images of 32 x 32 x 3; not measured: leaves room for a ResNet's layers in 8 GB


@dataclass(frozen=True)
class ImageSpec(SampleSpec):
    """The shape of an image, and the mean and standard deviation of each channel.

    Parameters
    ----------
    shape : tuple of (int, int, int)
        Channels, height and width.
    mean, std : tuple of float, default=()
        Mean and standard deviation of each channel's intensity in the training images, where 0 is black and 1 is white.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins.preprocessing import ImagePreprocessor
    >>> ImagePreprocessor().fit(load_digits().images).spec_.shape
    (1, 8, 8)
    """

    kind: ClassVar = "images"

    mean: tuple = ()
    std: tuple = ()

    def make_stem(self):
        """Make the layer in front of a user's network: an `ImageStem`.

        Returns
        -------
        stem : nn.Module
            Not initialised yet.
        """
        from ._stem import ImageStem

        return ImageStem(self, channels_last=False)  # a user's module may call `view`

    def describe_input(self):
        """Say in an error message what a user's network receives.

        Returns
        -------
        hint : str
            A sentence for the end of the message.
        """
        channels, height, width = self.shape
        return f"For images it receives batches of shape (batch, {channels}, {height}, {width}): channels come first."

    def block_rows(self, n_weights, on_gpu=False):
        """Choose how many images `transform` embeds at a time: fewer large ones, and fewer in large networks.

        Parameters
        ----------
        n_weights : int
            Number of the encoder's weights.
        on_gpu : bool, default=False
            Whether the encoder is on a GPU.

        Returns
        -------
        n : int
            Number of rows.
        """
        on_cpu = SMALL_NETWORK_BLOCK_VALUES if n_weights < SMALL_NETWORK else BLOCK_VALUES
        n_fitting = max(1, (GPU_BLOCK_VALUES if on_gpu else on_cpu) // math.prod(self.shape))
        return min(GPU_BLOCK_ROWS if on_gpu else BLOCK_ROWS, 2 ** (n_fitting.bit_length() - 1))

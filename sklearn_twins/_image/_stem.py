"""The first layer of every image encoder: bytes or intensities -> standardised channels."""

import torch
from torch import nn

from .._parts._encoder import STEM
from .._parts._initialize import SeededLayer

LEAST_STD = 1e-7  # of a channel that varies; rounding alone gives float32 that much


class ImageStem(SeededLayer, nn.Module):
    """Images, as bytes or as intensities -> each channel with mean 0 and standard deviation 1 over the training images.

    A byte's intensity is its 255th part. A channel that was the same everywhere is shifted only, and a spec without
    statistics leaves intensities as they are.

    Parameters
    ----------
    spec : ImageSpec
        What a sample is made of; its `mean` and `std` are those of the intensities.
    channels_last : bool, default=True
        Whether the channels of a pixel lie beside each other in memory, which convolutions are faster with; else rows
        of pixels do, as a module needs that calls ``view``.

    Raises
    ------
    ValueError
        If the spec has statistics, but not of each channel.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.preprocessing import ImageSpec
    >>> from sklearn_twins.networks import ImageStem, initialize
    >>> with torch.device("meta"):
    ...     stem = ImageStem(ImageSpec((1, 2, 2), mean=(0.5,), std=(0.25,)))
    >>> stem = initialize(stem, torch.Generator().manual_seed(0))
    >>> stem(torch.tensor([[[[0, 255], [0, 255]]]], dtype=torch.uint8)).flatten()
    tensor([-2.,  2., -2.,  2.])
    """

    folds_as = STEM

    def __init__(self, spec, channels_last=True):
        super().__init__()
        n_channels = spec.shape[0]
        for name in ("mean", "std"):
            values = getattr(spec, name)
            if len(values) not in (0, n_channels):
                raise ValueError(
                    f"ImageSpec.{name} must have one number for each of the {n_channels} channels of samples of shape "
                    f"{spec.shape}, or be empty. Got {values!r}."
                )
        self.mean = spec.mean or (0.0,) * n_channels
        self.std = spec.std or (1.0,) * n_channels
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        for name in ("scale", "shift"):
            self.register_buffer(name, torch.empty(n_channels, 1, 1), persistent=False)

    def reset_parameters_from(self, generator):
        """Lay out the statistics; there is nothing to draw.

        Parameters
        ----------
        generator : torch.Generator
            Not used.
        """
        mean, std = (torch.tensor(v, dtype=torch.float64).reshape(-1, 1, 1) for v in (self.mean, self.std))
        scale = 1 / std.where(std > LEAST_STD, 1.0)
        self.scale, self.shift = scale.float(), (-mean * scale).float()

    def forward(self, x):
        """Standardise images.

        Parameters
        ----------
        x : Tensor of shape (batch, channels, height, width), uint8 or floating
            Bytes, or intensities.

        Returns
        -------
        x : Tensor of shape (batch, channels, height, width), float32
            Each channel less its mean, over its standard deviation.
        """
        if x.dtype == torch.uint8:  # moved while they are small, then one pass
            x = x.contiguous(memory_format=self.memory_format)
            return torch.addcmul(self.shift, x, self.scale, value=1 / 255)
        return (x.float() * self.scale).add_(self.shift).contiguous(memory_format=self.memory_format)

"""ImageStem, the first layer of every image encoder: bytes or intensities -> standardised channels."""

import torch
from torch import nn

from .._parts._encoder import STEM
from .._parts._initialize import SeededLayer

MIN_STD = 1e-7  # a smaller deviation of a channel is float32 rounding


class ImageStem(SeededLayer, nn.Module):
    """Standardise the channels of images: mean 0 and standard deviation 1 over the training images.

    Bytes are divided by 255 first. A constant channel is only shifted. A spec without statistics leaves intensities as
    they are.

    Parameters
    ----------
    spec : ImageSpec
        Description of the samples, with `mean` and `std` of the intensities.
    channels_last : bool, default=True
        Whether the channels of a pixel are contiguous in the output, which is faster for convolutions. If False, the
        output is contiguous, as needed by modules that call ``view``.

    Raises
    ------
    ValueError
        If the spec has statistics, but not one for each channel.

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
        """Compute scale and shift from the statistics; nothing is drawn.

        Parameters
        ----------
        generator : torch.Generator
            Not used.
        """
        mean, std = (torch.tensor(v, dtype=torch.float64).reshape(-1, 1, 1) for v in (self.mean, self.std))
        scale = 1 / std.where(std > MIN_STD, 1.0)
        self.scale, self.shift = scale.float(), (-mean * scale).float()

    def forward(self, x):
        """Standardise images.

        Parameters
        ----------
        x : Tensor of shape (batch, channels, height, width), uint8 or floating
            Bytes or intensities.

        Returns
        -------
        x : Tensor of shape (batch, channels, height, width), float32
            Each channel minus its mean, divided by its standard deviation.
        """
        if x.dtype == torch.uint8:  # moved while they are small, then one pass
            x = x.contiguous(memory_format=self.memory_format)
            return torch.addcmul(self.shift, x, self.scale, value=1 / 255)
        return (x.float() * self.scale).add_(self.shift).contiguous(memory_format=self.memory_format)

"""The part of an ONNX graph that reads time series."""

import numpy as np
import torch
from torch import nn

from .._parts._modality import ALONE, OnnxFront


def read_rows(preprocessor):
    """The module that turns X into samples, and two series as X holds them.

    X is (rows, channels, length), or with the channels last as the preprocessor has it; (rows, length) for one channel.
    """
    spec = preprocessor.spec_
    if preprocessor.n_features_in_ != spec.n_channels * spec.length:
        raise ValueError(f"max_length, which shortens series, cannot be a part of an ONNX graph. {ALONE}.")
    shape = (spec.n_channels, spec.length) if spec.n_channels > 1 else (spec.length,)
    is_last = preprocessor.layout == "channels_last" and spec.n_channels > 1
    return SeriesReader(preprocessor, is_last), torch.zeros(
        (2, *(shape[::-1] if is_last else shape)), dtype=torch.float64
    )


def read_samples(preprocessor):
    """The module that leaves samples as they are, and two samples."""
    return nn.Identity(), torch.zeros((2, *preprocessor.spec_.shape))


class SeriesReader(nn.Module):
    """Series as X holds them -> samples, as `SeriesPreprocessor.transform` makes them, in float64.

    Shape
    -----
    (rows, length) or (rows, channels, length), float64, NaN where missing -> (rows, *spec.shape), float32
    """

    def __init__(self, preprocessor, channels_last):
        super().__init__()
        self.spec, self.by_series = preprocessor.spec_, preprocessor.scaling == "series"
        self.channels_last = channels_last
        self.register_buffer("mean", torch.from_numpy(preprocessor.mean_.copy()).unsqueeze(1))
        self.register_buffer("scale", torch.from_numpy(preprocessor.scale_.copy()).unsqueeze(1))

    def bring_channels_first(self, x):
        """X with the channels first.  # (rows, channels, length)"""
        return x.unsqueeze(1) if x.dim() == 2 else x.transpose(1, 2) if self.channels_last else x

    def is_refused(self, x):
        """Which values of X `transform` refuses: infinite ones; missing ones, unless they are marked; empty series."""
        infinite = x.abs() == torch.inf
        if not self.spec.masked:
            return infinite | x.isnan()
        empty = self.bring_channels_first(x).isnan().any(1).all(1)  # (rows,)
        return infinite | empty.reshape(-1, *[1] * (x.dim() - 1))

    def forward(self, x):
        x = self.bring_channels_first(x)
        there = ~x.isnan().any(1, keepdim=True)  # (rows, 1, length)
        x = torch.where(there, x, 0.0)  # no NaN goes further
        mean, scale = self.mean, self.scale
        if self.by_series:
            n = there.sum(2, keepdim=True).clamp(min=1).double()
            mean = x.sum(2, keepdim=True) / n
            square = torch.where(there, (x - mean).square(), 0.0).sum(2, keepdim=True)
            scale = torch.sqrt(square / n)
            scale = torch.where(scale > 1e-12 * mean.abs(), scale, 1.0)
        most = np.finfo(np.float32).max
        samples = torch.where(there, ((x - mean) / scale).clamp(-most, most), 0.0).float()
        return torch.cat([samples, there.float()], dim=1) if self.spec.masked else samples


FRONT = OnnxFront(read_rows, read_samples)

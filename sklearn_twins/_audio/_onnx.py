"""The part of an ONNX graph that reads audio: clips become spectrograms by products of matrices."""

import numpy as np
import torch
from torch import nn

from .._parts._modality import ALONE, OnnxFront
from ._log_mel import EPS, make_filters


def read_rows(preprocessor):
    """The module that turns clips of one length, at `sample_rate`, into samples; and two clips."""
    if preprocessor.input_rate not in (None, preprocessor.sample_rate):
        raise ValueError(
            f"Resampling from input_rate={preprocessor.input_rate} cannot be a part of an ONNX graph. {ALONE}; or fit "
            "on clips that have the rate sample_rate."
        )
    reader = ClipReader(preprocessor)
    n_samples = max(preprocessor.spec_.shape[1] * reader.hop, reader.min_samples)
    return reader, torch.zeros((2, n_samples), dtype=torch.float64)


def read_samples(preprocessor):
    """The module that leaves spectrograms as they are, and two of them."""
    return Spectrograms(), torch.zeros((2, *preprocessor.spec_.shape))


class Spectrograms(nn.Identity):
    """Spectrograms of any length from 4 frames on, as they are."""

    free_axes = (2,)


class ClipReader(nn.Module):
    """Clips as X holds them -> spectrograms, as `AudioPreprocessor.transform` makes them, in float64.

    Clips that are shorter than a window are continued with silence. A Fourier transform is the product with a matrix of
    cosines and sines, times the window.

    Shape
    -----
    (rows, samples), float64 -> (rows, bands, 1 + samples // hop), float32 or float16
    """

    free_axes = (1,)

    def __init__(self, preprocessor):
        super().__init__()
        front = preprocessor._front()
        self.n_fft, self.hop, self.min_samples = front.n_fft, front.hop, front.min_samples
        window = np.zeros(front.n_fft)
        start = (front.n_fft - front.window) // 2
        window[start : start + front.window] = torch.hann_window(front.window, dtype=torch.float64).numpy()
        times, frequencies = np.arange(front.n_fft), np.arange(front.n_fft // 2 + 1)
        angles = np.outer(times, frequencies) % front.n_fft * (2 * np.pi / front.n_fft)
        waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * window[:, None]
        self.register_buffer("waves", torch.from_numpy(waves))  # (n_fft, 2 * frequencies)
        self.register_buffer("filters", torch.from_numpy(make_filters(front)))
        self.mean, self.std, self.dtype = preprocessor.mean_, preprocessor.std_, getattr(torch, preprocessor.dtype)

    def is_refused(self, x):
        """Which values of X `transform` refuses: those that are not finite."""
        return ~(x.abs() < torch.inf)

    def forward(self, x):
        half = self.n_fft // 2
        x = nn.functional.pad(x, (0, torch.sym_max(0, self.min_samples - x.shape[1])))
        x = torch.cat([x[:, 1 : half + 1].flip(1), x, x[:, -half - 1 : -1].flip(1)], dim=1)  # mirrored at both ends
        squares = (x.unfold(1, self.n_fft, self.hop) @ self.waves).square()  # (rows, frames, 2 * frequencies)
        power = squares[..., : half + 1] + squares[..., half + 1 :]
        log_mel = (power @ self.filters + EPS).log().transpose(1, 2)  # (rows, bands, frames)
        return ((log_mel - self.mean) / self.std).to(self.dtype)


FRONT = OnnxFront(read_rows, read_samples)

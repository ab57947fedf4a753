"""The log-mel spectrogram of a clip: the logarithm of its power in frequency bands, frame by frame."""

from dataclasses import dataclass
from functools import cache

import numpy as np

EPS = float(np.finfo(np.float32).eps)  # added to a band's power before the logarithm, as the paper's code does
MIN_FRAMES = 4  # the encoder halves the number of frames twice


@dataclass(frozen=True)
class FrontEnd:
    """Settings of the log-mel spectrogram, in samples and Hz.

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    n_mels : int
        Number of bands.
    window, hop : int
        Samples in a window, and from one window to the next.
    f_min, f_max : float
        Lowest and highest frequency of the bands, in Hz.
    """

    sample_rate: int
    n_mels: int
    window: int
    hop: int
    f_min: float
    f_max: float

    @property
    def n_fft(self):
        """Samples of a Fourier transform: the window, filled up to a power of two."""
        return 1 << (self.window - 1).bit_length()

    @property
    def min_samples(self):
        """Samples of the shortest clip; shorter ones are continued with silence."""
        return max(self.n_fft, (MIN_FRAMES - 1) * self.hop)

    def count_frames(self, n_samples):
        """Number of frames of a clip."""
        return 1 + max(n_samples, self.min_samples) // self.hop


def to_mel(frequency):
    """Frequencies in mel, by O'Shaughnessy's formula ("htk")."""
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)


def from_mel(mel):
    """Frequencies in Hz."""
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


@cache
def make_filters(front):
    """Make the triangular filters, of height 1, whose corners are equally spaced in mel.

    Parameters
    ----------
    front : FrontEnd
        Settings.

    Returns
    -------
    filters : ndarray of shape (n_fft // 2 + 1, n_mels), float64

    Raises
    ------
    ValueError
        If a filter lies between two frequencies of the Fourier transform, and would be empty.
    """
    corners = from_mel(np.linspace(to_mel(front.f_min), to_mel(front.f_max), front.n_mels + 2))
    frequencies = np.arange(front.n_fft // 2 + 1) * (front.sample_rate / front.n_fft)
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    up = (frequencies[:, None] - low) / (middle - low)
    down = (high - frequencies[:, None]) / (high - middle)
    filters = np.maximum(0, np.minimum(up, down))
    empty = np.flatnonzero(filters.sum(0) == 0)
    if len(empty):
        raise ValueError(
            f"n_mels={front.n_mels} gives {len(empty)} empty band(s), the first from {low[empty[0]]:.0f} to "
            f"{high[empty[0]]:.0f} Hz: the Fourier transform of {front.n_fft} samples has one value each "
            f"{front.sample_rate / front.n_fft:.1f} Hz. Use fewer bands, a longer window, or a higher f_min."
        )
    return filters


@cache
def filters_on(front, device):
    """The filters and the window, a periodic Hann window, on a device."""
    import torch

    filters = torch.from_numpy(make_filters(front)).to(device)
    return filters, torch.hann_window(front.window, dtype=torch.float64, device=device)


def log_mel(clip, front, device):
    """Compute the log-mel spectrogram of one clip.

    The arithmetic is in float64: bands that are nearly silent beside loud ones keep their digits, and a clip has the
    same spectrogram on every device, up to the rounding of its float32 values. One clip is one computation, so that
    its values do not depend on other clips.

    Parameters
    ----------
    clip : ndarray of shape (samples,), float64
        At least one sample. Short clips are continued with zeros to `front.min_samples`.
    front : FrontEnd
        Settings.
    device : torch.device
        Where to compute.

    Returns
    -------
    spectrogram : ndarray of shape (frames, n_mels), float64
        ``1 + samples // hop`` frames; the clip is mirrored at both ends.
    """
    import torch

    x = torch.from_numpy(clip).to(device)
    if len(x) < front.min_samples:
        x = torch.nn.functional.pad(x, (0, front.min_samples - len(x)))
    filters, window = filters_on(front, device)
    options = {"center": True, "pad_mode": "reflect", "return_complex": True}
    spectrum = torch.stft(x, front.n_fft, front.hop, front.window, window, **options)  # (n_fft // 2 + 1, frames)
    power = torch.view_as_real(spectrum).square().sum(2)
    return (power.T @ filters).add_(EPS).log_().cpu().numpy()  # (frames, n_mels)

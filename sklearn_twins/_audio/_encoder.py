"""AudioNTTEncoder: two convolutions, a perceptron for each frame, and the mean and maximum over time."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import nn

from .._parts._encoder import BLOCK, STEM, Encoder
from ._log_mel import MIN_FRAMES
from ._spec import AudioSpec

REDUCTION = 4  # frames of the spectrogram in one of the encoder


class AudioStem(nn.Module):
    """Turn spectrograms into images with one channel; padding behind the end of a clip becomes 0, the mean.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import AudioStem
    >>> AudioStem()(torch.tensor([[[1.0, torch.nan]]]))
    tensor([[[[1., 0.]]]])
    """

    folds_as = STEM

    def __init__(self):
        super().__init__()

    def forward(self, x):
        """Put samples into the form that convolutions take.

        Parameters
        ----------
        x : Tensor of shape (batch, bands, frames)
            Standardised spectrograms.

        Returns
        -------
        x : Tensor of shape (batch, 1, bands, frames), float32
            Without NaN.
        """
        x = x.float()
        return torch.where(x.isnan(), 0.0, x).unsqueeze(1).contiguous()


class FramePerceptron(nn.Module):
    """Two layers for each frame, whose input and output stand side by side; then maximum plus mean over the frames.

    Shape
    -----
    (batch, channels, bands, frames) -> (batch, channels * bands + hidden_dim)
    """

    folds_as = BLOCK

    def __init__(self, width, hidden_dim, dropout):
        super().__init__()
        drop = [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(
            nn.Linear(width, hidden_dim), nn.ReLU(), *drop, nn.Linear(hidden_dim, hidden_dim), nn.ReLU()
        )

    def frames_of(self, x):
        """Features of each frame: (batch, channels, bands, frames) -> (batch, frames, width)."""
        x = x.permute(0, 3, 2, 1).flatten(2)  # (batch, frames, bands * channels)
        return torch.cat([x, self.layers(x.flatten(0, 1)).unflatten(0, x.shape[:2])], dim=2)

    def forward(self, x):
        x = self.frames_of(x)
        return x.amax(1) + x.mean(1)


class FrameNet(nn.Module):
    """A trained encoder that embeds each of its frames, as if a clip had no other.

    Shape
    -----
    (batch, bands, frames) -> (batch, frames // 4 * n_components)
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        n = len(x)
        for layer in self.network:
            x = 2 * layer.frames_of(x).flatten(0, 1) if isinstance(layer, FramePerceptron) else layer(x)
        return x.reshape(n, -1)


def embed_frames(network, samples, spec, embed):
    """Embed each frame of the encoder, four frames of the spectrogram; see `Modality.embed_frames`.

    Returns
    -------
    frames : ndarray of shape (n, n_frames, n_components), float32
        NaN behind the end of a clip.
    times : ndarray of shape (n_frames,), float64
        Middle of each frame in milliseconds.
    """
    if not (isinstance(network, nn.Sequential) and any(isinstance(layer, FramePerceptron) for layer in network)):
        raise ValueError(
            "transform_frames needs an encoder that keeps the frames of a clip apart: encoder='audio_ntt_slim' or "
            "encoder='audio_ntt'. The fitted one embeds a clip as a whole only."
        )
    net, lengths = FrameNet(network).eval(), samples.lengths // REDUCTION
    found = [embed(net, samples.exact(np.array([i])), spec).reshape(length, -1) for i, length in enumerate(lengths)]
    n_frames, width = max(lengths, default=0), found[0].shape[1] if found else 0
    frames = np.full((len(found), n_frames, width), np.nan, dtype=np.float32)
    for row, one in zip(frames, found, strict=True):
        row[: len(one)] = one
    return frames, (np.arange(n_frames) * REDUCTION + (REDUCTION - 1) / 2) * spec.hop * 1000


class AudioNTTEncoder(Encoder):
    """The encoder of BYOL for Audio and Audio Barlow Twins, which takes clips of any length.

    Two convolutions of 3 x 3, each with a maximum over 2 x 2 values, batch norm and ReLU; a perceptron of two layers
    for each frame that is left; and the maximum plus the mean over all frames, of the perceptron's input and output.

    NOTE[DIFF]: the papers take the maximum behind batch norm and ReLU. In front of them it leaves a quarter of the
    values, and a training step on a CPU takes half the time.

    The defaults are narrower than in the papers, and train on a CPU: "audio_ntt_slim". As published, with 64 channels
    and a perceptron of width 2,048, it is ``encoder="audio_ntt"``.

    Parameters
    ----------
    n_channels : int, default=32
        Channels of both convolutions.
    hidden_dim : int, default=256
        Width of the perceptron. The embedding has ``n_channels * (n_mels // 4) + hidden_dim`` values: 768 with 64 mel
        bands, and 3,072 as published.
    dropout : float, default=0.0
        Share of the perceptron's hidden values that are dropped in training; 0.3 as published. Dropout draws from
        torch's global generator, which is seeded for the fit and restored.

    References
    ----------
    Niizumi, Takeuchi, Ohishi, Harada and Kashino, "BYOL for Audio: Exploring Pre-Trained General-Purpose Audio
    Representations", IEEE/ACM TASLP 2023, section III-B.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import AudioNTTEncoder
    >>> from sklearn_twins.preprocessing import AudioSpec
    >>> encoder = AudioNTTEncoder().build(AudioSpec((64, 96)), None, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 64, 96)).shape, encoder(torch.zeros(2, 64, 500)).shape
    (torch.Size([5, 768]), torch.Size([2, 768]))
    """

    _parameter_constraints: dict = {
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(self, n_channels=32, hidden_dim=256, dropout=0.0):
        self.n_channels = n_channels
        self.hidden_dim = hidden_dim
        self.dropout = dropout

    @property
    def draws_globally(self):
        """Whether training draws from torch's global generator."""
        return self.dropout > 0

    def _check_spec(self, spec):
        if not isinstance(spec, AudioSpec):
            raise ValueError(
                f"encoder={self!r} is for audio, spectrograms of shape (bands, frames). Got samples of shape "
                f"{spec.shape}. Set modality='audio', or use another encoder."
            )
        if spec.shape[0] < MIN_FRAMES:
            raise ValueError(f"encoder={self!r} needs at least {MIN_FRAMES} mel bands. Got n_mels={spec.shape[0]}.")

    def _make(self, spec):
        layers, width_in = [], 1
        for _ in range(2):
            layers += [nn.Conv2d(width_in, self.n_channels, 3, padding=1), nn.MaxPool2d(2)]
            layers += [nn.BatchNorm2d(self.n_channels), nn.ReLU(inplace=True)]
            width_in = self.n_channels
        width = self.n_channels * (spec.shape[0] // 4)
        return AudioStem(), [*layers, FramePerceptron(width, self.hidden_dim, self.dropout)], width + self.hidden_dim

    def _finish(self, network):
        """Lay out weights with channels last, which is faster on a CPU."""
        with torch.inference_mode(False):
            return network.to(memory_format=torch.channels_last)


def published():
    """Make the encoder as wide as in the papers."""
    return AudioNTTEncoder(n_channels=64, hidden_dim=2_048, dropout=0.3)

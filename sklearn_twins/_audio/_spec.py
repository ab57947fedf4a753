"""AudioSpec: the shape of a spectrogram as networks train on it, and the views' common cut in time."""

import math
from dataclasses import dataclass
from typing import ClassVar

from .._parts._spec import SampleSpec

BLOCK_FRAMES = 256  # frames in a block on the CPU: longer ones gain nothing and cost a single clip more
GPU_BLOCK_FRAMES = 2**14
MAX_GPU_BLOCK_ROWS = 64


@dataclass(frozen=True)
class AudioSpec(SampleSpec):
    """The shape of the spectrograms that networks train on: mel bands, and frames of a cut.

    Spectrograms are stored at their full length. Views are made from cuts of ``shape[1]`` frames; `transform` embeds
    whole clips, each at its own length, so that networks have to take any number of frames from 4 on.

    Parameters
    ----------
    shape : tuple of (int, int)
        Mel bands and frames.
    hop : float, default=0.01
        Seconds from one frame to the next.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_twins.preprocessing import AudioPreprocessor
    >>> clips = [np.random.default_rng(i).normal(size=16_000 + i) for i in range(3)]
    >>> AudioPreprocessor(input_rate=16_000).fit(clips).spec_
    AudioSpec(shape=(64, 96), hop=0.01)
    """

    kind: ClassVar = "audio"

    hop: float = 0.01

    def make_stem(self):
        """Make the layer in front of a user's network: an `AudioStem`.

        Returns
        -------
        stem : nn.Module
            Not initialised yet.
        """
        from ._encoder import AudioStem

        return AudioStem()

    def describe_input(self):
        """Say in an error message what a user's network receives.

        Returns
        -------
        hint : str
            A sentence for the end of the message.
        """
        n_mels, n_frames = self.shape
        return (
            f"For audio it receives batches of shape (batch, 1, {n_mels}, {n_frames}) in training, and in `transform` "
            "any number of frames from 4 on."
        )

    def block_rows(self, n_weights, on_gpu=False):
        """Choose how many clips of one length `transform` embeds at a time.

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
        frames = GPU_BLOCK_FRAMES if on_gpu else BLOCK_FRAMES
        return max(1, min(MAX_GPU_BLOCK_ROWS, frames // math.prod(self.shape[1:])))

    def cut(self, x, generator):
        """Cut a random part out of each clip.

        Parameters
        ----------
        x : Tensor of shape (batch, bands, frames)
            Clips, NaN behind their ends.
        generator : torch.Generator
            Source of the parts' places.

        Returns
        -------
        x : Tensor of shape (batch, *shape), float32
            Of the same clips.
        """
        from ._cut import cut

        return cut(x, self.shape[1], generator)

    def bind_views(self, augmentation):
        """Put the cut in time in front of a bound augmentation.

        Parameters
        ----------
        augmentation : callable
            ``(x, data, generator) -> view`` of spectrograms of the spec's shape.

        Returns
        -------
        views : callable
            The same for spectrograms of any length.

        Raises
        ------
        ValueError
            If the augmentation takes single values from other clips.
        """
        from ._cut import NO_SWAPS, CutViews

        if getattr(augmentation, "_swaps_values", False):
            raise ValueError(NO_SWAPS)
        return CutViews(augmentation, self.shape[1])

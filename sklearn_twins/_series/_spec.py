"""SeriesSpec: the shape of a time series, and whether steps may be missing."""

from dataclasses import dataclass
from typing import ClassVar

from .._parts._spec import BLOCK_ROWS, GPU_BLOCK_ROWS, SampleSpec
from ._kernels import Kernels

BLOCK_VALUES = 2**17  # values in a block on a CPU: 256 series of 512 steps
GPU_BLOCK_VALUES = 2**20  # a kernel layer makes 84 times as many values


@dataclass(frozen=True)
class SeriesSpec(SampleSpec):
    """The channels and the length of a time series.

    A sample is a float32 array of shape (channels, length). Values are scaled, so that a standard deviation of 1 is
    usual in each channel. If steps may be missing, there is one more channel, the last: it is 1 where a step is there
    and 0 where it is missing or padding, and all values are 0 there.

    Parameters
    ----------
    shape : tuple of (int, int)
        Channels (with the mark, if there is one) and length.
    masked : bool, default=False
        Whether the last channel marks the steps that are there.
    kernels : Kernels or None, default=None
        What MiniRocket's kernels have learnt from the training series.

    Examples
    --------
    >>> from sklearn_twins.preprocessing import SeriesPreprocessor
    >>> spec = SeriesPreprocessor().fit([[0.0, 1.0, 2.0, 1.0], [1.0, 3.0, float("nan"), 0.0]]).spec_
    >>> spec.n_channels, spec.length, spec.masked
    (1, 4, True)
    """

    kind: ClassVar = "time series"

    masked: bool = False
    kernels: Kernels | None = None

    @property
    def n_channels(self):
        """Number of channels that hold values."""
        return self.shape[0] - self.masked

    @property
    def length(self):
        """Number of time steps."""
        return self.shape[1]

    def bind_views(self, augmentation):
        """Keep the mark of missing steps, and 0 behind it, in views by augmentations that do not know of it.

        Parameters
        ----------
        augmentation : callable
            ``(x, data, generator) -> view``.

        Returns
        -------
        views : callable
            The same, for series of which steps may be missing.
        """
        from ._marked_views import mark_views

        return mark_views(augmentation) if self.masked else augmentation

    def describe_input(self):
        """Say in an error message what a user's network receives.

        Returns
        -------
        hint : str
            A sentence for the end of the message.
        """
        channels, length = self.shape
        mark = " The last channel is 1 where a step is there, and 0 where it is missing." if self.masked else ""
        return f"For time series it receives batches of shape (batch, {channels}, {length}).{mark}"

    def block_rows(self, n_weights, on_gpu=False):
        """Choose how many series `transform` embeds at a time: fewer long ones.

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
        values, most = (GPU_BLOCK_VALUES, GPU_BLOCK_ROWS) if on_gpu else (BLOCK_VALUES, BLOCK_ROWS)
        n_fitting = max(1, values // (self.shape[0] * self.shape[1]))
        return min(most, 2 ** (n_fitting.bit_length() - 1))

"""SampleSpec: what networks and views have to know of a sample; each modality has a subclass."""

from dataclasses import dataclass
from typing import ClassVar

# A matrix product picks its kernel by its shape, and kernels round differently. With blocks of one size a row's
# embedding is the same to the bit whatever rows are around it. One row then costs a block (under a millisecond for the
# default encoder); larger blocks gain 10 % on many rows and cost each single row more.
BLOCK_ROWS = 256
GPU_BLOCK_ROWS = 8192  # a GPU has thousands of cores to fill; not measured


@dataclass(frozen=True)
class SampleSpec:
    """The shape of a sample, for networks and views.

    A preprocessor of your own sets ``spec_ = SampleSpec(shape)``. If its samples are rows of a table or images, it sets
    a `TableSpec` or an `ImageSpec` of `sklearn_twins.preprocessing`, and the package's encoders and views take them.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample without the batch axis.

    Examples
    --------
    >>> from sklearn_twins import SampleSpec
    >>> SampleSpec((2, 60))
    SampleSpec(shape=(2, 60))
    """

    shape: tuple

    kind: ClassVar = None  # of the package's own samples, for views that are made for one kind only

    @property
    def n_interpolated(self):
        """Number of leading values that views may interpolate; None if that is all of them."""
        return None

    @property
    def n_projections(self):
        """Number of projections of a sample, side by side."""
        return 1

    def make_stem(self):
        """Make the layer in front of a user's network, on the meta device; None if samples go in as they are.

        Returns
        -------
        stem : nn.Module or None
            Not initialised yet.
        """
        return None

    def bind_views(self, augmentation):
        """Put in front of a bound augmentation what views of these samples need; by default nothing.

        Parameters
        ----------
        augmentation : callable
            ``(x, data, generator) -> view``.

        Returns
        -------
        views : callable
            The same, or with a method ``make_both(first, second, data, generator) -> (x_a, x_b)``.
        """
        return augmentation

    def cut(self, x, generator):
        """Cut samples to the size that networks train on; by default they have it.

        Parameters
        ----------
        x : Tensor of shape (batch, ...)
            Training samples as they are stored.
        generator : torch.Generator
            Source of the places to cut at.

        Returns
        -------
        x : Tensor of shape (batch, *shape)
            Of the same rows.
        """
        return x

    def complete(self, samples):
        """Leave out samples that lack a part, for a diagnosis of the embedding; by default there are none.

        Parameters
        ----------
        samples : ndarray of shape (n, *shape)
            Training samples.

        Returns
        -------
        samples : ndarray of shape (n_complete, *shape)
            Those that lack nothing.
        """
        return samples

    def describe_input(self):
        """Say in an error message what a user's network receives.

        Returns
        -------
        hint : str
            A sentence for the end of the message.
        """
        return f"It receives batches of shape (batch, {', '.join(map(str, self.shape))})."

    def block_rows(self, n_weights, on_gpu=False):
        """Choose how many rows `transform` embeds at a time.

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
        return GPU_BLOCK_ROWS if on_gpu else BLOCK_ROWS

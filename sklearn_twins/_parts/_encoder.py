"""Encoder, the base of the package's networks: a stem, layers, and the linear layer that n_components asks for."""

from torch import nn

from ._component import Component
from ._initialize import build_on_meta, initialize

# A layer's class attribute `folds_as` says how batch norm is folded into it or around it in `transform`: as a torch
# layer (nn.Conv2d, nn.BatchNorm2d), or as one of these.
STEM = "stem"  # left as it is
BLOCK = "block"  # its children are folded, each by itself


class Encoder(Component):
    """Base of encoders whose layers stand behind a stem.

    Subclasses define ``_check_spec(spec)``, which refuses samples of another kind, and ``_make(spec)``.
    """

    def _check_spec(self, spec):
        """Refuse samples that the encoder cannot take."""
        raise NotImplementedError

    def _make(self, spec):
        """Make the layers on the meta device.

        Returns
        -------
        stem : nn.Module
            The first layer.
        layers : list of nn.Module
            The layers behind it.
        width : int
            Width of their output.
        """
        raise NotImplementedError

    def _finish(self, network):
        """Lay out the built network; as it is by default."""
        return network

    def build(self, spec, n_components, generator):
        """Build the module with its initial weights.

        Parameters
        ----------
        spec : SampleSpec
            The shape of a sample and more.
        n_components : int or None
            Width of the embedding, made by one more linear layer. None for the encoder's own width.
        generator : torch.Generator
            Source of the initial weights, on the CPU.

        Returns
        -------
        encoder : nn.Module
            (batch, *sample_shape) -> (batch, n_components).

        Raises
        ------
        ValueError
            If the samples are of another kind than the encoder's.
        """
        self._check_spec(spec)

        def make():
            stem, layers, width = self._make(spec)
            if n_components is not None:
                layers = [*layers, nn.Linear(width, n_components)]
            return nn.Sequential(stem, *layers)

        return self._finish(initialize(build_on_meta(make), generator))


def put_stem_in_front(network, spec, generator):
    """Put the stem of a kind of samples in front of a network that has weights already.

    Parameters
    ----------
    network : nn.Module
        Takes what the stem returns.
    spec : SampleSpec
        The shape of a sample and more.
    generator : torch.Generator
        Source of the stem's initial weights.

    Returns
    -------
    encoder : nn.Module
        The network itself if samples go in as they are.
    """
    stem = build_on_meta(spec.make_stem)
    return network if stem is None else nn.Sequential(initialize(stem, generator), network)

"""ReadyEncoder: a user's torch module, or a callable that makes one, as an encoder."""

import copy

import torch
from torch import nn

from ._component import Component
from ._encoder import put_stem_in_front


class ReadyEncoder(Component):
    """A user's module, or a callable that builds one, as an encoder.

    For tables, a `TableStem` is put in front, so that the module receives finite numbers of shape
    (batch, ``spec.n_inputs``): the sample's numbers, marks of missing ones, embeddings of categories. For images, an
    `ImageStem` is put in front, and the module receives float32 of shape (batch, channels, height, width), each channel
    with mean 0 and standard deviation 1 over the training images. The module is deep-copied; yours is neither trained
    nor moved. Frozen parameters (``requires_grad=False``) stay frozen.

    Parameters
    ----------
    source : torch.nn.Module or callable
        A module, or ``source(spec)``, which returns a new one. It may draw initial weights from torch's global
        generator, which the embedder seeds from `random_state` and restores afterwards.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import ReadyEncoder
    >>> from sklearn_twins.preprocessing import TablePreprocessor
    >>> spec = TablePreprocessor().fit([[0.0, 1.0], [2.0, None], [4.0, 3.0]]).spec_
    >>> encoder = ReadyEncoder(lambda spec: torch.nn.Linear(spec.n_inputs, 16))
    >>> encoder.build(spec, None, torch.Generator().manual_seed(0))(torch.zeros(5, 2)).shape
    torch.Size([5, 16])
    """

    def __init__(self, source):
        self.source = source

    def build(self, spec, n_components, generator):
        """Copy or make the module.

        Parameters
        ----------
        spec : SampleSpec
            Description of a sample.
        n_components : int or None
            Width that the module must have; None accepts any.
        generator : torch.Generator
            Source of the initial embeddings of categories. The module has weights already, or draws them from torch's
            global generator.

        Returns
        -------
        encoder : nn.Module
            (batch, *sample_shape) -> (batch, n_components).

        Raises
        ------
        TypeError
            If the callable returns no module.
        ValueError
            If the module does not turn (batch, ...) into (batch, width), or the width is not `n_components`.
        """
        if isinstance(self.source, nn.Module):
            module = copy.deepcopy(self.source)
        else:
            module = self.source(spec)
        if not isinstance(module, nn.Module):
            raise TypeError(f"encoder={self.source!r} must return a torch.nn.Module. Got {type(module).__name__}.")
        try:
            module.to(device="cpu", dtype=torch.float32)
        except NotImplementedError as error:
            raise ValueError(f"encoder={self.source!r} has weights without values ({error}). Give it some.") from error
        encoder = put_stem_in_front(module, spec, generator)
        width = output_width(encoder, spec)
        if n_components not in (None, width):
            raise ValueError(
                f"n_components={n_components}, but the given encoder returns {width} columns. "
                "Leave n_components=None, or give the encoder a last layer of that width."
            )
        return encoder


def output_width(encoder, spec):
    """Find the width of an encoder's output by a forward pass over two blank samples.

    Parameters
    ----------
    encoder : nn.Module
        (batch, *sample_shape) -> (batch, width); it is put into eval mode.
    spec : SampleSpec
        Description of a sample.

    Returns
    -------
    width : int
        Number of values per sample.

    Raises
    ------
    ValueError
        If the encoder cannot take such samples, or does not return an array of shape (batch, width).

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins import SampleSpec
    >>> from sklearn_twins.networks import output_width
    >>> output_width(torch.nn.Linear(3, 16), SampleSpec((3,)))
    16
    """
    blank = torch.zeros((2, *spec.shape), dtype=torch.float32, device="cpu")
    try:
        with torch.no_grad():
            out = encoder.eval()(blank)
    except Exception as error:
        raise ValueError(
            f"The given encoder cannot take samples of shape {spec.shape} ({error}). {spec.describe_input()}"
        ) from error
    if not isinstance(out, torch.Tensor) or out.dim() != 2 or out.shape[0] != 2:
        shape = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        raise ValueError(f"The given encoder must turn 2 samples into an array (2, width). Got {shape}.")
    return out.shape[1]

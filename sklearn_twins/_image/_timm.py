"""Encoders from timm, a collection of a thousand image networks, with or without the weights it has for them."""

import difflib
import math

import torch

from .._parts._component import Component
from .._parts._encoder import put_stem_in_front
from .._parts._stored_state import require
from ._encoder import check_images

MAX_VALUES = 2**26  # in an image from a file: the network is made for its size before anything can be checked


class TimmEncoder(Component):
    """An image network of timm, by its name.

    Needs timm (``pip install timm``, or the extra ``sklearn-twins[timm]``). As the encoder of an embedder,
    ``"timm:NAME"`` is ``TimmEncoder("NAME")``. The network is made for the images' own channels and, if its weights
    depend on it (vision transformers), for their size, which should be a multiple of its patches'.

    Parameters
    ----------
    name : str
        As ``timm.list_models()`` has it.
    pretrained : bool, default=False
        Whether to begin with timm's weights, which it downloads, instead of drawn ones. Where the images have another
        number of channels, or another size, timm adapts them. Images are standardised by their own channels'
        statistics all the same.

    Attributes
    ----------
    draws_globally : bool
        True, of the class: in training, dropout and stochastic depth draw from torch's global generator.

    See Also
    --------
    ConvNetEncoder : A small network, the default.
    ImageResNetEncoder : A residual network that needs no timm.

    References
    ----------
    Wightman, "PyTorch Image Models", 2019, doi 10.5281/zenodo.4414861.

    Examples
    --------
    >>> from sklearn_twins.networks import TimmEncoder
    >>> TimmEncoder("resnet10t")
    TimmEncoder(name='resnet10t')
    """

    _parameter_constraints: dict = {"name": [str], "pretrained": ["boolean"]}
    draws_globally = True

    def __init__(self, name, pretrained=False):
        self.name = name
        self.pretrained = pretrained

    def untrained(self):
        """The same network without timm's weights: what to build when others are loaded anyway.

        Returns
        -------
        encoder : TimmEncoder
            Another one, which begins with drawn weights.
        """
        return TimmEncoder(self.name)

    @property
    def is_fetched(self):
        """Whether timm would fetch the network from elsewhere, as it does for ``source:name``."""
        return ":" in self.name

    def check_stored(self, spec, arrays, width):
        """Refuse to rebuild a network from a file if that could cost more than the file's weights do.

        Parameters
        ----------
        spec : ImageSpec
            From the file.
        arrays : dict of str to ndarray
            The weights in the file.
        width : int
            Width of the network's output.

        Raises
        ------
        UnreadableFileError
            If the network would be fetched, images are too large, or no weights have that width.
        """
        require(not self.is_fetched, "its network would be fetched from elsewhere")
        require(math.prod(spec.shape) <= MAX_VALUES, "images are too large")
        require(width <= max((max(array.shape, default=0) for array in arrays.values()), default=0), "widths differ")

    def build(self, spec, n_components, generator):
        """Build the module with its initial weights.

        Parameters
        ----------
        spec : SampleSpec
            What the samples are.
        n_components : int or None
            Width of the embedding: the network's classifier becomes a linear layer of that width. None for no
            classifier and the network's own width.
        generator : torch.Generator
            Source of the initial weights, on the CPU: it seeds torch's global generator, which is put back.

        Returns
        -------
        encoder : nn.Module
            (batch, channels, height, width), uint8 or intensities -> (batch, n_components).

        Raises
        ------
        ImportError
            If timm cannot be imported.
        ValueError
            If timm has no network of that name or cannot make it so, or the samples are no images.
        """
        check_images(self, spec)
        timm = import_timm(self.name)
        check_name(timm, self.name)
        n_channels, *sides = spec.shape
        params = {
            "pretrained": bool(self.pretrained),
            "in_chans": n_channels,
            "num_classes": 0 if n_components is None else int(n_components),
        }
        network = drawn(lambda: create(timm, self.name, tuple(sides), params), generator)
        return put_stem_in_front(network, spec, generator)


def import_timm(name):
    """The package timm, or how to get it."""
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f"encoder='timm:{name}' needs timm, which cannot be imported ({error}). Install it: `pip install timm`, "
            "or with the extra sklearn-twins[timm]."
        ) from error
    return timm


def check_name(timm, name):
    """Refuse a name that timm does not know, with those that are like it; ``source:name`` is looked up elsewhere."""
    if ":" in name or timm.is_model(name):
        return
    names = timm.list_models()
    close = [known for known in names if known.startswith(name)][:5] or difflib.get_close_matches(name, names, n=5)
    hint = f"Is it one of {close}?" if close else "See timm.list_models()."
    raise ValueError(f"timm has no network named {name!r}. {hint}")


def create(timm, name, img_size, params):
    """A network made for images of one size if it wants to know it, else for any."""
    try:
        try:
            return timm.create_model(name, img_size=img_size, **params)
        except TypeError as error:
            if "img_size" not in str(error):
                raise
        return timm.create_model(name, **params)
    except RuntimeError as error:
        raise ValueError(f"timm cannot make the network {name!r} with {params} ({error}).") from error


def drawn(make, generator):
    """What `make` returns, a module in float32 on the CPU, while torch's global generator goes by another one."""
    seed = int(torch.randint(2**62, (), generator=generator, device="cpu"))
    default_dtype = torch.get_default_dtype()
    with torch.inference_mode(False), torch.device("cpu"), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs too
        torch.set_default_dtype(torch.float32)
        try:
            return make().to(torch.float32)
        finally:
            torch.set_default_dtype(default_dtype)

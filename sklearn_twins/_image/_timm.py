"""TimmEncoder: image networks from the package timm, with or without pretrained weights."""

import difflib

import torch

from .._parts._component import Component
from .._parts._encoder import put_stem_in_front
from .._parts._stored_state import require
from ._encoder import check_image_spec


class TimmEncoder(Component):
    """An image network from timm, by name.

    This needs timm (``pip install timm``). For an embedder, ``encoder="timm:NAME"`` stands for
    ``TimmEncoder("NAME")``. The network is built for the number of channels of the images and, if its weights depend on
    it (vision transformers), for their size, which should be a multiple of the patch size.

    Parameters
    ----------
    name : str
        A name from ``timm.list_models()``.
    pretrained : bool, default=False
        Whether to start with pretrained weights, which timm downloads, instead of random ones. timm adapts them if the
        images have another number of channels or another size. Images are always standardised by their own statistics.

    Attributes
    ----------
    draws_globally : bool
        True for the class: in training, dropout and stochastic depth draw from torch's global generator.

    See Also
    --------
    ConvNetEncoder : A small convolutional network, the default.
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
        """Make an encoder with the same network but without timm's weights, for weights that are loaded.

        Returns
        -------
        encoder : TimmEncoder
            A new encoder with random initial weights.
        """
        return TimmEncoder(self.name)

    @property
    def is_fetched(self):
        """Whether timm would fetch the network from elsewhere, as it does for ``source:name``."""
        return ":" in self.name

    def check_stored(self, spec, arrays, width):
        """Refuse a network from a file before it is built; `load` bounds its size while it is built.

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
            If the network would be fetched, or no weights have that width.
        """
        require(not self.is_fetched, "its network would be fetched from elsewhere")
        require(width <= max((max(array.shape, default=0) for array in arrays.values()), default=0), "widths differ")

    def build(self, spec, n_components, generator):
        """Build the module with its initial weights.

        Parameters
        ----------
        spec : ImageSpec
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
        check_image_spec(self, spec)
        timm = import_timm(self.name)
        check_name(timm, self.name)
        n_channels, *sides = spec.shape
        params = {
            "pretrained": bool(self.pretrained),
            "in_chans": n_channels,
            "num_classes": 0 if n_components is None else int(n_components),
        }
        network = build_seeded(lambda: create_network(timm, self.name, tuple(sides), params), generator)
        return put_stem_in_front(network, spec, generator)


def import_timm(name):
    """Import timm, or say how to get it."""
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f"encoder='timm:{name}' needs timm, which cannot be imported ({error}). Install it: `pip install timm`."
        ) from error
    return timm


def check_name(timm, name):
    """Refuse a name that timm does not know, and suggest similar ones; ``source:name`` is not checked."""
    if ":" in name or timm.is_model(name):
        return
    names = timm.list_models()
    close = [known for known in names if known.startswith(name)][:5] or difflib.get_close_matches(name, names, n=5)
    hint = f"Is it one of {close}?" if close else "See timm.list_models()."
    raise ValueError(f"timm has no network named {name!r}. {hint}")


def create_network(timm, name, img_size, params):
    """Create a network for one image size if it takes a size, else for any size."""
    try:
        try:
            return timm.create_model(name, img_size=img_size, **params)
        except TypeError as error:
            if "img_size" not in str(error):
                raise
        return timm.create_model(name, **params)
    except RuntimeError as error:
        raise ValueError(f"timm cannot make the network {name!r} with {params} ({error}).") from error


def build_seeded(make, generator):
    """Build a module in float32 on the CPU, while torch's global generator is seeded from `generator`."""
    seed = int(torch.randint(2**62, (), generator=generator, device="cpu"))
    default_dtype = torch.get_default_dtype()
    with torch.inference_mode(False), torch.device("cpu"), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs too
        torch.set_default_dtype(torch.float32)
        try:
            return make().to(torch.float32)
        finally:
            torch.set_default_dtype(default_dtype)

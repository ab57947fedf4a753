"""Checks of a fitted state from a file: its parts fit together, and its weights fit its network."""

import math
import warnings

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from .._exceptions import UnreadableFileError
from .._inference._collapse import FitSummary
from .._inference._output import Output
from .._modalities import record_of
from .._parts._component import Component
from .._parts._initialize import skeletons
from .._parts._stored_state import check_component, is_array, is_dict, is_int, is_one, is_tensor, require, shorten
from .._runtime._seeds import Stream, make_generator
from .._runtime._torch_state import isolated_torch_state
from ._schema import COLUMNS
from ._state import PRIVATE_STATE, Recipe, divide

FREE_VALUES = 2**24  # that a sample may have, and 8 for each byte of the weights
FREE_BYTES = 2**26  # that a network may take while it is built, and four times the bytes of the weights
FACTORIES = (
    torch.arange,
    torch.empty,
    torch.eye,
    torch.full,
    torch.linspace,
    torch.ones,
    torch.rand,
    torch.randn,
    torch.zeros,
)


def is_history(value):
    """Whether a value is a dict of columns."""
    return is_dict(lambda column: isinstance(column, np.ndarray) and column.ndim == 1)(value)


ATTRIBUTES = {
    "encoder_": is_dict(is_tensor),
    "preprocessor_": is_one(Component),
    "history_": is_history,
    "loss_curve_": lambda value: type(value) is list and all(isinstance(loss, float) for loss in value),
    "n_iter_": is_int(),
    "n_features_in_": is_int(1),
    "_n_features_out": is_int(1),
    "_n_streamed": is_int(),
    "_output": lambda value: hasattr(value, "n_features"),
    "_recipe": is_one(Recipe),
    "_fit_summary": lambda value: value is None or isinstance(value, FitSummary),
}
TRAINING_STATE = {
    "projector": is_dict(is_tensor),
    "optimizer": lambda value: type(value) is dict and value.keys() == {"state", "param_groups"},
    "generators": is_dict(is_array(np.uint8)),
    "drawn_by": lambda value: type(value) is tuple and len(value) == 2,
    "n_steps": is_int(),
    "seed": is_int(),
    "projector_part": lambda value: hasattr(value, "build"),
    "optimizer_part": lambda value: isinstance(value, str),
}


def check_fitted(fitted):
    """Refuse a fitted state that no fit leaves.

    Parameters
    ----------
    fitted : dict
        Attributes from a file, the encoder's weights as arrays.

    Raises
    ------
    UnreadableFileError
        If one is missing or invalid, or contradicts the others.
    """
    for name, predicate in ATTRIBUTES.items():
        require(name in fitted and predicate(fitted[name]), f"{name} is missing or invalid")
    for name in fitted.keys() - ATTRIBUTES.keys():
        known = name in (*COLUMNS, *PRIVATE_STATE) or (name.endswith("_") and not name.startswith("_"))
        require(known, f"no fit leaves {name!r}")
        require(name not in COLUMNS or COLUMNS[name](fitted[name]), f"{name} is invalid")
    if "_training_state" in fitted:
        check_items("_training_state", fitted["_training_state"], TRAINING_STATE)
    recipe, preprocessor, output = fitted["_recipe"], fitted["preprocessor_"], fitted["_output"]
    arrays = fitted["encoder_"]
    n_bytes = sum(array.nbytes for array in arrays.values())
    require(math.prod(recipe.spec.shape) <= FREE_VALUES + 8 * n_bytes, "its samples are too large for its network")
    check_preprocessor(preprocessor, recipe.spec)
    require(fitted["n_features_in_"] == preprocessor.n_features_in_, "the numbers of columns differ")
    names = fitted.get("feature_names_in_")
    require(names is None or len(names) == fitted["n_features_in_"], "the numbers of names and of columns differ")
    composite = record_of(recipe.spec).composite
    if composite:
        composite().check(recipe.spec, recipe.encoder, preprocessor, output)
    n_checked = 0
    for part in divide(recipe, preprocessor, output):
        check_preprocessor(part.preprocessor, part.spec)
        check_output(part.output, part.spec)
        n_checked += check_networks(part, arrays)
    require(n_checked == len(arrays), "its weights are not those of its network")
    require(fitted["_n_features_out"] == output.n_features, "the output has two widths")


def check_items(name, value, predicates):
    """Refuse a dict whose items are missing, invalid or unknown."""
    require(type(value) is dict and value.keys() == predicates.keys(), f"{name} is invalid")
    for item, predicate in predicates.items():
        require(predicate(value[item]), f"{item} of {name} is invalid")


def check_preprocessor(preprocessor, spec):
    """Refuse a preprocessor that is not fitted, or not to samples of that spec."""
    record = record_of(spec)
    stored = record.stored and record.stored()
    require(stored and type(preprocessor) is stored.preprocessor, "the preprocessor and the samples differ in kind")
    require({*stored.fitted, "spec_", "n_features_in_"} <= vars(preprocessor).keys(), "its preprocessor is not fitted")
    require(vars(spec) == vars(preprocessor.spec_), "its encoder and its preprocessor have different samples")
    names = getattr(preprocessor, "feature_names_in_", None)
    fits = names is None or len(names) == preprocessor.n_features_in_
    require(fits, "the numbers of names and of columns differ")
    stored.check(preprocessor)


def check_output(output, spec):
    """Refuse scales whose number is not that of the output's columns."""
    require(type(output) is Output, "the output has another kind")
    scale, column_scale, passthrough = output.scale, output.column_scale, record_of(spec).passthrough
    require(scale is not None or column_scale is None, "a part of the output has no scale")
    require(scale is None or len(scale) == output.width, "the number of scales is wrong")
    if column_scale is not None:
        require(passthrough is not None, "its samples have no columns to put next to the embedding")
        require(len(column_scale) == passthrough.count(spec), "the number of scales is wrong")


def check_networks(part, arrays):
    """Refuse weights that do not belong to the networks of a fitted part.

    Parameters
    ----------
    part : FittedPart
        From a file.
    arrays : dict of str to ndarray
        All weights in the file.

    Returns
    -------
    n : int
        Number of arrays that belong to the part.
    """
    spec, width, own = part.spec, part.output.width, arrays_of(arrays, part.network)
    require(part.n_components in (None, width), "the embedding has two widths")
    # Stems of a modality with a blank row look values up, which needs the CPU; see `try_out`.
    shape = spec.shape if record_of(spec).stored().blank_row is None else None
    check_network(part.encoder, own, (spec, part.n_components), shape, width)
    if part.projector is None:
        return len(own)
    projected = arrays_of(arrays, part.projector_network)
    check_network(part.projector, projected, (width,), (width,), part.projection_dim)
    return len(own) + len(projected)


def arrays_of(arrays, place):
    """Arrays of the network at a place in the trained module, by their names in that network."""
    prefix = f"{place}." if place else ""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def check_network(component, arrays, arguments, shape, width):
    """Refuse weights that do not belong to the network of a component, before memory is allocated for it.

    Parameters
    ----------
    component : component
        From a file.
    arrays : dict of str to ndarray
        The network's weights in the file.
    arguments : tuple
        Arguments of ``component.build``, without the generator.
    shape : tuple of int or None
        Shape of a sample, to try the network on torch's meta device; None not to.
    width : int
        Width of the network's output.
    """
    lists = [len(value) for value in vars(component).values() if isinstance(value, (list, tuple))]
    require(max(lists, default=0) <= len(arrays), "there are fewer weights than layers")
    check_component(component)
    require(getattr(component, "n_blocks", 0) <= len(arrays), "there are fewer weights than layers")
    if hasattr(component, "check_stored"):
        component.check_stored(arguments[0], arrays, width)
        return
    try:
        with isolated_torch_state(torch.device("cpu"), 1), skeletons():
            skeleton = component.build(*arguments, make_generator(0, Stream.WEIGHTS)).eval()
            out = skeleton(torch.empty((2, *shape), device="meta")) if shape else None
    except Exception as error:  # torch raises many types for layers that are impossible
        raise UnreadableFileError(f"Its network cannot be built ({shorten(error)}).") from error
    built = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in skeleton.state_dict().items()}
    stored = {name: (array.shape, f"torch.{array.dtype}") for name, array in arrays.items()}
    require(built == stored, "its weights are not those of its network")
    require(out is None or tuple(out.shape) == (2, width), "its network's output has another shape")


class Allowance(TorchFunctionMode):
    """Refuse tensors that take far more memory than the weights in a file, before they are made.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The weights in the file.
    """

    def __init__(self, arrays):
        super().__init__()
        self.n_left = FREE_BYTES + 4 * sum(array.nbytes for array in arrays.values())

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in FACTORIES and torch.device(kwargs.get("device") or "cpu").type != "meta":
            free = {name: value for name, value in kwargs.items() if name not in ("generator", "out", "pin_memory")}
            self.n_left -= func(*args, **{**free, "device": "meta"}).nbytes
            require(self.n_left >= 0, "its network is far larger than its weights")
        return func(*args, **kwargs)


def try_out(embedder):
    """Transform one blank row, if the modality has any, so that a state that cannot do so is refused now.

    Raises
    ------
    UnreadableFileError
        If it fails.
    """
    for part in divide(embedder._recipe, embedder.preprocessor_, embedder._output):
        blank_row = record_of(part.spec).stored().blank_row
        if blank_row is None:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                samples = part.preprocessor.transform(blank_row(part.preprocessor))
                network = embedder.encoder_.get_submodule(part.network)
                output = part.output.compute(network, samples, part.spec, "float32", n_jobs=1)
        except Exception as error:
            raise UnreadableFileError(f"It cannot transform a row ({shorten(error)}).") from error
        require(output.shape == (1, part.output.n_features), "its output has two widths")

"""A fitted state from a file, checked before it is used: its parts fit together, and its network to its weights."""

import math
import warnings

import numpy as np
import torch

from .._exceptions import UnreadableFileError
from .._image._preprocessor import ImagePreprocessor
from .._image._schema import check_images
from .._image._timm import TimmEncoder
from .._inference._collapse import Circumstances
from .._inference._output import Output
from .._parts._initialize import skeletons
from .._parts._stored_state import check_component, is_array, is_dict, is_int, is_one, is_tensor, require, shorter
from .._runtime._seeds import Stream, make_generator
from .._runtime._torch_state import isolated_torch_state
from .._tabular._preprocessor import TablePreprocessor
from .._tabular._schema import check_table
from ._schema import FITTED, NAMED
from ._state import PRIVATE_STATE, Recipe

MAX_PIXELS = 2**26  # values of an image whose network cannot be looked at before it is made


def is_history(value):
    """Whether something is columns of a history."""
    return is_dict(lambda column: isinstance(column, np.ndarray) and column.ndim == 1)(value)


ATTRIBUTES = {
    "encoder_": is_dict(is_tensor),
    "preprocessor_": is_one(TablePreprocessor, ImagePreprocessor),
    "history_": is_history,
    "loss_curve_": lambda value: type(value) is list and all(isinstance(loss, float) for loss in value),
    "n_iter_": is_int(),
    "n_features_in_": is_int(1),
    "_n_features_out": is_int(1),
    "_n_streamed": is_int(),
    "_output": is_one(Output),
    "_recipe": is_one(Recipe),
    "_circumstances": lambda value: value is None or isinstance(value, Circumstances),
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
        If one is missing, is not what it should be, or does not fit the others.
    """
    for name, predicate in ATTRIBUTES.items():
        require(name in fitted and predicate(fitted[name]), f"{name} is missing, or is none")
    for name in fitted.keys() - ATTRIBUTES.keys():
        known = name in (*NAMED, *PRIVATE_STATE) or (name.endswith("_") and not name.startswith("_"))
        require(known, f"no fit leaves {name!r}")
        require(name not in NAMED or NAMED[name](fitted[name]), f"{name} is none")
    if "_training_state" in fitted:
        check_parts("_training_state", fitted["_training_state"], TRAINING_STATE)
    recipe, preprocessor, output = fitted["_recipe"], fitted["preprocessor_"], fitted["_output"]
    require(FITTED[type(preprocessor)].keys() <= vars(preprocessor).keys(), "its preprocessor is not fitted")
    require(recipe.spec == preprocessor.spec_ and recipe.spec.edges == preprocessor.spec_.edges, "samples differ")
    require(fitted["n_features_in_"] == preprocessor.n_features_in_, "the numbers of columns differ")
    for names in (fitted.get("feature_names_in_"), getattr(preprocessor, "feature_names_in_", None)):
        require(names is None or len(names) == fitted["n_features_in_"], "the numbers of names and of columns differ")
    (check_table if isinstance(preprocessor, TablePreprocessor) else check_images)(preprocessor)
    check_output(output, recipe.spec, fitted["_n_features_out"])
    check_network(recipe, fitted["encoder_"], output.width)


def check_parts(name, value, predicates):
    """Refuse a dict without its parts, or with others."""
    require(type(value) is dict and value.keys() == predicates.keys(), f"{name} is none")
    for part, predicate in predicates.items():
        require(predicate(value[part]), f"{part} of {name} is none")


def check_output(output, spec, n_features_out):
    """Refuse scales that are not as many as there are columns of output."""
    scale, column_scale = output.scale, output.column_scale
    require((scale is None) == (column_scale is None), "some of the output has no scale")
    if scale is not None:
        require(len(spec.shape) == 1, "images have no columns")
        require(len(scale) == output.width and len(column_scale) == spec.n_inputs, "there are not as many scales")
    require(n_features_out == output.n_features, "the output has two widths")


def check_network(recipe, arrays, width):
    """Refuse weights that do not belong to the network of a recipe, before memory is taken for that.

    Parameters
    ----------
    recipe : Recipe
        From a file.
    arrays : dict of str to ndarray
        The weights that are there.
    width : int
        Of what the network puts out.
    """
    encoder, spec = recipe.encoder, recipe.spec
    lists = [len(value) for value in vars(encoder).values() if isinstance(value, (list, tuple))]
    require(max(lists, default=0) <= len(arrays), "there are fewer weights than layers")
    check_component(encoder)
    require(getattr(encoder, "n_blocks", 0) <= len(arrays), "there are fewer weights than layers")
    require(recipe.n_components in (None, width), "the embedding has two widths")
    if isinstance(encoder, TimmEncoder):
        require(":" not in encoder.name, "its network would be fetched from elsewhere")
        require(math.prod(spec.shape) <= MAX_PIXELS, "images are too large")
        require(width <= max((max(array.shape, default=0) for array in arrays.values()), default=0), "widths")
        return
    try:
        with isolated_torch_state(torch.device("cpu"), 1), skeletons():
            skeleton = encoder.build(spec, recipe.n_components, make_generator(0, Stream.WEIGHTS)).eval()
            # Tables are tried out, see `try_out`: their stems look up on the CPU.
            out = skeleton(torch.empty((2, *spec.shape), device="meta")) if len(spec.shape) == 3 else None
    except Exception as error:  # whatever torch says of layers that cannot be
        raise UnreadableFileError(f"Its network cannot be built ({shorter(error)}).") from error
    found = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in skeleton.state_dict().items()}
    stored = {name: (array.shape, f"torch.{array.dtype}") for name, array in arrays.items()}
    require(found == stored, "its weights are not those of its network")
    require(out is None or tuple(out.shape) == (2, width), "its network puts out something else")


def try_out(embedder):
    """Transform one blank row of a table, so that a state that cannot is found out here; images would cost too much.

    Raises
    ------
    UnreadableFileError
        If it fails.
    """
    preprocessor = embedder.preprocessor_
    if not isinstance(preprocessor, TablePreprocessor):
        return
    owner = object.__new__(type(embedder))
    owner.__dict__ = {**vars(embedder), "verbose": 0, "n_jobs": 1, "precision": "float32"}
    owner.__dict__.pop("feature_names_in_", None)
    row = np.full((1, embedder.n_features_in_), None, dtype=object)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape = embedder._output.compute(
                embedder.encoder_, preprocessor.transform(row), preprocessor.spec_, "float32", 1
            ).shape
    except Exception as error:
        raise UnreadableFileError(f"It cannot transform a row ({shorter(error)}).") from error
    require(shape == (1, embedder._n_features_out), "its output has two widths")

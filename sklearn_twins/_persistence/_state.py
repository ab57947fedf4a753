"""Fitted state for pickles and files: the encoder as NumPy arrays, and a recipe that rebuilds it."""

import contextlib
import copy
import operator
import sys
import warnings
from dataclasses import dataclass, replace

from .._exceptions import OtherVersionWarning, UnreadableFileError
from .._modalities import record_of
from .._parts._component import Component
from .._parts._modality import FittedPart
from .._parts._spec import SampleSpec
from .._parts._validation import is_module

# Fitted attributes that do not end in an underscore.
PRIVATE_STATE = ("_fit_summary", "_n_features_out", "_n_streamed", "_output", "_recipe", "_training_state")

# Not searched for tensors; scikit-learn's callbacks may hold embedders, each with these callbacks again.
WITHOUT_TENSORS = ("_skl_callbacks", "embedder_", "pretrained_embedder_", "history_", "loss_curve_", "preprocessor_")
REQUESTS = "_requests"  # key of metadata requests; scikit-learn's own object refers back to the embedder
METHODS = ("fit", "partial_fit", "transform", "score")  # may request metadata
STAMP = "_sklearn_twins_version"  # key of the version; scikit-learn stamps only its own estimators


def fitted_state(embedder):
    """Fitted attributes of an embedder as a dict."""
    return {
        name: value
        for name, value in vars(embedder).items()
        if name in PRIVATE_STATE or (name.endswith("_") and not name.startswith("_"))
    }


@dataclass(frozen=True)
class Recipe:
    """Recipe of an encoder, recorded by the fit that built it.

    Parameters
    ----------
    encoder : Component
        The encoder component.
    spec : SampleSpec
        Spec of the samples.
    n_components : int or None
        Width of the embedding.
    frozen : tuple of str, default=()
        Names of parameters that are not trained.
    """

    encoder: Component
    spec: SampleSpec
    n_components: int
    frozen: tuple = ()

    def build(self):
        """Build the encoder with arbitrary initial weights; torch's global generator is left alone."""
        import torch

        from .._roles import is_third_party
        from .._runtime._seeds import Stream, make_generator
        from .._runtime._torch_state import seed_global_generators

        encoder, generator = self.encoder, make_generator(0, Stream.WEIGHTS)
        if hasattr(encoder, "untrained"):
            encoder = encoder.untrained()
        third_party = contextlib.nullcontext()
        if is_third_party(encoder):
            third_party = seed_global_generators(generator.initial_seed(), torch.device("cpu"))
        with third_party:
            return encoder.build(self.spec, self.n_components, generator)

    def rebuild(self, arrays):
        """Build the encoder with the weights in `arrays`, on the CPU, in eval mode."""
        from .._runtime._tensors_as_arrays import to_tensors

        encoder = self.build()
        encoder.load_state_dict(to_tensors(arrays))
        return finish(encoder)


def divide(recipe, preprocessor, output):
    """Divide a fitted state into one for each kind of samples.

    Returns
    -------
    parts : list of FittedPart
        One for each view; a single one for samples of one kind.
    """
    composite = record_of(recipe.spec).composite
    if composite is None:
        return [FittedPart(preprocessor, recipe.spec, recipe.encoder, recipe.n_components, output)]
    return composite().divide(recipe.spec, recipe.encoder, preprocessor, output)


def finish(encoder):
    """Switch an encoder to eval mode, without gradients."""
    return encoder.eval().requires_grad_(False)


def freeze(state):
    """Turn the encoder in an estimator's state into arrays; a user's own modules stay modules, but pickle as arrays."""
    state = {name: on_cpu(value) for name, value in state.items()}
    if "_metadata_request" in state:
        routing = state.pop("_metadata_request")
        requests = {method: dict(getattr(routing, method).requests) for method in METHODS}
        state[REQUESTS] = {method: found for method, found in requests.items() if found}
    if "encoder_" in state:
        state = freeze_encoder(state)
    if "torch" not in sys.modules:
        return state
    from .._runtime._portable import make_portable

    return state | make_portable({name: value for name, value in state.items() if name not in WITHOUT_TENSORS})


def freeze_encoder(state):
    """Turn the encoder in a fitted state into arrays, unless it is a user's own, and stamp the state."""
    from .._parts._user_encoder import ReadyEncoder
    from .._runtime._tensors_as_arrays import to_arrays
    from .._version import __version__

    recipe = state["_recipe"]
    encoder = on_cpu(recipe.encoder)
    if encoder is not recipe.encoder:
        state["_recipe"] = replace(recipe, encoder=encoder)
    if not isinstance(encoder, ReadyEncoder):
        state["encoder_"] = to_arrays(dict(state["encoder_"].state_dict()))
    return {**state, STAMP: __version__}


def on_cpu(value):
    """Copy a value with its torch modules moved to the CPU; return the value itself if there is nothing to move."""
    if is_module(value):
        tensors = (*value.parameters(), *value.buffers())
        return value if all(tensor.device.type == "cpu" for tensor in tensors) else copy.deepcopy(value).cpu()
    if type(value) in (list, tuple):
        items = [on_cpu(item) for item in value]
        return value if all(map(operator.is_, items, value)) else type(value)(items)
    if isinstance(value, Component):
        parts = {name: on_cpu(part) for name, part in vars(value).items()}
        if all(part is vars(value)[name] for name, part in parts.items()):
            return value
        copied = copy.copy(value)
        copied.__dict__.update(parts)
        return copied
    return value


def check_version(name, version):
    """Warn of a state from another version of the package."""
    from .._version import __version__

    if version is not None and version != __version__:
        warning = OtherVersionWarning(estimator_name=name, current_version=__version__, original_version=version)
        warnings.warn(warning, stacklevel=3)


def thaw(state):
    """Undo `freeze`."""
    if "torch" in sys.modules:
        from .._runtime._portable import unwrap

        state = unwrap(state)
    if isinstance(state.get("encoder_"), dict):
        if type(state["_recipe"]) is not Recipe:  # skops makes any object that the reader trusts
            raise UnreadableFileError("The state of the embedder holds no recipe of its encoder.")
        state = {**state, "encoder_": state["_recipe"].rebuild(state["encoder_"])}
    return state

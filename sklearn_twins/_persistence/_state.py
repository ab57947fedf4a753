"""A fitted encoder as NumPy arrays and the recipe that rebuilds it: free of devices and of torch's pickles."""

import contextlib
import copy
import operator
import warnings
from dataclasses import dataclass, replace

from .._exceptions import OtherVersionWarning
from .._parts._component import Component
from .._parts._spec import SampleSpec
from .._parts._validation import is_module

# What a fit leaves on an embedder beside the public attributes, which end in an underscore.
PRIVATE_STATE = ("_fit_summary", "_n_features_out", "_n_streamed", "_output", "_recipe", "_training_state")

REQUESTS = "_requests"  # of metadata routing, in a state; scikit-learn's object refers back to the embedder
METHODS = ("fit", "partial_fit", "transform", "score")  # that may request metadata
STAMP = "_sklearn_twins_version"  # in a fitted embedder's pickled state: scikit-learn stamps its own estimators only


def fitted_state(embedder):
    """What fits have left on an embedder, as a dict."""
    return {
        name: value
        for name, value in vars(embedder).items()
        if name in PRIVATE_STATE or (name.endswith("_") and not name.startswith("_"))
    }


@dataclass(frozen=True)
class Recipe:
    """How the encoder of a fit was built.

    Parameters
    ----------
    encoder : Component
        The encoder component as it was then.
    spec : SampleSpec
        What the samples were.
    n_components : int or None
        As it was then.
    frozen : tuple of str, default=()
        Parameters that are not trained.
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
        """The encoder with the weights in `arrays`, on the CPU, in eval mode."""
        from .._runtime._tensors_as_arrays import to_tensors

        encoder = self.build()
        encoder.load_state_dict(to_tensors(arrays))
        return finish(encoder)


def finish(encoder):
    """Eval mode, and no gradients any more."""
    return encoder.eval().requires_grad_(False)


def freeze(state):
    """An estimator's state with the encoder as arrays; an encoder of the user's own stays a module, on the CPU."""
    state = {name: on_cpu(value) for name, value in state.items()}
    if "_metadata_request" in state:
        routing = state.pop("_metadata_request")
        requests = {method: dict(getattr(routing, method).requests) for method in METHODS}
        state[REQUESTS] = {method: found for method, found in requests.items() if found}
    if "encoder_" not in state:
        return state
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
    """A parameter's value, with torch modules of other devices in it as copies on the CPU; else itself."""
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
        twin = copy.copy(value)
        twin.__dict__.update(parts)
        return twin
    return value


def check_version(name, version):
    """Warn of a state that another version of the package has left."""
    from .._version import __version__

    if version is not None and version != __version__:
        warning = OtherVersionWarning(estimator_name=name, current_version=__version__, original_version=version)
        warnings.warn(warning, stacklevel=3)


def thaw(state):
    """The reverse of `freeze`."""
    if isinstance(state.get("encoder_"), dict):
        state = {**state, "encoder_": state["_recipe"].rebuild(state["encoder_"])}
    return state

"""The columns of a series that `transform` puts next to the embedding: the features of MiniRocket's kernels."""

import numpy as np

BLOCK_VALUES = 2**20  # values of samples that are read at a time


def count_columns(spec):
    """Number of features; 0 without kernels."""
    return spec.kernels.n_features if spec.kernels else 0


def write_columns(samples, spec, out):
    """Write the features of the kernels.

    Parameters
    ----------
    samples : ndarray of shape (n, *spec.shape), float32
        From the preprocessor.
    spec : SeriesSpec
        Their spec.
    out : ndarray of shape (n, n_features), float32
        Where to write.
    """
    if not spec.kernels:
        return
    import torch

    from .._runtime._torch_state import isolated_torch_state

    with isolated_torch_state(torch.device("cpu"), 1), torch.inference_mode():
        features, rows = make_module(spec), max(1, BLOCK_VALUES // (spec.shape[0] * spec.length))
        for start in range(0, len(samples), rows):
            block = torch.from_numpy(np.ascontiguousarray(samples[start : start + rows]))
            out[start : start + rows] = features(block).numpy()


def are_numbers(spec):
    """All features are numbers.  # (n_features,), bool"""
    return np.full(count_columns(spec), True)


def name_columns(preprocessor, input_features=None):
    """Names of the features: "kernel0", "kernel1", ..."""
    return [f"kernel{number}" for number in range(count_columns(preprocessor.spec_))]


def put_beside(network, spec):
    """A network that begins with all kernels, with their features next to its output; None if it does not."""
    from ._kernel_features import KernelFeatures, WithFeatures

    begins = hasattr(network, "__getitem__") and isinstance(network[0], KernelFeatures)
    return WithFeatures(network).eval() if begins and network[0].width == count_columns(spec) else None


def make_module(spec):
    """The module that computes the features: (batch, *spec.shape) -> (batch, n_features)."""
    import torch

    from .._parts._initialize import build_on_meta, initialize
    from ._kernel_features import KernelFeatures

    return initialize(build_on_meta(lambda: KernelFeatures(spec)), torch.Generator()).eval()

"""The contents of a file that belong to time series: their preprocessor, their spec and its kernels."""

import numpy as np

from .._parts._modality import Stored
from .._parts._stored_state import (
    IS_SHAPE,
    check_component,
    is_array,
    is_finite,
    is_int,
    is_one,
    is_tuple,
    require,
)
from ._kernels import N_KERNELS, Kernels
from ._preprocessor import SeriesPreprocessor
from ._spec import SeriesSpec


def check_preprocessor(preprocessor):
    """Refuse a preprocessor whose channels, lengths and kernels contradict each other."""
    check_component(preprocessor)
    spec, kernels = preprocessor.spec_, preprocessor.spec_.kernels
    require(len(spec.shape) == 2 and spec.n_channels > 0, "its series have no channels")
    require({len(preprocessor.mean_), len(preprocessor.scale_)} == {spec.n_channels}, "the numbers of channels differ")
    require(bool((preprocessor.scale_ > 0).all()), "a scale is not positive")
    if kernels is not None:
        n = len(kernels.dilations)
        require(n > 0 and {len(kernels.channels), len(kernels.biases)} == {n}, "the numbers of layers differ")
        require(all(len(biases) == N_KERNELS for biases in kernels.biases), "the numbers of kernels differ")
        require(8 * max(kernels.dilations) < max(spec.length, 9), "a kernel is longer than the series")
        named = [channel for channels in kernels.channels for channel in channels or (2 * spec.n_channels,)]
        require(max(named) < 2 * spec.n_channels, "a kernel sums channels that are not there")


STORED = Stored(
    preprocessor=SeriesPreprocessor,
    fitted={"mean_": is_array(np.float64), "scale_": is_array(np.float64)},
    classes={
        SeriesSpec: {
            "shape": IS_SHAPE,
            "masked": is_one(bool),
            "kernels": lambda value: value is None or isinstance(value, Kernels),
        },
        Kernels: {
            "dilations": is_tuple(is_int(1)),
            "channels": is_tuple(is_tuple(is_int())),
            "biases": is_tuple(is_tuple(is_finite)),
        },
    },
    check=check_preprocessor,
)

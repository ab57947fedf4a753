"""The contents of a file that belong to images: their preprocessor and their spec, and what these consist of."""

import math

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
    is_word,
    require,
)
from ._pillow import BANDS, DEPTHS, Target
from ._preprocessor import ImagePreprocessor
from ._spec import ImageSpec


def check_preprocessor(preprocessor):
    """Refuse a preprocessor whose shapes and channels contradict each other."""
    check_component(preprocessor)
    spec, shape, low_high = preprocessor.spec_, preprocessor.sample_shape_, preprocessor.value_range_
    require(len(shape) == 3 and spec.shape == (shape[2], *shape[:2]), "its images have two shapes")
    statistics = (spec.mean, spec.std, preprocessor.mean_, preprocessor.std_)
    require({len(values) for values in statistics} == {shape[2]}, "the numbers of channels differ")
    require(preprocessor.n_features_in_ == math.prod(shape), "its images have two sizes")
    require(len(low_high) == 2 and low_high[0] < low_high[1], "the range of values is invalid")
    target = preprocessor._target
    require(target is None or (len(target.size) == 2 and target.sample_shape == shape), "files have another shape")


STORED = Stored(
    preprocessor=ImagePreprocessor,
    fitted={
        "sample_shape_": is_tuple(is_int(1)),
        "value_range_": is_tuple(is_finite),
        "mean_": is_array(np.float64),
        "std_": is_array(np.float64),
        "_target": lambda value: value is None or isinstance(value, Target),
    },
    classes={
        ImageSpec: {"shape": IS_SHAPE, "mean": is_tuple(is_finite), "std": is_tuple(is_finite)},
        Target: {
            "size": is_tuple(is_int(1)),
            "color": is_word(BANDS),
            "resize": is_one(bool),
            "dtype": is_word(("uint8", *DEPTHS.values())),
        },
    },
    check=check_preprocessor,
    optional={"_layout": is_word(("last", "first"))},
)

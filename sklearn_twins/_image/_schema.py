"""What the fitted state of an image preprocessor holds in a file."""

import math

from .._parts._stored_state import check_component, require


def check_images(preprocessor):
    """Refuse an image preprocessor whose shapes and channels differ."""
    check_component(preprocessor)
    spec, shape, low_high = preprocessor.spec_, preprocessor.sample_shape_, preprocessor.value_range_
    require(len(shape) == 3 and spec.shape == (shape[2], *shape[:2]), "images have two shapes")
    require({len(spec.mean), len(spec.std), len(preprocessor.mean_), len(preprocessor.std_)} == {shape[2]}, "channels")
    require(preprocessor.n_features_in_ == math.prod(shape), "images have two sizes")
    require(len(low_high) == 2 and low_high[0] < low_high[1], "the range of values is none")
    target = preprocessor._target
    require(target is None or (len(target.size) == 2 and target.sample_shape == shape), "files have another shape")
    require(not (spec.missing or spec.categories or spec.sources or spec.edges), "images have no columns")

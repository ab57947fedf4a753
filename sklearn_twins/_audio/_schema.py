"""The contents of a file that belong to audio: the preprocessor and the spec, and what these consist of."""

from .._parts._modality import Stored
from .._parts._stored_state import IS_SHAPE, check_component, is_finite, is_one, require
from ._log_mel import MIN_FRAMES
from ._preprocessor import AudioPreprocessor
from ._spec import AudioSpec


def check_preprocessor(preprocessor):
    """Refuse a preprocessor whose numbers contradict each other."""
    check_component(preprocessor)
    spec = preprocessor.spec_
    require(len(spec.shape) == 2 and spec.shape[0] == preprocessor.n_mels, "the numbers of bands differ")
    require(spec.shape[1] >= MIN_FRAMES and spec.hop == preprocessor.hop, "the frames differ")
    require(preprocessor.std_ > 0, "the deviation is not positive")


STORED = Stored(
    preprocessor=AudioPreprocessor,
    fitted={"mean_": is_finite, "std_": is_finite, "_fixed_length": is_one(bool)},
    classes={AudioSpec: {"shape": IS_SHAPE, "hop": is_finite}},
    check=check_preprocessor,
)

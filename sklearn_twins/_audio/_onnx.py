"""The part of an ONNX graph that reads audio: graphs begin with spectrograms."""

import torch
from torch import nn

from .._parts._modality import ALONE, OnnxFront
from ._log_mel import MIN_FRAMES


def refuse_rows(preprocessor):
    """Refuse to export the spectrogram."""
    raise ValueError(f"The log-mel spectrogram cannot be a part of an ONNX graph. {ALONE}.")


def read_samples(preprocessor):
    """The module that leaves spectrograms as they are, and two of them."""
    return nn.Identity(), torch.zeros((2, *preprocessor.spec_.shape))


FRONT = OnnxFront(refuse_rows, read_samples, free_axes={2: MIN_FRAMES})

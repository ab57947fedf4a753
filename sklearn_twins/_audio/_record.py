"""The record of audio."""

from .._parts._modality import Modality
from ._drawing import draw_spectrograms
from ._spec import AudioSpec


def preprocessors():
    """Preprocessors of audio by name."""
    from ._preprocessor import AudioPreprocessor

    return {"audio": AudioPreprocessor}


def augmentations():
    """Augmentations of audio by name."""
    from ._views import audio_views

    return {"audio_views": audio_views}


def encoders():
    """Encoders of audio by name."""
    from ._encoder import AudioNTTEncoder, published

    return {"audio_ntt": published, "audio_ntt_slim": AudioNTTEncoder}


def stored():
    """File schema of audio."""
    from ._schema import STORED

    return STORED


def onnx():
    """ONNX front of audio."""
    from ._onnx import FRONT

    return FRONT


def embed_frames(network, samples, spec, embed):
    """Embed each frame of clips; see `Modality.embed_frames`."""
    from ._encoder import embed_frames

    return embed_frames(network, samples, spec, embed)


AUDIO = Modality(
    name="audio",
    spec=AudioSpec,
    defaults={"preprocessor": "audio", "augmentation": "audio_views", "encoder": "audio_ntt_slim"},
    preprocessors=preprocessors,
    augmentations=augmentations,
    encoders=encoders,
    n_steps=450,
    epochs=(10, 100),
    convolutional=True,
    stored=stored,
    onnx=onnx,
    embed_frames=embed_frames,
    draw_views=draw_spectrograms,
)

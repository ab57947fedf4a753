"""The record of time series."""

from .._parts._modality import Modality, Passthrough
from ._drawing import draw_series
from ._passthrough import are_numbers, count_columns, make_module, name_columns, put_beside, write_columns
from ._spec import SeriesSpec


def preprocessors():
    """Preprocessors of time series by name."""
    from ._preprocessor import SeriesPreprocessor

    return {"series": SeriesPreprocessor}


def augmentations():
    """Augmentations of time series by name."""
    from ._default_views import SeriesViews, SpectraViews

    return {"series_views": SeriesViews, "spectra_views": SpectraViews}


def encoders():
    """Encoders of time series by name."""
    from ._dilated import DilatedEncoder
    from ._minirocket import MiniRocketEncoder
    from ._resnet1d import SeriesResNetEncoder

    return {"dilated": DilatedEncoder, "minirocket": MiniRocketEncoder, "resnet1d": SeriesResNetEncoder}


def embed_frames(*args):
    """Embed each step of time series."""
    from ._encoder import embed_frames

    return embed_frames(*args)


def stored():
    """File schema of time series."""
    from ._schema import STORED

    return STORED


def onnx():
    """ONNX front of time series."""
    from ._onnx import FRONT

    return FRONT


SERIES = Modality(
    name="series",
    spec=SeriesSpec,
    defaults={"preprocessor": "series", "augmentation": "series_views", "encoder": "minirocket"},
    preprocessors=preprocessors,
    augmentations=augmentations,
    encoders=encoders,
    n_steps=250,
    passthrough=Passthrough(
        count_columns, write_columns, are_numbers, name_columns, make_module, put_beside, variances=(12.0, 24.0)
    ),
    stored=stored,
    onnx=onnx,
    sample_ndim=2,
    embed_frames=embed_frames,
    draw_views=draw_series,
)

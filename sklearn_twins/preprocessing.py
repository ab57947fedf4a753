"""Preprocessing: from X as the caller holds it to samples."""

from ._audio._preprocessor import AudioPreprocessor
from ._audio._spec import AudioSpec
from ._image._preprocessor import ImagePreprocessor
from ._image._spec import ImageSpec
from ._series._preprocessor import SeriesPreprocessor
from ._series._spec import SeriesSpec
from ._tabular._preprocessor import TablePreprocessor
from ._tabular._spec import TableSpec

__all__ = [
    "AudioPreprocessor",
    "AudioSpec",
    "ImagePreprocessor",
    "ImageSpec",
    "SeriesPreprocessor",
    "SeriesSpec",
    "TablePreprocessor",
    "TableSpec",
]

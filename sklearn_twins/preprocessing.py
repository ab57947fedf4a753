"""Preprocessors: X as the user holds it becomes a checked array of samples."""

from ._image._preprocessor import ImagePreprocessor
from ._tabular._preprocessor import TablePreprocessor

__all__ = ["ImagePreprocessor", "TablePreprocessor"]

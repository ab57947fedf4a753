"""Preprocessors: X as the user holds it becomes a checked array of samples."""

from ._images import ImagePreprocessor
from ._tables import TablePreprocessor

__all__ = ["ImagePreprocessor", "TablePreprocessor"]

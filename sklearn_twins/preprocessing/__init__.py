"""Preprocessors: X as the user holds it becomes a checked array of samples."""

from ._tables import TablePreprocessor

__all__ = ["TablePreprocessor"]

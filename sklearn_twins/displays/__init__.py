"""Displays of a fit and of an embedding, with `from_estimator`, `plot`, `ax_` and `figure_` as in scikit-learn."""

from ._correlation import CrossCorrelationDisplay
from ._embedding import EmbeddingDisplay
from ._spectrum import SpectrumDisplay
from ._training_curve import TrainingCurveDisplay
from ._views import ViewsDisplay

__all__ = [
    "CrossCorrelationDisplay",
    "EmbeddingDisplay",
    "SpectrumDisplay",
    "TrainingCurveDisplay",
    "ViewsDisplay",
]

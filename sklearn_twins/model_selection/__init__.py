"""Searches that train embedders together, or train survivors further instead of anew."""

from ._batched import BatchedGridSearchCV
from ._halving import EpochHalvingSearchCV

__all__ = ["BatchedGridSearchCV", "EpochHalvingSearchCV"]

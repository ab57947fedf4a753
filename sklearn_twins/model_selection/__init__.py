"""Searches that know what they train: embedders of a grid at once, and no epoch twice."""

from ._batched import BatchedGridSearchCV
from ._halving import EpochHalvingSearchCV

__all__ = ["BatchedGridSearchCV", "EpochHalvingSearchCV"]

"""Searches that train many embedders at once."""

from ._batched import BatchedGridSearchCV

__all__ = ["BatchedGridSearchCV"]

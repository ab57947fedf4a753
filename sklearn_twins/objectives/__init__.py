"""Objectives: what two projections of the same rows should satisfy."""

from ._barlow_twins import BarlowTwins, barlow_twins_terms
from ._correlation import cross_correlation, standardize
from ._hsic import HSIC, hsic_terms

__all__ = ["HSIC", "BarlowTwins", "barlow_twins_terms", "cross_correlation", "hsic_terms", "standardize"]

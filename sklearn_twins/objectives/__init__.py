"""Objectives: the losses that training minimises."""

from ._barlow_twins import BarlowTwins, barlow_twins_terms
from ._correlation import cross_correlation, stacked_terms, standardize
from ._hsic import HSIC, hsic_terms
from ._info_nce import InfoNCE, info_nce_terms
from ._mixed_barlow_twins import MixedBarlowTwins, mixing_term
from ._ssl_hsic import SSLHSIC
from ._vicreg import VICReg, vicreg_terms

__all__ = [
    "HSIC",
    "SSLHSIC",
    "BarlowTwins",
    "InfoNCE",
    "MixedBarlowTwins",
    "VICReg",
    "barlow_twins_terms",
    "cross_correlation",
    "hsic_terms",
    "info_nce_terms",
    "mixing_term",
    "stacked_terms",
    "standardize",
    "vicreg_terms",
]

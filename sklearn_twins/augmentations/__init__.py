"""Augmentations: random views of a batch, made on the device that holds it."""

from .._components import Augmentation, Chain
from ._corruption import MarginalCorruption, Masking
from ._noise import GaussianNoise, Mixup
from ._pair import Identity, Pair, make_views

__all__ = [
    "Augmentation",
    "Chain",
    "GaussianNoise",
    "Identity",
    "MarginalCorruption",
    "Masking",
    "Mixup",
    "Pair",
    "make_views",
]

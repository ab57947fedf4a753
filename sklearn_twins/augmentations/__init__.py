"""Augmentations: random views of a batch, made on the device that holds it."""

from .._components import Augmentation, Chain
from ._blur import GaussianBlur
from ._colors import ColorJitter, Grayscale, Solarize
from ._corruption import MarginalCorruption, Masking
from ._crops import Cutout, HorizontalFlip, RandomResizedCrop
from ._image_views import ImageViews, barlow_twins_pair
from ._noise import GaussianNoise, Mixup
from ._pair import Identity, Pair, make_views

__all__ = [
    "Augmentation",
    "Chain",
    "ColorJitter",
    "Cutout",
    "GaussianBlur",
    "GaussianNoise",
    "Grayscale",
    "HorizontalFlip",
    "Identity",
    "ImageViews",
    "MarginalCorruption",
    "Masking",
    "Mixup",
    "Pair",
    "RandomResizedCrop",
    "Solarize",
    "barlow_twins_pair",
    "make_views",
]

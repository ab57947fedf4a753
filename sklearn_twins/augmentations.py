"""Augmentations: random views of a batch, made on the device that holds it."""

from ._image._blur import GaussianBlur
from ._image._colors import ColorJitter, Grayscale, Solarize
from ._image._crops import Cutout, HorizontalFlip, RandomResizedCrop
from ._image._default_views import ImageViews, barlow_twins_pair
from ._image._warps import ElasticTransform, RandomRotation, RandomTranslation
from ._parts._augmentation import Augmentation, Chain
from ._parts._two_views import Identity, Pair, make_views
from ._tabular._complementary import ComplementaryColumns
from ._tabular._corruption import MarginalCorruption, Masking
from ._tabular._noise_and_mixup import GaussianNoise, Mixup

__all__ = [
    "Augmentation",
    "Chain",
    "ColorJitter",
    "ComplementaryColumns",
    "Cutout",
    "ElasticTransform",
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
    "RandomRotation",
    "RandomTranslation",
    "Solarize",
    "barlow_twins_pair",
    "make_views",
]

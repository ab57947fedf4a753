"""Augmentations: random views of a batch, made on the device that holds it."""

from ._audio._views import AudioCrop, AudioMixup, LinearFader, audio_views
from ._image._blur import GaussianBlur
from ._image._colors import ColorJitter, Grayscale, Solarize
from ._image._crops import Cutout, HorizontalFlip, RandomResizedCrop
from ._image._default_views import ImageViews, barlow_twins_pair
from ._image._warps import ElasticTransform, RandomRotation, RandomTranslation
from ._parts._augmentation import Augmentation, Chain
from ._parts._two_views import Identity, Pair, make_views
from ._series._default_views import SeriesViews, SpectraViews
from ._series._masks import FrequencyMask, TimeMask
from ._series._time_views import Permutation, TimeCrop, TimeWarp
from ._series._value_views import Jitter, MagnitudeWarp, Rotation, Scaling
from ._tabular._complementary import ComplementaryColumns
from ._tabular._corruption import MarginalCorruption, Masking
from ._tabular._noise_and_mixup import GaussianNoise, Mixup

__all__ = [
    "AudioCrop",
    "AudioMixup",
    "Augmentation",
    "Chain",
    "ColorJitter",
    "ComplementaryColumns",
    "Cutout",
    "ElasticTransform",
    "FrequencyMask",
    "GaussianBlur",
    "GaussianNoise",
    "Grayscale",
    "HorizontalFlip",
    "Identity",
    "ImageViews",
    "Jitter",
    "LinearFader",
    "MagnitudeWarp",
    "MarginalCorruption",
    "Masking",
    "Mixup",
    "Pair",
    "Permutation",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTranslation",
    "Rotation",
    "Scaling",
    "SeriesViews",
    "Solarize",
    "SpectraViews",
    "TimeCrop",
    "TimeMask",
    "TimeWarp",
    "audio_views",
    "barlow_twins_pair",
    "make_views",
]

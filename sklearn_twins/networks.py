"""Networks: recipes that build torch modules, encoders and projectors."""

from ._audio._encoder import AudioNTTEncoder, AudioStem
from ._image._convnet import ConvNetEncoder
from ._image._resnet import ImageResNetEncoder
from ._image._stem import ImageStem
from ._image._timm import TimmEncoder
from ._parts._initialize import initialize
from ._parts._projector import IdentityProjector, MLPProjector
from ._parts._user_encoder import ReadyEncoder, output_width
from ._series._dilated import DilatedEncoder
from ._series._minirocket import MiniRocketEncoder
from ._series._resnet1d import SeriesResNetEncoder
from ._tabular._mlp import MLPEncoder
from ._tabular._numeric_embeddings import Periodic, PiecewiseLinear
from ._tabular._resnet import ResNetEncoder
from ._tabular._stem import TableStem

__all__ = [
    "AudioNTTEncoder",
    "AudioStem",
    "ConvNetEncoder",
    "DilatedEncoder",
    "IdentityProjector",
    "ImageResNetEncoder",
    "ImageStem",
    "MLPEncoder",
    "MLPProjector",
    "MiniRocketEncoder",
    "Periodic",
    "PiecewiseLinear",
    "ReadyEncoder",
    "ResNetEncoder",
    "SeriesResNetEncoder",
    "TableStem",
    "TimmEncoder",
    "initialize",
    "output_width",
]

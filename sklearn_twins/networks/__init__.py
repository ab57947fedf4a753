"""Networks: recipes that build torch modules, encoders and projectors."""

from ._convnet import ConvNetEncoder
from ._expansions import Periodic, PiecewiseLinear
from ._image_resnet import ImageResNetEncoder
from ._image_stem import ImageStem
from ._init import initialize
from ._mlp import IdentityProjector, MLPEncoder, MLPProjector
from ._ready import ReadyEncoder, output_width
from ._resnet import ResNetEncoder
from ._stem import TableStem
from ._timm import TimmEncoder

__all__ = [
    "ConvNetEncoder",
    "IdentityProjector",
    "ImageResNetEncoder",
    "ImageStem",
    "MLPEncoder",
    "MLPProjector",
    "Periodic",
    "PiecewiseLinear",
    "ReadyEncoder",
    "ResNetEncoder",
    "TableStem",
    "TimmEncoder",
    "initialize",
    "output_width",
]

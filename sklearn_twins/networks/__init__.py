"""Networks: recipes that build torch modules, encoders and projectors."""

from ._expansions import Periodic, PiecewiseLinear
from ._init import initialize
from ._mlp import IdentityProjector, MLPEncoder, MLPProjector
from ._ready import ReadyEncoder, output_width
from ._resnet import ResNetEncoder
from ._stem import TableStem

__all__ = [
    "IdentityProjector",
    "MLPEncoder",
    "MLPProjector",
    "Periodic",
    "PiecewiseLinear",
    "ReadyEncoder",
    "ResNetEncoder",
    "TableStem",
    "initialize",
    "output_width",
]

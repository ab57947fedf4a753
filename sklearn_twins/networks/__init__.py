"""Networks: recipes that build torch modules, encoders and projectors."""

from ._init import initialize
from ._mlp import IdentityProjector, MLPEncoder, MLPProjector
from ._ready import ReadyEncoder, output_width
from ._stem import TableStem

__all__ = ["IdentityProjector", "MLPEncoder", "MLPProjector", "ReadyEncoder", "TableStem", "initialize", "output_width"]

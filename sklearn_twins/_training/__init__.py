"""Training: the loop that makes the projections of two views agree."""

from ._batches import batch_layout
from ._callbacks import check_callbacks, reaches_into_steps
from ._cuda_graph import RECORDERS
from ._distributed import init_process_group
from ._net import Diverged
from ._optimizers import LARS, default_learning_rate
from ._stacked import train_together
from ._trainer import Plan, Training

__all__ = [
    "LARS",
    "RECORDERS",
    "Diverged",
    "Plan",
    "Training",
    "batch_layout",
    "check_callbacks",
    "default_learning_rate",
    "init_process_group",
    "reaches_into_steps",
    "train_together",
]

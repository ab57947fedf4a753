"""Active learning: choose the rows to label next."""

from ._coverage import core_set, probcover
from ._herding import max_herding
from ._sampling import badge, random
from ._suggest import suggest_labels
from ._typicality import typiclust
from ._uncertainty import entropy, least_confidence, margin

__all__ = [
    "badge",
    "core_set",
    "entropy",
    "least_confidence",
    "margin",
    "max_herding",
    "probcover",
    "random",
    "suggest_labels",
    "typiclust",
]

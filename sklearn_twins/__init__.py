"""Self-supervised features for scikit-learn: Barlow Twins and its HSIC form as a transformer."""

from ._classifier import BarlowTwinsClassifier
from ._embedder import BarlowTwinsEmbedder
from ._exceptions import CollapseWarning, OtherVersionWarning, UnreadableFileError
from ._multi_view_embedder import MultiViewEmbedder
from ._parts._component import Component
from ._parts._spec import SampleSpec
from ._runtime import _forks  # noqa: F401  notes the process that imports the package
from ._trusted_types import trusted_types
from ._version import __version__ as __version__

ROOMS = (
    *("active_learning", "augmentations", "displays", "metrics", "model_selection", "networks", "objectives"),
    "preprocessing",
)

__all__ = [
    "BarlowTwinsClassifier",
    "BarlowTwinsEmbedder",
    "CollapseWarning",
    "Component",
    "MultiViewEmbedder",
    "OtherVersionWarning",
    "SampleSpec",
    "UnreadableFileError",
    "trusted_types",
    *ROOMS,
]


def __getattr__(name):
    """Import a room when it is first asked for: most of them need torch, which takes a second to load."""
    if name in ROOMS:
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]

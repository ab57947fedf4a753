"""The parts of a fit with several views, from the embedders that describe the views."""

from .._parts._user_encoder import ReadyEncoder
from .._roles import ROLES, resolve_part
from ._objective import AcrossViews
from ._preprocessor import MultiViewPreprocessor
from ._views import AugmentEachView, EncodeEachView, ProjectEachView


def resolve_for_each(views, role, other=None):
    """Resolve one role of each view.

    Parameters
    ----------
    views : list of (str, BarlowTwinsEmbedder) tuples
        Names and embedders.
    role : str
        Name of the parameter.
    other : object, default=None
        Value of the parameter for all views; None for each embedder's own.

    Returns
    -------
    parts : list of (str, component) tuples
        Names and resolved parts.
    """
    parts = []
    for name, embedder in views:
        try:
            value = getattr(embedder, role) if other is None else other
            parts.append((name, resolve_part(role, value, embedder.modality)))
        except (ValueError, TypeError) as error:
            raise type(error)(f"View {name!r}: {error}") from error
    return parts


def resolve_views(views, columns, objective, modality, within):
    """Resolve all parts.

    Parameters
    ----------
    views : list of (str, BarlowTwinsEmbedder) tuples
        Names and embedders.
    columns : list
        Columns of each view, or None.
    objective : str, component or callable
        The objective of all views.
    modality : str
        Whose default "auto" stands for.
    within : float
        Weight of pairs within one view.

    Returns
    -------
    parts : dict of str to component
        By role.
    """
    parts = {role: resolve_for_each(views, role) for role in ROLES if role != "objective"}
    resolved = resolve_part("objective", objective, modality)
    if hasattr(resolved, "mix"):
        raise ValueError(f"objective={objective!r} mixes rows, which several views cannot. Use another one.")
    passes = [
        wants_columns(embedder, encoder) for (_, embedder), (_, encoder) in zip(views, parts["encoder"], strict=True)
    ]
    projector = ProjectEachView(parts["projector"])
    return {
        "preprocessor": MultiViewPreprocessor(parts["preprocessor"], columns, passes),
        "augmentation": AugmentEachView(parts["augmentation"]),
        "encoder": EncodeEachView(parts["encoder"], [embedder.n_components for _, embedder in views], projector),
        "projector": projector,
        "objective": AcrossViews(resolved, len(views), within),
    }


def wants_columns(embedder, encoder):
    """Whether a view's columns stand next to its embedding: as asked for, or None if it depends on the samples."""
    if embedder.passthrough != "auto":
        return bool(embedder.passthrough)
    return None if embedder.n_components is None and not isinstance(encoder, ReadyEncoder) else False

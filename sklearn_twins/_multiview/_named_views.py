"""The parameter `views`: (name, embedder, columns) tuples, checked, and names of their parameters suggested."""

from .._inputs._messages import show
from .._parts._parameter_names import find_similar
from .._roles import is_same, list_nested, suggest, suggest_or_list

# Parameters of an embedder that describe a view; the others belong to the joint training.
OF_A_VIEW = ("n_components", "modality", "preprocessor", "augmentation", "encoder", "projector", "passthrough")


def named_views(views):
    """Names and embedders, as far as `views` holds them."""
    views = views if isinstance(views, (list, tuple)) else []
    return [view[:2] for view in views if isinstance(view, (list, tuple)) and len(view) in (2, 3)]


def check_views(views, kind, owner):
    """Refuse views that are not two or more (name, embedder[, columns]).

    Parameters
    ----------
    views : object
        The parameter's value.
    kind : type
        Class of the embedders.
    owner : estimator
        The estimator that trains the views.

    Raises
    ------
    TypeError
        If `views`, a view or an embedder is something else.
    ValueError
        If there are fewer than two views, or an embedder has parameters that are invalid, or that belong to `owner` and
        are neither their defaults nor equal to its.
    """
    wanted = "[(name, embedder, columns), ...]"
    if not isinstance(views, (list, tuple)):
        hint = " Give list(views.items()) if X holds one container for each view." if isinstance(views, dict) else ""
        raise TypeError(f"views must be a list, {wanted}. Got {show(views)}, of type {type(views).__name__}.{hint}")
    for view in views:
        if not (isinstance(view, (list, tuple)) and len(view) in (2, 3) and isinstance(view[0], str)):
            raise TypeError(f"Each view must be a tuple (name, embedder, columns). Got {show(view)}.")
        name, embedder = view[:2]
        if not isinstance(embedder, kind):
            raise TypeError(f"View {name!r} must have a {kind.__name__}. Got {show(embedder)}.")
        if not name or name.endswith("_"):  # name__parameter would be read as the parameter of another name
            raise ValueError(f"The name of a view must not be empty or end with an underscore. Got {name!r}.")
        defaults = type(embedder)().get_params(deep=False)
        changed = [
            parameter
            for parameter in kind._parameter_constraints
            if parameter not in OF_A_VIEW
            and not is_plainly_equal(value := getattr(embedder, parameter), defaults[parameter])
            and not is_plainly_equal(value, getattr(owner, parameter))
        ]
        if changed:
            raise ValueError(
                f"View {name!r} sets {changed[0]}={show(getattr(embedder, changed[0]))}, but all views are trained "
                f"together. Set {changed[0]} of {type(owner).__name__} instead."
            )
        try:
            embedder._validate_params()
        except ValueError as error:
            raise type(error)(f"View {name!r}: {error}") from error
    names = [view[0] for view in views]
    if len(names) < 2:
        raise ValueError(f"views must hold two or more views. Got {names}. For one, use {kind.__name__}.")


def check_views_unchanged(was, names, columns):
    """Refuse to continue training with other views or columns than those of a fitted preprocessor."""
    remedy = "Set them back, or clone the estimator and start anew."
    if was.names != names:
        raise ValueError(f"views cannot change when training goes on: they were {was.names}, and are {names}. {remedy}")
    for name, before, now in zip(names, was.columns, columns, strict=True):
        if not is_same(before, now):
            raise ValueError(
                f"The columns of view {name!r} cannot change when training goes on: they were {show(before)}, and are "
                f"{show(now)}. {remedy}"
            )


def is_plainly_equal(value, other):
    """Whether two parameters are the same object, or equal numbers or strings."""
    return value is other or (isinstance(value, (str, int, float, bool)) and value == other)


def describe_unknown(name, values):
    """Suggest parameters of the estimator or of its views for an unknown name, or list the estimator's own."""
    if hint := suggest(name, values):
        return hint
    of_views = []
    for view, embedder in named_views(values["views"]):
        own = {parameter: getattr(embedder, parameter) for parameter in OF_A_VIEW if hasattr(embedder, parameter)}
        of_views += [f"{view}__{parameter}" for parameter in (*own, *list_nested(own))]
    similar = find_similar(name, of_views)
    return f"Did you mean {' or '.join(similar)}, of a view?" if similar else suggest_or_list(name, values)

"""scikit-learn's HTML representation: links to the documentation, and short values of fitted attributes."""

import sys

SITE = "https://sklearn-twins.readthedocs.io/en/{version}/"


def public_name(cls):
    """Public name of a class or of its first public base: "sklearn_twins.augmentations.Chain".

    Only modules that are already imported are searched.
    """
    places = ("sklearn_twins", *(f"sklearn_twins.{room}" for room in sys.modules["sklearn_twins"].ROOMS))
    modules = [sys.modules[place] for place in places if place in sys.modules]
    for base in cls.__mro__:
        for module in modules:
            if base.__name__ in module.__all__ and vars(module)[base.__name__] is base:
                return f"{module.__name__}.{base.__name__}"
    return f"{cls.__module__}.{cls.__name__}"


class DocumentationLinkMixin:
    """Link a class to its page of the documentation in scikit-learn's HTML representation.

    Parameters and fitted attributes become links, with their descriptions as tooltips.
    """

    _doc_link_module = "sklearn_twins"
    _doc_link_template = SITE + "api/{page}.html"

    def _doc_link_url_param_generator(self):
        is_dev = ".dev" in sys.modules["sklearn_twins"].__version__
        return {"version": "latest" if is_dev else "stable", "page": public_name(type(self))}


class ShortRepr:
    """A value that is shown as a short text; scikit-learn shows 30 characters at most."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def describe_weights(encoder):
    """Number of a network's weights."""
    return f"{sum(parameter.numel() for parameter in encoder.parameters()):,} weights"


def describe_losses(losses):
    """First and last loss."""
    return f"{losses[0]:.4g} to {losses[-1]:.4g}" if losses else "[]"


def describe_history(history):
    """Size of a history."""
    n = len(next(iter(history.values()), ()))
    return f"{len(history)} columns, {n} epoch{'s' * (n != 1)}"


SHORTENED = {"encoder_": describe_weights, "history_": describe_history, "loss_curve_": describe_losses}


def shorten_fitted_attributes(attributes):
    """Shorten the values of long fitted attributes in scikit-learn's HTML representation (1.9 and later)."""
    for name in SHORTENED.keys() & attributes.keys():
        text = SHORTENED[name](attributes[name]["value"])
        attributes[name] = {**attributes[name], "value": ShortRepr(text)}
    return attributes

"""What is shown in a notebook: links to the site, fitted attributes in a few words, a diagnosis as a table."""

import re
import sys

SITE = "https://sklearn-twins.readthedocs.io/en/{version}/"
STATUS = re.compile(r'<span class="[\w -]*">i<span>Not fitted</span></span>')


def public_name(cls):
    """Where a class is public, or the first of its bases that is: "sklearn_twins.augmentations.Chain".

    Looked up in what is imported already; what nobody can have come by is not public anywhere.
    """
    places = ("sklearn_twins", *(f"sklearn_twins.{room}" for room in sys.modules["sklearn_twins"].ROOMS))
    modules = [sys.modules[place] for place in places if place in sys.modules]
    for base in cls.__mro__:
        for module in modules:
            if base.__name__ in module.__all__ and vars(module)[base.__name__] is base:
                return f"{module.__name__}.{base.__name__}"
    return f"{cls.__module__}.{cls.__name__}"


class DocumentationLinkMixin:
    """Tell scikit-learn's HTML representation where the page of a class is.

    There, parameters and fitted attributes are links, and show what the docstring says of them.
    """

    _doc_link_module = "sklearn_twins"
    _doc_link_template = SITE + "api/{page}.html"

    def _doc_link_url_param_generator(self):
        is_dev = ".dev" in sys.modules["sklearn_twins"].__version__
        return {"version": "latest" if is_dev else "stable", "page": public_name(type(self))}


class PartMixin(DocumentationLinkMixin):
    """A part, of which scikit-learn would say that it is not fitted, as if it had to be; 1.6 still says so."""

    def _html_repr(self):
        html = super()._html_repr()
        return html if hasattr(self, "fit") else STATUS.sub("", html, count=1)


class Words:
    """A value that is shown as a few words; scikit-learn shows 30 characters at most."""

    def __init__(self, words):
        self.words = words

    def __repr__(self):
        return self.words


def weights_in_words(encoder):
    """How large a network is."""
    return f"{sum(parameter.numel() for parameter in encoder.parameters()):,} weights"


def losses_in_words(losses):
    """Where a loss has come from, and where to."""
    return f"{losses[0]:.4g} to {losses[-1]:.4g}" if losses else "[]"


def history_in_words(history):
    """How much a history holds."""
    return f"{len(history)} columns, {len(next(iter(history.values()), ()))} epochs"


IN_WORDS = {"encoder_": weights_in_words, "history_": history_in_words, "loss_curve_": losses_in_words}


class FittedInWordsMixin:
    """Fitted attributes that are long, as scikit-learn's HTML representation (1.9 and later) lists them."""

    def _get_fitted_attr_html(self, doc_link=""):
        attributes = super()._get_fitted_attr_html(doc_link)
        for name in IN_WORDS.keys() & attributes.keys():
            words = Words(IN_WORDS[name](attributes[name]["value"]))
            attributes[name] = {**attributes[name], "value": words}
        return attributes

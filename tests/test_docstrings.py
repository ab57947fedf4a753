"""Every public name is documented as numpydoc has it, and with its defaults: for the site and for tooltips."""

import ast
import importlib
import inspect

import pytest
from numpydoc.validate import Validator, get_doc_object, validate
from sklearn.base import BaseEstimator

import sklearn_twins
from sklearn_twins import ROOMS

# Of the checks of numpydoc.validate:
LEFT_OUT = {
    "ES01",  # an extended summary: one line is often all there is to say
    "RT02",  # no name for a single value returned: a name tells more than a type, as in scikit-learn
    "SA01",  # a See Also section: only where something else may be what one looks for
}
BASES = {"Augmentation", "Component"}  # examples are those of the classes that are made of them
# What the public methods return, which has no public name of its own.
RETURNED = ["sklearn_twins._inference._collapse.Diagnosis", "sklearn_twins._inference._collapse.Finding"]


def load(name):
    return Validator._load_obj(name)


def is_ours(value):
    """Whether a class's entry is a method or property that this package has written."""
    value = getattr(value, "fget", None) or getattr(value, "__func__", value)
    return inspect.isfunction(value) and inspect.unwrap(value).__module__.startswith("sklearn_twins")


def methods_of(name):
    thing = load(name)
    if not inspect.isclass(thing):
        return []
    found = [key for key in dir(thing) if not key.startswith("_") and is_ours(inspect.getattr_static(thing, key))]
    return [f"{name}.{key}" for key in found]


PUBLIC = [f"sklearn_twins.{name}" for name in sklearn_twins.__all__ if name not in ROOMS]
PUBLIC += [f"sklearn_twins.{r}.{name}" for r in ROOMS for name in importlib.import_module(f"sklearn_twins.{r}").__all__]
METHODS = [method for name in PUBLIC for method in methods_of(name)]
ESTIMATORS = [n for n in PUBLIC if inspect.isclass(load(n)) and issubclass(load(n), BaseEstimator)]


def documented(name):
    """What the docstring says of parameters: name -> (type, lines)."""
    return {key.lstrip("*"): said for key, said in Validator(get_doc_object(load(name))).doc_all_parameters.items()}


def test_what_is_looked_at():
    assert "sklearn_twins.metrics.rankme" in PUBLIC and len(PUBLIC) > 70
    ours = {"diagnose", "fit", "load", "partial_fit", "save", "score", "set_params", "to_onnx", "transform"}
    assert {f"sklearn_twins.BarlowTwinsEmbedder.{name}" for name in ours} <= set(METHODS)
    assert "sklearn_twins.BarlowTwinsEmbedder.get_metadata_routing" not in METHODS  # scikit-learn's own
    assert "sklearn_twins.preprocessing.TableSpec.n_inputs" in METHODS


def errors_in(name):
    """What numpydoc finds wrong with a docstring."""
    left_out = LEFT_OUT
    last, thing = name.rsplit(".", 1)[1], load(name)
    if name not in PUBLIC or last in BASES or (inspect.isclass(thing) and issubclass(thing, Exception)):
        left_out = LEFT_OUT | {"EX01"}  # of methods: the example of their class shows them
    return [error for error in validate(name)["errors"] if error[0] not in left_out]


def wrong_defaults_in(name):
    """Parameters whose documented default is another one than that of the signature."""
    thing, said, wrong = load(name), documented(name), []
    if isinstance(thing, property) or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return []
    for key, parameter in inspect.signature(thing).parameters.items():
        if key == "self" or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        kind = said[key][0]
        if parameter.default is parameter.empty:
            fine = "default" not in kind
        else:  # y is ignored, and present by convention
            parts = kind.split(", default=")
            fine = kind == "Ignored" or (len(parts) == 2 and ast.literal_eval(parts[1]) == parameter.default)
        if not fine:
            wrong.append((key, kind))
    return wrong


def test_docstrings_are_valid():
    names = [*PUBLIC, *METHODS, *RETURNED]
    assert {name: found for name in names if (found := errors_in(name))} == {}


def test_documented_defaults_are_those_of_the_signature():
    assert {name: found for name in [*PUBLIC, *METHODS] if (found := wrong_defaults_in(name))} == {}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_document_names_one_by_one(name):
    """scikit-learn's HTML view looks a parameter, or a fitted attribute, up by its name to show what is said of it."""
    doc = get_doc_object(load(name))
    assert [entry.name for entry in [*doc["Parameters"], *doc["Attributes"]] if "," in entry.name] == []
    assert [entry.name for entry in doc["Attributes"] if not "".join(entry.desc)] == []

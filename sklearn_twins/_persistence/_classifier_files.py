"""Write a classifier to a file and load it again: two embedders as `save` writes them, and the models on them."""

import os

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from .._exceptions import UnreadableFileError
from .._parts._stored_state import is_int, require, shorten
from .._runtime._devices import is_out_of_memory
from .._runtime._portable import unwrap
from .._version import __version__
from ._consistency import Allowance, check_fitted, is_history, try_out
from ._json_codec import Decoder, Encoder, shortened
from ._safetensors import read_tensors, write_tensors
from ._save_load import RESET, UNREADABLE, check_encoder, check_parameters
from ._schema import COLUMNS, defaults_of, make_schema
from ._state import REQUESTS, STAMP, divide, fitted_state

FORMAT, FORMAT_VERSION = "sklearn_twins.classifier", "1"
EMBEDDERS = ("pretrained_embedder_", "embedder_")
SECTIONS = ("parameters", "embedder", *EMBEDDERS, "fitted")
GIVEN = ("none", "parameters", "fitted", "frozen")  # kinds of the parameter `embedder`
ARRAYS = ("head_coef_", "head_intercept_", "label_distributions_")
KINDS_OF_LABELS = "biufUO"  # NumPy's letters


def save_classifier(classifier, path):
    """Write a fitted classifier to a file.

    Parameters
    ----------
    classifier : BarlowTwinsClassifier
        Fitted.
    path : str or path-like
        The file; see `write_atomically`.

    Raises
    ------
    TypeError, ValueError
        If a part of it cannot be stored; nothing is written then.
    OSError
        If the file cannot be written.
    """
    classifier._validate_params()
    if classifier.classes_.dtype.kind not in KINDS_OF_LABELS:
        raise TypeError(
            f"classes_ of type {classifier.classes_.dtype} cannot be stored. Use pickle or joblib, or labels that are "
            "numbers, strings or booleans."
        )
    found, given = vars(classifier), classifier.embedder
    parameters = {name: found[name] for name in classifier.get_params(deep=False)} | RESET
    is_fitted = hasattr(given, "encoder_")
    kind = "frozen" if isinstance(given, FrozenEstimator) else ("fitted" if is_fitted else "parameters")
    parameters["embedder"] = "none" if given is None else kind
    base = given if kind == "parameters" and given is not None else classifier.pretrained_embedder_
    encoder = Encoder(make_schema(type(base)).classes)
    sections = {
        "parameters": encoder.to_json(parameters),
        "embedder": encoder.to_json(base.get_params(deep=False) | RESET),
    }
    for name in EMBEDDERS:
        embedder = found[name]
        trained = divide(embedder._recipe, embedder.preprocessor_, embedder._output)
        for place, network in (*embedder._given_encoders().items(), *((part.place, part.encoder) for part in trained)):
            check_encoder(place, network)
        state = unwrap(embedder.__getstate__())
        kept = fitted_state(embedder).keys() - {"_training_state"}
        sections[name] = encoder.to_json({key: state[key] for key in kept})
    own = {
        name: found[name]
        for name in (*ARRAYS, *COLUMNS, "classes_", "head_share_", "history_", "n_iter_")
        if name in found
    }
    own["requests"] = classifier.__getstate__().get(REQUESTS, {})
    own["n_streamed"] = found["_n_streamed"]
    if "transduction_" in found:
        own["transduction"] = np.searchsorted(classifier.classes_, found["transduction_"])
    own["linear_model_"] = describe_model(found["linear_model_"])
    sections["fitted"] = encoder.to_json(own)
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, "sklearn_twins_version": __version__}
    write_tensors(path, encoder.tensors, {**about, **sections})


def describe_model(model):
    """A linear model as arrays."""
    if not isinstance(model, LogisticRegression):
        raise ValueError(
            "A classifier that has seen labels of one class only cannot be stored. Train it further first."
        )
    return {name: np.asarray(getattr(model, name)) for name in ("coef_", "intercept_", "classes_", "n_iter_")}


def load_classifier(cls, embedder_class, path):
    """Load a classifier from a file.

    Parameters
    ----------
    cls, embedder_class : type
        Classes of the classifier and of its embedders.
    path : str or path-like
        The file.

    Returns
    -------
    classifier : BarlowTwinsClassifier

    Raises
    ------
    UnreadableFileError
        If anything in the file is wrong.
    OSError
        If it cannot be opened.
    MemoryError
        If there is too little memory, whatever is in the file.
    """
    try:
        return make_classifier(cls, embedder_class, *read_tensors(path, check_format))
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(f"There is too little memory to load {os.fspath(path)!r}.") from error
        if not isinstance(error, (*UNREADABLE, ImportError)):
            raise
        what = shorten(error, 600)
        if not isinstance(error, (UnreadableFileError, ImportError)):  # no check foresaw how
            what = f"Its parts do not fit together ({type(error).__name__}: {shorten(error)})."
        raise UnreadableFileError(f"{os.fspath(path)!r} cannot be loaded. {what}") from error


def check_format(metadata):
    """Refuse other files before their arrays are read."""
    if metadata.get("format") != FORMAT:
        raise UnreadableFileError("It is a safetensors file, but save() of a classifier did not write it.")
    if metadata.get("format_version") != FORMAT_VERSION:
        raise UnreadableFileError(
            f"It is in format {shortened(metadata.get('format_version'))}; sklearn_twins {__version__} reads "
            f"'{FORMAT_VERSION}' only."
        )


def make_classifier(cls, embedder_class, tensors, metadata):
    """Make a classifier of a file's arrays and strings."""
    wanted = {"format", "format_version", "sklearn_twins_version", *SECTIONS}
    require(metadata.keys() == wanted, "its header has missing or unknown sections")
    require(len(metadata["sklearn_twins_version"]) <= 100, "the version that wrote it has too long a name")
    schema = make_schema(embedder_class)
    decoder = Decoder(schema.classes, tensors, schema.complete)
    parameters, given, *fitted, own = (decoder.from_json(metadata[section]) for section in SECTIONS)
    decoder.finish()
    given = complete_parameters(embedder_class, given)
    check_parameters(embedder_class, given)
    embedders = []
    for state in fitted:
        check_fitted(state)
        with Allowance(state["encoder_"]):
            embedder = embedder_class.__new__(embedder_class)
            embedder.__setstate__({**given, **state, STAMP: metadata["sklearn_twins_version"]})
        try_out(embedder)
        embedders.append(embedder)
    require(embedders[0].n_features_in_ == embedders[1].n_features_in_, "its embedders have different columns")
    parameters = complete_parameters(cls, parameters)
    require(parameters["embedder"] in GIVEN, "its parameter embedder is invalid")
    parameters["embedder"] = {
        "none": lambda: None,
        "parameters": lambda: embedder_class(**given),
        "fitted": embedders[0]._snapshot,
        "frozen": lambda: FrozenEstimator(embedders[0]._snapshot()),
    }[parameters["embedder"]]()
    classifier = cls.__new__(cls)
    classifier.__dict__.update(parameters)
    try:
        classifier._validate_params()
    except ValueError as error:
        raise UnreadableFileError(str(error)) from error
    attributes, requests = make_attributes(own, embedders)
    classifier.__setstate__({**parameters, **attributes, **dict(zip(EMBEDDERS, embedders, strict=True)), **requests})
    return classifier


def complete_parameters(cls, parameters):
    """Parameters from a file, with defaults for those that it was written without."""
    defaults, _ = defaults_of(cls)
    unknown = parameters.keys() - defaults.keys()
    require(not unknown, f"{cls.__name__} has no parameter {min(unknown, default='')!r}")
    return {**defaults, **parameters, **RESET}


def make_attributes(own, embedders):
    """The classifier's own attributes, after a check of each.

    Returns
    -------
    attributes : dict
    requests : dict
        Requests of metadata under their key, if there are any.
    """
    needed = {
        "classes_",
        "head_coef_",
        "head_intercept_",
        "head_share_",
        "history_",
        "n_iter_",
        "n_streamed",
        "requests",
        "linear_model_",
    }
    optional = {"label_distributions_", "transduction", *COLUMNS}
    require(needed <= own.keys() <= needed | optional, "attributes are missing or unknown")
    classes = own["classes_"]
    require(is_array(classes, 1, KINDS_OF_LABELS) and len(classes) > 1, "classes_ is invalid")
    require(len(set(classes.tolist())) == len(classes), "classes_ has a class twice")
    n, n_features = len(classes), [embedder._n_features_out for embedder in embedders]
    require(is_array(own["head_coef_"], 2) and own["head_coef_"].shape == (n, n_features[1]), "head_coef_ is invalid")
    require(is_array(own["head_intercept_"], 1) and len(own["head_intercept_"]) == n, "head_intercept_ is invalid")
    share = own["head_share_"]
    require(type(share) is float and 0 <= share <= 1, "head_share_ is invalid")
    require(
        is_history(own["history_"]) and is_int()(own["n_iter_"]) and is_int()(own["n_streamed"]), "counts are invalid"
    )
    model = make_model(own["linear_model_"], n, n_features[0])
    for name in COLUMNS.keys() & own.keys():
        require(COLUMNS[name](own[name]), f"{name} is invalid")
    kept = ("classes_", "head_coef_", "head_intercept_", "head_share_", "history_", "n_iter_", *COLUMNS)
    attributes = {name: own[name] for name in kept if name in own}
    attributes |= {"linear_model_": model, "_n_streamed": own["n_streamed"]}
    if "transduction" in own:
        codes, proba = own["transduction"], own.get("label_distributions_")
        require(is_array(codes, 1, "i") and ((codes >= 0) & (codes < n)).all(), "transduction_ is invalid")
        require(is_array(proba, 2) and proba.shape == (len(codes), n), "label_distributions_ is invalid")
        attributes |= {"transduction_": classes[codes], "label_distributions_": proba}
    require(type(own["requests"]) is dict, "its requests of metadata are invalid")
    return attributes, {REQUESTS: own["requests"]} if own["requests"] else {}


def is_array(value, n_axes, kinds="f"):
    """Whether a value is an array with a number of axes and one of some kinds of numbers."""
    return isinstance(value, np.ndarray) and value.ndim == n_axes and value.dtype.kind in kinds


def make_model(arrays, n_classes, n_features):
    """A linear model of the arrays that `describe_model` returned."""
    require(
        type(arrays) is dict and arrays.keys() == {"coef_", "intercept_", "classes_", "n_iter_"}, "a model is invalid"
    )
    coef, intercept, classes = arrays["coef_"], arrays["intercept_"], arrays["classes_"]
    require(is_array(classes, 1, "i") and is_array(coef, 2) and is_array(intercept, 1), "a model has invalid arrays")
    n = len(classes)
    require(2 <= n <= n_classes and (np.diff(classes) > 0).all(), "a model has other classes")
    require(classes[0] >= 0 and classes[-1] < n_classes, "a model has other classes")
    rows = 1 if n == 2 else n
    require(coef.shape == (rows, n_features) and len(intercept) == rows, "a model has other features")
    model = LogisticRegression(max_iter=1_000)
    model.__dict__.update(arrays, n_features_in_=n_features)
    return model

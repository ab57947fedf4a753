"""Write an embedder to a file and load it again: versions, names and parts are checked, and no code from it is run."""

import os
from importlib import import_module

from .._exceptions import UnreadableFileError
from .._parts._stored_state import is_settings, require, shorten
from .._parts._user_encoder import ReadyEncoder
from .._roles import ROLES
from .._runtime._devices import is_out_of_memory
from .._runtime._portable import unwrap
from .._version import __version__
from ._consistency import Allowance, check_fitted, try_out
from ._json_codec import REMEDY, Decoder, Encoder, shortened
from ._safetensors import read_tensors, write_tensors
from ._schema import defaults_of, make_schema
from ._state import METHODS, REQUESTS, STAMP, divide, fitted_state

FORMAT, FORMAT_VERSION = "sklearn_twins.embedder", "2"
SECTIONS = ("parameters", "fitted", "settings")
UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
RESET = {"checkpoint": None}  # parameters that are not stored: each machine has its own directories


def save_embedder(embedder, path):
    """Write a fitted embedder to a file.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Fitted.
    path : str or path-like
        The file; see `write_atomically`.

    Raises
    ------
    TypeError, ValueError
        If a part of it cannot be stored, or a parameter is out of range; nothing is written then.
    OSError
        If the file cannot be written.
    """
    embedder._validate_params()
    state = unwrap(embedder.__getstate__())
    state.pop(STAMP)
    parameters = {name: without_fits(state.pop(name)) for name in embedder.get_params(deep=False)} | RESET
    fitted = {name: state.pop(name) for name in fitted_state(embedder)}
    settings = {}
    if "_sklearn_output_config" in state:
        settings["output"] = state.pop("_sklearn_output_config")
    if REQUESTS in state:
        settings["requests"] = state.pop(REQUESTS)
    if state:
        name, value = next(iter(state.items()))
        raise TypeError(f"The attribute {name}={shortened(value)} cannot be stored. {REMEDY}, or remove it.")
    encoder = Encoder(make_schema(type(embedder)).classes)
    sections = {"parameters": encoder.to_json(parameters)}
    trained = divide(fitted["_recipe"], fitted["preprocessor_"], fitted["_output"])
    for place, given in (*embedder._given_encoders().items(), *((part.place, part.encoder) for part in trained)):
        check_encoder(place, given)
    sections |= {"fitted": encoder.to_json(fitted), "settings": encoder.to_json(settings)}
    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "class": name_of(type(embedder)),
        "sklearn_twins_version": __version__,
    }
    metadata = {**about, **sections}
    try:
        read_parts(type(embedder), encoder.tensors, metadata)
    except UNREADABLE as error:
        raise ValueError(f"The embedder cannot be stored, since load() would refuse it: {error} {REMEDY}.") from error
    write_tensors(path, encoder.tensors, metadata)


def without_fits(parameter):
    """A parameter with its estimators unfitted, in lists and tuples too."""
    if type(parameter) in (list, tuple):
        return type(parameter)(map(without_fits, parameter))
    return parameter._unfitted() if hasattr(parameter, "_unfitted") else parameter


def check_encoder(place, encoder):
    """Refuse encoders with code that is not the package's, and networks that are fetched from elsewhere."""
    if isinstance(encoder, ReadyEncoder):
        raise TypeError(f"{place}={shortened(encoder.source)}, which was trained, cannot be stored: {REMEDY}.")
    if is_fetched(encoder):
        raise TypeError(f"{place}={encoder!r} cannot be stored: it is fetched from elsewhere. {REMEDY}.")


def is_fetched(encoder):
    """Whether an encoder, or the name of one, is a network that a library would fetch from elsewhere."""
    role = ROLES["encoder"]
    if isinstance(encoder, str) and role.knows(encoder):
        encoder = role.resolve(encoder, None)
    return getattr(encoder, "is_fetched", False)


def name_of(cls):
    """The name of an embedder's class in files: where users import it from."""
    package = __name__.partition(".")[0]
    is_public = getattr(import_module(package), cls.__qualname__, None) is cls
    return f"{package if is_public else cls.__module__}.{cls.__qualname__}"


def load_embedder(cls, path):
    """Load an embedder from a file.

    Parameters
    ----------
    cls : type
        Class of the embedder that was saved.
    path : str or path-like
        The file.

    Returns
    -------
    embedder : BarlowTwinsEmbedder

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
        return make_embedder(cls, *read_tensors(path, check_format))
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(f"There is too little memory to load {os.fspath(path)!r}.") from error
        if not isinstance(error, (*UNREADABLE, ImportError)):
            raise
        what = shorten(error, 600)
        if not isinstance(error, (UnreadableFileError, ImportError)):  # no check foresaw how
            what = f"Its parts do not fit together ({type(error).__name__}: {shorten(error)})."
        raise UnreadableFileError(f"{os.fspath(path)!r} cannot be loaded. {what}") from error


def read_parts(cls, tensors, metadata):
    """Check a file's arrays and strings, and turn them into parameters, fitted attributes and settings."""
    check_metadata(cls, metadata)
    schema = make_schema(cls)
    decoder = Decoder(schema.classes, tensors, schema.complete)
    parameters, fitted, settings = (decoder.from_json(metadata[section]) for section in SECTIONS)
    decoder.finish()
    defaults, required = defaults_of(cls)
    unknown = parameters.keys() - defaults.keys() - required
    if unknown:
        raise UnreadableFileError(
            f"It has the parameter {min(unknown)!r}, which {cls.__name__} of sklearn_twins {__version__} does not. "
            f"It was written by {metadata['sklearn_twins_version']}; install that version or a later one."
        )
    require(required <= parameters.keys(), "a parameter is missing")
    check_fitted(fitted)
    check_parameters(cls, {**defaults, **parameters})
    check_settings(settings)
    return {**defaults, **parameters, **RESET}, fitted, settings


def make_embedder(cls, tensors, metadata):
    """Make an embedder of a file's arrays and strings."""
    parameters, fitted, settings = read_parts(cls, tensors, metadata)
    state = {**parameters, **fitted, STAMP: metadata["sklearn_twins_version"]}
    if "output" in settings:
        state["_sklearn_output_config"] = settings["output"]
    if "requests" in settings:
        state[REQUESTS] = settings["requests"]
    embedder = cls.__new__(cls)
    with Allowance(fitted["encoder_"]):
        embedder.__setstate__(state)
    try_out(embedder)
    return embedder


def check_format(metadata):
    """Refuse files that `save` did not write, before their arrays are read."""
    if metadata.get("format") != FORMAT:
        raise UnreadableFileError("It is a safetensors file, but save() of an embedder did not write it.")


def check_metadata(cls, metadata):
    """Refuse files in other versions of the format, and files of other classes."""
    wanted = {"format", "format_version", "class", "sklearn_twins_version", *SECTIONS}
    version = metadata.get("format_version", "")
    if version != FORMAT_VERSION:
        is_older = version.isdecimal() and int(version) < int(FORMAT_VERSION)
        remedy = "fit the embedder again with this version and save it" if is_older else "install a later version"
        raise UnreadableFileError(
            f"It is in format {shortened(version)}, written by sklearn_twins "
            f"{metadata.get('sklearn_twins_version', 'of an unknown version')}; sklearn_twins {__version__} reads "
            f"format '{FORMAT_VERSION}' only. To use it, {remedy}."
        )
    require(len(metadata.get("sklearn_twins_version", "")) <= 100, "the version that wrote it has too long a name")
    require(metadata.keys() == wanted, "its header has missing or unknown sections")
    if metadata["class"] != name_of(cls):
        raise UnreadableFileError(
            f"It holds {shortened(metadata['class'])}, not {name_of(cls)!r}; call load() of the class that wrote it."
        )


def check_parameters(cls, parameters):
    """Refuse parameters out of range."""
    embedder = cls.__new__(cls)
    embedder.__dict__.update(parameters)
    try:
        embedder._validate_params()
    except (TypeError, ValueError) as error:
        raise UnreadableFileError(str(error)) from error
    fetched = map(is_fetched, embedder._given_encoders().values())
    require(not any(fetched), "its network would be fetched from elsewhere")


def check_settings(settings):
    """Refuse settings that neither `set_output` nor scikit-learn's metadata routing makes."""
    require(settings.keys() <= {"output", "requests"}, "it has unknown settings")
    require(is_settings(settings.get("output", {})), "its output configuration is invalid")
    requests = settings.get("requests", {})
    require(type(requests) is dict and requests.keys() <= set(METHODS), "its requests of metadata are invalid")
    require(all(type(wanted) is dict for wanted in requests.values()), "its requests of metadata are invalid")

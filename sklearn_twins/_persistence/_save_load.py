"""An embedder written to a file, and made of one again: versions, names and parts checked, nothing run but our own."""

import os

from .._exceptions import UnreadableFileError
from .._image._timm import TimmEncoder
from .._parts._stored_state import is_settings, require
from .._parts._user_encoder import ReadyEncoder
from .._version import __version__
from ._consistency import check_fitted, try_out
from ._json_codec import REMEDY, Decoder, Encoder, shortened
from ._safetensors import read_tensors, write_tensors
from ._schema import complete, defaults_of, storable_classes
from ._state import METHODS, REQUESTS, STAMP, fitted_state

FORMAT, FORMAT_VERSION = "sklearn_twins.embedder", "1"
SECTIONS = ("parameters", "fitted", "settings")
ELSEWHERE = {"checkpoint": None}  # neither stored nor loaded: where a fit writes to is for each machine to say


def save_embedder(embedder, path):
    """Write a fitted embedder to a file.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Fitted.
    path : str or path-like
        Where to; see `write_atomically`.

    Raises
    ------
    TypeError, ValueError
        If something of it cannot be stored, or a parameter is out of range; nothing has been written then.
    OSError
        If the file cannot be written.
    """
    embedder._validate_params()
    state = embedder.__getstate__()
    state.pop(STAMP)
    parameters = {name: state.pop(name) for name in embedder.get_params(deep=False)} | ELSEWHERE
    fitted = {name: state.pop(name) for name in fitted_state(embedder)}
    settings = {}
    if "_sklearn_output_config" in state:
        settings["output"] = state.pop("_sklearn_output_config")
    if REQUESTS in state:
        settings["requests"] = state.pop(REQUESTS)
    if state:
        name, value = next(iter(state.items()))
        raise TypeError(f"The attribute {name}={shortened(value)} cannot be stored. {REMEDY}, or remove it.")
    encoder = Encoder(storable_classes())
    sections = {"parameters": encoder.to_json(parameters)}
    for trained in (embedder.encoder, fitted["_recipe"].encoder):
        check_encoder(trained)
    sections |= {"fitted": encoder.to_json(fitted), "settings": encoder.to_json(settings)}
    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "class": name_of(type(embedder)),
        "sklearn_twins_version": __version__,
    }
    write_tensors(path, encoder.tensors, {**about, **sections})


def check_encoder(encoder):
    """Refuse encoders whose code is not the package's, and networks that timm would fetch from elsewhere."""
    if isinstance(encoder, ReadyEncoder):
        raise TypeError(f"encoder={shortened(encoder.source)}, which was trained, cannot be stored: {REMEDY}.")
    if is_fetched(encoder):
        raise TypeError(f"encoder={encoder!r} cannot be stored: timm fetches it from elsewhere. {REMEDY}.")


def is_fetched(encoder):
    """Whether an encoder, or the name of one, is a network that timm looks up outside of itself."""
    name = encoder.name if isinstance(encoder, TimmEncoder) else str(encoder).removeprefix("timm:")
    return isinstance(encoder, (TimmEncoder, str)) and ":" in name


def name_of(cls):
    """The name under which an embedder's class is stored: where users find it."""
    package = __name__.partition(".")[0]
    module = package if cls.__module__ == f"{package}._embedder" else cls.__module__
    return f"{module}.{cls.__qualname__}"


def load_embedder(cls, path):
    """Make an embedder of a file.

    Parameters
    ----------
    cls : type
        The class, which must be the one that wrote it.
    path : str or path-like
        Of the file.

    Returns
    -------
    embedder : BarlowTwinsEmbedder

    Raises
    ------
    UnreadableFileError
        If there is anything wrong with what the file holds.
    OSError
        If it cannot be opened.
    """
    try:
        return made_of(cls, *read_tensors(path))
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{os.fspath(path)!r} cannot be loaded. {error}") from error
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        what = f"Its parts do not fit together ({type(error).__name__}: {error})."  # in a way that no check foresaw
        raise UnreadableFileError(f"{os.fspath(path)!r} cannot be loaded. {what}") from error


def made_of(cls, tensors, metadata):
    """An embedder of a file's arrays and strings."""
    check_metadata(cls, metadata)
    decoder = Decoder(storable_classes(), tensors, complete)
    parameters, fitted, settings = (decoder.from_json(metadata[section]) for section in SECTIONS)
    decoder.finish()
    defaults, _ = defaults_of(cls)
    unknown = parameters.keys() - defaults.keys()
    if unknown:
        raise UnreadableFileError(
            f"It has the parameter {min(unknown)!r}, which {cls.__name__} of sklearn_twins {__version__} does not. "
            f"It was written by {metadata['sklearn_twins_version']}; install that version or a later one."
        )
    check_fitted(fitted)
    check_parameters(cls, {**defaults, **parameters})
    check_settings(settings)
    state = {**defaults, **parameters, **ELSEWHERE, **fitted, STAMP: metadata["sklearn_twins_version"]}
    if "output" in settings:
        state["_sklearn_output_config"] = settings["output"]
    if "requests" in settings:
        state[REQUESTS] = settings["requests"]
    embedder = cls.__new__(cls)
    embedder.__setstate__(state)
    try_out(embedder)
    return embedder


def check_metadata(cls, metadata):
    """Refuse files of others, of later formats, and of other classes."""
    wanted = {"format", "format_version", "class", "sklearn_twins_version", *SECTIONS}
    if metadata.get("format") != FORMAT:
        raise UnreadableFileError("It is a safetensors file, but save() of an embedder did not write it.")
    version = metadata.get("format_version", "")
    if version != FORMAT_VERSION:
        raise UnreadableFileError(
            f"It is of format {shortened(version)}, and sklearn_twins {__version__} knows format {FORMAT_VERSION} "
            "only; install a later version."
        )
    require(metadata.keys() == wanted, "its header lacks a section, or has one more")
    if metadata["class"] != name_of(cls):
        raise UnreadableFileError(
            f"It holds {shortened(metadata['class'])}, not {name_of(cls)!r}; call load() of the class that wrote it."
        )


def check_parameters(cls, parameters):
    """Refuse parameters out of range."""
    embedder = cls.__new__(cls)
    embedder.__dict__.update(parameters)
    require(not is_fetched(parameters["encoder"]), "its network would be fetched from elsewhere")
    try:
        embedder._validate_params()
    except ValueError as error:
        raise UnreadableFileError(str(error)) from error


def check_settings(settings):
    """Refuse what neither `set_output` nor scikit-learn's metadata routing was told."""
    require(settings.keys() <= {"output", "requests"}, "its settings are not known")
    require(is_settings(settings.get("output", {})), "its output is none")
    requests = settings.get("requests", {})
    require(type(requests) is dict and requests.keys() <= set(METHODS), "nothing requests metadata so")
    require(all(type(wanted) is dict for wanted in requests.values()), "its requests of metadata are none")

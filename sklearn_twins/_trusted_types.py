"""The exact list of the package's classes that a skops file may hold."""

import os

from ._exceptions import UnreadableFileError


def trusted_types(file=None):
    """List the classes of this package that a skops file may ask for, for `skops.io.load(file, trusted=...)`.

    skops looks up every name in a file that is trusted, and may call it. The list is exact: it holds the public
    components and the classes that make up a fitted embedder, which only store what they are given. It holds no
    function, nor a class that calls or downloads something (`ReadyEncoder`, `TimmEncoder`). Never trust all names that
    begin with the name of a package: through its modules they reach everything that these import.

    Parameters
    ----------
    file : str, path-like or None, default=None
        A skops file to check. If given, only the names that it asks for are listed, and a file that asks for more
        is refused. This needs skops (``pip install skops``).

    Returns
    -------
    names : list of str
        Full names of classes, sorted.

    Raises
    ------
    UnreadableFileError
        If the file is no skops file, or asks for a name that neither skops nor this list knows.
    ImportError
        If `file` is given and skops is missing.
    OSError
        If the file cannot be opened.

    See Also
    --------
    BarlowTwinsEmbedder.save : A format for embedders that needs no trust.

    Examples
    --------
    >>> import sklearn_twins
    >>> "sklearn_twins._embedder.BarlowTwinsEmbedder" in sklearn_twins.trusted_types()
    True
    """
    trusted = sorted(f"{cls.__module__}.{cls.__name__}" for cls in trusted_classes())
    if file is None:
        return trusted
    wanted = names_in(file)
    unknown = sorted(set(wanted) - set(trusted))
    if unknown:
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        raise UnreadableFileError(
            f"{os.fspath(file)!r} is not to be trusted: it asks for {', '.join(n[:100] for n in unknown[:5])}{more}. "
            "If you know each of these classes and the writer of the file, call skops.io.load(file, "
            "trusted=[*sklearn_twins.trusted_types(), ...]) with their names."
        )
    return sorted(wanted)


def trusted_classes():
    """Classes of the package whose objects skops may make: those of the schema that fetch nothing."""
    from ._classifier import BarlowTwinsClassifier
    from ._embedder import BarlowTwinsEmbedder
    from ._multi_view_embedder import MultiViewEmbedder
    from ._persistence._schema import make_schema

    embedders = {BarlowTwinsEmbedder, MultiViewEmbedder}
    stored = {cls for embedder in embedders for cls in make_schema(embedder).classes.values()}
    own = {cls for cls in stored if cls.__module__.startswith(f"{__package__}.") and not hasattr(cls, "is_fetched")}
    return embedders | {BarlowTwinsClassifier} | own


def names_in(file):
    """Names that a skops file asks for, without those that skops always trusts."""
    try:
        from skops.io import get_untrusted_types
    except ImportError as error:
        raise ImportError(
            f"trusted_types(file=...) needs skops, which cannot be imported ({error}). Install it: `pip install skops`."
        ) from error
    try:
        return get_untrusted_types(file=os.fsdecode(file))
    except (MemoryError, OSError):
        raise
    except Exception as error:  # the readers of zip files, JSON and skops raise many types
        raise UnreadableFileError(f"{os.fspath(file)!r} is no skops file ({type(error).__name__}: {error}).") from error

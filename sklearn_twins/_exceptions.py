"""Errors and warnings of the package."""

from sklearn.exceptions import InconsistentVersionWarning


class CollapseWarning(UserWarning):
    """Warning that an embedding has collapsed: it hardly distinguishes rows. Names the likely cause and a remedy."""


class UnreadableFileError(ValueError):
    """Error that a file cannot be loaded: it is damaged, not written by `save`, or of another format or class.

    `BarlowTwinsEmbedder.load` raises it for anything wrong with a file's content; so do `fit` for a checkpoint, and
    `trusted_types` for a skops file. If the file is missing or may not be read, the error is an `OSError`; if memory is
    short, a `MemoryError`.
    """


class OtherVersionWarning(InconsistentVersionWarning):
    """Warning that a fitted embedder comes from another version of this package.

    A filter for scikit-learn's `InconsistentVersionWarning` also applies to this one. Its attributes hold versions of
    sklearn_twins.

    Parameters
    ----------
    estimator_name : str
        Class of the embedder.
    current_version : str
        Installed version.
    original_version : str
        Version that fitted the embedder.
    """

    def __init__(self, *, estimator_name, current_version, original_version):
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=current_version,
            original_sklearn_version=original_version,
        )
        self.current_version, self.original_version = current_version, original_version

    def __str__(self):
        return (
            f"{self.estimator_name} was fitted with sklearn_twins {self.original_version}, and is loaded with "
            f"{self.current_version}. Compare its output on rows whose embedding you know, or fit it again."
        )

"""Errors and warnings of the package's own: a file that cannot be loaded, another version's state, a fit gone badly."""

from sklearn.exceptions import InconsistentVersionWarning


class CollapseWarning(UserWarning):
    """A fit has ended in an embedding that says little of its rows: the message gives the likely cause and a remedy."""


class UnreadableFileError(ValueError):
    """No embedder can be loaded from a file: damaged, not written by `save`, of a later format, or of another class.

    It is what `BarlowTwinsEmbedder.load` raises of a file's content, whatever is wrong with it. That a file is not
    there or may not be read is an `OSError`, as everywhere.
    """


class OtherVersionWarning(InconsistentVersionWarning):
    """A fitted embedder comes from another version of this package, which may have meant something else by its state.

    A filter for scikit-learn's `InconsistentVersionWarning` finds this one too. Its attributes hold versions of
    sklearn_twins.

    Parameters
    ----------
    estimator_name : str
        Class of the embedder.
    current_version : str
        The version that is installed.
    original_version : str
        The version that fitted the embedder.
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
            f"{self.current_version}. Check what it returns on rows whose embedding you know, or fit it anew."
        )

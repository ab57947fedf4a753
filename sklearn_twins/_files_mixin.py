"""An embedder's `save` and `load`: files without pickles, which say what they hold and notice damage."""

from sklearn.utils.validation import check_is_fitted

from ._persistence._state import StateMixin


class FilesMixin(StateMixin):
    """How a fitted embedder is kept: in pickles, and in files that run no code when they are loaded."""

    def save(self, path):
        """Write the fitted embedder to a file that is loaded without running code from it.

        It is a safetensors file: arrays, and JSON with versions, parameters and the fitted attributes, under one
        checksum; see docs/files.md. It is written to a temporary file beside `path`, put to disk and renamed: whenever
        it is interrupted, `path` is what it was or what it shall be.

        Parameters
        ----------
        path : str or path-like
            Where to. A file that is there is replaced.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        TypeError
            If a parameter is or holds a function, a torch module or a component that is not the package's own. Use
            pickle or joblib for such embedders. Nothing has been written.
        ValueError
            If a parameter has been set to what `fit` would refuse. Nothing has been written.
        OSError
            If the file cannot be written.

        See Also
        --------
        load : Make the embedder again.
        to_onnx : A model for programs without Python.

        Examples
        --------
        >>> import os, tempfile
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_twins import BarlowTwinsEmbedder
        >>> X = load_iris().data
        >>> embedder = BarlowTwinsEmbedder(max_epochs=1, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     embedder.save(os.path.join(directory, "iris.safetensors"))
        ...     loaded = BarlowTwinsEmbedder.load(os.path.join(directory, "iris.safetensors"))
        >>> bool((loaded.transform(X) == embedder.transform(X)).all())
        True
        """
        check_is_fitted(self)
        from ._persistence._save_load import save_embedder

        save_embedder(self, path)

    @classmethod
    def load(cls, path):
        """Make a fitted embedder of a file that `save` wrote, on the CPU.

        Whatever the file holds, no code of it is run, and no memory is taken that it does not have the bytes for.

        Parameters
        ----------
        path : str or path-like
            Of the file.

        Returns
        -------
        embedder : BarlowTwinsEmbedder
            Of the class that `load` was called on, which must be the one that wrote the file.

        Raises
        ------
        UnreadableFileError
            If the file is damaged, was not written by `save`, is of a later format, or is from another class.
        OSError
            If it is not there or cannot be read.

        Warns
        -----
        OtherVersionWarning
            If another version of the package wrote it.

        See Also
        --------
        save : Write such a file.
        """
        from ._persistence._save_load import load_embedder

        return load_embedder(cls, path)

    def to_onnx(self, path, *, preprocessing=True):
        """Write what `transform` computes as an ONNX model, for programs without Python or torch.

        Needs onnx and onnxscript (the extra ``sklearn-twins[onnx]``). The model has one output, "transformed", of the
        shape and to 1e-4 the values of `transform`, for any number of rows. Its input is, with `preprocessing`,

        - of a table of numbers, "X", float64 of shape (rows, n_features_in_), NaN where missing;
        - of images, "X" of shape (rows, height, width, channels), uint8 if black and white are 0 and 255, else float32;

        and without it "samples", as ``preprocessor_.transform(X)`` returns them.

        Parameters
        ----------
        path : str or path-like
            Where to. A file that is there is replaced.
        preprocessing : bool, default=True
            Whether the model begins with X. Categories, dates, durations and scales by rank cannot be in it: make the
            samples of such tables beforehand, and export the rest with False.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ImportError
            If onnx or onnxscript is missing.
        ValueError
            If the preprocessing cannot be expressed, or torch cannot export an encoder of yours.
        OSError
            If the file cannot be written.

        See Also
        --------
        save : A file from which training goes on, too.
        """
        check_is_fitted(self)
        from ._persistence._onnx import export

        export(self, path, preprocessing)

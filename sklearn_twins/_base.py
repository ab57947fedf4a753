"""StoredEstimator and TwinsEstimator: the abstract estimators behind the public classes."""

import functools
from numbers import Integral
from types import SimpleNamespace

import numpy as np
import sklearn
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, check_scalar

from ._fitting._sklearn_callbacks import RUNNING, CallbackSupportMixin, FitTasks
from ._html_repr import DocumentationLinkMixin, shorten_fitted_attributes
from ._inputs._messages import short_messages
from ._modalities import MODALITIES
from ._parts._parameter_names import explain_unknown_parameters
from ._parts._plain_values import to_plain, with_plain_parameters
from ._parts._validation import refuse_booleans
from ._persistence._state import METHODS, REQUESTS, STAMP, check_version, fitted_state, freeze, thaw
from ._roles import ROLES, input_tags, plan_nested, resolve_part, suggest_or_list


def read_one_fit(*names):
    """Make a class decorator whose named methods run on a snapshot of the estimator.

    A fit in another thread may replace the fitted attributes at any moment. All that one call reads then belongs to the
    same fit, the names of the output's columns included.
    """

    def on_snapshot(method):
        @functools.wraps(method)
        def read(self, *args, **kwargs):
            return method(self._snapshot(), *args, **kwargs)

        return read

    def decorate(cls):
        for name in names:
            setattr(cls, name, on_snapshot(getattr(cls, name)))
        return cls

    return decorate


def fits_jointly(fit):
    """Decorate a method that fits: an error is no longer than a screen, and ends the fit of all processes."""

    @functools.wraps(fit)
    def wrapper(self, *args, **kwargs):
        from ._training._distributed import joint_fit

        with joint_fit(self._training_device()), short_messages():
            return fit(self, *args, **kwargs)

    return wrapper


class StoredEstimator(CallbackSupportMixin, DocumentationLinkMixin, BaseEstimator):
    """An estimator whose fitted state is replaced at once, pickled without torch objects, and shown in notebooks.

    Subclasses have `_input_tags`, scikit-learn's tags of X.
    """

    _describe_unknown = staticmethod(suggest_or_list)  # (name, values) -> str, the end of messages

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        explain_unknown_parameters(cls, cls._describe_unknown)

    def _snapshot(self):
        """A copy that keeps the parameters and the fit of this moment, and shares their objects."""
        snapshot = object.__new__(type(self))
        snapshot.__dict__ = dict(vars(self))
        return snapshot

    def _unfitted(self):
        """An unfitted estimator with the same parameters."""
        return type(self)(**self.get_params(deep=False))

    def _store(self, attributes):
        """Replace all fitted attributes at once: an interrupt finds the old state or the new one."""
        stale = fitted_state(self)
        kept = {name: value for name, value in vars(self).items() if name not in stale}
        self.__dict__ = {**kept, **attributes}

    def __getstate__(self):
        state = dict(super().__getstate__())  # another thread may fit
        state = {name: value for name, value in state.items() if name not in RUNNING}
        return freeze(with_plain_parameters(self, state))

    def __setstate__(self, state):
        state = dict(state)
        requests = state.pop(REQUESTS, {})
        check_version(type(self).__name__, state.pop(STAMP, None))
        super().__setstate__(thaw(state))
        with sklearn.config_context(enable_metadata_routing=True):
            for method in requests.keys() & set(METHODS):
                getattr(self, f"set_{method}_request")(**requests[method])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = self._input_tags()
        return tags

    def _get_fitted_attr_html(self, doc_link=""):
        return shorten_fitted_attributes(super()._get_fitted_attr_html(doc_link))


@read_one_fit("diagnose", "save", "score", "to_onnx", "transform_views")
class TwinsEstimator(StoredEstimator):
    """An estimator whose `fit` trains an encoder on two views of each row.

    Subclasses declare the parameters, those of `ROLES` among them, and what is predicted or transformed.
    """

    _records, _held = (), ()  # what files hold beyond modalities, see `make_schema`

    def set_params(self, **params):
        """Set parameters, including those of parts: ``augmentation__corruption_rate=0.4``.

        If a part is a name or "auto", it is first replaced by its component. If a name is unknown, nothing is set.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator, or ``part__parameter``.

        Returns
        -------
        self : estimator
            The estimator itself.

        Raises
        ------
        ValueError
            If a name is unknown; the message suggests the nearest valid one.
        """
        parts = plan_nested(type(self).__name__, self.get_params(deep=False), params, self._describe_unknown)
        own = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**own | parts)
        return super().set_params(**{name: value for name, value in params.items() if "__" in name})

    def _training_device(self):
        """Where `fit` trains, not checked yet."""
        return self.device

    def _settings(self):
        """The parameters as a namespace; `optimizer` is not "auto"."""
        params = self.get_params(deep=False).items()
        settings = SimpleNamespace(**{name: to_plain(value) for name, value in params})
        if settings.optimizer == "auto":
            settings.optimizer = MODALITIES[self.modality].optimizer
        return settings

    def _given_encoders(self):
        """The encoders among the parameters, by their places."""
        return {"encoder": self.encoder}

    def _resolve_parts(self):
        """Check all parameters, and resolve those that take a part.

        Returns
        -------
        parts : dict of str to component or callable
        """
        from ._fitting._plan import check_functions

        self._validate_params()
        refuse_booleans(self)
        check_functions(self.optimizer, self.lr_schedule)
        return {role: resolve_part(role, getattr(self, role), self.modality) for role in ROLES}

    def _first_container(self, X):
        """The container whose rows are counted; X itself, unless it is one container for each view."""
        return X

    def _append_unlabeled(self, X, unlabeled):
        from ._inputs._unlabeled import append_unlabeled

        return append_unlabeled(X, unlabeled)

    def _fit_or_resume(self, X, unlabeled, groups):
        resume = self.warm_start and hasattr(self, "encoder_")
        return self._fit(X, unlabeled, resume=resume, stream=False, groups=groups)

    def _fit_chunk(self, X):
        """One more epoch, for `partial_fit`."""
        return self._fit(X, None, resume=hasattr(self, "encoder_"), stream=True)

    def _fit(self, X, unlabeled, *, resume, stream, groups=None, keep_checkpoint=None):
        from ._fitting._fit import run_fit
        from ._inputs._groups import encode_groups
        from ._runtime._devices import claim_device

        fit = self._snapshot()  # another thread may set parameters, or fit too

        def store(attributes):
            fit._store(attributes)
            self._store(attributes)

        parts, labeled = fit._resolve_parts(), X
        groups = encode_groups(groups, *map(fit._first_container, (X, unlabeled)))
        X = fit._append_unlabeled(X, unlabeled)
        if unlabeled is not None and hasattr(parts["preprocessor"], "check_unlabeled"):
            parts["preprocessor"].check_unlabeled(labeled, unlabeled)
        previous, owner = (fit._previous(), fit) if resume else (None, fit._unfitted())
        with claim_device(fit.device, fit.verbose) as device:
            inspected = run_fit(
                fit._settings(),
                parts,
                X,
                owner,
                device,
                FitTasks(self),
                store,
                previous,
                stream,
                groups,
                keep_checkpoint=keep_checkpoint,
            )
        fit._warn_of_collapse(inspected)
        return self

    def _previous(self):
        """The fitted state that a fit continues from."""
        from ._fitting._prepare import Previous

        return Previous(
            encoder=self.encoder_,
            preprocessor=self.preprocessor_,
            recipe=self._recipe,
            width=self._output.width,
            history=self.history_,
            n_epochs=self.n_iter_,
            n_streamed=self._n_streamed,
            training_state=getattr(self, "_training_state", None),
        )

    def _warn_of_collapse(self, inspected):
        if inspected is not None:
            from ._inference._collapse import warn_of_collapse

            warn_of_collapse(inspected.embedding, inspected.samples, self.preprocessor_.spec_, self._facts())

    def _facts(self):
        """Facts about the fit for a diagnosis."""
        from ._inference._collapse import Facts
        from ._training._optimizers import default_learning_rate

        objective = resolve_part("objective", self.objective, self.modality)
        return Facts(
            learning_rate=self.learning_rate,
            default_learning_rate=default_learning_rate(self._settings().optimizer),
            off_diagonal_weight=getattr(objective, "off_diagonal_weight", "auto"),
            batch_size=self.batch_size,
            n_features=getattr(self, "n_features_in_", None),
            feature_names=getattr(self, "feature_names_in_", None),
            augmentation=self.augmentation,
            history=self.history_,
            summary=self._fit_summary,
        )

    def score(self, X, y=None):
        """Score the embedding without labels: how stable its clusters are under augmentation.

        This is the default score in searches, ``get_scorer("cluster_agreement")`` of `sklearn_twins.metrics`. Of 22
        label-free measures compared on 20 tables, it ranks settings most like few-label accuracy does (mean rank
        correlation 0.4). What it picks is better than a random setting, and no better than the default: see
        docs/benchmarks/label_free_selection.md. The views compared come from the modality's default augmentation,
        whatever the embedder's own is.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`, preferably rows that `fit` did not see. A sample of 2,000 rows is drawn if there are more.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            At most 1; about 0 for an embedding that is constant or noise. Compare scores of one data set only.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            As in `transform`; or if X has fewer than 10 rows.

        See Also
        --------
        sklearn_twins.metrics.get_scorer : Other label-free scorers.
        """
        check_is_fitted(self)
        from .metrics import get_scorer

        return get_scorer("cluster_agreement")(self, X)

    def transform_views(self, X, n_views=2, *, augmentation="own", random_state=0):
        """Embed randomly changed views of the rows of X.

        This is the encoder's output, without scaling and without columns next to it.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`. Augmentations that use values of other rows take them from these rows.
        n_views : int, default=2
            Number of views of each row.
        augmentation : "own", "auto", str, component, torch.nn.Module or callable, default="own"
            Makes the views: the embedder's own augmentation, the modality's default ("auto"), or any other value of
            the parameter `augmentation`.
        random_state : int, RandomState instance or None, default=0
            Seed of the views.

        Returns
        -------
        embedding : ndarray of shape (n, n_views, n_components), float32
            Embedding of each view of each row. NaN where a description is missing in X (`MultiViewEmbedder`).

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            As in `transform`; or if `n_views` is below 1.
        """
        check_is_fitted(self)
        check_scalar(n_views, "n_views", Integral, min_val=1)
        return self._embed_views(self.preprocessor_.transform(X, owner=self), n_views, augmentation, random_state)

    def _resolve_augmentation(self, other=None):
        """Resolve the augmentation, or another value of this parameter."""
        return resolve_part("augmentation", self.augmentation if other is None else other, self.modality)

    def _embed_views(self, samples, n_views, augmentation, random_state):
        from ._inference._embed_views import embed_views
        from ._runtime._seeds import choose_seed

        part = self._resolve_augmentation(None if is_own(augmentation) else augmentation)
        seed, spec = choose_seed(random_state), self.preprocessor_.spec_
        if len(samples) == 0:
            return np.empty((0, n_views, self._output.width), dtype=np.float32)
        return embed_views(self.encoder_, samples, spec, part, n_views, seed, self.precision, self.n_jobs, self.storage)

    def diagnose(self, X):
        """Diagnose the embedding: look for collapse, its likely cause and a remedy.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`; a few hundred rows are enough.

        Returns
        -------
        diagnosis : Diagnosis
            Prints as a short report. `healthy` tells whether nothing was found, `findings` lists the problems. The
            measured figures are `effective_rank`, `dead` and `repeated` coordinates, `constant_columns` of X,
            `invariance` and `redundancy` over two views of each row, and `noise_share` of the redundancy term.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            As in `transform`; or if X has fewer than 8 rows.

        See Also
        --------
        sklearn_twins.CollapseWarning : Warning at the end of a fit, in the same words.
        sklearn_twins.displays : Plots of what it measures.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_twins import BarlowTwinsEmbedder
        >>> X = load_digits().data
        >>> BarlowTwinsEmbedder(max_epochs=2, random_state=0).fit(X).diagnose(X[:500]).healthy
        True
        """
        check_is_fitted(self)
        from ._inference._collapse import MIN_ROWS, diagnose
        from ._inference._embed import embed

        spec = self.preprocessor_.spec_
        samples = spec.complete(self.preprocessor_.transform(X, owner=self))
        if len(samples) < MIN_ROWS:
            raise ValueError(f"X has {len(samples)} row(s), too few for a diagnosis. Give at least {MIN_ROWS}.")
        Z = embed(self.encoder_, samples, spec, self.precision, self.n_jobs)
        return diagnose(Z, self._embed_views(samples, 2, "own", 0), samples, spec, self._facts())

    def save(self, path):
        """Save the fitted embedder to a file that loads without running code.

        The file is in the safetensors format: arrays, and JSON with versions, parameters and fitted attributes, under
        one checksum; see docs/files.md. It is written to a temporary file, flushed to disk and renamed: if saving is
        interrupted, `path` holds either the old file or the whole new one.

        Parameters
        ----------
        path : str or path-like
            File to write. An existing file is replaced.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        TypeError
            If a parameter is or contains a function, a torch module or a component that is not the package's own. Use
            pickle or joblib for such embedders. Nothing is written.
        ValueError
            If a parameter is invalid, or images are too large for the size of the network. Nothing is written.
        OSError
            If the file cannot be written.

        See Also
        --------
        load : Load the embedder again.
        to_onnx : Export a model for programs without Python.

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
        """Load a fitted embedder from a file that `save` wrote, on the CPU.

        No code from the file runs, whatever it contains. The time and memory that it may take are proportional to the
        file's size; see docs/files.md.

        Parameters
        ----------
        path : str or path-like
            File to read.

        Returns
        -------
        embedder : BarlowTwinsEmbedder
            An embedder of the class on which `load` was called. It must be the class that wrote the file.

        Raises
        ------
        UnreadableFileError
            If the file is damaged, was not written by `save`, has another format version, is from another class, or
            needs timm and that is missing.
        OSError
            If the file is missing or cannot be read.
        MemoryError
            If there is too little memory for a sound file.

        Warns
        -----
        OtherVersionWarning
            If another version of the package wrote it.

        See Also
        --------
        save : Save an embedder.
        """
        from ._persistence._save_load import load_embedder

        return load_embedder(cls, path)

    def to_onnx(self, path, *, preprocessing=True):
        """Export `transform` as an ONNX model, for programs without Python or torch.

        This needs onnx and onnxscript (``pip install onnx onnxscript``). The model has one output, "transformed",
        equal to `transform` up to 1e-4, for any number of rows. With `preprocessing` its input is "X":

        - for tables of numbers, float64 of shape (rows, n_features_in_), with NaN for missing values;
        - for images, an array of shape (rows, height, width, channels), uint8 if black is 0 and white is 255, otherwise
          float32;
        - for time series as long as the longest one in `fit`, float64 of shape (rows, length), or (rows, channels,
          length) for several channels, with NaN for missing steps.

        Without it the input is "samples", as ``preprocessor_.transform(X)`` returns them.

        Parameters
        ----------
        path : str or path-like
            File to write. An existing file is replaced.
        preprocessing : bool, default=True
            Whether the input is X. Categories, dates, durations and quantile scaling cannot be exported; for such
            tables use False and make the samples in Python.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ImportError
            If onnx or onnxscript is missing.
        ValueError
            If the preprocessing cannot be exported, or torch cannot export your own encoder.
        OSError
            If the file cannot be written.

        See Also
        --------
        save : Save an embedder, also to continue its training.
        """
        check_is_fitted(self)
        from ._persistence._onnx import export

        export(self, path, preprocessing)

    def _input_tags(self):
        """scikit-learn's tags of X."""
        return input_tags(self.preprocessor, self.modality)


def is_own(augmentation):
    """Whether the estimator's own augmentation is asked for."""
    return isinstance(augmentation, str) and augmentation == "own"

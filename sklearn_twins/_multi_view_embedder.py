"""MultiViewEmbedder: several sets of columns about the same rows, each with an encoder, trained to agree."""

from dataclasses import replace
from numbers import Real
from types import SimpleNamespace

import numpy as np
from sklearn.base import TransformerMixin, _fit_context, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from ._base import TwinsEstimator, fits_jointly, read_one_fit
from ._embedder import BarlowTwinsEmbedder
from ._inference._dask import is_collection, transform_collection
from ._inputs._messages import show
from ._inputs._targets import warn_of_table
from ._modalities import MODALITIES
from ._multiview._named_views import OF_A_VIEW, check_views, check_views_unchanged, describe_unknown, named_views
from ._multiview._record import MULTI_VIEW

OF_TRAINING = [name for name in BarlowTwinsEmbedder._parameter_constraints if name not in OF_A_VIEW]


class SomeViews:
    """`transform` of all views or some; inherited, since scikit-learn would give its output the names of all views."""

    def transform(self, X, views=None):
        """Embed the rows of X.

        Parameters
        ----------
        X : as in `fit`
            The rows; with `views`, the columns of these views are enough.
        views : list of str, default=None
            Names of the views to embed, in any order: the output has the order of the parameter `views`. None for all.

        Returns
        -------
        embedding : ndarray of shape (n, n_features_out), float32
            For each view its embedding and, next to it, its scaled columns. All embeddings have the same total
            variance, and the columns of a view half of it. Where a view is missing, the mean over training rows. For
            dask arrays and frames, a dask array whose blocks are embedded when they are computed.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            If there is no such view, or X lacks columns of a view.
        """
        check_is_fitted(self)
        if is_collection(X):
            width = sum(self._output.outputs[name].n_features for name in self._wanted(views))
            return transform_collection(self, X, width, views=views)
        samples, spec = self._samples_of(X, views)
        Z = self._output.compute(self.encoder_, samples, spec, self.precision, self.n_jobs, int(self.verbose))
        named = SimpleNamespace(
            _sklearn_output_config=getattr(self, "_sklearn_output_config", {}),
            _sklearn_auto_wrap_output_keys=self._sklearn_auto_wrap_output_keys,
            get_feature_names_out=lambda: self._names_of([view.name for view in spec.views]),
        )
        return _wrap_data_with_container("transform", Z, self._first_container(X), named)


@read_one_fit("get_feature_names_out", "project", "score", "to_onnx", "transform")
class MultiViewEmbedder(SomeViews, TransformerMixin, _BaseComposition, TwinsEstimator):
    """Learn features from several descriptions of the same rows, with an encoder for each, trained to agree.

    Views are sets of columns (or containers) that describe the same things: two instruments that measured one sample,
    text features beside numbers, an image beside its record. Each view has a preprocessor, an augmentation, an encoder
    and a projector of its own. In `fit`, each view of a row is changed at random, and the objective makes the
    projections of different views agree. `transform` returns the embeddings of all views side by side, or of some.

    Where a row lacks a view (all of its values are missing, or its item of a list is None), it takes part in the pairs
    of views that it has.

    Parameters
    ----------
    views : list of (str, BarlowTwinsEmbedder, columns) tuples
        Name, embedder and columns of each view, two or more. The embedder's parts, `n_components`, `modality` and
        `passthrough` describe the view; its parameters of training must have their defaults, or this estimator's
        values, since all views are trained together. It is not fitted itself. Columns are chosen as in scikit-learn's
        ColumnTransformer: names, indices, a mask, a slice or a callable; a single name gives the preprocessor one
        column without its table, such as paths of images. Views may share columns; `verbose=1` says which. Leave the
        columns out if X is a list or dict with one container for each view.
    within : float, default=0.0
        Weight of pairs within one view: its two changes. Above 0, the embedding also keeps what only one view knows.
    pair_rate : float, default=1.0
        With `groups` in `fit`, the share of rows whose second change is made from another row of their group.
    objective : "auto", str, component or callable, default="auto"
        Loss of two projections, as in `BarlowTwinsEmbedder`; the mean over pairs of views is minimised.
    optimizer : {"auto", "adamw", "muon", "sgd", "lars"} or callable, default="auto"
        As in `BarlowTwinsEmbedder`, and so are all parameters below. "auto" is the default of the first view of images
        or audio, or else of the first view: "muon" or "adamw".
    learning_rate : "auto" or float, default="auto"
        Peak learning rate.
    weight_decay : float, default=1e-4
        Weight decay of weight matrices.
    lr_schedule : {"warmup_cosine", "cosine", "warmup_constant", "constant"} or callable, default="warmup_cosine"
        Schedule of the learning rate.
    max_epochs : "auto" or int, default="auto"
        Maximum number of epochs. "auto" is that of the first view of images or audio, or else of the first view.
    batch_size : int, default=256
        Maximum number of rows in a batch.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when their loss no longer improves, and restore the best weights.
    validation_fraction : float, default=0.1
        Fraction of the rows held out for `early_stopping`.
    n_iter_no_change : int, default=10
        Number of epochs without improvement after which `early_stopping` stops.
    tol : float, default=1e-3
        Minimum decrease of the held-out loss that counts as improvement.
    warm_start : bool, default=False
        Whether `fit` continues from the last fit.
    callbacks : list or None, default=None
        Callbacks of skorch.
    checkpoint : str, path-like or None, default=None
        Directory of checkpoints.
    checkpoint_minutes : float, default=1.0
        Minimum minutes between two checkpoints.
    storage : {"auto", "device", "host"}, default="auto"
        Where training samples are kept. Samples of all views are float32, also those of images.
    device : str, default="auto"
        Device to train on.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Type of the networks' matrix products.
    compile : bool, default=False
        Whether to use torch.compile.
    n_jobs : int or None, default=None
        Number of CPU threads per operation. None means 1, -1 all cores.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, batches and views.
    verbose : int, default=0
        1 prints a line per epoch with the time left, 2 shows a progress bar.

    Attributes
    ----------
    encoder_ : torch.nn.Module
        The trained encoders, ``encoder_.networks``, and projectors, ``encoder_.projector``.
    preprocessor_ : component
        The fitted preprocessors of all views.
    history_ : dict of str to ndarray of shape (n_iter_,)
        One value per epoch, as in `BarlowTwinsEmbedder`.
    loss_curve_ : list of float
        ``history_["loss"]``.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of columns of X, or of all containers.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if X is one table and all of them are strings.

    See Also
    --------
    BarlowTwinsEmbedder : One view, and `groups` for pairs of rows.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
    ICML 2021. With linear networks the views' embeddings span the leading canonical variables of Hotelling, "Relations
    Between Two Sets of Variates", Biometrika 1936.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder
    >>> X = load_digits().data  # 8 x 8 pixels
    >>> views = [
    ...     ("top", BarlowTwinsEmbedder(n_components=16), slice(0, 32)),
    ...     ("bottom", BarlowTwinsEmbedder(n_components=16), slice(32, 64)),
    ... ]
    >>> embedder = MultiViewEmbedder(views, max_epochs=2, random_state=0).fit(X)
    >>> embedder.transform(X).shape
    (1797, 32)
    >>> embedder.transform(X, views=["top"]).shape
    (1797, 16)
    """

    _records, _held = (MULTI_VIEW,), (BarlowTwinsEmbedder,)

    _parameter_constraints: dict = {
        "views": "no_validation",  # `check_views` does
        "within": [Interval(Real, 0, None, closed="left")],
        **{name: BarlowTwinsEmbedder._parameter_constraints[name] for name in OF_TRAINING},
    }

    def __init__(
        self,
        views,
        *,
        within=0.0,
        pair_rate=1.0,
        objective="auto",
        optimizer="auto",
        learning_rate="auto",
        weight_decay=1e-4,
        lr_schedule="warmup_cosine",
        max_epochs="auto",
        batch_size=256,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-3,
        warm_start=False,
        callbacks=None,
        checkpoint=None,
        checkpoint_minutes=1.0,
        storage="auto",
        device="auto",
        precision="auto",
        compile=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.views = views
        self.within = within
        self.pair_rate = pair_rate
        self.objective = objective
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.checkpoint_minutes = checkpoint_minutes
        self.storage = storage
        self.device = device
        self.precision = precision
        self.compile = compile
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _named_views(self):
        """Names and embedders, for nested parameters."""
        return named_views(self.views)

    @_named_views.setter
    def _named_views(self, named):
        self.views = [(*new, *old[2:]) for new, old in zip(named, self.views, strict=True)]

    @property
    def _columns(self):
        """The columns of each view; None for each if X is one container for each view."""
        return [view[2] if len(view) == 3 else None for view in self.views]

    def get_params(self, deep=True):
        """Get parameters and, if `deep`, the views' embedders and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the views' embedders.

        Returns
        -------
        params : dict
            By their names.
        """
        return self._get_params("_named_views", deep=deep)

    def set_params(self, **params):
        """Set parameters of the estimator, a view's embedder (by its name) or an embedder's parameters.

        Parameters
        ----------
        **params : dict
            ``within=...``, ``name=embedder`` or ``name__parameter=value``.

        Returns
        -------
        self : MultiViewEmbedder
            The embedder itself.
        """
        before = self.views
        self.views = params.pop("views", before)
        try:
            return self._set_nested(params)
        except ValueError:
            self.views = before
            raise

    def _set_nested(self, params):
        embedders = dict(self._named_views)
        own = {name: params.pop(name) for name in list(params) if name.partition("__")[0] in embedders}
        embedders |= {name: value for name, value in own.items() if name in embedders}
        nested = {}
        for name, value in own.items():
            head, _, rest = name.partition("__")
            if rest:
                nested.setdefault(head, {})[rest] = value
        for head, values in nested.items():
            try:
                clone(embedders[head]).set_params(**values)  # if a name is unknown, nothing is set
            except ValueError as error:
                words = str(error).replace("set_params(", f"set_params({head}__")
                raise ValueError(f"View {head!r}: {words}") from error
        super(_BaseComposition, self).set_params(**params)
        for head, values in nested.items():
            if sum(embedder is embedders[head] for embedder in embedders.values()) > 1:
                embedders[head] = clone(embedders[head])  # several views have it
            embedders[head].set_params(**values)
        if own:
            self._named_views = list(embedders.items())
        return self

    @property
    def modality(self):
        """The modality that sets the length of training: a view's with convolutions, or the first view's."""
        named = [embedder.modality for _, embedder in self._named_views]
        return next((name for name in named if MODALITIES[name].convolutional), named[0])

    def _previous(self):
        check_views_unchanged(self.preprocessor_, [name for name, _ in self._named_views], self._columns)
        return super()._previous()

    def _settings(self):
        settings = super()._settings()
        settings.modality, settings.n_components, settings.passthrough = self.modality, None, False
        return settings

    def _validate_params(self):
        super()._validate_params()
        check_views(self.views, BarlowTwinsEmbedder, self)
        self._validate_names([name for name, _ in self._named_views])

    def _given_encoders(self):
        return {f"views[{i}][1].encoder": embedder.encoder for i, (_, embedder) in enumerate(self._named_views)}

    def _resolve_parts(self):
        from ._fitting._plan import check_functions
        from ._multiview._resolve import resolve_views

        self._validate_params()
        check_functions(self.optimizer, self.lr_schedule)
        return resolve_views(self._named_views, self._columns, self.objective, self.modality, self.within)

    @fits_jointly
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, unlabeled=None, groups=None):
        """Train the encoders on the rows of X.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); list or dict of containers
            One table that holds the columns of all views; or one array, frame or list of images for each view, in the
            views' order or by their names. Frames need the same row labels.
        y : Ignored
            Not used, present by convention.
        unlabeled : as X, or None, default=None
            More rows to train on.
        groups : array-like of shape (n,) or None, default=None
            Group of each row of X. The second change of each view is then made from another row of the group. With
            `early_stopping`, whole groups are held out, unless they are few and large.

        Returns
        -------
        self : MultiViewEmbedder
            The fitted embedder.
        """
        warn_of_table(y)
        return self._fit_or_resume(X, unlabeled, groups)

    @fits_jointly
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Train for one more epoch on the rows of X, as `BarlowTwinsEmbedder.partial_fit` does.

        Parameters
        ----------
        X : as in `fit`
            At least 2 rows. The first chunk fits the views' preprocessors and should represent the others; if all of
            its rows have all views, so must the others'.
        y : Ignored
            Not used.

        Returns
        -------
        self : MultiViewEmbedder
            The fitted embedder.
        """
        warn_of_table(y)
        return self._fit_chunk(X)

    def _wanted(self, views):
        """Names of some views in their order; None for all."""
        names = self.preprocessor_.names
        if views is None:
            return names
        if isinstance(views, str) or not np.iterable(views) or not views or any(v not in names for v in views):
            raise ValueError(f"views={show(views)} must list some of {names}.")
        return [name for name in names if name in views]

    def _samples_of(self, X, views):
        """Samples of some views (None for all), and their spec."""
        names = self._wanted(views)
        return self.preprocessor_.transform(X, owner=self, views=names), self.preprocessor_.spec_.subset(names)

    def project(self, X, view):
        """Project one view of the rows of X into the space that all views share.

        Two descriptions of one thing lie close to each other there: compare them by the cosine.

        Parameters
        ----------
        X : as in `fit`
            The rows; the columns of the view are enough.
        view : str
            Name of the view.

        Returns
        -------
        projections : ndarray of shape (n, projection_dim), float32
            Each coordinate has mean 0 and variance 1 over training rows. NaN where the view is missing.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            If there is no such view, or X lacks its columns.
        """
        check_is_fitted(self)
        if view not in self.preprocessor_.names:
            raise ValueError(f"view={show(view)} must be one of {self.preprocessor_.names}.")
        samples, spec = self._samples_of(X, [view])
        return self._output.project(self.encoder_, samples, spec, self.precision, self.n_jobs)

    def score(self, X, y=None):
        """Score how well views find each other: how near a row's other view is, compared with other rows.

        Parameters
        ----------
        X : as in `fit`
            At least 2 rows, preferably rows that `fit` did not see. A sample of 1,000 rows is drawn if there are more.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            Mean share of other rows that are farther away than the row itself, over ordered pairs of views: 1 if the
            nearest row in another view is always the same row, about 0.5 if views have nothing in common.
        """
        check_is_fitted(self)
        from ._multiview._retrieval import score_retrieval

        def project(samples, spec):
            return self._output.project(self.encoder_, samples, spec, self.precision, self.n_jobs)

        return score_retrieval(project, *self._samples_of(X, None))

    def to_onnx(self, path, *, preprocessing=True, views=None):
        """Export `transform` as an ONNX model, for programs without Python or torch.

        This needs onnx and onnxscript (``pip install onnx onnxscript``). The model has one output, "transformed",
        equal to `transform` up to 1e-4, for any number of rows. With `preprocessing` its inputs are what `transform`
        takes:

        - if X was one table in `fit` and all views are tables of numbers, one input "X", float64 of shape
          (rows, n_features_in_), with NaN for missing values: a program then passes the table that it has;
        - otherwise, as with images or some of the `views` only, one input for each view, under the view's name: for a
          table of numbers its columns, float64, in the order that the view lists them; for images an array of shape
          (rows, height, width, channels), uint8 if black is 0 and white is 255, otherwise float32.

        A view is missing in a row where all of its values are NaN. Without `preprocessing` there is one input
        "samples", as ``preprocessor_.transform(X, views=views)`` returns them.

        Parameters
        ----------
        path : str or path-like
            File to write. An existing file is replaced.
        preprocessing : bool, default=True
            Whether the inputs are those of `transform`. Categories, dates, durations and quantile scaling cannot be
            exported; for such tables use False and make the samples in Python.
        views : list of str, default=None
            Names of the views that the model embeds; None for all.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ImportError
            If onnx or onnxscript is missing.
        ValueError
            If there is no such view; or the preprocessing of a view cannot be exported, or torch cannot export your own
            encoder: the message names the view.
        OSError
            If the file cannot be written.

        See Also
        --------
        save : Save an embedder, also to continue its training.
        """
        check_is_fitted(self)
        from ._persistence._onnx import export

        export(self, path, preprocessing, self._wanted(views))

    def get_feature_names_out(self, input_features=None):
        """Get the names of the output's columns: the view's name, two underscores, and the name within the view.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not used, present by convention.

        Returns
        -------
        names : ndarray of str objects
            "top__embedding0" and so on for the embedding of the view "top". With `passthrough`, the names of its
            columns follow: "top__age" for a number, "top__month_Nov" for a category.
        """
        check_is_fitted(self)
        return self._names_of(self.preprocessor_.names)

    def _names_of(self, views):
        """Names of the output's columns for some views."""
        from ._inference._output import name_output

        names, preprocessors = [], dict(self.preprocessor_.views)
        for view in views:
            output = self._output.outputs[view]
            learnt = np.array([f"embedding{i}" for i in range(output.width)], dtype=object)
            names += [f"{view}__{name}" for name in name_output(learnt, output, preprocessors[view], None)]
        return np.array(names, dtype=object)

    def _by_view(self, X):
        """X as a dict by the views' names, if it is one container for each view; None otherwise."""
        from ._multiview._columns import is_one_container_per_view

        if X is None or not is_one_container_per_view(X, self._columns):
            return None
        return X if isinstance(X, dict) else dict(zip((name for name, _ in self._named_views), X, strict=False))

    def _first_container(self, X):
        containers = list((self._by_view(X) or {"X": X}).values())
        return next((rows for rows in containers if hasattr(rows, "iloc")), containers[0])  # with row labels, if any

    def _append_unlabeled(self, X, unlabeled):
        mine, more = self._by_view(X), self._by_view(unlabeled)
        if mine is None or unlabeled is None:
            return super()._append_unlabeled(X, unlabeled)
        if more is None or mine.keys() != more.keys():
            got = type(unlabeled).__name__ if more is None else f"the views {list(more)}"
            raise ValueError(f"unlabeled must hold one container for each view of X, {list(mine)}. Got {got}.")
        return {name: super(MultiViewEmbedder, self)._append_unlabeled(rows, more[name]) for name, rows in mine.items()}

    def _input_tags(self):
        found = [embedder._input_tags() for _, embedder in self._named_views] or [BarlowTwinsEmbedder()._input_tags()]
        for tag in ("allow_nan", "categorical", "sparse", "string"):
            setattr(found[0], tag, all(getattr(tags, tag) for tags in found))
        return found[0]

    @property
    def augmentation(self):
        """The augmentation of all views, for the words of a diagnosis."""
        return "auto"

    def _facts(self):
        return replace(super()._facts(), feature_names=None, has_several_views=True)

    def _resolve_augmentation(self, other=None):
        from ._multiview._resolve import resolve_for_each
        from ._multiview._views import AugmentEachView

        return AugmentEachView(resolve_for_each(self._named_views, "augmentation", other))

    passthrough = "auto"  # not a parameter: scores without labels are of the embedding alone
    _describe_unknown = staticmethod(describe_unknown)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

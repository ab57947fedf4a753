"""BarlowTwinsEmbedder: the transformer, with its parameters and their documentation."""

import os
from numbers import Integral, Real

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._base import TwinsEstimator, fits_jointly, read_one_fit
from ._inference._dask import is_collection, transform_collection
from ._inputs._targets import has_many_columns, warn_of_table
from ._roles import MODALITY_CONSTRAINT, ROLES


@read_one_fit("get_feature_names_out", "transform", "transform_frames")
class BarlowTwinsEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TwinsEstimator):
    """Learn features from unlabelled rows with Barlow Twins self-supervision.

    In `fit`, two randomly changed views of every row go through one encoder and one projector. The objective makes the
    two projections agree and keeps their coordinates decorrelated. `transform` returns the encoder's output, the
    embedding, for any scikit-learn estimator. For tables it also returns the scaled columns, next to the embedding.

    The parts (`preprocessor`, `augmentation`, `encoder`, `projector`, `objective`) take "auto", a name or a component.
    You can set their parameters even if the part is a name: ``set_params(augmentation__corruption_rate=0.4)``.

    Parameters
    ----------
    n_components : int or None, default=None
        Width of the embedding. None uses the encoder's own width. Setting it also drops the columns next to the
        embedding, unless ``passthrough=True``.
    modality : {"tabular", "image", "series", "audio"}, default="tabular"
        Kind of the rows of X. It sets the default parts and the default number of epochs.
    preprocessor : "auto", "table", "image", "series", "audio" or component, default="auto"
        Turns X into samples. "table" takes numbers, categories, dates and missing values (`TablePreprocessor`); "image"
        takes arrays, flat rows and files (`ImagePreprocessor`); "series" takes arrays and lists of unequal length
        (`SeriesPreprocessor`), and "audio" clips in arrays or sound files (`AudioPreprocessor`).
    augmentation : "auto", str, component, torch.nn.Module or callable, default="auto"
        Makes the views. For tables: "marginal_corruption" (default), "masking", "gaussian_noise", "mixup" or
        "identity". For images: "image_views" (default) or "barlow_twins_pair". For time series: "series_views"
        (default) or "spectra_views". For audio: "audio_views". Otherwise a component of
        `sklearn_twins.augmentations` (combine them with `Chain` and `Pair`), a module ``images -> views``, or a
        callable ``(x, data, generator) -> view``.
    encoder : "auto", str, component, torch.nn.Module or callable, default="auto"
        Network that embeds samples ("backbone" in papers). For tables: "mlp" (default) or "resnet". For images:
        "convnet" (default), "resnet18", "resnet50" or "timm:NAME" for a network of timm. For time series: "minirocket"
        (default), "resnet1d" or "dilated". For audio: "audio_ntt_slim" (default) or "audio_ntt". Otherwise a
        component of `sklearn_twins.networks`, a module (copied, then trained), or a callable that receives the
        `SampleSpec` and returns a module.
    projector : "auto", "mlp", "identity" or component, default="auto"
        Network from the embedding to the projection ("projection head"); used in `fit` only.
    objective : "auto", str, component or callable, default="auto"
        Loss of two projections: "barlow_twins" (default), "mixed_barlow_twins", "hsic", "ssl_hsic", "vicreg" or
        "info_nce". A callable receives ``(z_a, z_b)`` and returns a scalar tensor.
    pair_rate : float, default=1.0
        With `groups` in `fit`, the share of rows whose second view is made from another row of their group. For the
        others both views are made from one row.
    passthrough : "auto" or bool, default="auto"
        Whether `transform` also returns the columns of a table, scaled to twice the total variance of the embedding:
        numbers, marks of missing numbers, and categories one-hot. A categorical column has at most 32 one-hot columns,
        for its most frequent categories; rows with a rarer category have zeros there. For time series, the features of
        MiniRocket's kernels. "auto" is True if `n_components` is None and `encoder` is not your own module.
    optimizer : {"auto", "adamw", "muon", "sgd", "lars"} or callable, default="auto"
        Optimizer. "auto" is "muon" for images, and "adamw" otherwise. "muon" makes the step of each weight matrix
        orthogonal: on images, a third of the epochs were about as good as all with "adamw"
        (docs/benchmarks/time_to_quality.md). A callable, such as a class of `torch.optim`, is called as
        ``optimizer(groups, lr=, weight_decay=)``.
    learning_rate : "auto" or float, default="auto"
        Peak learning rate. "auto" is 5e-3 for adamw, 0.04 for muon, 0.05 for sgd, 5 for lars and 1e-3 for callables.
    weight_decay : float, default=1e-4
        Weight decay of weight matrices. Biases and normalisation parameters do not decay.
    lr_schedule : {"warmup_cosine", "cosine", "warmup_constant", "constant"} or callable, default="warmup_cosine"
        Schedule of the learning rate. Warm-ups last a tenth of the steps. A callable receives ``(step, n_steps)`` and
        returns the factor of `learning_rate`.
    max_epochs : "auto" or int, default="auto"
        Maximum number of epochs. "auto" aims at 1,000 optimizer steps within 5 to 200 epochs; for images at 1,300 steps
        within 7 to 50 epochs; for time series at 250 steps within 5 to 200 epochs; for audio at 450 steps within 10
        to 100 epochs.
    batch_size : int, default=256
        Maximum number of rows in a batch. Rows are divided into batches of equal size; up to n_batches - 1 rows are
        skipped in each epoch. With several processes (torchrun), the size of the joint batch.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when their loss no longer improves, and restore the best weights.
    validation_fraction : float, default=0.1
        Fraction of the rows held out for `early_stopping`.
    n_iter_no_change : int, default=10
        Number of epochs without improvement after which `early_stopping` stops.
    tol : float, default=1e-3
        Minimum decrease of the held-out loss that counts as improvement.
    warm_start : bool, default=False
        Whether `fit` continues from the last fit. `max_epochs` then counts the epochs of all fits, like `n_estimators`
        in gradient boosting. The preprocessor is not fitted again.
    callbacks : list or None, default=None
        Callbacks of skorch. They are used as they are, not copied. They see skorch's names of figures ("train_loss",
        "valid_loss"). Callbacks that need skorch's data sets or its default validation do not work. For scikit-learn's
        callbacks (1.9 and later) use `set_callbacks`.
    checkpoint : str, path-like or None, default=None
        Directory of checkpoints. If a fit was killed, call `fit` again with the same rows and parameters: it resumes
        from its checkpoint, and gives the same bits on the CPU. SIGINT and SIGTERM stop it between two batches.
        Your own functions and modules are compared by content; those that hold a lock or an open file are refused.
    checkpoint_minutes : float, default=1.0
        Minimum minutes between two checkpoints; 0 saves after each epoch.
    storage : {"auto", "device", "host"}, default="auto"
        Where training samples are kept: on the device, or in host memory or on disk with batches read ahead. "auto" is
        "device" if they need at most half of its free memory; on the CPU, memory maps stay on disk. Results are equal.
    device : str, default="auto"
        Device to train on: "cpu", "cuda", "cuda:1", ... "auto" is a GPU if CUDA has one. In worker processes of a
        search it is the GPU with the fewest fits, at most two at a time. The encoder stays there; pickles load on the
        CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Type of the networks' matrix products. "auto" is bfloat16 on GPUs that support it, otherwise float32. Objectives
        are always computed in float32.
    compile : bool, default=False
        Whether to use torch.compile where it pays in long fits: colour operations of image views, and networks (for
        tables on a GPU only). Compilation takes about half a minute per process. On a GPU, whole steps also run as a
        CUDA graph if the samples are on it, `optimizer` is a name, all parts are the package's own, and no callback
        reads gradients or freezes weights.
    n_jobs : int or None, default=None
        Number of CPU threads per operation. None means 1 for all modalities, -1 all cores. Another number sums floats
        in another order: the default depends neither on the machine nor on its load, so that seeds give the same bits.
        For images, two threads are nearly twice as fast on an idle machine. On a busy one they wait for each other
        without sleeping, and take seven times as long as one. Worker processes never use more than their share, forked
        processes use 1.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, batches and views. With an int, fits give the same embedding, to the bit on the CPU.
        None draws a seed from NumPy's global generator, as in scikit-learn.
    verbose : int, default=0
        1 prints a line per epoch with the time left, 2 shows a progress bar. `transform` shows its progress in rows.

    Attributes
    ----------
    encoder_ : torch.nn.Module
        The trained encoder in eval mode: (batch, ``*sample_shape``) -> (batch, n_components).
    preprocessor_ : component
        The fitted preprocessor.
    history_ : dict of str to ndarray of shape (n_iter_,)
        One value per epoch, ready for `pandas.DataFrame`: "epoch"; "loss" and the objective's terms, such as
        "invariance" and "redundancy", averaged over batches; "excess_redundancy", the redundancy minus its expected
        sampling noise; "valid_loss" and so on with `early_stopping`; "learning_rate" at the end of the epoch; "seconds"
        and "rows_per_second".
    loss_curve_ : list of float
        ``history_["loss"]``.
    n_iter_ : int
        Number of epochs, of all fits with `warm_start` or `partial_fit`.
    n_components_ : int
        Width of the embedding. With `passthrough`, these are the first columns of the output.
    n_features_in_ : int
        Number of columns of X; for images and series, number of values in one.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if all of them are strings.

    Notes
    -----
    If `fit` or `partial_fit` is interrupted (Ctrl-C), the embedder keeps its previous state. With ``warm_start=True``,
    `fit` keeps the last finished epoch, and the next `fit` continues from it. The output for a row does not depend on
    the other rows of the batch, to the bit.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
    ICML 2021. Tsai, Bai, Morency and Salakhutdinov, "A Note on Connecting Barlow Twins with
    Negative-Sample-Free Contrastive Learning", arXiv 2104.13712, 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> X, y = load_digits(return_X_y=True)
    >>> embedder = BarlowTwinsEmbedder(n_components=32, max_epochs=3, random_state=0)
    >>> pipeline = make_pipeline(embedder, LogisticRegression(max_iter=1000))
    >>> pipeline.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "modality": MODALITY_CONSTRAINT,
        **{parameter: role.constraint for parameter, role in ROLES.items()},
        "pair_rate": [Interval(Real, 0, 1, closed="right")],
        "passthrough": [StrOptions({"auto"}), "boolean"],
        "optimizer": [StrOptions({"auto", "adamw", "lars", "muon", "sgd"}), callable],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions({"warmup_cosine", "cosine", "warmup_constant", "constant"}), callable],
        "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_minutes": [Interval(Real, 0, None, closed="left")],
        "storage": [StrOptions({"auto", "device", "host"})],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "compile": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=None,
        *,
        modality="tabular",
        preprocessor="auto",
        augmentation="auto",
        encoder="auto",
        projector="auto",
        objective="auto",
        pair_rate=1.0,
        passthrough="auto",
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
        self.n_components = n_components
        self.modality = modality
        self.preprocessor = preprocessor
        self.augmentation = augmentation
        self.encoder = encoder
        self.projector = projector
        self.objective = objective
        self.pair_rate = pair_rate
        self.passthrough = passthrough
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

    @fits_jointly
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, unlabeled=None, groups=None):
        """Train the encoder on the rows of X.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            At least 2 rows (4 with `early_stopping`). Tables may hold numbers, categories, dates and missing values.
            Images are arrays, flat rows, memory maps or paths of files.
        y : Ignored
            Not used, present by convention. A warning says so if it looks like a second table.
        unlabeled : as X, or None, default=None
            More rows to train on, with the same columns. In a supervised search these are the rows without a label, and
            they join the training rows of each fold. In a pipeline pass them as ``barlowtwinsembedder__unlabeled=`` or
            by metadata routing.
        groups : array-like of shape (n,) or None, default=None
            Group of each row of X, such as the patient of a visit or the client of an event. The second view of a row
            is then made from another row of its group, drawn anew in each epoch; a row that is alone is its own
            partner, and so are rows of `unlabeled`. Groups replace the pairs, not the augmentation, which changes both
            views as before. With `early_stopping`, whole groups are held out, unless they are few and large.

        Returns
        -------
        self : BarlowTwinsEmbedder
            The fitted embedder.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or `unlabeled` is invalid, before training; or if the loss becomes infinite or NaN.
        MemoryError
            If there is too little memory for a step; the message suggests a batch size.
        RuntimeError
            If another of several processes that train together fails, with its reason, or does not answer.
        UnreadableFileError
            If this fit has checkpoints and none of them can be used; a `ValueError`.
        """
        warn_of_table(y)
        return self._fit_or_resume(X, unlabeled, groups)

    @fits_jointly
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Train for one more epoch on the rows of X.

        The first call fits the preprocessor, so its chunk should represent the others. Chunks should have a hundred
        rows or more, because correlations over few rows are noise. The optimizer continues from call to call. Its
        learning rate is constant after 100 warm-up steps; `max_epochs`, `lr_schedule` and `early_stopping` are not
        used. After a `fit` without `warm_start`, projector and optimizer start anew.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`; at least 2 rows.
        y : Ignored
            Not used.

        Returns
        -------
        self : BarlowTwinsEmbedder
            The fitted embedder.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        warn_of_table(y)
        return self._fit_chunk(X)

    def fit_transform(self, X, y=None, **fit_params):
        """Train the encoder on the rows of X, and embed them.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`.
        y : Ignored
            Not used. In a pipeline it belongs to the steps behind, so that `fit` does not warn of several columns.
        **fit_params : dict
            Parameters of `fit`.

        Returns
        -------
        embedding : ndarray of shape (n, n_components_), float32
            As from `transform`.

        Raises
        ------
        ValueError, TypeError
            As in `fit`.
        """
        return super().fit_transform(X, None if has_many_columns(y) else y, **fit_params)

    def transform(self, X):
        """Embed the rows of X.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`. Categories that `fit` did not see count as unseen.

        Returns
        -------
        embedding : ndarray of shape (n, n_components_), float32
            A data frame after `set_output`. With `passthrough`, the scaled columns follow, see `get_feature_names_out`.
            For dask arrays and frames, a dask array whose blocks are embedded when they are computed.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            If X does not have the columns of `fit`, or a numeric column holds infinity or something that is not a
            number.
        """
        check_is_fitted(self)
        if is_collection(X):
            return transform_collection(self, X, self._n_features_out)
        samples = self.preprocessor_.transform(X, owner=self)
        spec = self.preprocessor_.spec_
        return self._output.compute(self.encoder_, samples, spec, self.precision, self.n_jobs, int(self.verbose))

    def transform_frames(self, X):
        """Embed each step of time series or audio, instead of each row as a whole.

        This is the encoder's output, without scaling and without columns next to it.

        Parameters
        ----------
        X : array-like or list of arrays
            As in `fit`.

        Returns
        -------
        frames : ndarray of shape (n, n_frames, n_components_), float32
            Embedding of each step of each row. NaN where a step is missing.
        times : ndarray of shape (n_frames,)
            Numbers of the steps for time series; milliseconds for audio, which has a step each four frames.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            As in `transform`; or if rows have no steps, or the encoder does not keep them apart.
        """
        check_is_fitted(self)
        from ._inference._embed_frames import embed_frames

        samples, spec = self.preprocessor_.transform(X, owner=self), self.preprocessor_.spec_
        return embed_frames(self.encoder_, samples, spec, self.precision, self.n_jobs)

    @property
    def n_components_(self):
        """Width of the embedding, without the columns next to it."""
        check_is_fitted(self)
        return self._output.width

    def get_feature_names_out(self, input_features=None):
        """Get the names of the output's columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; by default those seen in `fit`, or "x0", "x1", ...

        Returns
        -------
        names : ndarray of str objects
            "barlowtwinsembedder0" and so on for the embedding. With `passthrough`, the names of the columns follow:
            "age" for a number, "age_missing" for the mark of missing values, "month_Nov" for a category. A name that
            occurs before gets a number: "age_2".
        """
        from ._inference._output import name_output

        learnt = super().get_feature_names_out(input_features)[: self.n_components_]
        return name_output(learnt, self._output, self.preprocessor_, input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

"""BarlowTwinsEmbedder: the estimator. Its parameters, and methods that validate, call and store."""

import os
from numbers import Integral, Real

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._base import TwinsEstimator
from ._inference._dask import is_collection, transform_blocks
from ._roles import MODALITY_CONSTRAINT, ROLES


class BarlowTwinsEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TwinsEstimator):
    """Learn features of unlabelled rows by Barlow Twins self-supervision.

    Two randomly changed views of every row go through one encoder and one projector; the objective makes the two
    projections agree while their coordinates stay decorrelated. `transform` returns the encoder's output, for any
    scikit-learn estimator to work on; of tables, by default, with the scaled columns beside it.

    Parts (`preprocessor`, `augmentation`, `encoder`, `projector`, `objective`) take "auto", a name or a component; its
    parameters are reached even where a name stands: ``set_params(augmentation__corruption_rate=0.4)``.

    Parameters
    ----------
    n_components : int or None, default=None
        Width of the embedding. None is the encoder's own width.
    modality : {"tabular", "image"}, default="tabular"
        What a row of X is; it decides what "auto" means for the parts.
    preprocessor : "auto", "table", "image" or component, default="auto"
        What turns X into samples: a table as it is, with numbers, categories, dates and gaps (`TablePreprocessor`); or
        images, as arrays, flat rows or files (`ImagePreprocessor`).
    augmentation : "auto", str, component, torch.nn.Module or callable, default="auto"
        What makes a view. Of table rows: "marginal_corruption" (the default), "masking", "gaussian_noise", "mixup",
        "identity". Of images: "image_views" (the default), "barlow_twins_pair". Or a component of
        `sklearn_twins.augmentations` (with `Chain` and `Pair` to combine them), a module ``images -> views``,
        or any callable ``(x, data, generator) -> view``.
    encoder : "auto", str, component, torch.nn.Module or callable, default="auto"
        What embeds a sample ("backbone" in papers). Of table rows: "mlp" (the default), "resnet". Of images:
        "convnet" (the default), "resnet18", "resnet50", "timm:NAME" for any network of timm. Or a component of
        `sklearn_twins.networks`; a module, which is copied and trained; or a callable, which is given the `SampleSpec`
        and returns a module.
    projector : "auto", "mlp", "identity" or component, default="auto"
        What leads from the embedding to the projection; used in `fit` only.
    objective : "auto", str, component or callable, default="auto"
        What two projections should satisfy: "barlow_twins" (the default), "mixed_barlow_twins", "hsic", "ssl_hsic",
        "vicreg", "info_nce". A callable is given ``(z_a, z_b)`` and returns a scalar tensor.
    passthrough : "auto" or bool, default="auto"
        Whether `transform` puts the columns of a table (one-hot categories) beside the embedding, scaled to half its
        total variance. "auto" does if `n_components` is None and `encoder` is no module of yours.
    optimizer : {"adamw", "sgd", "lars"} or callable, default="adamw"
        A class of `torch.optim`, or any callable, called as ``optimizer(groups, lr=, weight_decay=)``.
    learning_rate : "auto" or float, default="auto"
        Its peak. "auto" is 5e-3 for adamw, 0.05 for sgd, 5 for lars, 1e-3 for others.
    weight_decay : float, default=1e-4
        Weight decay of matrices; biases and normalisation parameters are spared.
    lr_schedule : {"warmup_cosine", "cosine", "warmup_constant", "constant"} or callable, default="warmup_cosine"
        Factor of the learning rate; warm-ups take a tenth of the steps. A callable is given ``(step, n_steps)``.
    max_epochs : "auto" or int, default="auto"
        Passes over the rows at most. "auto" makes 1,000 steps in 5 to 200 epochs; of images 5,000 in 20 to 100.
    batch_size : int, default=256
        Rows in a batch at most. Rows are cut into equal batches; fewer than there are batches sit out an epoch. Of
        several processes (torchrun), rows in a batch of all together.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when their loss has ceased to fall, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the rows held out.
    n_iter_no_change : int, default=10
        Epochs without a better held-out loss after which `early_stopping` stops.
    tol : float, default=1e-3
        By how much the held-out loss must fall.
    warm_start : bool, default=False
        Whether `fit` goes on from where the last fit ended. `max_epochs` counts the epochs of all fits, as
        `n_estimators` does in gradient boosting. The preprocessor stays as it was.
    callbacks : list or None, default=None
        Callbacks of skorch's training loop, used as they are, not copied; but for those that need skorch's data sets or
        its default validation. scikit-learn's own callbacks (1.9 and later) are set by `set_callbacks`.
    checkpoint : str, path-like or None, default=None
        Directory of checkpoints. A `fit` that was killed goes on from its own when it is called again, on the same rows
        with the same parameters, to the same bits on the CPU; SIGINT and SIGTERM end it between two batches.
    checkpoint_minutes : float, default=1.0
        How long after one checkpoint the next epoch that ends makes another; 0 makes one each epoch.
    storage : {"auto", "device", "host"}, default="auto"
        Where samples are in training: on the device; or in host memory or on disk, read a batch ahead. "auto" is the
        device if they take up to half of its free memory; for the CPU, memory maps stay on disk. Results are alike.
    device : str, default="auto"
        Where to train: "cpu", "cuda", "cuda:1", ... "auto" is the GPU where CUDA has one; in worker processes of a
        search, the one with the fewest fits, of two at a time. The encoder stays there; a pickle loads to the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Type of the networks' products: "auto" is bfloat16 on GPUs that have it, else float32, as objectives always are.
    compile : bool, default=False
        Whether to torch.compile what pays in long fits, half a minute once a process: the colours of image views, and
        networks (of tables on a GPU only). There, steps are also replayed as a CUDA graph, if samples are on the GPU,
        `optimizer` is a name, parts are the package's own, and no callback takes gradients or freezes weights.
    n_jobs : int or None, default=None
        CPU threads that share one operation. None means 1, -1 all cores. Another number rounds differently, so
        the default does not depend on the machine; more pay on large networks and a quiet machine, and lose much
        on a busy one. In a worker process of a parallel search never more than the worker's share, in a forked one 1.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random: initial weights, batches, views. An int gives the same embedding each time, to
        the bit on the CPU; None draws a seed from NumPy's global generator, as everywhere in scikit-learn.
    verbose : int, default=0
        1 prints a line an epoch, with the time left; 2 shows a bar. So does `transform`, of rows.

    Attributes
    ----------
    encoder_ : torch.nn.Module
        The trained encoder, in eval mode: (batch, ``*sample_shape``) -> (batch, n_components).
    preprocessor_ : component
        The fitted preprocessor.
    history_ : dict of str to ndarray of shape (n_iter_,)
        One row an epoch, ready for `pandas.DataFrame`: "epoch"; "loss" and the objective's terms, such as "invariance"
        and "redundancy" (means over the batches); "excess_redundancy", the latter less what sampling alone gives;
        "valid_loss" and so on if `early_stopping`; "learning_rate" (at the epoch's end), "seconds", "rows_per_second".
    loss_curve_ : list of float
        ``history_["loss"]``.
    n_iter_ : int
        Epochs trained, of all fits if `warm_start` or `partial_fit`.
    n_features_in_ : int
        Number of columns of X; of images, values in one.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if they are all strings.

    Notes
    -----
    Interrupted (Ctrl-C), `fit` and `partial_fit` leave the embedder as it was; `fit` with `warm_start=True` leaves it
    at the last finished epoch, from which the next one goes on. A row's output is the same to the bit in any batch.

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
        "passthrough": [StrOptions({"auto"}), "boolean"],
        "optimizer": [StrOptions({"adamw", "lars", "sgd"}), callable],
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
        passthrough="auto",
        optimizer="adamw",
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, unlabeled=None):
        """Train the encoder on the rows of X.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            At least 2 rows (4 if `early_stopping`). Of a table: numbers, categories, dates, as they come, with missing
            values. Images: arrays, flat rows, memory maps or paths of files.
        y : Ignored
            Not used, present by convention.
        unlabeled : as X, or None, default=None
            More rows to train on, of the same columns and kind: in a supervised search, those without a label, which
            then join the fit of each fold. Reached as ``barlowtwinsembedder__unlabeled=``, or by metadata routing.

        Returns
        -------
        self : BarlowTwinsEmbedder
            The fitted embedder.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or `unlabeled` is out of range, before training; or if the loss becomes infinite or NaN.
        MemoryError
            If there is too little memory for a step: the message has a batch size to try.
        UnreadableFileError
            If there are checkpoints of this fit, and none can be used; a `ValueError`.
        """
        return self._fit(X, unlabeled, resume=self.warm_start and hasattr(self, "encoder_"), stream=False)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Train for one epoch on the rows of X, going on from what has been learnt.

        The first call learns the preprocessor's scales; give it a chunk that stands for the rest. Chunks should have
        a hundred rows or more: correlations over few are noise. The optimizer goes on from call to call, its learning
        rate constant after 100 warm-up steps (`max_epochs`, `lr_schedule` and `early_stopping` are not used). After a
        `fit` without `warm_start`, projector and optimizer are new.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`; at least 2 rows.
        y : Ignored
            Not used.

        Returns
        -------
        self : BarlowTwinsEmbedder
            The fitted embedder, an epoch further.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        return self._fit(X, None, resume=hasattr(self, "encoder_"), stream=True)

    def transform(self, X):
        """Embed the rows of X.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`. Categories that `fit` did not see are taken as such.

        Returns
        -------
        embedding : ndarray of shape (n, n_components), float32
            Or a frame, see `set_output`. With `passthrough` the scaled columns follow. Of dask's arrays and frames, a
            dask array, whose blocks are embedded when they are computed.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            If X does not have the columns that `fit` saw, or a number is infinite or none.
        """
        check_is_fitted(self)
        if is_collection(X):
            return transform_blocks(self, X)
        samples = self.preprocessor_.transform(X, owner=self)
        spec = self.preprocessor_.spec_
        return self._output.compute(self.encoder_, samples, spec, self.precision, self.n_jobs, int(self.verbose))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

"""BarlowTwinsClassifier: the classifier, with its parameters and their documentation."""

import os
from numbers import Integral, Number, Real

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context, clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._base import StoredEstimator, TwinsEstimator, fits_jointly, read_one_fit
from ._classification._labels import read_labels
from ._embedder import BarlowTwinsEmbedder
from ._inputs._containers import check_container
from ._inputs._messages import show
from ._parts._validation import refuse_booleans


@read_one_fit("decision_function", "predict", "predict_log_proba", "predict_proba", "save", "score", "to_onnx")
class BarlowTwinsClassifier(ClassifierMixin, StoredEstimator):
    """Classify rows from a few labels and all rows, with and without label.

    `fit` has three steps. An embedder learns from all rows without labels. A linear model learns the labelled rows from
    the embedding. Then the embedder's network is trained further with a head that starts as this model: the twins'
    objective on all rows goes on, the head learns the labelled rows (for images the network too), and both learn to
    give views of all rows their pseudo-labels. These are the classes of the surest rows: for tables by the head and two
    linear models, for images by labels that nearest neighbours hand on. Predictions are a mean of the probabilities of
    the linear model and the head; for tables, a head that disagrees with the linear model on many of the training rows
    is left out, see `head_share_`.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder, FrozenEstimator or None, default=None
        The embedder; None for one with default parameters. An embedder that is not fitted is cloned, and trained on all
        rows. A fitted one is copied and taken as it is; `clone`, and so each candidate of a search, forgets its fit,
        unless it is in a `FrozenEstimator`. Its parts, optimizer, device, batch size, precision, storage and callbacks
        also serve the joint training. Set its parameters by ``embedder__augmentation__corruption_rate=0.4``.
    unlabeled_label : int, float, str or None, default=-1
        Value of y for rows without label. None, NaN, NaT and NA always mark such rows; with None only they do. If y has
        the values -1 and 1 only, -1 is a class.
    label_weight : "auto" or float, default="auto"
        Weight of the cross-entropy on labelled rows beside the objective, which is brought to the same scale.
    pseudo_labels : "auto" or bool, default="auto"
        Whether to train on pseudo-labels. "auto" is True.
    pseudo_share : float, default=0.8
        Share of the rows of each predicted class that get a pseudo-label: those with the largest probabilities.
    max_epochs : "auto" or int, default="auto"
        Number of epochs of the joint training. "auto" aims at 180 optimizer steps within 2 to 60 epochs, 400
        for images. The embedder's own number of epochs is ``embedder__max_epochs``.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as in scikit-learn. None gives each labelled row the same weight. Batches hold equal
        numbers of all classes; weights make up for this.
    early_stopping : bool, default=False
        Whether to stop the joint training if the loss on held-out rows does not improve, and return to its best epoch.
        The embedder's `validation_fraction`, `n_iter_no_change` and `tol` apply. Classes with few labels keep all of
        them for training.
    warm_start : bool, default=False
        Whether `fit` continues the joint training of the fit before, with the labels as they are now. The pretrained
        embedder is kept, and classes must be the same. With the labels of before, `max_epochs` counts the epochs of all
        fits, as for the embedder; with other labels, those of each fit.
    checkpoint : str, path-like or None, default=None
        Directory in which to save finished epochs, as for the embedder. None uses the embedder's own.
    random_state : int, RandomState instance or None, default=None
        Seed of the pretraining and of the joint training. None uses the embedder's own. An int trains the same embedder
        as ``BarlowTwinsEmbedder(random_state=...)`` does.
    verbose : int, default=0
        1 prints a line per epoch with the time left, 2 shows a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted, of the type they have in y: missing values do not make floats of integers or booleans.
    embedder_ : BarlowTwinsEmbedder
        Fitted embedder with the jointly trained encoder; its `transform` gives features.
    pretrained_embedder_ : BarlowTwinsEmbedder
        Fitted embedder before the joint training.
    linear_model_ : LogisticRegression
        Linear model on ``pretrained_embedder_.transform(X)``. Its classes are positions in `classes_`.
    head_coef_ : ndarray of shape (n_classes, n_features), float32
        Weights of the head on the output of ``embedder_.encoder_`` and, for tables, the columns; both unscaled.
    head_intercept_ : ndarray of shape (n_classes,), float32
        Intercepts of the head.
    head_share_ : float
        Share of the head's probabilities in predictions; the rest is the linear model's. It is 0.75 for
        images. For tables, it is 0.5, or 0 if the head and the linear model disagree on too many training rows: more
        than 15 % with one label a class, 9 % with 5, 6 % with 25 (``0.15 / m**0.3`` for ``m`` labels a class in the
        median). `partial_fit` leaves the head of images out by the same rule.
    transduction_ : ndarray of shape (n,)
        Label of each training row, the given one if it has one: rows of X, then rows of `unlabeled`. Not set by
        `partial_fit`.
    label_distributions_ : ndarray of shape (n, n_classes)
        Probabilities of the classes for these rows, 1 for a given label. Not set by `partial_fit`.
    history_ : dict of str to ndarray of shape (n_iter_,)
        One value per epoch of the joint training: "epoch"; "loss"; the objective's terms; "label" and "pseudo", the
        cross-entropies; "pseudo_share", the share of rows with a pseudo-label, and "pseudo_agreement", the share of
        these whose view the head puts into this class; "valid_loss" and so on with `early_stopping`; "learning_rate",
        "seconds" and "rows_per_second".
    n_iter_ : int
        Number of epochs of joint training, of all fits with `warm_start` or `partial_fit`.
    n_features_in_ : int
        Number of columns of X; for images, number of values per image.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if all of them are strings.

    See Also
    --------
    BarlowTwinsEmbedder : Features without labels, for any classifier.
    sklearn.semi_supervised.SelfTrainingClassifier : Pseudo-labels around any classifier.

    References
    ----------
    Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence", NeurIPS 2020.
    Mandivarapu, Camp and Estrada, "Deep Active Learning Using Barlow Twins", arXiv 2212.14658, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) < 100, y, -1)
    >>> embedder = BarlowTwinsEmbedder(max_epochs=5)
    >>> classifier = BarlowTwinsClassifier(embedder, max_epochs=5, random_state=0).fit(X, few)
    >>> classifier.score(X[100:], y[100:]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        "embedder": [BarlowTwinsEmbedder, FrozenEstimator, None],
        "unlabeled_label": [Number, str, None],
        "label_weight": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "pseudo_labels": [StrOptions({"auto"}), "boolean"],
        "pseudo_share": [Interval(Real, 0, 1, closed="right")],
        "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        embedder=None,
        *,
        unlabeled_label=-1,
        label_weight="auto",
        pseudo_labels="auto",
        pseudo_share=0.8,
        max_epochs="auto",
        class_weight=None,
        early_stopping=False,
        warm_start=False,
        checkpoint=None,
        random_state=None,
        verbose=0,
    ):
        self.embedder = embedder
        self.unlabeled_label = unlabeled_label
        self.label_weight = label_weight
        self.pseudo_labels = pseudo_labels
        self.pseudo_share = pseudo_share
        self.max_epochs = max_epochs
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params):
        """Set parameters, including those of the embedder: ``embedder__augmentation__corruption_rate=0.4``.

        If `embedder` is None, it is first replaced by an embedder. If a name is unknown, nothing is set.

        Parameters
        ----------
        **params : dict
            Parameters of the classifier, or ``embedder__parameter``.

        Returns
        -------
        self : BarlowTwinsClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        nested = {name.partition("__")[2]: value for name, value in params.items() if name.startswith("embedder__")}
        own = {name: value for name, value in params.items() if not name.startswith("embedder__")}
        unknown = [name for name in own if name not in self._parameter_constraints]
        embedder = params.get("embedder", self.embedder)
        if nested and not unknown:
            embedder = BarlowTwinsEmbedder() if embedder is None else embedder
            clone(embedder).set_params(**nested)  # an unknown name is refused before anything is set
            own["embedder"] = embedder
        super().set_params(**own if not unknown else dict.fromkeys(unknown))
        if nested:
            embedder.set_params(**nested)
        return self

    @fits_jointly
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, unlabeled=None, sample_weight=None, groups=None):
        """Train on the rows of X, of which some have labels.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As for the embedder.
        y : array-like of shape (n,)
            Labels of at least two classes: integers, strings or booleans, in any container. `unlabeled_label` and
            missing values (None, NaN, NA) mark rows without label.
        unlabeled : as X, or None, default=None
            More rows without label, with the same columns. In a search or cross-validation they join the training rows
            of each fold, unless there are as many as in X: scikit-learn would divide them like X.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the labelled rows; they have no effect on rows without label, and may be missing there. A row of
            weight 2 is the same as two rows, a labelled row of weight 0 is left out.
        groups : array-like of shape (n,) or None, default=None
            Group of each row of X, such as the patient of a visit: see `BarlowTwinsEmbedder.fit`.

        Returns
        -------
        self : BarlowTwinsClassifier
            The fitted classifier.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y, `unlabeled`, `sample_weight` or `groups` is invalid, before training; or if the loss
            becomes infinite or NaN.
        """
        from ._classification._fit import fit_classifier

        fit, X = self._checked(X)
        labels = read_labels(y, X, unlabeled, fit.unlabeled_label)
        embedder, is_fitted = fit._choose_embedder()
        return fit_classifier(self, fit, embedder, is_fitted, X, labels, unlabeled, sample_weight, groups)

    @fits_jointly
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, classes=None, *, sample_weight=None):
        """Train for one more epoch on the rows of X.

        Each call trains the embedder for an epoch without labels, unless it was given fitted, and the network and its
        head for an epoch. Labelled rows of all calls are kept, others are not. After a `fit` without `warm_start`, the
        labels of that fit and the jointly trained network are forgotten. `max_epochs` and `early_stopping` are not
        used.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`.
        y : array-like of shape (n,)
            Labels, as in `fit`. All rows may be without label, except in the first call.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes; needed in the first call.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the labels.

        Returns
        -------
        self : BarlowTwinsClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            As in `fit`; or if y holds a class that is not in `classes`.
        """
        from ._classification._fit import partial_fit_classifier

        fit, X = self._checked(X)
        embedder, is_fitted = fit._choose_embedder()
        return partial_fit_classifier(self, fit, embedder, is_fitted, X, y, classes, sample_weight)

    def _validate_params(self):
        embedder = getattr(self.embedder, "estimator", self.embedder)  # of a FrozenEstimator
        if isinstance(embedder, TwinsEstimator) and not isinstance(embedder, BarlowTwinsEmbedder):
            raise ValueError(
                f"embedder={show(self.embedder)} has several views, and BarlowTwinsClassifier trains one encoder. Give "
                "one BarlowTwinsEmbedder all columns, or put the embedder before LogisticRegression in a pipeline."
            )
        super()._validate_params()

    def _checked(self, X):
        """A snapshot with checked parameters, since another thread may set them; and X, if it holds rows."""
        fit = self._snapshot()
        refuse_booleans(fit)
        if isinstance(fit.unlabeled_label, bool):
            raise TypeError(
                f"unlabeled_label={fit.unlabeled_label!r} must not be a boolean. Mark rows without label in boolean y "
                "by None, and set unlabeled_label=None."
            )
        return fit, check_container(X, "X", "rows")

    def _choose_embedder(self):
        """The embedder, and whether it is to be taken as it is."""
        embedder, is_frozen = self.embedder, isinstance(self.embedder, FrozenEstimator)
        if embedder is None:
            return BarlowTwinsEmbedder(), False
        embedder = embedder.estimator if is_frozen else embedder
        is_fitted = isinstance(embedder, BarlowTwinsEmbedder) and hasattr(embedder, "encoder_")
        if is_frozen and not is_fitted:
            raise ValueError(f"embedder={show(self.embedder)} must hold a fitted BarlowTwinsEmbedder. Fit it first.")
        return embedder, is_fitted

    def predict_proba(self, X):
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If X does not have the columns of `fit`.
        """
        check_is_fitted(self)
        from ._classification._predict import predict_samples

        samples = self.pretrained_embedder_.preprocessor_.transform(X, owner=self)
        return predict_samples(vars(self), samples)

    def predict(self, X):
        """Predict classes: those of the largest probability.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`.

        Returns
        -------
        labels : ndarray of shape (n,)
            Values of `classes_`.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_log_proba(self, X):
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`.

        Returns
        -------
        log_proba : ndarray of shape (n, n_classes)
            Columns in the order of `classes_`.
        """
        return np.log(self.predict_proba(X))

    def decision_function(self, X):
        """Compute confidences: logarithms of probabilities; for two classes, of their ratio.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`.

        Returns
        -------
        scores : ndarray of shape (n, n_classes), or (n,) for two classes
            For two classes, above 0 for ``classes_[1]``.
        """
        scores = self.predict_log_proba(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def score(self, X, y, sample_weight=None):
        """Compute the accuracy on the rows with a label.

        Other metrics, such as ``scoring="accuracy"`` of a search, count -1 as one more class. With them, give `fit`
        only rows with a label, and the others as `unlabeled`.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`.
        y : array-like of shape (n,)
            True labels. Rows without label, marked as in `fit`, do not count.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows.

        Returns
        -------
        accuracy : float
            Share of rows whose label is predicted.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        from ._classification._label_values import find_labeled

        check_is_fitted(self)
        is_labeled, labels = find_labeled(y, self.unlabeled_label, self.classes_)
        if not len(labels):
            raise ValueError(f"y has no labels, so that there is nothing to score: all {len(is_labeled)} are missing.")
        weights = None if sample_weight is None else np.asarray(sample_weight)[is_labeled]
        return accuracy_score(labels, self.predict(X)[is_labeled], sample_weight=weights)

    def save(self, path):
        """Save the fitted classifier to a file that loads without running code.

        The format is that of `BarlowTwinsEmbedder.save`. The state of a warm start is left out: a classifier that was
        loaded begins a joint training anew.

        Parameters
        ----------
        path : str or path-like
            File to write. An existing file is replaced.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        TypeError
            If a parameter of the embedder is or contains a function, a torch module or a component that is not the
            package's own. Use pickle or joblib for such classifiers. Nothing is written.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = BarlowTwinsClassifier(BarlowTwinsEmbedder(max_epochs=1), max_epochs=1).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     classifier.save(os.path.join(directory, "iris.safetensors"))
        ...     loaded = BarlowTwinsClassifier.load(os.path.join(directory, "iris.safetensors"))
        >>> bool((loaded.predict(X) == classifier.predict(X)).all())
        True
        """
        check_is_fitted(self)
        from ._persistence._classifier_files import save_classifier

        save_classifier(self, path)

    @classmethod
    def load(cls, path):
        """Load a fitted classifier from a file that `save` wrote, on the CPU. No code from the file runs.

        Parameters
        ----------
        path : str or path-like
            File to read.

        Returns
        -------
        classifier : BarlowTwinsClassifier
            The classifier.

        Raises
        ------
        UnreadableFileError
            If the file is damaged, was not written by `save`, or has another format version.
        OSError
            If the file is missing or cannot be read.
        """
        from ._persistence._classifier_files import load_classifier

        return load_classifier(cls, BarlowTwinsEmbedder, path)

    def to_onnx(self, path, *, preprocessing=True):
        """Export `predict_proba` as an ONNX model, for programs without Python or torch.

        This needs onnx and onnxscript. The model has one output, "probabilities", equal to `predict_proba` up to 1e-4;
        its metadata has "classes" as JSON. Inputs are those of `BarlowTwinsEmbedder.to_onnx`.

        Parameters
        ----------
        path : str or path-like
            File to write. An existing file is replaced.
        preprocessing : bool, default=True
            Whether the input is X; otherwise it is "samples", as ``embedder_.preprocessor_.transform(X)`` returns them.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ImportError
            If onnx or onnxscript is missing.
        ValueError
            If the preprocessing or your own encoder cannot be exported.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self)
        from ._classification._predict import linear_parts
        from ._persistence._classifier_onnx import export_classifier

        preprocessor = self.embedder_.preprocessor_
        export_classifier(preprocessor, linear_parts(vars(self)), self.classes_, path, preprocessing)

    def _given_embedder(self):
        """The embedder, a default one in place of None and of anything else."""
        embedder = self.embedder.estimator if isinstance(self.embedder, FrozenEstimator) else self.embedder
        return embedder if isinstance(embedder, BarlowTwinsEmbedder) else BarlowTwinsEmbedder()

    def _input_tags(self):
        return self._given_embedder()._input_tags()

    def _training_device(self):
        """Where `fit` trains, not checked yet."""
        return self._given_embedder().device

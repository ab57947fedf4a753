"""A grid search that trains the embedders of all candidates and folds as stacks of networks."""

import pickle
import time
from contextlib import nullcontext
from numbers import Integral

import joblib
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_scalar

from .._html_repr import DocumentationLinkMixin
from .._inputs._unlabeled import append_unlabeled
from .._runtime._printing import print_line
from .._runtime._progress_bar import TimeEstimator, format_time_left
from ._pipeline import (
    check_candidates,
    check_search,
    clone_parts,
    find_embedder_step,
    get_embedder,
    list_candidates,
    replace_embedder,
)

SECONDS_BETWEEN_LINES = 10


class BatchedGridSearchCV(DocumentationLinkMixin, GridSearchCV):
    """Grid search over an embedder, or a pipeline with one, that trains the embedders of many candidates together.

    It has the parameters, the attributes and, up to rounding, the results of `GridSearchCV`. Embedders of all
    candidates and folds whose networks have the same layers are trained as one stack, each with its own rows, seed,
    learning rate, weight decay, off-diagonal weight and corruption rate. A step of a stack is one step with larger
    arrays. This is meant for GPUs, where a step of a small network is mostly waiting (docs/benchmarks/search.md).
    Candidates that differ only in the steps after the embedder share one trained embedder.

    Some candidates cannot be stacked and are fitted one by one: embedders of several views, modalities other than
    "tabular", objectives other than "barlow_twins" and "hsic", optimizers other than "adamw", your own parts,
    callbacks, early stopping, warm starts.

    Parameters
    ----------
    estimator : BarlowTwinsEmbedder, MultiViewEmbedder or Pipeline
        An embedder, or a pipeline with an embedder among its steps.
    param_grid : dict or list of dict
        Candidates, as in `GridSearchCV`.
    scoring : str, callable, list, tuple or dict, default=None
        Scorers, as in `GridSearchCV`. None is the estimator's own `score`; an embedder's needs no labels.
    n_jobs : int or None, default=None
        Number of threads for the steps after the embedders. Embedders are trained in the caller's thread.
    refit : bool, str or callable, default=True
        Whether and by which score to refit the best candidate, as in `GridSearchCV`.
    cv : int, cross-validation generator or iterable, default=None
        Folds, as in `GridSearchCV`.
    verbose : int, default=0
        Verbosity, as in `GridSearchCV`. From 1 on, lines also show the time left for training the embedders and, at the
        end, the sizes of the stacks and the time they took.
    error_score : "raise" or float, default="raise"
        Score of a candidate whose later steps fail, as in `GridSearchCV`. Errors of embedders are always raised.
    return_train_score : bool, default=False
        Whether to compute scores on the training rows, as in `GridSearchCV`.
    max_batch : "auto" or int, default="auto"
        Largest number of networks in a stack. Their activations and rows must fit into the device's memory. "auto" is
        32 on a GPU and 1 on a CPU, where stacks are not faster: embedders are then fitted one by one, to the same bits
        as by `fit`, but still only once for all settings of the later steps.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray or list
        Results, as in `GridSearchCV`. Fit times do not include the training of the embedders.
    best_estimator_ : estimator
        Best candidate, fitted on all rows, if `refit`.
    best_params_ : dict
        Parameters of the best candidate.
    best_score_ : float
        Mean score of the best candidate over the folds.
    best_index_ : int
        Row of the best candidate in `cv_results_`.
    scorer_ : callable or dict of str to callable
        Scorer or scorers.
    multimetric_ : bool
        Whether there are several scorers.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds of the refit on all rows.
    classes_ : ndarray of shape (n_classes,)
        Class labels, if the estimator is a classifier.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if they are all strings.
    stack_sizes_ : list of int
        Number of embedders in each stack; 1 for an embedder fitted by itself. Folds of different lengths are in
        different stacks if their batches differ in size.
    training_time_ : float
        Seconds that the training of all embedders took.

    See Also
    --------
    EpochHalvingSearchCV : A search that gives few epochs to most candidates.
    sklearn.model_selection.GridSearchCV : The same search, one fit at a time.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.model_selection import BatchedGridSearchCV
    >>> X, y = load_wine(return_X_y=True)
    >>> pipeline = make_pipeline(BarlowTwinsEmbedder(max_epochs=2, random_state=0), LogisticRegression())
    >>> grid = {"barlowtwinsembedder__learning_rate": [0.001, 0.005]}
    >>> search = BatchedGridSearchCV(pipeline, grid, cv=3).fit(X, y)
    >>> sum(search.stack_sizes_)  # candidates times folds
    6
    """

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        error_score="raise",
        return_train_score=False,
        max_batch="auto",
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_batch = max_batch

    def fit(self, X, y=None, **params):
        """Train the embedders of all candidates and folds, and search as `GridSearchCV` does.

        Parameters
        ----------
        X : array-like or data frame of shape (n, features)
            Rows.
        y : array-like of shape (n,), default=None
            Labels, if the estimator needs them.
        **params : dict
            Fit parameters (``barlowtwinsembedder__unlabeled=``) or routed metadata, as in `GridSearchCV`.

        Returns
        -------
        self : BatchedGridSearchCV
            The fitted search.

        Raises
        ------
        TypeError
            If the estimator is neither an embedder nor a pipeline with one among its steps.
        ValueError
            If a parameter of the search or of a candidate is out of range. It is raised before training starts.
        """
        most = self.max_batch
        if most != "auto":
            check_scalar(most, "max_batch", Integral, min_val=1)
        name = find_embedder_step(self.estimator, type(self).__name__)
        ordinary = {key: value for key, value in self.get_params(deep=False).items() if key != "max_batch"}
        GridSearchCV(**ordinary)._validate_params()
        check_search(self, X, y)
        folds = list(check_cv(self.cv, y, classifier=is_classifier(self.estimator)).split(X, y, params.get("groups")))
        unlabeled = params.get("unlabeled" if name is None else f"{name}__unlabeled", params.get("unlabeled"))
        if most == "auto":
            from .._runtime._devices import choose_device

            most = 32 if choose_device(get_embedder(self.estimator, name).device).type == "cuda" else 1
        start = time.perf_counter()
        fits, sizes = train_embedders(self.estimator, name, self.param_grid, X, y, folds, unlabeled, most, self.verbose)
        seconds = max(0.0, time.perf_counter() - start)
        line = f"Trained {sum(sizes)} embedders in {len(sizes)} stack(s) of {sizes}, {seconds:.1f} s"
        shown = bool(self.verbose) and print_line(line)
        embedder = get_embedder(self.estimator, name)
        with_fits = replace_embedder(clone(self.estimator), name, reuse_fits(clone(embedder), fits))
        # What scikit-learn prints would end the search if it cannot be shown.
        ordinary |= {"estimator": with_fits, "cv": folds, "verbose": self.verbose if shown else 0}
        many = self.n_jobs is not None and self.n_jobs != 1
        with joblib.parallel_config("threading") if many else nullcontext():
            search = GridSearchCV(**ordinary).fit(X, y, **params)
        if hasattr(search, "best_estimator_"):
            best = convert(get_embedder(search.best_estimator_, name), type(embedder))
            search.best_estimator_ = replace_embedder(search.best_estimator_, name, best)
        for attribute, value in vars(search).items():
            if attribute not in ordinary:
                setattr(self, attribute, value)
        self.stack_sizes_, self.training_time_ = sizes, seconds
        return self


def hash_fit(embedder, X, unlabeled):
    """Hash everything that a fit depends on: the embedder's parameters and its rows."""
    try:
        return joblib.hash((embedder.get_params(), X, unlabeled))
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(
            f"BatchedGridSearchCV compares embedders by their pickles, and one cannot be pickled ({error}). Give "
            "functions that are defined in a module, or use GridSearchCV."
        ) from error


def make_progress_printer(n):
    """Make a function that prints every ten seconds how many of n embedders are trained, and the time left."""
    estimator, due = TimeEstimator(n), time.perf_counter() + SECONDS_BETWEEN_LINES

    def print_progress(n_done):
        nonlocal due
        estimator.update(n_done)
        if time.perf_counter() >= due and n_done < n:
            due = time.perf_counter() + SECONDS_BETWEEN_LINES
            print_line(f"Trained {n_done} of {n} embedders, {format_time_left(estimator.seconds_left())}")

    return print_progress


def train_embedders(estimator, name, grid, X, y, folds, unlabeled, most, verbose):
    """Train the embedders of all candidates and folds.

    Returns
    -------
    fits : dict of str to BarlowTwinsEmbedder
        Fitted embedders by `hash_fit`.
    sizes : list of int
        Number of embedders in each stack.
    """
    from .._fitting._stacked_fits import fit_together

    embedders, tables = {}, {}
    candidates = list_candidates(grid)
    check_candidates([clone(estimator).set_params(**clone_parts(candidate)) for candidate in candidates], name)
    for candidate in candidates:
        for train, _ in folds:
            whole = clone(estimator).set_params(**clone_parts(candidate))
            rows, labels = _safe_indexing(X, train), None if y is None else _safe_indexing(y, train)
            if name is not None:
                for step, transformer in whole.steps:
                    if step == name:
                        break
                    if transformer not in (None, "passthrough"):
                        rows = transformer.fit_transform(rows, labels)
            embedder = get_embedder(whole, name)
            key = hash_fit(embedder, rows, unlabeled)
            embedders[key], tables[key] = embedder, append_unlabeled(rows, unlabeled)
    on_progress = make_progress_printer(len(embedders)) if verbose else None
    sizes = fit_together(list(embedders.values()), list(tables.values()), most, on_progress)
    return embedders, sizes


def reuse_fits(embedder, fits):
    """Convert an embedder to a subclass whose `fit` takes the state of a finished fit if there is an equal one.

    The subclass has the same name: names of output columns, warnings and errors depend on it.
    """
    kind = type(embedder)

    def fit(self, X, y=None, *, unlabeled=None, groups=None):
        done = None if groups is not None else fits.get(hash_fit(self, X, unlabeled))
        if done is None:
            return kind.fit(self, X, y, unlabeled=unlabeled, groups=groups)
        vars(self).update(vars(done))
        return self

    return convert(embedder, type(kind.__name__, (kind,), {"fit": fit}))


def convert(embedder, kind):
    """Construct an embedder of another class with the same parameters, metadata requests and fitted state."""
    converted = kind(**embedder.get_params(deep=False))
    vars(converted).update(vars(embedder))
    return converted

"""A grid search whose embedders, of all candidates and folds, are trained as one stack of networks."""

import copy
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
from .._runtime._progress_bar import TimeEstimator, format_time_left
from ._pipeline import candidates_of, check_candidates, check_search, copied, embedder_of, step_of

SECONDS_BETWEEN_LINES = 10


class BatchedGridSearchCV(DocumentationLinkMixin, GridSearchCV):
    """Grid search over an embedder, or a pipeline with one, that trains the embedders of many candidates together.

    What `GridSearchCV` does, with its parameters, its attributes and, but for rounding, its results. The difference is
    how embedders are trained: those of all candidates and folds whose networks have the same layers become one stack,
    each with its own rows, seed, learning rate, weight decay, off-diagonal weight and corruption rate. A step of
    a stack is one step of operations on larger arrays, which is meant for GPUs, where a step of a small network is
    mostly waiting (docs/benchmarks/search.md). And candidates that differ in what comes behind the embedder share it.

    Candidates of other kinds are fitted one by one, as in any search: other modalities than "tabular", objectives than
    "barlow_twins" and "hsic", optimizers than "adamw", parts of your own, callbacks, early stopping, warm starts.

    Parameters
    ----------
    estimator : BarlowTwinsEmbedder or Pipeline
        The pipeline has the embedder as one of its steps.
    param_grid : dict or list of dict
        As of `GridSearchCV`.
    scoring : str, callable, list, tuple or dict, default=None
        As of `GridSearchCV`. None is the estimator's own `score`; an embedder's needs no labels.
    n_jobs : int or None, default=None
        Threads for what comes behind the embedders; these are trained in the caller's.
    refit : bool, str or callable, default=True
        As of `GridSearchCV`.
    cv : int, cross-validation generator or iterable, default=None
        As of `GridSearchCV`.
    verbose : int, default=0
        As of `GridSearchCV`; from 1 on, lines say how long the training of the embedders still takes, and at the end
        how large the stacks were and how long they took.
    error_score : "raise" or float, default="raise"
        As of `GridSearchCV`, for what comes behind the embedders; what goes wrong with these is raised always.
    return_train_score : bool, default=False
        As of `GridSearchCV`.
    max_batch : "auto" or int, default="auto"
        Networks in a stack at most. Their activations and their rows have to fit into the device's memory. "auto" is
        32 on a GPU, and 1 on a CPU, where stacks are no faster; embedders are then fitted one by one, to the same bits
        as ever, and still but once for all settings of what comes behind.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray or list
        As of `GridSearchCV`. The fit times are those of what comes behind the embedders.
    best_estimator_ : estimator
        The best candidate, fitted on all rows, if `refit`.
    best_params_ : dict
        Its parameters.
    best_score_ : float
        Its mean score over the folds.
    best_index_ : int
        Its row in `cv_results_`.
    scorer_ : callable or dict of str to callable
        Of `scoring`.
    multimetric_ : bool
        Whether there are several scorers.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds of the last fit, on all rows.
    classes_ : ndarray of shape (n_classes,)
        Labels, of a classifier.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if they are all strings.
    stack_sizes_ : list of int
        How many embedders each stack had; 1 for those fitted by themselves. Folds of different sizes are different
        stacks, if they are cut into batches of different sizes.
    training_time_ : float
        Seconds in which all embedders of the search were trained.

    See Also
    --------
    EpochHalvingSearchCV : A search that gives most candidates few epochs.
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
            As of the estimator.
        y : array-like of shape (n,), default=None
            Labels, if the estimator wants any.
        **params : dict
            As of `GridSearchCV`: fit parameters (``barlowtwinsembedder__unlabeled=``), or metadata that is routed.

        Returns
        -------
        self : BatchedGridSearchCV
            The fitted search.

        Raises
        ------
        TypeError
            If the estimator is no embedder, and no pipeline with one among its steps.
        ValueError
            If a parameter is out of range, of the search or of a candidate: before anything is trained.
        """
        most = self.max_batch
        if most != "auto":
            check_scalar(most, "max_batch", Integral, min_val=1)
        name = step_of(self.estimator, type(self).__name__)
        ordinary = {key: value for key, value in self.get_params(deep=False).items() if key != "max_batch"}
        GridSearchCV(**ordinary)._validate_params()
        check_search(self, X, y)
        folds = list(check_cv(self.cv, y, classifier=is_classifier(self.estimator)).split(X, y, params.get("groups")))
        unlabeled = params.get("unlabeled" if name is None else f"{name}__unlabeled", params.get("unlabeled"))
        if most == "auto":
            from .._runtime._devices import choose_device

            most = 32 if choose_device(embedder_of(self.estimator, name).device).type == "cuda" else 1
        start = time.perf_counter()
        made, sizes = trained(self.estimator, name, self.param_grid, X, y, folds, unlabeled, most, self.verbose)
        seconds = time.perf_counter() - start
        if self.verbose:
            print(f"Trained {sum(sizes)} embedders in {len(sizes)} stack(s) of {sizes}, {seconds:.1f} s", flush=True)
        ordinary |= {"estimator": looking_up(self.estimator, name, made), "cv": folds}
        many = self.n_jobs is not None and self.n_jobs != 1
        with joblib.parallel_config("threading") if many else nullcontext():
            search = GridSearchCV(**ordinary).fit(X, y, **params)
        if hasattr(search, "best_estimator_"):
            embedder_of(search.best_estimator_, name).__class__ = type(embedder_of(self.estimator, name))
        for attribute, value in vars(search).items():
            if attribute not in ordinary:
                setattr(self, attribute, value)
        self.stack_sizes_, self.training_time_ = sizes, seconds
        return self


def key_of(embedder, X, unlabeled):
    """What a fit follows from: the embedder's parameters and its rows."""
    try:
        return joblib.hash((embedder.get_params(), X, unlabeled))
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(
            f"BatchedGridSearchCV tells embedders apart by what they would be pickled as, and one cannot be ({error}). "
            "Give functions that are defined in a module, or use GridSearchCV."
        ) from error


def teller(n):
    """What prints how many of n embedders are trained, and how long the others take, now and then."""
    estimator, due = TimeEstimator(n), time.perf_counter() + SECONDS_BETWEEN_LINES

    def tell(n_done):
        nonlocal due
        estimator.update(n_done)
        if time.perf_counter() >= due and n_done < n:
            due = time.perf_counter() + SECONDS_BETWEEN_LINES
            print(f"Trained {n_done} of {n} embedders, {format_time_left(estimator.seconds_left())}", flush=True)

    return tell


def trained(estimator, name, grid, X, y, folds, unlabeled, most, verbose):
    """Train the embedders of all candidates and folds.

    Returns
    -------
    made : dict of str to BarlowTwinsEmbedder
        `key_of` -> the fitted embedder.
    sizes : list of int
        Embedders in each stack.
    """
    from .._fitting._stacked_fits import fit_together

    embedders, tables = {}, {}
    candidates = candidates_of(grid)
    check_candidates([clone(estimator).set_params(**copied(candidate)) for candidate in candidates], name)
    for candidate in candidates:
        for train, _ in folds:
            whole = clone(estimator).set_params(**copied(candidate))
            rows, labels = _safe_indexing(X, train), None if y is None else _safe_indexing(y, train)
            if name is not None:
                for step, transformer in whole.steps:
                    if step == name:
                        break
                    if transformer not in (None, "passthrough"):
                        rows = transformer.fit_transform(rows, labels)
            embedder = embedder_of(whole, name)
            key = key_of(embedder, rows, unlabeled)
            embedders[key], tables[key] = embedder, append_unlabeled(rows, unlabeled)
    tell = teller(len(embedders)) if verbose else None
    sizes = fit_together(list(embedders.values()), list(tables.values()), most, tell)
    return embedders, sizes


def looking_up(estimator, name, made):
    """The estimator with an embedder that takes a fit which has been made already, and makes others itself."""
    kind = type(embedder_of(estimator, name))

    class LookingUp(kind):
        def fit(self, X, y=None, *, unlabeled=None):
            done = made.get(key_of(self, X, unlabeled))
            if done is None:
                return super().fit(X, y, unlabeled=unlabeled)
            self.__dict__.update(copy.copy(done).__dict__)
            return self

    LookingUp.__name__, LookingUp.__qualname__ = kind.__name__, kind.__qualname__
    estimator = clone(estimator)
    embedder_of(estimator, name).__class__ = LookingUp
    return estimator

"""Successive halving over epochs in which survivors are trained further instead of anew."""

from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.stats import rankdata
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_scalar

from .._html_repr import DocumentationLinkMixin
from .._runtime._printing import print_line
from .._runtime._progress_bar import TimeEstimator, format_time_left, one_or_more
from ._pipeline import check_candidates, check_search, clone_parts, find_embedder_step, get_embedder, list_candidates


class EpochHalvingSearchCV(DocumentationLinkMixin, GridSearchCV):
    """Grid search that gives all candidates a few epochs and the best ones more.

    All candidates are trained for `min_epochs`. The best third (``1 / factor``) is trained up to three times as many
    epochs, and so on, until the last round reaches the embedder's `max_epochs`. Survivors continue from their weights,
    by `warm_start`; scikit-learn's `HalvingGridSearchCV` with ``resource="max_epochs"`` trains each one anew.

    Parameters
    ----------
    estimator : BarlowTwinsEmbedder, MultiViewEmbedder or Pipeline
        An embedder, or a pipeline with an embedder among its steps. The steps after the embedder are fitted anew in
        each round. Set the embedder's `lr_schedule` to "warmup_constant" or "constant": other schedules fall to their
        end within each round.
    param_grid : dict or list of dict
        Candidates, as in `GridSearchCV`, without the embedder's `max_epochs` and `warm_start`.
    factor : float, default=3
        Factor by which each round divides the candidates and multiplies the epochs; above 1.
    min_epochs : int, default=5
        Number of epochs of the first round.
    scoring : str, callable or None, default=None
        Scorer. None is the estimator's own `score`; an embedder's needs no labels.
    cv : int, cross-validation generator or iterable, default=None
        Folds, as in `GridSearchCV`.
    n_jobs : int or None, default=None
        Number of fits that run in parallel.
    refit : bool, default=True
        Whether to fit the best candidate on all rows at the end, with all epochs.
    verbose : int, default=0
        From 1 on, a line before each round shows the time left. The embedder has its own `verbose`.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray or list
        Results, with a row for every candidate in every round: "params", "iter" (the round), "n_epochs",
        "split0_test_score" and so on, "mean_test_score", "std_test_score", "rank_test_score" (later rounds rank first).
    best_estimator_ : estimator
        Best candidate of the last round, fitted on all rows, if `refit`.
    best_params_ : dict
        Parameters of the best candidate.
    best_score_ : float
        Mean score of the best candidate over the folds.
    best_index_ : int
        Row of the best candidate in `cv_results_`.
    scorer_ : callable
        Scorer.
    multimetric_ : bool
        Always False: there is one score.
    n_splits_ : int
        Number of folds.
    classes_ : ndarray of shape (n_classes,)
        Class labels, if the estimator is a classifier.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if they are all strings.
    n_epochs_ : list of int
        Number of epochs that each round trains up to.
    n_candidates_ : list of int
        Number of candidates in each round.
    n_trained_epochs_ : int
        Total number of epochs over all candidates and folds, without the refit.

    See Also
    --------
    BatchedGridSearchCV : A grid search that trains embedders together.

    References
    ----------
    Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016,
    algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.model_selection import EpochHalvingSearchCV
    >>> X = load_wine().data
    >>> embedder = BarlowTwinsEmbedder(max_epochs=4, lr_schedule="constant", random_state=0)
    >>> grid = {"learning_rate": [0.001, 0.002, 0.005, 0.01]}
    >>> search = EpochHalvingSearchCV(embedder, grid, factor=2, min_epochs=1, cv=2).fit(X)
    >>> search.n_epochs_, search.n_candidates_, search.n_trained_epochs_
    ([1, 2, 4], [4, 2, 1], 16)
    """

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        factor=3,
        min_epochs=5,
        scoring=None,
        cv=None,
        n_jobs=None,
        refit=True,
        verbose=0,
    ):
        super().__init__(estimator, param_grid, scoring=scoring, cv=cv, n_jobs=n_jobs, refit=refit, verbose=verbose)
        self.factor = factor
        self.min_epochs = min_epochs

    def fit(self, X, y=None, **fit_params):
        """Run the search.

        Parameters
        ----------
        X : array-like or data frame of shape (n, features)
            Rows.
        y : array-like of shape (n,), default=None
            Labels, if the estimator needs them.
        **fit_params : dict
            Fit parameters of every fit, such as ``barlowtwinsembedder__unlabeled=``. As in scikit-learn's searches,
            `groups` go to the splitter; with metadata routing they also go to the estimators that request them. A step
            gets the groups of its rows by ``barlowtwinsembedder__groups=``.

        Returns
        -------
        self : EpochHalvingSearchCV
            The fitted search.

        Raises
        ------
        TypeError
            If the estimator is neither an embedder nor a pipeline with one among its steps.
        ValueError
            If `factor` or `min_epochs` is out of range, the grid has `max_epochs` or `warm_start`, or the pipeline has
            a `memory`.
        """
        name, candidates = self._check()
        prefix = "" if name is None else f"{name}__"
        scorer = check_search(self, X, y)
        groups = fit_params.get("groups")
        if not requests_groups(self.estimator):
            fit_params.pop("groups", None)
        folds = list(check_cv(self.cv, y, classifier=is_classifier(self.estimator)).split(X, y, groups))
        whole = get_max_epochs(get_embedder(self.estimator, name), len(folds[0][0]))
        epochs = plan_rounds(self.min_epochs, whole, self.factor)
        warm = {f"{prefix}warm_start": True}
        estimators = [clone(self.estimator).set_params(**clone_parts(c), **warm) for c in candidates]
        check_candidates(estimators, name)

        printer = RoundPrinter(len(candidates), len(folds), epochs, self.factor, self.n_jobs, self.refit)

        def train(jobs, n_epochs):
            if self.verbose:
                printer.on_round_begin(n_epochs)
            return Parallel(n_jobs=self.n_jobs)(
                delayed(train_further)(estimator, f"{prefix}max_epochs", n_epochs, X, y, fold, fit_params, scorer)
                for estimator, fold in jobs
            )

        rows, n_candidates = run_rounds(estimators, candidates, folds, epochs, self.factor, train)
        steps = np.diff([0, *epochs])  # epochs that each round adds
        attributes = summarize(rows)
        if self.refit:
            if self.verbose:
                printer.on_refit_begin()
            best = clone(self.estimator).set_params(**clone_parts(attributes["best_params_"]))
            attributes["best_estimator_"] = best.fit(X, y, **fit_params)
        for attribute in [attribute for attribute in vars(self) if attribute.endswith("_")]:
            delattr(self, attribute)  # from an earlier fit
        self.scorer_, self.multimetric_, self.n_splits_ = scorer, False, len(folds)
        self.n_epochs_, self.n_candidates_ = epochs, n_candidates
        self.n_trained_epochs_ = int(np.dot(steps, n_candidates)) * len(folds)
        vars(self).update(attributes)
        return self

    def _check(self):
        check_scalar(self.factor, "factor", Real, min_val=1, include_boundaries="neither")
        check_scalar(self.min_epochs, "min_epochs", Integral, min_val=1)
        check_scalar(self.verbose, "verbose", Integral, min_val=0)
        if self.n_jobs is not None:
            check_scalar(self.n_jobs, "n_jobs", Integral)
        if not self.factor > 1:  # check_scalar lets NaN pass
            raise ValueError(f"factor={self.factor!r} must be above 1: 1 / factor of the candidates survive a round.")
        if not isinstance(self.refit, (bool, np.bool_)):
            raise TypeError(f"refit={self.refit!r} must be True or False: there is one score.")
        name = find_embedder_step(self.estimator, type(self).__name__)
        prefix = "" if name is None else f"{name}__"
        candidates = list_candidates(self.param_grid)
        taken = {f"{prefix}max_epochs", f"{prefix}warm_start"} & {key for c in candidates for key in c}
        if taken:
            raise ValueError(f"param_grid has {sorted(taken)}, which the search itself sets. Take it out.")
        if getattr(self.estimator, "memory", None) is not None:
            raise ValueError(
                f"memory={self.estimator.memory!r} of the pipeline makes a new embedder for each fit, which cannot be "
                "trained further. Use memory=None."
            )
        return name, candidates


def n_survivors(n, factor):
    """Compute how many of n candidates survive a round."""
    return max(1, int(np.ceil(n / factor)))


class RoundPrinter:
    """Prints a line before each round, with the time left as estimated from the epochs so far.

    Parameters
    ----------
    n, n_folds : int
        Number of candidates in the first round, and of folds.
    epochs : list of int
        Number of epochs that each round trains up to.
    factor : float
        ``1 / factor`` of the candidates survive a round.
    n_jobs : int or None
        Number of fits that run in parallel; the refit runs alone.
    refit : bool
        Whether there is a refit on all rows.
    """

    def __init__(self, n, n_folds, epochs, factor, n_jobs, refit):
        self.n_folds, self.rounds = n_folds, epochs
        self.n_candidates = [n]
        for _ in epochs[1:]:
            self.n_candidates.append(n_survivors(self.n_candidates[-1], factor))
        steps = np.diff([0, *epochs]) * self.n_candidates * n_folds
        self.done = np.cumsum([0, *steps])  # epochs before each round, and before the refit
        n_jobs = min(effective_n_jobs(n_jobs), n * n_folds)
        self.estimator = TimeEstimator(self.done[-1] + (epochs[-1] * n_jobs if refit else 0))

    def on_round_begin(self, n_epochs):
        """Print the line of a round."""
        number = self.rounds.index(n_epochs)
        n = self.n_candidates[number]
        many = f"{n} {one_or_more(n, 'candidates')} on {self.n_folds} folds"
        many += f", up to {n_epochs} {one_or_more(n_epochs, 'epochs')}"
        self._print(f"round {number + 1}/{len(self.rounds)}  {many}", number)

    def on_refit_begin(self):
        """Print the line of the refit."""
        self._print("refit  the best candidate on all rows", len(self.rounds))

    def _print(self, line, number):
        self.estimator.update(self.done[number])
        print_line("  ".join(filter(None, [line, format_time_left(self.estimator.seconds_left())])))


def run_rounds(estimators, candidates, folds, epochs, factor, train):
    """Train all candidates on all folds in the first round, the best of them further in the next, and so on.

    Parameters
    ----------
    estimators : list of estimator
        Estimator of each candidate, unfitted.
    candidates : list of dict
        Parameters of each candidate.
    folds : list of (ndarray, ndarray) tuples
        Indices of the training and test rows of each fold.
    epochs : list of int
        Number of epochs that each round trains up to.
    factor : float
        ``1 / factor`` of the candidates survive a round.
    train : callable
        ``train([(estimator, fold), ...], n_epochs) -> [(estimator, score), ...]``

    Returns
    -------
    rows : list of (dict, int, int, ndarray) tuples
        Rows for `summarize`.
    n_candidates : list of int
        Number of candidates in each round.
    """
    running = [[clone(estimator) for _ in folds] for estimator in estimators]  # a candidate's estimator on each fold
    left, rows, n_candidates = list(range(len(candidates))), [], []
    for number, n_epochs in enumerate(epochs):
        jobs = [(running[c][f], fold) for c in left for f, fold in enumerate(folds)]
        done = train(jobs, n_epochs)
        scores = np.array([score for _, score in done]).reshape(len(left), len(folds))
        for i, (c, own) in enumerate(zip(left, scores, strict=True)):
            running[c] = [estimator for estimator, _ in done[i * len(folds) : (i + 1) * len(folds)]]
            rows.append((candidates[c], number, n_epochs, own))
        n_candidates.append(len(left))
        order = np.argsort(-scores.mean(1), kind="stable")
        left = [left[i] for i in sorted(order[: n_survivors(len(left), factor)])]
    return rows, n_candidates


def summarize(rows):
    """Summarize the rounds in fitted attributes.

    Parameters
    ----------
    rows : list of (dict, int, int, ndarray) tuples
        Parameters, round, epochs and scores of the folds, for each candidate in each round.

    Returns
    -------
    attributes : dict
        "cv_results_", "best_index_", "best_params_" and "best_score_".
    """
    scores = np.array([own for *_, own in rows])
    number = np.array([number for _, number, _, _ in rows])
    mean = scores.mean(1)
    # By round, later ones first, then by score.
    rank = rankdata([-(n * 2 + r) for n, r in zip(number, rankdata(mean) / (len(mean) + 1), strict=True)], "min")
    best = int(rank.argmin())
    results = {
        "params": [params for params, *_ in rows],
        "iter": number,
        "n_epochs": np.array([n_epochs for _, _, n_epochs, _ in rows]),
        **{f"split{f}_test_score": scores[:, f] for f in range(scores.shape[1])},
        "mean_test_score": mean,
        "std_test_score": scores.std(1),
        "rank_test_score": rank.astype(np.int32),
    }
    return {
        "cv_results_": results,
        "best_index_": best,
        "best_params_": rows[best][0],
        "best_score_": float(mean[best]),
    }


def get_max_epochs(embedder, n):
    """Return the number of epochs for which an embedder is trained on n rows."""
    if embedder.max_epochs != "auto":
        return embedder.max_epochs
    from .._fitting._plan import auto_epochs

    return auto_epochs(n, embedder.batch_size, embedder.modality)


def plan_rounds(first, last, factor):
    """List the epochs that each round trains up to: `first`, then `factor` times as many, and `last` at the end."""
    epochs = [first]
    while epochs[-1] * factor < last:
        epochs.append(max(epochs[-1] + 1, int(epochs[-1] * factor)))
    return [*epochs, last] if epochs[-1] < last else [last]


def requests_groups(estimator):
    """Whether metadata routing passes groups to the estimator's `fit`."""
    routes = get_config()["enable_metadata_routing"]
    return routes and bool(estimator.get_metadata_routing().consumes("fit", ["groups"]))


def train_further(estimator, parameter, n_epochs, X, y, fold, fit_params, scorer):
    """Train a candidate up to `n_epochs` epochs on one fold.  # -> estimator, score"""
    train, test = fold
    fit_params = {
        name: _safe_indexing(value, train) if name.rpartition("__")[2] == "groups" else value
        for name, value in fit_params.items()
    }
    labels = None if y is None else _safe_indexing(y, train)
    estimator.set_params(**{parameter: n_epochs}).fit(_safe_indexing(X, train), labels, **fit_params)
    if y is None:
        return estimator, scorer(estimator, _safe_indexing(X, test))
    return estimator, scorer(estimator, _safe_indexing(X, test), _safe_indexing(y, test))

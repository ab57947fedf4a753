"""Successive halving over epochs, in which what goes on is not begun anew."""

from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.stats import rankdata
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_scalar

from .._html_repr import DocumentationLinkMixin
from .._runtime._progress_bar import TimeEstimator, format_time_left
from ._pipeline import candidates_of, check_candidates, check_search, copied, embedder_of, step_of


class EpochHalvingSearchCV(DocumentationLinkMixin, GridSearchCV):
    """Grid search that gives all candidates a few epochs, and more to those that do best.

    After `min_epochs` the best third of the candidates (``1 / factor``) goes on to three times as many epochs, and so
    on, until few are left with the epochs that the embedder asks for. A survivor goes on from the weights it has, by
    `warm_start`; scikit-learn's `HalvingGridSearchCV` with ``resource="max_epochs"`` begins each one anew.

    Parameters
    ----------
    estimator : BarlowTwinsEmbedder or Pipeline
        The pipeline has the embedder as one of its steps; those behind it are fitted anew after every round. Of
        `lr_schedule`, "warmup_constant" and "constant" suit a run without a known end; others fall within each round.
    param_grid : dict or list of dict
        Candidates, as of `GridSearchCV`; not of the embedder's `max_epochs` and `warm_start`.
    factor : float, default=3
        Of the candidates, ``1 / factor`` go on, to `factor` times the epochs.
    min_epochs : int, default=5
        Epochs of the first round.
    scoring : str, callable or None, default=None
        Scorer; None is the estimator's own `score`, which of an embedder needs no labels.
    cv : int, cross-validation generator or iterable, default=None
        As of `GridSearchCV`.
    n_jobs : int or None, default=None
        Candidates and folds at a time.
    refit : bool, default=True
        Whether to fit the best candidate on all rows, with all epochs, at the end.
    verbose : int, default=0
        1 or more prints a line before each round, with the time left; the embedder has its own.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray or list
        A row for every candidate in every round: "params", "iter" (the round), "n_epochs", "split0_test_score" and so
        on, "mean_test_score", "std_test_score", "rank_test_score" (of later rounds first).
    best_estimator_ : estimator
        The best candidate of the last round, fitted on all rows, if `refit`.
    best_params_ : dict
        Its parameters.
    best_score_ : float
        Its mean score over the folds.
    best_index_ : int
        Its row in `cv_results_`.
    scorer_ : callable
        Of `scoring`.
    multimetric_ : bool
        False: there is one score.
    n_splits_ : int
        Number of folds.
    classes_ : ndarray of shape (n_classes,)
        Labels, of a classifier.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X, if they are all strings.
    n_epochs_ : list of int
        Epochs of each round.
    n_candidates_ : list of int
        Candidates of each round.
    n_trained_epochs_ : int
        Epochs that all embedders together were trained for, over all folds, without the refit.

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
        """Search.

        Parameters
        ----------
        X : array-like or data frame of shape (n, features)
            As of the estimator.
        y : array-like of shape (n,), default=None
            Labels, if the estimator wants any.
        **fit_params : dict
            Given to every fit as they are: ``barlowtwinsembedder__unlabeled=``.

        Returns
        -------
        self : EpochHalvingSearchCV
            The fitted search.

        Raises
        ------
        TypeError
            If the estimator is no embedder, and no pipeline with one among its steps.
        ValueError
            If `factor` or `min_epochs` is out of range, the grid has `max_epochs` or `warm_start`, or the pipeline has
            a `memory`.
        """
        name, candidates = self._checked()
        prefix = "" if name is None else f"{name}__"
        scorer = check_search(self, X, y)
        folds = list(check_cv(self.cv, y, classifier=is_classifier(self.estimator)).split(X, y))
        whole = n_epochs_of(embedder_of(self.estimator, name), len(folds[0][0]))
        rounds_ = rounds(self.min_epochs, whole, self.factor)
        begun = [clone(self.estimator).set_params(**copied(c), **{f"{prefix}warm_start": True}) for c in candidates]
        check_candidates(begun, name)

        lines = RoundLines(len(candidates), len(folds), rounds_, self.factor, self.n_jobs, self.refit)

        def train(jobs, n_epochs):
            if self.verbose:
                lines.begin(n_epochs)
            return Parallel(n_jobs=self.n_jobs)(
                delayed(go_on)(estimator, f"{prefix}max_epochs", n_epochs, X, y, fold, fit_params, scorer)
                for estimator, fold in jobs
            )

        rows, n_candidates = halved(begun, candidates, folds, rounds_, self.factor, train)
        steps = np.diff([0, *rounds_])  # epochs that each round adds
        attributes = summary(rows)
        if self.refit:
            if self.verbose:
                lines.begin_refit()
            best = clone(self.estimator).set_params(**copied(attributes["best_params_"]))
            attributes["best_estimator_"] = best.fit(X, y, **fit_params)
        for attribute in [attribute for attribute in vars(self) if attribute.endswith("_")]:
            delattr(self, attribute)  # of an earlier fit
        self.scorer_, self.multimetric_, self.n_splits_ = scorer, False, len(folds)
        self.n_epochs_, self.n_candidates_ = rounds_, n_candidates
        self.n_trained_epochs_ = int(np.dot(steps, n_candidates)) * len(folds)
        vars(self).update(attributes)
        return self

    def _checked(self):
        check_scalar(self.factor, "factor", Real, min_val=1, include_boundaries="neither")
        check_scalar(self.min_epochs, "min_epochs", Integral, min_val=1)
        check_scalar(self.verbose, "verbose", Integral, min_val=0)
        if self.n_jobs is not None:
            check_scalar(self.n_jobs, "n_jobs", Integral)
        if not self.factor > 1:  # NaN is not below 1 either
            raise ValueError(f"factor={self.factor!r} must be above 1: 1 / factor of the candidates go on.")
        if not isinstance(self.refit, (bool, np.bool_)):
            raise TypeError(f"refit={self.refit!r} must be True or False: there is one score.")
        name = step_of(self.estimator, type(self).__name__)
        prefix = "" if name is None else f"{name}__"
        candidates = candidates_of(self.param_grid)
        taken = {f"{prefix}max_epochs", f"{prefix}warm_start"} & {key for c in candidates for key in c}
        if taken:
            raise ValueError(f"param_grid has {sorted(taken)}, which the search sets itself. Take it out.")
        if getattr(self.estimator, "memory", None) is not None:
            raise ValueError(
                f"memory={self.estimator.memory!r} of the pipeline makes a new embedder for each fit, none of which "
                "could go on. Use memory=None."
            )
        return name, candidates


def n_left(n, factor):
    """How many of n candidates go on."""
    return max(1, int(np.ceil(n / factor)))


class RoundLines:
    """A line before each round: what it is, and how long all that follows takes by the epochs trained so far.

    Parameters
    ----------
    n, n_folds : int
        Candidates of the first round, and folds.
    rounds_ : list of int
        Epochs of each round.
    factor : float
        ``1 / factor`` of the candidates go on.
    n_jobs : int or None
        Fits at a time; the last one, of all rows, is by itself.
    refit : bool
        Whether there is such a one.
    """

    def __init__(self, n, n_folds, rounds_, factor, n_jobs, refit):
        self.n_folds, self.rounds = n_folds, rounds_
        self.n_candidates = [n]
        for _ in rounds_[1:]:
            self.n_candidates.append(n_left(self.n_candidates[-1], factor))
        steps = np.diff([0, *rounds_]) * self.n_candidates * n_folds
        self.done = np.cumsum([0, *steps])  # epochs before each round, and before the last fit
        n_jobs = min(effective_n_jobs(n_jobs), n * n_folds)
        self.estimator = TimeEstimator(self.done[-1] + (rounds_[-1] * n_jobs if refit else 0))

    def begin(self, n_epochs):
        """Print the line of a round."""
        number = self.rounds.index(n_epochs)
        many = f"{self.n_candidates[number]} candidates on {self.n_folds} folds, up to {n_epochs} epochs"
        self._print(f"round {number + 1}/{len(self.rounds)}  {many}", number)

    def begin_refit(self):
        """Print the line of the last fit."""
        self._print("refit  the best candidate on all rows", len(self.rounds))

    def _print(self, line, number):
        self.estimator.update(self.done[number])
        print("  ".join(filter(None, [line, format_time_left(self.estimator.seconds_left())])), flush=True)


def halved(begun, candidates, folds, rounds_, factor, train):
    """Train all candidates on all folds for the epochs of the first round, the best of them for the next, and so on.

    Parameters
    ----------
    begun : list of estimator
        Each candidate, not fitted yet.
    candidates : list of dict
        Their parameters.
    folds : list of (ndarray, ndarray) tuples
        Rows to train on, and to test on.
    rounds_ : list of int
        Epochs of each round.
    factor : float
        ``1 / factor`` of them go on.
    train : callable
        ``train([(estimator, fold), ...], n_epochs) -> [(estimator, score), ...]``

    Returns
    -------
    rows : list of (dict, int, int, ndarray) tuples
        As `summary` takes them.
    n_candidates : list of int
        Of each round.
    """
    running = [[clone(estimator) for _ in folds] for estimator in begun]  # one on each fold, as it is after each round
    left, rows, n_candidates = list(range(len(candidates))), [], []
    for number, n_epochs in enumerate(rounds_):
        jobs = [(running[c][f], fold) for c in left for f, fold in enumerate(folds)]
        done = train(jobs, n_epochs)
        scores = np.array([score for _, score in done]).reshape(len(left), len(folds))
        for i, (c, own) in enumerate(zip(left, scores, strict=True)):
            running[c] = [estimator for estimator, _ in done[i * len(folds) : (i + 1) * len(folds)]]
            rows.append((candidates[c], number, n_epochs, own))
        n_candidates.append(len(left))
        order = np.argsort(-scores.mean(1), kind="stable")
        left = [left[i] for i in sorted(order[: n_left(len(left), factor)])]
    return rows, n_candidates


def summary(rows):
    """The attributes that say what was found.

    Parameters
    ----------
    rows : list of (dict, int, int, ndarray) tuples
        Of each candidate in each round: its parameters, the round, its epochs, and the scores of the folds.

    Returns
    -------
    attributes : dict
        "cv_results_", "best_index_", "best_params_" and "best_score_".
    """
    scores = np.array([own for *_, own in rows])
    number = np.array([number for _, number, _, _ in rows])
    mean = scores.mean(1)
    # Later rounds rank first, and scores within a round.
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


def n_epochs_of(embedder, n):
    """Epochs that an embedder asks for, on so many rows."""
    if embedder.max_epochs != "auto":
        return embedder.max_epochs
    from .._fitting._plan import auto_epochs

    return auto_epochs(n, embedder.batch_size, embedder.modality)


def rounds(first, last, factor):
    """Epochs of each round: `first`, then `factor` times as many, and `last` at the end."""
    epochs = [first]
    while epochs[-1] * factor < last:
        epochs.append(max(epochs[-1] + 1, int(epochs[-1] * factor)))
    return [*epochs, last] if epochs[-1] < last else [last]


def go_on(estimator, parameter, n_epochs, X, y, fold, fit_params, scorer):
    """Train one candidate up to so many epochs on one fold.  # -> estimator, score"""
    train, test = fold
    labels = None if y is None else _safe_indexing(y, train)
    estimator.set_params(**{parameter: n_epochs}).fit(_safe_indexing(X, train), labels, **fit_params)
    if y is None:
        return estimator, scorer(estimator, _safe_indexing(X, test))
    return estimator, scorer(estimator, _safe_indexing(X, test), _safe_indexing(y, test))

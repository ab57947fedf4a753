"""Scorers for searches without labels: the ``scoring=`` of any scikit-learn search."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import resample
from sklearn.utils.validation import _num_samples

from ._arrays import drop_incomplete
from ._clusters import cluster_agreement
from ._correlation import invariance, redundancy
from ._hypersphere import alignment, self_cluster, uniformity
from ._lidar import lidar
from ._neighbors import neighbor_agreement
from ._spectrum import alpha_req, effective_rank, rankme, stable_rank

N_ROWS = 2_000
MIN_ROWS = 10  # with fewer, the metrics hardly depend on the embedding: with two rows the cluster agreement is always 1


class LabelFreeScorer:
    """Make a scorer from a metric without labels, as `sklearn.metrics.make_scorer` does from metrics with labels.

    Searches call it as ``scorer(estimator, X)``; y is not used.

    Parameters
    ----------
    metric : callable
        Metric, called as ``metric(Z)`` for `n_views=0`, ``metric(Z_a, Z_b)`` for `n_views=2`, and otherwise
        ``metric(views)`` with an array of shape (n, n_views, d). The embeddings are the encoder's output, without
        columns that `passthrough` adds.
    n_views : int, default=0
        Number of views of each row. 0 means the embedding of the rows themselves.
    augmentation : "own", "auto", str or augmentation, default="auto"
        Augmentation that makes the views. "auto" is the default of the estimator's modality, so that all candidates are
        measured by the same views. "own" is the estimator's: it favours candidates that change rows least.
    greater_is_better : bool, default=True
        Whether a higher value of the metric is better. If False, the score is the negative of the metric.
    n_rows : int, default=2000
        Largest number of rows. If X has more, this many are drawn at random, the same for every estimator.
    random_state : int, default=0
        Seed of the drawn rows and of the views, so that candidates are compared on the same ones.
    **params : dict
        Further parameters of the metric.

    See Also
    --------
    get_scorer : Scorers by the names of these metrics.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.metrics import LabelFreeScorer, alignment
    >>> X = load_wine().data
    >>> embedder = BarlowTwinsEmbedder(max_epochs=1, random_state=0).fit(X)
    >>> scorer = LabelFreeScorer(alignment, n_views=2, greater_is_better=False, alpha=1)
    >>> -2 < scorer(embedder, X) < 0
    True
    """

    def __init__(
        self,
        metric,
        *,
        n_views=0,
        augmentation="auto",
        greater_is_better=True,
        n_rows=N_ROWS,
        random_state=0,
        **params,
    ):
        self.metric = metric
        self.n_views = n_views
        self.augmentation = augmentation
        self.sign = 1 if greater_is_better else -1
        self.n_rows = n_rows
        self.random_state = random_state
        self.params = params

    def __repr__(self):
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        name = getattr(self.metric, "__name__", repr(self.metric))
        negative = "" if self.sign > 0 else ", greater_is_better=False"
        return f"LabelFreeScorer({name}, n_views={self.n_views}{negative}{params})"

    def __call__(self, estimator, X, y=None):
        """Score a fitted transformer.

        Parameters
        ----------
        estimator : estimator
            Fitted transformer, or a pipeline that ends in one. A metric with views needs a `BarlowTwinsEmbedder`.
        X : array-like
            Rows, usually held out.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            Higher is better.

        Raises
        ------
        ValueError
            If X has fewer than 10 rows.
        TypeError
            If the estimator cannot embed rows or make views.
        """
        containers = getattr(estimator, "_by_view", lambda X: None)(X)  # one for each view
        parts = containers or {"X": X}
        check_enough_rows(next(iter(parts.values())))
        parts = {name: sample_rows(rows, self.n_rows, self.random_state) for name, rows in parts.items()}
        X = parts if containers else parts["X"]
        if self.n_views == 0:
            arrays = (embed(estimator, X),)
        else:
            views = embed_views(estimator, X, self.n_views, self.augmentation, self.random_state)
            arrays = (views[:, 0], views[:, 1]) if self.n_views == 2 else (views,)
        return self.sign * self.metric(*arrays, **self.params)


def check_enough_rows(X):
    """Refuse too few rows for a score."""
    n = _num_samples(X)
    if n < MIN_ROWS:
        raise ValueError(
            f"X has {n} row{'s' * (n != 1)}, too few for a score without labels. Give at least {MIN_ROWS}; in a "
            "search, use fewer folds."
        )


def sample_rows(X, n_rows, random_state):
    """Draw at most `n_rows` rows without replacement; the same rows for the same X."""
    if _num_samples(X) <= n_rows:
        return X
    return resample(X, replace=False, n_samples=n_rows, random_state=random_state)


def apply_earlier_steps(estimator, X):
    """Return a pipeline's last step and its input; any other estimator and X as they are."""
    if not isinstance(estimator, Pipeline):
        return estimator, X
    for _, step in estimator.steps[:-1]:
        X = X if step in (None, "passthrough") else step.transform(X)
    return estimator.steps[-1][1], X


def embed(estimator, X):
    """Embed rows, without the columns that an embedder's `passthrough` adds."""
    estimator, X = apply_earlier_steps(estimator, X)
    if not hasattr(estimator, "transform"):
        raise TypeError(
            f"This metric measures an embedding, but {type(estimator).__name__} has no method transform. Use a "
            "transformer, or a pipeline that ends in one; for a pipeline with a predictor use a score with labels."
        )
    passes = hasattr(estimator, "transform_views") and getattr(estimator, "passthrough", False) is not False
    if not passes:
        return estimator.transform(X)
    return embed_views(estimator, X, 1, "identity", 0)[:, 0]


def embed_views(estimator, X, n_views, augmentation, random_state):
    """Embed views of rows by an embedder or a pipeline that ends in one.  # (n, n_views, d)"""
    estimator, X = apply_earlier_steps(estimator, X)
    if not hasattr(estimator, "transform_views"):
        raise TypeError(
            f"This metric compares views of rows, but {type(estimator).__name__} cannot make views: it has no method "
            "transform_views. Use a BarlowTwinsEmbedder, a pipeline that ends in one, or a metric without views."
        )
    views = estimator.transform_views(X, n_views, augmentation=augmentation, random_state=random_state)
    return drop_incomplete(views)


def alpha_req_nearness(Z):
    """Score how near alpha-ReQ is to 1: ``1 / (1 + |alpha - 1|)``, in [0, 1]."""
    return 1 / (1 + abs(alpha_req(Z) - 1))


def neighbor_agreement_above_chance(Z_a, Z_b):
    """Measure neighbour agreement above chance, with fewer than 10 neighbours if there are few rows."""
    return neighbor_agreement(Z_a, Z_b, n_neighbors=int(np.clip(len(Z_a) - 1, 1, 10)), normalize=True)


SCORERS = {
    "alpha_req": (alpha_req_nearness, {}),
    "cluster_agreement": (cluster_agreement, {"n_views": 2}),
    "effective_rank": (effective_rank, {"normalize": True}),
    "lidar": (lidar, {"n_views": 10, "normalize": True}),
    "neg_alignment": (alignment, {"n_views": 2, "greater_is_better": False}),
    "neg_invariance": (invariance, {"n_views": 2, "greater_is_better": False}),
    "neg_redundancy": (redundancy, {"n_views": 2, "greater_is_better": False, "normalize": True}),
    "neg_self_cluster": (self_cluster, {"greater_is_better": False}),
    "neg_uniformity": (uniformity, {"greater_is_better": False}),
    "neighbor_agreement": (neighbor_agreement_above_chance, {"n_views": 2}),
    "rankme": (rankme, {"normalize": True}),
    "stable_rank": (stable_rank, {"normalize": True}),
}


def get_scorer_names():
    """Get the names of all scorers.

    Returns
    -------
    names : list of str
        Names for `get_scorer`, in alphabetical order.

    Examples
    --------
    >>> from sklearn_twins.metrics import get_scorer_names
    >>> get_scorer_names()[:3]
    ['alpha_req', 'cluster_agreement', 'effective_rank']
    """
    return sorted(SCORERS)


def get_scorer(name):
    """Get a scorer for searches without labels by its name.

    For all of them, higher is better. They are normalised, so that embeddings of different widths and numbers of rows
    can be compared: ranks are shares of the highest possible rank, redundancy is a mean over pairs, neighbour agreement
    is measured above chance, and alpha-ReQ by how near it is to 1.

    Parameters
    ----------
    name : str
        One of `get_scorer_names()`.

    Returns
    -------
    scorer : callable
        Scorer, called as ``scorer(estimator, X)``; it returns a float.

    Raises
    ------
    ValueError
        If the name is unknown.

    See Also
    --------
    get_scorer_names : The names of all scorers.
    LabelFreeScorer : A scorer from a metric of your own.
    sklearn_twins.BarlowTwinsEmbedder.score : The score that searches use by default, "cluster_agreement".

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_twins.metrics import get_scorer
    >>> X = load_wine().data
    >>> search = GridSearchCV(PCA(whiten=True), {"n_components": [2, 5]}, scoring=get_scorer("effective_rank"))
    >>> search.fit(X).best_params_["n_components"]
    2
    """
    if not isinstance(name, str) or name not in SCORERS:
        raise ValueError(f"name={name!r} is not known. Use one of {get_scorer_names()}, or make a `LabelFreeScorer`.")
    metric, params = SCORERS[name]
    return LabelFreeScorer(metric, **params)

"""Scorers for searches without labels: ``scoring=`` of every scikit-learn search, with no y."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import resample
from sklearn.utils.validation import _num_samples

from ._clusters import cluster_agreement
from ._correlation import invariance, redundancy
from ._hypersphere import alignment, self_cluster, uniformity
from ._lidar import lidar
from ._neighbors import neighbor_agreement
from ._spectrum import alpha_req, effective_rank, rankme, stable_rank

N_ROWS = 2_000


class LabelFreeScorer:
    """A scorer made of a metric, as `sklearn.metrics.make_scorer` makes them of metrics that need labels.

    Called as ``scorer(estimator, X)``, as scikit-learn's searches do; y is not used.

    Parameters
    ----------
    metric : callable
        Of an embedding ``(Z)``, without columns that are passed through beside it; with `n_views` of 2 of both views'
        ``(Z_a, Z_b)``; with more of the array of views.
    n_views : int, default=0
        How many views of each row the metric wants. 0 is none: the metric is given the rows' embedding.
    augmentation : "own", "auto", str or augmentation, default="auto"
        What makes the views. With "auto", the default of the estimator's modality, all candidates are measured by the
        same views; "own" are the estimator's, by which the candidate wins that changes rows least.
    greater_is_better : bool, default=True
        Whether the metric is; else the score is its negative.
    n_rows : int, default=2000
        Rows at most; of more, so many are drawn, the same ones for every estimator.
    random_state : int, default=0
        Seed of the rows drawn and of the views, so that candidates are compared on the same ones.
    **params : dict
        Further parameters of the metric.

    See Also
    --------
    get_scorer : Scorers of the metrics here, by their names.

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
            A fitted transformer, or a pipeline that ends in one. For views, a `BarlowTwinsEmbedder`.
        X : array-like
            Rows, held out as a rule.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            The higher, the better.
        """
        X = some_rows(X, self.n_rows, self.random_state)
        if self.n_views == 0:
            arrays = (embedding_of(estimator, X),)
        else:
            views = views_of(estimator, X, self.n_views, self.augmentation, self.random_state)
            arrays = (views[:, 0], views[:, 1]) if self.n_views == 2 else (views,)
        return self.sign * self.metric(*arrays, **self.params)


def some_rows(X, n_rows, random_state):
    """At most `n_rows` rows, drawn at random and the same for the same X."""
    if _num_samples(X) <= n_rows:
        return X
    return resample(X, replace=False, n_samples=n_rows, random_state=random_state)


def last_step(estimator, X):
    """An estimator and what it is given; of a pipeline the last step and what comes out of the ones before."""
    if not isinstance(estimator, Pipeline):
        return estimator, X
    for _, step in estimator.steps[:-1]:
        X = X if step in (None, "passthrough") else step.transform(X)
    return estimator.steps[-1][1], X


def embedding_of(estimator, X):
    """The embedding of rows; of an embedder what its encoder has learnt, whatever `transform` puts beside it."""
    estimator, X = last_step(estimator, X)
    passes = hasattr(estimator, "transform_views") and getattr(estimator, "passthrough", False) is not False
    if not passes:
        return estimator.transform(X)
    return views_of(estimator, X, 1, "identity", 0)[:, 0]


def views_of(estimator, X, n_views, augmentation, random_state):
    """Embeddings of views of rows, by an embedder or by a pipeline that ends in one.  # (n, n_views, d)"""
    estimator, X = last_step(estimator, X)
    if not hasattr(estimator, "transform_views"):
        raise TypeError(
            f"This metric compares views of rows, which {type(estimator).__name__} cannot make: it has no method "
            "transform_views. Use a BarlowTwinsEmbedder, a pipeline that ends in one, or a metric without views."
        )
    return estimator.transform_views(X, n_views, augmentation=augmentation, random_state=random_state)


def nearness_to_one(Z):
    """How near alpha-ReQ is to 1: ``1 / (1 + |alpha - 1|)``, in [0, 1]."""
    return 1 / (1 + abs(alpha_req(Z) - 1))


def agreement(Z_a, Z_b):
    """Neighbour agreement above chance, with fewer than 10 neighbours where there are few rows."""
    return neighbor_agreement(Z_a, Z_b, n_neighbors=int(np.clip(len(Z_a) - 1, 1, 10)), normalize=True)


SCORERS = {
    "alpha_req": (nearness_to_one, {}),
    "cluster_agreement": (cluster_agreement, {"n_views": 2}),
    "effective_rank": (effective_rank, {"normalize": True}),
    "lidar": (lidar, {"n_views": 10, "normalize": True}),
    "neg_alignment": (alignment, {"n_views": 2, "greater_is_better": False}),
    "neg_invariance": (invariance, {"n_views": 2, "greater_is_better": False}),
    "neg_redundancy": (redundancy, {"n_views": 2, "greater_is_better": False, "normalize": True}),
    "neg_self_cluster": (self_cluster, {"greater_is_better": False}),
    "neg_uniformity": (uniformity, {"greater_is_better": False}),
    "neighbor_agreement": (agreement, {"n_views": 2}),
    "rankme": (rankme, {"normalize": True}),
    "stable_rank": (stable_rank, {"normalize": True}),
}


def get_scorer_names():
    """Get the names that `get_scorer` knows.

    Returns
    -------
    names : list of str
        In alphabetical order.

    Examples
    --------
    >>> from sklearn_twins.metrics import get_scorer_names
    >>> get_scorer_names()[:3]
    ['alpha_req', 'cluster_agreement', 'effective_rank']
    """
    return sorted(SCORERS)


def get_scorer(name):
    """Get a scorer for searches without labels, by its name.

    All are the better the higher, and normalised so that widths and numbers of rows can be compared: ranks are shares
    of the highest possible one, redundancy is a mean over pairs, neighbour agreement is what exceeds chance, and of
    alpha-ReQ it is how near it is to 1.

    Parameters
    ----------
    name : str
        One of `get_scorer_names()`.

    Returns
    -------
    scorer : callable
        Called as ``scorer(estimator, X)``; returns a float.

    Raises
    ------
    ValueError
        If the name is unknown.

    See Also
    --------
    get_scorer_names : The names that it knows.
    LabelFreeScorer : A scorer of a metric of your own.
    sklearn_twins.BarlowTwinsEmbedder.score : One of these scorers, as searches use it by default.

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

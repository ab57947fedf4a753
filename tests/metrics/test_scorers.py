"""Scorers: what they measure, on which rows, of which estimators; in every search of scikit-learn's, without y."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_twins import metrics
from sklearn_twins.metrics import LabelFreeScorer, get_scorer, get_scorer_names

pytestmark = pytest.mark.usefixtures("one_thread")

GRID = {"n_components": [2, 4], "objective__off_diagonal_weight": [0.01, 0.1]}
OF_VIEWS = ["cluster_agreement", "lidar", "neg_alignment", "neg_invariance", "neg_redundancy", "neighbor_agreement"]
every_scorer = pytest.mark.parametrize("name", get_scorer_names())


class Fixed:
    """A transformer whose embedding, and views of it, are given."""

    def __init__(self, Z, views=None):
        self.Z, self.views = Z, views

    def transform(self, X):
        return self.Z[: len(X)]

    def transform_views(self, X, n_views, *, augmentation, random_state):
        return self.views[: len(X), :n_views]


@pytest.fixture
def fixed():
    """An embedding of 40 rows, and ten views that scatter around it."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(40, 5)) * [1, 2, 3, 4, 5]
    return Fixed(Z, Z[:, None] + 0.3 * rng.normal(size=(40, 10, 5)))


EXPECTED = {
    "alpha_req": lambda Z, views: 1 / (1 + abs(metrics.alpha_req(Z) - 1)),
    "cluster_agreement": lambda Z, views: metrics.cluster_agreement(views[:, 0], views[:, 1]),
    "effective_rank": lambda Z, views: metrics.effective_rank(Z) / 5,
    "lidar": lambda Z, views: metrics.lidar(views) / 5,
    "neg_alignment": lambda Z, views: -metrics.alignment(views[:, 0], views[:, 1]),
    "neg_invariance": lambda Z, views: -metrics.invariance(views[:, 0], views[:, 1]),
    "neg_redundancy": lambda Z, views: -metrics.redundancy(views[:, 0], views[:, 1]) / 20,
    "neg_self_cluster": lambda Z, views: -metrics.self_cluster(Z),
    "neg_uniformity": lambda Z, views: -metrics.uniformity(Z),
    "neighbor_agreement": lambda Z, views: metrics.neighbor_agreement(views[:, 0], views[:, 1], normalize=True),
    "rankme": lambda Z, views: metrics.rankme(Z) / 5,
    "stable_rank": lambda Z, views: metrics.stable_rank(Z) / 5,
}


@every_scorer
def test_scores_are_the_metrics(name, fixed):
    expected = EXPECTED[name](fixed.Z, fixed.views)
    assert get_scorer(name)(fixed, np.zeros((40, 1))) == pytest.approx(expected, rel=1e-12)
    assert get_scorer(name)(fixed, np.zeros((40, 1)), None) == pytest.approx(expected, rel=1e-12)


@every_scorer
def test_few_rows(name, make, X):
    """A fold may have few rows; what can be said of two is finite."""
    assert np.isfinite(get_scorer(name)(make().fit(X), X[:2]))


@every_scorer
def test_pickles(name, fixed):
    scorer = get_scorer(name)
    again = pickle.loads(pickle.dumps(scorer))
    assert again(fixed, np.zeros((40, 1))) == scorer(fixed, np.zeros((40, 1)))
    assert repr(again) == repr(scorer)


@every_scorer
def test_scores_are_reproducible(name, make, X):
    embedder = make().fit(X)
    assert get_scorer(name)(embedder, X) == get_scorer(name)(embedder, X)


@pytest.mark.slow
@every_scorer
def test_grid_search_without_labels(name, make, X):
    search = GridSearchCV(make(), GRID, scoring=get_scorer(name), cv=3, error_score="raise").fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and search.best_score_ == scores.max()
    assert search.transform(X).shape == (60, search.best_params_["n_components"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        lambda *args, **kwargs: RandomizedSearchCV(*args, n_iter=3, random_state=0, **kwargs),
        lambda *args, **kwargs: HalvingGridSearchCV(*args, random_state=0, **kwargs),
        lambda *args, **kwargs: HalvingGridSearchCV(
            *args, resource="max_epochs", min_resources=1, max_resources=4, factor=2, random_state=0, **kwargs
        ),
    ],
    ids=["randomized", "halving", "halving epochs"],
)
def test_other_searches_without_labels(kind, make, X):
    search = kind(make(), GRID, scoring=get_scorer("rankme"), cv=3, error_score="raise").fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.transform(X).shape == (60, search.best_params_["n_components"])


@pytest.mark.parametrize("routing", [False, True])
def test_several_scorers(make, X, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        scoring = {name: get_scorer(name) for name in ("rankme", "lidar")}
        search = GridSearchCV(make(), GRID, scoring=scoring, refit="lidar", cv=3, error_score="raise").fit(X)
    assert search.best_score_ == search.cv_results_["mean_test_lidar"].max()
    assert np.isfinite(search.cv_results_["mean_test_rankme"]).all()


@pytest.mark.slow
def test_in_processes(make, X):
    one, two = (
        GridSearchCV(make(), GRID, scoring=get_scorer("lidar"), cv=3, n_jobs=n_jobs).fit(X).cv_results_
        for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(one["mean_test_score"], two["mean_test_score"])


@pytest.mark.slow
def test_searches_without_scoring_use_the_embedders_own_score(make, X):
    own, named = (
        GridSearchCV(make(), GRID, scoring=scoring, cv=3).fit(X).cv_results_["mean_test_score"]
        for scoring in (None, get_scorer("cluster_agreement"))
    )
    np.testing.assert_array_equal(own, named)


def test_score(make, X):
    embedder = make().fit(X)
    assert embedder.score(X) == get_scorer("cluster_agreement")(embedder, X)
    assert embedder.score(X, np.arange(60)) == embedder.score(X)
    pipeline = make_pipeline(StandardScaler(), make()).fit(X)
    assert pipeline.score(X) == get_scorer("cluster_agreement")(pipeline, X)


def test_candidates_are_measured_by_the_same_views(make, X):
    """Else a search over corruption rates would be won by the one that changes rows least."""
    embedder = make().fit(X)
    score, own = embedder.score(X), LabelFreeScorer(metrics.invariance, n_views=2, augmentation="own")
    before = own(embedder, X)
    embedder.set_params(augmentation__corruption_rate=0.9)
    assert embedder.score(X) == score
    assert own(embedder, X) != before


@pytest.mark.parametrize("name", OF_VIEWS)
@pytest.mark.parametrize("between", [[], [StandardScaler()], [StandardScaler(), "passthrough"]])
def test_pipelines_that_end_in_an_embedder(name, between, make, X):
    frame = pd.DataFrame(X, columns=list("vwxyz"))
    pipeline = make_pipeline(*between, make()).fit(frame)
    before = make_pipeline(*between, FunctionTransformer()).fit(frame)
    assert get_scorer(name)(pipeline, frame) == get_scorer(name)(pipeline[-1], before.transform(frame))


def test_any_transformer_without_views(X):
    scores = cross_val_score(PCA(2), X, scoring=get_scorer("effective_rank"), cv=3, error_score="raise")
    assert ((scores > 0) & (scores <= 1)).all()
    with pytest.raises(TypeError, match="PCA cannot make: it has no method transform_views"):
        get_scorer("lidar")(PCA(2).fit(X), X)


def test_rows_are_drawn_once_for_all(fixed):
    """Of many rows some are drawn, the same ones for every candidate."""
    seen = []
    metric = lambda Z: seen.append(Z) or 0.0  # noqa: E731
    X = np.arange(50)[:, None]
    scorer = LabelFreeScorer(metric, n_rows=20)
    for _ in range(2):
        scorer(FunctionTransformer(), X)
    assert len(np.unique(seen[0])) == len(seen[0]) == 20
    np.testing.assert_array_equal(seen[0], seen[1])
    LabelFreeScorer(metric, n_rows=20, random_state=1)(FunctionTransformer(), X)
    assert not np.array_equal(seen[0], seen[2])
    LabelFreeScorer(metric, n_rows=50)(FunctionTransformer(), X)
    np.testing.assert_array_equal(seen[3], X)


def test_metrics_of_ones_own(fixed):
    spread = lambda Z, power: float((Z**power).mean())  # noqa: E731
    X = np.zeros((40, 1))
    assert LabelFreeScorer(spread, power=2)(fixed, X) == pytest.approx((fixed.Z**2).mean())
    opposite = LabelFreeScorer(spread, power=2, greater_is_better=False)
    assert opposite(fixed, X) == -LabelFreeScorer(spread, power=2)(fixed, X)
    assert LabelFreeScorer(lambda views: float(views.shape[1]), n_views=7)(fixed, X) == 7


def test_unknown_names():
    with pytest.raises(ValueError, match=r"name='rank_me' is not known. Use one of \['alpha_req', "):
        get_scorer("rank_me")

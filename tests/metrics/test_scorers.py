"""Scorers: what they measure, on which rows, of which estimators; in every search of scikit-learn's, without y."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_twins import BarlowTwinsEmbedder, metrics
from sklearn_twins.metrics import LabelFreeScorer, get_scorer, get_scorer_names
from sklearn_twins.networks import MLPEncoder, MLPProjector

pytestmark = pytest.mark.usefixtures("one_thread")

GRID = {"n_components": [2, 4]}
ROWS = np.random.default_rng(0).normal(size=(60, 3)) @ np.random.default_rng(1).normal(size=(3, 5))
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


@pytest.fixture(scope="module")
def embedder():
    """A small embedder, fitted."""
    parts = {"encoder": MLPEncoder(hidden_dims=(8,)), "projector": MLPProjector(projection_dim=8)}
    return BarlowTwinsEmbedder(**parts, max_epochs=2, random_state=0).fit(ROWS)


@every_scorer
def test_few_rows_pickles_and_again(name, embedder):
    """A fold may have few rows: the score of ten is finite. Pickled, a scorer gives the same."""
    scorer = get_scorer(name)
    again = pickle.loads(pickle.dumps(scorer))
    score = scorer(embedder, ROWS[:10])
    assert np.isfinite(score) and again(embedder, ROWS[:10]) == score
    assert repr(again) == repr(scorer)


@pytest.mark.parametrize("routing", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_searches_without_labels(make, X, routing):
    """With all scorers at once; without scoring, a search uses the embedder's own."""
    scoring = {name: get_scorer(name) for name in get_scorer_names()}
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(make(), GRID, scoring=scoring, refit="lidar", cv=2, error_score="raise").fit(X)
    results = search.cv_results_
    assert all(np.isfinite(results[f"mean_test_{name}"]).all() for name in scoring)
    assert search.best_score_ == results["mean_test_lidar"].max()
    assert search.transform(X).shape == (60, search.best_params_["n_components"])
    own = GridSearchCV(make(), GRID, cv=2).fit(X).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(own, results["mean_test_cluster_agreement"])


def test_halving_without_labels(make, X):
    """Over rows: the scorer is given few of them."""
    grid = {"n_components": [2, 4]}
    search = HalvingGridSearchCV(make(), grid, scoring=get_scorer("rankme"), factor=2, cv=2, random_state=0)
    assert np.isfinite(search.set_params(error_score="raise").fit(X).cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.transform(X).shape == (60, search.best_params_["n_components"])


def test_score(make, X, embedder):
    scorer = get_scorer("cluster_agreement")
    assert embedder.score(X) == embedder.score(X, np.arange(60)) == scorer(embedder, X)
    pipeline = make_pipeline(StandardScaler(), make(max_epochs=1)).fit(X)
    assert pipeline.score(X) == scorer(pipeline, X)


def test_candidates_are_measured_by_the_same_views(make, X):
    """Else a search over corruption rates would choose the one that changes rows least."""
    embedder = make().fit(X)
    score, own = embedder.score(X), LabelFreeScorer(metrics.invariance, n_views=2, augmentation="own")
    before = own(embedder, X)
    embedder.set_params(augmentation__corruption_rate=0.9)
    assert embedder.score(X) == score
    assert own(embedder, X) != before


@pytest.mark.parametrize("steps", [[], [StandardScaler()], [StandardScaler(), "passthrough"]])
def test_pipelines_that_end_in_an_embedder(steps, make, X):
    frame = pd.DataFrame(X, columns=list("vwxyz"))
    pipeline = make_pipeline(*steps, make(max_epochs=1)).fit(frame)
    before = make_pipeline(*steps, FunctionTransformer()).fit(frame)
    for name in get_scorer_names():
        assert get_scorer(name)(pipeline, frame) == get_scorer(name)(pipeline[-1], before.transform(frame)), name


def test_columns_that_pass_through_are_not_scored(make, X):
    embedders = [make(passthrough=passthrough).fit(X) for passthrough in (True, False)]
    scores = [get_scorer("rankme")(embedder, X) for embedder in embedders]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_any_transformer_without_views(X):
    scores = cross_val_score(PCA(2), X, scoring=get_scorer("effective_rank"), cv=3, error_score="raise")
    assert ((scores > 0) & (scores <= 1)).all()
    with pytest.raises(TypeError, match="PCA cannot make views: it has no method transform_views"):
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


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_too_few_rows_for_a_score(make, X, n):
    """Two rows always agree: their score would say nothing of the embedding."""
    embedder = make().fit(X)
    few = rf"X has {n} rows?, too few for a score without labels. Give at least 10"
    with pytest.raises(ValueError, match=few):
        embedder.score(X[:n])
    for name in get_scorer_names():
        with pytest.raises(ValueError, match=few):
            get_scorer(name)(embedder, X[:n])
    assert np.isfinite(embedder.score(X[:10]))


def test_a_predictor_has_no_embedding(make, X):
    pipeline = make_pipeline(make(), LogisticRegression()).fit(X, np.arange(len(X)) % 2)
    with pytest.raises(TypeError, match=r"LogisticRegression has no method transform\. Use a transformer"):
        get_scorer("rankme")(pipeline, X)

"""A grid search whose embedders are trained as one stack: the results are GridSearchCV's."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.model_selection import BatchedGridSearchCV

pytestmark = pytest.mark.slow

GRID = {
    "embedder__learning_rate": [0.001, 0.004],
    "embedder__augmentation__corruption_rate": [0.1, 0.4],
    "classifier__C": [0.1, 10.0],
}
TIMES = ("fit_time", "score_time")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    return rng.normal(size=(90, 6)) + 2 * np.eye(3)[y] @ rng.normal(size=(3, 6)), y


def pipeline(embedder):
    return Pipeline([("scale", StandardScaler()), ("embedder", embedder), ("classifier", LogisticRegression())])


def assert_same_results(batched, ordinary, atol=1e-9):
    assert batched.cv_results_.keys() == ordinary.cv_results_.keys()
    assert batched.cv_results_["params"] == ordinary.cv_results_["params"]
    for name, values in ordinary.cv_results_.items():
        if name.endswith("_score"):
            assert_allclose(batched.cv_results_[name], values, atol=atol, err_msg=name)
    assert batched.best_params_ == ordinary.best_params_


def test_the_results_are_those_of_a_grid_search(make, data):
    batched = BatchedGridSearchCV(pipeline(make()), GRID, max_batch=32, cv=3).fit(*data)
    assert_same_results(batched, GridSearchCV(pipeline(make()), GRID, cv=3).fit(*data))
    assert batched.stack_sizes_ == [12]  # 4 embedders of 3 folds; the classifier's setting needs none of its own
    assert batched.training_time_ > 0


@pytest.mark.slow
def test_on_a_cpu_they_are_fitted_one_by_one_but_once(make, data):
    embedder = make(device="cpu")
    batched = BatchedGridSearchCV(pipeline(embedder), GRID, cv=3).fit(*data)
    assert_same_results(batched, GridSearchCV(pipeline(embedder), GRID, cv=3).fit(*data), atol=0)
    assert batched.stack_sizes_ == [1] * 12


@pytest.mark.slow
def test_it_is_used_as_one(make, data):
    X, y = data
    search = BatchedGridSearchCV(
        pipeline(make()), GRID, max_batch=32, cv=KFold(3), scoring="f1_macro", return_train_score=True
    )
    search = clone(search).fit(X, y)
    assert type(search.best_estimator_["embedder"]) is BarlowTwinsEmbedder
    assert_array_equal(search.predict(X), search.best_estimator_.predict(X))
    assert 0 <= search.score(X, y) <= 1 and search.n_features_in_ == 6
    whole = clone(pipeline(make())).set_params(**search.best_params_).fit(X, y)
    assert_array_equal(whole.predict_proba(X), search.predict_proba(X))  # the refit is a fit by itself


def test_without_labels(make, data):
    grid = {"learning_rate": [0.001, 0.004]}
    batched = BatchedGridSearchCV(make(), grid, max_batch=32, cv=3).fit(data[0])
    assert_same_results(batched, GridSearchCV(make(), grid, cv=3).fit(data[0]), atol=0.02)
    assert batched.stack_sizes_ == [6]


@pytest.mark.slow
def test_several_grids_scores_and_threads(make, data):
    grids = [{"embedder__n_components": [3]}, {"embedder__objective": ["hsic", "vicreg"]}]
    params = {"scoring": ["accuracy", "balanced_accuracy"], "refit": "accuracy", "cv": 2}
    batched = BatchedGridSearchCV(pipeline(make()), grids, max_batch=32, n_jobs=2, **params).fit(*data)
    assert_same_results(batched, GridSearchCV(pipeline(make()), grids, **params).fit(*data))
    assert sorted(batched.stack_sizes_) == [1, 1, 2, 2]


@pytest.mark.slow
def test_unlabeled_rows(make, data):
    X, y = data
    params = {"embedder__unlabeled": X[60:]}
    flat = Pipeline([("embedder", make()), ("classifier", LogisticRegression())])
    batched = BatchedGridSearchCV(flat, GRID, max_batch=32, cv=2).fit(X[:60], y[:60], **params)
    assert_same_results(batched, GridSearchCV(flat, GRID, cv=2).fit(X[:60], y[:60], **params))
    with sklearn.config_context(enable_metadata_routing=True):
        flat.named_steps["embedder"].set_fit_request(unlabeled=True)
        routed = BatchedGridSearchCV(flat, GRID, max_batch=32, cv=2).fit(X[:60], y[:60], unlabeled=X[60:])
    assert_same_results(routed, batched)


@pytest.mark.slow
def test_embedders_are_not_trained_again(make, data, monkeypatch):
    fits = []
    fit = BarlowTwinsEmbedder.fit
    monkeypatch.setattr(BarlowTwinsEmbedder, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k))
    BatchedGridSearchCV(pipeline(make()), GRID, max_batch=32, cv=3).fit(*data)
    assert len(fits) == 1  # the refit


def test_said_if_asked(make, data, capsys):
    BatchedGridSearchCV(make(), {"learning_rate": [0.001]}, max_batch=32, cv=2, verbose=1).fit(data[0])
    assert "Trained 2 embedders in 1 stack(s) of [2]" in capsys.readouterr().out


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), make_column_transformer((BarlowTwinsEmbedder(), [0])), Pipeline([("s", StandardScaler())])],
)
def test_estimators_without_an_embedder_are_refused(estimator, data):
    with pytest.raises(TypeError, match="must be a BarlowTwinsEmbedder, or a Pipeline with one"):
        BatchedGridSearchCV(estimator, {}).fit(*data)


def test_bad_sizes_are_refused(make, data):
    with pytest.raises(ValueError, match="max_batch"):
        BatchedGridSearchCV(make(), {}, max_batch=0).fit(data[0])

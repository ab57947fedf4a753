"""A grid search whose embedders are trained in stacks: the results are GridSearchCV's."""

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

GRID = {
    "embedder__learning_rate": [0.001, 0.004],
    "embedder__augmentation__corruption_rate": [0.1, 0.4],
    "classifier__C": [0.1, 10.0],
}


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


@pytest.mark.slow
def test_the_results_are_those_of_a_grid_search(make, data, monkeypatch, capsys):
    """4 embedders for each of 2 folds, one stack or one by one: the classifier's setting needs none of its own.

    On a CPU they are fitted one by one, to the same bits. No embedder but that of the refit is fitted again.
    """
    embedder = make(device="cpu")
    ordinary = GridSearchCV(pipeline(embedder), GRID, cv=2).fit(*data)
    fits, fit = [], BarlowTwinsEmbedder.fit
    monkeypatch.setattr(BarlowTwinsEmbedder, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k))
    batched = BatchedGridSearchCV(pipeline(embedder), GRID, max_batch=32, cv=2, verbose=1).fit(*data)
    assert_same_results(batched, ordinary)
    assert batched.stack_sizes_ == [8] and batched.training_time_ > 0 and len(fits) == 1
    assert "Trained 8 embedders in 1 stack(s) of [8]" in capsys.readouterr().out
    one_by_one = BatchedGridSearchCV(pipeline(embedder), GRID, cv=2).fit(*data)
    assert_same_results(one_by_one, ordinary, atol=0)
    assert one_by_one.stack_sizes_ == [1] * 8


@pytest.mark.slow
def test_it_is_used_as_one(make, data):
    """The best estimator has a plain embedder, with its column names and requests for metadata."""
    X, y = data
    embedder = make().set_output(transform="pandas")
    with sklearn.config_context(enable_metadata_routing=True):
        embedder.set_fit_request(unlabeled=True)
    grid = {"embedder__learning_rate": [0.001, 0.004]}
    params = {"cv": KFold(2), "scoring": "f1_macro", "return_train_score": True}
    search = clone(BatchedGridSearchCV(pipeline(embedder), grid, max_batch=32, **params)).fit(X, y)
    best = search.best_estimator_["embedder"]
    assert type(best) is BarlowTwinsEmbedder
    assert best.get_metadata_routing().fit.requests == {"unlabeled": True, "groups": None}
    assert list(search.best_estimator_[-1].feature_names_in_) == list(best.get_feature_names_out())
    assert_array_equal(search.predict(X), search.best_estimator_.predict(X))
    assert 0 <= search.score(X, y) <= 1 and search.n_features_in_ == 6
    whole = clone(pipeline(embedder)).set_params(**search.best_params_).fit(X, y)
    assert_array_equal(whole.predict_proba(X), search.predict_proba(X))  # the refit is a fit by itself


@pytest.mark.slow
def test_without_labels(make, data):
    grid = {"learning_rate": [0.001, 0.004]}
    batched = BatchedGridSearchCV(make(), grid, max_batch=32, cv=2).fit(data[0])
    assert_same_results(batched, GridSearchCV(make(), grid, cv=2).fit(data[0]), atol=0.02)
    assert batched.stack_sizes_ == [4] and type(batched.best_estimator_) is BarlowTwinsEmbedder
    assert batched.transform(data[0]).shape == (90, 14)


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
    grid, params = {"embedder__learning_rate": [0.001, 0.004]}, {"embedder__unlabeled": X[60:]}
    flat = Pipeline([("embedder", make()), ("classifier", LogisticRegression())])
    batched = BatchedGridSearchCV(flat, grid, max_batch=32, cv=2).fit(X[:60], y[:60], **params)
    assert_same_results(batched, GridSearchCV(flat, grid, cv=2).fit(X[:60], y[:60], **params))
    with sklearn.config_context(enable_metadata_routing=True):
        flat.named_steps["embedder"].set_fit_request(unlabeled=True)
        routed = BatchedGridSearchCV(flat, grid, max_batch=32, cv=2).fit(X[:60], y[:60], unlabeled=X[60:])
    assert_same_results(routed, batched)


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), make_column_transformer((BarlowTwinsEmbedder(), [0])), Pipeline([("s", StandardScaler())])],
)
def test_estimators_without_an_embedder_are_refused(estimator, data):
    with pytest.raises(
        TypeError, match="must be a BarlowTwinsEmbedder or MultiViewEmbedder, or a Pipeline with exactly one"
    ):
        BatchedGridSearchCV(estimator, {}).fit(*data)

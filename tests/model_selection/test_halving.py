"""Successive halving in which survivors continue from their weights."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.model_selection import EpochHalvingSearchCV
from sklearn_twins.model_selection._halving import get_max_epochs, n_survivors, plan_rounds, run_rounds

RATES = [0.0005, 0.001, 0.002, 0.004]
GRID = {"embedder__learning_rate": RATES}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    return rng.normal(size=(90, 6)) + np.eye(3)[y] @ rng.normal(size=(3, 6)), y


def pipeline(embedder):
    return Pipeline([("scale", StandardScaler()), ("embedder", embedder), ("classifier", LogisticRegression())])


@pytest.mark.parametrize(
    ("first", "last", "factor", "expected"),
    [
        (5, 45, 3, [5, 15, 45]),
        (5, 50, 3, [5, 15, 45, 50]),
        (5, 5, 3, [5]),
        (5, 2, 3, [2]),
        (1, 3, 1.5, [1, 2, 3]),
        (2, 7, 1.5, [2, 3, 4, 6, 7]),
    ],
)
def test_rounds(first, last, factor, expected):
    assert plan_rounds(first, last, factor) == expected


def test_survivors_are_rounded_up():
    assert [n_survivors(n, 3) for n in (1, 2, 3, 4, 9, 10)] == [1, 1, 1, 2, 3, 4]


def test_the_best_survive():
    """Of given scores, by their mean over the folds; survivors keep their order and their estimators."""
    scores = {"a": [0.1, 0.9], "b": [0.7, 0.7], "c": [0.3, 0.1], "d": [0.6, 0.5]}
    candidates = [{"name": name} for name in scores]
    trained = []

    def train(jobs, n_epochs):
        trained.append((n_epochs, [estimator.C for estimator, _ in jobs]))
        return [(estimator, scores["abcd"[estimator.C]][fold]) for estimator, fold in jobs]

    estimators = [LogisticRegression(C=i) for i in range(4)]
    rows, n_candidates = run_rounds(estimators, candidates, [0, 1], [1, 2, 3], 2, train)
    assert trained == [(1, [0, 0, 1, 1, 2, 2, 3, 3]), (2, [1, 1, 3, 3]), (3, [1, 1])]
    assert n_candidates == [4, 2, 1]
    assert [(params["name"], number, n_epochs) for params, number, n_epochs, _ in rows[4:]] == [
        ("b", 1, 2),
        ("d", 1, 2),
        ("b", 2, 3),
    ]
    assert_array_equal(rows[0][3], scores["a"])


def test_epochs_of_an_embedder():
    assert get_max_epochs(BarlowTwinsEmbedder(max_epochs=7), 1_000) == 7
    assert get_max_epochs(BarlowTwinsEmbedder(), 25_600) == 10  # 1,000 steps


@pytest.mark.slow
def test_survivors_continue(make, data):
    """The best ones survive; at a constant rate, a run in rounds is the run in one: the scores of a grid search."""
    X, y = data
    embedder = make(max_epochs=3, lr_schedule="constant")
    search = EpochHalvingSearchCV(pipeline(embedder), GRID, factor=2, min_epochs=1, cv=2).fit(X, y)
    assert (search.n_epochs_, search.n_candidates_) == ([1, 2, 3], [4, 2, 1])
    assert search.n_trained_epochs_ == 2 * (4 * 1 + 2 * 1 + 1 * 1)
    results = search.cv_results_
    for number in (0, 1):
        here, later = results["iter"] == number, results["iter"] == number + 1
        survivors = [results["params"][i] for i in np.flatnonzero(later)]
        best = sorted(np.flatnonzero(here), key=lambda i: -results["mean_test_score"][i])[: len(survivors)]
        assert sorted(map(str, survivors)) == sorted(str(results["params"][i]) for i in best)
    assert search.best_index_ == 6 and search.best_params_ == results["params"][6]
    assert results["rank_test_score"][6] == 1 and min(results["rank_test_score"][results["iter"] == 0]) > 3
    splits = np.column_stack([results[f"split{f}_test_score"] for f in range(2)])
    assert_allclose(splits.mean(1), results["mean_test_score"])
    assert_allclose(splits.std(1), results["std_test_score"])
    whole = GridSearchCV(pipeline(embedder), {k: [v] for k, v in search.best_params_.items()}, cv=2).fit(X, y)
    assert search.best_score_ == pytest.approx(whole.best_score_, abs=1e-12)
    assert_array_equal(search.predict_proba(X), whole.predict_proba(X))


@pytest.mark.slow
def test_one_round_is_a_grid_search(make, data):
    X, y = data
    search = EpochHalvingSearchCV(pipeline(make()), GRID, min_epochs=9, cv=2).fit(X, y)
    whole = GridSearchCV(pipeline(make()), GRID, cv=2).fit(X, y)
    assert search.n_epochs_ == [2]
    assert_allclose(search.cv_results_["mean_test_score"], whole.cv_results_["mean_test_score"])
    assert search.best_params_ == whole.best_params_ and search.score(X, y) == whole.score(X, y)


@pytest.mark.slow
def test_without_labels(make, data):
    search = EpochHalvingSearchCV(make(max_epochs=2), {"learning_rate": RATES[:2]}, factor=2, min_epochs=1, cv=2)
    search = clone(search).fit(data[0])
    assert search.transform(data[0]).shape == (90, 14)
    assert not hasattr(search, "predict")
    assert not search.best_estimator_.warm_start


@pytest.mark.slow
def test_it_is_a_search_like_any_other(make, data):
    """A classifier if its estimator is one, so that folds around it are stratified; with all of its methods."""
    X, y = data
    search = EpochHalvingSearchCV(pipeline(make(max_epochs=1)), {"classifier__C": [0.1, 1]}, cv=2)
    assert is_classifier(search) and not is_classifier(EpochHalvingSearchCV(make(), {}))
    assert search.fit(X, y).decision_function(X).shape == (90, 3) and search.n_features_in_ == 6
    assert_array_equal(search.classes_, [0, 1, 2])
    assert np.isfinite(cross_val_score(search, X, y, cv=2, error_score="raise")).all()


def test_unlabeled_rows_and_no_refit(make, data):
    X, y = data
    flat = Pipeline([("embedder", make(max_epochs=1)), ("classifier", LogisticRegression())])
    search = EpochHalvingSearchCV(flat, {"classifier__C": [0.1, 1]}, cv=2, refit=False)
    search.fit(X[:60], y[:60], embedder__unlabeled=X[60:])
    assert not hasattr(search, "best_estimator_") and 0 <= search.best_score_ <= 1


@pytest.mark.slow
@pytest.mark.parametrize("routing", [False, True])
def test_groups(routing, make, data):
    """They reach the splitter, and with metadata routing the embedder, for the rows of the fold."""
    X, groups = data[0], np.arange(90) // 3
    params = {"max_epochs": 1, "random_state": 0}
    with sklearn.config_context(enable_metadata_routing=routing):
        embedder = make(**params).set_fit_request(groups=True) if routing else make(**params)
        search = EpochHalvingSearchCV(embedder, {"n_components": [3]}, cv=GroupKFold(2)).fit(X, groups=groups)
    expected = make(**params, n_components=3).fit(X, groups=groups if routing else None)
    assert_array_equal(search.best_estimator_.transform(X), expected.transform(X))


def test_a_memory_is_refused(make, data, tmp_path):
    remembering = pipeline(make()).set_params(memory=str(tmp_path))
    with pytest.raises(ValueError, match="memory=None"):
        EpochHalvingSearchCV(remembering, GRID).fit(*data)
    in_a_pipeline = EpochHalvingSearchCV(pipeline(make()), {"embedder__max_epochs": [1, 2]})
    with pytest.raises(ValueError, match="embedder__max_epochs"):
        in_a_pipeline.fit(*data)

"""Searches by other engines: pruning by Optuna, and a cluster of dask.distributed."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

pytestmark = pytest.mark.slow


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    return rng.normal(size=(120, 6)) + 2 * np.eye(3)[y] @ rng.normal(size=(3, 6)), y


def test_optuna_prunes(make, data):
    """A candidate with one column stops after its first epoch; the other is trained further epoch by epoch."""
    optuna = pytest.importorskip("optuna")
    X, y = data
    epochs = []

    def objective(trial):
        embedder, Z = make(), X[:, : trial.suggest_int("n_columns", 1, 6)]
        for epoch in range(3):
            embedder.partial_fit(Z)
            classifier = LogisticRegression().fit(embedder.transform(Z)[::2], y[::2])
            score = classifier.score(embedder.transform(Z)[1::2], y[1::2])
            trial.report(score, epoch)
            epochs.append((trial.number, embedder.n_iter_))
            if trial.should_prune():
                raise optuna.TrialPruned
        return score

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.ThresholdPruner(lower=0.9))
    study.enqueue_trial({"n_columns": 6})
    study.enqueue_trial({"n_columns": 1})
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert epochs == [(0, 1), (0, 2), (0, 3), (1, 1)]


def test_a_cluster_of_dask(make, data):
    """A worker in a process of its own gives what this process gives."""
    distributed = pytest.importorskip("distributed")
    pipeline = make_pipeline(make(), LogisticRegression())
    grid = {"barlowtwinsembedder__learning_rate": [0.001, 0.01]}
    here = GridSearchCV(pipeline, grid, cv=2).fit(*data)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster), joblib.parallel_config("dask"):
            there = GridSearchCV(pipeline, grid, cv=2).fit(*data)
    assert_array_equal(there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])

"""Wrong arguments of searches: refused before training, and the search stays unfitted."""

import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import MarginalCorruption
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV

nan = float("nan")
X = np.random.default_rng(0).normal(size=(30, 4))
y = np.arange(30) % 2
GRID = {"n_components": [2, 3]}
SEARCHES = [BatchedGridSearchCV, EpochHalvingSearchCV]

# grid -> words; of both searches
GRIDS = [
    ({"nonsense": [1]}, "nonsense", "learning_rate"),
    ({"encoder__nonsense": [1]}, "nonsense", "hidden_dims"),
    ({"learning_rate": 0.1}, "learning_rate", "0.1", "list"),
    ({"learning_rate": "auto"}, "learning_rate", "'auto'", "list"),
    ({"learning_rate": []}, "learning_rate", "[]", "non-empty"),
    ([], "param_grid", "[]", "dict of lists"),
    (None, "None", "dict"),
    (3, "3", "dict"),
    ({"learning_rate": [0.1, -1]}, "learning_rate", "-1"),
    ({"learning_rate": [0.1, True]}, "learning_rate", "True"),
    ({"encoder__hidden_dims": [(8,), (0,)]}, "hidden_dims", "(0,)"),
    ({"augmentation": [MarginalCorruption(), MarginalCorruption(corruption_rate=2)]}, "corruption_rate", "2"),
    ({"objective": ["hsic", "nonsense"]}, "objective", "'nonsense'"),
    ({"objective": ["hsic", lambda z: z]}, "objective", "(z_a, z_b)"),
    ({"callbacks": [None, 3]}, "callbacks", "3"),
    ({"optimizer": ["adamw", "adam"]}, "optimizer", "'adam'"),
]
# parameters of the search -> words; of both
PARAMETERS = [
    ({"estimator": 3}, "estimator", "3", "BarlowTwinsEmbedder"),
    ({"estimator": LogisticRegression()}, "estimator", "LogisticRegression()", "GridSearchCV"),
    ({"estimator": make_pipeline(LogisticRegression())}, "estimator", "Pipeline", "GridSearchCV"),
    ({"estimator": BarlowTwinsEmbedder}, "estimator", "BarlowTwinsEmbedder", "GridSearchCV"),
    ({"cv": 1}, "1", "2"),
    ({"cv": 100}, "100", "30"),
    ({"cv": "a"}, "a", "iterable"),
    ({"scoring": "nonsense"}, "scoring", "'nonsense'"),
    ({"scoring": 3}, "scoring", "3"),
    ({"scoring": "accuracy"}, "scoring='accuracy'", "predict", "sklearn_twins.metrics"),
    ({"n_jobs": "a"}, "n_jobs"),
]
BATCHED = [
    ({"max_batch": 0}, "max_batch", "0"),
    ({"max_batch": 1.5}, "max_batch", "float"),
    ({"max_batch": "many"}, "max_batch", "str"),
    ({"error_score": "x"}, "error_score", "'x'"),
    ({"return_train_score": "x"}, "return_train_score", "'x'"),
    ({"refit": 3}, "refit", "3"),
]
HALVING = [
    ({"factor": 1}, "factor", "1"),
    ({"factor": "a"}, "factor", "str"),
    ({"factor": nan}, "factor=nan", "above 1"),
    ({"min_epochs": 0}, "min_epochs", "0"),
    ({"min_epochs": 1.5}, "min_epochs", "float"),
    ({"refit": "x"}, "refit='x'", "True or False"),
    ({"param_grid": {"max_epochs": [1]}}, "max_epochs", "Take it out"),
    ({"param_grid": {"warm_start": [True]}}, "warm_start", "Take it out"),
]
# X, y -> words
DATA = [
    (None, y, "NoneType"),
    (X[:, 0], y, "Expected 2D array, got 1D array"),
    (X, y[:3], "inconsistent numbers of samples: [30, 3]", "one label"),
    (np.where(X > 1, np.inf, X), y, "infinity", "column"),
    (X[:3], None, "1 sample", "minimum of 2"),
]


@pytest.fixture
def stays_unfitted(make, refuses):
    """Both of what must hold: no step of training, and no attribute of a fitted search."""

    def stays_unfitted(words, kind, X=X, y=y, **params):
        search = kind(**{"estimator": make(), "param_grid": GRID, "cv": 2, **params})
        before = dict(vars(search))
        refuses(words, search.fit, X, y)
        assert vars(search) == before

    return stays_unfitted


def named(case):
    """A case in a few words, which are the same in every process."""
    return re.sub(r" at 0x\w+", "", str(case))[:50]


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("case", GRIDS, ids=[named(grid) for grid, *_ in GRIDS])
def test_grid(stays_unfitted, kind, case):
    grid, *words = case
    stays_unfitted(words, kind, param_grid=grid)


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("case", PARAMETERS, ids=[named(params) for params, *_ in PARAMETERS])
def test_parameter(stays_unfitted, kind, case):
    params, *words = case
    stays_unfitted(words, kind, **params)


@pytest.mark.parametrize("case", BATCHED, ids=[str(params) for params, *_ in BATCHED])
def test_parameter_of_the_batched(stays_unfitted, case):
    params, *words = case
    stays_unfitted(words, BatchedGridSearchCV, **params)


@pytest.mark.parametrize("case", HALVING, ids=[str(params) for params, *_ in HALVING])
def test_parameter_of_halving(stays_unfitted, case):
    params, *words = case
    stays_unfitted(words, EpochHalvingSearchCV, **params)


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("case", DATA, ids=["nothing", "one axis", "labels", "infinity", "few rows"])
def test_data(stays_unfitted, kind, case):
    X, y, *words = case
    stays_unfitted(words, kind, X, y)


def test_a_function_without_a_name(stays_unfitted):
    grid = {"objective": ["hsic", lambda z_a, z_b: (z_a - z_b).square().sum()]}
    stays_unfitted(["BatchedGridSearchCV", "pickled", "defined in a module"], BatchedGridSearchCV, param_grid=grid)


@pytest.mark.parametrize("kind", SEARCHES)
def test_no_labels(make, stays_unfitted, kind):
    estimator, grid = make_pipeline(make(), LogisticRegression()), {"barlowtwinsembedder__n_components": [2]}
    stays_unfitted(["LogisticRegression", "y=None"], kind, y=None, estimator=estimator, param_grid=grid)


def test_a_search_that_fails_stays_what_it_was(make, refuses):
    search = EpochHalvingSearchCV(make(), GRID, cv=2, min_epochs=1).fit(X)
    before = dict(vars(search))
    refuses(["infinity"], search.fit, np.where(X > 1, np.inf, X))
    assert vars(search) == before

"""An embedder among scikit-learn's tools: searches, pipelines with a memory, unions, frozen, with metadata routed."""

import contextlib
import io
import os
import signal
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import Chain, GaussianNoise, Identity, MarginalCorruption, Masking, Mixup, Pair
from sklearn_twins.model_selection import EpochHalvingSearchCV
from sklearn_twins.networks import MLPEncoder
from sklearn_twins.objectives import HSIC, BarlowTwins

# One parameter of every role, reached through the names that stand in a default embedder.
ROLES = {
    "embedder__preprocessor__clip": [2.0, 4.0],
    "embedder__augmentation__corruption_rate": [0.1, 0.5],
    "embedder__encoder__hidden_dims": [(8,), (16, 8)],
    "embedder__projector__projection_dim": [8, 16],
    "embedder__objective__off_diagonal_weight": [0.01, 0.1],
}

HASH = """
import joblib
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import Chain, GaussianNoise, Masking
embedder = BarlowTwinsEmbedder(augmentation=Chain([("a", Masking()), ("b", GaussianNoise())]))
print(joblib.hash(embedder.set_params(encoder__hidden_dims=(8,), objective__off_diagonal_weight=0.1)))
"""


@pytest.fixture
def data():
    """A table with two classes."""
    return make_classification(n_samples=90, n_features=6, random_state=0)


@pytest.fixture
def pipeline():
    """The default embedder, for fewer epochs, before a classifier."""
    embedder = BarlowTwinsEmbedder(max_epochs=1, random_state=0)
    return Pipeline([("embedder", embedder), ("classifier", LogisticRegression())])


@pytest.fixture
def small(make):
    """A small embedder before a classifier."""
    return Pipeline([("embedder", make()), ("classifier", LogisticRegression())])


def searched(search, data):
    """Run a search in which no candidate may fail."""
    search.set_params(error_score="raise").fit(*data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_["embedder"].transform(data[0]).shape[0] == 90
    return search


def reached(estimator, name):
    return estimator.get_params()[name]


@pytest.mark.slow
def test_grid_search(pipeline, data):
    """Over one parameter of every role; the search leaves its estimator alone."""
    before = repr(pipeline.get_params(deep=False)), joblib.hash(pipeline)
    search = searched(GridSearchCV(pipeline, [{name: values} for name, values in ROLES.items()], cv=2), data)
    assert len(search.cv_results_["params"]) == 10
    for name, value in search.best_params_.items():
        assert reached(search.best_estimator_, name) == value
    assert (repr(pipeline.get_params(deep=False)), joblib.hash(pipeline)) == before


@pytest.mark.slow
def test_randomized_search(pipeline, data):
    search = searched(RandomizedSearchCV(pipeline, ROLES, n_iter=2, cv=2, random_state=0), data)
    assert search.best_params_.keys() == ROLES.keys()
    for name, value in search.best_params_.items():
        assert reached(search.best_estimator_, name) == value


@pytest.mark.slow
def test_halving_search(small, data):
    grid = {"embedder__objective__off_diagonal_weight": [0.01, 0.1]}
    epochs = {"resource": "embedder__max_epochs", "min_resources": 1, "max_resources": 2, "factor": 2}
    search = searched(HalvingGridSearchCV(small, grid, **epochs, cv=2, random_state=0), data)
    assert search.n_resources_ == [1, 2]
    assert search.best_estimator_["embedder"].n_iter_ == search.best_params_["embedder__max_epochs"]


@pytest.mark.slow
def test_in_processes(small, data):
    """The results of one process, also of a search within a cross-validation and of survivors that are sent back.

    A worker that is killed ends a search at once, by joblib's own error.
    """

    class Kills(Callback):
        def on_epoch_end(self, net, **kwargs):
            os.kill(os.getpid(), signal.SIGKILL)

    grid = {"embedder__random_state": [0, 1]}
    one, two = (searched(GridSearchCV(small, grid, cv=2, n_jobs=n_jobs), data) for n_jobs in (1, 2))
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert_array_equal(one.best_estimator_.predict_proba(data[0]), two.best_estimator_.predict_proba(data[0]))
    one, two = (
        EpochHalvingSearchCV(small, grid, factor=2, min_epochs=1, cv=2, n_jobs=n_jobs).fit(*data) for n_jobs in (1, 2)
    )
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    one, two = (
        cross_val_score(GridSearchCV(small, grid, cv=2, n_jobs=n_jobs), *data, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2)
    )
    assert_array_equal(one, two)
    wide = make_pipeline(BarlowTwinsEmbedder(max_epochs=1, random_state=0), Ridge())  # torch shares out its products
    X = np.random.default_rng(1).normal(size=(600, 20))
    one, two = (cross_val_predict(wide, X, X[:, 0], cv=2, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert_array_equal(one, two)
    small.set_params(embedder__callbacks=[Kills()])
    with pytest.raises(TerminatedWorkerError):
        GridSearchCV(small, grid, cv=2, n_jobs=2).fit(*data)


@pytest.mark.parametrize("objective", ["barlow_twins", "hsic"])
def test_name_and_its_parameter_at_once(objective):
    embedder = BarlowTwinsEmbedder().set_params(objective__off_diagonal_weight=0.3, objective=objective)
    assert isinstance(embedder.objective, {"barlow_twins": BarlowTwins, "hsic": HSIC}[objective])
    assert embedder.objective.off_diagonal_weight == 0.3


@pytest.mark.slow
def test_grid_over_objectives_and_their_parameter(small, data):
    """A name with a parameter set is the component with that parameter: equal candidates get equal scores."""
    grid = [
        {"embedder__objective": ["hsic", BarlowTwins()], "embedder__objective__off_diagonal_weight": [0.02, 0.1]},
        {"embedder__objective": [HSIC(off_diagonal_weight=0.02)]},
    ]
    search = searched(GridSearchCV(small, grid, cv=2), data)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 5 and scores[0] == scores[4]
    assert reached(small, "embedder__objective") == "auto"


@pytest.mark.slow
def test_grid_over_augmentations(small, data):
    chain = Chain([("hide", Masking()), ("noise", GaussianNoise())])
    grid = [
        {"embedder__augmentation": ["identity", Mixup(max_weight=0.1)]},
        {"embedder__augmentation": [chain], "embedder__augmentation__noise__scale": [0.1, 0.2]},
        {"embedder__augmentation": [chain], "embedder__augmentation__hide": [Identity(), Masking(mask_rate=0.1)]},
        {
            "embedder__augmentation": [Pair(Identity(), MarginalCorruption())],
            "embedder__augmentation__view_b__corruption_rate": [0.1, 0.2],
        },
    ]
    search = searched(GridSearchCV(small, grid, cv=2), data)
    assert len(search.cv_results_["params"]) == 8
    assert chain.get_params()["noise__scale"] == 0.1


@pytest.mark.slow
def test_nested_parameters_change_the_fit(pipeline, data):
    X, _ = data
    default = clone(pipeline["embedder"]).fit_transform(X)
    for name, values in ROLES.items():
        other = clone(pipeline).set_params(**{name: values[0]})["embedder"].fit_transform(X)
        assert default.shape != other.shape or not np.array_equal(default, other), name


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("preprocessor__nonsense", ["clip"]),
        ("augmentation__nonsense", ["corruption_rate"]),
        ("encoder__nonsense", ["hidden_dims"]),
        ("projector__nonsense", ["hidden_dims", "projection_dim"]),
        ("objective__nonsense", ["off_diagonal_weight"]),
        ("nonsense", ["augmentation", "n_components", "max_epochs"]),
    ],
)
@pytest.mark.parametrize("through", ["embedder", "pipeline"])
def test_wrong_name(pipeline, name, valid, through):
    estimator = pipeline if through == "pipeline" else pipeline["embedder"]
    prefix = "embedder__" if through == "pipeline" else ""
    with pytest.raises(ValueError, match="nonsense") as caught:
        estimator.set_params(**{prefix + name: 1})
    assert all(repr(word) in str(caught.value) for word in valid)


def test_wrong_name_for_the_component_that_stands_there(pipeline):
    with pytest.raises(ValueError, match=r"corruption_rate.*Masking.*mask_rate"):
        pipeline.set_params(embedder__augmentation="masking", embedder__augmentation__corruption_rate=0.1)


def test_no_parameters_in_a_callable():
    embedder = BarlowTwinsEmbedder(augmentation=lambda x, data, generator: x.clone())
    with pytest.raises(ValueError, match="augmentation"):
        embedder.set_params(augmentation__scale=1)


def test_get_params_reaches_components():
    params = BarlowTwinsEmbedder(encoder=MLPEncoder(hidden_dims=(8,))).get_params()
    assert params["encoder__hidden_dims"] == (8,)
    assert params["augmentation"] == "auto"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Persisting input arguments took")  # joblib's, of a busy machine
def test_memory_is_hit(make, data, tmp_path, capsys):
    """Cached is the very same fit: its clock readings are those of the first."""
    steps = [("embedder", make()), ("classifier", LogisticRegression())]
    first = Pipeline(steps, memory=str(tmp_path / "a")).fit(*data)
    second = clone(first).set_params(classifier__C=0.1).fit(*data)
    for column in first["embedder"].history_:
        assert_array_equal(first["embedder"].history_[column], second["embedder"].history_[column])
    assert_array_equal(first["embedder"].transform(data[0]), second["embedder"].transform(data[0]))
    assert clone(first).set_params(embedder__max_epochs=3).fit(*data)["embedder"].n_iter_ == 3
    pipeline = Pipeline(steps, memory=joblib.Memory(tmp_path / "b", verbose=1))
    grid = {"classifier__C": [0.1, 1, 10], "embedder__augmentation__corruption_rate": [0.1, 0.2]}
    searched(GridSearchCV(pipeline, grid, cv=2), data)
    assert capsys.readouterr().out.count("[Memory] Calling") == 2 * 2 + 1  # and the refit


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"augmentation": Chain([("hide", Masking()), ("noise", GaussianNoise())])},
        {"augmentation": Pair(Identity(), MarginalCorruption()), "objective": HSIC()},
    ],
    ids=["default", "chain", "pair"],
)
def test_parameters_hash_alike(params):
    embedder = BarlowTwinsEmbedder(**params)
    assert (
        joblib.hash(clone(embedder)) == joblib.hash(embedder) == joblib.hash(BarlowTwinsEmbedder(**clone_all(params)))
    )
    changed = clone(embedder).set_params(objective__off_diagonal_weight=0.5)
    assert joblib.hash(changed) != joblib.hash(embedder)


def clone_all(params):
    return {name: clone(part) for name, part in params.items()}


@pytest.mark.slow
def test_parameters_hash_alike_in_every_process():
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run([sys.executable, "-c", HASH], env=environment, capture_output=True, text=True, check=True)
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(HASH, {})
    assert done.stdout == here.getvalue() != ""


@pytest.mark.slow
def test_frozen(make, data, recorder, fingerprint):
    X, y = data
    embedder = make().fit(X)
    embedder.set_params(callbacks=[recorder])
    before = fingerprint(embedder)
    frozen = FrozenEstimator(embedder)
    pipeline = Pipeline([("embedder", frozen), ("classifier", LogisticRegression())]).fit(X[:40], y[:40])
    assert_array_equal(pipeline[:-1].transform(X), embedder.transform(X))
    assert clone(frozen).estimator is embedder
    search = GridSearchCV(pipeline, {"classifier__C": [0.1, 1]}, cv=2).fit(X, y)
    assert search.best_estimator_["embedder"].estimator is embedder
    assert recorder.batches == 0
    assert fingerprint(embedder) == before


@pytest.mark.slow
def test_feature_union(make, data):
    X, y = data
    union = FeatureUnion([("learned", make(n_components=3)), ("linear", PCA(2))])
    assert union.fit_transform(X).shape == (90, 5)
    assert_array_equal(union.transform(X)[:, :3], make(n_components=3).fit_transform(X))
    assert list(union.get_feature_names_out())[:3] == [f"learned__barlowtwinsembedder{i}" for i in range(3)]
    assert cross_val_score(Pipeline([("all", union), ("classifier", LogisticRegression())]), X, y, cv=2).all()


@pytest.mark.slow
def test_column_transformer(make, data):
    X, _ = data
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(6)]).assign(kind="a")
    columns = ColumnTransformer(
        [("learned", make(), ["x0", "x1", "x2"]), ("scaled", StandardScaler(), ["x3"])], remainder="drop"
    ).set_output(transform="pandas")
    out = columns.fit_transform(frame)
    assert out.shape == (90, 8 + 3 + 1)
    learned = [f"learned__barlowtwinsembedder{i}" for i in range(8)]
    assert list(out.columns) == [*learned, "learned__x0", "learned__x1", "learned__x2", "scaled__x3"]
    assert list(columns.named_transformers_["learned"].feature_names_in_) == ["x0", "x1", "x2"]
    numbers = ColumnTransformer([("learned", make(), make_column_selector(dtype_include=np.number))])
    assert numbers.fit_transform(frame).shape == (90, 8 + 6)
    pipeline = Pipeline([("columns", columns), ("classifier", LogisticRegression())])
    grid = {"columns__learned__augmentation__corruption_rate": [0.1, 0.3]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(frame, data[1])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("transform", ["pandas", "polars"])
def test_output_frames(make, data, transform):
    X, _ = data
    frame = make().set_output(transform=transform).fit_transform(X)
    names = [*(f"barlowtwinsembedder{i}" for i in range(8)), *(f"x{j}" for j in range(6))]
    assert list(frame.columns) == names
    assert_array_equal(frame.to_numpy(), make().fit_transform(X))


@pytest.mark.slow
def test_metadata_routing(make, data):
    X, y = data
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = LogisticRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = Pipeline([("embedder", make()), ("classifier", classifier)])
        weights = np.where(y == 1, 5.0, 1.0)
        weighed = clone(pipeline).fit(X, y, sample_weight=weights).predict_proba(X)
        assert not np.array_equal(weighed, clone(pipeline).fit(X, y).predict_proba(X))
        search = GridSearchCV(pipeline, {"embedder__augmentation": ["masking", "mixup"]}, cv=2, error_score="raise")
        search.fit(X, y)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        union = FeatureUnion([("learned", make()), ("linear", PCA(2))])
        assert union.fit(X, y).transform(X).shape == (90, 8 + 6 + 2)
        assert make().get_metadata_routing().consumes("fit", ["sample_weight"]) == set()


def test_sample_weight_is_refused(make, data):
    X, y = data
    with pytest.raises(TypeError, match="sample_weight"):
        make().fit(X, y, sample_weight=np.ones(90))


def test_repr_and_html(make, data):
    embedder = make(objective="hsic").fit(data[0])
    assert "MLPEncoder" in repr(embedder)
    assert "objective='hsic'" in repr(embedder)
    assert "MLPEncoder" in embedder._repr_html_()

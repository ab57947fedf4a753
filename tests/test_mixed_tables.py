"""The embedder on tables with columns of every kind: fit, transform, warm start, copies and searches."""

import pickle
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from builders import small_embedder
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_twins.augmentations import Chain, GaussianNoise, Masking
from sklearn_twins.networks import MLPEncoder, ResNetEncoder
from sklearn_twins.preprocessing import TablePreprocessor

pytestmark = pytest.mark.slow


def customers(n=60, seed=0):
    """A frame with columns of every kind, with missing values in all but one."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(8, 1, n),
            "cards": pd.array(rng.poisson(2, n), dtype="Int64"),
            "newsletter": pd.array(rng.random(n) < 0.3, dtype="boolean"),
            "job": rng.choice(["nurse", "clerk", "", "driver"], n),
            "town": pd.Categorical(rng.choice([f"town {i}" for i in range(20)], n)),
            "opened": pd.Timestamp("2020-02-29") + pd.to_timedelta(rng.integers(0, 10**8, n), unit="s"),
            "longest call": pd.to_timedelta(rng.gamma(2, 100, n), unit="s"),
        }
    )
    gaps = pd.DataFrame(rng.random(frame.shape) < 0.15, columns=frame.columns).assign(cards=False)
    return frame.mask(gaps)


PARTS = {
    "default": {},
    "masking": {"augmentation": "masking"},
    "noise": {"augmentation": Chain([("hide", Masking()), ("noise", GaussianNoise())])},
    "mixup": {"augmentation": "mixup"},
    "resnet": {"encoder": ResNetEncoder(width=8, n_blocks=1)},
    "piecewise linear": {"encoder": MLPEncoder((8,), expansion="piecewise_linear")},
    "periodic": {"encoder": MLPEncoder((8,), expansion="periodic")},
    "by rank": {"preprocessor": TablePreprocessor(scaling="quantile", max_categories=5)},
    "own network": {"encoder": lambda spec: nn.Sequential(nn.Linear(spec.n_inputs, 8), nn.ReLU())},
}


@pytest.fixture(scope="module")
def fitted():
    """An embedder fitted on the customers, which no test changes."""
    return small_embedder().fit(customers())


@pytest.mark.parametrize("parts", PARTS)
def test_every_part_takes_every_column(make, tmp_path, parts):
    """Copies and a second fit give the same embedding."""
    frame = customers()
    embedder = make(**PARTS[parts]).fit(frame)
    embedding = embedder.transform(frame)
    beside = 0 if parts == "own network" else embedder.preprocessor_.spec_.n_inputs
    assert embedding.shape == (60, 8 + beside) and np.isfinite(embedding).all()
    assert embedding[:, :8].std(axis=0).max() > 0.01
    assert_array_equal(clone(embedder).fit(frame).transform(frame), embedding)
    if parts != "own network":  # a lambda cannot be pickled
        for twin in (pickle.loads(pickle.dumps(embedder)), joblib.load(joblib.dump(embedder, tmp_path / "twin")[0])):
            assert_array_equal(twin.transform(frame), embedding)
            assert joblib.hash(twin) == joblib.hash(embedder)


def test_frame_is_left_alone(make):
    frame = customers()
    before = frame.copy(deep=True)
    make().fit(frame).transform(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_each_column_matters(make):
    """Changing the values of any single column changes the embedding."""
    frame = customers()
    embedder = make(passthrough=False).fit(frame)
    embedding = embedder.transform(frame)
    for name in frame:
        shifted = frame.assign(**{name: np.roll(frame[name].array, 1)})
        assert not np.array_equal(embedder.transform(shifted.astype(frame.dtypes)), embedding), name


@pytest.mark.filterwarnings("ignore:Input X holds many categories")
def test_unseen_categories(fitted):
    """They are equal to each other, and different from the categories seen in fit."""
    frame = customers()
    first, second = (fitted.transform(frame.assign(job=job)) for job in ("astronaut", b"diver"))
    assert_array_equal(first, second)
    assert np.isfinite(first).all()
    assert not np.array_equal(first, fitted.transform(frame.assign(job="nurse")))
    assert len(np.unique(first, axis=0)) > 50


def test_empty_rows(fitted):
    frame = customers()
    for nothing in (None, np.nan, pd.NA, pd.NaT):
        empty = pd.DataFrame(nothing, index=range(3), columns=frame.columns, dtype=object)
        embedding = fitted.transform(empty)
        assert np.isfinite(embedding).all() and np.ptp(embedding, axis=0).max() < 1e-6
        assert_array_equal(fitted.transform(pd.concat([frame.astype(object), empty]))[-3:], embedding)


@pytest.mark.parametrize("name", list(customers()))
def test_one_column_alone(make, name):
    assert np.isfinite(make().fit_transform(customers()[[name]])).all()


def test_errors_name_the_column(fitted, fingerprint):
    frame = customers()
    before = fingerprint(fitted)
    for bad, words in {
        "income": (["much"] * 60, r"column 'income'.*'much'"),
        "cards": ([float("inf")] * 60, r"infinity.*column 'cards'"),
        "opened": (["1 May"] * 60, r"column 'opened'.*'1 May'.*to_datetime"),
        "longest call": ([3.0] * 60, r"column 'longest call'.*3\.0"),
    }.items():
        values, message = words
        with pytest.raises(ValueError, match=message):
            fitted.transform(frame.assign(**{bad: values}))
    assert fingerprint(fitted) == before


def test_other_columns_raise_scikit_learns_errors(fitted):
    frame = customers()
    for other, message in (
        (frame[frame.columns[::-1]], "Feature names must be in the same order as they were in fit"),
        (frame.drop(columns="job"), "Feature names seen at fit time, yet now missing:\n- job"),
        (frame.assign(extra=1), "Feature names unseen at fit time:\n- extra"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.transform(other)


@pytest.mark.filterwarnings("ignore:Input X holds many categories")
def test_continued_training(make):
    """With `warm_start` and `partial_fit`, on rows with other categories, missing values and types."""
    frame, other = customers(), customers(seed=1).assign(job="astronaut")
    embedder = make(warm_start=True).fit(frame).set_params(max_epochs=4).fit(other).partial_fit(other.astype(object))
    assert embedder.n_iter_ == 5
    assert np.isfinite(embedder.transform(frame)).all()
    steady = {"warm_start": True, "lr_schedule": "constant"}
    whole = make(**steady, max_epochs=4).fit(frame)
    halves = make(**steady).fit(frame).set_params(max_epochs=4).fit(frame)
    assert_array_equal(halves.transform(frame), whole.transform(frame))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA can use")
@pytest.mark.parametrize("parts", [name for name in PARTS if name != "own network"])
def test_every_part_takes_every_column_on_a_gpu(make, parts):
    frame = customers()
    embedder = make(**PARTS[parts], device="cuda").fit(frame)
    embedding = embedder.transform(frame)
    assert embedding.shape[0] == 60 and np.isfinite(embedding).all() and embedding[:, :8].std(axis=0).max() > 0.01
    np.testing.assert_allclose(pickle.loads(pickle.dumps(embedder)).transform(frame), embedding, atol=0.05)


def test_the_preprocessor_cannot_change_in_continued_training(make):
    frame = customers()
    embedder = make(warm_start=True, preprocessor=TablePreprocessor(np.arange(2))).fit(frame)
    embedder.set_params(max_epochs=3, preprocessor__categorical_features=[0, 1]).fit(frame)
    with pytest.raises(ValueError, match="preprocessor cannot change"):
        embedder.set_params(max_epochs=4, preprocessor__categorical_features=[0]).fit(frame)


def test_rare_categories_are_not_stored(make):
    embedder = make(batch_size=256, preprocessor=TablePreprocessor(["id"]))
    few, many = (
        len(pickle.dumps(embedder.fit(pd.DataFrame({"id": [f"{i:05}-x" for i in range(n)]})))) for n in (300, 3_000)
    )
    assert many < few + 500


def test_search_through_names(make):
    frame = customers()
    y = (frame["cards"] > 2).to_numpy(dtype=int)
    pipeline = make_pipeline(make(preprocessor="auto"), LogisticRegression())
    scaling, most = (f"barlowtwinsembedder__preprocessor__{name}" for name in ("scaling", "max_categories"))
    grid = [{scaling: ["robust"], most: [3]}, {scaling: ["quantile"], most: [None]}]
    found = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(frame, y)
    assert len(found.cv_results_["params"]) == 2 and np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_next_to_raw_columns(make):
    """In a FeatureUnion and a ColumnTransformer, as arrays and frames."""
    frame, alone = customers(), make(passthrough=False)
    union = make_union(alone, TablePreprocessor()).fit(frame)
    assert union.transform(frame).shape == (60, 8 + union.transformer_list[1][1].spec_.shape[0])
    columns = make_column_transformer((alone, ["job", "town", "opened"]), (StandardScaler(), ["income"]))
    out = columns.set_output(transform="pandas").fit_transform(frame)
    assert out.columns[0] == "barlowtwinsembedder__barlowtwinsembedder0" and out.shape == (60, 9)


@pytest.mark.parametrize("form", ["frame", "objects", "numbers"])
def test_peak_of_memory(form):
    """Making samples takes at most 2.5 times their size, in addition to X."""
    frame = customers(14_000)
    X = {"frame": frame, "objects": frame.astype(object).to_numpy(), "numbers": np.zeros((14_000, 14)) + 1.0}[form]
    TablePreprocessor().fit_transform(X[:100])  # imports and caches
    tracemalloc.start()
    try:
        samples = TablePreprocessor().fit_transform(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert samples.nbytes >= 700_000
    assert peak <= 2.5 * samples.nbytes

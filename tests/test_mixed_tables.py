"""The whole embedder on tables as people have them: what it accepts later, goes on from, keeps, and searches over."""

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
    """A frame with columns of every kind, and gaps in all but one of them."""
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
    "a network of one's own": {"encoder": lambda spec: nn.Sequential(nn.Linear(spec.n_inputs, 8), nn.ReLU())},
}


@pytest.fixture(scope="module")
def fitted():
    """An embedder of the customers, which no test changes."""
    return small_embedder().fit(customers())


@pytest.mark.parametrize("parts", PARTS)
def test_every_part_takes_every_column(make, tmp_path, parts):
    """Also as a copy, and fitted again."""
    frame = customers()
    embedder = make(**PARTS[parts]).fit(frame)
    embedding = embedder.transform(frame)
    beside = 0 if parts == "a network of one's own" else embedder.preprocessor_.spec_.n_inputs
    assert embedding.shape == (60, 8 + beside) and np.isfinite(embedding).all()
    assert embedding[:, :8].std(axis=0).max() > 0.01
    assert_array_equal(clone(embedder).fit(frame).transform(frame), embedding)
    if parts != "a network of one's own":  # a lambda cannot be pickled
        for twin in (pickle.loads(pickle.dumps(embedder)), joblib.load(joblib.dump(embedder, tmp_path / "twin")[0])):
            assert_array_equal(twin.transform(frame), embedding)
            assert joblib.hash(twin) == joblib.hash(embedder)


def test_frame_is_left_alone(make):
    frame = customers()
    before = frame.copy(deep=True)
    make().fit(frame).transform(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_each_column_has_a_say(make):
    """Another value in any one column is another embedding."""
    frame = customers()
    embedder = make(passthrough=False).fit(frame)
    embedding = embedder.transform(frame)
    for name in frame:
        shifted = frame.assign(**{name: np.roll(frame[name].array, 1)})
        assert not np.array_equal(embedder.transform(shifted.astype(frame.dtypes)), embedding), name


def test_unseen_categories(fitted):
    """They are all alike, and unlike those that were seen; nothing else of the row is lost."""
    frame = customers()
    first, second = (fitted.transform(frame.assign(job=job)) for job in ("astronaut", 7))
    assert_array_equal(first, second)
    assert np.isfinite(first).all()
    assert not np.array_equal(first, fitted.transform(frame.assign(job="nurse")))
    assert len(np.unique(first, axis=0)) > 50


def test_rows_with_nothing_in_them(fitted):
    frame = customers()
    for nothing in (None, np.nan, pd.NA, pd.NaT):
        empty = pd.DataFrame(nothing, index=range(3), columns=frame.columns, dtype=object)
        embedding = fitted.transform(empty)
        assert np.isfinite(embedding).all() and np.ptp(embedding, axis=0).max() < 1e-6
        assert_array_equal(fitted.transform(pd.concat([frame.astype(object), empty]))[-3:], embedding)


@pytest.mark.parametrize("name", list(customers()))
def test_one_column_alone(make, name):
    assert np.isfinite(make().fit_transform(customers()[[name]])).all()


def test_refused_by_the_name_of_the_column(fitted, fingerprint):
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


def test_columns_are_checked_in_scikit_learns_words(fitted):
    frame = customers()
    for other, message in (
        (frame[frame.columns[::-1]], "Feature names must be in the same order as they were in fit"),
        (frame.drop(columns="job"), "Feature names seen at fit time, yet now missing:\n- job"),
        (frame.assign(extra=1), "Feature names unseen at fit time:\n- extra"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.transform(other)


def test_going_on(make):
    """With a warm start or in a stream, on rows with other categories, gaps and types than the first."""
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
@pytest.mark.parametrize("parts", [name for name in PARTS if name != "a network of one's own"])
def test_every_part_takes_every_column_on_a_gpu(make, parts):
    frame = customers()
    embedder = make(**PARTS[parts], device="cuda").fit(frame)
    embedding = embedder.transform(frame)
    assert embedding.shape[0] == 60 and np.isfinite(embedding).all() and embedding[:, :8].std(axis=0).max() > 0.01
    np.testing.assert_allclose(pickle.loads(pickle.dumps(embedder)).transform(frame), embedding, atol=0.05)


def test_a_changed_preprocessor_is_refused_to_go_on(make):
    frame = customers()
    embedder = make(warm_start=True, preprocessor=TablePreprocessor(np.arange(2))).fit(frame)
    embedder.set_params(max_epochs=3, preprocessor__categorical_features=[0, 1]).fit(frame)
    with pytest.raises(ValueError, match="preprocessor cannot change"):
        embedder.set_params(max_epochs=4, preprocessor__categorical_features=[0]).fit(frame)


def test_nothing_of_many_categories_is_kept(make):
    few, many = (
        len(pickle.dumps(make(batch_size=256).fit(pd.DataFrame({"id": [f"{i:05}-x" for i in range(n)]}))))
        for n in (300, 3_000)
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


def test_beside_raw_columns(make):
    """In a FeatureUnion and a ColumnTransformer, as frames or arrays."""
    frame, alone = customers(), make(passthrough=False)
    union = make_union(alone, TablePreprocessor()).fit(frame)
    assert union.transform(frame).shape == (60, 8 + union.transformer_list[1][1].spec_.shape[0])
    columns = make_column_transformer((alone, ["job", "town", "opened"]), (StandardScaler(), ["income"]))
    out = columns.set_output(transform="pandas").fit_transform(frame)
    assert out.columns[0] == "barlowtwinsembedder__barlowtwinsembedder0" and out.shape == (60, 9)


@pytest.mark.parametrize("form", ["frame", "objects", "numbers"])
def test_peak_of_memory(form):
    """Samples of 700 kilobytes take no more than 2.5 times themselves to make, beside X."""
    frame = customers(14_000)
    X = {"frame": frame, "objects": frame.astype(object).to_numpy(), "numbers": np.zeros((14_000, 14)) + 1.0}[form]
    TablePreprocessor().fit_transform(X[:100])  # what is imported and cached the first time
    tracemalloc.start()
    try:
        samples = TablePreprocessor().fit_transform(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert samples.nbytes >= 700_000
    assert peak <= 2.5 * samples.nbytes

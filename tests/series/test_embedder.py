"""Embedders of time series: bits, files, ONNX, pictures, diagnosis, search; scikit-learn's own checks."""

import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder, MultiViewEmbedder, trusted_types
from sklearn_twins.augmentations import Chain, Jitter, TimeMask
from sklearn_twins.displays import ViewsDisplay
from sklearn_twins.networks import MiniRocketEncoder, MLPProjector, SeriesResNetEncoder
from sklearn_twins.preprocessing import SeriesPreprocessor

pytestmark = pytest.mark.usefixtures("one_thread")


def make(encoder=None, preprocessor=None, **params):
    """An embedder of series that fits in a fraction of a second."""
    defaults = {
        "modality": "series",
        "encoder": encoder or MiniRocketEncoder(hidden_dims=(8,)),
        "preprocessor": preprocessor or SeriesPreprocessor(n_kernel_features=168),
        "projector": MLPProjector((8,), 8),
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    return BarlowTwinsEmbedder(**{**defaults, **params})


def waves(n=48, channels=2, length=30):
    return np.random.default_rng(0).normal(size=(n, channels, length)).cumsum(2)


def unequal():
    return [series[:, : 12 + i % 19] for i, series in enumerate(waves())]


CASES = {
    "rows": lambda: (waves(channels=1)[:, 0], {}),
    "channels": lambda: (waves(), {}),
    "unequal": lambda: (unequal(), {}),
    "series": lambda: (waves(), {"preprocessor": SeriesPreprocessor(scaling="series", n_kernel_features=84)}),
    "no kernels": lambda: (
        unequal(),
        {"encoder": SeriesResNetEncoder(widths=(4,)), "preprocessor": SeriesPreprocessor(n_kernel_features=0)},
    ),
}


@pytest.mark.slow
@parametrize_with_checks([make()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    X, params = CASES[request.param]()
    return make(**params).fit(X), X


def test_a_series_has_the_same_bits_alone_and_in_any_batch(fitted):
    embedder, X = fitted
    Z = embedder.transform(X)
    assert np.isfinite(Z).all()
    for i in (0, 17):
        np.testing.assert_array_equal(embedder.transform(X[i : i + 1])[0], Z[i])
    np.testing.assert_array_equal(embedder.transform(X[::-1]), Z[::-1])


def test_the_same_seed_gives_the_same_bits(fitted):
    embedder, X = fitted
    np.testing.assert_array_equal(embedder._unfitted().fit(X).transform(X), embedder.transform(X))


def test_files(fitted, tmp_path):
    skops = pytest.importorskip("skops.io")
    embedder, X = fitted
    embedder.save(tmp_path / "a.safetensors")
    skops.dump(embedder, tmp_path / "a.skops")
    for other in (
        pickle.loads(pickle.dumps(embedder)),
        BarlowTwinsEmbedder.load(tmp_path / "a.safetensors"),
        skops.load(tmp_path / "a.skops", trusted=trusted_types(tmp_path / "a.skops")),
    ):
        np.testing.assert_array_equal(other.transform(X), embedder.transform(X))


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_registry")
@pytest.mark.parametrize("case", ["rows", "unequal", "series"])
def test_onnx(case, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    X, params = CASES[case]()
    embedder = make(**params).fit(X)
    spec = embedder.preprocessor_.spec_
    if case == "unequal":
        rows = np.full((len(X), spec.n_channels, spec.length), np.nan)
        for row, series in zip(rows, X, strict=True):
            row[:, : series.shape[1]] = series
    else:
        rows = X.copy()
    embedder.to_onnx(tmp_path / "a.onnx")
    session = runtime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": rows})[0], embedder.transform(X), rtol=1e-4, atol=1e-4)
    rows[1].flat[0], rows[2] = np.inf, np.nan
    refused = np.isnan(session.run(None, {"X": rows})[0]).all(1)
    assert np.flatnonzero(refused).tolist() == [1, 2]


def test_onnx_refuses_series_that_are_shortened(tmp_path):
    pytest.importorskip("onnxscript")
    shortened = SeriesPreprocessor(max_length=10, longer="cut", n_kernel_features=84)
    embedder = make(preprocessor=shortened, max_epochs=1).fit(waves(channels=1)[:, 0])
    with pytest.raises(ValueError, match=r"max_length.*preprocessing=False"):
        embedder.to_onnx(tmp_path / "a.onnx")


def test_score_and_diagnosis(fitted):
    embedder, X = fitted
    assert embedder.score(X) <= 1
    assert "rank" in str(embedder.diagnose(X))


def test_warm_start_checkpoint_and_storage(tmp_path):
    X = unequal()
    whole = make().fit(X).transform(X)
    np.testing.assert_array_equal(make(checkpoint=tmp_path / "c").fit(X).transform(X), whole)
    np.testing.assert_array_equal(make(storage="host").fit(X).transform(X), whole)
    assert make(warm_start=True).fit(X).set_params(max_epochs=3).fit(X).n_iter_ == 3
    assert np.isfinite(make(precision="bfloat16").fit(X).transform(X)).all()


def test_names_and_columns_next_to_the_embedding():
    X = waves()
    embedder = make(max_epochs=1).fit(X)
    assert embedder.get_feature_names_out()[-1] == "kernel167" and embedder.transform(X).shape == (48, 8 + 168)
    assert make(max_epochs=1, passthrough=False).fit(X).transform(X).shape == (48, 8)
    assert make(max_epochs=1, n_components=3).fit(X).transform(X).shape == (48, 3)
    convolutional = make(encoder=SeriesResNetEncoder(widths=(4,)), max_epochs=1).fit(X)
    assert convolutional.transform(X).shape[1] == 8 + 168  # kernels stand next to every encoder


def test_views_are_drawn_as_waves():
    pytest.importorskip("matplotlib").use("agg")
    display = ViewsDisplay.from_estimator(make(), unequal(), n_rows=3, n_pairs=2)
    assert len(display.im_.get_segments()) == 3 * 5 * 2 and display.marks_ is None
    assert len(display.im_.get_segments()[0]) == 12  # without the padding


def test_search_over_parameters_of_views():
    X = waves(channels=1)[:, 0]
    grid = {"augmentation__jitter": [0.01, 0.3], "preprocessor__scaling": ["channel", "series"]}
    search = GridSearchCV(make(max_epochs=1), grid, cv=2).fit(X)
    assert search.best_params_.keys() == grid.keys()
    other = Chain([("noise", Jitter(0.1)), ("hide", TimeMask())])
    assert np.isfinite(make(augmentation=other, max_epochs=1).fit_transform(X)).all()


def test_with_labels_and_beside_another_view():
    X, y = waves(channels=1)[:, 0], np.arange(48) % 2
    y[10:] = -1
    classifier = BarlowTwinsClassifier(make(max_epochs=1), max_epochs=1, random_state=0).fit(X, y)
    assert classifier.predict(X).shape == (48,)
    wave = BarlowTwinsEmbedder(modality="series", encoder=MiniRocketEncoder((8,)))
    views = [("wave", wave, slice(0, 20)), ("rest", BarlowTwinsEmbedder(), slice(20, 30))]
    assert np.isfinite(MultiViewEmbedder(views, max_epochs=1, random_state=0).fit_transform(X)).all()


def test_encoders_of_other_data_are_refused():
    with pytest.raises(ValueError, match="is for time series"):
        BarlowTwinsEmbedder(encoder="minirocket", max_epochs=1).fit(waves(channels=1)[:, 0])
    with pytest.raises(ValueError, match="preprocessor__n_kernel_features"):
        make(preprocessor=SeriesPreprocessor(n_kernel_features=0)).fit(waves())

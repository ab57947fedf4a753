"""Classifiers in files: what is saved is what is loaded; other files are refused; ONNX models predict the same."""

import json

import numpy as np
import pytest
from builders import few_labels, pixels, small_classifier, small_embedder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator

from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder, UnreadableFileError
from sklearn_twins._persistence._safetensors import read_tensors, write_tensors
from sklearn_twins.networks import ConvNetEncoder

pytestmark = pytest.mark.usefixtures("one_thread")
X, few, y = few_labels()


@pytest.fixture(scope="module")
def fitted():
    return small_classifier().fit(X, few)


@pytest.fixture
def path(fitted, tmp_path):
    fitted.save(tmp_path / "classifier.safetensors")
    return tmp_path / "classifier.safetensors"


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("parameters", [0, 1, 2]),
        ("fitted", ["a", "b", "c"]),
        ("frozen", [False, True, True]),
        ("none", [0.0, 1.0, 2.0]),
    ],
    ids=str,
)
def test_round_trip(kind, labels, tmp_path):
    embedder = small_embedder(random_state=None)
    if kind in ("fitted", "frozen"):
        embedder.fit(X)
    classifier = small_classifier(embedder=FrozenEstimator(embedder) if kind == "frozen" else embedder)
    named = np.array(labels, dtype=object)[y]
    classifier.fit(X, np.where(few < 0, None, named))
    if kind == "none":
        classifier.embedder = None
    classifier.save(tmp_path / "file")
    loaded = BarlowTwinsClassifier.load(tmp_path / "file")
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    for name in ("classes_", "transduction_", "label_distributions_", "head_coef_", "n_features_in_"):
        assert_array_equal(getattr(loaded, name), getattr(classifier, name), err_msg=name)
    assert loaded.classes_.dtype == classifier.classes_.dtype and loaded.n_iter_ == classifier.n_iter_
    assert_array_equal(loaded.embedder_.transform(X), classifier.embedder_.transform(X))
    assert type(loaded.embedder) is type(classifier.embedder)
    assert (kind in ("fitted", "frozen")) == hasattr(loaded.embedder, "encoder_")
    quick = {"embedder__max_epochs": 1} if kind == "none" else {}
    loaded.set_params(max_epochs=1, **quick).fit(X, few)


def test_partial_fits_and_images(tmp_path):
    classifier = small_classifier().partial_fit(X, few, classes=[0, 1, 2, 3])
    classifier.save(tmp_path / "file")
    assert_array_equal(BarlowTwinsClassifier.load(tmp_path / "file").predict(X), classifier.predict(X))
    images = pixels(20, 8, 8, 3)
    embedder = BarlowTwinsEmbedder(modality="image", encoder=ConvNetEncoder(widths=(8,)), max_epochs=1)
    classifier = small_classifier(embedder=embedder, max_epochs=1).fit(images, np.arange(20) % 2)
    classifier.save(tmp_path / "file")
    loaded = BarlowTwinsClassifier.load(tmp_path / "file")
    assert_array_equal(loaded.predict_proba(images), classifier.predict_proba(images))


def test_the_embedders_files_stay_apart(path, fitted, tmp_path):
    with pytest.raises(UnreadableFileError, match="save\\(\\) of an embedder"):
        BarlowTwinsEmbedder.load(path)
    fitted.embedder_.save(tmp_path / "embedder")
    with pytest.raises(UnreadableFileError, match="save\\(\\) of a classifier"):
        BarlowTwinsClassifier.load(tmp_path / "embedder")


def test_damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError):
        BarlowTwinsClassifier.load(path)


def forge(path, section, change):
    tensors, metadata = read_tensors(path, lambda metadata: None)
    metadata.pop("sha256", None)
    values = json.loads(metadata[section])
    change(values, tensors)
    write_tensors(path, tensors, {**metadata, section: json.dumps(values)})


FORGERIES = {
    "a class twice": ("fitted", lambda v, t: t[v["classes_"]["array"]].fill(1)),
    "narrow head": ("fitted", lambda v, t: t.update({v["head_coef_"]["array"]: t[v["head_coef_"]["array"]][:, :1]})),
    "codes": ("fitted", lambda v, t: t[v["transduction"]["array"]].fill(7)),
    "a model of other features": (
        "fitted",
        lambda v, t: t.update({"x": np.zeros((3, 1))}) or v["linear_model_"]["dict"][0].__setitem__(1, {"array": "x"}),
    ),
    "missing": ("fitted", lambda v, t: v.pop("n_iter_")),
    "share": ("fitted", lambda v, t: v.update(head_share_=7.0)),
    "unknown": ("fitted", lambda v, t: v.update(evil=1)),
    "parameter": ("parameters", lambda v, t: v.update(evil=1)),
    "range": ("parameters", lambda v, t: v.update(threshold=7)),
    "embedder": ("parameters", lambda v, t: v.update(embedder="evil")),
    "embedder's parameter": ("embedder", lambda v, t: v.update(batch_size=0)),
    "embedder's state": ("embedder_", lambda v, t: v.pop("_output")),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries(path, name):
    forge(path, *FORGERIES[name])
    with pytest.raises(UnreadableFileError, match="cannot be loaded"):
        BarlowTwinsClassifier.load(path)


def test_own_code_is_refused(tmp_path):
    classifier = small_classifier(embedder=small_embedder(objective=lambda a, b: (a - b).square().mean()), max_epochs=1)
    with pytest.raises(TypeError, match="pickle or joblib"):
        classifier.fit(X, few).save(tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_dates_as_classes_are_refused(tmp_path):
    classifier = small_classifier().fit(X, np.datetime64("2024-01-01") + y)
    with pytest.raises(TypeError, match="numbers, strings or booleans"):
        classifier.save(tmp_path / "dates")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_registry")
@pytest.mark.parametrize(("n_classes", "preprocessing"), [(2, True), (3, False)])
def test_onnx(n_classes, preprocessing, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    labels = np.minimum(few, n_classes - 1)
    classifier = small_classifier().fit(X, labels)
    classifier.to_onnx(tmp_path / "model.onnx", preprocessing=preprocessing)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    rows = {"X": X} if preprocessing else {"samples": classifier.embedder_.preprocessor_.transform(X)}
    assert_allclose(session.run(["probabilities"], rows)[0], classifier.predict_proba(X), atol=1e-4)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == list(range(n_classes))

"""Embedders of audio: all promises of the embedder, for clips of unequal length."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from skorch.callbacks import Callback

from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder, MultiViewEmbedder, trusted_types
from sklearn_twins.displays import ViewsDisplay
from sklearn_twins.networks import AudioNTTEncoder

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_clip_has_the_same_bits_alone_and_in_any_batch(fitted, clips):
    Z = fitted.transform(clips)
    assert Z.shape == (40, 36) and Z.dtype == np.float32 and np.isfinite(Z).all()
    for clip, z in zip(clips, Z, strict=True):
        assert_array_equal(fitted.transform([clip])[0], z)
    assert_array_equal(fitted.transform(clips[::-1])[::-1], Z)
    assert_array_equal(fitted.transform(np.stack([clips[0]] * 5)), np.stack([Z[0]] * 5))


def test_transform_sees_whole_clips(fitted, clips):
    """A clip ten times as long as any in `fit`; its second half matters."""
    long = np.concatenate(clips[:10])
    assert fitted.transform([long]).shape == (1, 36)
    other = np.concatenate([long[: len(long) // 2], 0 * long[len(long) // 2 :]])
    assert np.abs(fitted.transform([long]) - fitted.transform([other])).max() > 0.01


@pytest.mark.parametrize("storage", ["device", "host"])
def test_same_seed_same_bits(make_audio, fitted, clips, storage):
    assert_array_equal(make_audio(storage=storage).fit(clips).transform(clips), fitted.transform(clips))
    before = torch.random.get_rng_state()
    dropping = [make_audio(encoder=AudioNTTEncoder(4, 20, 0.3)).fit_transform(clips) for _ in range(2)]
    assert_array_equal(*dropping)
    assert torch.equal(before, torch.random.get_rng_state())


def test_pickles_and_files(fitted, clips, tmp_path):
    fitted.save(tmp_path / "audio.safetensors")
    for copy in (pickle.loads(pickle.dumps(fitted)), BarlowTwinsEmbedder.load(tmp_path / "audio.safetensors")):
        assert_array_equal(copy.transform(clips), fitted.transform(clips))
        assert repr(copy) == repr(fitted)
    broken = clone(fitted).fit(clips)
    broken.preprocessor_.std_ = -1.0
    with pytest.raises(ValueError, match="deviation"):
        broken.save(tmp_path / "broken.safetensors")


@pytest.mark.slow
def test_skops(fitted, clips, tmp_path):
    sio = pytest.importorskip("skops.io")
    sio.dump(fitted, tmp_path / "audio.skops")
    loaded = sio.load(tmp_path / "audio.skops", trusted=trusted_types(tmp_path / "audio.skops"))
    assert_array_equal(loaded.transform(clips), fitted.transform(clips))


class Interrupt(Callback):
    """Ends a fit as Ctrl-C does, in its third epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_checkpoints(make_audio, clips, tmp_path):
    embedder = make_audio(max_epochs=4, checkpoint=tmp_path, checkpoint_minutes=0)
    with pytest.raises(KeyboardInterrupt):
        clone(embedder).set_params(callbacks=[Interrupt()]).fit(clips)
    assert list(tmp_path.iterdir())
    assert_array_equal(embedder.fit(clips).transform(clips), make_audio(max_epochs=4).fit_transform(clips))


def test_continuing(make_audio, clips):
    embedder = make_audio(warm_start=True, lr_schedule="constant").fit(clips)
    at_once = clone(embedder).set_params(max_epochs=3).fit(clips)
    assert_array_equal(embedder.set_params(max_epochs=3).fit(clips).transform(clips), at_once.transform(clips))
    assert embedder.partial_fit(clips[:20]).n_iter_ == 4


@pytest.mark.slow
def test_other_rows(make_audio, fitted, clips):
    together = make_audio().fit(clips[:25], unlabeled=clips[25:])
    assert_array_equal(together.transform(clips), fitted.transform(clips))
    assert make_audio().fit(clips, groups=np.arange(40) // 2).n_iter_ == 2
    assert make_audio(early_stopping=True).fit(clips).n_iter_ == 2


@pytest.mark.slow
def test_measures_without_labels(fitted, clips):
    assert fitted.score(clips) <= 1
    assert fitted.diagnose(clips).constant_columns == []
    assert fitted.transform_views(clips, 3).shape == (40, 3, 36)


@pytest.mark.parametrize("n_components", [None, 3])
def test_frames(make_audio, clips, n_components):
    embedder = make_audio(n_components=n_components).fit(clips)
    frames, times = embedder.transform_frames(clips)
    lengths = embedder.preprocessor_.transform(clips).lengths // 4
    assert frames.shape == (40, max(lengths), embedder.n_components_) and len(times) == max(lengths)
    assert_allclose(times[:3], [15, 55, 95])
    for row, length, clip in zip(frames[:5], lengths, clips, strict=False):
        assert np.isfinite(row[:length]).all() and np.isnan(row[length:]).all()
        assert_array_equal(embedder.transform_frames([clip])[0][0], row[:length])
    if n_components is None:  # pooled, they are the clip
        pooled = (np.nanmax(frames, axis=1) + np.nanmean(frames, axis=1)) / 2
        assert_allclose(pooled, embedder.transform(clips), atol=1e-4)


@pytest.mark.slow
def test_searches_and_pipelines(make_audio, clips):
    embedder = make_audio(max_epochs=1, augmentation="audio_views", n_components=6)
    y = np.arange(40) % 4
    pipeline = make_pipeline(embedder, LogisticRegression())
    grid = {"barlowtwinsembedder__augmentation__mixup__max_weight": [0.1, 0.4]}
    assert GridSearchCV(pipeline, grid, cv=2).fit(clips, y).best_estimator_[0].transform(clips).shape == (40, 6)


@pytest.mark.slow
def test_half_precision(make_audio, clips):
    assert make_audio(precision="bfloat16").fit_transform(clips).dtype == np.float32
    half = make_audio({"dtype": "float16"}).fit(clips)
    assert half.preprocessor_.transform(clips).dtype == np.float16 and np.isfinite(half.transform(clips)).all()


def test_a_network_of_ones_own(make_audio, clips):
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 30, 5, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    embedder = make_audio(encoder=network).fit(clips)
    assert embedder.transform(clips).shape == (40, 30)
    with pytest.raises(ValueError, match="keeps the frames of a clip apart"):
        embedder.transform_frames(clips)


def test_views_of_tables_are_refused(make_audio, clips):
    with pytest.raises(ValueError, match="cannot be taken from other clips"):
        make_audio(augmentation="marginal_corruption").fit(clips)


@pytest.mark.slow
def test_a_classifier_trains_on_cuts_of_labelled_clips(make_audio, clips):
    """Clips of any length, of which nine have labels; calls of `partial_fit` keep theirs."""
    y = np.where(np.arange(40) < 9, np.arange(40) % 3, -1)
    classifier = BarlowTwinsClassifier(make_audio(max_epochs=1), max_epochs=1, warm_start=True, random_state=0)
    first = clone(classifier).fit(clips, y)
    assert first.predict_proba(clips).shape == (40, 3)
    assert_array_equal(first.pretrained_embedder_.transform(clips), make_audio(max_epochs=1).fit_transform(clips))
    n_labeled = len(first._training_state["labeled"][0])
    assert n_labeled == 9 and first.set_params(max_epochs=2).fit(clips, y).n_iter_ == 2
    classifier.partial_fit(clips[:25], y[:25], classes=range(3)).partial_fit(clips[25:], np.arange(15) % 3)
    assert len(classifier._training_state["labeled"][0]) == 9 + 15


def test_endless_power_is_refused(make_audio, clips):
    with pytest.raises(ValueError, match="squares are infinite"):
        make_audio().fit([1e160 * clips[0], *clips[1:]])


def test_files_with_nan_are_broken(tmp_path, make_audio, clips):
    soundfile = pytest.importorskip("soundfile")
    paths = [str(tmp_path / f"{i}.wav") for i in range(12)]
    for i, path in enumerate(paths):
        soundfile.write(path, np.where(i == 3, np.nan, clips[i]), 8_000, subtype="FLOAT")
    embedder = make_audio(max_epochs=1, batch_size=4).set_params(preprocessor__input_rate=None)
    with pytest.raises(ValueError, match=r"X\[3\]=.*3\.wav.* contains NaN or infinity.*on_broken='skip'"):
        embedder.fit(paths)


def test_beside_other_views_it_is_refused(make_audio, clips):
    audio = BarlowTwinsEmbedder(modality="audio", preprocessor=make_audio().preprocessor)
    embedder = MultiViewEmbedder([("sound", audio), ("table", BarlowTwinsEmbedder())], max_epochs=1)
    with pytest.raises(TypeError, match="View 'sound' holds clips of unequal length"):
        embedder.fit({"sound": clips, "table": np.random.default_rng(0).normal(size=(40, 3))})


@pytest.mark.slow
def test_views_are_drawn(fitted, clips):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    display = ViewsDisplay.from_estimator(fitted, clips, n_rows=3)
    assert display.modality == "audio" and display.views[0].shape == (3, *fitted.preprocessor_.spec_.shape)
    assert len(display.ax_.texts) == 3 and display.marks_ is None
    plt.close("all")


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_registry")
@pytest.mark.parametrize("preprocessing", [True, False])
def test_onnx_takes_clips_and_spectrograms_of_any_length(fitted, clips, tmp_path, preprocessing):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    fitted.to_onnx(tmp_path / "audio.onnx", preprocessing=preprocessing)
    session = onnxruntime.InferenceSession(str(tmp_path / "audio.onnx"), providers=["CPUExecutionProvider"])
    clips = [*clips[:3], clips[3][:300], clips[4][:1]]  # the last two are shorter than a window
    samples, Z = fitted.preprocessor_.transform(clips), fitted.transform(clips)
    for i in range(5):
        spectrogram = np.ascontiguousarray(samples.exact(np.array([i])))
        (found,) = session.run(None, {"X": clips[i][None]} if preprocessing else {"samples": spectrogram})
        assert_allclose(found[0], Z[i], atol=1e-4)
    if preprocessing:
        broken = np.stack([clips[0], np.where(np.arange(len(clips[0])) == 3, np.nan, clips[0])])
        assert np.isnan(session.run(None, {"X": broken})[0]).all(1).tolist() == [False, True]


def test_onnx_refuses_to_resample(make_audio, clips, tmp_path):
    pytest.importorskip("onnxscript")
    embedder = make_audio({"input_rate": 16_000}, max_epochs=1).fit(clips[:20])
    with pytest.raises(ValueError, match="Resampling from input_rate=16000"):
        embedder.to_onnx(tmp_path / "audio.onnx")


@pytest.mark.slow
def test_estimator_checks(make_audio):
    embedder = make_audio({"max_length": 10.0}, max_epochs=1)
    results = check_estimator(embedder, on_fail=None, on_skip=None)
    bad = [(r["check_name"], r["status"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not bad and sum(r["status"] == "passed" for r in results) >= 40

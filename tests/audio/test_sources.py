"""X as clips: containers, rates, resampling, files, and errors that name the clip."""

import builtins

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_twins.preprocessing import AudioPreprocessor

RATE = 8_000


def make(**params):
    return AudioPreprocessor(RATE, **{"input_rate": RATE, "n_mels": 16, **params})


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(scale=0.1, size=shape)


def frames_of(X, **params):
    return make(**params).fit_transform(X).frames


def as_arrow(rows):
    pa = pytest.importorskip("pyarrow")
    return pa.table({"sound": pa.array(rows)})


ONE = noise(3, 4_000)
COLUMNS = {
    "lists": list,
    "polars": lambda rows: pytest.importorskip("polars").DataFrame({"sound": rows}),
    "pyarrow": as_arrow,
    "pandas on pyarrow": lambda rows: as_arrow(rows).to_pandas(types_mapper=pd.ArrowDtype),
}


@pytest.mark.parametrize(
    "X",
    [list(ONE), tuple(ONE), ONE.tolist(), pd.DataFrame(ONE), [row[None] for row in ONE], ONE[:, None, :]],
    ids=["list", "tuple", "lists", "frame", "one channel", "one channel in an array"],
)
def test_containers(X):
    assert_array_equal(frames_of(X), frames_of(ONE))


def test_object_arrays_and_columns_of_clips():
    column = np.empty(3, dtype=object)
    column[:] = list(ONE)
    assert_array_equal(frames_of(column), frames_of(ONE))
    assert_array_equal(frames_of(column[:, None]), frames_of(ONE))
    assert_array_equal(frames_of(pd.Series(list(ONE))), frames_of(ONE))


@pytest.mark.parametrize("as_column", COLUMNS.values(), ids=COLUMNS)
def test_clips_of_unequal_length_in_lists_and_columns(as_column):
    clips = [row[:n] for row, n in zip(ONE, (900, 4_000, 2_000), strict=True)]
    assert_array_equal(frames_of(as_column([clip.tolist() for clip in clips])), frames_of(clips))


def test_lists_of_another_length_than_in_fit():
    assert make().fit(ONE.tolist()).transform([ONE[0, :900].tolist()]).lengths.tolist() == [12]


def test_channels_are_averaged():
    stereo = noise(3, 2, 4_000)
    assert_array_equal(frames_of(stereo), frames_of(stereo.mean(1)))
    assert_array_equal(frames_of(list(stereo)), frames_of(stereo.mean(1)))


def test_integers_are_fractions_of_their_largest_value():
    bits = np.rint(ONE[:, :800] * 2**15).astype(np.int16)
    assert_allclose(frames_of(bits), frames_of(bits / 2**15))
    assert_allclose(frames_of(bits.astype(np.int32) * 2**16), frames_of(bits / 2**15))
    assert_allclose(frames_of(list(bits)), frames_of(bits / 2**15))
    assert_allclose(frames_of(list(bits.astype(">i2"))), frames_of(bits / 2**15))  # of any byte order
    assert_allclose(frames_of(pd.DataFrame(bits).astype("Int16")), frames_of(bits / 2**15))
    unsigned = np.rint(ONE * 2**7 + 128).astype(np.uint8)
    assert_allclose(frames_of(unsigned), frames_of((unsigned - 128.0) / 2**7))


def test_memory_maps(tmp_path):
    np.save(tmp_path / "x.npy", ONE)
    assert_array_equal(frames_of(np.load(tmp_path / "x.npy", mmap_mode="r")), frames_of(ONE))


def test_resampling_keeps_the_sound():
    slow, fast = (np.sin(2 * np.pi * 700 * np.arange(rate) / rate)[None] * [[0.5], [0.2]] for rate in (8_000, 16_000))
    found = make(input_rate=16_000).fit_transform(fast)
    expected = make().fit_transform(slow)
    assert found.shape == expected.shape
    loud = expected.frames > 1
    assert_allclose(found.frames[loud], expected.frames[loud], atol=0.1)


def test_samples():
    clips = [noise(n, seed=n) for n in (900, 4_000, 8_000, 4_000)]
    preprocessor = make(max_length=0.6, crop=0.3)
    samples = preprocessor.fit_transform(clips)
    assert samples.lengths.tolist() == [12, 51, 101, 51] and samples.shape == (4, 16, 61)
    assert_allclose([samples.frames.mean(), samples.frames.std()], [0, 1], atol=1e-5)
    rectangles = samples[1:3]
    assert_array_equal(rectangles[0, :, :51], samples.exact(np.array([1]))[0])
    assert np.isnan(rectangles[0, :, 51:]).all()
    assert_array_equal(rectangles[1], samples.exact(np.array([2]))[0][:, 20:81])  # the middle
    assert_array_equal(samples[np.array([2, 0])], samples[:][[2, 0]])
    assert sorted(np.concatenate(samples.equal_blocks(8))) == [0, 1, 2, 3] and len(samples.equal_blocks(1)) == 4
    assert preprocessor.transform(clips).shape == (4, 16, 101)
    half = make(dtype="float16").fit_transform(clips)
    assert half.dtype == np.float16 and half.nbytes == samples.nbytes / 2


@pytest.mark.parametrize(
    ("lengths", "crop", "frames"),
    [((16_000,) * 3, "auto", 96), ((4_000,) * 3, "auto", 52), ((16_000,) * 3, 0.5, 51), ((500,) * 3, "auto", 8)],
)
def test_length_of_the_cuts(lengths, crop, frames):
    assert make(crop=crop).fit([noise(n) for n in lengths]).spec_.shape == (16, frames)


def test_silence_and_single_samples_are_embedded_like_anything():
    samples = make().fit_transform([np.zeros(4_000), noise(4_000), noise(1)])
    assert np.isfinite(samples.frames).all() and samples.lengths.tolist() == [51, 51, 7]
    assert np.isfinite(make().fit_transform([np.zeros(4_000), np.zeros(900)]).frames).all()


BAD = {
    "no rate": (ONE, {"input_rate": None}, ValueError, "do not say how many samples .* preprocessor__input_rate"),
    "empty": ([ONE[0], np.empty(0)], {}, ValueError, r"X\[1\] is empty"),
    "no clips": ([], {}, ValueError, r"0 sample\(s\).*without any clip"),
    "NaN": ([ONE[0], np.array([0.0, np.nan])], {}, ValueError, r"contains NaN, in X\[1\]"),
    "infinite in a frame": (pd.DataFrame([[0.0, np.inf]]), {}, ValueError, r"contains infinity, in X\[0\]. Audio"),
    "missing in a frame": (pd.DataFrame({"a": [1, 2], "b": [3, None]}, dtype="Int16"), {}, ValueError, r"in X\[1\]"),
    "paths and labels": (pd.DataFrame({"a": ["x.wav"], "b": [1]}), {}, ValueError, "column 'a'. In a frame, clips or"),
    "a missing one": ([[0.1, 0.2], [0.1, None]], {}, ValueError, r"contains NaN, in X\[1\]"),
    "infinite": ([ONE[0], np.array([0.0, np.inf])], {}, ValueError, r"contains infinity, in X\[1\]"),
    "NaN in an array": (np.where(ONE[1, 7] == ONE, np.nan, ONE), {}, ValueError, r"contains NaN, in X\[1\]. Audio"),
    "samples first": ([ONE[0], noise(4_000, 2)], {}, ValueError, r"X\[1\].*\(4000, 2\).* Channels come first"),
    "samples first in an array": (noise(3, 4_000, 2), {}, ValueError, "Channels come first"),
    "one stereo recording": (noise(4_000, 2), {}, ValueError, "one recording with 2 channels"),
    "bytes": ([b"RIFF"], {}, TypeError, r"paths. Got X\[0\]"),
    "paths and arrays": (["a.wav", ONE[0]], {}, TypeError, r"paths only, or arrays only. Got X\[1\]"),
    "arrays and a path": ([ONE[0], "a.wav", ONE[1]], {}, TypeError, r"paths only, or arrays only. Got X\[1\]"),
    "one path": ("a.wav", {}, ValueError, "X is a str"),
    "four axes": (noise(2, 2, 2, 9), {}, ValueError, r"X\[0\] has the shape"),
    "a tensor in a list": ([ONE[0], noise(2, 2, 9)], {}, ValueError, r"X\[1\] has the shape \(2, 2, 9\)"),
}


@pytest.mark.parametrize(("X", "params", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(X, params, error, message):
    with pytest.raises(error, match=message):
        make(**params).fit(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"f_min": 5_000.0}, "f_min=5000.0 must be below f_max='auto'"),
        ({"f_max": 5_000.0}, "at most half of sample_rate=8000"),
        ({"hop": 0.1}, "hop=0.1 .* at most window=0.064"),
        ({"n_mels": 300}, "empty band"),
        ({"sample_rate": 0}, "'sample_rate' parameter"),
        ({"dtype": "float64"}, "'dtype' parameter"),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        make().set_params(**params).check()


def test_arrays_keep_their_number_of_columns_and_lists_any():
    preprocessor = make().fit(ONE)
    assert preprocessor.n_features_in_ == 4_000 and len(preprocessor.transform([ONE[0][:2_000]])) == 1
    with pytest.raises(ValueError, match="2000 features, but AudioPreprocessor is expecting 4000"):
        preprocessor.transform(ONE[:, :2_000])
    assert len(make().fit(list(ONE)).transform(ONE[:, :2_000])) == 3


@pytest.fixture
def files(tmp_path):
    """Paths of two sound files at 8 kHz, and one at 16 kHz in stereo."""
    soundfile = pytest.importorskip("soundfile")
    paths = [tmp_path / name for name in ("a.wav", "b.flac", "c.wav")]
    soundfile.write(paths[0], ONE[0], RATE, subtype="FLOAT")
    soundfile.write(paths[1], ONE[1], RATE)
    soundfile.write(paths[2], noise(9_000, 2), 16_000)
    return paths


def test_files(files):
    found = make(input_rate=None).fit_transform(files[:2])
    assert_allclose(found.frames, frames_of(list(ONE[:2])), atol=1e-2)
    assert make(input_rate=None).fit_transform([str(path) for path in files]).lengths.tolist() == [51, 51, 57]
    named = pd.DataFrame({"path": [str(path) for path in files]})
    assert len(make(input_rate=None).fit_transform(named)) == 3
    with pytest.raises(ValueError, match=r"X\[2\]=.* has 16000 samples per second, but input_rate=8000"):
        make().fit(files)


def test_broken_files(files, tmp_path):
    (tmp_path / "d.wav").write_bytes(b"no sound")
    broken = [files[0], tmp_path / "d.wav", tmp_path / "missing.wav", files[1]]
    with pytest.raises(ValueError, match=r"X\[1\]=.*d.wav.* cannot be read .*on_broken='skip'"):
        make(input_rate=None).fit(broken)
    with pytest.raises(ValueError, match="there is no such file"):
        make(input_rate=None).fit(broken[2:])
    preprocessor = make(input_rate=None, on_broken="skip")
    with pytest.warns(UserWarning, match="cannot be read .* It is skipped"):
        assert len(preprocessor.fit_transform(broken)) == 2
    with pytest.warns(UserWarning, match="cannot be read .* It is skipped"):
        samples = preprocessor.transform(broken)
    assert samples.lengths.tolist() == [51, 4, 4, 51] and not samples.exact(np.array([1])).any()
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="no clips that can be read"):
        preprocessor.fit(broken[1:3])


def test_files_without_soundfile(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "soundfile":
            raise ImportError("not here")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs soundfile.*`pip install 'sklearn-twins\[audio\]'`"):
        make().fit(["a.wav"])

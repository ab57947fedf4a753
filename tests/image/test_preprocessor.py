"""Images in every form of an array: the same samples, bytes kept and not copied; shapes, layouts, ranges, statistics.

Refused images and wrong parameters are in tests/bad_input/test_images.py.
"""

import os
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from builders import pixels
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._image import _intensities
from sklearn_twins.preprocessing import ImagePreprocessor

X = pixels(12, 9, 7, 3)
SAMPLES = X.transpose(0, 3, 1, 2)
FORMS = {
    "channels last": (X, {}),
    "channels first": (SAMPLES.copy(), {}),
    "flat rows": (X.reshape(12, -1), {"sample_shape": (9, 7, 3)}),
    "flat rows, a side inferred": (X.reshape(12, -1), {"sample_shape": (9, -1, 3)}),
    "flat rows, channels first": (SAMPLES.reshape(12, -1), {"sample_shape": (3, 9, 7), "channels": "first"}),
    "list of images": (list(X), {}),
    "nested lists": (X.tolist(), {}),
    "column of a frame": (pd.DataFrame({"image": list(X)})["image"], {}),
    "list of tensors": (list(torch.from_numpy(X)), {}),
    "list of pictures": ([Image.fromarray(image) for image in X], {}),
    "list of flat rows": (X.reshape(12, -1).tolist(), {"sample_shape": (9, 7, 3)}),
    "tensor": (torch.from_numpy(X), {}),
    "Fortran order": (np.asfortranarray(X), {}),
    "reversed and back": (X[::-1, ::-1].copy()[::-1, ::-1], {}),
    "every second": (np.repeat(X, 2, axis=0)[::2], {}),
    "read-only": (np.frombuffer(X.tobytes(), dtype=np.uint8).reshape(X.shape), {}),
    "pandas": (pd.DataFrame(X.reshape(12, -1)), {"sample_shape": (9, 7, 3)}),
    "polars": (pl.DataFrame(X.reshape(12, -1)), {"sample_shape": (9, 7, 3)}),
    "int64": (X.astype(np.int64), {"value_range": (0, 255)}),
    "big endian": (X.astype(">u2"), {"value_range": (0, 255)}),
    "float64": (X.astype(float), {"value_range": (0, 255)}),
    "fractions": (X / 255, {}),
    "float32 fractions": ((X / 255).astype(np.float32), {}),
}


def intensities_of(samples):
    samples = samples[slice(None)]
    return samples / np.float32(255) if samples.dtype == np.uint8 else samples


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_samples(form):
    given, parameters = FORMS[form]
    preprocessor = ImagePreprocessor(**parameters)
    expected = SAMPLES / np.float32(255)
    for samples in (preprocessor.fit_transform(given), preprocessor.transform(given)):
        assert samples.dtype in (np.uint8, np.float32) and samples.dtype.isnative and samples.shape == (12, 3, 9, 7)
        np.testing.assert_allclose(intensities_of(samples), expected, rtol=1e-6)
        torch.from_numpy(samples.copy(order="K"))
    assert preprocessor.sample_shape_ == (9, 7, 3) and preprocessor.n_features_in_ == 189
    np.testing.assert_allclose(preprocessor.spec_.mean, expected.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(preprocessor.spec_.std, expected.std(axis=(0, 2, 3)), rtol=1e-6)
    if getattr(given, "dtype", None) == np.uint8 and preprocessor.channels == "auto":
        flat = SAMPLES if form == "channels first" else X
        for other in (X, flat.reshape(12, -1), SAMPLES):
            np.testing.assert_array_equal(preprocessor.transform(other), SAMPLES)


@pytest.mark.parametrize("form", ["channels last", "channels first", "flat rows", "read-only", "float32 fractions"])
def test_what_needs_no_change_is_not_copied(form):
    given, parameters = FORMS[form]
    preprocessor = ImagePreprocessor(**parameters)
    for samples in (preprocessor.fit_transform(given), preprocessor.transform(given)):
        assert np.shares_memory(samples, given)


def test_grey_images():
    grey = X[..., 0]
    for given in (grey, grey[..., None], grey[:, None], grey.tolist()):
        samples = ImagePreprocessor(value_range=(0, 255)).fit_transform(given)
        np.testing.assert_allclose(intensities_of(samples), grey[:, None] / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((5, 32, 32, 3), (32, 32, 3)),
        ((5, 3, 32, 32), (32, 32, 3)),
        ((5, 32, 20, 1), (32, 20, 1)),
        ((5, 1, 32, 20), (32, 20, 1)),
        ((5, 32, 20, 4), (32, 20, 4)),
        ((5, 4, 20, 32), (20, 32, 4)),
        ((5, 2, 2, 3), (2, 2, 3)),  # no side has 1, 3 or 4
        ((5, 32, 32, 10), (32, 32, 10)),  # neither does: the one that leaves a square
        ((5, 10, 32, 32), (32, 32, 10)),
        ((5, 14, 14, 200), (14, 14, 200)),
    ],
)
def test_layout_is_inferred(shape, found):
    preprocessor = ImagePreprocessor()
    samples = preprocessor.fit_transform(pixels(*shape))
    assert preprocessor.sample_shape_ == found and samples.shape == (5, found[2], *found[:2])
    assert len(preprocessor.mean_) == found[2]


@pytest.mark.parametrize(
    "shape", [(5, 3, 32, 3), (5, 1, 28, 1), (5, 3, 3, 3), (5, 30, 20, 10), (5, 8, 8, 8), (5, 4, 4, 3)]
)
def test_ambiguous_layout_is_refused(shape):
    with pytest.raises(ValueError, match="preprocessor__channels='last' or 'first'") as error:
        ImagePreprocessor().fit(pixels(*shape))
    assert str(shape) in str(error.value)
    for channels in ("last", "first"):
        n_channels = shape[3 if channels == "last" else 1]
        assert ImagePreprocessor(channels=channels).fit(pixels(*shape)).sample_shape_[2] == n_channels


def test_layout_in_transform_is_that_of_fit():
    """A shape that could be read either way is read as `fit` learnt it."""
    fitted = ImagePreprocessor(channels="last").fit(pixels(5, 3, 8, 4))
    assert fitted.set_params(channels="auto").transform(pixels(6, 3, 8, 4)).shape == (6, 4, 3, 8)
    assert fitted.transform(pixels(6, 4, 3, 8)).shape == (6, 4, 3, 8)


@pytest.mark.parametrize(
    ("given", "channels", "shape", "layout"),
    [
        ((8, 6), "auto", (8, 6, 1), "last"),
        ((8, 2, 3), "auto", (8, 2, 3), "last"),
        ((3, 8, 2), "first", (8, 2, 3), "first"),
        ((8, 6), "first", (8, 6, 1), "first"),
        ((-1, 6), "auto", (8, 6, 1), "last"),
        ((1, -1, 1), "auto", (1, 48, 1), "last"),
        ((3, 8, 2), "auto", (8, 2, 3), "first"),
        ((3, 4, 4), "auto", (4, 4, 3), "first"),
        ((4, 4, 3), "auto", (4, 4, 3), "last"),
        ((4, 6, 2), "auto", (6, 2, 4), "first"),
        ((1, 8, 6), "auto", (8, 6, 1), "first"),
        ((3, -1, 2), "auto", (8, 2, 3), "first"),
        ((-1, 2, 3), "auto", (8, 2, 3), "last"),
        ((3, 2, -1), "auto", (2, 8, 3), "first"),
        ((4, 2, 6), "last", (4, 2, 6), "last"),
        ((12, 2, 2), "auto", (2, 2, 12), "first"),
        ((2, 2, 12), "auto", (2, 2, 12), "last"),
        ((2, 12, 2), "auto", (2, 12, 2), "last"),
        ((8, 3, 2), "auto", (8, 3, 2), "last"),
    ],
)
def test_sample_shape_of_flat_rows(given, channels, shape, layout):
    """Where the channels are is found as in arrays with four axes; in doubt, they are last."""
    X = pixels(5, 48)
    preprocessor = ImagePreprocessor(given, channels=channels)
    samples = preprocessor.fit_transform(X)
    height, width, depth = preprocessor.sample_shape_
    assert (height, width, depth) == shape
    images = X.reshape(5, depth, height, width) if layout == "first" else X.reshape(5, *shape).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(samples, images)
    np.testing.assert_array_equal(preprocessor.transform(X), images)
    if channels == "auto":
        np.testing.assert_array_equal(preprocessor.transform(images), images)


@pytest.mark.parametrize("given", [(3, 3, 3), (3, 16, 1), (1, 16, 3), (3, -1, 3), (4, 4, 4), (4, 16, 3)])
def test_sample_shape_that_could_be_read_either_way(given):
    X = pixels(5, int(np.prod([16 if side == -1 else side for side in given])))
    with pytest.raises(ValueError, match="preprocessor__channels='last' or 'first'"):
        ImagePreprocessor(given).fit(X)
    for channels in ("last", "first"):
        n_channels = given[2 if channels == "last" else 0]
        assert ImagePreprocessor(given, channels=channels).fit(X).sample_shape_[2] == n_channels


@pytest.mark.parametrize("first", [False, True])
def test_flat_rows_have_the_channels_where_they_were_in_fit(first):
    given = pixels(6, 3, 5, 8) if first else pixels(6, 5, 8, 3)
    fitted = ImagePreprocessor().fit(given)
    for preprocessor in (fitted, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(preprocessor.transform(given.reshape(6, -1)), preprocessor.transform(given))
    assert (fitted.fit(given[:, :, :, :1] if not first else given[:, :1])._layout == "first") == first


NUMBERS = pixels(50, 3, 5, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, bool])
@pytest.mark.parametrize("block_values", [1, 137, 2**22])
def test_statistics_are_those_of_all_images(monkeypatch, dtype, block_values):
    monkeypatch.setattr(_intensities, "BLOCK_VALUES", block_values)
    values = NUMBERS.astype(dtype)
    preprocessor = ImagePreprocessor(channels="first", value_range=(0, 2)).fit(values)
    values = values.astype(np.float64) / 2
    np.testing.assert_allclose(preprocessor.mean_, values.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(preprocessor.std_, values.std(axis=(0, 2, 3)), rtol=1e-12)
    assert preprocessor.mean_.dtype == np.float64


def test_statistics_far_from_zero():
    values = 1e6 + np.random.default_rng(0).normal(size=(300, 1, 8, 8))
    preprocessor = ImagePreprocessor(channels="first", value_range=(1e6, 1e6 + 1)).fit(values)
    expected = [values.mean() - 1e6, values.std()]
    np.testing.assert_allclose([preprocessor.mean_[0], preprocessor.std_[0]], expected, atol=1e-8)


def test_many_images_of_bytes_are_sampled_evenly(monkeypatch):
    monkeypatch.setattr(_intensities, "MAX_COUNTED", 10)
    values = np.zeros((91, 1, 1, 1), dtype=np.uint8)
    values[::10] = 100  # the ten images that are counted
    assert ImagePreprocessor(channels="first").fit(values).mean_ == 100 / 255
    of_floats = ImagePreprocessor(channels="first", value_range=(0, 200)).fit(values.astype(np.float32))
    assert of_floats.mean_ == pytest.approx(5 / 91)


@pytest.mark.parametrize(
    ("value_range", "values", "expected"),
    [
        ("auto", NUMBERS % 16, (0.0, 255.0)),
        ("auto", NUMBERS > 99, (0.0, 1.0)),
        ("auto", NUMBERS / 300, (0.0, 1.0)),
        ("auto", NUMBERS.astype(int) % 17, (0.0, 16.0)),
        ("auto", NUMBERS - np.float32(10), (-10.0, 245.0)),
        ("auto", np.full((3, 1, 2, 2), 7.0), (7.0, 8.0)),
        ((0, 4095), NUMBERS.astype(np.uint16), (0.0, 4095.0)),
        ((-1, 1), NUMBERS, (-1.0, 1.0)),
    ],
)
def test_value_ranges(value_range, values, expected):
    """Bytes stay bytes only in their own range; nothing is clipped."""
    preprocessor = ImagePreprocessor(channels="first", value_range=value_range)
    samples = preprocessor.fit_transform(values)
    assert preprocessor.value_range_ == expected
    assert samples.dtype == (np.uint8 if expected == (0.0, 255.0) else np.float32)
    if samples.dtype == np.float32:
        low, high = expected
        np.testing.assert_allclose(samples, (values - np.float64(low)) / (high - low), rtol=1e-6, atol=1e-6)


def test_intensities_far_from_zero_are_exact():
    """float32 alone would be off by a hundredth."""
    fractions = np.random.default_rng(0).random((20, 1, 3, 3))
    samples = ImagePreprocessor(channels="first", value_range=(1e6, 1e6 + 1)).fit_transform(1e6 + fractions)
    np.testing.assert_allclose(samples, fractions, atol=1e-6)


def test_values_that_overflow_float32_are_refused():
    with pytest.raises(ValueError, match=r"infinity.* in X\[1\]"):
        ImagePreprocessor(channels="first", value_range=(0, 1)).fit_transform(np.array([0, 1e39]).reshape(2, 1, 1, 1))


def test_attributes_clone_and_pickle():
    preprocessor = ImagePreprocessor(sample_shape=(9, 7, 3)).fit(X)
    assert preprocessor.spec_.shape == (3, 9, 7) and not hasattr(clone(preprocessor), "spec_")
    again = pickle.loads(pickle.dumps(preprocessor))
    assert joblib.hash(again) == joblib.hash(preprocessor)
    np.testing.assert_array_equal(again.transform(X), SAMPLES)
    with pytest.raises(NotFittedError):
        clone(preprocessor).transform(X)


def test_checks_are_made_in_the_owner_s_name():
    owner = BarlowTwinsEmbedder(modality="image")
    frame = pd.DataFrame(X.reshape(12, -1)).rename(columns=str)
    preprocessor = ImagePreprocessor(sample_shape=(9, 7, 3))
    preprocessor.fit_transform(frame, owner=owner)
    assert owner.n_features_in_ == preprocessor.n_features_in_ == 189
    assert list(owner.feature_names_in_) == list(preprocessor.feature_names_in_) == [str(i) for i in range(189)]
    with pytest.raises(ValueError, match="feature names should match"):
        preprocessor.transform(frame[frame.columns[::-1]], owner=owner)
    preprocessor.fit_transform(X, owner=owner)
    assert not hasattr(owner, "feature_names_in_") and not hasattr(preprocessor, "feature_names_in_")
    preprocessor.fit_transform(X.reshape(12, -1), owner=owner)
    with pytest.raises(ValueError, match="BarlowTwinsEmbedder is expecting 189 features"):
        preprocessor.transform(X.reshape(12, -1)[:, :-1], owner=owner)


def test_tags():
    tags = get_tags(ImagePreprocessor()).input_tags
    assert tags.two_d_array and tags.three_d_array
    assert not (tags.allow_nan or tags.sparse or tags.string or tags.categorical)


@pytest.mark.parametrize("form", [form for form, (given, _) in FORMS.items() if isinstance(given, np.ndarray)])
def test_mapped_images_are_read_when_needed(mapped, form):
    given, parameters = FORMS[form]
    preprocessor = ImagePreprocessor(**parameters)
    expected = ImagePreprocessor(**parameters).fit_transform(given)
    for samples in (preprocessor.fit_transform(mapped(given)), preprocessor.transform(mapped(given))):
        assert not isinstance(samples, np.ndarray) and samples.dtype == expected.dtype and len(samples) == 12
        np.testing.assert_array_equal(samples[slice(2, 9)], expected[2:9])
        np.testing.assert_array_equal(samples[np.array([11, 0, 11])], expected[[11, 0, 11]])


def test_a_small_map_is_read_once(tmp_path):
    """What becomes of its file does not matter then."""
    path = tmp_path / "images.npy"
    np.save(path, X)
    given = np.load(path, mmap_mode="r")
    samples = ImagePreprocessor().fit_transform(given)
    assert isinstance(samples, np.ndarray) and not np.shares_memory(samples, given)
    os.truncate(path, 100)
    np.testing.assert_array_equal(samples, SAMPLES)
    with pytest.raises(ValueError, match=r"images\.npy'.* only 100 of .* bytes.*left"):
        ImagePreprocessor().fit(given)


def test_bad_values_of_a_map_are_found_in_fit(mapped):
    bad = X / 255
    bad[-1, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"Input X contains NaN, in X\[11\]"):
        ImagePreprocessor().fit(mapped(bad))
    with pytest.raises(ValueError, match=r"Input X contains NaN, mapped from .*npy', in X\[11\]"):
        ImagePreprocessor().fit(X / 255).transform(mapped(bad))[slice(10, 12)]


@pytest.mark.parametrize("shape", [(6, 128), (128, 6), (9, 128), (12, 500), (3, 15), (6, 128, 1), (1, 6, 128)], ids=str)
def test_windows_of_sensors_deserve_a_word(shape):
    with pytest.warns(UserWarning, match=r"taken for images of \d+ x \d+ pixels.*modality='series'.*sample_shape=\("):
        ImagePreprocessor().fit(pixels(4, *shape))


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (9, 7, 3), (16, 64), (32, 256), (4, 16)], ids=str)
def test_images_do_not(shape):
    ImagePreprocessor().fit(pixels(4, *shape))


def test_narrow_images_that_are_meant():
    ImagePreprocessor(sample_shape=(6, 128)).fit(pixels(4, 6, 128))
    with pytest.warns(UserWarning, match="taken for"):
        fitted = ImagePreprocessor().fit(pixels(4, 6, 128))
    fitted.transform(pixels(4, 6, 128))  # once, in fit

"""Images in every form an array has: the same samples, bytes kept and not copied, and refusals that name the remedy."""

import os
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._image import _preprocessor as _images
from sklearn_twins.preprocessing import ImagePreprocessor, ImageSpec


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


X = pixels(12, 9, 7, 3)
SAMPLES = X.transpose(0, 3, 1, 2)
FORMS = {
    "channels last": (X, {}),
    "channels first": (SAMPLES.copy(), {}),
    "flat rows": (X.reshape(12, -1), {"sample_shape": (9, 7, 3)}),
    "flat rows, a side worked out": (X.reshape(12, -1), {"sample_shape": (9, -1, 3)}),
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


def values(samples):
    samples = samples[slice(None)]
    return samples / np.float32(255) if samples.dtype == np.uint8 else samples


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_samples(form):
    given, parameters = FORMS[form]
    preprocessor = ImagePreprocessor(**parameters)
    expected = SAMPLES / np.float32(255)
    for samples in (preprocessor.fit_transform(given), preprocessor.transform(given)):
        assert samples.dtype in (np.uint8, np.float32) and samples.dtype.isnative and samples.shape == (12, 3, 9, 7)
        np.testing.assert_allclose(values(samples), expected, rtol=1e-6)
        torch.from_numpy(samples.copy(order="K"))
    assert preprocessor.sample_shape_ == (9, 7, 3) and preprocessor.n_features_in_ == 189
    np.testing.assert_allclose(preprocessor.spec_.mean, expected.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(preprocessor.spec_.std, expected.std(axis=(0, 2, 3)), rtol=1e-6)


@pytest.mark.parametrize(
    "form", [form for form, (given, _) in FORMS.items() if getattr(given, "dtype", None) == np.uint8]
)
def test_transform_takes_any_form(form):
    """Whatever form `fit` saw, if the shape can be told."""
    given, parameters = FORMS[form]
    for fitted in (ImagePreprocessor(sample_shape=(9, 7, 3)).fit(X), ImagePreprocessor(**parameters).fit(given)):
        if fitted.channels != "first":
            np.testing.assert_array_equal(fitted.transform(X), SAMPLES)
            np.testing.assert_array_equal(fitted.transform(X.reshape(12, -1)), SAMPLES)
        np.testing.assert_array_equal(fitted.transform(SAMPLES), SAMPLES)


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
        np.testing.assert_allclose(values(samples), grey[:, None] / 255, rtol=1e-6)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4, 5, 10, 200])
def test_any_number_of_channels(n_channels):
    given = pixels(5, 8, 8, n_channels)
    preprocessor = ImagePreprocessor()
    assert preprocessor.fit_transform(given).shape == (5, n_channels, 8, 8)
    assert preprocessor.sample_shape_ == (8, 8, n_channels) and len(preprocessor.mean_) == n_channels


def test_layout_in_transform_is_that_of_fit():
    """A shape that could be read either way is read as `fit` learnt it."""
    fitted = ImagePreprocessor(channels="last").fit(pixels(5, 3, 8, 4))
    assert fitted.set_params(channels="auto").transform(pixels(6, 3, 8, 4)).shape == (6, 4, 3, 8)
    assert fitted.transform(pixels(6, 4, 3, 8)).shape == (6, 4, 3, 8)


def test_attributes_and_clone():
    preprocessor = ImagePreprocessor(sample_shape=(9, 7, 3)).fit(X)
    assert preprocessor.value_range_ == (0.0, 255.0) and preprocessor.mean_.dtype == np.float64
    assert preprocessor.spec_.shape == (3, 9, 7) and isinstance(preprocessor.spec_, ImageSpec)
    assert not hasattr(clone(preprocessor), "spec_")
    again = pickle.loads(pickle.dumps(preprocessor))
    assert joblib.hash(again) == joblib.hash(preprocessor)
    np.testing.assert_array_equal(again.transform(X), SAMPLES)


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


REFUSED = {
    "flat rows without a shape": (X.reshape(12, -1), {}, "sample_shape=(height, width, channels)"),
    "rows of another length": (
        X.reshape(12, -1),
        {"sample_shape": (9, 7)},
        "X has 189 columns, but sample_shape=(9, 7)",
    ),
    "layout": (pixels(5, 3, 9, 3), {}, "preprocessor__channels='last' or 'first'"),
    "one colour image": (X[0], {}, "Give X[None] for the one, X[..., None] for the others"),
    "one dimension": (np.zeros(5), {}, "Expected 2D array"),
    "five dimensions": (np.zeros((2, 2, 2, 2, 3)), {}, "(2, 2, 2, 2, 3)"),
    "another shape than said": (
        X,
        {"sample_shape": (9, 8, 3)},
        "9 x 7 x 3 (height, width, channels), but sample_shape",
    ),
    "nothing": (X[:0], {}, "0 sample(s)"),
    "no pixel": (X[:, :0], {}, "which hold no value"),
    "NaN": (np.full((5, 8, 8, 3), np.nan), {}, "Input X contains NaN"),
    "infinity": (np.full((5, 8, 8, 3), np.inf), {}, "Input X contains infinity"),
    "complex": (np.full((5, 8, 8, 3), 1j), {}, "Complex data not supported"),
    "different shapes": ([X[0], X[1, :5]], {}, "X[0] has (9, 7, 3), X[1] has (5, 7, 3). Bring them to one"),
    "nested lists of different lengths": ([[[1, 2]], [[1]]], {}, "inhomogeneous"),
    "sparse": (sparse.csr_array(X.reshape(12, -1)), {"sample_shape": (9, 7, 3)}, "Sparse data was passed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_remedy(case):
    given, parameters, words = REFUSED[case]
    with pytest.raises((ValueError, TypeError)) as error:
        ImagePreprocessor(**parameters).fit(given)
    assert words in str(error.value)


def test_other_images_than_those_of_fit():
    fitted = ImagePreprocessor().fit(X)
    with pytest.raises(ValueError) as error:
        fitted.transform(pixels(5, 8, 8, 3), owner=None)
    assert (
        "X has images of 8 x 8 x 3 (height, width, channels), but ImagePreprocessor was fitted on images of 9 x 7 x 3"
        in str(error.value)
    )
    with pytest.raises(ValueError, match="Bring them to that range"):
        fitted.transform(X / 255)
    with pytest.raises(ValueError, match="9 x 7 x 1"):
        fitted.transform(X[..., 0])
    with pytest.raises(NotFittedError):
        ImagePreprocessor().transform(X)


@pytest.mark.parametrize(
    "parameters",
    [
        {"sample_shape": 8},
        {"sample_shape": (8,)},
        {"sample_shape": (8, 0)},
        {"sample_shape": (8, -1, -1)},
        {"sample_shape": (8, 8.5)},
        {"sample_shape": (8, -2)},
        {"channels": "middle"},
        {"value_range": (1, 0)},
        {"value_range": (0, np.nan)},
        {"value_range": (0,)},
        {"value_range": "bytes"},
        {"image_size": 0},
        {"image_size": (8, 0)},
        {"image_size": (8, 8, 3)},
        {"color": "red"},
        {"on_broken": "ignore"},
        {"max_decoded_bytes": -1},
        {"n_jobs": "all"},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused_by_name(parameters):
    (name, value), *_ = parameters.items()
    with pytest.raises(ValueError, match=f"'{name}' parameter of ImagePreprocessor") as error:
        ImagePreprocessor(**parameters).fit(X)
    assert repr(value) in str(error.value)


def test_tags():
    tags = get_tags(ImagePreprocessor()).input_tags
    assert tags.two_d_array and tags.three_d_array
    assert not (tags.allow_nan or tags.sparse or tags.string or tags.categorical)


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """Images mapped from a file, as if it were a large one."""
    monkeypatch.setattr(_images, "MIN_MAPPED_BYTES", 1)

    def mapped(array):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    return mapped


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
    np.testing.assert_array_equal(samples, np.array(X).transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match=r"images\.npy', of which only 100 of .* bytes are left"):
        ImagePreprocessor().fit(given)


def test_bad_values_of_a_map_are_found_in_fit(mapped):
    bad = X / 255
    bad[-1, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        ImagePreprocessor().fit(mapped(bad))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        ImagePreprocessor().fit(X / 255).transform(mapped(bad))[slice(10, 12)]

"""Images on another scale than those of fit: converted by their type, or refused; dark images are left alone."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from builders import pixels
from sklearn.datasets import load_digits

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.networks import ConvNetEncoder, MLPProjector
from sklearn_twins.preprocessing import ImagePreprocessor

rng = np.random.default_rng(0)
SCALES = {
    "bytes": lambda x: (255 * x).round().astype(np.uint8),
    "0..1": lambda x: x.astype(np.float32),
    "half": lambda x: x.astype(np.float16),
    "0..255": lambda x: 255 * x,
    "int64": lambda x: (255 * x).astype(int),
    "0..16": lambda x: 16 * x,
    "-1..1": lambda x: 2 * x - 1,
    "standardised": lambda x: (x - 0.3) / 0.37,
    "12 bits": lambda x: (4095 * x).astype(np.uint16),
    "16 bits": lambda x: (65535 * x).astype(np.uint16),
}
ALIKE = [{"bytes", "0..255", "int64"}, {"0..1", "half"}]  # scales that hold the same numbers
CONVERTED = [("0..1", "bytes"), ("half", "bytes")]  # by their type
UNKNOWN = {("-1..1", "standardised"), ("standardised", "-1..1")}  # nearly the same scale: nothing is said
PAIRS = [(a, b) for a in SCALES for b in SCALES if (a, b) not in UNKNOWN]
digits = load_digits().images / 16


@cache
def fit(scale):
    return ImagePreprocessor().fit(SCALES[scale](digits[:300]))


def intensities(samples):
    samples = np.asarray(samples)
    return samples / 255 if samples.dtype == np.uint8 else samples


@pytest.mark.parametrize(("fitted", "given"), PAIRS)
def test_no_garbage_without_a_word(fitted, given):
    """Either the samples are those of the images on the scale of fit, or there is an error or a warning."""
    preprocessor, X = fit(fitted), SCALES[given](digits[300:500])
    expected = intensities(preprocessor.transform(SCALES[fitted](digits[300:500])))
    same = fitted == given or any({fitted, given} <= alike for alike in ALIKE) or (fitted, given) in CONVERTED
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            found = intensities(preprocessor.transform(X))
        except ValueError as error:
            assert not same and len(str(error)) < 500 and "Bring X to" in str(error)
            return
    assert bool(told) != same
    if same:
        np.testing.assert_allclose(found, expected, atol=0.005)
    else:
        assert "bring X to the range of fit" in str(told[0].message)


@pytest.mark.parametrize(("fitted", "given"), [("bytes", "0..1"), ("0..255", "standardised"), ("16 bits", "0..255")])
def test_few_images_may_be_dark(fitted, given):
    with pytest.warns(UserWarning, match="bring X to the range of fit"):
        fit(fitted).transform(SCALES[given](digits[300:301]))


def test_one_image_far_outside_is_refused():
    X = digits[300:400].copy()
    X[7] *= 255
    with pytest.raises(ValueError, match=r"values from 0 to 255, and in fit they went from 0 .* in X\[7\]"):
        fit("0..1").transform(X)


COLORS = pixels(300, 8, 8, 3) // 2 + 40
DARK = {
    "black": lambda n, white: np.zeros((n, 8, 8, 3)),
    "black bytes": lambda n, white: np.zeros((n, 8, 8, 3), dtype=np.uint8),
    "noise below 1": lambda n, white: rng.random((n, 8, 8, 3)) / 2 * white / 255,
    "ones": lambda n, white: rng.integers(0, 2, (n, 8, 8, 3)) * white / 255,
    "noisy": lambda n, white: (COLORS[:n] / 255 + rng.normal(0, 0.1, (n, 8, 8, 3))) * white,
    "dim": lambda n, white: COLORS[:n] / 255 * white / 3,
    "pale": lambda n, white: (0.7 + COLORS[:n] / 2550) * white,
    "white": lambda n, white: np.full((n, 8, 8, 3), float(white)),
    "a hot pixel": lambda n, white: np.where(np.arange(n * 192).reshape(n, 8, 8, 3) == 5, 3, 0.5) * white,
}


@pytest.mark.parametrize("n", [1, 20])
@pytest.mark.parametrize("name", DARK)
@pytest.mark.parametrize("fitted", [COLORS, COLORS * 1.0, COLORS / 255, COLORS.astype(np.uint16) * 257])
def test_unusual_images_on_the_scale_of_fit(fitted, name, n):
    """Nothing is said, and the scale is that of fit, whatever the images of one call hold."""
    preprocessor = ImagePreprocessor().fit(fitted)
    if fitted.dtype == np.uint16 and name in ("black bytes", "ones"):
        return  # bytes are refused there, and numbers up to 255 may be bytes
    low, high = preprocessor.value_range_
    X = DARK[name](n, 255 if high < 256 and high > 1 else high)
    found = intensities(preprocessor.transform(X))
    np.testing.assert_allclose(found, (X.transpose(0, 3, 1, 2) - low) / (high - low), atol=1e-5)


def test_dark_bytes_are_read_as_other_bytes_are():
    """A row does not depend on those around it: bytes up to 1 are nearly black, where fit saw fractions of white."""
    X = SCALES["bytes"](digits[300:310])
    X[3] = X[3] > 0
    together = fit("0..1").transform(X)
    np.testing.assert_array_equal(fit("0..1").transform(X[3:4]), together[3:4])
    assert together[3].max() == np.float32(1 / 255)


def test_masks():
    """Black and white images: booleans are 0 and 1, whatever fit has seen; zeros and ones of any type are masks."""
    masks = digits > 0.5
    for kind in (bool, float, np.uint8):
        preprocessor = ImagePreprocessor(value_range=(0, 1) if kind == np.uint8 else "auto").fit(masks.astype(kind))
        for other in (bool, float, np.uint8, int):
            np.testing.assert_array_equal(preprocessor.transform(masks.astype(other))[:, 0], masks)
        with pytest.raises(ValueError, match="Bring X to"):
            preprocessor.transform(masks * np.uint8(255))
    for scale in ("bytes", "0..1", "0..16", "standardised"):
        np.testing.assert_array_equal(fit(scale).transform(masks)[:, 0], masks)
    with pytest.raises(ValueError, match="went from 0 to 1"):
        ImagePreprocessor().fit(masks * np.uint8(255)).transform(masks.astype(np.uint8))


@pytest.mark.parametrize(
    ("value_range", "values", "words"),
    [
        ((0, 255), digits, r"up to 1.*seem to be \(0, 1\)"),
        ((0, 1), digits * 255, "values from 0 to 255"),
        ((0, 1), (digits * 255).astype(int), "values from 0 to 255"),
        ((0, 1), SCALES["bytes"](digits), "values from 0 to 255"),
        ((-1000, 3000), digits * 8000, None),  # a window of a scan
        ((0, 4095), SCALES["12 bits"](digits), None),
    ],
)
def test_the_range_that_the_caller_gives(value_range, values, words):
    preprocessor = ImagePreprocessor(value_range=value_range)
    if words is None:
        assert preprocessor.fit(values).value_range_ == value_range
        return
    with pytest.raises(ValueError, match=words):
        preprocessor.fit(values)


def test_a_given_range_accepts_brighter_images():
    preprocessor = ImagePreprocessor(value_range=(0, 1000)).fit(digits * 100)
    np.testing.assert_allclose(preprocessor.transform(digits * 50_000)[:, 0], digits * 50, rtol=1e-6)
    with pytest.raises(ValueError, match="Bring X to"):
        ImagePreprocessor().fit(digits * 100).transform(digits * 5_000)


@pytest.mark.parametrize("n", [5, 30])
@pytest.mark.parametrize(("more", "fewer"), [("0..255", "0..1"), ("0..255", "standardised"), ("16 bits", "int64")])
def test_two_scales_in_fit(more, fewer, n):
    X = np.concatenate([SCALES[more](digits[:40]), SCALES[fewer](digits[40 : 40 + n])])
    with pytest.raises(
        ValueError, match=r"two scales: up to .* in X\[40\], and up to .* in X\[0\].*Bring X to one range"
    ):
        ImagePreprocessor().fit(X)


def test_dark_images_in_fit():
    """Also many, and of fractions below 1, are no other scale."""
    X = 255 * digits[:40]
    for dark in (0, 0.1 * rng.random((20, 8, 8)), rng.random((20, 8, 8)) ** 4, X[:20] / 10):
        X[20:] = dark
        assert ImagePreprocessor().fit(X).value_range_ == (0, 255)


FORMS = {
    "array": lambda X: X,
    "flat rows": lambda X: X.reshape(len(X), -1),
    "list": list,
    "tensor": torch.from_numpy,
    "frame": lambda X: pd.DataFrame(X.reshape(len(X), -1)),
    "object array": lambda X: X.astype(object),
}


@pytest.mark.parametrize("form", FORMS)
def test_in_any_container(form):
    preprocessor = ImagePreprocessor(sample_shape=(8, 8)).fit(FORMS[form](digits[:200]))
    with pytest.raises(ValueError, match="Bring X to"):
        preprocessor.transform(FORMS[form](digits * 255))


def test_in_a_memory_map(mapped):
    with pytest.raises(ValueError, match="They look as if they went from 0 to 1"):
        fit("bytes").transform(mapped(digits))
    one = digits.copy()
    one[5] *= 255  # which is not inspected before
    with pytest.raises(ValueError, match=r"a plain mismatch, mapped from .*, in X\[5\]"):
        fit("0..1").transform(mapped(one))[slice(0, 9)]
    np.testing.assert_array_equal(fit("0..1").transform(mapped(digits))[slice(0, 9)], digits[:9, None])


@pytest.fixture(scope="module")
def embedder():
    small = {"encoder": ConvNetEncoder(widths=(4,)), "projector": MLPProjector((8,), 4), "max_epochs": 1}
    return BarlowTwinsEmbedder(modality="image", random_state=0, **small).fit(digits[:100])


@pytest.mark.parametrize("method", ["transform", "partial_fit", "score", "transform_views"])
def test_in_every_method(embedder, method):
    with pytest.raises(ValueError, match="Bring X to"):
        getattr(embedder, method)(digits[:100] * 255)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("X", "unlabeled", "error"),
    [
        ("0..1", "0..255", ValueError),
        ("0..255", "0..1", ValueError),
        ("0..1", "standardised", ValueError),
        ("0..16", "0..255", ValueError),
        ("0..1", "bytes", TypeError),
        ("16 bits", "bytes", (ValueError, TypeError)),
        ("0..255", "int64", None),
        ("half", "0..1", None),
    ],
)
def test_rows_without_labels(embedder, X, unlabeled, error, flat):
    """They would share one range with those that have labels."""
    again = BarlowTwinsEmbedder(**embedder.get_params(deep=False)).set_params(preprocessor__sample_shape=(8, 8))
    X, unlabeled = SCALES[X](digits[:60]), SCALES[unlabeled](digits[60:120])
    if flat:
        X, unlabeled = X.reshape(60, -1), unlabeled.reshape(60, -1)
    if error is None:
        assert again.fit(X, unlabeled=unlabeled).n_iter_ == 1
        return
    with pytest.raises(error, match=r"unlabeled .*(on another scale than X|Bring both to one type)"):
        again.fit(X, unlabeled=unlabeled)


def varied(n, white, spread, seed):
    """Images whose brightness varies much, as in microscopy."""
    generator = np.random.default_rng(seed)
    brightness = np.exp(generator.normal(0, spread, (n, 1, 1)))
    return (brightness * generator.random((n, 8, 8)) * white / 10).clip(0, white).astype(np.uint16)


@pytest.mark.parametrize("white", [4095, 65535])
@pytest.mark.parametrize("seed", range(4))
def test_images_of_varied_brightness_are_on_one_scale(white, seed):
    preprocessor = ImagePreprocessor().fit(varied(300, white, 2, seed))
    preprocessor.transform(varied(100, white, 2, seed + 1))


@pytest.mark.parametrize("n", [1, 8])
def test_images_brighter_than_those_of_fit(n):
    """White of the type is no other scale than a white in fit that falls a little short of it."""
    X = SCALES["16 bits"](digits)
    preprocessor = ImagePreprocessor().fit((X[:300] * 0.72).astype(np.uint16))
    preprocessor.transform(np.maximum(X[300 : 300 + n], 40000))


def test_dark_images_may_be_declared():
    X = SCALES["12 bits"](digits[:200])
    X[::2] >>= 4
    with pytest.raises(ValueError, match=r"on two scales.*give preprocessor__value_range="):
        ImagePreprocessor().fit(X)
    ImagePreprocessor(value_range=(0, 4095)).fit(X)


def test_signed_bytes_are_refused():
    with pytest.raises(ValueError, match=r"give X.view\(numpy.uint8\)"):
        fit("bytes").transform(SCALES["bytes"](digits[:20]).view(np.int8))


def test_images_normalised_by_the_numbers_of_another_data_set():
    with pytest.raises(ValueError, match="Bring X to one range"):
        fit("-1..1").transform((digits[300:400] - 0.13) / 0.31)


@pytest.mark.parametrize("fitted", ["bytes", "0..255", "12 bits"])
def test_one_image_of_fractions(fitted):
    """Whatever it shows: its values are those of 0 to 1."""
    with pytest.warns(UserWarning, match="If they are not dark, bring X to the range of fit"):
        fit(fitted).transform(0.9 + digits[300:301] / 20)

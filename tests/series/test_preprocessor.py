"""Time series in every container: the same samples; lengths, missing steps, scales, and what is refused."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from sklearn_twins.preprocessing import SeriesPreprocessor

RNG = np.random.default_rng(0)
FLAT = RNG.normal(size=(10, 12))
DEEP = RNG.normal(size=(10, 3, 12)) * [[1], [10], [100]] + [[0], [5], [1e6]]
UNEQUAL = [RNG.normal(size=(2, length)) for length in (3, 7, 5, 7, 1)]


def plain(**params):
    """A preprocessor without kernels."""
    return SeriesPreprocessor(**{"n_kernel_features": 0, **params})


def mapped(tmp_path, X):
    np.save(tmp_path / "x.npy", X)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


FLAT_FORMS = {
    "lists": lambda: FLAT.tolist(),
    "list of arrays": lambda: list(FLAT),
    "column of arrays": lambda: pd.Series(list(FLAT)),
    "frame of one column of arrays": lambda: pd.DataFrame({"wave": list(FLAT)}),
    "polars, column of lists": lambda: pl.Series(FLAT.tolist()),
    "polars, frame of one column of lists": lambda: pl.DataFrame({"wave": FLAT.tolist()}),
    "tensor": lambda: torch.from_numpy(FLAT),
    "pandas": lambda: pd.DataFrame(FLAT).rename(columns=str),
    "polars": lambda: pl.DataFrame(FLAT),
    "one channel": lambda: FLAT[:, None],
    "list of one channel": lambda: list(FLAT[:, None]),
    "Fortran": lambda: np.asfortranarray(FLAT),
    "objects": lambda: FLAT.astype(object),
    "big endian": lambda: FLAT.astype(">f8"),
    "read-only": lambda: np.frombuffer(FLAT.tobytes()).reshape(FLAT.shape),
}


@pytest.mark.parametrize("form", FLAT_FORMS)
def test_every_form_gives_the_same_samples(form):
    expected = plain().fit_transform(FLAT)
    preprocessor, X = plain(), FLAT_FORMS[form]()
    np.testing.assert_array_equal(preprocessor.fit_transform(X), expected)
    np.testing.assert_array_equal(preprocessor.transform(X), expected)
    assert preprocessor.n_features_in_ == 12 and expected.shape == (10, 1, 12) and expected.dtype == np.float32


def test_memory_map(tmp_path):
    np.testing.assert_array_equal(plain().fit_transform(mapped(tmp_path, DEEP)), plain().fit_transform(DEEP))


def test_layouts():
    expected = plain().fit_transform(DEEP)
    swapped = plain(layout="channels_last").fit_transform(DEEP.swapaxes(1, 2))
    np.testing.assert_array_equal(swapped, expected)
    listed = plain(layout="channels_last").fit_transform([one.T for one in UNEQUAL])
    np.testing.assert_array_equal(listed, plain().fit_transform(UNEQUAL))


def test_channels_are_scaled_over_the_training_set():
    preprocessor = plain()
    samples = preprocessor.fit_transform(DEEP)
    np.testing.assert_allclose(preprocessor.mean_, DEEP.mean((0, 2)))
    np.testing.assert_allclose(preprocessor.scale_, DEEP.std((0, 2)))
    np.testing.assert_allclose(samples.std((0, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(
        preprocessor.transform(DEEP[:2] * 2), ((DEEP[:2] * 2).swapaxes(1, 2) - preprocessor.mean_).swapaxes(1, 2)
        / preprocessor.scale_[:, None], rtol=1e-4,
    )  # fmt: skip


def test_series_are_scaled_each_by_itself():
    samples = plain(scaling="series").fit_transform(DEEP)
    np.testing.assert_allclose(samples.mean(2), 0, atol=1e-5)
    np.testing.assert_allclose(samples.std(2), 1, rtol=1e-4)
    gappy = plain(scaling="series").fit_transform(UNEQUAL)
    np.testing.assert_allclose(
        [s[:2, : one.shape[1]].mean(1) for s, one in zip(gappy, UNEQUAL, strict=True)], 0, atol=1e-6
    )
    assert not gappy[4, :2].any()  # of one step


@pytest.mark.parametrize("scaling", ["channel", "series"])
def test_constant_channels_become_zero(scaling):
    X = DEEP.copy()
    X[:, 1] = 1e6 / 3
    samples = plain(scaling=scaling).fit_transform(X)
    assert np.abs(samples[:, 1]).max() < 1e-6 and samples[:, 0].std() > 0.5


def test_shorter_series_are_padded_and_marked():
    preprocessor = plain()
    samples = preprocessor.fit_transform(UNEQUAL)
    assert preprocessor.spec_.masked and (preprocessor.spec_.n_channels, preprocessor.spec_.length) == (2, 7)
    for sample, one in zip(samples, UNEQUAL, strict=True):
        n = one.shape[1]
        assert sample[2].tolist() == [1.0] * n + [0.0] * (7 - n) and not sample[:, n:].any()
    np.testing.assert_allclose(preprocessor.mean_, np.concatenate(UNEQUAL, axis=1).mean(1))
    np.testing.assert_array_equal(preprocessor.transform(UNEQUAL[4:]), samples[4:])  # alone


@pytest.mark.parametrize("as_rows", [list, lambda rows: [row.tolist() for row in rows], tuple])
def test_any_of_the_series_of_unequal_length_alone(as_rows):
    rows = [one[0] for one in UNEQUAL]
    preprocessor = plain()
    samples = preprocessor.fit_transform(rows)
    for i in range(len(rows)):
        np.testing.assert_array_equal(preprocessor.transform(as_rows(rows[i : i + 1])), samples[i : i + 1])


def test_more_channels_than_steps_are_warned_of():
    with pytest.warns(UserWarning, match=r"12 channels and 3 steps.*layout='channels_last'"):
        plain().fit(DEEP.swapaxes(1, 2))


def test_padding_by_nan_is_the_same_as_unequal_lengths():
    padded = np.full((5, 2, 7), np.nan)
    for row, one in zip(padded, UNEQUAL, strict=True):
        row[:, : one.shape[1]] = one
    np.testing.assert_array_equal(plain().fit_transform(padded), plain().fit_transform(UNEQUAL))


def test_a_step_is_missing_if_any_channel_is():
    X = DEEP.copy()
    X[3, 1, 4] = np.nan
    samples = plain().fit_transform(X)
    assert np.argwhere(samples[:, 3] == 0).tolist() == [[3, 4]] and not samples[3, :, 4].any()


def test_masked_arrays_have_missing_steps():
    X = np.ma.masked_array(FLAT, FLAT > 1)
    np.testing.assert_array_equal(plain().fit_transform(X)[:, 1], (FLAT <= 1).astype(np.float32))


def test_samples_without_gaps_can_be_marked():
    preprocessor = plain(masked=True).fit(FLAT)
    assert preprocessor.spec_.shape == (2, 12)
    assert preprocessor.transform([FLAT[0, :5], FLAT[1]])[0, 1].sum() == 5


def test_longer_series():
    fitted = {longer: plain(longer=longer, max_length=6).fit_transform(FLAT) for longer in ("cut", "resample")}
    assert fitted["cut"].shape == fitted["resample"].shape == (10, 1, 6)
    np.testing.assert_allclose(fitted["cut"][:, 0], (FLAT[:, :6] - FLAT[:, :6].mean()) / FLAT[:, :6].std(), rtol=1e-5)
    halves = FLAT.reshape(10, 6, 2).mean(2)
    np.testing.assert_allclose(fitted["resample"][:, 0], (halves - halves.mean()) / halves.std(), atol=1e-5)


def test_resampling_weighs_steps_by_their_share():
    X = [np.arange(5.0), np.arange(3.0)]
    samples = plain(longer="resample", max_length=3).fit(X)
    new = samples.transform(X)[0, 0] * samples.scale_ + samples.mean_  # steps of 5/3 old ones
    np.testing.assert_allclose(new, [(0 + 1 * 2 / 3) * 3 / 5, 2.0, (4 + 3 * 2 / 3) * 3 / 5], rtol=1e-5)


def test_tags():
    tags = get_tags(SeriesPreprocessor()).input_tags
    assert tags.allow_nan and tags.three_d_array and tags.two_d_array and not tags.string


BAD = {
    "different channels": ([np.ones((2, 4)), np.ones((3, 4))], r"X\[1\] has 3 channels, and X\[0\] has 2.*layout"),
    "empty series": ([np.ones(4), np.ones(0)], r"X\[1\] has the shape \(0,\)"),
    "infinity": ([np.ones(4), np.array([1.0, np.inf])], r"X\[1\] contains infinity"),
    "infinity in an array": (np.where(FLAT[4, 2] == FLAT, np.inf, FLAT), r"contains infinity, in X\[4\]"),
    "no steps": (np.ones((5, 2, 0)), r"shape \(5, 2, 0\)"),
    "four axes": (np.ones((2, 2, 2, 2)), "at most 3 axes"),
    "all missing": (np.where(np.arange(10)[:, None] == 3, np.nan, FLAT), r"X\[3\] has no step"),
    "a channel is missing": (np.where(np.arange(3)[:, None] == 1, np.nan, DEEP), r"X\[0\] has no step.*channels"),
    "text": (["abc", "de"], r"X\[0\] is 'abc'.*Read files first"),
    "columns of text": (pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]}), "X holds something else than numbers"),
    "one column of text": (pd.DataFrame({"a": ["x", "y"]}), "X"),
    "dates": (pd.DataFrame({"a": pd.date_range("2020", periods=3), "b": 1.0}), "X holds something else than numbers"),
    "an array of dates": (np.zeros((3, 4), dtype="M8[D]"), "X holds dates or durations"),
    "too large": (np.where(FLAT > 2, 1e300, FLAT), "Channel 0 of X holds values whose squares"),
    "sparse": (sparse.csr_array(FLAT), "toarray"),
    "records": (np.zeros(3, dtype=[("a", float)]), "records"),
    "complex": (FLAT + 1j, "Complex"),
    "nothing": ([], r"0 sample\(s\).*without any series"),
    "nested": ([np.ones((2, 2, 2)), np.ones((2, 2))], r"X\[0\] has the shape \(2, 2, 2\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_series_are_refused_by_name(name):
    X, message = BAD[name]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        plain().fit(X)
    assert len(str(caught.value)) < 1_500


def test_one_endless_series_among_short_ones(monkeypatch):
    monkeypatch.setattr("sklearn_twins._series._preprocessor.MOST_PADDED_VALUES", 1_000)
    X = [np.ones(5)] * 50 + [np.ones(500)]
    with pytest.raises(ValueError, match=r"X\[50\] has 500 steps.*max_length"):
        plain().fit(X)
    assert plain(max_length=8, longer="cut").fit_transform(X).shape == (51, 2, 8)


def test_arrays_of_another_length_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"X has 5 features, but .* list\(numpy.asarray\(X\)\)"):
        plain(masked=True).fit(FLAT).transform(FLAT[:, :5])


CHANGED = {
    "other channels": (DEEP[:, :2], r"X has 2 channels, and series in fit had 3"),
    "one channel": (FLAT, "36 features|channel"),
    "longer": (np.concatenate([DEEP, DEEP], axis=2), r"X has 24 steps, more than 12.*longer='cut'"),
    "shorter": (DEEP[..., :5], r"X\[0\] has missing steps.*masked=True"),
    "missing": (np.where(DEEP > 1e6 + 100, np.nan, DEEP), r"missing steps \(NaN\).*masked=True"),
    "a longer one": ([*DEEP, np.ones((3, 20))], r"X\[10\] has 20 steps, more than 12"),
    "too large": (DEEP * 1e300, r"X\[0\] holds values that are too large"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_other_series_than_in_fit_are_refused(name):
    X, message = CHANGED[name]
    with pytest.raises(ValueError, match=message):
        plain().fit(DEEP).transform(X)


def test_parameters():
    for params, message in (({"n_kernel_features": 10}, "0 or at least 84"), ({"longer": "drop"}, "longer")):
        with pytest.raises(ValueError, match=message):
            SeriesPreprocessor(**params).fit(FLAT)
    with pytest.raises(NotFittedError):
        plain().transform(FLAT)


def test_names_of_columns():
    frame = pd.DataFrame(FLAT, columns=[f"t{i}" for i in range(12)])
    preprocessor = plain().fit(frame)
    assert preprocessor.feature_names_in_[0] == "t0"
    with pytest.raises(ValueError, match=re.compile("feature names", re.IGNORECASE)):
        preprocessor.transform(frame[frame.columns[::-1]])

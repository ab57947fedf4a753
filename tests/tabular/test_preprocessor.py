"""The table preprocessor: scaled numbers, missing values, blocks of rows, and scikit-learn's conventions."""

import joblib
import numpy as np
import pandas as pd
import pytest
from builders import table_spec
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_twins._tabular import _numbers, _table
from sklearn_twins.preprocessing import TablePreprocessor

NAN, MAX, TINY = np.nan, np.finfo(np.float64).max, np.finfo(np.float64).tiny
every_scaling = pytest.mark.parametrize("scaling", ["robust", "quantile"])


@parametrize_with_checks([TablePreprocessor()])
def test_sklearn_checks(estimator, check):
    check(estimator)


def reference(X, seen, clip=1.5):
    """Median, interquartile range and the soft clip, in float64, column by column."""
    X, seen = (np.asarray(x, dtype=np.float64) for x in (X, seen))
    q25, center, q75 = np.nanpercentile(seen, [25, 50, 75], axis=0)
    z = (X - center) / (q75 - q25)
    return z / np.sqrt(1 + (z / clip) ** 2)


def normal(n=500, dim=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


def mixed(n=60):
    """A frame with columns of each kind, missing values, and equally frequent categories."""
    frame = pd.DataFrame(normal(n), columns=list("abcd")).assign(e=(list("zyx") * n)[:n], f=([1, "x", None] * n)[:n])
    frame["g"] = pd.date_range("1969-12-31", periods=n, freq="31h")
    frame["h"] = pd.to_timedelta(np.arange(n), unit="s")
    return frame.assign(a=frame["a"].where(frame["b"] < 1), g=frame["g"].where(frame["b"] < 1))


GAPS = np.random.default_rng(1).random((500, 4)) < [0.5, 0.0, 0.1, 0.0]
NUMBERS = {
    "plain": normal(),
    "float32 far from zero": (normal() * 100 + 1e6).astype(np.float32),
    "an offset that float32 would lose": normal() + 1e6,
    "units of any size side by side": normal() * [1e9, 1e-3, 1e-12, -1.0] + [1e12, 1e-1, 0.0, 1e6],
    "tiny": normal() * 1e-307,
    "huge": normal() * 1e300,
    "with gaps": np.where(GAPS, NAN, normal()),
}


@pytest.mark.parametrize("X", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("clip", [0.5, 1.5, 100.0])
def test_equals_the_formula(X, clip):
    """Also for new rows; missing values stay, and do not affect the scales."""
    fitted, new = TablePreprocessor(clip=clip).fit(X), 2 * X[::-1] - X
    for rows in (X, new):
        found = fitted.transform(rows)
        assert found.dtype == np.float32 and found.shape == X.shape
        np.testing.assert_allclose(found, reference(rows, X, clip), rtol=1e-6, atol=1e-6)
    missing = (0, 2) if np.isnan(X).any() else ()
    assert fitted.spec_ == table_spec(4, missing=missing, clip=clip) and fitted.n_features_in_ == 4
    assert all(type(j) is int for j in fitted.spec_.missing)


@pytest.mark.parametrize(
    ("column", "center", "scale"),
    [
        ([0, 1, 2, 3, 4], 2, 1 / 2),
        ([-8, 1, 2, 3, 1e30], 2, 1 / 2),
        ([5, 5, 5, 5, 5, 5, 7], 5, 2 / 2),  # no interquartile range: half the full one
        ([0, 0, 0, 0, 0, 0, 0, -1, 3], 0, 2 / 4),
        ([7, 7, 7], 7, 0),
        ([7, NAN, 7], 7, 0),
        ([1e300, 1e300], 1e300, 0),
        ([NAN, NAN], 0, 0),
        ([0, 0, 0, TINY / 2], 0, 0),
        ([-MAX, 0, MAX], 0, 1 / MAX),
        ([-MAX, -MAX, MAX, MAX], 0, 0.5 / MAX),
    ],
)
def test_learned_center_and_scale(column, center, scale):
    """Without overflow. A column that was constant in fit is always 0."""
    with np.errstate(invalid="ignore"):  # scikit-learn's own check for infinity sums the values
        fitted = TablePreprocessor().fit(np.array(column, dtype=np.float64)[:, None])
    np.testing.assert_allclose([*fitted.center_, *fitted.scale_], [center, scale], rtol=1e-12)
    assert fitted.center_.dtype == fitted.scale_.dtype == np.float64
    found = fitted.transform(np.array([[MAX], [-MAX], [NAN], [center], [5.0]]))
    assert np.isnan(found[2]) and np.abs(found[[0, 1, 3, 4]]).max() <= 1.5
    assert scale or (found[[0, 1, 3, 4]] == 0).all()


HUGE = {
    "few": [1e308, -1e308, 0.0, 1.0, 2.0],
    "half": [1e308, -1e308] * 10,
    "all": list(1.7e308 * np.linspace(-1, 1, 21)),
    "largest": [MAX, -MAX, MAX, -MAX, 0.0],
    "heavy tails": np.random.default_rng(0).standard_cauchy(2_000),
    "mostly zero": [*range(11), *[0] * 90],
    "a rare flag": [1] * 3 + [0] * 97,
}


@pytest.mark.parametrize("column", HUGE.values(), ids=HUGE)
def test_order_is_kept_and_values_are_spread_within_the_bounds(column):
    X = np.array(column, dtype=np.float64)[:, None]
    with np.errstate(invalid="ignore"):
        found = TablePreprocessor().fit_transform(X)
    assert np.isfinite(found).all() and np.abs(found).max() <= 1.5
    assert (np.diff(found[np.argsort(X[:, 0]), 0]) >= 0).all()
    assert np.ptp(found) > 0.5


def test_one_extreme_value_changes_little():
    X = normal(2_000, 1)
    spoilt = X.copy()
    spoilt[7] = 1e30
    a, b = (np.delete(TablePreprocessor().fit_transform(x), 7) for x in (X, spoilt))
    np.testing.assert_allclose(a, b, atol=0.01)


def test_by_rank_is_normal_whatever_the_distribution():
    x = np.exp(normal(2_000, 1) * 3)
    found = TablePreprocessor(scaling="quantile", clip=1e6).fit_transform(x)[:, 0]
    expected = stats.norm.ppf((stats.rankdata(x[:, 0]) - 1) / 1_999)
    iqr = np.subtract(*stats.norm.ppf([0.75, 0.25]))
    np.testing.assert_allclose(np.sort(found)[100:-100], np.sort(expected / iqr)[100:-100], atol=0.01)
    own = QuantileTransformer(n_quantiles=1_000, output_distribution="normal", subsample=None).fit_transform(x)
    np.testing.assert_allclose(found, own[:, 0] / iqr, atol=1e-4)


def test_few_values_by_rank():
    """New values are interpolated, and clipped to the range of fit."""
    fitted = TablePreprocessor(scaling="quantile", clip=1e6).fit([[0.0], [1.0], [3.0], [NAN], [7.0], [100.0]])
    new = np.array([-5, 0, 0.5, 1, 2, 3, 7, 100, 1e9, NAN])
    levels = np.interp(new, [0, 1, 3, 7, 100], [0, 0.25, 0.5, 0.75, 1])
    expected = stats.norm.ppf(np.clip(levels, 1e-7, 1 - 1e-7)) / np.subtract(*stats.norm.ppf([0.75, 0.25]))
    np.testing.assert_allclose(fitted.transform(new[:, None])[:, 0], expected, rtol=1e-4, atol=1e-7)


def test_by_rank_ends_within_the_same_bounds():
    x = np.random.default_rng(0).standard_cauchy(size=(500, 1))
    x[::7] = NAN
    found = TablePreprocessor(scaling="quantile").fit_transform(np.column_stack([x, np.ones(500), np.full(500, NAN)]))
    assert np.array_equal(np.isnan(found[:, 0]), np.isnan(x[:, 0])) and np.nanmax(np.abs(found)) < 1.5
    assert (found[:, 1] == 0).all() and np.isnan(found[:, 2]).all()


@every_scaling
def test_edges_are_quantiles_of_the_samples(scaling):
    x = np.random.default_rng(0).gamma(2, size=(3_301, 2))
    x[::5, 1] = NAN
    fitted = TablePreprocessor(scaling=scaling).fit(x)
    edges = np.array(fitted.spec_.edges)
    assert edges.shape == (2, 33)
    np.testing.assert_allclose(edges.T, np.nanquantile(fitted.transform(x), np.linspace(0, 1, 33), axis=0), atol=2e-3)


def test_columns_do_not_matter_to_each_other():
    together = TablePreprocessor().fit_transform(normal())
    for j in range(4):
        assert np.array_equal(TablePreprocessor().fit_transform(normal()[:, [j]]), together[:, [j]])


@every_scaling
def test_order_of_the_rows_does_not_matter(scaling):
    """For samples, and for the hash of the fitted preprocessor."""
    frame, order = mixed(), np.random.default_rng(1).permutation(60)
    first, second = (TablePreprocessor(scaling=scaling).fit(X) for X in (frame, frame.iloc[order]))
    np.testing.assert_array_equal(second.transform(frame.iloc[order]), first.transform(frame)[order])
    assert joblib.hash(first) == joblib.hash(second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scaling", "rows", "cells"),
    [("robust", 1, 2**17), ("robust", 7, 1), ("robust", 60, 7), ("quantile", 7, 2**17), ("quantile", 59, 100)],
)
def test_blocks_are_seamless(monkeypatch, scaling, rows, cells):
    """For any number of rows read and cells scaled at a time."""
    frame = mixed()
    expected = TablePreprocessor(scaling=scaling).fit_transform(frame)
    monkeypatch.setattr(_table, "MAX_ROWS_PER_BLOCK", rows)
    monkeypatch.setattr(_numbers, "CELLS_AT_A_TIME", cells)
    for X in (frame, frame.astype(object)):
        np.testing.assert_array_equal(TablePreprocessor(scaling=scaling).fit_transform(X), expected)


def test_more_rows_than_a_block():
    size = _table.MAX_ROWS_PER_BLOCK
    X = normal(size * 2 + 5, 2)
    fitted = TablePreprocessor().fit(X)
    found = fitted.transform(X)
    np.testing.assert_allclose(found, reference(X, X), rtol=1e-6, atol=1e-7)
    edge = slice(size - 2, size + 2)
    assert np.array_equal(fitted.transform(X[edge]), found[edge])


def test_columns_complete_in_fit_are_not_marked():
    fitted = TablePreprocessor().fit(normal())
    assert np.isnan(fitted.transform([[NAN, 0, 0, 0]])).tolist() == [[True, False, False, False]]
    assert fitted.spec_.missing == ()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8, np.uint8, bool])
def test_x_is_not_modified(dtype):
    X = (10 * normal()).astype(dtype)
    before = X.copy()
    found = TablePreprocessor().fit_transform(X)
    assert np.array_equal(X, before) and not np.shares_memory(found, X)
    assert found.dtype == np.float32 and np.isfinite(found).all()


def test_read_only_fortran_ordered_and_memory_mapped_x(tmp_path):
    X = normal()
    np.save(tmp_path / "x.npy", X)
    fortran = np.asfortranarray(X)
    fortran.setflags(write=False)
    for same in (fortran, np.load(tmp_path / "x.npy", mmap_mode="r")):
        assert np.array_equal(TablePreprocessor().fit_transform(same), TablePreprocessor().fit_transform(X))


def test_missing_values_of_frames_and_lists():
    frame = pd.DataFrame(
        {"a": [1.0, NAN, 3.0, 4.0], "b": pd.array([1, 2, None, 4], dtype="Int64"), "c": [1, 2, 3, 4]},
    )
    fitted = TablePreprocessor().fit(frame)
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c"] and fitted.spec_.missing == (0, 1)
    rows = [[1, 1, 1], [None, 2, 2], [3, NAN, 3], [4, 4, 4]]
    for X in (np.array(rows, dtype=float), rows):
        assert np.array_equal(fitted.transform(frame), TablePreprocessor().fit_transform(X), equal_nan=True)


def test_owner_is_named_in_errors_and_receives_the_column_names():
    """The preprocessor itself still refuses other widths."""

    class Owner(TablePreprocessor):
        pass

    owner, frame = Owner(), pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    fitted = TablePreprocessor().fit(frame, owner=owner)
    assert owner.n_features_in_ == 2 and owner.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(frame.rename(columns={"a": "c"}), owner=owner)
    fitted = TablePreprocessor().fit(frame.to_numpy(), owner=owner)
    with pytest.raises(ValueError, match="X has 3 features, but Owner is expecting 2"):
        fitted.transform(np.zeros((2, 3)), owner=owner)
    for wrong in (np.zeros((2, 3)), np.zeros((2, 1))):
        with pytest.raises(ValueError, match="features"):
            fitted.transform(wrong)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([1.0, 2.0, 3.0], "Expected 2D array"),
        (np.zeros((3, 2, 2)), "dim"),
        ([[1.0, 2.0]], "minimum of 2"),
        (np.zeros((0, 3)), "minimum of 2"),
        (np.zeros((3, 0)), "feature"),
        (np.array([[1j], [2j]]), "Complex"),
    ],
)
def test_wrong_x_is_refused(X, words):
    with pytest.raises((ValueError, TypeError), match=words):
        TablePreprocessor().fit(X)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("container", [np.array, pd.DataFrame, lambda x: x.astype(object), sparse.csr_array])
def test_infinity_is_refused_by_column(container, value):
    X = np.ones((4, 3)) + np.arange(4)[:, None]
    fitted = TablePreprocessor().fit(container(X))
    X[2, 1] = value
    for call in (TablePreprocessor().fit, fitted.transform):
        with pytest.raises(ValueError, match=r"Input X contains infinity.*column 1.*NaN"):
            call(container(X))


def test_one_row_can_be_transformed():
    assert TablePreprocessor().fit(normal()).transform(normal(1)).shape == (1, 4)


def test_unfitted():
    with pytest.raises(NotFittedError):
        TablePreprocessor().transform([[1.0]])


@pytest.mark.parametrize("clip", [0, -1.0, "3", None, NAN, np.inf])
def test_wrong_clip_is_refused_at_fit(clip):
    with pytest.raises(ValueError, match="'clip' parameter of TablePreprocessor"):
        TablePreprocessor(clip=clip).fit(normal())


def test_fit_forgets_what_it_saw_before():
    first = TablePreprocessor().fit(np.where(normal() > 1, NAN, normal()))
    again = first.fit(normal(dim=2))
    assert again is first and again.spec_ == table_spec(2, clip=1.5) and again.n_features_in_ == 2


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_samples_as_frames(output):
    frame = pd.DataFrame({"job": list("aab"), "joined": pd.date_range("2020-01-01", periods=3), "age": [1, 2, 4]})
    fitted = TablePreprocessor().fit(frame)
    expected = fitted.transform(frame)
    found = fitted.set_output(transform=output).transform(frame)
    phases = [f"joined_{phase}_{wave}" for phase in ("year", "week") for wave in ("sin", "cos")]
    assert list(found.columns) == ["joined_elapsed", *phases, "age", "job"]
    assert type(found).__module__.startswith(output)
    np.testing.assert_array_equal(found.to_numpy(), expected)


def test_clone_copies_and_pipeline(tmp_path):
    params = {
        "categorical_features": [1],
        "max_categories": 7,
        "scaling": "quantile",
        "clip": 2.0,
        "max_dense_bytes": 10**6,
    }
    fitted = TablePreprocessor(**params).fit(mixed())
    assert clone(fitted).get_params() == params
    again = joblib.load(joblib.dump(fitted, tmp_path / "fitted")[0])
    assert joblib.hash(again) == joblib.hash(fitted) == joblib.hash(clone(fitted).fit(mixed()))
    np.testing.assert_array_equal(again.transform(mixed()), fitted.transform(mixed()))
    assert make_pipeline(TablePreprocessor(), TablePreprocessor()).fit_transform(normal()).shape == (500, 4)

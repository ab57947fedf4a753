"""The table preprocessor: robust scales in float64, missing values kept, absurd values bounded, X left alone."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_twins._tabular import _table as _reading
from sklearn_twins.preprocessing import TablePreprocessor, TableSpec

NAN = np.nan


@parametrize_with_checks([TablePreprocessor()])
def test_sklearn_checks(estimator, check):
    check(estimator)


def reference(X, fitted_on=None, clip=1.5):
    """Median, interquartile range and the soft clip, in float64, column by column."""
    X = np.asarray(X, dtype=np.float64)
    seen = X if fitted_on is None else np.asarray(fitted_on, dtype=np.float64)
    out = np.full(X.shape, NAN)
    for j in range(X.shape[1]):
        column = seen[~np.isnan(seen[:, j]), j]
        q25, center, q75 = np.percentile(column, [25, 50, 75])
        z = (X[:, j] - center) / (q75 - q25)
        out[:, j] = z / np.sqrt(1 + (z / clip) ** 2)
    return out


def normal(n=500, dim=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


@pytest.mark.parametrize("clip", [0.5, 3.0, 100.0])
def test_equals_the_formula(clip):
    X = normal()
    found = TablePreprocessor(clip=clip).fit_transform(X)
    assert found.dtype == np.float32 and found.shape == X.shape
    np.testing.assert_allclose(found, reference(X, clip=clip), rtol=1e-6, atol=1e-7)


def test_new_rows_are_scaled_as_the_training_rows_were():
    X, new = normal(), 3 + 2 * normal(seed=1)
    found = TablePreprocessor().fit(X).transform(new)
    np.testing.assert_allclose(found, reference(new, X), rtol=1e-6, atol=1e-7)


def test_learned_scales():
    X = normal()
    q25, center, q75 = np.percentile(X, [25, 50, 75], axis=0)
    fitted = TablePreprocessor().fit(X)
    np.testing.assert_allclose(fitted.center_, center, rtol=1e-12)
    np.testing.assert_allclose(fitted.scale_, 1 / (q75 - q25), rtol=1e-12)
    assert fitted.center_.dtype == fitted.scale_.dtype == np.float64
    assert fitted.spec_ == TableSpec(shape=(4,), clip=1.5) and fitted.n_features_in_ == 4


def test_units_of_any_size_beside_each_other():
    X = normal()
    scaled = X * [1e9, 1e-3, 1e-12, 1.0] + [1e12, 1e-1, 0.0, 1e6]
    np.testing.assert_allclose(TablePreprocessor().fit_transform(scaled), reference(X), rtol=1e-4, atol=1e-4)
    assert np.abs(TablePreprocessor().fit_transform(scaled)).std(axis=0).min() > 0.2


def test_offset_is_taken_off_in_float64():
    """Scaling in float32 would err by 0.045 at an offset of 1e6."""
    X = normal() + 1e6
    np.testing.assert_allclose(TablePreprocessor().fit_transform(X), reference(X), rtol=0, atol=1e-6)


def test_float32_columns_are_scaled_in_float64_too():
    X = (normal() * 100 + 1e6).astype(np.float32)
    np.testing.assert_allclose(TablePreprocessor().fit_transform(X), reference(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("factor", "offset"), [(1e-8, 0.0), (1e6, -1e6), (1.8, 32.0)])
def test_units_do_not_matter(factor, offset):
    X = normal()
    found = TablePreprocessor().fit_transform(factor * X + offset)
    np.testing.assert_allclose(found, TablePreprocessor().fit_transform(X), rtol=0, atol=1e-6)


def test_turned_units_turn_the_sign():
    X = normal()
    np.testing.assert_allclose(TablePreprocessor().fit_transform(-X), -TablePreprocessor().fit_transform(X), atol=1e-6)


def test_columns_do_not_matter_to_each_other():
    X = normal()
    together = TablePreprocessor().fit_transform(X)
    for j in range(4):
        assert np.array_equal(TablePreprocessor().fit_transform(X[:, [j]]), together[:, [j]])


def test_row_order_does_not_matter():
    X = normal()
    order = np.random.default_rng(1).permutation(len(X))
    assert np.array_equal(TablePreprocessor().fit_transform(X[order]), TablePreprocessor().fit_transform(X)[order])


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_what_is_learnt_hashes_alike_whatever_the_order_of_the_rows(scaling):
    """Ties of categories among it."""
    frame = pd.DataFrame(normal(60), columns=list("abcd")).assign(e=list("zyx") * 20, f=[1, "1", None] * 20)
    frame["g"] = pd.date_range("1969-12-31", periods=60, freq="31h")
    other = frame.sample(frac=1, random_state=0)
    assert other["e"].iloc[0] != "z"
    first, second = (joblib.hash(TablePreprocessor(scaling=scaling).fit(X)) for X in (frame, other))
    assert first == second


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


def test_heavy_tails_are_bounded_and_leave_the_middle_alone():
    X = np.random.default_rng(0).standard_cauchy(size=(2_000, 2))
    found = TablePreprocessor().fit_transform(X)
    assert np.abs(found).max() <= 3 and found.std() < 2
    assert np.all(np.diff(found[np.argsort(X[:, 0]), 0]) >= 0), "order is kept"


def test_one_absurd_value_changes_little():
    X = normal(2_000, 1)
    spoilt = X.copy()
    spoilt[7] = 1e30
    a, b = (np.delete(TablePreprocessor().fit_transform(x), 7) for x in (X, spoilt))
    np.testing.assert_allclose(a, b, atol=0.01)


@pytest.mark.parametrize("value", [0.0, -7.5, 1e9, 1e300, 5e-324])
def test_constant_column_is_zero(value):
    fitted = TablePreprocessor().fit(np.column_stack([np.full(50, value), normal(50, 1)]))
    assert fitted.scale_[0] == 0
    out = fitted.transform(np.array([[value, 0.0], [value + 1e6, 0.0], [-1e308, 0.0]]))
    assert (out[:, 0] == 0).all()


def test_constant_column_with_missing_values():
    X = np.column_stack([np.where(np.arange(50) % 3, 2.0, NAN), normal(50, 1)])
    out = TablePreprocessor().fit_transform(X)
    assert np.array_equal(np.isnan(out), np.isnan(X))
    assert (out[~np.isnan(X[:, 0]), 0] == 0).all()


def test_empty_column_is_missing_and_then_zero():
    X = np.column_stack([np.full(50, NAN), normal(50, 1)])
    fitted = TablePreprocessor().fit(X)
    assert np.isnan(fitted.transform(X)[:, 0]).all()
    assert fitted.spec_.missing == (0,)
    assert fitted.transform([[5.0, 0.0]])[0, 0] == 0


@pytest.mark.parametrize(
    "dtype", ["float64", "Int64", "boolean", "datetime64[s]", "timedelta64[ms]", "string", "category", "object"]
)
def test_a_column_without_values_is_empty_whatever_its_type(dtype):
    frame = pd.DataFrame({"a": pd.Series([None] * 3, dtype=dtype)})
    fitted = TablePreprocessor().fit(frame)
    assert fitted.kinds_ == ("empty",) and fitted.spec_.missing == (0,)
    np.testing.assert_array_equal(fitted.transform(frame), [[NAN]] * 3)
    for values in (["x", None], [pd.Timestamp(0), pd.NaT], [7.0, NAN]):
        np.testing.assert_array_equal(fitted.transform(pd.DataFrame({"a": values})), [[0], [NAN]])


def test_column_that_is_half_one_value_is_scaled_by_half_its_range():
    """Counts that are mostly zero have no interquartile range."""
    X = np.zeros((100, 1))
    X[:10, 0] = np.arange(1, 11)
    found = TablePreprocessor().fit_transform(X)
    z = X / 5
    np.testing.assert_allclose(found, z / np.sqrt(1 + (z / 1.5) ** 2), rtol=1e-6)


def test_binary_columns():
    """A rare flag is not scaled away, an even one has an interquartile range."""
    X = np.zeros((100, 2))
    X[:3, 0], X[:50, 1] = 1, 1
    found = TablePreprocessor().fit_transform(X)
    assert found[0, 0] - found[-1, 0] > 1 and found[0, 1] - found[-1, 1] > 0.9


def test_missing_values_stay_and_are_not_learned_from():
    X = normal()
    holes = np.random.default_rng(1).random(X.shape) < [0.5, 0.0, 0.1, 0.0]
    spoilt = np.where(holes, NAN, X)
    fitted = TablePreprocessor().fit(spoilt)
    found = fitted.transform(spoilt)
    assert np.array_equal(np.isnan(found), holes)
    np.testing.assert_allclose(found, reference(spoilt), rtol=1e-6, atol=1e-7)
    assert fitted.spec_ == TableSpec(shape=(4,), missing=(0, 2), clip=1.5)
    assert all(type(j) is int for j in fitted.spec_.missing)


def test_columns_that_miss_values_only_later_are_not_marked():
    fitted = TablePreprocessor().fit(normal())
    assert np.isnan(fitted.transform([[NAN, 0, 0, 0]])).tolist() == [[True, False, False, False]]
    assert fitted.spec_.missing == ()


def test_blocks_are_seamless(monkeypatch):
    X = normal(1_001, 3)
    X[::7, 1] = NAN
    whole = TablePreprocessor().fit_transform(X)
    for rows in (1, 7, 1_000, 1_001):
        monkeypatch.setattr(_reading, "MAX_ROWS_PER_BLOCK", rows)
        assert np.array_equal(TablePreprocessor().fit_transform(X), whole, equal_nan=True)


def test_more_rows_than_a_block():
    X = normal(_reading.MAX_ROWS_PER_BLOCK * 2 + 5, 2)
    fitted = TablePreprocessor().fit(X)
    found = fitted.transform(X)
    np.testing.assert_allclose(found, reference(X), rtol=1e-6, atol=1e-7)
    edge = slice(_reading.MAX_ROWS_PER_BLOCK - 2, _reading.MAX_ROWS_PER_BLOCK + 2)
    assert np.array_equal(fitted.transform(X[edge]), found[edge])


HUGE = {
    "few": [1e308, -1e308, 0.0, 1.0, 2.0],
    "half": [1e308, -1e308] * 10,
    "all": list(1.7e308 * np.linspace(-1, 1, 21)),
    "largest": [np.finfo(float).max, np.finfo(float).min, np.finfo(float).max, np.finfo(float).min, 0.0],
}


@pytest.mark.parametrize("column", HUGE.values(), ids=HUGE)
def test_huge_values_are_finite_and_keep_their_order(column):
    """Differences of float64 values may overflow; the scaled values may not, nor warn, nor all fall together."""
    X = np.array(column)[:, None]
    with np.errstate(invalid="ignore"):  # scikit-learn's own check for infinity sums the values
        found = TablePreprocessor().fit_transform(X)
    assert np.isfinite(found).all() and np.abs(found).max() <= 3
    assert (np.diff(found[np.argsort(X[:, 0]), 0]) >= 0).all()
    assert np.ptp(found) > 0.5


def test_huge_new_values_are_bounded():
    found = TablePreprocessor().fit(normal(dim=1) * 1e-300).transform([[1e308], [-1e308], [0.0]])
    np.testing.assert_allclose(found.ravel()[:2], [1.5, -1.5], rtol=1e-6)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-307, 1e300])
def test_extreme_units(scale):
    X = normal()
    np.testing.assert_allclose(TablePreprocessor().fit_transform(X * scale), reference(X), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8, np.uint8, bool])
def test_x_is_not_modified(dtype):
    X = (10 * normal()).astype(dtype)
    before = X.copy()
    found = TablePreprocessor().fit_transform(X)
    assert np.array_equal(X, before) and not np.shares_memory(found, X)
    assert found.dtype == np.float32 and np.isfinite(found).all()


def test_read_only_and_fortran_ordered_x():
    X = normal()
    expected = TablePreprocessor().fit_transform(X)
    fortran = np.asfortranarray(X)
    fortran.setflags(write=False)
    assert np.array_equal(TablePreprocessor().fit_transform(fortran), expected)


def test_memory_mapped_x(tmp_path):
    X = normal()
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(TablePreprocessor().fit_transform(mapped), TablePreprocessor().fit_transform(X))


def test_frames_with_missing_values_of_every_kind():
    frame = pd.DataFrame(
        {"a": [1.0, NAN, 3.0, 4.0], "b": pd.array([1, 2, None, 4], dtype="Int64"), "c": [1, 2, 3, 4]},
    )
    fitted = TablePreprocessor().fit(frame)
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
    assert fitted.spec_.missing == (0, 1)
    array = np.array([[1, 1, 1], [NAN, 2, 2], [3, NAN, 3], [4, 4, 4]])
    expected = TablePreprocessor().fit_transform(array)
    assert np.array_equal(fitted.transform(frame), expected, equal_nan=True)


def test_none_in_lists_is_missing():
    fitted = TablePreprocessor().fit([[1.0, None], [2.0, 5.0], [3.0, 6.0]])
    assert fitted.spec_.missing == (1,)


def test_owner_receives_the_marks_and_names_the_errors():
    """The embedder validates in its own name, and the preprocessor then keeps no count of its own."""

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


def test_preprocessor_fitted_for_an_owner_still_refuses_other_widths_in_words():
    """`embedder.preprocessor_.transform(X)` is public: a wrong X must not end in a broadcasting error."""

    class Owner(TablePreprocessor):
        pass

    fitted = TablePreprocessor().fit(np.zeros((3, 2)), owner=Owner())
    for wrong in (np.zeros((2, 3)), np.zeros((2, 1))):
        with pytest.raises(ValueError, match="features"):
            fitted.transform(wrong)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([[1.0, np.inf], [2.0, 3.0]], "infinity"),
        ([[1.0, {"a": 1}], [2.0, {}]], "column 1: the values are of type dict"),
        ([[1.0, object()], [2.0, object()]], "column 1: the values are of type object"),
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


def test_one_row_can_be_transformed():
    fitted = TablePreprocessor().fit(normal())
    assert fitted.transform(normal(1)).shape == (1, 4)


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
    assert again is first and again.spec_ == TableSpec(shape=(2,), clip=1.5) and again.n_features_in_ == 2


def test_clone_and_pipeline():
    params = {
        "categorical_features": [1],
        "max_categories": 7,
        "scaling": "quantile",
        "clip": 2.0,
        "max_dense_bytes": 10**6,
    }
    assert clone(TablePreprocessor(**params).fit(normal())).get_params() == params
    out = make_pipeline(TablePreprocessor(), TablePreprocessor()).fit_transform(normal())
    assert out.shape == (500, 4)

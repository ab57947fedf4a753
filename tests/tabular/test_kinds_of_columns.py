"""Columns of every kind in one table: what they are taken for, where they go in a sample, and what is refused."""

import datetime

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse, stats
from sklearn.preprocessing import QuantileTransformer

from sklearn_twins._tabular import _table as _reading
from sklearn_twins.preprocessing import TablePreprocessor

NAN = np.nan


def people(n=60):
    """A frame with one column of each kind, the categorical one in the middle."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 9, n),
            "job": rng.choice(["nurse", "clerk", "driver"], n, p=[0.5, 0.3, 0.2]),
            "joined": pd.Timestamp("1969-03-01 05:00") + pd.to_timedelta(rng.integers(0, 10**9, n), unit="s"),
            "call": pd.to_timedelta(rng.gamma(2, 100, n), unit="s"),
            "nothing": [None] * n,
        }
    )


def test_kinds_and_the_order_of_a_sample():
    fitted = TablePreprocessor().fit(people())
    assert fitted.kinds_ == ("number", "category", "date", "duration", "empty")
    parts = ["elapsed", *(f"{phase}_{wave}" for phase in ("year", "week", "day") for wave in ("sin", "cos"))]
    names = ["age", *(f"joined_{part}" for part in parts), "call", "nothing", "job"]
    assert fitted.get_feature_names_out().tolist() == names
    assert fitted.spec_.shape == (11,) and fitted.spec_.categories == (5,) and fitted.spec_.missing == (9,)
    assert fitted.spec_.sources == (0, *[2] * 7, 3, 4, 1)
    frame = fitted.set_output(transform="pandas").transform(people())
    assert list(frame) == names and (frame.dtypes == np.float32).all()


def test_names_of_a_table_without_names():
    fitted = TablePreprocessor().fit([[1.0, "a"], [2.0, "b"]])
    assert fitted.get_feature_names_out().tolist() == ["x0", "x1"]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1, 2.5, None], "number"),
        ([True, None, False], "number"),
        ([np.float32(1), NAN, np.int8(2)], "number"),
        (["1", "2", None], "category"),
        ([1, "1", None], "category"),
        ([b"a", b"b", NAN], "category"),
        ([("a", 1), ("b", 2), None], "category"),
        ([datetime.date(2020, 1, 1), NAN, None], "date"),
        ([np.datetime64("2020-01-01"), pd.NaT, datetime.datetime(2021, 1, 1)], "date"),
        ([datetime.timedelta(1), pd.NaT, None], "duration"),
        ([datetime.time(5), None, datetime.time(6)], "duration"),
        ([datetime.date(2020, 1, 1), 5, None], "category"),
        ([None, NAN, pd.NA], "empty"),
        ([None] * 150 + [1, 2], "number"),
        ([None] * 150 + ["a", 1], "category"),
    ],
)
def test_columns_of_objects_are_what_their_values_are(column, kind):
    values = np.empty((len(column), 1), dtype=object)
    values[:, 0] = column
    assert TablePreprocessor().fit(values).kinds_ == (kind,)
    assert TablePreprocessor().fit(pd.DataFrame({"a": pd.Series(column, dtype=object)})).kinds_ == (kind,)


def test_codes_go_by_frequency_then_by_value():
    column = ["b"] * 3 + ["a"] * 3 + ["c"] * 5 + [None] * 4 + [2] * 3 + [1.0] * 3
    fitted = TablePreprocessor().fit(np.array(column, dtype=object)[:, None])
    assert fitted.categories_ == (("c", 1.0, 2.0, "a", "b"),)
    new = np.array(["c", 1, True, 2.0, "b", None, NAN, "new", "2"], dtype=object)[:, None]
    assert fitted.transform(new)[:, 0].tolist() == [2, 3, 3, 4, 6, 0, 0, 1, 1]


@pytest.mark.parametrize("max_categories", [2, 3, 5])
def test_rare_categories_share_the_last_code_with_those_not_seen(max_categories):
    column = [letter for i, letter in enumerate("abcdef") for _ in range(10 - i)]
    fitted = TablePreprocessor(max_categories=max_categories).fit(pd.DataFrame({"a": column}))
    assert fitted.categories_ == (tuple("abcdef"[: max_categories - 1]),)
    assert fitted.spec_.categories == (2 + max_categories,)
    codes = fitted.transform(pd.DataFrame({"a": [*"abcdef", "new", None]}))[:, 0]
    assert codes.tolist() == [min(2 + i, 1 + max_categories) for i in range(6)] + [1 + max_categories, 0]


@pytest.mark.parametrize("max_categories", [6, 7, None])
def test_no_pool_where_there_is_room(max_categories):
    fitted = TablePreprocessor(max_categories=max_categories).fit(pd.DataFrame({"a": list("abcdef") * 2}))
    assert len(fitted.categories_[0]) == 6 and fitted.spec_.categories == (8,)
    assert fitted.transform(pd.DataFrame({"a": ["new"]})).tolist() == [[1]]


@pytest.mark.parametrize(
    "named", [["zip", "shop"], [0, 2], [0, -1], [True, False, True], np.array([0, 2]), ("zip", "shop")]
)
def test_numbers_named_as_categories(named):
    frame = pd.DataFrame({"zip": [1, 2, 1, 3], "age": [1.0, 2.0, 3.0, 4.0], "shop": [0.5, NAN, 0.5, 1.5]})
    fitted = TablePreprocessor(categorical_features=named).fit(frame)
    assert fitted.kinds_ == ("category", "number", "category")
    assert fitted.categories_ == ((1.0, 2.0, 3.0), (0.5, 1.5))
    assert fitted.transform(frame)[:, 1:].tolist() == [[2, 2], [3, 0], [2, 2], [4, 3]]


def test_no_columns_named():
    assert TablePreprocessor(categorical_features=[]).fit([[1.0], [2.0]]).kinds_ == ("number",)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["town"], r"'town' is not a column of X\. X has \['age', 'job'"),
        ([5], "indices of the 5 columns"),
        ([-6], "indices of the 5 columns"),
        ([True, False], "mask of 2 columns, but X has 5"),
        ([0.5], "column names, column indices or a boolean mask"),
        ([[0, 1]], "column names, column indices or a boolean mask"),
    ],
)
def test_named_columns_that_are_not_there(named, words):
    with pytest.raises(ValueError, match=words):
        TablePreprocessor(categorical_features=named).fit(people())


def test_a_categorical_column_without_values_is_empty():
    frame = pd.DataFrame({"a": pd.Categorical([None] * 4, categories=["x"]), "b": [1.0, 2.0, 3.0, 4.0]})
    fitted = TablePreprocessor(categorical_features=["a"]).fit(frame)
    assert fitted.kinds_ == ("empty", "number") and fitted.spec_.categories == ()
    anything = pd.DataFrame({"a": ["x", None, 5, [1]], "b": [2.5] * 4}).astype(object)
    np.testing.assert_array_equal(fitted.transform(anything)[:, 0], [0, NAN, 0, 0])


def test_by_rank_is_normal_whatever_the_distribution():
    x = np.exp(np.random.default_rng(0).normal(size=(2_000, 1)) * 3)
    found = TablePreprocessor(scaling="quantile", clip=1e6).fit_transform(x)[:, 0]
    expected = stats.norm.ppf((stats.rankdata(x[:, 0]) - 1) / 1_999)
    iqr = np.subtract(*stats.norm.ppf([0.75, 0.25]))
    np.testing.assert_allclose(np.sort(found)[100:-100], np.sort(expected / iqr)[100:-100], atol=0.01)
    own = QuantileTransformer(n_quantiles=1_000, output_distribution="normal", subsample=None).fit_transform(x)
    np.testing.assert_allclose(found, own[:, 0] / iqr, atol=1e-4)


def test_by_rank_ends_within_the_same_bounds():
    x = np.random.default_rng(0).standard_cauchy(size=(500, 1))
    x[::7] = NAN
    found = TablePreprocessor(scaling="quantile").fit_transform(np.column_stack([x, np.ones(500)]))
    assert np.array_equal(np.isnan(found[:, 0]), np.isnan(x[:, 0])) and np.nanmax(np.abs(found)) < 1.5
    assert (found[:, 1] == 0).all()


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_edges_are_quantiles_of_the_samples(scaling):
    x = np.random.default_rng(0).gamma(2, size=(3_301, 2))
    fitted = TablePreprocessor(scaling=scaling).fit(x)
    edges = np.array(fitted.spec_.edges)
    assert edges.shape == (2, 33)
    np.testing.assert_allclose(edges.T, np.quantile(fitted.transform(x), np.linspace(0, 1, 33), axis=0), atol=2e-3)


@pytest.mark.parametrize(("stamp", "n_parts"), [("D", 5), ("7D", 3), ("6h", 7)])
def test_parts_of_dates_that_do_not_vary_are_left_out(stamp, n_parts):
    frame = pd.DataFrame({"a": pd.date_range("2020-01-06", periods=40, freq=stamp)})
    assert TablePreprocessor().fit(frame).spec_.shape == (n_parts,)


def test_one_date_is_a_constant():
    frame = pd.DataFrame({"a": [pd.Timestamp("2020-01-06")] * 4})
    assert TablePreprocessor().fit_transform(frame).tolist() == [[0.0]] * 4


def test_rows_in_another_order_and_in_other_blocks(monkeypatch):
    frame = people(500)
    whole = TablePreprocessor().fit_transform(frame)
    order = np.random.default_rng(1).permutation(500)
    shuffled = TablePreprocessor().fit_transform(frame.iloc[order].reset_index(drop=True))
    np.testing.assert_array_equal(shuffled, whole[order])
    for rows in (1, 7, 499):
        monkeypatch.setattr(_reading, "MAX_ROWS_PER_BLOCK", rows)
        np.testing.assert_array_equal(TablePreprocessor().fit_transform(frame), whole)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array, sparse.coo_matrix, sparse.lil_array])
def test_sparse_is_dense(make):
    dense = np.where(
        np.random.default_rng(0).random((300, 40)) < 0.8, 0.0, np.random.default_rng(1).normal(size=(300, 40))
    )
    dense[:, 3] = np.arange(300) % 3
    own = TablePreprocessor(categorical_features=[3])
    np.testing.assert_array_equal(own.fit_transform(make(dense)), own.fit_transform(dense))
    np.testing.assert_array_equal(own.transform(make(dense[:5])), own.transform(dense[:5]))


def test_large_sparse_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"400,000 columns.*14\.9 GiB.*max_dense_bytes=2,147,483,648.*TruncatedSVD"):
        TablePreprocessor().fit(sparse.csr_array((10_000, 400_000)))
    X = sparse.csr_array(np.eye(8))
    assert TablePreprocessor(max_dense_bytes=256).fit_transform(X).shape == (8, 8)
    with pytest.raises(ValueError, match="raise preprocessor__max_dense_bytes"):
        TablePreprocessor(max_dense_bytes=255).fit(X)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("container", [np.array, pd.DataFrame, lambda x: x.astype(object), sparse.csr_array])
def test_infinity_is_refused_by_column(container, value):
    X = np.ones((4, 3)) + np.arange(4)[:, None]
    fitted = TablePreprocessor().fit(container(X))
    X[2, 1] = value
    for call in (TablePreprocessor().fit, fitted.transform):
        with pytest.raises(ValueError, match=r"Input X contains infinity.*column 1.*NaN"):
            call(container(X))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("age", "old", "column 'age': could not convert string to float: 'old'"),
        ("joined", "yesterday", "column 'joined': it held dates in fit, but now holds 'yesterday'"),
        ("joined", 5.0, r"column 'joined': it held dates in fit, but now holds 5\.0"),
        ("call", 5.0, r"column 'call': it held durations in fit, but now holds 5\.0"),
        ("job", [1], r"column 'job': \[1\] cannot be a category"),
    ],
)
def test_values_of_another_kind_are_refused_by_name(name, value, words):
    fitted = TablePreprocessor().fit(people())
    other = people().astype(object)
    other.at[3, name] = value
    with pytest.raises((ValueError, TypeError), match=words):
        fitted.transform(other)


def test_dates_among_numbers_are_refused():
    fitted = TablePreprocessor().fit(people()[["age"]])
    with pytest.raises(ValueError, match="column 'age': it held numbers in fit, but now holds datetime64"):
        fitted.transform(people()[["joined"]].set_axis(["age"], axis=1))


def test_lazy_frames_are_not_collected_for_the_caller():
    with pytest.raises(TypeError, match=r"LazyFrame.*X\.collect\(\)"):
        TablePreprocessor().fit(pl.LazyFrame({"a": [1.0, 2.0]}))


def test_names_of_columns_that_are_numbers():
    frame = pd.DataFrame({1: [1.0, 2.0, 3.0], 0: ["a", "b", None]})
    assert TablePreprocessor().fit(frame).kinds_ == ("number", "category")
    assert TablePreprocessor().fit_transform(frame)[:, 1].tolist() == [2, 3, 0]


def test_many_numbers_as_strings_are_warned_of():
    strings = pd.DataFrame({"price": [f"{i / 7:.3f}" for i in range(300)]})
    with pytest.warns(
        UserWarning, match=r"column 'price', holds 300 different strings.*to_numeric.*categorical_features"
    ):
        TablePreprocessor().fit(strings)
    TablePreprocessor(categorical_features=["price"]).fit(strings)
    TablePreprocessor().fit(strings + " EUR")
    TablePreprocessor().fit(strings[:200])


def test_hash_and_copies_of_a_fitted_preprocessor(tmp_path):
    fitted = TablePreprocessor(scaling="quantile").fit(people())
    again = joblib.load(joblib.dump(fitted, tmp_path / "fitted")[0])
    assert joblib.hash(again) == joblib.hash(fitted) == joblib.hash(TablePreprocessor(scaling="quantile").fit(people()))
    np.testing.assert_array_equal(again.transform(people()), fitted.transform(people()))

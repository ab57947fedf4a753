"""Columns of every kind: how they are recognised, where they go in a sample, and which values are refused."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from builders import object_column
from scipy import sparse

from sklearn_twins._inputs._missing import is_missing
from sklearn_twins._tabular import _table
from sklearn_twins._tabular._column_kinds import decode_numbers
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
    assert TablePreprocessor().fit([[1.0, "a"], [2.0, "b"]]).get_feature_names_out().tolist() == ["x0", "x1"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "number"),
        ([True, None, np.True_, False], "number"),
        ([np.float32(1), NAN, np.int8(2)], "number"),
        ([np.float16(2), Decimal(1), Fraction(1, 2)], "number"),
        ([None] * 150 + [1, 2], "number"),
        (["1", "2", None], "category"),
        ([NAN, NAN, "a"], "category"),
        ([1, "x", None], "category"),
        ([None] * 150 + ["a", 1], "category"),
        ([b"a", ("a", 1), frozenset(), pd.Period("2020"), NAN], "category"),
        ([datetime.date(2020, 1, 1), 5, None], "category"),
        ([datetime.date(2020, 1, 1), 0.5], "category"),
        ([datetime.date(2020, 1, 1), datetime.timedelta(1)], "category"),
        ([datetime.date(2020, 1, 1), NAN, None, np.float16(NAN)], "date"),
        ([np.datetime64("2020-01-01"), pd.NaT, datetime.datetime(2021, 1, 1), pd.Timestamp(0)], "date"),
        ([datetime.timedelta(1), pd.NaT, pd.Timedelta(1), np.timedelta64(1, "h"), NAN], "duration"),
        ([datetime.time(5), None, datetime.time(6)], "duration"),
        ([None, NAN, pd.NA, np.float32(NAN)], "empty"),
    ],
)
def test_kind_of_a_column_of_object_column(monkeypatch, values, kind):
    """However the values are spread over blocks of rows."""
    for rows in (16_384, 1):
        monkeypatch.setattr(_table, "MAX_ROWS_PER_BLOCK", rows)
        assert TablePreprocessor().fit(object_column(values)).kinds_ == (kind,)
        assert TablePreprocessor().fit(pd.DataFrame({"a": pd.Series(values, dtype=object)})).kinds_ == (kind,)


GAPS = [None, NAN, np.float32(NAN), Decimal("NaN"), complex(NAN), pd.NA, pd.NaT]
GAPS += [np.datetime64("NaT"), np.timedelta64("NaT")]
VALUES = [0, 0.0, False, np.False_, "", "nan", "None", b"", (), np.inf, datetime.date.min, datetime.timedelta(0)]


@pytest.mark.filterwarnings("ignore:.*equal as text")
def test_missing_values():
    assert all(is_missing(value) is True for value in GAPS)
    assert all(is_missing(value) is False for value in VALUES)
    assert is_missing(Decimal("sNaN")) is True  # cannot be hashed, so it is never a category
    fitted = TablePreprocessor().fit(object_column(["a", "b"]))
    assert (fitted.transform(object_column(GAPS)) == 0).all()
    assert (TablePreprocessor().fit(object_column(["a", *VALUES])).transform(object_column(VALUES)) > 1).all()


@pytest.mark.parametrize("value", [[1], {1}, {"a": 1}, np.zeros(2), object(), slice(1)], ids=lambda v: type(v).__name__)
def test_values_of_unsupported_types_are_refused(value):
    words = f"column 0: the values are of type {type(value).__name__}, .*Spread them over several columns"
    with pytest.raises(TypeError, match=words):
        TablePreprocessor().fit(object_column(["a", value]))


@pytest.mark.parametrize("value", [1j, np.complex64(1)])
def test_complex_numbers_are_refused(value):
    with pytest.raises(ValueError, match="Complex data not supported"):
        TablePreprocessor().fit(object_column([1, value]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1, 2], dtype=np.uint8), [1, 2]),
        (np.array([True, False]), [1, 0]),
        ([1, None, True, Decimal("0.1"), Fraction(1, 4)], [1, NAN, 1, 0.1, 0.25]),
        ([1, pd.NA, pd.NaT, 2.5], [1, NAN, NAN, 2.5]),
        (np.array([1, None, np.float32(0.5)], dtype=object), [1, NAN, 0.5]),
        ([2**70, 10**400, 5], [2.0**70, np.inf, 5]),
        ([], []),
    ],
)
def test_numbers(values, expected):
    found = decode_numbers(values)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float64))


@pytest.mark.parametrize("other", ["old", "", [1.5], (1, 2), datetime.date.min, 1j])
@pytest.mark.parametrize("others", [[], [1.0, None]], ids=["alone", "among numbers"])
def test_values_that_are_not_numbers_are_refused(other, others):
    """Including a list of one number alone in its column, which NumPy would convert."""
    fitted = TablePreprocessor().fit(object_column([1.0, 2.0]))
    with pytest.raises(ValueError, match="column 0: could not convert string to float: ") as caught:
        fitted.transform(object_column([*others, other]))
    assert f"float: {other!r}. The column held numbers in fit; convert it to numbers, with NaN" in str(caught.value)


def test_integers_too_large_for_any_float_are_refused_as_infinity():
    with pytest.raises(ValueError, match=r"too large.* column 'a'"):
        TablePreprocessor().fit(pd.DataFrame({"a": [1, -(10**400)]}, dtype=object))


@pytest.mark.parametrize(
    "dtype", ["float64", "Int64", "boolean", "datetime64[s]", "timedelta64[ms]", "string", "category", "object"]
)
def test_a_column_without_values_is_empty_whatever_its_type(dtype):
    """In transform, any value in such a column becomes 0."""
    frame = pd.DataFrame({"a": pd.Series([None] * 3, dtype=dtype)})
    for listed in ("from_dtype", ["a"]):
        fitted = TablePreprocessor(listed).fit(frame)
        assert fitted.kinds_ == ("empty",) and fitted.spec_.missing == (0,) and fitted.spec_.categories == ()
        np.testing.assert_array_equal(fitted.transform(frame), [[NAN]] * 3)
        for values in (["x", None], [pd.Timestamp(0), pd.NaT], [7.0, NAN], [[1], pd.NA], [{}, None]):
            np.testing.assert_array_equal(fitted.transform(pd.DataFrame({"a": values})), [[0], [NAN]])
        for whole in (np.int8, bool, "U3", "M8[s]"):
            assert (fitted.transform(pd.DataFrame({"a": np.zeros(3, dtype=whole)})) == 0).all()


@pytest.mark.parametrize(
    "named", [["zip", "shop"], [0, 2], [0, -1], [True, False, True], np.array([0, 2]), ("zip", "shop")]
)
def test_numbers_listed_as_categorical(named):
    frame = pd.DataFrame({"zip": [1, 2, 1, 3], "age": [1.0, 2.0, 3.0, 4.0], "shop": [0.5, NAN, 0.5, 1.5]})
    fitted = TablePreprocessor(categorical_features=named).fit(frame)
    assert fitted.kinds_ == ("category", "number", "category")
    assert fitted.categories_ == ((1.0, 2.0, 3.0), (0.5, 1.5))
    assert fitted.transform(frame)[:, 1:].tolist() == [[2, 2], [3, 0], [2, 2], [4, 3]]


def test_no_columns_listed():
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
def test_listed_columns_must_exist(named, words):
    with pytest.raises(ValueError, match=words):
        TablePreprocessor(categorical_features=named).fit(people())


def test_names_are_refused_if_x_has_none():
    with pytest.raises(ValueError, match="X has no names; give indices or a mask"):
        TablePreprocessor(categorical_features=["town"]).fit(np.eye(3))


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array, sparse.coo_matrix, sparse.lil_array])
def test_sparse_equals_dense(make):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((300, 40)) < 0.8, 0.0, rng.normal(size=(300, 40)))
    dense[:, 3] = np.arange(300) % 3
    own = TablePreprocessor(categorical_features=[3])
    np.testing.assert_array_equal(own.fit_transform(make(dense)), own.fit_transform(dense))
    np.testing.assert_array_equal(own.transform(make(dense[:5])), own.transform(dense[:5]))


def test_large_sparse_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"400,000 columns.*14\.9 GiB.*max_dense_bytes=2,147,483,648.*TruncatedSVD"):
        TablePreprocessor().fit(sparse.csr_array((10_000, 400_000)))
    X = sparse.csr_array(np.eye(8))
    assert TablePreprocessor(max_dense_bytes=256).fit_transform(X).shape == (8, 8)
    with pytest.raises(ValueError, match=r"8 rows and 8 columns .*=255.* or raise preprocessor__max_dense_bytes"):
        TablePreprocessor(max_dense_bytes=255).fit(X)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("age", "old", "column 'age': could not convert string to float: 'old'"),
        ("joined", "yesterday", "column 'joined': it held dates in fit, but now holds 'yesterday'"),
        ("joined", 5.0, r"column 'joined': it held dates in fit, but now holds 5\.0"),
        ("joined", [None], r"column 'joined': it held dates in fit, but now holds \[None\]"),
        ("call", 5.0, r"column 'call': it held durations in fit, but now holds 5\.0"),
        ("call", "2020-01-01", "column 'call': it held durations in fit, but now holds '2020-01-01'"),
        ("call", True, "column 'call': it held durations in fit, but now holds True"),
        ("job", [1], r"column 'job': \[1\] cannot be a category"),
    ],
)
def test_values_of_another_kind_are_refused_by_name(name, value, words):
    fitted = TablePreprocessor().fit(people())
    other = people().astype(object)
    other.at[3, name] = value
    with pytest.raises((ValueError, TypeError), match=words):
        fitted.transform(other)


def test_column_names_that_are_numbers():
    frame = pd.DataFrame({1: [1.0, 2.0, 3.0], 0: ["a", "b", None]})
    assert TablePreprocessor().fit(frame).kinds_ == ("number", "category")
    assert TablePreprocessor().fit_transform(frame)[:, 1].tolist() == [2, 3, 0]

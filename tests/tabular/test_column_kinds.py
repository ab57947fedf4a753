"""What single values are: missing or not, of which kind, and which number."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from sklearn_twins._tabular._column_kinds import (
    decode_numbers,
    decode_presence,
    infer_kind_of_type,
    infer_kind_of_values,
    is_missing,
)

NAN = np.nan
GAPS = (None, NAN, np.float32(NAN), Decimal("NaN"), complex(NAN), pd.NA, pd.NaT, np.datetime64("NaT"))


@pytest.mark.parametrize("value", [*GAPS, np.timedelta64("NaT")])
def test_missing(value):
    assert is_missing(value) is True


@pytest.mark.parametrize(
    "value", [0, 0.0, False, np.False_, "", "nan", "None", b"", (), np.inf, datetime.date.min, datetime.timedelta(0)]
)
def test_not_missing(value):
    assert is_missing(value) is False


@pytest.mark.parametrize(
    ("blocks", "kind"),
    [
        ([], "empty"),
        ([[], [None, NAN], [pd.NaT, pd.NA]], "empty"),
        ([[NAN], [1.0]], "number"),
        ([[1, True], [np.float16(2), Decimal(1), Fraction(1, 2), np.True_]], "number"),
        ([["a"], [NAN, None]], "category"),
        ([[NAN, NAN], ["a"], [NAN]], "category"),
        ([["a"], [1.0]], "category"),
        ([[NAN], [datetime.date.min], [pd.Timestamp(0), np.datetime64(0, "s")]], "date"),
        ([[datetime.date.min, np.float32(NAN)], [np.float16(NAN)]], "date"),
        ([[np.float32(NAN)], [np.float32(1)]], "number"),
        ([[datetime.timedelta(1)], [pd.Timedelta(1), datetime.time(5), np.timedelta64(1, "h"), NAN]], "duration"),
        ([[datetime.date.min], [datetime.timedelta(1)]], "category"),
        ([[datetime.date.min], [0.5]], "category"),
        ([[pd.Period("2020")], [b"a", ("a", 1), frozenset()]], "category"),
    ],
)
def test_kind_of_values(blocks, kind):
    assert infer_kind_of_values(iter(blocks)) == kind


@pytest.mark.parametrize("value", [[1], {1}, {"a": 1}, np.zeros(2), object(), slice(1)])
def test_values_that_no_column_may_hold(value):
    with pytest.raises(TypeError, match=f"of type {type(value).__name__}, .*Spread them over several columns"):
        infer_kind_of_type(type(value))


@pytest.mark.parametrize("kind", [complex, np.complex64])
def test_complex_numbers_are_no_numbers(kind):
    with pytest.raises(ValueError, match="Complex data not supported"):
        infer_kind_of_type(kind)


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
def test_values_that_are_no_numbers(other, others):
    """One list of one number, alone in its column, would make a matrix of one column."""
    with pytest.raises(ValueError, match="could not convert string to float: ") as caught:
        decode_numbers([*others, other])
    assert f"float: {other!r}. The column held numbers in fit; convert it to numbers, with NaN" in str(caught.value)


@pytest.mark.parametrize("dtype", ["M8[ns]", "m8[s]"])
def test_dates_are_no_numbers(dtype):
    with pytest.raises(ValueError, match=f"it held numbers in fit, but now holds .*{dtype[1:].strip('8[]')}"):
        decode_numbers(np.zeros(2, dtype=dtype))


@pytest.mark.parametrize(
    "values",
    [
        np.array([NAN, 1.5, np.inf]),
        [None, "", "a"],
        [pd.NaT, datetime.date.min, [1]],
        np.array(["NaT", "2020", "2021"], dtype="M8[D]"),
        np.array([None, 1, {}], dtype=object),
    ],
)
def test_presence_of_anything(values):
    np.testing.assert_array_equal(decode_presence(values), [NAN, 0, 0])


@pytest.mark.parametrize("dtype", [np.int8, bool, "U3"])
def test_presence_where_nothing_can_be_missing(dtype):
    np.testing.assert_array_equal(decode_presence(np.zeros(3, dtype=dtype)), [0, 0, 0])

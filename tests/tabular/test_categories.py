"""Categories: what counts as the same one, in which order they get their codes, and which code a value gets."""

import datetime
import enum
from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sklearn_twins._tabular import _categories
from sklearn_twins._tabular._categories import count_keys, encode_keys, is_text_of_number, rank_categories, to_keys
from sklearn_twins.preprocessing import TablePreprocessor

NAN = np.nan


class Colour(str, enum.Enum):  # noqa: UP042 -- whose str() is not its text
    RED, BLUE = "red", "blue"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1.5, NAN, -0.0]), [1.5, None, 0]),
        (np.array([2**63 + 1], dtype=np.uint64), [2**63 + 1]),
        (np.array([True, False]), [1, 0]),
        (np.array(["a", ""]), ["a", ""]),
        (np.array(["2020-01-01", "NaT"], dtype="M8[ns]"), [datetime.datetime(2020, 1, 1), None]),
        (np.array([3, "NaT"], dtype="m8[s]"), [datetime.timedelta(seconds=3), None]),
        (["a", None, 1], ["a", None, 1]),
    ],
)
def test_keys_are_python_objects(values, expected):
    found = to_keys(values)
    assert found == expected
    assert not any(isinstance(key, np.generic) for key in found)


def test_counts_leave_missing_values_out():
    counts = Counter()
    count_keys(counts, ["a", None, NAN, "a", float("nan"), pd.NA])
    count_keys(counts, [1, True, 1.0, pd.NaT, Decimal(1), Decimal("NaN"), "a"])
    assert counts == {"a": 3, 1: 4}


def test_each_block_is_counted_on_its_own(monkeypatch):
    """What other blocks held is not gone through again: with many categories that would never end."""
    seen, counts = [], Counter()
    monkeypatch.setattr(_categories, "is_missing", lambda key: seen.append(key) or key is None)
    for block in (["a", "b", None], ["c", "c"], ["a", None]):
        count_keys(counts, block)
    assert sorted(seen, key=str) == [None, None, "a", "a", "b", "c"] and counts == {"a": 2, "b": 1, "c": 2}


@pytest.mark.parametrize("value", [[1], {"a": 1}, ("a", [1]), np.zeros(2)])
def test_what_has_no_hash_is_no_category(value):
    for call in (lambda: count_keys(Counter(), ["a", value]), lambda: encode_keys(["a", value], {}, 1)):
        with pytest.raises(TypeError, match="cannot be a category: an argument must be") as caught:
            call()
        assert str(caught.value).startswith(repr(value))


@pytest.mark.parametrize(
    ("counts", "order"),
    [
        ({"b": 1, "a": 2, "c": 1}, ["a", "b", "c"]),
        ({"10": 1, "9": 1, "": 1, "é": 1, "z": 1}, ["", "10", "9", "z", "é"]),
        ({10: 1, 9.5: 1, Decimal("-0.1"): 1, "1": 1}, [Decimal("-0.1"), 9.5, 10, "1"]),
        ({"a": 1, np.True_: 1, np.False_: 1, 0.5: 1}, [0, 0.5, 1, "a"]),
        ({(2,): 1, b"b": 1, (1,): 1, b"a": 1, "z": 1, 1j: 1}, ["z", b"a", b"b", 1j, (1,), (2,)]),
    ],
)
def test_order_by_frequency_then_by_value(counts, order):
    """However the rows were ordered."""
    for items in (counts.items(), reversed(counts.items())):
        assert rank_categories(dict(items), None) == (tuple(order), False)


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        (True, 1.0),
        (np.int8(3), 3.0),
        (2**53 + 1, 2**53 + 1),
        (10**400, 10**400),
        (np.str_("a"), "a"),
        (Colour.RED, "red"),
        (Decimal("0.1"), Decimal("0.1")),
    ],
)
def test_categories_are_kept_as_plain_objects(key, plain):
    """So that what is fitted is the same, and pickles the same, for whatever held the values."""
    ((found,), _) = rank_categories({key: 1}, None)
    assert found == plain and type(found) is type(plain)


@pytest.mark.parametrize(
    ("max_categories", "n_own", "pooled"), [(2, 1, True), (4, 3, True), (5, 5, False), (None, 5, False)]
)
def test_rank_pools_what_is_rare(max_categories, n_own, pooled):
    counts = {letter: 9 - i for i, letter in enumerate("edcba")}
    assert rank_categories(counts, max_categories) == (tuple("edcba"[:n_own]), pooled)


@pytest.mark.parametrize("unknown", [1, 7])
def test_codes(unknown):
    table = {"a": 2, 1.0: 3, "": 4}
    values = ["a", "", 1, True, np.float32(1), None, NAN, float("nan"), pd.NA, pd.NaT, "1", "b", 2]
    found = encode_keys(values, table, unknown)
    assert found.dtype == np.float32
    assert found.tolist() == [2, 4, 3, 3, 3, 0, 0, 0, 0, 0, unknown, unknown, unknown]
    assert encode_keys([], table, unknown).shape == (0,)


@pytest.mark.parametrize(
    ("key", "expected"), [("1", True), (" 1e5 ", True), ("nan", True), ("1,5", False), ("", False), (1.0, False)]
)
def test_strings_that_are_numbers(key, expected):
    assert is_text_of_number(key) is expected


def test_enums_of_strings_are_those_strings():
    enums, text = (np.array(values, dtype=object)[:, None] for values in ([*Colour, Colour.RED], ["red", "blue"]))
    fitted = TablePreprocessor().fit(enums)
    assert fitted.transform(enums)[:, 0].tolist() == [2, 3, 2]
    assert fitted.transform(text)[:, 0].tolist() == [2, 3]


@pytest.mark.parametrize(
    "column",
    [
        pd.cut(pd.Series([1, 11, 3, 4, NAN, 12]), [0, 2, 10, 20]),
        pd.Series(pd.PeriodIndex(["2020-02", "2020-01", "2020-03", "2020-03", None, "2020-01"], freq="M")),
    ],
    ids=["intervals", "periods"],
)
def test_categories_of_other_types(column):
    expected = [[4], [2], [3], [3], [0], [2]]
    for frame in (column.to_frame("a"), column.astype(object).to_frame("a")):
        fitted = TablePreprocessor().fit(frame)
        assert fitted.kinds_ == ("category",) and fitted.transform(frame).tolist() == expected


IDENTIFIERS = [2**53 + 1, 2**53, 2**53 + 1, 2**53 + 2, None]
HOLDERS = {
    "pandas, nullable": lambda ids: pd.DataFrame({"id": pd.array(ids, dtype="Int64")}),
    "pandas, Arrow": lambda ids: pd.DataFrame({"id": pd.array(ids, dtype="int64[pyarrow]")}),
    "pandas, unsigned": lambda ids: pd.DataFrame({"id": pd.array(ids, dtype="UInt64")}),
    "objects": lambda ids: pd.DataFrame({"id": pd.Series(ids, dtype=object)}),
    "polars": lambda ids: pl.DataFrame({"id": pl.Series(ids, dtype=pl.Int64)}),
    "polars, 128 bits": lambda ids: pl.DataFrame({"id": pl.Series(ids, dtype=pl.Int128)}),
    "pyarrow": lambda ids: pa.table({"id": pa.array(ids, pa.int64())}),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_long_identifiers_keep_apart(holder):
    """Beyond 2^53 neighbours are one in float64, to which NumPy turns integers with gaps between them."""
    fitted = TablePreprocessor(categorical_features=["id"]).fit(HOLDERS[holder](IDENTIFIERS))
    assert fitted.categories_ == ((2**53 + 1, 2**53, 2**53 + 2),)
    for other in HOLDERS.values():
        assert fitted.transform(other(IDENTIFIERS))[:, 0].tolist() == [2, 3, 2, 4, 0]
        assert fitted.transform(other(IDENTIFIERS[:2]))[:, 0].tolist() == [2, 3]

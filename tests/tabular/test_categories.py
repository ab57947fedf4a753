"""Categories: which values are equal, in which order they get codes, and which code a value gets."""

import datetime
import enum
from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from builders import object_column

from sklearn_twins._tabular import _categories
from sklearn_twins._tabular._categories import count_keys, rank_categories
from sklearn_twins.preprocessing import TablePreprocessor

NAN = np.nan


class Colour(str, enum.Enum):  # noqa: UP042 -- str() differs from the text
    RED, BLUE = "red", "blue"


def test_codes_go_by_frequency_then_by_value():
    """Equal numbers are one category whatever their type; a string that is new stands for the number it spells."""
    column = ["b"] * 3 + ["a"] * 3 + ["c"] * 5 + [None] * 4 + [2, 2.0, Decimal(2)] + [1, True, 1.0] + [""]
    fitted = TablePreprocessor().fit(object_column(column))
    assert fitted.categories_ == (("c", 1.0, 2.0, "a", "b", ""),) and fitted.spec_.categories == (8,)
    new = ["c", 1, np.float32(1), True, 2.0, "b", "", None, NAN, float("nan"), pd.NA, pd.NaT, "new", "2", 3]
    codes = fitted.transform(object_column(new))
    assert codes.dtype == np.float32
    assert codes[:, 0].tolist() == [2, 3, 3, 3, 4, 6, 7, 0, 0, 0, 0, 0, 1, 4, 1]


@pytest.mark.parametrize("max_categories", [2, 3, 5, 6, 7, None])
def test_rare_categories_share_the_last_code_with_those_not_seen(max_categories):
    """There is no shared code if there are enough codes for all."""
    fitted = TablePreprocessor(max_categories=max_categories)
    fitted.fit(pd.DataFrame({"a": [letter for i, letter in enumerate("fedcba") for _ in range(10 - i)]}))
    pooled = max_categories is not None and max_categories < 6
    n_own = max_categories - 1 if pooled else 6
    assert fitted.categories_ == (tuple("fedcba"[:n_own]),)
    assert fitted.spec_.categories == (2 + n_own + pooled,)
    codes = fitted.transform(pd.DataFrame({"a": [*"fedcba", "new", None]}))[:, 0]
    assert codes.tolist() == [min(2 + i, 2 + n_own) for i in range(6)] + [2 + n_own if pooled else 1, 0]


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        (np.array([1.5, NAN, -0.0, 1.5]), (1.5, 0.0)),
        (np.array([2**63 + 1, 2**63 + 1, 5], dtype=np.uint64), (2**63 + 1, 5.0)),
        (np.array([True, False, True]), (1.0, 0.0)),
        (np.array(["a", "", "a"]), ("a", "")),
        (np.array(["2020-01-01", "NaT"], dtype="M8[ns]"), (datetime.datetime(2020, 1, 1),)),
        (np.array([3, "NaT"], dtype="m8[s]"), (datetime.timedelta(seconds=3),)),
    ],
    ids=lambda values: getattr(values, "dtype", None),
)
def test_arrays_of_every_type(values, categories):
    fitted = TablePreprocessor([0]).fit(values[:, None])
    assert fitted.categories_ == (categories,)
    assert list(map(type, fitted.categories_[0])) == list(map(type, categories))


def test_each_block_is_counted_on_its_own(monkeypatch):
    """The time per block does not grow with the number of categories in earlier blocks."""
    seen, counts = [], Counter()
    monkeypatch.setattr(_categories, "is_missing", lambda key: seen.append(key) or key is None)
    for block in (["a", "b", None], ["c", "c"], ["a", None]):
        count_keys(counts, block)
    assert sorted(seen, key=str) == [None, None, "a", "a", "b", "c"] and counts == {"a": 2, "b": 1, "c": 2}


@pytest.mark.parametrize("value", [[1], {"a": 1}, ("a", [1]), np.zeros(2)], ids=repr)
def test_values_without_a_hash_are_refused(value):
    fitted, X = TablePreprocessor(["a"]), pd.DataFrame({"a": ["b", "c"]})
    for call in (fitted.fit, fitted.fit(X).transform):
        with pytest.raises(TypeError, match=r"column 'a': .* cannot be a category: an argument must be") as caught:
            call(pd.DataFrame({"a": ["b", value]}))
        assert f"'a': {value!r} cannot" in str(caught.value)


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
    """Also if the rows are reversed."""
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
def test_categories_are_kept_as_plain_object_column(key, plain):
    """Fitted state and pickles are then the same for every container."""
    ((found,), _) = rank_categories({key: 1}, None)
    assert found == plain and type(found) is type(plain)


def test_string_enums_equal_their_strings():
    enums, text = object_column([*Colour, Colour.RED]), object_column(["red", "blue"])
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
        fitted = TablePreprocessor(["a"]).fit(frame)
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
def test_long_identifiers_stay_different(holder):
    """NumPy turns integers with missing values into float64, which merges neighbours beyond 2^53."""
    fitted = TablePreprocessor(categorical_features=["id"]).fit(HOLDERS[holder](IDENTIFIERS))
    assert fitted.categories_ == ((2**53 + 1, 2**53, 2**53 + 2),)
    for other in HOLDERS.values():
        assert fitted.transform(other(IDENTIFIERS))[:, 0].tolist() == [2, 3, 2, 4, 0]
        assert fitted.transform(other(IDENTIFIERS[:2]))[:, 0].tolist() == [2, 3]

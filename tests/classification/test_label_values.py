"""Values of y: which rows have a label, and of which type the classes are, for every container."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import DataConversionWarning

from sklearn_twins._classification._label_values import find_labeled

NAN = float("nan")
INTS, BOOLS, TEXTS = [1, None, 2, 2, 1], [True, None, False, False, True], ["b", None, "a", "a", "b"]


def pandas_of(values, dtype):
    return pd.Series(values, dtype=dtype)


def polars_of(values, dtype):
    polars = pytest.importorskip("polars")
    return polars.Series(values, dtype=polars.Enum(["b", "a"]) if dtype == "Enum" else getattr(polars, dtype))


def arrow_of(values, dtype):
    return pytest.importorskip("pyarrow").chunked_array([values[:2], values[2:]], type=dtype)


def masked_of(values, dtype):
    return np.ma.array([value or 0 for value in values], mask=[value is None for value in values], dtype=dtype)


def list_of(missing, dtype):
    return [missing if value is None else value for value in {"int": INTS, "bool": BOOLS, "text": TEXTS}[dtype]]


@pytest.mark.parametrize(
    ("make", "values", "dtype", "kind"),
    [
        (pandas_of, INTS, "Int64", "i"),
        (pandas_of, INTS, "UInt8", "u"),
        (pandas_of, INTS, "Float64", "f"),
        (pandas_of, INTS, "float", "f"),
        (pandas_of, INTS, "object", "i"),
        (pandas_of, INTS, "category", "i"),
        (pandas_of, BOOLS, "boolean", "b"),
        (pandas_of, BOOLS, "object", "b"),
        (pandas_of, BOOLS, "category", "b"),
        (pandas_of, TEXTS, "string", "O"),
        (pandas_of, TEXTS, "object", "O"),
        (pandas_of, TEXTS, "category", "O"),
        (polars_of, INTS, "Int64", "i"),
        (polars_of, BOOLS, "Boolean", "b"),
        (polars_of, TEXTS, "String", "OU"),
        (polars_of, TEXTS, "Categorical", "OU"),
        (polars_of, TEXTS, "Enum", "OU"),
        (arrow_of, INTS, "int64", "i"),
        (arrow_of, BOOLS, "bool", "b"),
        (arrow_of, TEXTS, "string", "OU"),
        (masked_of, INTS, int, "i"),
        (masked_of, BOOLS, bool, "b"),
        *(
            (list_of, missing, dtype, kind)
            for missing in (None, NAN, pd.NA, pd.NaT)
            for dtype, kind in {"int": "i", "bool": "b", "text": "O"}.items()
        ),
    ],
)
def test_missing_values_do_not_change_the_type(make, values, dtype, kind):
    expected = list_of(None, dtype) if make is list_of else values
    is_labeled, labels = find_labeled(make(values, dtype), -1)
    assert_array_equal(is_labeled, [True, False, True, True, True])
    assert labels.dtype.kind in kind
    assert labels.tolist() == [value for value in expected if value is not None]


@pytest.mark.parametrize(
    ("y", "mark", "labels"),
    [
        ([0, 2, -1, 2, -1], -1, [0, 2, None, 2, None]),
        ([0.0, 2.0, NAN, 2.0, -1.0], -1, [0.0, 2.0, None, 2.0, None]),
        (np.array(["b", "a", -1, "b", NAN], dtype=object), -1, ["b", "a", None, "b", None]),
        (["b", "a", NAN, "b", -1], -1, ["b", "a", None, "b", None]),
        (["b", "a", "?", "b", "a"], "?", ["b", "a", None, "b", "a"]),
        ([True, False, -1, True, True], -1, [True, False, None, True, True]),
        (np.array([True, None, False, True, -1], dtype=object), -1, [True, None, False, True, None]),
        ([-1, 1, 1, -1, 1], -1, [-1, 1, 1, -1, 1]),
        (pd.Series([-1, 1, None, -1, 1], dtype="Int64"), -1, [-1, 1, None, -1, 1]),
        ([-1, 1, 0, -1, 1], None, [-1, 1, 0, -1, 1]),
        ([7, 8, 9, 7, 8], 9, [7, 8, None, 7, 8]),
        (pd.Series([1, -1, 2, 2, 1], dtype="category"), -1, [1, None, 2, 2, 1]),
        (pd.Index(TEXTS), -1, TEXTS),
        (pd.array(INTS, dtype="Int64"), -1, INTS),
        (pd.Categorical(TEXTS, categories=["a", "b", "never"]), -1, TEXTS),
        (pd.Series([2**53 + 1, None, 2**53], dtype="Int64"), -1, [2**53 + 1, None, 2**53]),
    ],
    ids=str,
)
def test_marks(y, mark, labels):
    is_labeled, found = find_labeled(y, mark)
    assert_array_equal(is_labeled, [label is not None for label in labels])
    expected = [label for label in labels if label is not None]
    assert found.tolist() == expected and {type(label) for label in found.tolist()} == {
        type(label) for label in expected
    }


def test_the_classes_say_whether_a_mark_is_one():
    assert_array_equal(find_labeled([-1, 1], -1, np.array([0, 1, 2]))[0], [False, True])
    assert_array_equal(find_labeled([-1, -1], -1, np.array([-1, 1]))[0], [True, True])


@pytest.mark.parametrize(
    "y", [np.array([[0], [1]]), pd.DataFrame({"label": pd.array([0, 1], dtype="Int64")})], ids=type
)
def test_one_column(y):
    with pytest.warns(DataConversionWarning, match="column-vector"):
        labels = find_labeled(y, -1)[1]
    assert labels.dtype.kind == "i" and labels.tolist() == [0, 1]


def test_texts_of_numpy():
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy 1")
    assert find_labeled(np.array(["b", "a"], dtype=np.dtypes.StringDType()), -1)[1].dtype == object


def test_no_values_are_written():
    y = pd.Series([1.0, NAN, -1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_labeled(y, -1)
    assert_array_equal(y, [1.0, NAN, -1.0])

"""Tables that cannot be used are refused by every method, before any training step and without a change."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from builders import small_embedder
from sklearn.exceptions import NotFittedError

pytestmark = pytest.mark.slow

nan, inf = float("nan"), float("inf")


class Nothing:
    """An object of an unknown type."""

    def __repr__(self):
        return "Nothing()"


table = np.random.default_rng(0).normal(size=(60, 5))


def with_value(value, dtype=object):
    X = table.astype(dtype)
    X[3, 2] = value
    return X


# name -> (X, a part of the message)
TABLES = {
    "inf": (with_value(inf, float), "infinity"),
    "-inf": (with_value(-inf, float), "infinity"),
    "float32 inf": (with_value(inf, np.float32), "infinity"),
    "an object": (with_value(Nothing()), "Nothing"),
    "a dict": (with_value({"a": 1}), "string"),
    "frame with lists": (pd.DataFrame({"a": table[:, 0], "b": [[1]] * 60}), "column 'b'"),
    "lazy frame": (pl.LazyFrame({"a": table[:, 0]}), "collect()"),
    "complex": (table + 1j, "Complex data not supported"),
    "1-D": (table[:, 0], "Expected 2D array, got 1D array"),
    "3-D": (table.reshape(60, 5, 1), "dim 3"),
    "0-D": (np.array(3.0), "Expected 2D array, got scalar"),
    "number": (3.0, "Expected 2D array, got scalar"),
    "None": (None, "Expected 2D array, got scalar"),
    "empty list": ([], "Expected 2D array"),
    "ragged": ([[1.0, 2.0], [3.0]], "inhomogeneous"),
    "no rows": (table[:0], "0 sample(s)"),
    "no columns": (table[:, :0], "0 feature(s)"),
    "one row": (table[:1], "1 sample"),
    "sparse inf": (scipy.sparse.csr_array(with_value(inf, float)), "infinity"),
    "large sparse": (scipy.sparse.csr_array((10**6, 10**5)), "max_dense_bytes"),
    "generator": ((row for row in table), "Expected sequence or array-like, got <class 'generator'>"),
    "list of dicts": ([{"a": 1}, {"a": 2}], "pandas.DataFrame(X)"),
    "dict of lists": ({"a": [1, 2], "b": [3, 4]}, "pandas.DataFrame(X)"),
    "string": ("table.csv", "X is a str"),
    "set": ({1, 2}, "Expected sequence or array-like, got <class 'set'> as X"),
    "records": (np.zeros(60, dtype=[("a", float), ("b", int)]), "pandas.DataFrame(X)"),
    "2-D records": (np.zeros((60, 2), dtype=[("a", float)]), "pandas.DataFrame(X)"),
    "bytes without a type": (np.zeros((60, 2), dtype="V4"), "records"),
    "lists of lists of lists": ([[[1]], [[2]]], "dim 3"),
    "series": (pd.Series(table[:, 0]), "DataFrame"),
    "polars' series": (pl.Series(table[:, 0]), "Expected 2D array, got 1D array"),
    "groups": (pd.DataFrame(table).groupby(0), "different lengths"),
    "names twice": (pd.DataFrame(table, columns=list("aabcd")), "several columns named 'a'"),
    "names twice in pyarrow": (pa.table([[1, 2], [1, 2]], names=["b", "b"]), "several columns named 'b'"),
    "names of mixed types": (pd.DataFrame(table, columns=[1, "a", 2, 3, 4]), "string names"),
    "frame without columns": (pd.DataFrame(index=range(5)), "0 feature(s)"),
    "frame without rows": (pd.DataFrame(table)[:0], "0 sample(s)"),
    "frame of one row": (pd.DataFrame(table)[:1], "1 sample(s)"),
    "polars without columns": (pl.DataFrame(), "0 feature(s)"),
    "structs": (pl.DataFrame({"a": [{"x": 1}] * 60}), "column 'a'"),
    "lists in pyarrow": (pa.table({"a": [[1]] * 60}), "column 'a'"),
    "objects of polars": (pl.DataFrame({"a": pl.Series([Nothing()] * 60, dtype=pl.Object)}), "column 'a'"),
    "infinity in a frame": (pl.DataFrame({"a": [1.0, inf]}), "in column 'a'"),
    "an int beyond float": (with_value(10**400), "infinity"),
    "longdouble": (table.astype(np.longdouble) * np.longdouble("1e4000"), "infinity"),
    "infinite decimal": (with_value(decimal.Decimal("Infinity")), "infinity"),
    "complex objects": (with_value(1j), "Complex data not supported"),
    "complex in a frame": (pd.DataFrame({"a": table[:, 0] * 1j}), "column 'a'"),
    "years as durations": (np.ones((60, 2), dtype="m8[Y]"), "years and months"),
    "a duration of years": (np.array([[np.timedelta64(1, "M"), 1.0]] * 9, dtype=object), "years and months"),
    "classes": (with_value(Nothing), "type"),
    "sets as values": (with_value({1}), "values are of type set"),
    "arrays as values": (with_value(np.ones(2)), "values are of type ndarray"),
    "sparse complex": (scipy.sparse.csr_array(table + 1j), "Complex data not supported"),
    "sparse without columns": (scipy.sparse.csr_array((60, 0)), "0 feature(s)"),
    "sparse of one row": (scipy.sparse.csr_array(table[:1]), "1 sample(s)"),
    "sparse 1-D": (scipy.sparse.coo_array(table[0]), "Expected 2D"),
    "tensor of bfloat16": (torch.ones(60, 5, dtype=torch.bfloat16), "torch.bfloat16"),
    "sparse tensor": (torch.ones(60, 5).to_sparse(), "torch.sparse_coo"),
    "tensor without values": (torch.ones(60, 5, device="meta"), "on meta"),
}


# transform takes one row, or none; and refuses the frame with lists by its number of columns
GOOD_IN_TRANSFORM = {"one row", "frame with lists", "frame of one row", "sparse of one row"}
GOOD_IN_TRANSFORM |= {"no rows", "frame without rows"}

mixed = pd.DataFrame(
    {
        "n": table[:, 0],
        "c": ["x", "y", None] * 20,
        "d": pd.date_range("2020", periods=60),
        "t": pd.to_timedelta(range(60), unit="s"),
    }
)
ONCE = {  # (X, parts of the message)
    "numbers, text": (mixed.assign(n="x"), "column 'n'", "'x'", "held numbers in fit"),
    "numbers, dates": (mixed.assign(n=mixed.d), "column 'n'", "datetime64", "convert it to numbers"),
    "numbers, lists": (mixed.assign(n=[[1]] * 60), "column 'n'", "[1]"),
    "numbers, objects": (mixed.assign(n=[Nothing()] * 60), "column 'n'", "Nothing()"),
    "numbers, complex": (mixed.assign(n=1j), "column 'n'", "1j"),
    "numbers, periods": (mixed.assign(n=pd.period_range("2020", periods=60)), "column 'n'", "Period"),
    "numbers, infinity": (mixed.assign(n=inf), "column 'n'", "infinity"),
    "dates, numbers": (mixed.assign(d=1.0), "column 'd'", "1.0", "parse dates"),
    "dates, text": (mixed.assign(d="2020-01-01"), "column 'd'", "'2020-01-01'", "pandas.to_datetime"),
    "dates, durations": (mixed.assign(d=mixed.t), "column 'd'", "timedelta"),
    "durations, numbers": (mixed.assign(t=1.0), "column 't'", "1.0", "pandas.to_timedelta"),
    "durations, dates": (mixed.assign(t=mixed.d), "column 't'", "datetime"),
    "categories, lists": (mixed.assign(c=[[1]] * 60), "column 'c'", "[1]", "several columns"),
    "categories, dicts": (mixed.assign(c=[{"a": 1}] * 60), "column 'c'", "{'a': 1}"),
    "polars, lists": (pl.DataFrame(mixed).with_columns(n=pl.lit([1, 2])), "column 'n'", "[1, 2]"),
    "polars, structs": (pl.DataFrame(mixed).with_columns(c=pl.struct("n")), "column 'c'"),
    "a column less": (mixed[["n", "c", "d"]], "feature names", "t"),
    "a column more": (mixed.assign(z=1), "feature names", "z"),
    "another name": (mixed.rename(columns={"n": "m"}), "feature names", "m"),
    "another order": (mixed[["c", "n", "d", "t"]], "same order"),
    "a name twice": (mixed.set_axis(["n", "n", "d", "t"], axis=1), "several columns named 'n'"),
    "rows that are not there": (pl.DataFrame(mixed).lazy(), "X.collect()"),
}
CASES = [*TABLES, *ONCE]


@pytest.fixture(scope="module")
def fitted():
    """An embedder fitted on numbers, which a refusal must not change."""
    return small_embedder(warm_start=True).fit(table)


@pytest.fixture(scope="module")
def fitted_on_mixed():
    """An embedder fitted on columns of all kinds."""
    return small_embedder(warm_start=True).fit(mixed)


@pytest.mark.parametrize("name", TABLES)
def test_table_before_fit(refuses, name):
    X, word = TABLES[name]
    embedder = small_embedder()
    before = dict(vars(embedder))
    for method in (embedder.fit, embedder.partial_fit, embedder.fit_transform):
        refuses([word], method, X)
        assert vars(embedder) == before


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("name", TABLES)
def test_table_after_fit(fitted, refuses, fingerprint, name):
    """By a new fit, a warm start and transform."""
    embedder, (X, word) = fitted, TABLES[name]
    before = fingerprint(embedder)
    refuses([word], embedder.set_params(warm_start=False).fit, X)
    with pytest.raises((ValueError, TypeError)):
        embedder.set_params(warm_start=True, max_epochs=3).fit(X)
    if name not in GOOD_IN_TRANSFORM:
        refuses([], embedder.transform, X)
    assert fingerprint(embedder.set_params(max_epochs=2)) == before


@pytest.mark.parametrize("name", ONCE)
def test_columns_of_another_kind_after_fit(fitted_on_mixed, refuses, fingerprint, name):
    embedder, (X, *words) = fitted_on_mixed, ONCE[name]
    before = fingerprint(embedder)
    refuses(words, embedder.transform, X)
    for method in (embedder.set_params(max_epochs=4).fit, embedder.partial_fit):
        refuses(words, method, X)
    assert fingerprint(embedder.set_params(max_epochs=2)) == before


@pytest.mark.parametrize("columns", [slice(0, 4), [0, 1, 2, 3, 4, 0]], ids=["fewer", "more"])
def test_other_columns(fitted, refuses, fingerprint, columns):
    embedder, X = fitted, table[:, columns]
    before = fingerprint(embedder)
    for method in (embedder.transform, embedder.set_params(max_epochs=4).fit, embedder.partial_fit):
        refuses(["expecting 5 features", "BarlowTwinsEmbedder"], method, X)
    assert fingerprint(embedder.set_params(max_epochs=2)) == before


@pytest.mark.parametrize("n", [2, 3])
def test_too_few_rows_for_early_stopping(make, X, refuses, n):
    embedder = make(early_stopping=True)
    refuses([f"{n} sample(s)", "4", "early_stopping"], embedder.fit, X[:n])
    assert not hasattr(embedder, "n_features_in_")


def test_partial_fit_needs_no_validation_rows(make, X):
    assert make(early_stopping=True).partial_fit(X[:2]).n_iter_ == 1


def test_an_array_after_a_frame_gives_a_warning(make, X):
    embedder = make().fit(pd.DataFrame(X, columns=list("abcde")))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        embedder.transform(X)


def test_before_fit(make, X):
    embedder = make()
    for method in (embedder.transform, embedder.score, embedder.diagnose, embedder.transform_views):
        with pytest.raises(NotFittedError, match="BarlowTwinsEmbedder"):
            method(X)
    with pytest.raises(NotFittedError, match="BarlowTwinsEmbedder"):
        embedder.get_feature_names_out()


def test_a_memory_mapped_file_that_became_shorter(make, X, refuses, tmp_path):
    """Reading past its end would kill the process."""
    path = tmp_path / "table.npy"
    np.save(path, np.tile(X, (100, 1)))
    mapped = np.load(path, mmap_mode="r")
    embedder = make().fit(mapped)
    with open(path, "r+b") as file:
        file.truncate(1_000)
    for method in ("fit", "transform", "partial_fit"):
        refuses(["table.npy", "1,000 of"], getattr(embedder, method), mapped)


LISTS = {
    "of equal widths": [np.zeros((5, 3)), np.ones((5, 3))],
    "of other widths": [np.zeros((5, 3)), np.ones((5, 2))],
    "of other lengths": [np.zeros((5, 3)), np.ones((4, 3))],
    "a tuple": (np.zeros((5, 3)), np.ones((5, 3))),
    "of frames": [pd.DataFrame(np.zeros((5, 3))), pd.DataFrame(np.ones((5, 3)))],
    "of tensors": [torch.zeros(5, 3), torch.ones(5, 3)],
    "one": [np.zeros((5, 3))],
}


@pytest.mark.parametrize("tables", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
def test_a_list_of_tables(make, tables, method):
    with pytest.raises(ValueError, match=r"X is a list of \d tables?, of shape \(5, 3\).*hstack.*vstack"):
        getattr(make(), method)(tables)


def test_other_kinds_of_data_are_documented(make):
    with pytest.raises(ValueError, match=r"\(20, 6, 128\).*docs/extending.md"):
        make().fit(np.zeros((20, 6, 128)))
    with pytest.raises(ValueError, match=r"modality.*video|docs/extending.md"):
        make(modality="video").fit(np.zeros((20, 6)))
    with pytest.raises(ValueError, match=r"docs/extending.md"):
        make(modality="graph").set_params(augmentation__corruption_rate=0.1)

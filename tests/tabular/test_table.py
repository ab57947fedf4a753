"""Tables in every container: the values of blocks of rows, and errors that name the column."""

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from builders import small_embedder
from scipy import sparse

from sklearn_twins._tabular import _table
from sklearn_twins._tabular._table import Table, as_objects, name_column_in_errors, read_table
from sklearn_twins.preprocessing import TablePreprocessor

NAN = np.nan
MATRIX = np.random.default_rng(0).poisson(0.4, (50, 6)).astype(np.float64)
FRAME = pd.DataFrame(MATRIX, columns=list("abcdef"))


def table(X):
    return read_table(X, TablePreprocessor(), reset=True, max_dense_bytes=2**31)


@pytest.mark.parametrize("n_columns", [1, 40, 100_000])
@pytest.mark.parametrize("n", [1, 2, 17, 16_384, 16_385, 500_001])
def test_blocks_cover_every_row_once_in_order(n, n_columns):
    blocks = Table((n, n_columns)).row_slices()
    assert blocks[0].start == 0 and blocks[-1].stop >= n
    assert all(a.stop == b.start and a.start < a.stop for a, b in pairwise(blocks))
    assert max(block.stop - block.start for block in blocks) <= 16_384


def test_blocks_are_a_sixteenth_of_a_large_table():
    assert Table((1_600_000, 500)).row_slices()[0] == slice(0, 16_384)
    assert Table((160_000, 500)).row_slices()[0] == slice(0, 10_000)
    assert Table((50, 5)).row_slices()[0] == slice(0, 3_276), "a small one is read at once"


HOLDERS = {
    "array": lambda X: X,
    "array of objects": lambda X: X.astype(object),
    "columns": np.asfortranarray,
    "list": lambda X: X.tolist(),
    "csr": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "pandas": lambda X: FRAME,
    "pandas, Arrow": lambda X: FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda X: pl.from_pandas(FRAME),
    "pyarrow": lambda X: pa.Table.from_pandas(FRAME),
}


@pytest.mark.parametrize("rows", [slice(None), slice(0, 1), slice(7, 12), slice(45, 99)])
@pytest.mark.parametrize("holder", HOLDERS)
def test_values_of_a_block(holder, rows):
    X = table(HOLDERS[holder](MATRIX))
    assert len(X) == 50 and X.shape == MATRIX.shape
    for j in (0, 4):
        assert X.infer_kind(j) == "number"
        np.testing.assert_array_equal(X.get_values(j, rows), MATRIX[rows, j])
        np.testing.assert_array_equal(X.get_exact_values(j, rows), MATRIX[rows, j])
        np.testing.assert_array_equal(X.decode_column(j, lambda values: np.array(values, dtype=float)), MATRIX[:, j])
    for columns in ([1, 4], list(range(6))):
        block = X.get_matrix(columns, rows)
        if block is not None:
            np.testing.assert_array_equal(block, MATRIX[rows, columns])


@pytest.mark.parametrize("holder", ["array", "columns", "list", "csr", "csc", "pandas", "polars", "pyarrow"])
def test_numbers_are_read_at_once(holder):
    """Column by column would take long for many columns."""
    assert table(HOLDERS[holder](MATRIX)).get_matrix([1, 4], slice(3, 9)).shape == (6, 2)


def test_integers_of_128_bits():
    """polars holds integers beyond 64 bits; NumPy has no such type."""
    X = pl.DataFrame({"a": [2**70, -(2**80), None], "b": [1.0, 2.0, 4.0]})
    assert X.schema["a"] == pl.Int128
    expected = TablePreprocessor().fit_transform(np.array([[2.0**70, 1], [-(2.0**80), 2], [NAN, 4]]))
    np.testing.assert_array_equal(TablePreprocessor().fit_transform(X), expected)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no such type")
@pytest.mark.parametrize("missing", [{}, {"na_object": NAN}, {"na_object": None}])
def test_numpy_strings_of_variable_length(missing):
    values = ["a", "longer", "a", "a", *missing.values()]
    fitted = TablePreprocessor().fit(np.array(values, dtype=np.dtypes.StringDType(**missing))[:, None])
    assert fitted.kinds_ == ("category",) and fitted.categories_ == (("a", "longer"),)
    new = np.array(["longer", "new", *missing.values()], dtype=np.dtypes.StringDType(**missing))[:, None]
    assert fitted.transform(new)[:, 0].tolist() == [3, 1, 0][: len(new)]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[1, 2.5], [3, 4]], "f"),
        ([[1, "a"], [3, "b"]], "O"),
        ([["1", "2"], ["3", "4"]], "O"),
        ([[1, None], [2, 3]], "O"),
        ([[b"a", 1]], "O"),
        ([[np.timedelta64(1, "s"), 5]], "O"),
        ([[np.datetime64("2020-01-01"), np.timedelta64(1, "s")]], "O"),
        (["a", "b"], "U"),
    ],
)
def test_lists_keep_their_numbers(rows, kind):
    """NumPy would convert numbers next to a string to strings, and next to a time to times."""
    found = as_objects(rows)
    assert found.dtype.kind == kind and found.tolist() == rows
    assert kind != "O" or list(map(type, found[0])) == list(map(type, rows[0]))


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="inhomogeneous"):
        table([[1, "a"], [2]])


@pytest.mark.parametrize(("X", "label"), [(FRAME, "column 'c'"), (MATRIX, "column 2")])
@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_errors_name_the_column(X, label, kind):
    with pytest.raises(kind, match=f"^Input X, {label}: it is odd$") as caught, name_column_in_errors(table(X), 2):
        raise kind("it is odd")
    assert type(caught.value) is kind and isinstance(caught.value.__cause__, kind)


@pytest.mark.parametrize(
    "other", [FRAME[["b", *"acdef"]], FRAME.iloc[:, :5], FRAME.assign(g=1.0)], ids=["reordered", "missing", "added"]
)
@pytest.mark.parametrize("holder", [lambda X: X, pl.from_pandas, pa.Table.from_pandas])
def test_other_columns_are_refused_in_scikit_learns_words(other, holder):
    fitted = TablePreprocessor().fit(FRAME)
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        fitted.transform(holder(other))


@pytest.mark.parametrize("other", [FRAME["a"], pl.Series([1.0, 2.0]), sparse.coo_array(np.ones(3)), None])
def test_other_objects_are_refused(other):
    with pytest.raises(ValueError, match=r"Expected (a )?2|1d sparse"):
        table(other)


@pytest.mark.parametrize("X", [FRAME, FRAME.assign(c="x")], ids=["numbers", "and a string"])
@pytest.mark.parametrize("names", [[5, 4, 3, 2, 1, 0], [2, 0, 1, 9, 8, 7], [(0, "a"), *enumerate("bcdef")]])
def test_names_and_index_of_a_frame_do_not_matter(X, names):
    other = X.set_axis(names, axis=1).set_axis(np.arange(50)[::-1] // 2, axis=0)
    np.testing.assert_array_equal(TablePreprocessor().fit_transform(other), TablePreprocessor().fit_transform(X))


def test_two_columns_of_one_name():
    with pytest.raises(ValueError, match="several columns named 'a'"):
        table(FRAME.set_axis(["a", *"abcde"], axis=1))


def test_sparse_columns_of_a_frame():
    X = pd.DataFrame.sparse.from_spmatrix(sparse.csr_array(MATRIX))
    np.testing.assert_array_equal(TablePreprocessor().fit_transform(X), TablePreprocessor().fit_transform(MATRIX))


@pytest.mark.parametrize("X", [pd.DataFrame(index=range(3)), pl.DataFrame(), FRAME[:0], pl.from_pandas(FRAME)[:1]])
def test_frames_without_enough_rows_or_columns(X):
    with pytest.raises(ValueError, match=r"Found array with \d (sample|feature)\(s\) .* required by TablePreprocessor"):
        table(X)


@pytest.mark.parametrize("dtype", [float, int, object, "U3"])
def test_masked_values_are_missing(dtype):
    values = np.array([["1", "4"], ["2", "5"], ["3", "6"]]).astype(int if dtype is object else dtype).astype(dtype)
    masked = np.ma.array(values, mask=[[0, 0], [1, 0], [0, 0]])
    with_gap = values.astype(object)
    with_gap[1, 0] = None
    np.testing.assert_array_equal(
        TablePreprocessor().fit_transform(masked), TablePreprocessor().fit_transform(with_gap)
    )


def numbers_of_types(n_columns):
    """A table of floats, integers and booleans."""
    makers = (lambda j: MATRIX[:, 0] + j, lambda j: np.arange(50) % (j + 2), lambda j: MATRIX[:, 1] > 0)
    return {f"c{j}": makers[j % 3](j) for j in range(n_columns)}


WIDE = {
    "array": lambda: np.tile(MATRIX, 200),
    "array with gaps": lambda: np.where(np.tile(MATRIX, 200) > 1, NAN, np.tile(MATRIX, 200)),
    "csr": lambda: sparse.csr_array(np.tile(MATRIX, 200)),
    "coo": lambda: sparse.coo_matrix(np.tile(MATRIX, 200)),
    "pandas": lambda: pd.DataFrame(numbers_of_types(1_200)),
    "pandas, nullable": lambda: pd.DataFrame(numbers_of_types(1_200)).convert_dtypes(),
    "pandas, sparse": lambda: pd.DataFrame.sparse.from_spmatrix(sparse.csr_array(np.tile(MATRIX, 200))),
    "pandas, partly sparse": lambda: pd.DataFrame(numbers_of_types(600)).join(
        pd.DataFrame.sparse.from_spmatrix(sparse.csr_array(np.tile(MATRIX, 100)), columns=[f"s{j}" for j in range(600)])
    ),
    "polars": lambda: pl.DataFrame(numbers_of_types(1_200)),
}


@pytest.mark.slow
@pytest.mark.parametrize("holder", WIDE)
def test_many_columns_are_read_in_blocks(monkeypatch, holder):
    """Of columns of one type each, in `fit` and `transform`: a cost for each column would be minutes for many."""
    X, calls, tables = WIDE[holder](), [], []
    read = Table.read_numbers
    monkeypatch.setattr(Table, "read_numbers", lambda *args: calls.append(1) or tables.append(args[0]) or read(*args))
    for own in (_table.SparseTable, _table.FrameTable, _table.ArrayTable):
        monkeypatch.setattr(own, "get_values", lambda *args: pytest.fail("a single column is read"))
    fitted = TablePreprocessor().fit(X)
    samples = fitted.transform(X)
    assert samples.shape == (50, 1_200) and len(calls) <= 120
    monkeypatch.undo()
    dense = X.toarray() if sparse.issparse(X) else X
    dense = dense.astype(float).to_numpy() if isinstance(dense, pd.DataFrame) else np.asarray(dense, dtype=float)
    np.testing.assert_array_equal(samples, TablePreprocessor().fit_transform(dense))


def test_columns_that_are_stored_sparsely():
    """Next to others, listed as categorical, with another value than 0 for what is not stored."""
    dense = pd.DataFrame({"a": MATRIX[:, 0], "b": MATRIX[:, 1], "c": MATRIX[:, 2], "d": list("xy") * 25})
    stored = dense.astype(
        {"a": pd.SparseDtype(float, 0), "b": pd.SparseDtype("int64", 0), "c": pd.SparseDtype(float, NAN)}
    )
    for listed in ("from_dtype", ["a"], ["b", "c"]):
        own = TablePreprocessor(listed)
        np.testing.assert_array_equal(own.fit_transform(stored), own.fit_transform(dense.astype({"b": int})))
        np.testing.assert_array_equal(own.transform(stored[:3]), own.transform(dense.astype({"b": int})[:3]))


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array, sparse.coo_array])
def test_sparse_tables_that_would_not_fit_are_refused_before_any_work(make):
    with pytest.raises(
        ValueError, match=r"1,048,576 columns need a network whose first layer takes 4 GiB.*TruncatedSVD"
    ):
        TablePreprocessor().fit(make((200, 2**20)))
    with pytest.raises(ValueError, match=r"1,000 rows and 2 columns would take 7\.45e-06 GiB .*max_dense_bytes=100"):
        frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_array((1_000, 2)))
        TablePreprocessor(max_dense_bytes=100).fit(frame)


EMPTY = {
    "pandas": lambda frame: frame[:0],
    "pandas, without types": lambda frame: pd.DataFrame(columns=frame.columns),
    "polars": lambda frame: pl.from_pandas(frame)[:0],
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False)[:0],
    "array": lambda frame: frame.to_numpy()[:0],
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("n_components", [None, 3])
def test_no_rows_give_no_rows(output, n_components):
    """A partition may be empty. A fit needs rows, and columns must be those of fit."""
    frame = pd.DataFrame({"a": MATRIX[:, 0], "t": list("xy") * 25, "d": pd.date_range("2020", periods=50)})
    embedder = small_embedder(n_components=n_components, max_epochs=1).fit(frame).set_output(transform=output)
    for holder, make in EMPTY.items():
        found = embedder.transform(make(frame))
        assert found.shape == (0, len(embedder.get_feature_names_out())), holder
        if output == "default":
            assert found.dtype == np.float32
        else:
            assert list(found.columns) == list(embedder.get_feature_names_out())
    assert embedder.transform_views(frame[:0]).shape == (0, 2, n_components or 8)
    for call in (embedder.fit, embedder.partial_fit):
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            call(frame[:0])
    with pytest.raises(ValueError, match="feature names should match"):
        embedder.transform(frame[:0].drop(columns="t"))


def test_no_rows_of_a_sparse_table():
    assert TablePreprocessor().fit(sparse.csr_array(MATRIX)).transform(sparse.csr_array((0, 6))).shape == (0, 6)

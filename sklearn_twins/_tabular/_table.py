"""Check X and read it as a table, block by block, from arrays, sparse arrays and data frames."""

import contextlib
import sys
from functools import cached_property

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from .._inputs._containers import as_frame, check_container, is_number, refuse_tables
from .._inputs._memory_maps import check_mapping
from .._inputs._messages import short_messages, show
from ._column_kinds import as_float64, decode_numbers, infer_kind_of_type, infer_kind_of_values

# Reading a block takes about seven times the memory of its float32 samples, for float64 values and temporaries. With a
# sixteenth of the rows per block that is less than half of all samples; small tables are read at once.
N_BLOCKS = 16
MIN_CELLS_PER_BLOCK = 2**14
MAX_ROWS_PER_BLOCK = 16_384
OBJECTS = 8  # a column of Python objects takes about as much memory as so many columns of numbers
# For each column, the first layer of the default network takes 256 weights, their gradients and two moments.
LAYER_BYTES, MAX_LAYER_BYTES = 4 * 4 * 256, 2**31


class Table:
    """A two-dimensional X: the kind of each column, and the values of a block of rows.

    Parameters
    ----------
    shape : tuple of int
        Number of rows and columns.
    names : list or None
        Names of the columns, if X has any.
    """

    kind = None  # of all columns, if their common type determines it

    def __init__(self, shape, names=None):
        self.shape, self.names = shape, names

    def __len__(self):
        return self.shape[0]

    def row_slices(self, width=None):
        """Return the blocks in which all rows are read, as slices in order.

        Parameters
        ----------
        width : int or None, default=None
            Number of columns that are read at once; None means all.
        """
        n, n_columns = self.shape
        width = width or n_columns
        size = min(MAX_ROWS_PER_BLOCK, max(-(-n * n_columns // (N_BLOCKS * width)), MIN_CELLS_PER_BLOCK // width, 1))
        return [slice(start, start + size) for start in range(0, n, size)]

    def split_columns(self, columns):
        """Split columns into lists, so that all rows of one are about as many values as a block of rows."""
        n, n_columns = self.shape
        width = max(n_columns // N_BLOCKS, MIN_CELLS_PER_BLOCK // n, 1)
        return [columns[start : start + width] for start in range(0, len(columns), width)]

    def label(self, j):
        """Name a column in an error message."""
        return f"column {j}" if self.names is None else f"column {show(self.names[j])}"

    def infer_kind(self, j):
        """Return "number", "category", "date", "duration" or "empty", by the column's type or else by its values."""
        if self.kind is not None:
            return self.kind
        with name_column_in_errors(self, j):
            declared = self.get_declared_kind(j)
            return declared or infer_kind_of_values(list(self.get_values(j, rows)) for rows in self.row_slices(OBJECTS))

    def get_declared_kind(self, j):
        """Return the kind that a column's type declares, or None if the type does not determine it."""
        raise NotImplementedError

    def declares_categories(self, j):
        """Whether a column's type says that it holds categories, and not just text."""
        return False

    def get_values(self, j, rows):
        """Return raw values of a column: an array, or a list of Python objects."""
        raise NotImplementedError

    def get_exact_values(self, j, rows):
        """Return raw values without rounding integers, since neighbouring identifiers are different categories."""
        return self.get_values(j, rows)

    def group_numbers(self, columns):
        """Split columns of numbers into lists that are read at once, because their types are alike."""
        return [[j] for j in columns]

    def get_matrix(self, columns, rows):
        """Return raw values of several columns as one numeric array, or None if they must be read one by one."""
        return None

    def read_numbers(self, columns, rows):
        """Return the numbers of several columns, NaN where missing.  # (rows, columns), float64"""
        matrix = self.get_matrix(columns, rows)
        if matrix is not None:
            return as_float64(matrix)
        numbers = np.empty((len(range(*rows.indices(len(self)))), len(columns)))
        for place, j in enumerate(columns):
            with name_column_in_errors(self, j):
                numbers[:, place] = decode_numbers(self.get_values(j, rows))
        return numbers

    def decode_column(self, j, decode):
        """Decode all values of a column, block by block if they are Python objects."""
        values = self.get_values(j, slice(0, 1))
        at_once = isinstance(values, np.ndarray) and values.dtype.kind != "O"
        slices = [slice(None)] if at_once else self.row_slices(OBJECTS)
        decoded = [decode(self.get_values(j, rows)) for rows in slices]
        return decoded[0] if len(decoded) == 1 else np.concatenate(decoded)

    def clear_cache(self):
        """Free what was cached for reading column by column."""


class ArrayTable(Table):
    """A NumPy array of any type."""

    KINDS = {"O": None, "T": None, "U": "category", "S": "category", "M": "date", "m": "duration"}

    def __init__(self, X):
        super().__init__(X.shape)
        self.X, self.kind = X, self.KINDS.get(X.dtype.kind, "number")

    def get_declared_kind(self, j):
        return self.kind

    def get_values(self, j, rows):
        values = self.X[rows, j]
        return values if values.dtype.kind in "biufmM" else values.tolist()

    def group_numbers(self, columns):
        return [columns] if self.kind == "number" and columns else super().group_numbers(columns)

    def get_matrix(self, columns, rows):
        if self.kind != "number":
            return None
        block = self.X[rows]
        return block if len(columns) == self.shape[1] else block[:, columns]


class SparseTable(Table):
    """A sparse array or matrix of numbers, made dense block by block."""

    kind = "number"

    def __init__(self, X, names=None):
        super().__init__(X.shape, names)
        self.by_rows = X.tocsr()

    @cached_property
    def by_columns(self):
        """The same array in compressed columns."""
        return self.by_rows.tocsc()

    def get_declared_kind(self, j):
        return self.kind

    def get_values(self, j, rows):
        return self.by_columns[:, [j]].toarray()[rows, 0]

    def group_numbers(self, columns):
        return [columns] if columns else []

    def get_matrix(self, columns, rows):
        if rows == slice(None):
            return self.by_columns[:, columns].toarray()
        block = self.by_rows[rows].toarray()
        return block if len(columns) == self.shape[1] else block[:, columns]

    def clear_cache(self):
        self.__dict__.pop("by_columns", None)


class FrameTable(Table):
    """A data frame that narwhals reads: pandas, polars, pyarrow, ..."""

    def __init__(self, frame):
        super().__init__(frame.shape, list(frame.columns))
        self.frame = frame

    @cached_property
    def dtypes(self):
        """Type of each column."""
        return list(self.frame.schema.values())

    @cached_property
    def int128(self):
        """Columns of integers that NumPy has no type for."""
        return {j for j, dtype in enumerate(self.dtypes) if isinstance(dtype, (nw.Int128, nw.UInt128))}

    @cached_property
    def columns(self):
        """All columns, split once: looking up one column by name takes time for each column of a frame."""
        return list(self.frame.iter_columns())

    def get_column(self, j, rows):
        """Return a block of rows of a column, without a copy if it is all rows."""
        every = not rows.start and (rows.stop is None or rows.stop >= len(self))
        return self.columns[j] if every else self.columns[j][rows]

    def get_declared_kind(self, j):
        dtype = self.dtypes[j]
        if is_number(dtype):
            return "number"
        if dtype in (nw.String, nw.Binary) or self.declares_categories(j):
            return "category"
        if dtype in (nw.Date, nw.Datetime):
            return "date"
        if dtype == nw.Duration:
            return "duration"
        if dtype.is_nested():
            infer_kind_of_type(list)  # raises
        return None  # includes times of day: early releases of narwhals report zoned dates as such

    def declares_categories(self, j):
        dtype = self.dtypes[j]
        return isinstance(dtype, (nw.Categorical, nw.Enum)) or dtype in (nw.Categorical, nw.Enum)

    def get_values(self, j, rows):
        values = self.get_column(j, rows)
        dtype = values.dtype
        in_numpy = is_number(dtype) or dtype in (nw.Date, nw.Datetime, nw.Duration)
        return values.to_numpy() if in_numpy and j not in self.int128 else values.to_list()

    def get_exact_values(self, j, rows):
        values = self.get_column(j, rows)
        if values.dtype.is_integer():  # as NumPy arrays, integers with missing values would become float64
            return values.to_list()
        return self.get_values(j, rows)

    def group_numbers(self, columns):
        groups = {}
        for j in columns:
            dtype = self.dtypes[j]
            alike = is_number(dtype) and j not in self.int128
            groups.setdefault(str(dtype) if alike else j, []).append(j)
        return list(groups.values())

    def get_matrix(self, columns, rows):
        if len(columns) == 1:
            return None
        every = len(columns) == self.shape[1]  # selecting columns would copy them
        block = (self.frame[rows] if every else self.frame[rows, columns]).to_numpy()
        return block if block.dtype.kind in "biuf" else None

    def clear_cache(self):
        self.__dict__.pop("columns", None)


@contextlib.contextmanager
def name_column_in_errors(table, j):
    """Prefix errors about a column's values with its name."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"Input X, {table.label(j)}: {error}") from error


def read_table(X, owner, *, reset, max_dense_bytes):
    """Check X and make it a table.

    Parameters
    ----------
    X : data frame, array-like or sparse array of shape (n, n_features_in_)
        As the user passed it.
    owner : estimator
        The estimator named in error messages; if `reset`, `n_features_in_` and `feature_names_in_` are set on it.
    reset : bool
        True in `fit`, False in `transform`.
    max_dense_bytes : int
        Largest size of a sparse X as a dense float32 table, in bytes.

    Returns
    -------
    table : Table

    Raises
    ------
    ValueError, TypeError
        If X is not a table, is empty, or does not have the columns seen in `fit`.
    """
    X = check_container(X, "X", "a data frame, an array or a list of rows")
    data = sys.modules.get("torch.utils.data")
    if data is not None and isinstance(X, data.Dataset):
        raise TypeError(f"X is a torch data set, {type(X).__name__}. Give its rows: numpy.stack([x for x, *_ in X]).")
    frame = as_frame(X, "X")
    min_rows = 2 if reset else 0  # a collection's parts, such as dask's partitions, may be empty
    if isinstance(frame, nw.DataFrame):
        with short_messages():
            validate_data(owner, X, reset=reset, skip_check_array=True)
        check_size(frame.shape, owner, min_rows)
        return make_frame_table(frame, max_dense_bytes)
    if isinstance(X, np.ma.MaskedArray):
        X = np.where(np.ma.getmaskarray(X), None, X.data.astype(object))  # scikit-learn ignores the mask
    if sparse.issparse(X):
        if X.ndim == 2:
            check_dense_size(X.shape, max_dense_bytes)
    elif not hasattr(X, "dtype") and not hasattr(X, "__array__"):
        refuse_tables(X)
        X = as_objects(X)
    if getattr(X, "ndim", 0) > 2:
        raise ValueError(
            f"Found array with dim {X.ndim}, while dim <= 2 is required by {type(owner).__name__}. X has the shape "
            f"{X.shape}; give X.reshape(len(X), -1), or set modality='image' or 'series', if these are images or time "
            "series (n, channels, length). For other kinds of data see docs/extending.md."
        )
    check_mapping(X)
    with short_messages():
        X = validate_data(
            owner,
            X,
            reset=reset,
            dtype=None,
            accept_sparse=("csr", "csc"),
            accept_large_sparse=True,
            ensure_all_finite=False,
            ensure_min_samples=min_rows,
        )
    return SparseTable(X) if sparse.issparse(X) else ArrayTable(X)


def make_frame_table(frame, max_dense_bytes):
    """The table of a data frame; those of pandas have types of their own."""
    if not frame.implementation.is_pandas():
        return FrameTable(frame)
    from ._pandas_table import PandasTable

    table = PandasTable(frame)
    if table.sparse_columns:
        check_dense_size((len(table), len(table.sparse_columns)), max_dense_bytes)
    return table


def as_objects(X):
    """Convert a list of rows to an array, of objects if NumPy would turn all values into strings or times."""
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"X holds rows of different lengths ({error}). Give every row all columns.") from error
    return np.asarray(X, dtype=object) if array.dtype.kind in "USMm" and array.ndim == 2 else array


def check_size(shape, owner, min_rows):
    """Raise scikit-learn's errors for a frame with too few rows or no columns."""
    for n, least, what in ((shape[1], 1, "feature"), (shape[0], min_rows, "sample")):
        if n < least:
            raise ValueError(
                f"Found array with {n} {what}(s) (shape={shape}) while a minimum of {least} is required by "
                f"{type(owner).__name__}."
            )


def check_dense_size(shape, max_dense_bytes):
    """Raise ValueError if a sparse X is too large to be made dense, or too wide for a network."""
    needed, layer = 4 * shape[0] * shape[1], LAYER_BYTES * shape[1]
    if needed > max_dense_bytes:
        what = f"would take {needed / 2**30:.3g} GiB as a dense table, more than {max_dense_bytes=:,}"
    elif layer > max(max_dense_bytes, MAX_LAYER_BYTES):
        what = f"need a network whose first layer takes {layer / 2**30:.3g} GiB in training, more than 2 GiB"
    else:
        return
    raise ValueError(
        f"X is sparse, and its {shape[0]:,} rows and {shape[1]:,} columns {what}. Reduce its columns first (with "
        "sklearn.decomposition.TruncatedSVD, say), or raise preprocessor__max_dense_bytes."
    )

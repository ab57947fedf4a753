"""Check X and read it as a table, block by block, from arrays, sparse arrays and data frames."""

import contextlib
from functools import cached_property

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from .._inputs._containers import as_frame, check_container, is_number
from .._inputs._memory_maps import check_mapping
from ._column_kinds import infer_kind_of_type, infer_kind_of_values

# Reading a block takes about seven times the memory of its float32 samples, for float64 values and temporaries. With a
# sixteenth of the rows per block that is less than half of all samples; small tables are read at once.
N_BLOCKS = 16
MIN_CELLS_PER_BLOCK = 2**14
MAX_ROWS_PER_BLOCK = 16_384


class Table:
    """A two-dimensional X: the kind of each column, and the values of a block of rows.

    Parameters
    ----------
    shape : tuple of int
        Number of rows and columns.
    names : list or None
        Names of the columns, if X has any.
    """

    def __init__(self, shape, names=None):
        self.shape, self.names = shape, names

    def __len__(self):
        return self.shape[0]

    def row_slices(self):
        """Return the blocks in which all rows are read, as slices in order."""
        n, n_columns = self.shape
        size = min(MAX_ROWS_PER_BLOCK, max(-(-n // N_BLOCKS), MIN_CELLS_PER_BLOCK // n_columns, 1))
        return [slice(start, start + size) for start in range(0, n, size)]

    def label(self, j):
        """Name a column in an error message."""
        return f"column {j}" if self.names is None else f"column {self.names[j]!r}"

    def infer_kind(self, j):
        """Return "number", "category", "date", "duration" or "empty", by the column's type or else by its values."""
        with name_column_in_errors(self, j):
            declared = self.get_declared_kind(j)
            return declared or infer_kind_of_values(list(self.get_values(j, rows)) for rows in self.row_slices())

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

    def get_matrix(self, columns, rows):
        """Return raw values of several columns as one numeric array, or None if they must be read one by one."""
        return None

    def decode_column(self, j, decode):
        """Decode all values of a column, block by block if they are Python objects."""
        values = self.get_values(j, slice(0, 1))
        at_once = isinstance(values, np.ndarray) and values.dtype.kind != "O"
        slices = [slice(None)] if at_once else self.row_slices()
        decoded = [decode(self.get_values(j, rows)) for rows in slices]
        return decoded[0] if len(decoded) == 1 else np.concatenate(decoded)

    def clear_cache(self):
        """Free what was cached for reading column by column."""


class ArrayTable(Table):
    """A NumPy array of any type."""

    def __init__(self, X):
        super().__init__(X.shape)
        self.X = X

    def get_declared_kind(self, j):
        kinds = {"O": None, "T": None, "U": "category", "S": "category", "M": "date", "m": "duration"}
        return kinds.get(self.X.dtype.kind, "number")

    def get_values(self, j, rows):
        values = self.X[rows, j]
        return values if values.dtype.kind in "biufmM" else values.tolist()

    def get_matrix(self, columns, rows):
        if self.X.dtype.kind not in "biuf":
            return None
        block = self.X[rows]
        return block if len(columns) == self.shape[1] else block[:, columns]


class SparseTable(Table):
    """A sparse array or matrix of numbers, made dense block by block."""

    def __init__(self, X):
        super().__init__(X.shape)
        self.by_rows = X.tocsr()

    @cached_property
    def by_columns(self):
        """The same array in compressed columns."""
        return self.by_rows.tocsc()

    def get_declared_kind(self, j):
        return "number"

    def get_values(self, j, rows):
        if rows == slice(None):
            return self.by_columns[:, [j]].toarray()[:, 0]
        return self.by_rows[rows, [j]].toarray()[:, 0]

    def get_matrix(self, columns, rows):
        block = self.by_rows[rows].toarray()
        return block if len(columns) == self.shape[1] else block[:, columns]

    def clear_cache(self):
        self.__dict__.pop("by_columns", None)


class FrameTable(Table):
    """A data frame that narwhals reads: pandas, polars, pyarrow, ..."""

    def __init__(self, frame):
        super().__init__(frame.shape, list(frame.columns))
        self.frame = frame
        dtypes = list(frame.schema.values())
        self.int128 = {j for j, dtype in enumerate(dtypes) if isinstance(dtype, (nw.Int128, nw.UInt128))}
        # In a matrix with numbers, polars turns dates into numbers; pyarrow and sometimes pandas raise an error.
        self.others = {j for j, dtype in enumerate(dtypes) if not is_number(dtype)}

    @cached_property
    def columns(self):
        """All columns, split once: looking up one column by name takes time for each column of a frame."""
        return list(self.frame.iter_columns())

    def get_column(self, j, rows):
        """Return a block of rows of a column, without a copy if it is all rows."""
        return self.columns[j] if rows == slice(None) else self.columns[j][rows]

    def get_declared_kind(self, j):
        column = self.columns[j]
        dtype = column.dtype
        if isinstance(getattr(column.to_native(), "dtype", None), np.dtypes.ObjectDType):
            return None  # narwhals inspects only the first hundred values of a pandas object column
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
        dtype = self.columns[j].dtype
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

    def get_matrix(self, columns, rows):
        if not (self.int128 | self.others).isdisjoint(columns):
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
    if type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "partitions") and hasattr(X, "columns"):
        raise TypeError("X is a dask data frame, not computed yet; give X.compute(), or its partitions one by one.")
    X = check_container(X, "X", "a data frame, an array or a list of rows")
    frame = as_frame(X, "X")
    min_rows = 2 if reset else 1
    if isinstance(frame, nw.DataFrame):
        validate_data(owner, X, reset=reset, skip_check_array=True)
        check_size(frame.shape, owner, min_rows)
        return FrameTable(frame)
    if isinstance(X, np.ma.MaskedArray):
        X = np.where(np.ma.getmaskarray(X), None, X.data.astype(object))  # scikit-learn ignores the mask
    if sparse.issparse(X):
        if X.ndim == 2:
            check_dense_size(X.shape, max_dense_bytes)
    elif not hasattr(X, "dtype") and not hasattr(X, "__array__"):
        X = as_objects(X)
    if getattr(X, "ndim", 0) > 2:
        raise ValueError(
            f"Found array with dim {X.ndim}, while dim <= 2 is required by {type(owner).__name__}. X has the shape "
            f"{X.shape}; give X.reshape(len(X), -1), or, if these are images, set modality='image'."
        )
    check_mapping(X)
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
    """Raise ValueError if a sparse X is too large to be made dense."""
    needed = 4 * shape[0] * shape[1]
    if needed > max_dense_bytes:
        raise ValueError(
            f"X is sparse, and its {shape[0]:,} rows and {shape[1]:,} columns would take {needed / 2**30:.3g} GiB as a "
            f"dense table, more than max_dense_bytes={max_dense_bytes:,}. Reduce its columns first (with "
            "sklearn.decomposition.TruncatedSVD, say), or raise preprocessor__max_dense_bytes."
        )

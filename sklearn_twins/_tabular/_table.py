"""X as the caller holds it, checked in the estimator's name -> a table that is read block by block."""

import contextlib
from functools import cached_property

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from .._inputs._containers import framed, opened
from .._inputs._memory_maps import check_mapping
from ._column_kinds import kind_of_type, kind_of_values

# A block in float64, with what its arithmetic needs, takes some seven times its part of the float32 samples: a
# sixteenth of the rows at a time keeps that small beside them, save where all of it is small.
BLOCKS = 16
LEAST_CELLS_PER_BLOCK = 2**14
ROWS_PER_BLOCK = 16_384


class Table:
    """A two-dimensional X: the kind of each column, and the values of a block of rows.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    names : list or None
        Names of the columns, where X has any.
    """

    def __init__(self, shape, names=None):
        self.shape, self.names = shape, names

    def __len__(self):
        return self.shape[0]

    def blocks(self):
        """Slices that cover all rows, in order."""
        n, n_columns = self.shape
        size = min(ROWS_PER_BLOCK, max(-(-n // BLOCKS), LEAST_CELLS_PER_BLOCK // n_columns, 1))
        return [slice(start, start + size) for start in range(0, n, size)]

    def label(self, j):
        """What an error message calls a column."""
        return f"column {j}" if self.names is None else f"column {self.names[j]!r}"

    def kind(self, j):
        """Kind of a column, "number", "category", "date", "duration" or "empty", by its type or else by its values."""
        with named(self, j):
            return self.declared_kind(j) or kind_of_values(list(self.values(j, rows)) for rows in self.blocks())

    def declared_kind(self, j):
        """Kind of a column by its type; None if the type does not say."""
        raise NotImplementedError

    def values(self, j, rows):
        """Raw values of a column: an array, or a list of Python objects."""
        raise NotImplementedError

    def exact_values(self, j, rows):
        """As `values`, but no number is rounded: neighbouring identifiers are different categories."""
        return self.values(j, rows)

    def whole(self, j, decode):
        """All values of a column, decoded; a block at a time where they are objects."""
        values = self.values(j, slice(0, 1))
        at_once = isinstance(values, np.ndarray) and values.dtype.kind != "O"
        slices = [slice(None)] if at_once else self.blocks()
        decoded = [decode(self.values(j, rows)) for rows in slices]
        return decoded[0] if len(decoded) == 1 else np.concatenate(decoded)

    def matrix(self, columns, rows):
        """Raw values of some columns as one array of numbers, or None where they have to be read one by one."""
        return None

    def forget(self):
        """Let go of what was gathered to read column by column."""


class ArrayTable(Table):
    """A NumPy array, of any type."""

    def __init__(self, X):
        super().__init__(X.shape)
        self.X = X

    def declared_kind(self, j):
        return {"O": None, "T": None, "U": "category", "S": "category", "M": "date", "m": "duration"}.get(
            self.X.dtype.kind, "number"
        )

    def values(self, j, rows):
        values = self.X[rows, j]
        return values if values.dtype.kind in "biufmM" else values.tolist()

    def matrix(self, columns, rows):
        if self.X.dtype.kind not in "biuf":
            return None
        block = self.X[rows]
        return block if len(columns) == self.shape[1] else block[:, columns]


class SparseTable(Table):
    """A sparse array or matrix of numbers, made dense a block at a time."""

    def __init__(self, X):
        super().__init__(X.shape)
        self.by_rows, self.by_columns = X.tocsr(), None

    def declared_kind(self, j):
        return "number"

    def values(self, j, rows):
        if rows == slice(None):
            if self.by_columns is None:
                self.by_columns = self.by_rows.tocsc()
            return self.by_columns[:, [j]].toarray()[:, 0]
        return self.by_rows[rows, [j]].toarray()[:, 0]

    def forget(self):
        self.by_columns = None

    def matrix(self, columns, rows):
        block = self.by_rows[rows].toarray()
        return block if len(columns) == self.shape[1] else block[:, columns]


class FrameTable(Table):
    """A data frame that narwhals reads: pandas', polars', pyarrow's, ..."""

    def __init__(self, frame):
        super().__init__(frame.shape, list(frame.columns))
        self.frame = frame
        dtypes = list(frame.schema.values())
        self.int128 = {j for j, dtype in enumerate(dtypes) if isinstance(dtype, (nw.Int128, nw.UInt128))}
        # In a matrix with numbers, dates become numbers in polars, and an error in pyarrow and partly in pandas.
        self.others = {j for j, dtype in enumerate(dtypes) if not is_number(dtype)}

    @cached_property
    def columns(self):
        """All columns, taken apart once: to look one up costs a frame of many columns a look at all names."""
        return list(self.frame.iter_columns())

    def column(self, j, rows):
        """Some rows of a column, or all of them."""
        return self.columns[j] if rows == slice(None) else self.columns[j][rows]

    def forget(self):
        self.__dict__.pop("columns", None)

    def declared_kind(self, j):
        column = self.columns[j]
        dtype = column.dtype
        if isinstance(getattr(column.to_native(), "dtype", None), np.dtypes.ObjectDType):
            return None  # narwhals looks at the first hundred values of pandas' objects, not at all of them
        if is_number(dtype):
            return "number"
        if isinstance(dtype, (nw.Categorical, nw.Enum)) or dtype in (nw.String, nw.Binary, nw.Categorical, nw.Enum):
            return "category"
        if dtype in (nw.Date, nw.Datetime):
            return "date"
        if dtype == nw.Duration:
            return "duration"
        if dtype.is_nested():
            kind_of_type(list)  # which raises
        return None  # times of day, too: early releases of narwhals take zoned dates for them

    def values(self, j, rows):
        values = self.column(j, rows)
        dtype = values.dtype
        if j in self.int128:  # NumPy has no type for 128 bits
            return values.to_list()
        if is_number(dtype) or dtype in (nw.Date, nw.Datetime, nw.Duration):
            return values.to_numpy()
        return values.to_list()

    def exact_values(self, j, rows):
        values = self.column(j, rows)  # with a gap among them, integers would become float64
        return values.to_list() if values.dtype.is_integer() else self.values(j, rows)

    def matrix(self, columns, rows):
        if not (self.int128 | self.others).isdisjoint(columns):
            return None
        every = len(columns) == self.shape[1]  # to pick columns copies them
        block = (self.frame[rows] if every else self.frame[rows, columns]).to_numpy()
        return block if block.dtype.kind in "biuf" else None


def is_number(dtype):
    """Whether a data frame's type is one of numbers."""
    return dtype.is_numeric() or dtype == nw.Boolean


@contextlib.contextmanager
def named(table, j):
    """Put the name of a column in front of what is wrong with its values."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"Input X, {table.label(j)}: {error}") from error


def read(X, owner, *, reset, max_dense_bytes):
    """Check X and make it a table.

    Parameters
    ----------
    X : data frame, array-like or sparse array of shape (n, n_features_in_)
        As the caller holds it.
    owner : estimator
        In whose name X is checked; if `reset` it receives `n_features_in_` and `feature_names_in_`.
    reset : bool
        Whether this is `fit`.
    max_dense_bytes : int
        What a sparse X may take as a dense float32 table.

    Returns
    -------
    table : Table

    Raises
    ------
    ValueError, TypeError
        If X is no table, is empty, or is not what `fit` saw.
    """
    if type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "partitions") and hasattr(X, "columns"):
        raise TypeError(
            "X is a frame of dask, whose rows are not there yet; give X.compute(), or its partitions in turn."
        )
    X = opened(X, "X", "a data frame, an array or a list of rows")
    frame = framed(X, "X")
    least = 2 if reset else 1
    if isinstance(frame, nw.DataFrame):
        validate_data(owner, X, reset=reset, skip_check_array=True)
        check_size(frame.shape, owner, least)
        return FrameTable(frame)
    if isinstance(X, np.ma.MaskedArray):
        X = np.where(np.ma.getmaskarray(X), None, X.data.astype(object))  # scikit-learn would forget the mask
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
        ensure_min_samples=least,
    )
    return SparseTable(X) if sparse.issparse(X) else ArrayTable(X)


def as_objects(X):
    """A list of rows as an array of its objects, if NumPy would make strings or times of all of them."""
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"X holds rows of different lengths ({error}). Give every row all of the columns.") from error
    return np.asarray(X, dtype=object) if array.dtype.kind in "USMm" and array.ndim == 2 else array


def check_size(shape, owner, least):
    """Refuse a frame with too few rows or no columns, in scikit-learn's words."""
    name = type(owner).__name__
    if shape[1] == 0:
        raise ValueError(f"Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required by {name}.")
    if shape[0] < least:
        raise ValueError(
            f"Found array with {shape[0]} sample(s) (shape={shape}) while a minimum of {least} is required by {name}."
        )


def check_dense_size(shape, max_dense_bytes):
    """Refuse a sparse X that is too large to be made dense."""
    needed = 4 * shape[0] * shape[1]
    if needed > max_dense_bytes:
        raise ValueError(
            f"X is sparse, and its {shape[0]:,} rows and {shape[1]:,} columns would take {needed / 2**30:.3g} GiB as a "
            f"dense table, more than max_dense_bytes={max_dense_bytes:,}. Reduce its columns first (with "
            "sklearn.decomposition.TruncatedSVD, say), or raise preprocessor__max_dense_bytes."
        )

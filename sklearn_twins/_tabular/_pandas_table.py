"""Tables of pandas: columns of numbers are read at once, sparse ones in time for what they store."""

from functools import cached_property

import numpy as np

from ._column_kinds import infer_kind_of_type
from ._table import FrameTable, SparseTable


class PandasTable(FrameTable):
    """A pandas data frame.

    Parameters
    ----------
    frame : narwhals.DataFrame
        The frame.
    """

    def __init__(self, frame):
        super().__init__(frame)
        self.X = frame.to_native()
        self.types = list(self.X.dtypes)
        self.numbers = {j for j, dtype in enumerate(self.types) if dtype.kind in "biuf"}
        sparse = [j for j in self.numbers if type(self.types[j]).__name__ == "SparseDtype"]
        sparse = sorted(j for j in sparse if self.types[j].fill_value == 0)
        self.sparse_columns = {j: place for place, j in enumerate(sparse)}  # place in `sparse`

    @cached_property
    def sparse(self):
        """The columns that are stored sparsely."""
        return SparseTable(self.X.iloc[:, list(self.sparse_columns)].sparse.to_coo())

    @cached_property
    def columns(self):
        """The columns that narwhals reads: all but those of NumPy's types and sparse ones, which take it long."""
        others = [j for j in range(self.shape[1]) if not self.is_plain(j) and j not in self.sparse_columns]
        return dict(zip(others, self.frame[:, others].iter_columns(), strict=True)) if others else {}

    @cached_property
    def dtypes(self):
        """Type of each column, None for those that narwhals does not read."""
        return [self.columns[j].dtype if j in self.columns else None for j in range(self.shape[1])]

    def is_plain(self, j):
        """Whether a column has a type of NumPy."""
        return isinstance(self.types[j], np.dtype)

    def get_declared_kind(self, j):
        if j in self.numbers:
            return "number"
        if not self.is_plain(j):
            return super().get_declared_kind(j)
        kind = self.types[j].kind
        return infer_kind_of_type(complex) if kind == "c" else {"M": "date", "m": "duration"}.get(kind)

    def declares_categories(self, j):
        return j not in self.numbers and not self.is_plain(j) and super().declares_categories(j)

    def get_values(self, j, rows):
        if j in self.sparse_columns:
            return self.sparse.get_values(self.sparse_columns[j], rows)
        if not self.is_plain(j):
            return super().get_values(j, rows)
        values = self.X.iloc[rows, j].to_numpy()
        return values if values.dtype.kind in "biufmM" else values.tolist()

    def get_exact_values(self, j, rows):
        if j in self.sparse_columns or self.is_plain(j):
            return self.get_values(j, rows)
        return super().get_exact_values(j, rows)

    def group_numbers(self, columns):
        sparse = [j for j in columns if j in self.sparse_columns]
        others = [j for j in columns if j in self.numbers and j not in self.sparse_columns]
        plain, extended = ([j for j in others if self.is_plain(j) is own] for own in (True, False))
        return [group for group in (sparse, plain, extended) if group] + [[j] for j in columns if j not in self.numbers]

    def get_matrix(self, columns, rows):
        if columns[0] in self.sparse_columns:
            return self.sparse.get_matrix([self.sparse_columns[j] for j in columns], rows)
        if len(columns) == 1:
            return None
        alike = len({self.types[j] for j in columns}) == 1 and self.is_plain(columns[0])
        block = self.X.iloc[rows] if len(columns) == self.shape[1] else self.X.iloc[rows, columns]
        with np.errstate(over="ignore"):
            return block.to_numpy() if alike else block.to_numpy(dtype=np.float64, na_value=np.nan)

    def clear_cache(self):
        super().clear_cache()
        self.__dict__.pop("sparse", None)

"""Turn columns of numbers, dates and durations into the scaled numbers of a sample."""

import numpy as np

from ._column_kinds import decode_numbers, decode_presence
from ._dates import decode_dates, decode_durations, extract_part, find_varying_parts
from ._scaling import (
    LEVELS,
    apply_ranks,
    compute_quantiles,
    learn_center_and_scale,
    learn_ranks,
    soft_clip,
    standardize,
)
from ._table import OBJECTS, name_column_in_errors

DECODERS = {"number": decode_numbers, "date": decode_dates, "duration": decode_durations, "empty": decode_presence}
CELLS_AT_A_TIME = 2**17  # one megabyte, so that the arithmetic stays within the cache


class NumberColumns:
    """Read and scale the columns of a table that become numbers.

    Parameters
    ----------
    kinds : dict of int to str
        Kind of each column of X that numbers are made of.
    parts : tuple of (int, str) tuples
        For each number of a sample, the column of X and the part of the date, "" if it is not a date.
    missing : tuple of int
        Numbers that were missing in some training rows; for a date, only its first number.
    center, scale : ndarray of shape (n_numbers,), float64
        See `learn_center_and_scale`.
    ranks : list of QuantileTransformer or None
        One for each number if they are scaled by rank, otherwise empty.
    clip : float
        Bound of the scaled numbers.
    """

    def __init__(self, kinds, parts, missing, center, scale, ranks, clip):
        self.kinds, self.parts, self.missing = kinds, parts, missing
        self.center, self.scale, self.ranks, self.clip = center, scale, ranks, clip

    @property
    def columns(self):
        """Column of X that each number is made of."""
        return tuple(j for j, _ in self.parts)

    def encode(self, table, out):
        """Write the scaled numbers of all rows.  # out: (n, n_numbers), float32"""
        places = {}
        for place, (j, _) in enumerate(self.parts):
            places.setdefault(j, []).append(place)
        plain = [j for j in places if self.kinds[j] == "number"]
        for columns in table.group_numbers(plain):
            own = [places[j][0] for j in columns]
            for rows in table.row_slices(len(columns)):
                self._scale(table, table.read_numbers(columns, rows), own, out[rows])
        for j in [j for j in places if self.kinds[j] != "number"]:
            for rows in table.row_slices(OBJECTS):
                with name_column_in_errors(table, j):
                    values = DECODERS[self.kinds[j]](table.get_values(j, rows))
                for place in places[j]:
                    part = self.parts[place][1]
                    numbers = extract_part(values, part) if part else values
                    self._scale(table, numbers[:, None], [place], out[rows])

    def _scale(self, table, numbers, own, out):
        """Write scaled numbers to their places, `own`, in a block of rows.  # numbers: (rows, len(own)), float64"""
        check_finite(table, [self.parts[place][0] for place in own], numbers)
        is_run = own[-1] - own[0] + 1 == len(own)  # a slice is written faster
        where = slice(own[0], own[-1] + 1) if is_run else own
        center, scale = self.center[where], self.scale[where]
        ranks = [self.ranks[place] for place in own] if self.ranks else []
        size = len(numbers) if ranks else max(1, CELLS_AT_A_TIME // len(own))
        for start in range(0, len(numbers), size):
            z = standardize(numbers[start : start + size], center, scale)
            out[start : start + size, where] = soft_clip(apply_ranks(z, ranks), self.clip)


def learn_numbers(table, kinds, scaling, clip):
    """Learn scales and which parts of dates vary.

    Parameters
    ----------
    table : Table
        The training rows.
    kinds : list of str
        Kind of each column; changed to "empty" in place for a column without values.
    scaling : {"robust", "quantile"}
        How numbers are scaled.
    clip : float
        Bound of the scaled numbers.

    Returns
    -------
    columns : NumberColumns
    edges : tuple of tuples of float
        Quantiles of each scaled number.
    """
    learnt = {}  # column -> what was learnt of each of its numbers
    for columns in table.group_numbers([j for j, kind in enumerate(kinds) if kind == "number"]):
        for some in table.split_columns(columns):
            if len(some) == 1:
                with name_column_in_errors(table, some[0]):
                    numbers = table.decode_column(some[0], decode_numbers)[:, None]
            else:
                numbers = table.read_numbers(some, slice(None))
            found = learn_columns(table, some, numbers, scaling)
            learnt.update((j, [("", *own)]) for j, own in zip(some, found, strict=True))
    for j in [j for j, kind in enumerate(kinds) if kind not in ("number", "category")]:
        with name_column_in_errors(table, j):
            values = table.decode_column(j, DECODERS[kinds[j]])
        names = find_varying_parts(values) if kinds[j] == "date" else [""]
        learnt[j] = []
        for name in names:
            numbers = extract_part(values, name) if name else values
            learnt[j] += [(name, *own) for own in learn_columns(table, [j], numbers[:, None], scaling)]
    parts, missing, quantiles, ranks = [], [], [], []
    for j in sorted(learnt):
        for name, edges, some_missing, all_missing, rank in learnt[j]:
            if some_missing and name == learnt[j][0][0]:
                missing.append(len(parts))
            if all_missing:
                kinds[j], name = "empty", ""
            parts.append((j, name))
            quantiles.append(edges)
            ranks.append(rank)
    quantiles = np.array(quantiles).reshape(-1, len(LEVELS)).T  # (33, n_numbers)
    center, scale = learn_center_and_scale(quantiles)
    ranks = ranks if scaling == "quantile" else []
    numeric = {j: kinds[j] for j, _ in parts}
    columns = NumberColumns(numeric, tuple(parts), tuple(missing), center, scale, ranks, clip)
    edges = soft_clip(apply_ranks(standardize(quantiles, center, scale), ranks), clip)
    return columns, tuple(map(tuple, edges.T.tolist()))


def learn_columns(table, columns, numbers, scaling):
    """Learn the quantiles of columns, where values are missing and, if asked for, their ranks.

    Parameters
    ----------
    table : Table
        The training rows.
    columns : list of int
        Column of X of each number.
    numbers : ndarray of shape (n, len(columns)), float64
        NaN where missing.
    scaling : {"robust", "quantile"}
        Whether to learn ranks.

    Returns
    -------
    learnt : iterator of tuples
        Of each number: quantiles, whether some are missing, whether all are, and a `QuantileTransformer` or None.
    """
    check_finite(table, columns, numbers)
    missing = np.isnan(numbers)
    quantiles, ranks = compute_quantiles(numbers), [None] * len(columns)
    if scaling == "quantile":
        center, scale = learn_center_and_scale(quantiles.T)
        ranks = [learn_ranks(own) for own in np.hsplit(standardize(numbers, center, scale), len(columns))]
    return zip(quantiles, missing.any(0).tolist(), missing.all(0).tolist(), ranks, strict=True)


def check_finite(table, columns, numbers):
    """Refuse infinity; `columns` are those of X that the numbers come from."""
    infinite = np.isinf(numbers)
    if infinite.any():
        refuse_infinity(table, columns[infinite.any(axis=0).argmax()])


def refuse_infinity(table, j):
    """Raise scikit-learn's error for infinity, with the name of the column."""
    raise ValueError(
        f"Input X contains infinity or a value too large for dtype('float64'), in {table.label(j)}. "
        "Replace it with NaN, which counts as missing, or with a finite number."
    )

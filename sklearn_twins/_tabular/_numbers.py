"""Turn columns of numbers, dates and durations into the scaled numbers of a sample."""

import itertools

import numpy as np

from ._column_kinds import as_float64, decode_numbers, decode_presence
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
from ._table import name_column_in_errors

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

    def encode(self, table, rows, out):
        """Write the scaled numbers of a block of rows.  # out: (rows, n_numbers), float32"""
        numbers = self.read(table, rows)
        size = len(numbers) if self.ranks else max(1, CELLS_AT_A_TIME // max(1, numbers.shape[1]))
        for start in range(0, len(numbers), size):
            z = standardize(numbers[start : start + size], self.center, self.scale)
            out[start : start + size] = soft_clip(apply_ranks(z, self.ranks), self.clip)

    def read(self, table, rows):
        """Read the unscaled numbers of a block of rows.  # (rows, n_numbers), float64"""
        plain = [p for p, (j, _) in enumerate(self.parts) if self.kinds[j] == "number"]
        matrix = table.get_matrix([self.parts[p][0] for p in plain], rows) if plain else None
        if matrix is not None and len(plain) == len(self.parts):
            out = as_float64(matrix)
        else:
            out = np.empty((len(range(*rows.indices(len(table)))), len(self.parts)))
            one_by_one = range(len(self.parts))
            if matrix is not None:
                out[:, plain] = as_float64(matrix)
                one_by_one = sorted(set(one_by_one) - set(plain))
            for j, group in itertools.groupby(one_by_one, key=lambda p: self.parts[p][0]):
                with name_column_in_errors(table, j):
                    values = DECODERS[self.kinds[j]](table.get_values(j, rows))
                for p in group:
                    out[:, p] = extract_part(values, self.parts[p][1]) if self.parts[p][1] else values
        infinite = np.isinf(out)
        if infinite.any():
            refuse_infinity(table, self.parts[infinite.any(axis=0).argmax()][0])
        return out


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
    parts, missing, quantiles, ranks = [], [], [], []
    for j in [j for j, kind in enumerate(kinds) if kind != "category"]:
        with name_column_in_errors(table, j):
            values = table.decode_column(j, DECODERS[kinds[j]])
        names = find_varying_parts(values) if kinds[j] == "date" else [""]
        for name in names:
            column = extract_part(values, name) if name else values
            if np.isinf(column).any():
                refuse_infinity(table, j)
            gaps = np.isnan(column)
            if gaps.any() and name == names[0]:
                missing.append(len(parts))
            if gaps.all():
                kinds[j], name = "empty", ""
            parts.append((j, name))
            quantiles.append(compute_quantiles(column))
            if scaling == "quantile":
                center, scale = learn_center_and_scale(quantiles[-1])
                ranks.append(learn_ranks(standardize(column[:, None], center, scale)))
    center, scale = np.array([learn_center_and_scale(own) for own in quantiles]).reshape(-1, 2).T.copy()
    numeric = {j: kinds[j] for j, _ in parts}
    columns = NumberColumns(numeric, tuple(parts), tuple(missing), center, scale, ranks, clip)
    edges = standardize(np.array(quantiles).reshape(-1, len(LEVELS)).T, center, scale)  # (33, n_numbers)
    return columns, tuple(map(tuple, soft_clip(apply_ranks(edges, ranks), clip).T.tolist()))


def refuse_infinity(table, j):
    """Raise scikit-learn's error for infinity, with the name of the column."""
    raise ValueError(
        f"Input X contains infinity or a value too large for dtype('float64'), in {table.label(j)}. "
        "Replace it with NaN, which counts as missing, or with a finite number."
    )

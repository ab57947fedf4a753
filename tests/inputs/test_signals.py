"""Signals in lists and columns: the same rules for time series and audio."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from sklearn_twins.preprocessing import AudioPreprocessor, SeriesPreprocessor

ROWS = np.random.default_rng(0).integers(-9, 10, size=(3, 2, 600)) / 8  # exact as Decimal
MAKE = {
    "audio": lambda: AudioPreprocessor(8_000, input_rate=8_000, n_mels=16),
    "series": lambda: SeriesPreprocessor(n_kernel_features=0),
}
pytestmark = pytest.mark.parametrize("kind", MAKE)


def samples_of(kind, X):
    samples = MAKE[kind]().fit_transform(X)
    return samples.frames if kind == "audio" else samples


def objects(rows):
    """A column as pandas has it after pyarrow's `to_pandas`: arrays of arrays."""
    return pa.table({"a": pa.array(rows)}).to_pandas()


COLUMNS = {
    "list": list,
    "pandas": pd.Series,
    "polars": pl.Series,
    "pyarrow": pa.array,
    "chunks": lambda rows: pa.chunked_array([rows]),
    "frame": lambda rows: pl.DataFrame({"a": rows}),
    "objects": objects,
}


@pytest.mark.parametrize("as_column", COLUMNS.values(), ids=COLUMNS)
def test_columns(kind, as_column):
    for rows in ([row[0].tolist() for row in ROWS], [ROWS[0, 0].tolist(), ROWS[1, 0, :560].tolist()], ROWS.tolist()):
        assert_array_equal(samples_of(kind, as_column(rows)), samples_of(kind, [np.array(row) for row in rows]))
    decimals = [[Decimal(value) for value in row[0]] for row in ROWS]
    assert_array_equal(samples_of(kind, as_column(decimals)), samples_of(kind, list(ROWS[:, 0])))


GOOD = ROWS[0, 0].tolist()
ONE = r"Expected 2D array, got 1D array instead: X is one \w+ of 600 numbers. .*give \[X\]"
BAD = {
    "one array": (ROWS[0, 0], ONE),
    "one array of objects": (ROWS[0, 0].astype(object), ONE),
    "one list with a gap": ([*GOOD[:-1], None], ONE),
    "one of polars": (pl.Series(GOOD), ONE),
    "one of pyarrow": (pa.array(GOOD), ONE),
    "text of equal length": ([GOOD, [*GOOD[:-1], "a"]], r"X\[1\] holds text. Give "),
    "text": ([GOOD, ["1", "2"]], r"X\[1\] holds text"),
    "text in an array": (np.array([GOOD, [*GOOD[:-1], "a"]], dtype=object), r"X\[1\] holds text"),
    "dates": ([GOOD, np.zeros(2, dtype="m8[s]")], r"X\[1\] holds dates or durations"),
    "an array of dates": (np.zeros((2, 600), dtype="M8[D]"), "X holds dates or durations"),
    "complex": ([GOOD, [1j] * 600], r"Complex data not supported: X\[1\]"),
    "a dict": ([GOOD, [*GOOD[:-1], {}]], r"X\[1\] holds something else than numbers \(float"),
    "unequal channels": ([GOOD, [[1.0, 2.0], [3.0]]], r"X\[1\] has channels of unequal length"),
    "nothing": ([GOOD, None], r"X\[1\] is None, which is no \w+. Leave out what is missing"),
    "a number": ([GOOD, 3.0], r"X\[1\] is 3.0, which is no "),
    "two columns": (pd.DataFrame({"a": [GOOD] * 2, "b": [GOOD] * 2}), "numbers, in columns 'a', 'b'. "),
    "two columns of polars": (pl.DataFrame({"a": [GOOD] * 2, "b": [1, 2]}), "numbers, in column 'a'. "),
    "text beside numbers": (pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "numbers, in column 'b'. "),
}


@pytest.mark.parametrize(("X", "message"), BAD.values(), ids=BAD)
def test_bad_signals_are_refused_by_name(kind, X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        samples_of(kind, X)

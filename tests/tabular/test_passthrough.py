"""The columns of a table next to the embedding: scaled numbers, marks of missing ones, one-hot categories."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_twins._tabular._passthrough import WIDEST, name_columns, write_columns
from sklearn_twins.preprocessing import TablePreprocessor, TableSpec


def columns_of(samples, spec):
    out = np.full((len(samples), spec.n_inputs), np.nan, dtype=np.float32)
    write_columns(np.asarray(samples, dtype=np.float32), spec, out)
    return out


def test_columns_by_hand():
    spec = TableSpec(shape=(4,), missing=(1,), categories=(4, 36))  # two categories, and 34
    samples = [[0.5, np.nan, 2, 2], [-1.0, 2.0, 3, 33], [0.0, 0.0, 0, 34], [0.0, 0.0, 1, 99]]
    out = columns_of(samples, spec)
    assert_array_equal(out[:, :3], [[0.5, 0, 1], [-1, 2, 0], [0, 0, 0], [0, 0, 0]])
    assert_array_equal(out[:, 3:5], [[1, 0], [0, 1], [0, 0], [0, 0]])  # missing and unseen are neither
    assert_array_equal(out[:, 5:].argmax(1)[:2], [0, 31])
    assert_array_equal(out[:, 5:].sum(1), [1, 1, 0, 0])  # the 33rd category has no column


@pytest.mark.parametrize("clip", [0.2, 1.5, 50.0])
def test_numbers_get_their_tails_back(clip):
    X = np.random.default_rng(0).standard_t(2, size=(500, 3))
    preprocessor = TablePreprocessor(clip=clip)
    samples = preprocessor.fit_transform(X)
    z = (X - preprocessor.center_) * preprocessor.scale_
    out = columns_of(samples, preprocessor.spec_)
    assert np.abs(z).max() > WIDEST
    assert_allclose(out, np.clip(z, -WIDEST, WIDEST), rtol=0.002, atol=1e-5)


def as_objects(*columns):
    return np.array(list(zip(*columns, strict=True)), dtype=object)


NOV, DEC = ["Nov"] * 3 + ["Dec"] * 3, [1, 2, 2, 1, 2, 2]
TABLES = {
    "numbers": (np.arange(12.0).reshape(6, 2), ["x0", "x1"]),
    "missing": ([[1.0], [None], [2.0], [3.0], [4.0], [5.0]], ["x0", "x0_missing"]),
    "array of objects": (as_objects(NOV, range(6)), ["x1", "x0_Dec", "x0_Nov"]),
    "frame": (pd.DataFrame({"Month": NOV, "PageValues": range(6)}), ["PageValues", "Month_Dec", "Month_Nov"]),
    "polars": (pl.DataFrame({"Month": NOV, "n": list(range(6))}), ["n", "Month_Dec", "Month_Nov"]),
    "whole numbers": (pd.DataFrame({"code": DEC}).astype("category"), ["code_2", "code_1"]),
    "fractions": (pd.DataFrame({"code": [0.5, 2] * 3}).astype("category"), ["code_0.5", "code_2"]),
    "booleans": (pd.DataFrame({"flag": [True, False] * 3}).astype("category"), ["flag_0", "flag_1"]),
    "tuples": (pd.DataFrame({"t": [(1, 2), (3, 4)] * 3}), ["t_(1, 2)", "t_(3, 4)"]),
    "dates": (pd.DataFrame({"when": pd.to_datetime(["2020-01-01"] * 3 + ["2021-01-01"] * 3)}), ["when_elapsed"]),
    "long text": (pd.DataFrame({"t": ["x" * 500, "y"] * 3}), ["t_" + "x" * 57 + "...", "t_y"]),
    "numbers as names": (pd.DataFrame({0: range(6), 1: NOV}), ["x0", "x1_Dec", "x1_Nov"]),
}


@pytest.mark.parametrize(("X", "names"), TABLES.values(), ids=TABLES)
def test_columns_have_the_names_of_their_columns(X, names):
    preprocessor = TablePreprocessor().fit(X)
    found = name_columns(preprocessor)
    assert [name for name in found if "year" not in name and "week" not in name] == names
    assert len(found) == preprocessor.spec_.n_inputs


def test_at_most_32_categories_have_a_column():
    X = np.array([[f"v{i:02d}"] for i in range(40)] * 2, dtype=object)
    assert name_columns(TablePreprocessor().fit(X)) == [f"x0_v{i:02d}" for i in range(32)]
    assert name_columns(TablePreprocessor(max_categories=3).fit(X)) == ["x0_v00", "x0_v01", "x0_other"]


def test_names_of_a_preprocessor_that_says_none():
    class Plain:
        spec_ = TableSpec((3,), missing=(1,), categories=(4,))

    assert name_columns(Plain()) == ["x0", "x1", "x1_missing", "x2_0", "x2_1"]

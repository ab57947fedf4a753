"""Odd but honest tables: they are embedded, in finite numbers."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

nan = float("nan")

table = np.random.default_rng(0).normal(size=(60, 5))


def with_value(value, dtype=object):
    X = table.astype(dtype)
    X[3, 2] = value
    return X


HONEST_TABLES = {
    "one column": table[:, :1],
    "two rows": table[:2],
    "three rows": table[:3],
    "two rows, one column": table[:2, :1],
    "fewer rows than a batch": table[:10],
    "a row more than a batch": table[:17],
    "wide": np.random.default_rng(1).normal(size=(5, 300)),
    "column of NaN": with_value(0, float) * np.where(np.arange(5) == 2, nan, 1),
    "nothing but NaN": np.full((60, 5), nan),
    "one value": np.where(np.arange(300).reshape(60, 5) == 7, 1.0, nan),
    "half NaN": np.where(np.random.default_rng(2).random((60, 5)) < 0.5, nan, table),
    "constant column": table * [1, 1, 0, 1, 1],
    "constant table": np.full((60, 5), 7.0),
    "equal rows": np.tile(table[:1], (60, 1)),
    "1e9 beside 1e-3": table * [1e9, 1e-3, 1, 1, 1],
    "far from zero": table + 1e12,
    "1e300": table * 1e300,
    "largest floats": np.where(table > 0, 1.0, -1.0) * np.finfo(np.float64).max,
    "1e-300": table * 1e-300,
    "smallest floats": np.where(table > 0, 5e-324, 0.0),
    "one absurd value": with_value(1e308, float),
    "float16": table.astype(np.float16),
    "int": (table * 100).astype(int),
    "huge int": (table * 1e17).astype(np.int64),
    "uint64": np.abs(table * 1e18).astype(np.uint64),
    "bool": table > 0,
    "rare flag": np.arange(300).reshape(60, 5) == 7,
    "numeric strings": table.astype(str),
    "None for missing": with_value(None),
    "pandas int with NA": pd.DataFrame({"a": pd.array([1, None] * 30, dtype="Int64"), "b": table[:, 0]}),
    "pandas bool": pd.DataFrame({"a": table[:, 0] > 0, "b": table[:, 1]}),
    "names that are no strings": pd.DataFrame(table),
    "strings": np.full((60, 5), "a"),
    "a string": with_value("a"),
    "names and numbers": [[name, 2.5 * i] for i, name in enumerate("abcdefgh" * 4)],
    "mixed frame": pd.DataFrame({"a": table[:, 0], "b": ["x", "", None] * 20, "c": pd.Categorical(list("uvw") * 20)}),
    "nothing but categories": pl.DataFrame({"a": ["x", "y", None] * 20}),
    "a category a row": pd.DataFrame({"a": [f"row {i}" for i in range(60)]}),
    "dates": pd.DataFrame({"a": pd.date_range("2020-01-01", periods=60), "b": pd.to_timedelta(range(60), unit="s")}),
    "CSR": scipy.sparse.csr_array(table),
    "COO matrix": scipy.sparse.coo_matrix(table),
    "read-only": np.broadcast_to(table, table.shape),
}


# Each table is fitted by the default, and in one of these ways.
WAYS = {
    "early stopping": {"early_stopping": True},
    "hsic": {"objective": "hsic", "optimizer": "lars"},
    "mixup": {"augmentation": "mixup"},
}
CASES = [("default", name) for name in HONEST_TABLES] + list(zip(itertools.cycle(WAYS), HONEST_TABLES))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is treated as categorical")
@pytest.mark.parametrize(("way", "name"), CASES)
def test_honest_table(make, way, name):
    params = WAYS.get(way, {})
    X = HONEST_TABLES[name]
    if params.get("early_stopping") and isinstance(X, np.ndarray) and len(X) < 4:
        X = np.concatenate([X, X, X])
    embedder = make(**params).fit(X)
    embedding = embedder.transform(X)
    n = len(X) if isinstance(X, list) else X.shape[0]
    assert embedding.shape == (n, 8 + embedder.preprocessor_.spec_.n_inputs)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()


@pytest.mark.parametrize("value", [nan, 1e300, -1e300, 1e9, 5e-324])
def test_odd_values_at_transform(make, X, value):
    embedder = make().fit(X)
    odd = X.copy()
    odd[:, 1] = value
    assert np.isfinite(embedder.transform(odd)).all()


def test_missing_values_only_at_transform(make, X):
    """A hole in a column that had none stands for its median."""
    embedder = make().fit(X)
    holes, medians = X.copy(), X.copy()
    holes[::2, 1], medians[::2, 1] = nan, np.median(X[:, 1])
    np.testing.assert_allclose(embedder.transform(holes), embedder.transform(medians), atol=1e-6)


def test_missing_values_are_no_medians(make, X):
    X[::2, 1] = nan
    embedder = make().fit(X)
    filled = np.where(np.isnan(X), np.nanmedian(X, axis=0), X)
    assert not np.allclose(embedder.transform(X), embedder.transform(filled))

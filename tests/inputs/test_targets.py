"""y is not used: a warning if it looks like a second table, none if it holds labels or targets behind the embedder."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from builders import small_embedder, small_table
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sklearn_twins._inputs._targets import has_many_columns

B = np.random.default_rng(0).normal(size=(60, 3))
HOT = np.eye(3)[np.arange(60) % 3]

TABLES = {
    "floats": B,
    "integers": np.arange(120).reshape(60, 2),
    "float32": B.astype(np.float32),
    "pandas": pd.DataFrame(B),
    "polars": pl.DataFrame(B),
    "mixed": pd.DataFrame({"a": B[:, 0], "b": ["x", "y"] * 30}),
    "list": B.tolist(),
    "tensor": torch.tensor(B),
    "images": np.zeros((60, 8, 8, 3)) + 0.5,
    "gaps": np.where(B > 0, B, np.nan),
}
LABELS = {
    "nothing": None,
    "classes": np.arange(60) % 3,
    "words": ["a", "b"] * 30,
    "numbers": B[:, 0],
    "a column": B[:, :1],
    "a Series": pd.Series(B[:, 0]),
    "an indicator": HOT.astype(int),
    "an indicator of floats": HOT,
    "an indicator of bools": HOT == 1,
    "a frame of one column": pd.DataFrame({"y": B[:, 0]}),
    "sets of labels": [[1], [1, 2]] * 30,
    "a sparse indicator": sparse.csr_array(HOT),
}


@pytest.mark.parametrize("y", TABLES.values(), ids=TABLES)
def test_tables(y):
    assert has_many_columns(y)


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_labels(y):
    assert not has_many_columns(y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_second_table_deserves_a_word(method):
    with pytest.warns(UserWarning, match=r"y has the shape \(60, 3\) and is not used.*hstack.*unlabeled") as caught:
        getattr(small_embedder(), method)(small_table(), B)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_targets_of_the_next_step_are_fine():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = make_pipeline(small_embedder(), Ridge()).fit(small_table(), B)
        Z = small_embedder().fit_transform(small_table(), B)
    assert pipeline.predict(small_table()).shape == (60, 3)
    np.testing.assert_array_equal(Z, small_embedder().fit(small_table()).transform(small_table()))

"""What is refused as X or as a part of it: a message that names it, its remedy, and that is no longer than a screen."""

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from builders import small_embedder
from sklearn.utils._param_validation import InvalidParameterError
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from sklearn_twins._inputs._messages import cut, show, show_names
from sklearn_twins._inputs._unlabeled import append_unlabeled
from sklearn_twins.networks import MLPEncoder
from sklearn_twins.preprocessing import TablePreprocessor

ROWS = np.random.default_rng(0).normal(size=(60, 3))
FRAME = pd.DataFrame(ROWS, columns=list("abc"))
WIDE = pd.DataFrame(np.zeros((20, 5_000))).add_prefix("a_long_name_")
LONG = "x" * 10**6
SCREEN = 1_200


class Labelled(Dataset):
    """Rows with labels."""

    def __len__(self):
        return 60

    def __getitem__(self, i):
        return ROWS[i], i % 2


class Streamed(IterableDataset):
    def __iter__(self):
        return iter(ROWS)


@dataclasses.dataclass
class Point:
    x: int = 0


NO_ROWS = {
    "dict": ({"a": [1, 2]}, "Give pandas.DataFrame"),
    "large dict": ({f"{LONG}{i}": ROWS for i in range(3)}, "Give pandas.DataFrame"),
    "set": ({1, 2}, "Give a data frame, an array or a list of rows"),
    "frozenset": (frozenset([1]), "list of rows"),
    "generator": ((row for row in ROWS), "list of rows"),
    "map": (map(list, ROWS), "list of rows"),
    "zip": (zip(ROWS, ROWS, strict=True), "list of rows"),
    "values of a dict": ({"a": 1}.values(), "list of rows"),
    "DataLoader": (DataLoader(TensorDataset(torch.tensor(ROWS))), "numpy.concatenate"),
    "data set that is a stream": (Streamed(), "list of rows"),
    "object": (Point(), "list of rows"),
    "class": (Point, "list of rows"),
    "function": (len, "list of rows"),
    "reader of batches": (pa.Table.from_pandas(FRAME).to_reader(), "list of rows"),
}


@pytest.mark.parametrize("name", NO_ROWS)
def test_objects_without_rows_are_type_errors(name):
    """In scikit-learn's words, with the remedy, by `fit`, `transform` and for `unlabeled`."""
    X, remedy = NO_ROWS[name]
    words = rf"^Expected sequence or array-like, got <class .*> as X\. .*{remedy}"
    fitted = TablePreprocessor().fit(ROWS)
    for call in (TablePreprocessor().fit, small_embedder().fit, fitted.transform):
        with pytest.raises(TypeError, match=words) as caught:
            call(X)
        assert len(str(caught.value)) < SCREEN
    with pytest.raises(TypeError, match=r"Expected sequence or array-like, got .* as unlabeled"):
        append_unlabeled(ROWS, X)


@pytest.mark.parametrize("X", [TensorDataset(torch.tensor(ROWS)), Labelled()])
def test_data_sets_of_torch(X):
    with pytest.raises(TypeError, match=r"X is a torch data set.* numpy.stack\(\[x for x, \*_ in X\]\)"):
        TablePreprocessor().fit(X)
    assert TablePreprocessor().fit(np.stack([X[i][0] for i in range(60)])).n_features_in_ == 3


def test_lazy_frames_name_their_method():
    for X, method in ((pl.LazyFrame(FRAME), "collect"), (lazy_of_dask(), "compute")):
        with pytest.raises(TypeError, match=rf"X.*{method}\(\)"):
            TablePreprocessor().fit(X)


def lazy_of_dask():
    return pytest.importorskip("dask.dataframe").from_pandas(FRAME, npartitions=2)


TOO_LONG = {
    "a text among numbers": (FRAME, FRAME.assign(a=LONG)),
    "bytes among numbers": (FRAME, FRAME.assign(a=LONG.encode())),
    "a text among dates": (FRAME.assign(a=pd.Timestamp("2020")), FRAME.assign(a=LONG)),
    "a text among durations": (FRAME.assign(a=pd.Timedelta(1)), FRAME.assign(a=LONG)),
    "a text among codes": (FRAME.assign(a=pd.Categorical([1, 2, 3] * 20)), FRAME.assign(a=LONG)),
    "lists": (FRAME, FRAME.assign(a=[[LONG] * 9] * 60)),
    "lists among texts": (FRAME.assign(a=["x", "y"] * 30), FRAME.assign(a=[[LONG] * 9] * 60)),
    "arrays": (FRAME, FRAME.assign(a=[np.zeros(10**5)] * 60)),
    "other names": (WIDE, WIDE.add_suffix("b")),
    "long names": (FRAME, FRAME.set_axis([LONG, LONG + "b", LONG + "c"], axis=1)),
    "a list of texts": (FRAME, [LONG, LONG]),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", TOO_LONG)
def test_messages_are_cut(name):
    fitted, X = TOO_LONG[name]
    fitted = TablePreprocessor().fit(fitted)
    with pytest.raises((ValueError, TypeError)) as caught:
        fitted.transform(X)
    assert 50 < len(str(caught.value)) < SCREEN


@pytest.mark.parametrize(
    "params",
    [
        {"encoder": LONG},
        {"modality": LONG},
        {"augmentation": list(range(10**5))},
        {"objective": WIDE},
        {"random_state": list(range(10**5))},
        {"device": LONG},
        {"encoder": MLPEncoder(["a"] * 10**5)},
        {"preprocessor": TablePreprocessor(scaling=LONG)},
    ],
    ids=lambda params: next(iter(params)),
)
def test_values_of_parameters_are_cut(params):
    with pytest.raises((ValueError, TypeError)) as caught:
        small_embedder(**params).fit(ROWS)
    assert 50 < len(str(caught.value)) < SCREEN
    with pytest.raises(InvalidParameterError):  # the type stays
        small_embedder(optimizer=LONG).fit(ROWS)


@pytest.mark.parametrize(
    "features", [[f"name {i}" * 20 for i in range(4_000)], [True] * 5_000, list(range(5_000)), ["a"]]
)
def test_lists_of_columns_are_cut(features):
    with pytest.raises(ValueError, match=r"categorical_features=.*column") as caught:
        TablePreprocessor(features).fit(WIDE.iloc[:, :4_999])
    assert len(str(caught.value)) < SCREEN


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TablePreprocessor().fit(WIDE.set_axis([LONG[:1_000]] * 5_000, axis=1)), "several columns named"),
        (
            lambda: TablePreprocessor().fit(np.zeros(3, dtype=[(f"long name {i}", float) for i in range(3_000)])),
            "records",
        ),
        (lambda: append_unlabeled(FRAME, WIDE), "lacks .*'a', 'b', 'c'.* and has .*4,995 more"),
        pytest.param(
            lambda: append_unlabeled(WIDE[:2], WIDE[:2].astype(str)),
            "These differ: .*4,995 more",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_names_are_cut(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert len(str(caught.value)) < SCREEN


DATED = FRAME.assign(d=pd.date_range("2020", periods=60), t=list("xyz") * 20, s=pd.Timedelta(1))


@pytest.mark.parametrize("name", ["d", "t", "s", "a"])
@pytest.mark.parametrize("other", ["d", "t", "s", "a"])
def test_unlabeled_has_the_kinds_of_x(name, other):
    """Dates and their text in one column would be categories."""
    more = DATED.assign(**{name: DATED[other]})
    if name == other:
        assert len(append_unlabeled(DATED, more)) == 120
        return
    with pytest.raises(ValueError, match=f"These differ: '{name}': "):
        append_unlabeled(DATED, more)


@pytest.mark.parametrize("name", ["d", "t", "s"])
def test_unlabeled_may_lack_the_values_of_a_column(name):
    both = append_unlabeled(DATED, DATED.assign(**{name: None}))
    assert TablePreprocessor().fit(both).kinds_ == TablePreprocessor().fit(DATED).kinds_


def test_values_are_cut_in_the_middle():
    assert show("a") == "'a'" and show(b"a") == "b'a'" and show([1, "b"]) == "[1, 'b']"
    assert show("a" * 99).startswith("'aaa") and show("a" * 99 + "b").endswith("b'") and len(show("a" * 99)) < 99
    assert "\n" not in show(np.zeros((9, 9))) and len(show({i: LONG for i in range(99)})) <= 300
    assert cut("a" * 60 + "b", 20) == "a" * 7 + " ... " + "a" * 6 + "b"
    assert show_names(list("abcdefg")) == "'a', 'b', 'c', 'd', 'e' and 2 more" and show_names(["a"]) == "'a'"

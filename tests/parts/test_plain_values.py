"""Plain values: other libraries' numbers, strings, paths and sequences become Python's; all else stays what it is."""

import collections
import enum
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._parts._component import Component
from sklearn_twins._parts._plain_values import to_plain
from sklearn_twins._roles import resolve_part
from sklearn_twins.augmentations import Chain, Identity, Masking
from sklearn_twins.networks import MLPEncoder


class Word(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float32(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.True_, True),
        (np.str_("a"), "a"),
        (Word.A, "a"),
        (Number.ONE, 1),
        (Path("a") / "b", "a/b"),
        ([1, (np.int8(2), "a")], [1, (2, "a")]),
        (np.array(["a", np.str_("b")], dtype=object), ["a", "b"]),
        (pd.Index(["a", "b"]), ["a", "b"]),
        (pd.Series([True, False], dtype="boolean"), [True, False]),
        (pd.Series([1, 2], dtype="Int64"), [1, 2]),
        (pl.Series(["a"]), ["a"]),
        (pa.array(["a"]), ["a"]),
        (range(2), [0, 1]),
        ({"a": 1}.keys(), ["a"]),
        (collections.deque([np.int8(1)]), [1]),
        (collections.UserList(["a"]), ["a"]),
    ],
)
def test_plain(value, plain):
    found = to_plain(value)
    assert found == plain and type(found) is type(plain)
    assert repr(found) == repr(plain), "within, too"


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 3, 0.5, float("nan"), "a", b"a", [1, "a"], (1, (2.0,)), {"a": np.int8(1)}, {"a"}, slice(1)),
        *(np.zeros(3), np.zeros(()), np.timedelta64(1, "D"), np.random.RandomState(0), nn.Linear(1, 1), len),
        *(nn.Sequential(nn.ReLU()), MLPEncoder((8,)), Chain([("a", Masking()), ("b", nn.ReLU())])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_all_else_stays_what_it_is(value):
    assert to_plain(value) is value


class Lookup(Component):
    """A user's component, with a frame and a number of NumPy as parameters."""

    def __init__(self, frame, number):
        self.frame, self.number = frame, number

    def __call__(self, x, data, generator):
        return x


class Wider(BarlowTwinsEmbedder):
    """A user's estimator with one more parameter."""

    def __init__(self, frame=None, max_epochs=1):
        super().__init__(max_epochs=max_epochs)
        self.frame = frame


def test_a_user_s_parameters_are_left_alone():
    frame, number = pd.DataFrame({"a": [1]}), np.int64(3)
    lookup = Lookup(frame, number)
    chain = Chain([("own", lookup), ("mask", Masking(np.float32(0.5)))])
    part = resolve_part("augmentation", chain, "tabular")
    assert type(part.steps[0][1].frame) is pd.DataFrame and type(part.steps[0][1].number) is np.int64
    assert type(part.steps[1][1].mask_rate) is float
    assert type(chain.steps[1][1].mask_rate) is np.float32, "the user's own object is not changed"
    for copied in (pickle.loads(pickle.dumps(lookup)), clone(lookup)):
        assert type(copied.frame) is pd.DataFrame and type(copied.number) is np.int64
    wider = pickle.loads(pickle.dumps(Wider(frame, np.int64(2))))
    assert type(wider.frame) is pd.DataFrame and type(wider.max_epochs) is int


def test_parameters_are_stored_as_given():
    """scikit-learn's clone insists on it."""
    rate = np.float32(0.5)
    embedder = BarlowTwinsEmbedder(learning_rate=rate, augmentation=Identity())
    assert embedder.learning_rate is rate and clone(embedder).learning_rate.dtype == np.float32

"""What processes that train together compare: descriptions that are the same in any process, and tell parts apart."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_twins._fitting._agreement import check_same_rows, check_same_settings, describe, shown
from sklearn_twins.augmentations import Chain, GaussianNoise, MarginalCorruption
from sklearn_twins.networks import MLPEncoder
from sklearn_twins.objectives import BarlowTwins

DIFFERENT = {
    "number": (1, 2),
    "type": (1, "1"),
    "component": (MLPEncoder(hidden_dims=(8,)), MLPEncoder(hidden_dims=(9,))),
    "class": (BarlowTwins(), MLPEncoder()),
    "nested": (Chain([MarginalCorruption(0.2)]), Chain([MarginalCorruption(0.3)])),
    "order": (Chain([MarginalCorruption(), GaussianNoise()]), Chain([GaussianNoise(), MarginalCorruption()])),
    "module": (nn.Linear(2, 3), nn.Linear(2, 4)),
    "array": (np.arange(3), np.arange(3)[::-1]),
    "type of array": (np.zeros(3), np.zeros(3, dtype=np.float32)),
    "tensor": (torch.zeros(3), torch.ones(3)),
    "function": (np.mean, np.median),
    "partial": (partial(np.quantile, q=0.1), partial(np.quantile, q=0.2)),
    "optimizer": (torch.optim.SGD, torch.optim.Adam),
    "dict": ({"a": 1}, {"a": 2}),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_descriptions(name):
    first, second = (describe(value) for value in DIFFERENT[name])
    assert first != second
    assert [describe(value) for value in copy.deepcopy(DIFFERENT[name])] == [first, second]
    assert [describe(value) for value in pickle.loads(pickle.dumps(DIFFERENT[name]))] == [first, second]


def test_weights_are_the_first_process_s():
    """And those of a fit that goes on are compared."""
    first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    assert describe(first) == describe(second)
    assert describe(first, with_weights=True) != describe(second, with_weights=True)


def test_addresses_are_left_out():
    assert describe(object()) == describe(object()) == "object"


def test_long_descriptions_are_shown_where_they_differ():
    first, second = "x" * 1000 + "a" + "y" * 1000, "x" * 1000 + "b" + "y" * 1000
    assert "a" in shown(first, second) and len(shown(first, second)) < 200
    assert shown("short", "shorter") == "short"


def test_messages():
    with pytest.raises(
        ValueError, match=r"batch_size must be the same .* 3 processes .* Got 8 in process 0, and 9 in pro.* 2"
    ):
        check_same_settings([{"batch_size": "8"}, {"batch_size": "8"}, {"batch_size": "9"}])
    with pytest.raises(ValueError, match=r"They have \[3, 4\] rows\."):
        check_same_rows([3, 4], ["a", "b"])
    with pytest.raises(ValueError, match="differ in their values"):
        check_same_rows([3, 3], ["a", "b"])

"""What processes that train together compare: descriptions that are the same in any process, and tell parts apart."""

import copy
import pickle
import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_twins._fitting._agreement import check_same_rows, check_same_settings, identify, shortened
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
    "lambda": (lambda x: x, lambda x: 2 * x),
    "dict": ({"a": 1}, {"a": 2}),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_identities(name):
    first, second = (identify(value) for value in DIFFERENT[name])
    assert first != second
    if name not in ("function", "lambda"):
        assert [identify(value) for value in copy.deepcopy(DIFFERENT[name])] == [first, second]
        assert [identify(value) for value in pickle.loads(pickle.dumps(DIFFERENT[name]))] == [first, second]


def test_weights_are_the_first_process_s():
    """Those of networks; the layers count."""
    assert identify(nn.Linear(2, 3)) == identify(nn.Linear(2, 3)) != identify(nn.Linear(2, 3, bias=False))


def test_what_cannot_be_read_counts_by_its_class():
    assert identify(threading.Lock()) == identify(threading.Lock())


def test_descriptions_are_short():
    assert len(shortened(nn.Sequential(*[nn.Linear(2, 2)] * 99))) < 200
    assert shortened("hsic") == "'hsic'"


def test_messages():
    with pytest.raises(ValueError, match=r"batch_size must .* 3 processes .* Got 8 in process 0, and 9 in process 2\."):
        check_same_settings([{"batch_size": ("8", "a")}, {"batch_size": ("8", "a")}, {"batch_size": ("9", "b")}])
    with pytest.raises(ValueError, match=r"Got f in both process 0 and process 1, but they differ in what they hold"):
        check_same_settings([{"objective": ("f", "a")}, {"objective": ("f", "b")}])
    with pytest.raises(ValueError, match=r"They have \[3, 4\] rows\."):
        check_same_rows([(3, "a"), (4, "b")])
    with pytest.raises(ValueError, match="differ in their values"):
        check_same_rows([(3, "a"), (3, "b")])
    check_same_rows([(3, "a"), (3, "a")])

"""Tensors as NumPy arrays and back: trees keep their structure, and arrays share no memory with tensors."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from builders import seeded
from torch import nn

from sklearn_twins._runtime._tensors_as_arrays import copy_tensors, map_tensors, to_arrays, to_tensors


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(torch.float32, ()), (torch.float64, (0,)), (torch.int64, (3,)), (torch.uint8, (2, 3)), (torch.bool, (2,))],
)
def test_tensors_to_arrays_and_back(dtype, shape):
    tensor = torch.ones(shape).to(dtype)
    array = to_arrays({"x": tensor})["x"]
    assert isinstance(array, np.ndarray) and array.shape == shape
    back = to_tensors({"x": array})["x"]
    assert back.dtype == dtype and torch.equal(back, tensor)


def test_structure_and_other_leaves_are_kept():
    tree = {"a": torch.ones(2, 3), "b": [torch.tensor(3), ("word", None, 1.5, True)], 0: {"inner": torch.zeros(0, 4)}}
    arrays = to_arrays(tree)
    assert list(arrays) == ["a", "b", 0] and arrays["b"][1] == ("word", None, 1.5, True)
    assert isinstance(arrays["b"], list) and isinstance(arrays["b"][1], tuple)
    assert isinstance(arrays[0]["inner"], np.ndarray)
    again = to_tensors(arrays)
    assert torch.equal(again["a"], tree["a"]) and again["b"][0].item() == 3
    assert map_tensors({"a": [1, (2, {"b": 3})]}, lambda leaf: leaf * 10) == {"a": [10, (20, {"b": 30})]}
    assert map_tensors(OrderedDict(x=1), str) == {"x": "1"}


@pytest.mark.parametrize("convert", [to_arrays, copy_tensors])
def test_copies_share_no_memory_and_no_gradients(convert):
    original = nn.Parameter(torch.ones(3))
    copied = convert({"x": original})["x"]
    with torch.no_grad():
        original.zero_()
    assert np.asarray(copied).tolist() == [1, 1, 1]


@pytest.mark.parametrize("writable", [True, False])
def test_tensors_share_no_memory_with_arrays(writable):
    """Memory-mapped pickles (joblib) hold read-only arrays."""
    array = np.ones(3)
    array.setflags(write=writable)
    to_tensors([array])[0].zero_()
    assert array.tolist() == [1, 1, 1]


def test_views_of_larger_tensors_are_cut_out():
    array = to_arrays([torch.arange(1000.0)[10:12]])[0]
    assert array.base is None and array.nbytes == 8


def test_generator_states_survive():
    generator = seeded(3)
    state = to_arrays({"g": generator.get_state()})
    expected = torch.rand(5, generator=generator)
    other = torch.Generator()
    other.set_state(to_tensors(state)["g"])
    assert torch.equal(torch.rand(5, generator=other), expected)

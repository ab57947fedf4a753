"""What training keeps between runs: NumPy arrays of their own, from which a run goes on as if never stopped."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_twins._runtime._tensors_as_arrays import copy_tensors, map_tensors, to_arrays, to_tensors
from sklearn_twins._training._trainer import Plan, Training

pytestmark = pytest.mark.usefixtures("one_thread")

DTYPES = [torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool]


def tree():
    return {
        "a": torch.arange(6.0).reshape(2, 3),
        "b": [torch.tensor(3), ("word", None, 1.5, True)],
        0: {"inner": torch.zeros(0, 4)},
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_tensors_to_arrays_and_back(dtype, shape):
    tensor = torch.ones(shape).to(dtype)
    array = to_arrays({"x": tensor})["x"]
    assert isinstance(array, np.ndarray) and array.shape == shape
    back = to_tensors({"x": array})["x"]
    assert back.dtype == dtype and torch.equal(back, tensor)


def test_structure_and_other_leaves_are_kept():
    arrays = to_arrays(tree())
    assert list(arrays) == ["a", "b", 0] and arrays["b"][1] == ("word", None, 1.5, True)
    assert isinstance(arrays["b"], list) and isinstance(arrays["b"][1], tuple)
    assert isinstance(arrays[0]["inner"], np.ndarray)
    again = to_tensors(arrays)
    assert torch.equal(again["a"], tree()["a"]) and again["b"][0].item() == 3


@pytest.mark.parametrize("convert", [to_arrays, copy_tensors])
def test_copies_are_the_trees_own(convert):
    original = torch.ones(3)
    copied = convert({"x": original})["x"]
    original.zero_()
    assert np.asarray(copied).tolist() == [1, 1, 1]


def test_tensors_are_their_own():
    array = np.ones(3)
    tensor = to_tensors([array])[0]
    array[:] = 0
    assert tensor.tolist() == [1, 1, 1]


def test_read_only_arrays_become_tensors():
    """Memory-mapped pickles (joblib) hold read-only arrays."""
    array = np.ones(3)
    array.setflags(write=False)
    to_tensors([array])[0].zero_()
    assert array.tolist() == [1, 1, 1]


def test_gradients_are_left_behind():
    parameter = nn.Parameter(torch.ones(2))
    copied = copy_tensors({"x": parameter})["x"]
    assert not copied.requires_grad and copied.is_leaf
    assert to_arrays({"x": parameter})["x"].tolist() == [1, 1]


def test_views_of_larger_tensors_are_cut_out():
    array = to_arrays([torch.arange(1000.0)[10:12]])[0]
    assert array.base is None and array.nbytes == 8


def test_map_tensors_applies_to_leaves_only():
    assert map_tensors({"a": [1, (2, {"b": 3})]}, lambda leaf: leaf * 10) == {"a": [10, (20, {"b": 30})]}
    assert map_tensors(OrderedDict(x=1), str) == {"x": "1"}


def test_state_dicts_load():
    norm = nn.BatchNorm1d(3)
    norm(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    other = nn.BatchNorm1d(3)
    other.load_state_dict(to_tensors(to_arrays(norm.state_dict())))
    for a, b in zip(norm.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_generator_states_survive():
    generator = torch.Generator().manual_seed(3)
    state = to_arrays({"g": generator.get_state()})
    expected = torch.rand(5, generator=generator)
    other = torch.Generator()
    other.set_state(to_tensors(state)["g"])
    assert torch.equal(torch.rand(5, generator=other), expected)


def objective(z_a, z_b):
    return (z_a - z_b).square().mean() + (1 - z_a.std(0)).square().mean()


def noisy_views(x, data, generator):
    return tuple(x + 0.1 * torch.randn(x.shape, generator=generator) for _ in range(2))


def training(first, last, *, encoder=None, state=None, seed=0, **plan):
    """A run of a small network over 50 rows in 4 batches."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = encoder or nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
        projector = nn.Linear(6, 5)
    settings = {"optimizer": "adamw", "lr_schedule": "constant", **plan}
    plan = Plan(
        learning_rate=0.01,
        weight_decay=0.1,
        first_epoch=first,
        last_epoch=last,
        batch_size=16,
        device=torch.device("cpu"),
        **settings,
    )
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    names = ("batches", "views", "validation")
    generators = {name: torch.Generator().manual_seed(10 * seed + i) for i, name in enumerate(names)}
    return Training(plan, encoder, projector, objective, noisy_views, rows, None, generators, state)


def run(*args, **kwargs):
    fitted = training(*args, **kwargs)
    fitted.run(lambda: None, lambda: False)
    return fitted


def rise(step, n_steps):
    """A warm-up that does not depend on the length of the run, and ends within its second half."""
    return min(1.0, (step + 1) / 12)


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [("adamw", "constant"), ("sgd", "constant"), ("lars", "constant"), ("adamw", "stream"), ("adamw", rise)],
)
def test_two_runs_are_one(optimizer, schedule):
    """Weights, momenta, generators and the count of steps: all goes on, to the bit, through a pickle.

    The second run is built from another seed, so that nothing of it but the state can be right.
    """
    plan = {"optimizer": optimizer, "lr_schedule": schedule}
    whole = run(0, 4, **plan)
    half = run(0, 2, **plan)
    state = pickle.loads(pickle.dumps(half.warm_start_state()))
    rest = run(2, 4, encoder=copy.deepcopy(half.encoder), state=state, seed=5, **plan)
    for (name, a), b in zip(
        whole.net.module_.state_dict().items(), rest.net.module_.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
    assert half.history()["loss"] + rest.history()["loss"] == whole.history()["loss"]
    assert half.history()["learning_rate"] + rest.history()["learning_rate"] == whole.history()["learning_rate"]
    assert rest.history()["epoch"] == [3, 4]


def test_state_is_arrays_and_plain_values():
    state = run(0, 2).warm_start_state()
    assert set(state) == {"projector", "optimizer", "generators", "drawn_by", "n_steps"}
    assert state["n_steps"] == 8 and state["drawn_by"] == ("cpu", 0)
    kinds = set()
    map_tensors(state, lambda leaf: kinds.add(type(leaf)))
    assert not any(issubclass(kind, torch.Tensor) for kind in kinds)


def test_state_does_not_change_when_training_goes_on():
    half = run(0, 2)
    state = half.warm_start_state()
    before = pickle.dumps(state)
    run(2, 4, encoder=copy.deepcopy(half.encoder), state=state)
    assert pickle.dumps(state) == before
    assert half.warm_start_state()["n_steps"] == 8


def test_steps_are_counted_over_all_runs():
    half = run(0, 2)
    rest = run(2, 5, encoder=copy.deepcopy(half.encoder), state=half.warm_start_state())
    assert rest.warm_start_state()["n_steps"] == 20


@pytest.mark.parametrize(("drawn_by", "anew"), [(("cuda", 0), {"batches", "views"}), (("cpu", 1), {"views"})])
def test_generators_of_another_kind_start_anew(drawn_by, anew):
    """A CUDA generator's state is of no use to the CPU's, nor another rank's, but for batches, which are the same."""
    half = run(0, 2)
    state = {**half.warm_start_state(), "drawn_by": drawn_by}
    fresh = training(2, 4, encoder=copy.deepcopy(half.encoder), state=state, seed=5)
    for name, seed in {"batches": 50, "views": 51}.items():
        own = torch.Generator().manual_seed(seed).get_state()
        assert torch.equal(fresh.net.generators[name].get_state(), own) == (name in anew)

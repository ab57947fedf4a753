"""The state that a training run leaves: NumPy arrays of its own, from which another run continues to the bit."""

import copy
import pickle

import pytest
import torch
from builders import seeded
from torch import nn

from sklearn_twins._runtime._tensors_as_arrays import map_tensors
from sklearn_twins._training._trainer import Plan, Training

pytestmark = pytest.mark.usefixtures("one_thread")


def objective(z_a, z_b):
    return (z_a - z_b).square().mean() + (1 - z_a.std(0)).square().mean()


def noisy_views(x, data, generator, partners=None):
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
    rows = torch.randn(50, 4, generator=seeded(1))
    generators = {name: seeded(10 * seed + i) for i, name in enumerate(("batches", "views", "validation"))}
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
    [
        ("adamw", "constant"),
        ("sgd", "constant"),
        ("lars", "constant"),
        ("muon", "constant"),
        ("adamw", "stream"),
        ("adamw", rise),
    ],
)
def test_two_runs_are_one(optimizer, schedule):
    """Weights, momenta, generators and the number of steps continue to the bit, through a pickle.

    The second run is built from another seed, so that only the state can make it right.
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
    """And it does not change when training continues from it."""
    half = run(0, 2)
    state = half.warm_start_state()
    assert set(state) == {"projector", "optimizer", "generators", "drawn_by", "n_steps"}
    assert state["n_steps"] == 8 and state["drawn_by"] == ("cpu", 0)
    kinds = set()
    map_tensors(state, lambda leaf: kinds.add(type(leaf)))
    assert not any(issubclass(kind, torch.Tensor) for kind in kinds)
    before = pickle.dumps(state)
    rest = run(2, 5, encoder=copy.deepcopy(half.encoder), state=state)
    assert pickle.dumps(state) == before
    assert half.warm_start_state()["n_steps"] == 8
    assert rest.warm_start_state()["n_steps"] == 20


@pytest.mark.parametrize(("drawn_by", "anew"), [(("cuda", 0), {"batches", "views"}), (("cpu", 1), {"views"})])
def test_generators_of_another_kind_start_anew(drawn_by, anew):
    """A CUDA generator's state is of no use on the CPU; that of another rank only for batches, which are the same."""
    half = run(0, 2)
    state = {**half.warm_start_state(), "drawn_by": drawn_by}
    fresh = training(2, 4, encoder=copy.deepcopy(half.encoder), state=state, seed=5)
    for name, seed in {"batches": 50, "views": 51}.items():
        own = seeded(seed).get_state()
        assert torch.equal(fresh.net.generators[name].get_state(), own) == (name in anew)

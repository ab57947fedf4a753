"""Checkpoints whose checksum is right and whose content is not: one documented error, and never another result."""

import numpy as np
import pytest
from builders import small_embedder, small_table
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from sklearn_twins import UnreadableFileError
from sklearn_twins._persistence._json_codec import Decoder, Encoder
from sklearn_twins._persistence._safetensors import read_tensors, write_tensors
from sklearn_twins.networks import PiecewiseLinear, ResNetEncoder
from sklearn_twins.preprocessing import TablePreprocessor


class Broken(Exception):
    """What breaks a fit off."""


class Breaks(Callback):
    """Breaks a fit off in its fourth epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 4:
            raise Broken


STOPPING = {"early_stopping": True, "n_iter_no_change": 5}


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """Makes an embedder whose fit broke off after three epochs, and its checkpoint; trained once for all tests."""
    known = {}

    def broken_off(directory, **params):
        embedder = small_embedder(max_epochs=6, checkpoint=directory, checkpoint_minutes=0, **params)
        key = repr(params)
        if key not in known:
            with pytest.raises(Broken):
                embedder.set_params(callbacks=[Breaks()]).fit(small_table())
            embedder.set_params(callbacks=None)
            (path,) = directory.glob("*.checkpoint")
            known[key] = path.name, path.read_bytes()
        name, content = known[key]
        for path in directory.glob("*"):
            path.unlink()
        (directory / name).write_bytes(content)
        return embedder, directory / name

    return broken_off


def forge(path, change):
    """Change the state in a checkpoint; its checksum is right."""
    tensors, metadata = read_tensors(path)
    state = Decoder({}, tensors, None).from_json(metadata["state"])
    state = change(state) or state
    encoder = Encoder({})
    text = encoder.to_json(state)
    write_tensors(path, encoder.tensors, {**metadata, "state": text})


def put(*keys, value):
    """A change of one part of the state."""

    def change(state):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


def drop(*keys):
    """A change that removes a part of the state."""

    def change(state):
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


def on(*keys, function):
    """A change of one part of the state by a function of it."""

    def change(state):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = function(state[keys[-1]])

    return change


def repeat_history(state):
    """500 epochs, as if they were trained."""
    state["rows"], state["n_epochs"] = 500 * state["rows"][:1], 500


def one_epoch_twice(state):
    state["rows"].append({**state["rows"][-1], "epoch": 4})
    state["n_epochs"] = 4


def fewer_epochs(state):
    state["rows"], state["n_epochs"] = state["rows"][:1], 1


def rename(state):
    for part in ("module", "generators"):
        state[part] = {f"x{name}": value for name, value in state[part].items()}


WEIGHT = "encoder.1.weight"
PARTS = ("seed", "module", "optimizer", "generators", "n_epochs", "stopping", "rows", "device")
FORGERIES = {
    **{f"no {name}": drop(name) for name in PARTS},
    **{f"{name} is a word": put(name, value="x") for name in PARTS},
    **{f"{name} is empty": put(name, value={}) for name in ("module", "optimizer", "generators", "rows")},
    "one part more": put("more", value=1),
    "another seed": on("seed", function=lambda seed: seed + 1),
    "no seed": put("seed", value=-1),
    "repeated history": repeat_history,
    "one epoch twice": one_epoch_twice,
    "fewer epochs": fewer_epochs,
    "no epochs": lambda state: state.update(rows=[], n_epochs=0),
    "another number of epochs": put("n_epochs", value=2),
    "a row without a loss": drop("rows", 1, "train_loss"),
    "a loss that is a word": put("rows", 1, "train_loss", value="low"),
    "a loss that is none": put("rows", 1, "train_loss", value=float("nan")),
    "an epoch that took no time": put("rows", 0, "seconds", value=0.0),
    "another rate": put("rows", 0, "lr", value=1.0),
    "other batches": put("rows", 0, "train_batch_count", value=10**9),
    "a term that is a word": put("rows", 1, "train_invariance", value="x"),
    "rows that are words": put("rows", value=["a", "b", "c"]),
    "another device": put("device", value="cuda"),
    "a device that is none": put("device", value="nowhere"),
    "a generator less": drop("generators", "views"),
    "a generator more": put("generators", "more", value=np.zeros(5056, dtype=np.uint8)),
    "a short generator": on("generators", "views", function=lambda state: state[:-1]),
    "generators of another device": on("generators", function=lambda states: {n: s[:16] for n, s in states.items()}),
    "an empty generator": on("generators", "views", function=np.zeros_like),
    "a generator of words": put("generators", "views", value="x"),
    "other names": rename,
    "a weight less": drop("module", WEIGHT),
    "a weight of another shape": on("module", WEIGHT, function=np.transpose),
    "a weight of another type": on("module", WEIGHT, function=np.float64),
    "a weight that is none": on("module", WEIGHT, function=lambda weight: weight * np.nan),
    "no state of the optimizer": put("optimizer", "state", value={}),
    "no state of one weight": drop("optimizer", "state", 0),
    "no moments of one weight": put("optimizer", "state", 0, value={}),
    "moments of another shape": on("optimizer", "state", 0, "exp_avg", function=lambda moments: moments[:1]),
    "another number of steps": on("optimizer", "state", 0, "step", function=lambda step: step + 1),
    "state of a weight that is none": put("optimizer", "state", 99, value={}),
    "other settings": put("optimizer", "param_groups", 0, "betas", value=(0.1, 0.1)),
    "a setting less": drop("optimizer", "param_groups", 0, "eps"),
    "a group less": drop("optimizer", "param_groups", 1),
    "other weights in a group": on("optimizer", "param_groups", 0, "params", function=lambda params: params[::-1]),
    "groups that are words": put("optimizer", "param_groups", value=["x", "y"]),
    "stopping without a validation": put("stopping", value={"misses_": 5, "patience": 1}),
}
STOPPING_FORGERIES = {
    "no misses": drop("stopping", "misses_"),
    "other misses": put("stopping", "misses_", value=5),
    "no stopping": put("stopping", value={}),
    "an attribute more": put("stopping", "patience", value=1),
    "no best weights": put("stopping", "best_model_weights_", value=None),
    "best weights of another network": put("stopping", "best_model_weights_", value={"x": np.zeros(3, np.float32)}),
    "a threshold that is a word": put("stopping", "dynamic_threshold_", value="low"),
    "rows without validation": on("rows", function=lambda rows: [{**row, "valid_loss": None} for row in rows]),
}
CASES = [
    *(pytest.param({}, change, id=name) for name, change in FORGERIES.items()),
    *(pytest.param(STOPPING, change, id=f"stopping: {name}") for name, change in STOPPING_FORGERIES.items()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("params", "change"), CASES)
def test_a_forged_checkpoint_is_refused(broken_off, tmp_path, params, change):
    embedder, path = broken_off(tmp_path, **params)
    forge(path, change)
    with pytest.raises(UnreadableFileError, match=r"^The checkpoint of this fit cannot be used \(.*Remove the file"):
        embedder.fit(small_table())
    assert not hasattr(embedder, "encoder_") and path.exists()


@pytest.mark.parametrize("kind", ["directory", "empty", "other format", "a list"])
def test_something_else_in_its_place(broken_off, tmp_path, kind):
    embedder, path = broken_off(tmp_path)
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    else:
        metadata = {} if kind == "other format" else {"format": "sklearn_twins.checkpoint", "fit": "", "state": "[]"}
        write_tensors(path, {"x": np.zeros(3)}, {**metadata, "version": "1"})
    with pytest.raises(UnreadableFileError, match=r"^The checkpoint of this fit cannot be used \(.*Remove the file"):
        embedder.fit(small_table())


def test_another_device_is_told(broken_off, tmp_path):
    """A checkpoint from a GPU has states of generators that the CPU cannot use."""
    embedder, path = broken_off(tmp_path)

    def from_gpu(state):
        state |= {"device": "cuda", "generators": {name: s[:16] for name, s in state["generators"].items()}}

    forge(path, from_gpu)
    with pytest.warns(RuntimeWarning, match="written on cuda, and the fit goes on on cpu with other random numbers"):
        embedder.fit(small_table())
    assert embedder.n_iter_ == 6


def test_the_one_before_is_used_if_there_is_one(broken_off, tmp_path):
    embedder, path = broken_off(tmp_path)
    path.with_suffix(".previous").write_bytes(path.read_bytes())
    forge(path, drop("generators"))
    with pytest.warns(RuntimeWarning, match="goes on from the one before"):
        embedder.fit(small_table())
    wanted = small_embedder(max_epochs=6).fit(small_table())
    assert_array_equal(embedder.transform(small_table()), wanted.transform(small_table()))


class WithIdleWeights(nn.Module):
    """A module of which one layer is never used."""

    def __init__(self):
        super().__init__()
        self.used, self.idle = nn.Linear(5, 4), nn.Linear(2, 2)

    def forward(self, x):
        return self.used(x)


SOUND = {
    "as it is": {},
    "sgd": {"optimizer": "sgd"},
    "lars": {"optimizer": "lars"},
    "early stopping": STOPPING,
    "identity": {"projector": "identity"},
    "an expansion": {"encoder": ResNetEncoder(width=4, expansion=PiecewiseLinear())},
    "ranks": {"preprocessor": TablePreprocessor(scaling="quantile")},
    "a module with idle weights": {"encoder": WithIdleWeights()},
    "a user's schedule": {"lr_schedule": lambda step, n_steps: 1 / (1 + step)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_sound_checkpoints_are_used(broken_off, tmp_path, name):
    """The checks refuse nothing that a fit has written."""
    embedder, path = broken_off(tmp_path, **SOUND[name])
    forge(path, lambda state: None)
    embedder.set_params(verbose=1).fit(small_table())
    assert embedder.n_iter_ == 6 and not path.exists()

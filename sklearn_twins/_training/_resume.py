"""Check the content of a checkpoint against the training run that is to go on from it."""

import math

import numpy as np
import torch

from .._exceptions import UnreadableFileError
from ._batches import batch_layout
from ._optimizers import undo_recordable

STATE_BYTES = {"cpu": torch.Generator().get_state().numel(), "cuda": 16}  # of a generator, by the kind of device
OWN_GENERATORS = {"batches", "views", "validation"}
OPTIMIZER_STATE = {  # names in a named optimizer's state of each parameter
    "adamw": {"step", "exp_avg", "exp_avg_sq"},
    "lars": {"momentum_buffer"},
    "muon": {"momentum_buffer"},  # of matrices; vectors have that of AdamW
    "sgd": {"momentum_buffer"},
}
OF_THE_DEVICE = {"lr", "capturable", "foreach", "fused"}  # settings of an optimizer that differ between devices
STOPPING = {"misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_"}


def check_saved(saved, training):
    """Refuse a checkpoint that this run, or the same run on another device, has not written.

    Parameters
    ----------
    saved : dict
        Result of `Training.checkpoint_state` from a file.
    training : Training
        The run before its first step.

    Raises
    ------
    UnreadableFileError
        If a part is missing, invalid, or contradicts the run or another part.
    """
    plan, net, rows = training.plan, training.net, saved["rows"]
    check_rows(rows, saved["n_epochs"], training)
    check_weights(saved["module"], net.module_.state_dict())
    is_own_device = saved["device"] == plan.device.type
    check_generators(saved["generators"], net.generators, saved["device"], is_own_device)
    n_steps = training.n_steps + len(rows) * rows[0]["train_batch_count"]
    check_optimizer(saved["optimizer"], net.optimizer_, plan.optimizer, n_steps, is_own_device)
    if isinstance(plan.optimizer, str) and "third party" not in net.generators:  # a user's module may have idle weights
        n_trained = sum(len(group["params"]) for group in net.optimizer_.param_groups)
        require(len(saved["optimizer"]["state"]) == n_trained, "its optimizer lacks the state of some weights")
    check_stopping(saved["stopping"], len(rows), training)


def require(condition, what):
    """Refuse a checkpoint."""
    if not condition:
        raise UnreadableFileError(f"Its content is not of this fit: {what}.")


def is_number(value):
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_list_of_dicts(value):
    """Whether a value is a list of dicts."""
    return type(value) is list and all(type(item) is dict for item in value)


def check_rows(rows, n_epochs, training):
    """Refuse a history that is not one of `n_epochs` epochs of the run."""
    plan = training.plan
    n_batches, size = batch_layout(len(training.train), plan.batch_size)
    require(0 < n_epochs <= plan.last_epoch - plan.first_epoch, "it has more epochs than the fit, or none")
    require(len(rows) == n_epochs, "its history and its number of epochs differ")
    prefixes = ["train", "valid"] if training.valid is not None else ["train"]
    numbers = ("lr", "seconds", "train_loss")
    names = {*numbers, *(f"{prefix}_loss" for prefix in prefixes)}
    known = {"epoch": None, "train_batch_count": n_batches, "train_rows": n_batches * size}
    rate, has_known_rates = training.learning_rate.rate, isinstance(plan.lr_schedule, str)
    for i, row in enumerate(rows):
        known["epoch"] = i + 1
        require(row.keys() >= names | known.keys(), "its history lacks columns")
        require(columns_of(row) == columns_of(rows[0]), "its history lacks columns")
        require(all(row[name] == value for name, value in known.items()), "its history has other epochs")
        are_floats = all(isinstance(row[name], float) for name in names)
        are_floats &= all(isinstance(row[name], (float, int)) for name in columns_of(row))
        require(are_floats and all(is_number(row[name]) for name in numbers), "its history has no numbers")
        require(row["seconds"] > 0, "an epoch of its history took no time")
        expected = rate(training.n_steps + (i + 1) * n_batches - 1) if has_known_rates else row["lr"]
        require(math.isclose(row["lr"], expected, rel_tol=1e-6), "its history has other learning rates")


def columns_of(row):
    """Names of the losses and terms in a row of the history."""
    return {name for name in row if name.startswith(("train_", "valid_"))}


def check_weights(arrays, tensors):
    """Refuse weights that are not finite, or not those of the network."""
    saved = {name: (array.shape, f"torch.{array.dtype}") for name, array in arrays.items()}
    own = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
    require(saved == own, "its weights are those of another network")
    require(all(np.isfinite(array).all() for array in arrays.values()), "its weights are not finite")


def check_generators(states, generators, device, is_own_device):
    """Refuse states that the run's generators cannot be set to; on another device they are not used."""
    if not is_own_device:
        require(states.keys() >= OWN_GENERATORS, "its generators are missing")
        sizes = {states[name].size for name in OWN_GENERATORS}
        others = {size for kind, size in STATE_BYTES.items() if kind != device}
        require(len(sizes) == 1 and not sizes & others, "its generators are not of its device")
        return
    require(states.keys() == generators.keys(), "its generators are missing or others")
    for name, generator in generators.items():
        try:
            torch.Generator(generator.device).set_state(torch.from_numpy(np.array(states[name])))
        except (RuntimeError, TypeError) as error:
            raise UnreadableFileError(f"Its content is not of this fit: generator {name!r} ({error}).") from error


def check_optimizer(saved, optimizer, name, n_steps, is_own_device):
    """Refuse an optimizer's state that does not fit its parameters, its settings or the number of steps."""
    own = undo_recordable(optimizer.state_dict())["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    groups, states = saved["param_groups"], saved["state"]
    require(is_list_of_dicts(groups) and type(states) is dict, "its optimizer differs")
    require([group.get("params") for group in groups] == [group["params"] for group in own], "its optimizer differs")
    require(all(type(i) is int and 0 <= i < len(parameters) for i in states), "its optimizer has other parameters")
    if not isinstance(name, str):
        return
    free = {"lr"} if is_own_device else OF_THE_DEVICE
    for group, its in zip(groups, own, strict=True):
        require(group.keys() == its.keys() and is_number(group["lr"]), "its optimizer has other settings")
        same = all(group[key] == its[key] and type(group[key]) is type(its[key]) for key in its.keys() - free)
        require(same, "its optimizer has other settings")
    for i, state in states.items():
        wanted = OPTIMIZER_STATE["adamw" if name == "muon" and parameters[i].dim() <= 1 else name]
        require(type(state) is dict and state.keys() == wanted, "its optimizer has another state")
        arrays = all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in state.values())
        require(arrays, "its optimizer has another state")
        shapes = {array.shape for key, array in state.items() if key != "step"}
        require(shapes == {tuple(parameters[i].shape)}, "its optimizer is that of another network")
        require("step" not in state or (state["step"] == n_steps).all(), "its optimizer took another number of steps")


def check_stopping(saved, n_epochs, training):
    """Refuse a state of early stopping that contradicts the history."""
    if training.stopping is None:
        require(saved == {}, "it stops early")
        return
    require(saved.keys() == STOPPING, "its state of early stopping is missing or invalid")
    misses, best, weights = saved["misses_"], saved["best_epoch_"], saved["best_model_weights_"]
    require(type(misses) is type(best) is int and misses >= 0, "its state of early stopping is missing or invalid")
    require(misses == n_epochs - best, "its state of early stopping is of another epoch")
    require(isinstance(saved["dynamic_threshold_"], float), "its state of early stopping is invalid")
    require((weights is None) == (best == 0), "its state of early stopping is invalid")
    if weights is not None:
        require(type(weights) is dict, "its state of early stopping is invalid")
        check_weights(weights, training.net.module_.state_dict())

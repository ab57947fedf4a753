"""Check that processes which train together fit the same rows with the same parameters, before the first step."""

import functools
import json

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator

from .._persistence._checkpoints import NOT_IN_FINGERPRINT, fingerprint
from .._training._batches import batch_layout
from .._training._callbacks import reaches_into_steps, unpack

# Parameters that may differ between processes: the first one's seed is everybody's, and threads are each one's own.
MAY_DIFFER = {*NOT_IN_FINGERPRINT, "n_jobs", "random_state"}
MAX_SHOWN = 150  # characters of a parameter in a message


def check_agreement(group, estimator, samples, previous, batch_size):
    """Refuse a fit whose processes differ in their parameters or rows, or share too small batches.

    Parameters
    ----------
    group : ProcessGroup
        The processes.
    estimator : estimator
        Its class and parameters are compared.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        This process's rows.
    previous : Previous or None
        The fit that this one continues.
    batch_size : int
        Maximum number of rows in a batch.

    Raises
    ------
    ValueError
        In every process.
    """
    if group.size == 1:
        return
    rows = fingerprint(BaseEstimator(), None, samples)
    params = estimator.get_params(deep=False)
    settings = {name: describe(value) for name, value in params.items() if name not in MAY_DIFFER}
    # these see or change every step, with all that the processes exchange in it
    in_steps = [kind for callback, kind in unpack(params["callbacks"]) if reaches_into_steps([callback])]
    settings |= {"the class": describe(type(estimator)), "callbacks": describe(in_steps)}
    settings["the fit that goes on"] = "none" if previous is None else describe_previous(previous)
    reports = [json.loads(text) for text in group.exchange(json.dumps([len(samples), rows, settings]))]
    check_same_settings([report[2] for report in reports])
    check_same_rows([report[0] for report in reports], [report[1] for report in reports])
    size = batch_layout(len(samples), batch_size)[1]
    if size < group.size:
        raise ValueError(
            f"batch_size={batch_size} makes batches of {size} rows, which {group.size} processes cannot share. Use "
            "larger ones."
        )


def describe_previous(previous):
    """Describe a fit that goes on by its number of epochs and a hash of its weights."""
    state = previous.training_state or {}
    shared = {name: state.get(name) for name in ("projector", "optimizer", "n_steps", "seed")}
    weights = joblib.hash(describe([previous.encoder, shared], with_weights=True))
    return f"{previous.n_epochs} epochs, {previous.n_streamed} of them by partial_fit, weights {weights}"


def check_same_settings(settings):
    """Refuse parameters that differ between processes, given as a dict of descriptions for each."""
    for name in dict.fromkeys(name for one in settings for name in one):
        values = [one.get(name) for one in settings]
        for rank, value in enumerate(values):
            if value != values[0]:
                raise ValueError(
                    f"{name} must be the same in each of the {len(values)} processes that train together. Got "
                    f"{shown(values[0], value)} in process 0, and {shown(value, values[0])} in process {rank}."
                )


def check_same_rows(counts, digests):
    """Refuse rows that differ between processes."""
    if len(set(counts)) > 1 or len(set(digests)) > 1:
        raise ValueError(
            f"X must be the same in each of the {len(counts)} processes that train together: all rows, in the same "
            f"order; each process takes its share of every batch. They have {counts} rows"
            + ("." if len(set(counts)) > 1 else ", which differ in their values.")
        )


def shown(text, other):
    """A description as a message shows it; from shortly before the first difference if it is long."""
    start = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    start = 0 if len(text) <= MAX_SHOWN else max(0, start - MAX_SHOWN // 3)
    part = text[start : start + MAX_SHOWN]
    return f"{'...' if start else ''}{part}{'...' if start + MAX_SHOWN < len(text) else ''}"


def describe(value, with_weights=False):
    """Describe a value in words that are the same in any process.

    Functions are described by their names. Modules are described by their layers and the shapes of their weights, since
    all processes begin with the first one's; with `with_weights` by the weights, too.
    """
    if isinstance(value, (torch.Tensor, np.ndarray)):
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        return f"{array.dtype} array of shape {array.shape}, {joblib.hash(np.ascontiguousarray(array))}"
    if isinstance(value, torch.nn.Module):
        state = value.state_dict()
        weights = state if with_weights else {name: tuple(tensor.shape) for name, tensor in state.items()}
        return f"{value} {describe(weights)}"
    if isinstance(value, BaseEstimator):
        return f"{type(value).__qualname__}({describe(value.get_params(deep=False), with_weights)})"
    if isinstance(value, dict):
        items = (f"{name}={describe(item, with_weights)}" for name, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(describe(item, with_weights) for item in value)}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(describe, value)))}}}"
    if isinstance(value, functools.partial):
        return f"partial({describe([value.func, value.args, value.keywords], with_weights)})"
    if callable(value):
        kind = type(value) if not hasattr(value, "__qualname__") else value
        return f"{kind.__module__}.{kind.__qualname__}"
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text

"""Fits that are killed at random moments and called again, until they end: what the tests start."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.networks import MLPEncoder, MLPProjector

X = np.random.default_rng(0).normal(size=(60, 3)) @ np.random.default_rng(1).normal(size=(3, 5))
SMALL = {
    "encoder": MLPEncoder(hidden_dims=(8,)),
    "projector": MLPProjector(hidden_dims=(12,), projection_dim=8),
    "max_epochs": 30,
    "batch_size": 16,
    "random_state": 0,
    "checkpoint_minutes": 0,
}


def network():
    """The same dropout network in every process."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 4))


CONFIGURATIONS = {
    "default": {},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 15, "tol": 0.0},
    "dropout": {"encoder": network()},
    "sgd, constant": {"optimizer": "sgd", "lr_schedule": "constant", "objective": "mixed_barlow_twins"},
    "lars": {"optimizer": "lars", "objective": "hsic", "storage": "host"},
}


def embedder(name, **params):
    """One of the configurations."""
    return BarlowTwinsEmbedder(**{**SMALL, **CONFIGURATIONS[name], **params})


def result(fitted):
    """All that a fit has found, but seconds."""
    timed = ("seconds", "rows_per_second")
    numbers = {f"history {n}": v for n, v in fitted.history_.items() if n not in timed}
    return {**numbers, **{f"encoder {n}": t.numpy() for n, t in fitted.encoder_.state_dict().items()}}


def fit_in_child(name, directory):
    """Start a fit in a process of its own."""
    child = os.fork()
    if child == 0:
        fitted = embedder(name, checkpoint=directory / "checkpoints").fit(X)
        np.savez(directory / "unfinished.npz", **result(fitted))
        os.replace(directory / "unfinished.npz", directory / "result.npz")
        os._exit(0)
    return child


def main(name, n_kills, directory):
    """Kill a fit so many times, let it end; start others if one ends before."""
    torch.set_num_threads(1)
    embedder(name, max_epochs=1).fit(X)  # everything is imported
    start = time.perf_counter()
    wanted = result(embedder(name).fit(X))
    seconds, kills, ended = time.perf_counter() - start, 0, 0
    moments = random.Random(0)
    while kills < n_kills:
        child = fit_in_child(name, directory)
        time.sleep(moments.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        ended += not os.WIFSIGNALED(status)
    _, status = os.waitpid(fit_in_child(name, directory), 0)
    found = dict(np.load(directory / "result.npz"))
    same = all(np.array_equal(found[key], values) for key, values in wanted.items())
    left = [path.name for path in (directory / "checkpoints").iterdir()]
    print(f"kills {kills}, ended in between {ended}, status {status}, same bits {same}, left {left}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))

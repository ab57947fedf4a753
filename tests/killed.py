"""Fits in processes of their own that are killed at random moments and called again, or that get a signal."""

import contextlib
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

INTERRUPTED = 130
X = np.random.default_rng(0).normal(size=(60, 3)) @ np.random.default_rng(1).normal(size=(3, 5))
SMALL = {
    "encoder": MLPEncoder(hidden_dims=(8,)),
    "projector": MLPProjector(hidden_dims=(12,), projection_dim=8),
    "max_epochs": 20,
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


def in_child(work):
    """Do something in a forked process; its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except KeyboardInterrupt:
            code = INTERRUPTED
        finally:
            os._exit(code)
    return child


def kill_again_and_again(name, n_kills, directory):
    """Kill a fit so many times, start others if one ends before, and let the last one end.

    Returns whether the last one found to the bit what a fit finds that is let be, and the files that are left.
    """
    embedder(name, max_epochs=1).fit(X)  # everything is imported
    start = time.perf_counter()
    wanted = result(embedder(name).fit(X))
    seconds, kills, moments = time.perf_counter() - start, 0, random.Random(0)

    def work():
        fitted = embedder(name, checkpoint=directory / "checkpoints").fit(X)
        np.savez(directory / "unfinished.npz", **result(fitted))
        os.replace(directory / "unfinished.npz", directory / "result.npz")

    while kills < n_kills:
        child = in_child(work)
        time.sleep(moments.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert os.waitpid(in_child(work), 0)[1] == 0
    found = dict(np.load(directory / "result.npz"))
    same = all(np.array_equal(found[key], values) for key, values in wanted.items())
    return same, list((directory / "checkpoints").iterdir())


def signal_in_epoch_3(number, directory):
    """Send a signal to a fit without an end, in its third epoch; how the process ended."""
    reading, writing = os.pipe()

    def work():
        os.dup2(writing, 1)
        # a shell ignores SIGINT in what it starts in the background, and its children inherit that
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        with open(1, "w", buffering=1, closefd=False) as out, contextlib.redirect_stdout(out):
            embedder("default", max_epochs=10**6, checkpoint=directory, checkpoint_minutes=60, verbose=1).fit(X)

    child = in_child(work)
    os.close(writing)
    with open(reading) as lines:
        assert any("epoch 3/" in line for line in lines)
        os.kill(child, number)
        for _ in lines:  # the pipe must not be full
            pass
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    same, left = kill_again_and_again(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    print(f"same bits {same}, left {left}")

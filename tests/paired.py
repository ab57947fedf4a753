"""What a test starts: pairs of processes that train together, and one of them is at odds."""

import os
import signal
import sys
import time
import warnings
from datetime import timedelta
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import torch
from ranks import exit_code, start_ranks
from skorch.callbacks import Callback, EarlyStopping, Freezer
from torch import distributed, nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import MarginalCorruption
from sklearn_twins.networks import MLPEncoder, MLPProjector
from sklearn_twins.objectives import BarlowTwins
from sklearn_twins.preprocessing import TablePreprocessor

rng = np.random.default_rng(0)
TABLE = rng.normal(size=(64, 3)) @ rng.normal(size=(3, 5)) + rng.normal(size=(64, 5))
SMALL = {
    "encoder": MLPEncoder(hidden_dims=(16,)),
    "projector": MLPProjector(hidden_dims=(12,), projection_dim=8),
    "max_epochs": 2,
    "batch_size": 16,
    "random_state": 0,
}
CALLS = []  # of the parts that fail
SECONDS = 4  # timeout of the group in which one process stops or ends


def changed(row, column, value):
    """The table with one other value."""
    X = TABLE.copy()
    X[row, column] = value
    return X


class Trip(Callback):
    """Acts at the `at`-th call of one hook."""

    def __init__(self, hook, at, act):
        self.at = at
        setattr(self, hook, partial(self.count, act))

    def count(self, act, *args, **kwargs):
        self.at -= 1
        if self.at == 0:
            act()


def fail(error=RuntimeError):
    """Raise an error that nobody expects."""
    raise error("the disk is full")


class FailsToBuild(MLPEncoder):
    """An encoder that cannot be built."""

    def build(self, spec, n_components, generator):
        fail()


class FailsToRead(TablePreprocessor):
    """A preprocessor that cannot read X."""

    def fit_transform(self, X, y=None, *, owner=None):
        fail()


def failing_view(x, data, generator):
    """A view that cannot be made for long, in one of the processes."""
    fail_later()
    return x + 0.0


def failing_objective(z_a, z_b):
    """A loss that cannot be computed for long, in one of the processes."""
    fail_later()
    return (z_a * z_b).mean()


def fail_later():
    """Fail at the fourth call in the process that is at odds."""
    CALLS.append(1)
    if len(CALLS) > 3 and os.environ["IS_ODD"] == "True":
        fail()


def squared(z_a, z_b, power=2):
    """A loss."""
    return (z_a - z_b).abs().pow(power).mean()


def tripped(hook, at, error=RuntimeError):
    """Parameters of a fit in which a callback fails."""
    return {"callbacks": [Trip(hook, at, partial(fail, error))]}


def network():
    """A module with weights that differ between processes."""
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8))


# What one of two processes does otherwise, and what both say of it.
REFUSED = {
    "range": ({"max_epochs": -1}, "The 'max_epochs' parameter"),
    "name": ({"objective": "barlow"}, "The 'objective' parameter"),
    "device": ({"device": "tpu"}, "device='tpu'"),
    "infinity": ({"X": changed(3, 2, np.inf)}, "infinity"),
    "one row": ({"X": TABLE[:1]}, "1 sample"),
    "text": ({"X": "a table"}, "X"),
    "unlabeled": ({"unlabeled": TABLE[:, :2]}, "unlabeled"),
    "checkpoint": ({"checkpoint": "nowhere"}, "checkpoint='nowhere' works in a fit by one process"),
    "n_jobs": ({"n_jobs": 0}, "n_jobs=0"),
    "callbacks": ({"callbacks": [3]}, "callbacks"),
    "preprocessor": ({"preprocessor": FailsToRead()}, "RuntimeError: the disk is full"),
    "encoder": ({"encoder": FailsToBuild()}, "encoder must be the same"),
}
DIFFERENT = {
    "objective": ({"objective": "hsic"}, "objective must be the same"),
    "parameter of a part": ({"objective": BarlowTwins(off_diagonal_weight=0.1)}, "objective must be the same"),
    "lambda": ({"objective": lambda z_a, z_b: 0.1 * (z_a - z_b).square().mean()}, "objective must be the same"),
    "partial": ({"objective": partial(squared, power=3)}, "objective must be the same"),
    "augmentation": ({"augmentation": MarginalCorruption(0.3)}, "augmentation must be the same"),
    "batch_size": ({"batch_size": 8}, "batch_size must be the same"),
    "n_components": ({"n_components": 6}, "n_components must be the same"),
    "width": ({"encoder": MLPEncoder(hidden_dims=(12,))}, "encoder must be the same"),
    "projector": ({"projector": MLPProjector(hidden_dims=(12,), projection_dim=9)}, "projector must be the same"),
    "module": ({"encoder": network()}, "encoder must be the same"),
    "max_epochs": ({"max_epochs": 3}, "max_epochs must be the same"),
    "learning_rate": ({"learning_rate": 0.1}, "learning_rate must be the same"),
    "optimizer": ({"optimizer": "sgd"}, "optimizer must be the same"),
    "early_stopping": ({"early_stopping": True}, "early_stopping must be the same"),
    "precision": ({"precision": "bfloat16"}, "precision must be the same"),
    "freezer": ({"callbacks": [Freezer("encoder.*")]}, "callbacks must be the same"),
    "value": ({"X": changed(40, 1, 0.123)}, "X must be the same"),
    "order": ({"X": TABLE[::-1]}, "X must be the same"),
    "rows": ({"X": TABLE[:60]}, "X must be the same"),
    "columns": ({"X": TABLE[:, :4]}, "X must be the same"),
    "unlabeled": ({"unlabeled": TABLE[:20]}, "X must be the same"),
    "groups": ({"groups": np.arange(len(TABLE)) // 2}, "groups must be the same"),
    "warm start": ({"warm_start": True, "fresh": True}, "the fit that goes on must be the same"),
    "chunk": ({"method": "partial_fit", "X": TABLE[:32]}, "X must be the same"),
}
# What the other process does.
EVEN = {
    "lambda": {"objective": lambda z_a, z_b: 0.2 * (z_a - z_b).square().mean()},
    "partial": {"objective": partial(squared, power=4)},
}
FAILING = {
    "begin": (tripped("on_train_begin", 1), "the disk is full"),
    "first batch": (tripped("on_batch_begin", 1), "the disk is full"),
    "batch": (tripped("on_batch_end", 3), "the disk is full"),
    "epoch": (tripped("on_epoch_end", 1, OSError), "OSError: the disk is full"),
    "last epoch": (tripped("on_epoch_end", 2), "the disk is full"),
    "end": (tripped("on_train_end", 1), "the disk is full"),
    "interrupt": (tripped("on_batch_end", 6, KeyboardInterrupt), "KeyboardInterrupt: the disk is full"),
    "exit": (tripped("on_batch_end", 2, SystemExit), "SystemExit: the disk is full"),
}
# Both have such a part, which fails in one of them.
FAILING_PARTS = {"augmentation": failing_view, "objective": failing_objective}
# What may differ.
SOUND = {
    "random_state": {"random_state": 7},
    "n_jobs": {"n_jobs": 2},
    "storage": {"storage": "host"},
    "callback": {"callbacks": [Callback()]},
    "weights": {"encoder": network},
    "early end": {"callbacks": [EarlyStopping("train_loss", patience=1, threshold=1e9)], "max_epochs": 9},
}


def attempt(X=TABLE, method="fit", fresh=False, unlabeled=None, groups=None, **params):
    """Fit an embedder, unless `fresh` a fitted one: what it says, how long it takes, and whether it keeps its fit."""
    begun = time.monotonic()
    params = {name: value() if value is network else value for name, value in params.items()}
    embedder = (BarlowTwinsEmbedder() if fresh else fitted()).set_params(**{**SMALL, **params})
    before, said = vars(embedder).get("encoder_"), None
    try:
        more = {"unlabeled": unlabeled, "groups": groups}
        getattr(embedder, method)(X, **{name: rows for name, rows in more.items() if rows is not None})
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    after = vars(embedder).get("encoder_")
    return {
        "said": said,
        "seconds": time.monotonic() - begun,
        "kept": after is before,
        "weights": [] if after is before else [tensor.numpy() for tensor in after.state_dict().values()],
        "n_iter": getattr(embedder, "n_iter_", 0),
    }


def fitted():
    """An embedder that this process has fitted alone."""
    alone = BarlowTwinsEmbedder(**SMALL)
    alone.__dict__.update(STATE)
    return alone


def all_cases(rank):
    """Run all cases, with this process at odds in every second one."""
    seen = {}

    def run(kind, name, odd, even):
        seen[kind, name] = attempt(**(odd if len(seen) % 2 == rank else even))

    for kind, cases in {"refused": REFUSED, "different": DIFFERENT, "failing": FAILING}.items():
        for name, (odd, _) in cases.items():
            even = {key: value for key, value in odd.items() if key in ("method", "warm_start")} | EVEN.get(name, {})
            run(kind, name, odd, even)
    for name, part in FAILING_PARTS.items():
        CALLS.clear()
        os.environ["IS_ODD"] = str(len(seen) % 2 == rank)
        run("part", name, {name: part}, {name: part})
    for name, odd in SOUND.items():
        even = {key: value for key, value in odd.items() if key in ("encoder", "max_epochs")}
        run("sound", name, odd, even)
    return seen


def stop():
    """Stop this process, until the test lets it go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


ENDINGS = {"absent": None, "stopped": stop, "killed": partial(os._exit, 3)}
ODD = {"absent": 1, "stopped": 0, "killed": 0}  # the first process keeps the board, which ends with it


def fit_alone():
    """Fit before there is a process group."""
    global STATE
    alone = BarlowTwinsEmbedder(**SMALL).fit(TABLE)
    STATE = {name: value for name, value in vars(alone).items() if name not in alone.get_params(deep=False)}


def see_all_cases(place, rank):
    """The environment says who trains along."""
    joblib.dump(all_cases(rank), place / f"cases-{rank}.pkl")


def see_an_ending(what, place, rank):
    """Fit with a process that ends without a word; the exit code."""
    url, timeout = f"tcp://localhost:{os.environ['MASTER_PORT']}", timedelta(seconds=SECONDS)
    distributed.init_process_group("gloo", init_method=url, rank=rank, world_size=2, timeout=timeout)
    if rank == ODD[what] and what == "absent":  # it fails before it comes to fit
        return 3
    params = {"callbacks": [Trip("on_batch_end", 3, ENDINGS[what])]} if rank == ODD[what] else {}
    joblib.dump(attempt(**params), place / f"{what}-{rank}.pkl")


def main(place):
    """Run everything; write down what each process saw, and how it ended."""
    fit_alone()
    pairs = {what: start_ranks(2, partial(see_an_ending, what, place)) for what in ENDINGS}
    codes = {}
    for what, pair in pairs.items():
        other = exit_code(pair[1 - ODD[what]])
        if what == "stopped":
            os.kill(pair[ODD[what]], signal.SIGCONT)
        codes[what] = exit_code(pair[ODD[what]]), other
    codes["cases"] = tuple(exit_code(child) for child in start_ranks(2, partial(see_all_cases, place)))
    joblib.dump(codes, place / "codes.pkl")


if __name__ == "__main__":
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)  # from Python 3.12 on
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))

"""Callbacks of the loop: learning rate, timing, snapshots, checkpoints, progress; checks of the user's callbacks."""

import inspect
import math
import time

from skorch.callbacks import Callback, EpochScoring, InputShapeSetter, LRScheduler, ParamMapper

from .._runtime._printing import print_line
from .._runtime._progress_bar import Bar, TimeEstimator, format_time_left
from .._runtime._tensors_as_arrays import copy_tensors
from ._net import StopTraining
from ._optimizers import set_rate

SECONDS_TO_FIRST_LINE, SECONDS_BETWEEN_LINES = 10, 60  # within an epoch


class LearningRate(Callback):
    """Set the learning rate before every step, and record it with the epoch.

    Parameters
    ----------
    rate : callable
        Function of the step, counted from 0 over all runs, that returns the learning rate.
    step : int
        Number of steps before this run.
    """

    def __init__(self, rate, step):
        self.rate = rate
        self.step = step

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        if training:
            self.last = self.rate(self.step)
            set_rate(net.optimizer_, self.last)
            net.step = self.step
            self.step += 1

    def on_epoch_end(self, net, **kwargs):
        net.history.record("lr", self.last)


class Timer(Callback):
    """Record the seconds of an epoch, including validation and other callbacks."""

    def on_epoch_begin(self, net, **kwargs):
        self.start = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        net.history.record("seconds", max(0.0, time.perf_counter() - self.start))


def rows_per_second(row):
    """Compute the speed of an epoch; NaN if the clock stood still, as a test's own may."""
    return row["train_rows"] / row["seconds"] if row["seconds"] else math.nan


class EpochHooks(Callback):
    """Call the caller's functions around each epoch.

    Parameters
    ----------
    begin : callable
        Called before each epoch.
    end : callable
        Called after each epoch; training stops if it returns True.
    """

    def __init__(self, begin, end):
        self.begin = begin
        self.end = end

    def on_epoch_begin(self, net, **kwargs):
        self.begin()

    def on_epoch_end(self, net, **kwargs):
        return StopTraining if self.end() else None


class Snapshot(Callback):
    """Keep a copy of the training state after the last finished epoch, if it is finite.

    Parameters
    ----------
    stopping : EarlyStopping or None
        Callback whose state is kept too. It must come before this one.
    """

    def __init__(self, stopping):
        self.stopping = stopping
        self.state = None

    def on_epoch_end(self, net, **kwargs):
        if not net.is_finite():
            return
        self.state = {
            "module": copy_tensors(net.module_.state_dict()),
            "optimizer": copy_tensors(net.optimizer_.state_dict()),
            "generators": {name: g.get_state() for name, g in net.generators.items()},
            "n_epochs": len(net.history),
            "stopping": attributes_of(self.stopping) if self.stopping else {},
        }


def attributes_of(callback):
    """Collect a callback's attributes that end in an underscore: its state."""
    return {name: value for name, value in vars(callback).items() if name.endswith("_")}


class CheckpointSaver(Callback):
    """Save a checkpoint when one is due, and when a signal asks the process to end.

    Parameters
    ----------
    checkpoint : Checkpoint
        Place and interval of the checkpoints.
    """

    def __init__(self, checkpoint):
        self.checkpoint = checkpoint

    def on_epoch_end(self, net, **kwargs):
        if self.checkpoint.is_due:
            self.checkpoint.save()

    def on_batch_end(self, net, **kwargs):
        if self.checkpoint.signals.noted is not None:
            self.checkpoint.stop()


def describe(row):
    """Describe an epoch in words: its loss, terms and validation loss."""
    not_terms = ("loss", "batch_count", "rows", "excess_redundancy", "pseudo_share", "pseudo_agreement")
    names = [name.removeprefix("train_") for name in row if name.startswith("train_")]
    terms = {name: row[f"train_{name}"] for name in names if name not in not_terms}
    text = f"loss {row['train_loss']:.4g}"
    if terms:
        is_sum = math.isclose(sum(terms.values()), row["train_loss"], rel_tol=1e-3)
        text += f" ({(' + ' if is_sum else ', ').join(f'{name} {value:.4g}' for name, value in terms.items())})"
    if "valid_loss" in row:
        text += f"  validation {row['valid_loss']:.4g}"
    if "train_excess_redundancy" in row:
        text += f"  above noise {row['train_excess_redundancy']:.4g}"
    return text


class Progress(Callback):
    """Show the progress of training, and the time left.

    A batch counts as done when its work has been queued: the GPU is not waited for.

    Parameters
    ----------
    first, last : int
        Number of epochs before this run, and of all epochs.
    n_batches : int
        Number of batches in an epoch.
    at_most : bool
        Whether training may end before the last epoch.
    """

    def __init__(self, first, last, n_batches, at_most):
        self.first, self.last, self.n_batches, self.at_most = first, last, n_batches, at_most

    def on_epoch_begin(self, net, **kwargs):
        self.batch = 0

    def on_batch_end(self, net, training=None, **kwargs):
        if training:
            self.batch += 1
            self.on_progress(net, self.first + len(net.history) - 1 + self.batch / self.n_batches)

    def epochs_done(self, net):
        """Count the epochs done."""
        return self.first + len(net.history)

    def close(self):
        """End the display, after an error too."""


class EpochLines(Progress):
    """Print a line after each epoch, and lines within long epochs."""

    def on_train_begin(self, net, **kwargs):
        self.estimator = TimeEstimator(self.last, self.epochs_done(net))
        self.due = time.perf_counter() + SECONDS_TO_FIRST_LINE

    def on_progress(self, net, done):
        """Print a line if the last one was long ago."""
        self.estimator.update(done)
        if time.perf_counter() >= self.due and self.batch < self.n_batches:
            self.print(f"epoch {self.epochs_done(net)}/{self.last}  batch {self.batch}/{self.n_batches}")

    def on_epoch_end(self, net, **kwargs):
        row, done = net.history[-1], self.epochs_done(net)
        self.estimator.update(done)
        speed = f"  {rows_per_second(row):,.0f} rows/s" if row["seconds"] else ""
        self.print(f"epoch {done}/{self.last}  {describe(row)}  lr {row['lr']:.2g}{speed}")

    def print(self, line):
        """Print a line, with the time left."""
        self.due = time.perf_counter() + SECONDS_BETWEEN_LINES
        left = format_time_left(self.estimator.seconds_left(), self.at_most)
        print_line("  ".join(filter(None, [line, left])))


class EpochBar(Progress):
    """Show a bar that counts epochs, and moves within them."""

    bar = None

    def on_train_begin(self, net, **kwargs):
        self.note = None
        self.bar = Bar("training", self.last, "epochs", self.epochs_done(net), self.at_most)

    def on_progress(self, net, done):
        """Move the bar; before the first loss, the number of the batch is below it."""
        self.bar.update(done, self.note or f"batch {self.batch}/{self.n_batches}")

    def on_epoch_end(self, net, **kwargs):
        self.note = describe(net.history[-1])
        self.bar.update(self.epochs_done(net), self.note)

    def close(self):
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def unpack(callbacks):
    """List (callback, class) for each item: a callback, a class, or a pair of a name and one of these."""
    found = [item[1] if isinstance(item, (tuple, list)) and len(item) == 2 else item for item in callbacks or []]
    return [(callback, callback if isinstance(callback, type) else type(callback)) for callback in found]


def reaches_into_steps(callbacks):
    """Whether a callback uses the gradients of each step, or freezes weights during training."""
    return any(
        issubclass(kind, ParamMapper)
        or kind.on_grad_computed is not Callback.on_grad_computed
        or "on_grad_computed" in getattr(callback, "__dict__", ())
        for callback, kind in unpack(callbacks)
    )


def check_callbacks(callbacks, validated=True):
    """Check the user's callbacks.

    Parameters
    ----------
    callbacks : list or None
        Parameter of the embedder.
    validated : bool, default=True
        Whether rows are held out for validation.

    Raises
    ------
    TypeError
        If an item is neither a skorch callback nor a (name, callback) pair, or sets the learning rate.
    ValueError
        If two callbacks share a name, or one monitors a figure that is never recorded.
    """
    kinds = unpack(callbacks)
    for item, (callback, kind) in zip(callbacks or [], kinds, strict=True):
        if issubclass(kind, LRScheduler):
            raise TypeError(f"callbacks must not set the learning rate; use lr_schedule. Got {item!r}.")
        if not issubclass(kind, Callback):
            raise TypeError(f"callbacks must hold skorch callbacks or (name, callback) pairs. Got {item!r}.")
        if callback is not item and not isinstance(item[0], str):
            raise TypeError(f"callbacks must hold (name, callback) pairs whose name is a string. Got {item!r}.")
        if issubclass(kind, InputShapeSetter):
            raise TypeError(f"callbacks must not set the network's shapes: fit does. Got {item!r}.")
    names = [item[0] for item in callbacks or [] if isinstance(item, (tuple, list))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"callbacks must have unique names. Got {', '.join(map(repr, twice))} more than once.")
    recorded = any(issubclass(kind, EpochScoring) or not kind.__module__.startswith("skorch.") for _, kind in kinds)
    for callback, kind in kinds:
        check_monitor(callback, kind, validated, recorded)


def check_monitor(callback, kind, validated, recorded):
    """Refuse a callback that monitors a figure that is never recorded.

    Parameters
    ----------
    callback : Callback or type
        Callback, or its class.
    kind : type
        Class of the callback.
    validated : bool
        Whether there is a validation loss.
    recorded : bool
        Whether another callback may record the best figures so far.
    """
    by_default = inspect.signature(kind).parameters.get("monitor")
    monitor = getattr(callback, "monitor", getattr(by_default, "default", None))
    if not isinstance(monitor, str):
        return
    if monitor.startswith("valid_") and not validated:
        raise ValueError(
            f"callbacks has {callback!r}, whose monitor={monitor!r} needs held-out rows. Set "
            "early_stopping=True, or monitor='train_loss'."
        )
    if monitor.endswith("_best") and not recorded:
        raise ValueError(
            f"callbacks has {callback!r}, whose monitor={monitor!r} is never recorded. Give monitor=None, or a "
            "function of the net: lambda net: net.history[-1, 'train_loss'] <= min(net.history[:, 'train_loss'])."
        )
    if not (monitor.startswith(("train_", "valid_")) or monitor in ("lr", "seconds") or recorded):
        raise ValueError(
            f"callbacks has {callback!r}, whose monitor={monitor!r} is never recorded. Use skorch's names: "
            "'train_loss' for history_'s 'loss', 'train_invariance' and so on for the objective's terms, 'valid_loss' "
            "with early_stopping=True, or 'lr'."
        )

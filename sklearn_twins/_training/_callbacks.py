"""What happens around epochs: the learning rate, a line or a bar of progress, a snapshot, the caller's hooks."""

import inspect
import time

from skorch.callbacks import Callback, EpochScoring, InputShapeSetter, LRScheduler, ParamMapper

from .._runtime._progress_bar import Bar, TimeEstimator, format_time_left
from .._runtime._tensors_as_arrays import copy_tensors
from ._net import StopTraining
from ._optimizers import set_rate

SECONDS_TO_FIRST_LINE, SECONDS_BETWEEN_LINES = 10, 60  # of epochs that take longer


class LearningRate(Callback):
    """Set the learning rate before every step and record it with the epoch.

    Parameters
    ----------
    rate : callable
        Step, counted from 0 over all runs -> learning rate.
    step : int
        Steps taken before this run.
    """

    def __init__(self, rate, step):
        self.rate = rate
        self.step = step

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        if training:
            self.last = self.rate(self.step)
            set_rate(net.optimizer_, self.last)
            self.step += 1

    def on_epoch_end(self, net, **kwargs):
        net.history.record("lr", self.last)


class Timer(Callback):
    """Record an epoch's seconds, validation and other callbacks' batches included."""

    def on_epoch_begin(self, net, **kwargs):
        self.start = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        net.history.record("seconds", time.perf_counter() - self.start)


class EpochHooks(Callback):
    """Tell the caller of each epoch; stop when it says so.

    Parameters
    ----------
    begin : callable
        Called before an epoch.
    end : callable
        Called after an epoch; training stops if it returns True.
    """

    def __init__(self, begin, end):
        self.begin = begin
        self.end = end

    def on_epoch_begin(self, net, **kwargs):
        self.begin()

    def on_epoch_end(self, net, **kwargs):
        return StopTraining if self.end() else None


class LastEpoch(Callback):
    """Keep what was trained as it was after the last finished epoch that left it finite.

    Parameters
    ----------
    stopping : EarlyStopping or None
        What decides when to stop; its notes are kept too. It must have been told of the epoch before this one.
    """

    def __init__(self, stopping):
        self.stopping = stopping
        self.snapshot = None

    def on_epoch_end(self, net, **kwargs):
        if not net.is_finite():
            return
        self.snapshot = {
            "module": copy_tensors(net.module_.state_dict()),
            "optimizer": copy_tensors(net.optimizer_.state_dict()),
            "generators": {name: g.get_state() for name, g in net.generators.items()},
            "n_epochs": len(net.history),
            "stopping": notes_of(self.stopping) if self.stopping else {},
        }


def notes_of(callback):
    """What a callback has noted, in attributes that end in an underscore."""
    return {name: value for name, value in vars(callback).items() if name.endswith("_")}


class Saver(Callback):
    """Save each epoch after which a checkpoint is due; and the last one, if a signal wants the process to end.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where to, and when.
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
    """An epoch's figures in words."""
    not_terms = ("loss", "batch_count", "rows", "excess_redundancy")
    names = [name.removeprefix("train_") for name in row if name.startswith("train_")]
    terms = [f"{name} {row['train_' + name]:.4g}" for name in names if name not in not_terms]
    text = f"loss {row['train_loss']:.4g}"
    if terms:
        text += f" ({' + '.join(terms)})"
    if "valid_loss" in row:
        text += f"  validation {row['valid_loss']:.4g}"
    if "train_excess_redundancy" in row:
        text += f"  above noise {row['train_excess_redundancy']:.4g}"
    return text


class Progress(Callback):
    """Show how far training is, and how long the rest takes.

    Batches are counted, not waited for.

    Parameters
    ----------
    first, last : int
        Epochs done before this run, and epochs in all.
    n_batches : int
        Of an epoch.
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
            self.told(net, self.first + len(net.history) - 1 + self.batch / self.n_batches)

    def done(self, net):
        """Epochs done."""
        return self.first + len(net.history)

    def close(self):
        """End, whether training ended well or not."""


class Lines(Progress):
    """Print a line an epoch; and in long ones a line now and then."""

    def on_train_begin(self, net, **kwargs):
        self.estimator = TimeEstimator(self.last, self.done(net))
        self.due = time.perf_counter() + SECONDS_TO_FIRST_LINE

    def told(self, net, done):
        """Print a line if there has been none for long."""
        self.estimator.update(done)
        if time.perf_counter() >= self.due and self.batch < self.n_batches:
            self.print(f"epoch {self.done(net)}/{self.last}  batch {self.batch}/{self.n_batches}")

    def on_epoch_end(self, net, **kwargs):
        row, done = net.history[-1], self.done(net)
        self.estimator.update(done)
        rate = f"lr {row['lr']:.2g}  {row['train_rows'] / row['seconds']:,.0f} rows/s"
        self.print(f"epoch {done}/{self.last}  {describe(row)}  {rate}")

    def print(self, line):
        """Print a line, with the time left."""
        self.due = time.perf_counter() + SECONDS_BETWEEN_LINES
        print(
            "  ".join(filter(None, [line, format_time_left(self.estimator.seconds_left(), self.at_most)])), flush=True
        )


class EpochBar(Progress):
    """Show a bar over the epochs, which moves within them."""

    bar = None

    def on_train_begin(self, net, **kwargs):
        self.note = None
        self.bar = Bar("training", self.last, "epochs", self.done(net), self.at_most)

    def told(self, net, done):
        """Move the bar; as long as there is no loss, the number of the batch stands below it."""
        self.bar.update(done, self.note or f"batch {self.batch}/{self.n_batches}")

    def on_epoch_end(self, net, **kwargs):
        self.note = describe(net.history[-1])
        self.bar.update(self.done(net), self.note)

    def close(self):
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def unpacked(callbacks):
    """Each callback and its class, of (name, callback) pairs, classes and callbacks.  # list of pairs"""
    found = [item[1] if isinstance(item, (tuple, list)) and len(item) == 2 else item for item in callbacks or []]
    return [(callback, callback if isinstance(callback, type) else type(callback)) for callback in found]


def reaches_into_steps(callbacks):
    """Whether a callback wants each step's gradients, or changes which weights are trained while training goes on."""
    return any(
        issubclass(kind, ParamMapper)
        or kind.on_grad_computed is not Callback.on_grad_computed
        or "on_grad_computed" in getattr(callback, "__dict__", ())
        for callback, kind in unpacked(callbacks)
    )


def check_callbacks(callbacks, validated=True):
    """Refuse what skorch's loop could not call.

    Parameters
    ----------
    callbacks : list or None
        As the user gave them.
    validated : bool, default=True
        Whether rows are held out.

    Raises
    ------
    TypeError
        If an item is neither a skorch callback nor a (name, callback) pair.
    ValueError
        If two have one name, or one waits for a figure that is not there.
    """
    kinds = unpacked(callbacks)
    for item, (callback, kind) in zip(callbacks or [], kinds, strict=True):
        if issubclass(kind, LRScheduler):
            raise TypeError(f"callbacks must not set the learning rate; use lr_schedule. Got {item!r}.")
        if not issubclass(kind, Callback):
            raise TypeError(f"callbacks must hold skorch callbacks or (name, callback) pairs. Got {item!r}.")
        if callback is not item and not isinstance(item[0], str):
            raise TypeError(f"callbacks must hold pairs whose first is a name. Got {item!r}.")
        if issubclass(kind, InputShapeSetter):
            raise TypeError(f"callbacks must not set the network's shapes, which fit finds. Got {item!r}.")
    names = [item[0] for item in callbacks or [] if isinstance(item, (tuple, list))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"callbacks must have names of their own. Got {', '.join(map(repr, twice))} more than once.")
    recorded = any(issubclass(kind, EpochScoring) or not kind.__module__.startswith("skorch.") for _, kind in kinds)
    for callback, kind in kinds:
        check_monitor(callback, kind, validated, recorded)


def check_monitor(callback, kind, validated, recorded):
    """Refuse a callback that waits for a figure which no epoch will have.

    Parameters
    ----------
    callback, kind : Callback, type
        It, or its class, and its class.
    validated : bool
        Whether there is a validation loss.
    recorded : bool
        Whether another callback may record which figures are the best so far.
    """
    by_default = inspect.signature(kind).parameters.get("monitor")
    monitor = getattr(callback, "monitor", getattr(by_default, "default", None))
    if not isinstance(monitor, str):
        return
    if monitor.startswith("valid_") and not validated:
        raise ValueError(
            f"callbacks has {callback!r}, whose monitor={monitor!r} needs rows that are held out. Set "
            "early_stopping=True, or monitor='train_loss'."
        )
    if monitor.endswith("_best") and not recorded:
        raise ValueError(
            f"callbacks has {callback!r}, whose monitor={monitor!r} nothing records. Give monitor=None, or a function "
            "of the net, such as lambda net: net.history[-1, 'train_loss'] <= min(net.history[:, 'train_loss'])."
        )

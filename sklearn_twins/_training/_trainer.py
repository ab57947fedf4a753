"""One run of training: what it needs, what it leaves."""

from dataclasses import dataclass, field

import torch
from skorch.callbacks import EarlyStopping

from .._runtime._tensors_as_arrays import to_arrays, to_tensors
from ._batches import batch_layout
from ._callbacks import EpochBar, EpochHooks, LastEpoch, LearningRate, Lines, Saver, Timer, unpacked
from ._distributed import ONE_PROCESS, ProcessGroup
from ._net import StopTraining, Twins, TwinsNet
from ._optimizers import portable
from ._schedules import SCHEDULES

STREAM_WARMUP_STEPS = 100


@dataclass(frozen=True)
class Plan:
    """How to train.

    Parameters
    ----------
    optimizer : str or callable
        See `make_optimizer`.
    learning_rate, weight_decay : float
        Peak learning rate; decay of parameters with more than one axis.
    lr_schedule : str or callable
        A name of `SCHEDULES`, "stream" (a fixed number of warm-up steps, then constant: no end is known), or
        ``lr_schedule(step, n_steps) -> factor``.
    first_epoch, last_epoch : int
        Epochs done before, and epochs in all.
    batch_size : int
        Rows in a batch at most.
    device : torch.device
        Where everything is.
    autocast : torch.dtype or None, default=None
        Type of the matrix products; None for float32.
    n_iter_no_change : int or None, default=None
        Epochs without a better validation loss after which training stops; None without validation.
    tol : float, default=0.0
        What counts as better.
    callbacks : list, default=[]
        skorch's.
    verbose : int, default=0
        1 for a line an epoch, 2 for a bar.
    keep_epochs : bool, default=False
        Whether an interrupted run can be wound back to its last finished epoch.
    compiled : callable, default=None
        ``compiled(module) -> callable``: what passes a batch through the networks; None: the networks themselves.
    recorder : callable, default=None
        ``recorder(device) -> recorder``, such as `GraphRecorder`: whole steps are recorded and replayed. None: they are
        executed one by one. The rows must be a tensor, the optimizer one of the named ones.
    process_group : ProcessGroup, default=ONE_PROCESS
        The processes that train together; one by itself.
    checkpoint : Checkpoint, default=None
        Where epochs are saved, which then have to be kept (`keep_epochs`).
    """

    optimizer: object
    learning_rate: float
    weight_decay: float
    lr_schedule: object
    first_epoch: int
    last_epoch: int
    batch_size: int
    device: torch.device
    autocast: torch.dtype = None
    n_iter_no_change: int = None
    tol: float = 0.0
    callbacks: list = field(default_factory=list)
    verbose: int = 0
    keep_epochs: bool = False
    compiled: callable = None
    recorder: callable = None
    process_group: ProcessGroup = ONE_PROCESS
    checkpoint: object = None


class Training:
    """One run: an encoder and a projector, trained on resident rows.

    Parameters
    ----------
    plan : Plan
        How to train.
    encoder, projector : nn.Module
        What to train; moved to the plan's device.
    objective : callable
        Two projections -> scalar tensor; with a method `terms`, the dict of its named terms.
    make_views : callable
        ``make_views(x, data, generator) -> (x_a, x_b)``
    train, valid : Tensor of shape (n, *sample_shape) or HostRows; the same or None
        Rows to train on, and rows to watch. Those of a tensor are moved to the plan's device.
    generators : dict of str to torch.Generator
        "batches", "views" and "validation", on the plan's device; of several ranks, "batches" is the same in all.
    state : dict, default=None
        What an earlier run left (see `warm_start_state`), to be carried on.
    mix : callable, default=None
        ``mix(x_a, x_b, generator=) -> (x_m, (share, partners))``, for an objective that has `mixed_terms`: of each
        row, a share of shape (batch, 1) and the row that it was mixed with.
    """

    def __init__(self, plan, encoder, projector, objective, make_views, train, valid, generators, state=None, mix=None):
        self.plan = plan
        self.train, self.valid = (
            rows.to(plan.device) if isinstance(rows, torch.Tensor) else rows for rows in (train, valid)
        )
        module = Twins(encoder, projector).to(plan.device)
        plan.process_group.broadcast_module(module)
        self.n_steps = state["n_steps"] if state else 0
        self.stopping = self._stopping()
        self.last = LastEpoch(self.stopping)
        self.learning_rate = LearningRate(self.rate_schedule(), self.n_steps)
        self.progress = self._progress()
        self.hooks = EpochHooks(lambda: None, lambda: False)
        self.resumed = None
        if state:
            module.projector.load_state_dict(to_tensors(state["projector"]))
        self.net = TwinsNet(module, objective, make_views, plan, generators, mix, callbacks=self._callbacks())
        self.net.validation_state = generators["validation"].get_state()
        self.net.initialize()
        if state:
            self._restore(state)

    @property
    def encoder(self):
        """The encoder as trained so far."""
        return self.net.module_.encoder

    def run(self, on_epoch_begin, on_epoch_end):
        """Train.

        Parameters
        ----------
        on_epoch_begin, on_epoch_end : callable
            Called without arguments around each epoch; training stops when the latter returns True.

        Raises
        ------
        ValueError
            If the loss or a weight is not finite.
        """
        self.hooks.begin, self.hooks.end = on_epoch_begin, on_epoch_end
        net, n_epochs = self.net, self.plan.last_epoch - self.plan.first_epoch - len(self.net.history)
        try:
            net.notify("on_train_begin", X=None, y=None)
            if self.stopping and self.resumed:
                vars(self.stopping).update(self.resumed)
            try:
                if not (self.stopping and self.stopping.misses_ >= self.stopping.patience):
                    net.fit_loop((self.train, self.valid), epochs=n_epochs)
            except StopTraining:
                pass
            net.check_weights()
            net.notify("on_train_end", X=None, y=None)
        finally:
            if self.progress:
                self.progress.close()

    def share_rows(self, rows):
        """Train on rows that another run holds too; they must be equal to this run's own."""
        self.train = rows

    def release(self):
        """Let go of the rows, a recorded step, and the caller's hooks, which may refer back to the run."""
        self.net.forget_recording()
        self.train = self.valid = self.net.donors = None
        self.hooks.begin = self.hooks.end = None

    def checkpoint_state(self):
        """What `resume` takes: the last finished epoch, as arrays, numbers and strings; None before the first one."""
        snapshot = self.last.snapshot
        if snapshot is None:
            return None
        rows = self.net.history[: snapshot["n_epochs"]]
        return {
            **to_arrays({**snapshot, "optimizer": portable(snapshot["optimizer"])}),
            "rows": [{name: value for name, value in row.items() if name != "batches"} for row in rows],
            "device": self.plan.device.type,
        }

    def resume(self, saved):
        """Go on from what `checkpoint_state` gave, when this run runs.

        Parameters
        ----------
        saved : dict
            Of a run of the same plan, parts and rows.
        """
        net = self.net
        net.module_.load_state_dict(to_tensors(saved["module"]))
        self._restore({**saved, "drawn_by": (saved["device"], self.plan.process_group.rank)})
        net.history.extend({**row, "batches": []} for row in saved["rows"])
        self.learning_rate.step += sum(net.history[:, "train_batch_count"])
        self.resumed = to_tensors(saved["stopping"])

    def rewind(self):
        """Return to the last finished epoch.

        Returns
        -------
        possible : bool
            False if none was finished, or `keep_epochs` is off; then nothing is changed.
        """
        snapshot = self.last.snapshot
        if snapshot is None:
            return False
        self.net.module_.load_state_dict(snapshot["module"])
        self.net.optimizer_.load_state_dict(snapshot["optimizer"])
        for name, state in snapshot["generators"].items():
            self.net.generators[name].set_state(state)
        del self.net.history[snapshot["n_epochs"] :]
        return True

    def warm_start_state(self):
        """What the next run needs beside the encoder, as NumPy arrays.

        Returns
        -------
        state : dict
            "projector", "optimizer", "generators" (with "drawn_by", the kind of device and the rank) and "n_steps".
        """
        return {
            "projector": to_arrays(self.net.module_.projector.state_dict()),
            "optimizer": to_arrays(portable(self.net.optimizer_.state_dict())),
            "generators": to_arrays({name: g.get_state() for name, g in self.net.generators.items()}),
            "drawn_by": (self.plan.device.type, self.plan.process_group.rank),
            "n_steps": self.n_steps + sum(self.net.history[:, "train_batch_count"]),
        }

    def history(self):
        """One row an epoch, as a dict of lists."""
        rows = self.net.history
        return {
            "epoch": [self.plan.first_epoch + 1 + i for i in range(len(rows))],
            **{
                name.removeprefix("train_"): rows[:, name]
                for name in (rows[0] if len(rows) else ())
                if name.startswith(("train_", "valid_")) and not name.endswith(("_batch_count", "_rows"))
            },
            "learning_rate": [row["lr"] for row in rows],
            "seconds": [row["seconds"] for row in rows],
            "rows_per_second": [row["train_rows"] / row["seconds"] for row in rows],
        }

    def _callbacks(self):
        plan = self.plan
        callbacks = [self.learning_rate, Timer(), *(plan.callbacks or [])]
        if self.stopping:
            callbacks.append(self.stopping)
        if plan.keep_epochs:
            callbacks.append(self.last)
        if plan.checkpoint:
            callbacks.append(Saver(plan.checkpoint))
        if self.progress:
            callbacks.append(self.progress)
        return [*callbacks, self.hooks]

    def _stopping(self):
        plan = self.plan
        if plan.n_iter_no_change is None:
            return None
        return EarlyStopping(patience=plan.n_iter_no_change, threshold=plan.tol, threshold_mode="abs", load_best=True)

    def _progress(self):
        plan = self.plan
        if not plan.verbose:
            return None
        kind, n_batches = Lines if plan.verbose == 1 else EpochBar, batch_layout(len(self.train), plan.batch_size)[0]
        at_most = self.stopping is not None or any(issubclass(k, EarlyStopping) for _, k in unpacked(plan.callbacks))
        return kind(plan.first_epoch, plan.last_epoch, n_batches, at_most)

    def rate_schedule(self):
        plan, peak = self.plan, self.plan.learning_rate
        if plan.lr_schedule == "stream":
            return lambda step: peak * min(1.0, (step + 1) / STREAM_WARMUP_STEPS)
        schedule = SCHEDULES[plan.lr_schedule] if isinstance(plan.lr_schedule, str) else plan.lr_schedule
        n_steps = self.n_steps + batch_layout(len(self.train), plan.batch_size)[0] * (
            plan.last_epoch - plan.first_epoch
        )
        return lambda step: peak * schedule(step, n_steps)

    def _restore(self, state):
        self.net.optimizer_.load_state_dict(to_tensors(state["optimizer"]))
        lay_out(self.net.optimizer_)
        self.net.prepare_optimizer()
        device, rank = state["drawn_by"]
        for name, saved in to_tensors(state["generators"]).items():
            own = name == "batches" or rank == self.plan.process_group.rank  # of batches all ranks draw the same
            if own and device == self.plan.device.type and name in self.net.generators:
                self.net.generators[name].set_state(saved)


def lay_out(optimizer):
    """Bring an optimizer's state into its parameters' order in memory, which a stored array does not keep.

    A fused optimizer walks through both at once, as if they had the same.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)

"""One run of training: its plan, the run itself, and the state from which another run can continue."""

import warnings
from dataclasses import dataclass, field

import torch
from skorch.callbacks import EarlyStopping

from .._runtime._tensors_as_arrays import to_arrays, to_tensors
from ._batches import batch_layout
from ._callbacks import (
    CheckpointSaver,
    EpochBar,
    EpochHooks,
    EpochLines,
    LearningRate,
    Snapshot,
    Timer,
    rows_per_second,
    unpack,
)
from ._distributed import ONE_PROCESS, ProcessGroup
from ._net import NO_PARTNERS, StopTraining, Twins, TwinsNet
from ._optimizers import undo_recordable
from ._resume import check_saved
from ._schedules import SCHEDULES

STREAM_WARMUP_STEPS = 100


@dataclass(frozen=True)
class Plan:
    """Settings of a training run.

    Parameters
    ----------
    optimizer : str or callable
        Name of an optimizer, or a function that makes one: see `make_optimizer`.
    learning_rate : float
        Peak learning rate.
    weight_decay : float
        Weight decay of the parameters with more than one axis.
    lr_schedule : str or callable
        A name of `SCHEDULES`, ``lr_schedule(step, n_steps) -> factor``, or "stream": a fixed number of warm-up steps,
        then constant, for training without a known end.
    first_epoch, last_epoch : int
        Number of epochs before this run, and of all epochs.
    batch_size : int
        Maximum number of rows in a batch.
    device : torch.device
        Device of networks, generators and batches.
    autocast : torch.dtype or None, default=None
        Type of the matrix products; None for float32.
    n_iter_no_change : int or None, default=None
        Number of epochs without a better validation loss after which training stops; None without validation.
    tol : float, default=0.0
        Minimum improvement of the validation loss.
    callbacks : list, default=[]
        skorch callbacks of the user.
    verbose : int, default=0
        1 prints a line for each epoch, 2 shows a bar.
    keep_epochs : bool, default=False
        Whether to keep the last finished epoch, for `rewind` and `checkpoint_state`.
    compiled : callable, default=None
        ``compiled(module) -> callable`` that compiles the networks; None uses them as they are.
    recorder : callable, default=None
        ``recorder(device) -> recorder``, such as `GraphRecorder`, to record and replay whole steps. The rows must be a
        tensor, and the optimizer a named one. None executes each step.
    process_group : ProcessGroup, default=ONE_PROCESS
        Processes that train together.
    checkpoint : Checkpoint, default=None
        Checkpoints to save; it needs `keep_epochs`.
    view_shape : tuple of int or None, default=None
        Shape of one view; None for that of a row.
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
    view_shape: tuple = None


class Training:
    """One run of training.

    Parameters
    ----------
    plan : Plan
        How to train.
    encoder, projector : nn.Module
        Networks to train; they are moved to the plan's device.
    objective : callable
        Function of two projections that returns a scalar. A method `terms` returns its named terms as a dict.
    make_views : callable
        ``make_views(x, data, generator, partners) -> (x_a, x_b)``
    train : Tensor of shape (n, *sample_shape) or HostRows
        Training rows. A tensor is moved to the plan's device.
    valid : Tensor of shape (n, *sample_shape), HostRows or None
        Validation rows.
    generators : dict of str to torch.Generator
        "batches", "views" and "validation", on the plan's device. "batches" is the same in all ranks.
    state : dict, default=None
        State of an earlier run to continue from: see `warm_start_state`.
    mix : callable, default=None
        ``mix(x_a, x_b, generator=) -> (x_m, (share, partners))``, for an objective with `mixed_terms`. Each row is
        mixed with the row number `partners`, (batch,), with the weight `share`, (batch, 1).
    partners : dict of str to Partners or None, default=NO_PARTNERS
        Partners of the "train" and "valid" rows, from which second views are made.
    supervision : nn.Module, default=None
        What a joint training adds to the objective, see `TwinsNet`.
    """

    def __init__(
        self,
        plan,
        encoder,
        projector,
        objective,
        make_views,
        train,
        valid,
        generators,
        state=None,
        mix=None,
        partners=NO_PARTNERS,
        supervision=None,
    ):
        self.plan = plan
        self.train, self.valid = (
            rows.to(plan.device) if isinstance(rows, torch.Tensor) else rows for rows in (train, valid)
        )
        module = Twins(encoder, projector, supervision).to(plan.device)
        plan.process_group.broadcast_module(module)
        self.n_steps = state["n_steps"] if state else 0
        self.stopping = self._stopping()
        self.snapshot = Snapshot(self.stopping)
        self.learning_rate = LearningRate(self.rate_schedule(), self.n_steps)
        self.progress = self._progress()
        self.hooks = EpochHooks(lambda: None, lambda: False)
        self.resumed = None
        if state:
            module.projector.load_state_dict(to_tensors(state["projector"]))
            if "supervised" in state:
                module.load_state_dict(to_tensors(state["supervised"]), strict=False)
        self.net = TwinsNet(module, objective, make_views, plan, generators, mix, partners, callbacks=self._callbacks())
        self.net.validation_state = generators["validation"].get_state()
        self.net.initialize()
        if state:
            self._restore(state)

    @property
    def encoder(self):
        """The encoder that is trained; with supervision, its average over steps."""
        module = self.net.module_
        return module.encoder if module.supervision is None else module.supervision.teacher.encoder

    def run(self, on_epoch_begin, on_epoch_end):
        """Train.

        Parameters
        ----------
        on_epoch_begin, on_epoch_end : callable
            Functions without arguments that are called around each epoch. Training stops if `on_epoch_end` returns
            True.

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
        """Free the rows and a recorded step, and drop the caller's hooks, which may refer back to this run."""
        self.net.forget_recording()
        self.train = self.valid = self.net.donors = self.net.iterator = None
        self.hooks.begin = self.hooks.end = None

    def checkpoint_state(self):
        """Return the last finished epoch for `resume`, as arrays, numbers and strings; None before the first one."""
        snapshot = self.snapshot.state
        if snapshot is None:
            return None
        rows = self.net.history[: snapshot["n_epochs"]]
        return {
            **to_arrays({**snapshot, "optimizer": undo_recordable(snapshot["optimizer"])}),
            "rows": [{name: value for name, value in row.items() if name != "batches"} for row in rows],
            "device": self.plan.device.type,
        }

    def resume(self, saved):
        """Continue from a checkpoint: `run` then trains the epochs that are missing.

        Parameters
        ----------
        saved : dict
            Result of `checkpoint_state` from a run with the same plan, parts and rows.

        Raises
        ------
        UnreadableFileError
            If no such run has made it; nothing is changed then.
        """
        net = self.net
        check_saved(saved, self)
        if saved["device"] != self.plan.device.type:
            warnings.warn(
                f"The checkpoint was written on {saved['device']}, and the fit goes on on {self.plan.device.type} with "
                "other random numbers. Its result differs from that of an unbroken fit.",
                RuntimeWarning,
                stacklevel=2,
            )
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
            False if no epoch was finished, or `keep_epochs` is off; then nothing is changed.
        """
        snapshot = self.snapshot.state
        if snapshot is None:
            return False
        self.net.module_.load_state_dict(snapshot["module"])
        self.net.optimizer_.load_state_dict(snapshot["optimizer"])
        for name, state in snapshot["generators"].items():
            self.net.generators[name].set_state(state)
        del self.net.history[snapshot["n_epochs"] :]
        return True

    def warm_start_state(self):
        """Return the state that the next run needs beside the encoder, as NumPy arrays.

        Returns
        -------
        state : dict
            "projector", "optimizer", "generators" (with "drawn_by", the kind of device and the rank) and "n_steps"; and
            "supervised", the whole module, if there is a supervision.
        """
        module = self.net.module_
        more = {}
        if module.supervision is not None:
            of_rows = [f"supervision.{name}" for name in module.supervision.of_rows]
            more["supervised"] = {n: a for n, a in to_arrays(module.state_dict()).items() if n not in of_rows}
        return {
            **more,
            "projector": to_arrays(module.projector.state_dict()),
            "optimizer": to_arrays(undo_recordable(self.net.optimizer_.state_dict())),
            "generators": to_arrays({name: g.get_state() for name, g in self.net.generators.items()}),
            "drawn_by": (self.plan.device.type, self.plan.process_group.rank),
            "n_steps": self.n_steps + sum(self.net.history[:, "train_batch_count"]),
        }

    def history(self):
        """Return the history as a dict of lists, one value per epoch."""
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
            "rows_per_second": [rows_per_second(row) for row in rows],
        }

    def _callbacks(self):
        plan = self.plan
        callbacks = [self.learning_rate, Timer(), *(plan.callbacks or [])]
        if self.stopping:
            callbacks.append(self.stopping)
        if plan.keep_epochs:
            callbacks.append(self.snapshot)
        if plan.checkpoint:
            callbacks.append(CheckpointSaver(plan.checkpoint))
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
        kind = EpochLines if plan.verbose == 1 else EpochBar
        n_batches, _ = batch_layout(len(self.train), plan.batch_size)
        at_most = self.stopping is not None or any(issubclass(k, EarlyStopping) for _, k in unpack(plan.callbacks))
        return kind(plan.first_epoch, plan.last_epoch, n_batches, at_most)

    def rate_schedule(self):
        """Make the function that maps a step, counted over all runs, to its learning rate."""
        plan, peak = self.plan, self.plan.learning_rate
        if plan.lr_schedule == "stream":
            return lambda step: peak * min(1.0, (step + 1) / STREAM_WARMUP_STEPS)
        schedule = SCHEDULES[plan.lr_schedule] if isinstance(plan.lr_schedule, str) else plan.lr_schedule
        n_steps = self.n_steps + batch_layout(len(self.train), plan.batch_size)[0] * (
            plan.last_epoch - plan.first_epoch
        )
        return lambda step: peak * schedule(step, n_steps)

    def _restore(self, state):
        if "optimizer" in state:  # a joint training begins with the projector only
            self.net.optimizer_.load_state_dict(to_tensors(state["optimizer"]))
            match_memory_layout(self.net.optimizer_)
            self.net.prepare_optimizer()
        device, rank = state["drawn_by"]
        for name, saved in to_tensors(state["generators"]).items():
            own = name == "batches" or rank == self.plan.process_group.rank  # all ranks draw the same batches
            if own and device == self.plan.device.type and name in self.net.generators:
                self.net.generators[name].set_state(saved)


def match_memory_layout(optimizer):
    """Give an optimizer's state the memory layout of its parameters, which stored arrays do not keep.

    A fused optimizer reads both in the order of memory, and expects the same layout.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)

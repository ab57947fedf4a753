"""The training loop: skorch's epochs, callbacks and history over batches that are on the device."""

import math
import warnings
from types import MappingProxyType

import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from skorch.exceptions import SkorchException
from torch import nn

from ._batches import Batches
from ._cuda_graph import RecordedStep, RecordingError
from ._optimizers import make_optimizer, make_recordable

NO_PARTNERS = MappingProxyType({"train": None, "valid": None})


def check_view(view, x, autocast, shape=None):
    """Check the view that an augmentation returned.

    Parameters
    ----------
    view : Tensor of shape (batch, *sample_shape)
        View; any object if the augmentation is wrong.
    x : Tensor of shape (batch, *sample_shape)
        Rows that the view was made from.
    autocast : torch.dtype or None
        Type of the matrix products.
    shape : tuple of int or None, default=None
        Shape of one view; None for that of a row.

    Raises
    ------
    TypeError
        If the networks cannot take the view.
    """
    tensor, wanted = isinstance(view, torch.Tensor), (len(x), *(x.shape[1:] if shape is None else shape))
    fits = tensor and view.shape == wanted and view.device == x.device
    if not fits or not view.is_floating_point() or (autocast is None and view.dtype != torch.float32):
        got = f"{tuple(view.shape)}, {view.dtype} on {view.device}" if tensor else type(view).__name__
        raise TypeError(
            f"augmentation must return a tensor of its input's shape {wanted}, of float32 on {x.device}. Got {got}."
        )


def check_loss(loss, objective, z_a):
    """Check the loss that an objective returned, and return it.

    Parameters
    ----------
    loss : Tensor
        Loss; any object if the objective is wrong.
    objective : callable
        The objective.
    z_a : Tensor of shape (batch, projection_dim)
        A projection that the objective received.

    Raises
    ------
    TypeError
        If the loss is not a scalar tensor that depends on the projections.
    """
    if not isinstance(loss, torch.Tensor) or loss.dim() != 0:
        shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise TypeError(f"objective={objective!r} must return a scalar tensor. Got {shape}.")
    if not loss.is_floating_point() or loss.device != z_a.device or (z_a.requires_grad and not loss.requires_grad):
        raise TypeError(
            f"objective={objective!r} must return a float on {z_a.device} that depends on the projections by torch's "
            f"operations and is not detached. Got {loss!r}."
        )
    return loss


def check_recorded(callback, history, error):
    """Say so if a callback has failed because it monitors a figure that the history does not have."""
    monitor, row = getattr(callback, "monitor", None), history[-1] if len(history) else {}
    if isinstance(monitor, str) and row and monitor not in row:
        names = ", ".join(name for name in row if name not in ("batches", f"{monitor}_best"))
        raise ValueError(
            f"callbacks has a {type(callback).__name__} whose monitor={monitor!r} is not recorded. These are: {names}."
        ) from error


class StopTraining(Exception):
    """A callback ends training."""


class Diverged(ValueError):
    """The loss or a weight is not finite."""


class Twins(nn.Module):
    """Encoder and projector as one module, with the supervision of a joint training if there is one.

    Shape
    -----
    (batch, *sample_shape) -> (batch, projection_dim)
    """

    def __init__(self, encoder, projector, supervision=None):
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.supervision = supervision

    def forward(self, x):
        return self.projector(self.encoder(x))


class TwinsNet(NeuralNet):
    """A skorch net that trains on two views of each batch.

    skorch provides the epochs, the callbacks and the history. In contrast to skorch's own net, batches are selected
    from data on the device, losses are read once per epoch, and a keyboard interrupt is not swallowed.

    Parameters
    ----------
    module : Twins
        Module to train.
    objective : callable
        Function of two projections that returns a scalar. A method `terms` returns its named terms as a dict.
    make_views : callable
        ``make_views(x, data, generator, partners) -> (x_a, x_b)``
    plan : Plan
        How to train.
    generators : dict of str to torch.Generator
        "batches", "views" and "validation", on the device.
    mix : callable, default=None
        ``mix(x_a, x_b, generator=) -> (x_m, (share, partners))``, for an objective with `mixed_terms`.
    partners : dict of str to Partners or None
        Partners of the "train" and "valid" rows.
    """

    def __init__(self, module, objective, make_views, plan, generators, mix=None, partners=NO_PARTNERS, **kwargs):
        self.mix = mix
        self.partners = partners
        self.objective = objective
        self.make_views = make_views
        self.plan = plan
        self.project = plan.compiled(module) if plan.compiled else module
        self.generators = generators
        self.recorded = RecordedStep(plan.recorder(plan.device)) if plan.recorder else None
        super().__init__(module, criterion=nn.Identity, device=None, train_split=None, verbose=0, **kwargs)

    @property
    def _default_callbacks(self):
        return []

    def initialize_optimizer(self, triggered_directly=None):
        plan = self.plan
        self.optimizer_ = make_optimizer(
            plan.optimizer, self.module_, plan.learning_rate, plan.weight_decay, plan.device
        )
        self.prepare_optimizer()
        return self

    def prepare_optimizer(self):
        """Make the optimizer recordable if steps are recorded; to be repeated after its state is loaded."""
        if self.recorded is not None:
            make_recordable(self.optimizer_, self.plan.device, self.recorded.recorder.rate_dtype)

    def notify(self, method_name, **cb_kwargs):
        """Call every callback, and stop if one asks to; skorch's EarlyStopping does so by a KeyboardInterrupt."""
        getattr(self, method_name)(self, **cb_kwargs)
        stop = False
        for _, callback in self.callbacks_:
            try:
                stop |= getattr(callback, method_name)(self, **cb_kwargs) is StopTraining
            except KeyboardInterrupt:
                if not isinstance(callback, EarlyStopping):
                    raise
                stop = True
            except (KeyError, SkorchException) as error:
                check_recorded(callback, self.history, error)
                raise
        if method_name == "on_epoch_end":
            stop = self.plan.process_group.any(stop)  # a callback may be in one process only
        if stop:
            raise StopTraining

    def get_split_datasets(self, X, y=None, **fit_params):
        """Return X, which is the pair of training and validation rows already."""
        return X

    def get_iterator(self, dataset, training=False):
        group = self.plan.process_group
        generator = self.generators["batches"] if training else None
        partners = self.partners["train" if training else "valid"]
        return Batches(dataset, self.plan.batch_size, generator, group.rank, group.size, partners)

    def infer(self, x, generator):
        """Project two views of the rows `x`, and mixed rows if the objective uses them.

        With groups, the second half of `x` are the partners of the first half, and the second view is made from them.

        Shape
        -----
        x : (batch, *sample_shape); returns 2 x (batch, projection_dim), or 3 x and the mixture; and what the
        supervision embedded, None without it. With several ranks, x is this rank's share of the batch; projections of
        all ranks are returned.
        """
        supervision, embedded = self.module_.supervision, None
        x, partners = x.chunk(2) if self.partners["train"] else (x, None)
        x_a, x_b = self.make_views(x, self.donors, generator, partners)
        autocast, group = self.plan.autocast, self.plan.process_group
        for view in (x_a, x_b):
            check_view(view, x, autocast, self.plan.view_shape)
        with (
            group.synchronize_batch_norm(),
            torch.autocast(x.device.type, dtype=autocast, enabled=autocast is not None),
        ):
            if supervision is None:
                z_a, z_b = self.project(x_a), self.project(x_b)
            else:
                own = self.generators["labels"] if self.module_.training else generator
                rows = self.iterator.rows[: len(x)]
                embedded = supervision.embed(self.module_.encoder, x, rows, x_a, x_b, own, self.step)
                z_a, z_b = map(self.module_.projector, (embedded.a, embedded.b))
            if self.mix is None:
                return (group.gather(z_a), group.gather(z_b)), embedded
            x_m, (share, partners) = self.mix(x_a, x_b, generator=generator)
            z_m = self.project(x_m)
        mixture = group.gather(share), group.gather(partners + group.rank * len(x))
        return (group.gather(z_a), group.gather(z_b), group.gather(z_m), mixture), embedded

    def measure(self, x, generator):
        """Compute loss and terms of the rows `x`, as scalar tensors."""
        (projections, embedded), objective = self.infer(x, generator), self.objective
        self.projection_dim = projections[0].shape[1]
        if hasattr(objective, "terms"):
            terms = (objective.terms if self.mix is None else objective.mixed_terms)(*projections)
            loss = sum(terms.values())
        else:
            loss, terms = check_loss(objective(*projections), objective, projections[0]), {}
        if embedded is None:
            return loss, terms
        return self.module_.supervision.add_terms(loss, terms, embedded, self.projection_dim)

    def whole_step(self, x):
        """Take a whole training step without reading a value on the host.  # returns (1 + terms,)"""
        self.optimizer_.zero_grad(set_to_none=True)
        loss, terms = self.measure(x, self.generators["views"])
        loss.backward()
        self.optimizer_.step()
        self.term_names = list(terms)
        return torch.stack([loss.detach(), *(term.detach() for term in terms.values())])

    def train_step(self, batch, **fit_params):
        """Take a step; if the plan has a recorder, record and replay it as long as that works."""
        if self.recorded is not None:
            try:
                loss, *terms = self.recorded(self.whole_step, batch, [self.generators["views"]]).unbind()
                return {"loss": loss, "terms": dict(zip(self.term_names, terms, strict=True)), "y_pred": None}
            except RecordingError as error:
                self.forget_recording()
                warnings.warn(
                    f"compile=True: a training step could not be recorded as a CUDA graph ({error}). Training goes on "
                    "step by step, with the same result; compile=False avoids the attempt.",
                    RuntimeWarning,
                    stacklevel=2,
                )
        step = super().train_step(batch, **fit_params)
        if self.module_.supervision is not None:
            self.module_.supervision.follow(self.module_.encoder, self.step)
        return step

    def forget_recording(self):
        """Free a recorded step, and the gradients in its memory."""
        if self.recorded is not None:
            self.recorded.release()
            self.recorded = None
            self.optimizer_.zero_grad(set_to_none=True)

    def train_step_single(self, batch, **fit_params):
        loss, terms = self.measure(batch, self.generators["views"])
        loss.backward()
        self.plan.process_group.sum_gradients(self.module_)
        return {"loss": loss, "terms": terms, "y_pred": None}

    def validation_step(self, batch, **fit_params):
        with torch.no_grad():
            loss, terms = self.measure(batch, self.generators["validation"])
        return {"loss": loss, "terms": terms, "y_pred": None}

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        self._set_training(training)
        if training:
            self.donors = iterator.data
        else:  # the same views in every epoch, so that losses are comparable
            self.generators["validation"].set_state(self.validation_state)
        values, self.iterator = [], iterator
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch)
            values += [step["loss"].detach(), *(term.detach() for term in step["terms"].values())]
            self.notify("on_batch_end", batch=batch, training=training, **step)
        self.plan.process_group.any(False)  # on a GPU, what is queued would wait for a process that has failed
        names = ["loss", *step["terms"]]
        values = torch.stack(values).reshape(-1, len(names))  # (batches, 1 + terms)
        means = self.plan.process_group.broadcast(values.mean(0)).tolist()  # the epoch's one wait for the device
        self.record_epoch(prefix, dict(zip(names, means, strict=True)), iterator, self.projection_dim)
        if training and not math.isfinite(means[0]):
            bad = (~values[:, 0].isfinite()).nonzero().flatten().tolist()
            raise self.diverged(f"The loss became {means[0]}", *bad[:1])

    def record_epoch(self, prefix, means, iterator, projection_dim):
        """Record the means of an epoch's loss and terms in the history.

        Parameters
        ----------
        prefix : {"train", "valid"}
            First part of the names.
        means : dict of str to float
            Mean loss and terms.
        iterator : Batches
            Batches of the epoch.
        projection_dim : int
            Width of the projections.
        """
        for name, mean in means.items():
            self.history.record(f"{prefix}_{name}", mean)
            if name == "redundancy" and hasattr(self.objective, "noise_floor"):
                floor = self.objective.noise_floor(iterator.size, projection_dim)
                self.history.record(f"{prefix}_excess_redundancy", mean - floor)
        self.history.record(f"{prefix}_batch_count", len(iterator))
        self.history.record(f"{prefix}_rows", len(iterator) * iterator.size)

    def is_finite(self):
        """Whether all weights and statistics are finite."""
        return bool(torch.stack([tensor.isfinite().all() for tensor in self.module_.state_dict().values()]).all())

    def check_weights(self):
        """Raise an error if a weight is not finite; the last step may cause this, after the last loss."""
        if not self.is_finite():
            raise self.diverged("A weight became infinite or NaN")

    def diverged(self, what, batch=None):
        """Make the error for diverged training; `batch` is the number of the batch, if it is known."""
        epoch = self.plan.first_epoch + len(self.history)
        where = f"epoch {epoch}" + ("" if batch is None else f", batch {batch + 1}")
        if epoch == 1 and batch == 0:
            return Diverged(f"{what} in {where}, before any step: look at objective, augmentation and encoder.")
        return Diverged(
            f"{what} in {where}. The learning rate is the usual cause: it was "
            f"learning_rate={self.plan.learning_rate:g}; try a tenth of it."
        )

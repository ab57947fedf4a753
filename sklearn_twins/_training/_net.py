"""skorch's training loop over a resident tensor: the hooks in which it differs from skorch's own."""

import math
import warnings

import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from torch import nn

from ._batches import Batches
from ._cuda_graph import RecordedStep, RecordingError
from ._optimizers import make_optimizer, make_recordable


def check_view(view, x, autocast):
    """Refuse what an augmentation returned if the networks cannot take it.

    Parameters
    ----------
    view : Tensor of shape (batch, *sample_shape)
        Or whatever it is.
    x : Tensor of shape (batch, *sample_shape)
        What the view was made of.
    autocast : torch.dtype or None
        Type of the products.
    """
    tensor = isinstance(view, torch.Tensor)
    fits = tensor and view.shape == x.shape and view.device == x.device
    if not fits or not view.is_floating_point() or (autocast is None and view.dtype != torch.float32):
        got = f"{tuple(view.shape)}, {view.dtype} on {view.device}" if tensor else type(view).__name__
        raise TypeError(
            f"augmentation must return a tensor of its input's shape {tuple(x.shape)}, of float32 on {x.device}. "
            f"Got {got}."
        )


def check_loss(loss, objective, z_a):
    """Refuse what an objective returned if training cannot go down it; the loss.

    Parameters
    ----------
    loss : Tensor
        Or whatever it is.
    objective : callable
        What returned it.
    z_a : Tensor of shape (batch, projection_dim)
        A projection that it was given.
    """
    if not isinstance(loss, torch.Tensor) or loss.dim() != 0:
        shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise TypeError(f"objective={objective!r} must return a scalar tensor. Got {shape}.")
    if not loss.is_floating_point() or loss.device != z_a.device or (z_a.requires_grad and not loss.requires_grad):
        raise TypeError(
            f"objective={objective!r} must return a float on {z_a.device} that depends on the projections by torch's "
            f"operations, none of them detached. Got {loss!r}."
        )
    return loss


class StopTraining(Exception):
    """A callback wants no further epoch."""


class Diverged(ValueError):
    """The loss or a weight is not finite."""


class Twins(nn.Module):
    """Encoder and projector, trained as one.

    Shape
    -----
    (batch, *sample_shape) -> (batch, projection_dim)
    """

    def __init__(self, encoder, projector):
        super().__init__()
        self.encoder = encoder
        self.projector = projector

    def forward(self, x):
        return self.projector(self.encoder(x))


class TwinsNet(NeuralNet):
    """A private skorch net. It takes from skorch the epochs, the callbacks and the history.

    What differs: a batch is an index into data that is on the device already; the two views are made from it
    there; losses are read once an epoch; a keyboard interrupt is not swallowed.

    Parameters
    ----------
    module : Twins
        What is trained.
    objective : callable
        Two projections -> scalar; with a method `terms`, the dict of its named terms.
    make_views : callable
        ``make_views(x, data, generator) -> (x_a, x_b)``
    plan : Plan
        How it is trained.
    generators : dict of str to torch.Generator
        "batches", "views" and "validation", on the device.
    mix : callable, default=None
        ``mix(x_a, x_b, generator=) -> (x_m, (share, partners))``: what the objective's `mixed_terms` wants.
    """

    def __init__(self, module, objective, make_views, plan, generators, mix=None, **kwargs):
        self.mix = mix
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
        """Let the optimizer's step be recorded if it is to be; again after its state was loaded."""
        if self.recorded is not None:
            make_recordable(self.optimizer_, self.plan.device, self.recorded.recorder.rate_dtype)

    def notify(self, method_name, **cb_kwargs):
        """Call every callback; skorch's EarlyStopping asks to stop by a KeyboardInterrupt, which nothing else does."""
        getattr(self, method_name)(self, **cb_kwargs)
        stop = False
        for _, callback in self.callbacks_:
            try:
                stop |= getattr(callback, method_name)(self, **cb_kwargs) is StopTraining
            except KeyboardInterrupt:
                if not isinstance(callback, EarlyStopping):
                    raise
                stop = True
        if stop:
            raise StopTraining

    def get_split_datasets(self, X, y=None, **fit_params):
        """X is the pair of training and validation rows already, instead of row-by-row datasets."""
        return X

    def get_iterator(self, dataset, training=False):
        group = self.plan.process_group
        generator = self.generators["batches"] if training else None
        return Batches(dataset, self.plan.batch_size, generator, group.rank, group.size)

    def infer(self, x, generator):
        """Two projections of the rows `x`; a third one and the mixture if the objective wants mixed rows.

        Shape
        -----
        x : (batch, *sample_shape); returns 2 x (batch, projection_dim) or 3 x, and the mixture. Of several ranks, x is
        the share of this one, and what is returned that of all.
        """
        x_a, x_b = self.make_views(x, self.donors, generator)
        autocast, group = self.plan.autocast, self.plan.process_group
        for view in (x_a, x_b):
            check_view(view, x, autocast)
        with (
            group.synchronize_batch_norm(),
            torch.autocast(x.device.type, dtype=autocast, enabled=autocast is not None),
        ):
            z_a, z_b = self.project(x_a), self.project(x_b)
            if self.mix is None:
                return group.gather(z_a), group.gather(z_b)
            x_m, (share, partners) = self.mix(x_a, x_b, generator=generator)
            z_m = self.project(x_m)
        mixture = group.gather(share), group.gather(partners + group.rank * len(x))
        return group.gather(z_a), group.gather(z_b), group.gather(z_m), mixture

    def measure(self, x, generator):
        """Loss and terms of the rows `x`, as scalar tensors."""
        projections, objective = self.infer(x, generator), self.objective
        self.projection_dim = projections[0].shape[1]
        if hasattr(objective, "terms"):
            terms = (objective.terms if self.mix is None else objective.mixed_terms)(*projections)
            return sum(terms.values()), terms
        return check_loss(objective(*projections), objective, projections[0]), {}

    def whole_step(self, x):
        """All of a training step, with nothing in it that Python has to know.  # returns (1 + terms,)"""
        self.optimizer_.zero_grad(set_to_none=True)
        loss, terms = self.measure(x, self.generators["views"])
        loss.backward()
        self.optimizer_.step()
        self.term_names = list(terms)
        return torch.stack([loss.detach(), *(term.detach() for term in terms.values())])

    def train_step(self, batch, **fit_params):
        """A step, recorded and replayed if the plan says so and as long as that is possible."""
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
        return super().train_step(batch, **fit_params)

    def forget_recording(self):
        """Let go of a recorded step, and of gradients that lie in its memory."""
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
        else:  # the same views in every epoch, so that losses compare
            self.generators["validation"].set_state(self.validation_state)
        values = []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch)
            values += [step["loss"].detach(), *(term.detach() for term in step["terms"].values())]
            self.notify("on_batch_end", batch=batch, training=training, **step)
        names = ["loss", *step["terms"]]
        values = torch.stack(values).reshape(-1, len(names))  # (batches, 1 + terms)
        means = self.plan.process_group.broadcast(values.mean(0)).tolist()  # the epoch's one wait for the device
        for name, mean in zip(names, means, strict=True):
            self.history.record(f"{prefix}_{name}", mean)
            if name == "redundancy" and hasattr(self.objective, "noise_floor"):
                floor = self.objective.noise_floor(iterator.size, self.projection_dim)
                self.history.record(f"{prefix}_excess_redundancy", mean - floor)
        self.history.record(f"{prefix}_batch_count", len(iterator))
        self.history.record(f"{prefix}_rows", len(iterator) * iterator.size)
        if training and not math.isfinite(means[0]):
            bad = (~values[:, 0].isfinite()).nonzero().flatten().tolist()
            raise self.diverged(f"The loss became {means[0]}", *bad[:1])

    def is_finite(self):
        """Whether all weights and statistics are numbers."""
        return bool(torch.stack([tensor.isfinite().all() for tensor in self.module_.state_dict().values()]).all())

    def check_weights(self):
        """Refuse weights that the last step has spoilt: no later loss shows them."""
        if not self.is_finite():
            raise self.diverged("A weight became infinite or NaN")

    def diverged(self, what, batch=None):
        """The error of a training that ran away, in the batch of this number if it is known."""
        epoch = self.plan.first_epoch + len(self.history)
        where = f"epoch {epoch}" + ("" if batch is None else f", batch {batch + 1}")
        if epoch == 1 and batch == 0:
            return Diverged(f"{what} in {where}, before any step: look at objective, augmentation and encoder.")
        return Diverged(
            f"{what} in {where}. The learning rate is the usual cause: it was "
            f"learning_rate={self.plan.learning_rate:g}; try a tenth of it."
        )

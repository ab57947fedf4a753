"""Plan a fit: number of epochs, optimizer, schedule, and whether steps are recorded."""

from functools import partial
from numbers import Real

import numpy as np
import torch

from .._modalities import MODALITIES
from .._parts._validation import check_call
from .._roles import is_third_party
from .._runtime._compile import compile_module
from .._runtime._devices import choose_precision
from .._training._batches import batch_layout
from .._training._callbacks import reaches_into_steps
from .._training._cuda_graph import RECORDERS
from .._training._optimizers import default_learning_rate
from .._training._trainer import Plan

MIN_RECORDED_STEPS = 50  # recording takes as long as a few steps (a guess: not measured)


def auto_epochs(n, batch_size, modality):
    """Number of epochs that ``max_epochs="auto"`` means.

    Parameters
    ----------
    n : int
        Number of rows. Few rows need more epochs for the same number of steps.
    batch_size : int
        Maximum number of rows in a batch.
    modality : str
        The modality sets the number of steps, and bounds of the epochs.

    Returns
    -------
    n_epochs : int
    """
    record, (n_batches, _) = MODALITIES[modality], batch_layout(n, batch_size)
    return int(np.clip(round(record.n_steps / n_batches), *record.epochs))


def make_plan(settings, parts, prepared, environment, train, stream):
    """Plan the training run.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator.
    parts : dict of str to component
        The resolved parts.
    prepared : Prepared
        Epochs and checkpoint.
    environment : Environment
        Where to train.
    train : Tensor or HostRows
        Rows to train on.
    stream : bool
        Whether this is one epoch of `partial_fit`.

    Returns
    -------
    plan : Plan
    """
    rate = settings.learning_rate
    return Plan(
        optimizer=settings.optimizer,
        learning_rate=default_learning_rate(settings.optimizer) if rate == "auto" else rate,
        weight_decay=settings.weight_decay,
        lr_schedule="stream" if stream else with_checked_factor(settings.lr_schedule),
        first_epoch=prepared.first_epoch,
        last_epoch=prepared.last_epoch,
        batch_size=settings.batch_size,
        device=environment.device,
        autocast=choose_precision(settings.precision, environment.device),
        n_iter_no_change=settings.n_iter_no_change if settings.early_stopping and not stream else None,
        tol=settings.tol,
        callbacks=settings.callbacks,
        verbose=int(settings.verbose) if environment.process_group.is_first else 0,
        keep_epochs=bool(settings.warm_start) or prepared.checkpoint is not None,
        compiled=compile_module if environment.compile else None,
        recorder=choose_recorder(settings, parts, environment, train, prepared.last_epoch - prepared.first_epoch),
        process_group=environment.process_group,
        checkpoint=prepared.checkpoint,
        view_shape=prepared.spec.shape,
    )


def check_functions(optimizer, lr_schedule):
    """Refuse an optimizer or a schedule of the user's that cannot be called as training calls it."""
    if callable(optimizer):
        check_call(optimizer, "optimizer", "groups", lr=0.1, weight_decay=0.1)
    if isinstance(lr_schedule, type):
        raise TypeError(
            f"lr_schedule={lr_schedule!r} is a class. Give a function (step, n_steps) -> factor of the learning rate."
        )
    if callable(lr_schedule):
        check_call(lr_schedule, "lr_schedule", "step", "n_steps")


def with_checked_factor(lr_schedule):
    """A user's schedule with its return values checked; a name as it is."""
    return lr_schedule if isinstance(lr_schedule, str) else partial(checked_factor, lr_schedule)


def checked_factor(lr_schedule, step, n_steps):
    """Call a user's schedule, and refuse anything but a finite number of 0 or more."""
    factor = lr_schedule(step, n_steps)
    is_scalar = isinstance(factor, (torch.Tensor, np.ndarray)) and factor.shape == ()
    if not isinstance(factor, Real) and not is_scalar:
        raise TypeError(
            f"lr_schedule={lr_schedule!r} must return a number, the factor of the learning rate. Got {factor!r} for "
            f"step {step} of {n_steps}."
        )
    if not 0 <= (factor := float(factor)) < np.inf:
        raise ValueError(
            f"lr_schedule={lr_schedule!r} must return a finite factor of 0 or more. Got {factor!r} for step {step} of "
            f"{n_steps}."
        )
    return factor


def choose_recorder(settings, parts, environment, train, n_epochs):
    """Choose the class that records whole training steps; None if recording is not wanted, possible or worth it.

    A recording does not see what Python does in a step: rows must be on the device, the optimizer must read nothing on
    the host, parts must be the package's own, and callbacks must leave gradients alone.
    """
    n_steps = batch_layout(len(train), settings.batch_size)[0] * n_epochs
    possible = (
        settings.compile
        and environment.process_group.size == 1
        and n_steps >= MIN_RECORDED_STEPS
        and isinstance(train, torch.Tensor)
        and isinstance(settings.optimizer, str)
        and not any(is_third_party(part) for role, part in parts.items() if role != "preprocessor")
        and not reaches_into_steps(settings.callbacks)
    )
    return RECORDERS.get(environment.device.type) if possible else None

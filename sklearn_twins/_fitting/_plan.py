"""How a fit is to be trained: for how many epochs, by which steps."""

from functools import partial
from numbers import Real

import numpy as np
import torch

from .._roles import is_foreign
from .._runtime._compile import compile_module
from .._runtime._devices import choose_precision
from .._training._batches import batch_layout
from .._training._callbacks import reaches_into_steps
from .._training._cuda_graph import RECORDERS
from .._training._optimizers import default_learning_rate
from .._training._trainer import Plan

LEAST_STEPS = 50  # of a run that are worth a recording, which takes as long as some of them (a guess: not measured)


def auto_epochs(n, batch_size, modality):
    """Epochs for `n` rows: few rows need more passes for the same number of steps."""
    n_batches, _ = batch_layout(n, batch_size)
    return int(np.clip(round(modality.steps / n_batches), *modality.epochs))


def plan_for(fit, train):
    """How to train.

    Parameters
    ----------
    fit : Fit
        What was asked for.
    train : Tensor or HostRows
        Rows to train on.

    Returns
    -------
    plan : Plan
    """
    embedder = fit.embedder
    rate, early_stopping = embedder.learning_rate, embedder.early_stopping and not fit.stream
    return Plan(
        optimizer=embedder.optimizer,
        learning_rate=default_learning_rate(embedder.optimizer) if rate == "auto" else rate,
        weight_decay=embedder.weight_decay,
        lr_schedule="stream" if fit.stream else checked(embedder.lr_schedule),
        first_epoch=fit.n_done,
        last_epoch=fit.n_epochs,
        batch_size=embedder.batch_size,
        device=fit.device,
        autocast=choose_precision(embedder.precision, fit.device),
        n_iter_no_change=embedder.n_iter_no_change if early_stopping else None,
        tol=embedder.tol,
        callbacks=embedder.callbacks,
        verbose=int(embedder.verbose) if fit.ranks.is_first else 0,
        keep_epochs=bool(embedder.warm_start) or fit.checkpoint is not None,
        compiled=compile_module if fit.compile else None,
        recorder=recorder_for(fit, train),
        process_group=fit.ranks,
        checkpoint=fit.checkpoint,
    )


def checked(lr_schedule):
    """A schedule of the user's that is refused as soon as it returns what is no factor; a name as it is."""
    return lr_schedule if isinstance(lr_schedule, str) else partial(factor_of, lr_schedule)


def factor_of(lr_schedule, step, n_steps):
    """What a schedule of the user's returns for a step, as a number that is finite and not negative."""
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


def recorder_for(fit, train):
    """What records whole training steps; None where that is not wanted or not possible.

    A recording knows nothing of what Python does in a step: it takes rows that are on the device, an optimizer that
    reads nothing on the host, parts that are known here, and callbacks that leave the gradients alone. A run of
    few steps, as `partial_fit` may be, is not worth it.
    """
    embedder = fit.embedder
    n_steps = batch_layout(len(train), embedder.batch_size)[0] * (fit.n_epochs - fit.n_done)
    possible = (
        embedder.compile
        and fit.ranks.size == 1
        and n_steps >= LEAST_STEPS
        and isinstance(train, torch.Tensor)
        and isinstance(embedder.optimizer, str)
        and not any(is_foreign(part) for role, part in fit.parts.items() if role != "preprocessor")
        and not reaches_into_steps(embedder.callbacks)
    )
    return RECORDERS.get(fit.device.type) if possible else None

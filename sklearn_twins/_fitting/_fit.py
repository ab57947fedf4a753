"""One fit, from X to the fitted attributes: prepare, build, train, result."""

import contextlib
import dataclasses

from .._roles import is_third_party
from .._runtime._devices import is_out_of_memory, out_of_memory_error
from .._runtime._torch_state import isolated_torch_state, tune_convolutions
from .._training._batches import batch_layout
from .._training._callbacks import check_callbacks
from .._training._net import Diverged
from ._build import build, third_party_seeded
from ._prepare import make_environment, prepare
from ._result import fitted_attributes, inspect_rows


def run_fit(
    settings,
    parts,
    X,
    owner,
    device,
    tasks,
    store,
    previous=None,
    stream=False,
    groups=None,
    joint=None,
    keep_checkpoint=None,
):
    """Fit, and store the result.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator.
    parts : dict of str to component
        The resolved parts.
    X : array-like
        Training rows.
    owner : estimator
        An unfitted estimator of the same class and parameters; messages name it.
    device : torch.device
        Where to train.
    tasks : FitTasks
        scikit-learn's callbacks.
    store : callable
        ``store(attributes)`` sets all fitted attributes at once. If training is interrupted or diverges and the
        estimator warm-starts, it receives the last good epoch before the error is raised.
    previous : Previous or None, default=None
        The fit to continue.
    stream : bool, default=False
        Whether this is one epoch of `partial_fit`.
    groups : ndarray of shape (n,), int64, or None, default=None
        Group of each row, whose rows are partners of each other.
    joint : Joint or None, default=None
        Labels, and what a joint training does with them.
    keep_checkpoint : callable or None, default=None
        Called with the checkpoint of the finished fit; None removes it.

    Returns
    -------
    inspected : Inspected or None
        Some rows to look for collapse; None if there is nothing new to see.

    Raises
    ------
    Diverged
        If the loss or a weight is not finite; a `ValueError`.
    MemoryError
        If there is too little memory for a step.
    """
    check_callbacks(settings.callbacks, validated=settings.early_stopping and not stream)
    environment = make_environment(settings, device)
    prepared = prepare(settings, parts, X, owner, environment, previous, stream, groups, joint)
    n_saved = len(prepared.saved["rows"]) if prepared.saved else 0
    tasks.begin(X, prepared.last_epoch - prepared.first_epoch - n_saved)
    if prepared.last_epoch == prepared.first_epoch:
        tasks.end(dict)
        return None
    with running(parts, prepared, environment):
        built = build(settings, parts, prepared, environment, previous, stream, joint)
        prepared = dataclasses.replace(prepared, samples=None)  # training has them

        def attributes(summary=None, preview=False):
            return fitted_attributes(settings, parts, prepared, built, previous, stream, summary, preview)

        try:
            inspected = train(settings, prepared, built, tasks, attributes, stream)
            result = attributes(inspected and inspected.summary)
            tasks.end(lambda: result)
            environment.process_group.any(False)  # all have come to the end
        except (KeyboardInterrupt, Diverged):
            if settings.warm_start and not stream and built.training.rewind():
                store(attributes())
            raise
        finally:
            built.training.release()
    store(result)
    if prepared.checkpoint:
        prepared.checkpoint.remove() if keep_checkpoint is None else keep_checkpoint(prepared.checkpoint)
    return inspected if environment.process_group.is_first else None


@contextlib.contextmanager
def running(parts, prepared, environment):
    """Set torch's state for a fit, and hold signals back if it has a checkpoint."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(isolated_torch_state(environment.device, environment.n_threads))
        if environment.convolutional:
            stack.enter_context(tune_convolutions(environment.device))
        if any(map(is_third_party, parts.values())):
            stack.enter_context(third_party_seeded(prepared.seed, environment))
        if prepared.checkpoint:
            stack.enter_context(prepared.checkpoint)
        yield


def train(settings, prepared, built, tasks, attributes, stream):
    """Run the training, and inspect some rows after it.

    Returns
    -------
    inspected : Inspected or None
        None for one epoch of `partial_fit`.
    """
    training = built.training
    if prepared.checkpoint:
        prepared.checkpoint.follow(prepared.seed, training.checkpoint_state)
    if prepared.saved:
        prepared.checkpoint.resume(training.resume, prepared.saved)
    try:
        training.run(tasks.on_epoch_begin, lambda: tasks.on_epoch_end(lambda: attributes(preview=True)))
        return None if stream else inspect_rows(training, prepared.spec, settings)
    except RuntimeError as error:
        if is_out_of_memory(error):
            n_rows = batch_layout(len(training.train), settings.batch_size)[1]
            raise out_of_memory_error(n_rows, training.plan.device) from error
        raise

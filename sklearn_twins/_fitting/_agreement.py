"""Check that processes which train together fit the same rows with the same parameters, before the first step."""

import json

from torch import nn

from .._persistence._checkpoints import NOT_IN_FINGERPRINT, digest_samples
from .._runtime._digest import IndistinctError, digest
from .._training._batches import batch_layout
from .._training._callbacks import reaches_into_steps, unpack

# Parameters that may differ between processes: the first one's seed is everybody's, and threads are each one's own.
MAY_DIFFER = {*NOT_IN_FINGERPRINT, "n_jobs", "random_state"}
MAX_SHOWN = 150  # characters of a parameter in a message


def check_agreement(group, estimator, samples, spec, previous, batch_size, groups=None, labels=None):
    """Refuse a fit whose processes differ in their parameters or rows, or share too small batches.

    Parameters
    ----------
    group : ProcessGroup
        The processes.
    estimator : estimator
        Its class and parameters are compared.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        This process's rows; all of them are compared.
    spec : SampleSpec
        Spec of the samples.
    previous : Previous or None
        The fit that this one continues.
    batch_size : int
        Maximum number of rows in a batch.
    groups : ndarray of shape (n,), int64, or None, default=None
        Group of each row.
    labels : object, default=None
        Labels of a joint training.

    Raises
    ------
    ValueError
        In every process.
    """
    if group.size == 1:
        return
    params = estimator.get_params(deep=False)
    values = {name: value for name, value in params.items() if name not in MAY_DIFFER}
    # these see or change every step, with all that the processes exchange in it
    values["callbacks"] = [kind for callback, kind in unpack(params["callbacks"]) if reaches_into_steps([callback])]
    values["the class"] = type(estimator)
    values["groups"], values["y"] = groups, labels
    values["the fit that goes on"] = previous and describe_previous(previous)
    settings = {name: (shortened(value), identify(value)) for name, value in values.items()}
    rows = [len(samples), identify(spec) + digest_samples(samples)]
    reports = [json.loads(text) for text in group.exchange(json.dumps([settings, rows]))]
    check_same_settings([settings for settings, _ in reports])
    check_same_rows([rows for _, rows in reports])
    size = batch_layout(len(samples), batch_size)[1]
    if size < group.size:
        raise ValueError(
            f"batch_size={batch_size} makes batches of {size} rows, which {group.size} processes cannot share. Use "
            "larger ones."
        )


def describe_previous(previous):
    """Describe a fit that goes on by its number of epochs and its weights."""
    state = previous.training_state or {}
    shared = [state.get(name) for name in ("projector", "optimizer", "n_steps", "seed")]
    weights = digest([dict(previous.encoder.state_dict()), *shared])
    return f"{previous.n_epochs} epochs, {previous.n_streamed} of them by partial_fit, weights {weights[:8]}"


def check_same_settings(settings):
    """Refuse parameters that differ between processes.

    Parameters
    ----------
    settings : list of dict of str to (str, str)
        For each process, a text and an identity of each parameter.
    """
    for name, (text, identity) in settings[0].items():
        for rank, one in enumerate(settings):
            other_text, other_identity = one.get(name, ("nothing", ""))
            if other_identity != identity:
                got = f"{text} in process 0, and {other_text} in process {rank}"
                if text == other_text:
                    got = f"{text} in both process 0 and process {rank}, but they differ in what they hold or do"
                raise ValueError(
                    f"{name} must be the same in each of the {len(settings)} processes that train together. Got {got}."
                )


def check_same_rows(rows):
    """Refuse rows that differ between processes; `rows` is a list of their numbers and digests."""
    counts = [n for n, _ in rows]
    if any(one != rows[0] for one in rows):
        raise ValueError(
            f"X must be the same in each of the {len(rows)} processes that train together: all rows, in the same "
            f"order; each process takes its share of every batch. They have {counts} rows"
            + ("." if len(set(counts)) > 1 else ", which differ in their values.")
        )


def shortened(value):
    """A value as a message shows it, in one line."""
    text = " ".join((value if isinstance(value, str) and " " in value else repr(value)).split())
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def identify(value):
    """Identify a value by its content, alike in every process.

    Networks count by their layers and the shapes of their weights, since all processes begin with the weights of the
    first one; what cannot be read, by its class.
    """
    parts = value.get_params().values() if hasattr(value, "get_params") and not isinstance(value, type) else ()
    modules = [part for part in (value, *parts) if isinstance(part, nn.Module)]
    if modules:
        shapes = [[(name, tuple(tensor.shape)) for name, tensor in module.state_dict().items()] for module in modules]
        return digest([type(value), list(map(repr, modules)), shapes])
    try:
        return digest(value)
    except IndistinctError:
        return digest(f"{type(value).__module__}.{type(value).__qualname__}")

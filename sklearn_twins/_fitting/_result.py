"""The result of a fit: the fitted attributes, and a look at the embedding for signs of collapse."""

import copy
from dataclasses import dataclass

import numpy as np
import torch

from .._inference._collapse import N_INSPECTED, FitSummary, summarize
from .._inference._embed import embed
from .._inference._output import N_SCALE_ROWS, Output, learn_output
from .._modalities import record_of
from .._persistence._state import finish
from .._training._batches import batch_layout


@dataclass(frozen=True)
class Inspected:
    """Some training rows after training.

    Parameters
    ----------
    samples : ndarray of shape (rows, *sample_shape)
        The rows.
    embedding : ndarray of shape (rows, n_components)
        Their embedding.
    summary : FitSummary or None
        Figures about their projections; None if some are not finite.
    """

    samples: np.ndarray
    embedding: np.ndarray
    summary: FitSummary | None


def some_rows(train, most):
    """Up to `most` training rows at equal distances, as an array."""
    device = train.device
    n = len(train)
    return train[torch.arange(0, n, max(1, n // most), device=device)[:most]].cpu().numpy()


def inspect_rows(training, spec, settings):
    """Embed some training rows, and summarise their projections.

    Parameters
    ----------
    training : Training
        After its run.
    spec : SampleSpec
        What a sample is.
    settings : namespace
        Parameters of the estimator.

    Returns
    -------
    inspected : Inspected
    """
    samples = spec.complete(some_rows(training.train, N_INSPECTED))
    twins = training.net.module_.eval()
    embedding = embed(twins.encoder, samples, spec, settings.precision, settings.n_jobs)
    device = training.plan.device
    with torch.inference_mode():
        projections = twins.projector(torch.from_numpy(embedding).to(device)).float().cpu()
    if not (np.isfinite(embedding).all() and projections.isfinite().all()):
        return Inspected(samples, embedding, None)
    n = len(training.train)
    batch = batch_layout(n, settings.batch_size)[1]
    return Inspected(samples, embedding, summarize(projections.numpy(), batch, n, spec.n_projections))


def fitted_attributes(settings, parts, prepared, built, previous, stream, summary, preview=False):
    """Collect the fitted attributes.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator.
    parts : dict of str to component
        The resolved parts.
    prepared : Prepared
        Preprocessor and seed.
    built : Built
        The run.
    previous : Previous or None
        The fit that this one continues.
    stream : bool
        Whether this is one epoch of `partial_fit`.
    summary : FitSummary or None
        See `inspect_rows`.
    preview : bool, default=False
        Whether training goes on: the encoder is then a copy.

    Returns
    -------
    attributes : dict
    """
    training, spec = built.training, prepared.spec
    columns = training.history()
    n_new = len(columns["epoch"])
    history = {name: np.array(column) for name, column in columns.items()}
    if previous:
        history = append_history(previous.history, history)
    encoder = finish(copy.deepcopy(training.encoder) if preview else training.encoder)
    output, learn = Output(built.width), record_of(spec).learn_output
    if learn:
        samples = some_rows(training.train, N_SCALE_ROWS)
        output = learn(encoder, samples, spec, settings.precision, settings.n_jobs)
    elif prepared.passes_columns:
        samples = some_rows(training.train, N_SCALE_ROWS)
        output = learn_output(embed(encoder, samples, spec, settings.precision, settings.n_jobs), samples, spec)
    n_streamed = (previous.n_streamed if previous else 0) + (n_new if stream else 0)
    attributes = {
        "encoder_": encoder,
        "preprocessor_": prepared.preprocessor,
        "history_": history,
        "loss_curve_": history["loss"].tolist() if "loss" in history else [],
        "n_iter_": prepared.first_epoch + n_new,
        "_n_features_out": output.n_features,
        "_output": output,
        "_n_streamed": n_streamed,
        "_recipe": built.recipe,
        "_fit_summary": summary,
        **prepared.columns,
    }
    if training.net.module_.supervision is not None:
        attributes |= training.net.module_.supervision.fitted()
    if stream or settings.warm_start:
        attributes["_training_state"] = {
            **training.warm_start_state(),
            "seed": prepared.seed,
            "projector_part": parts["projector"],
            "optimizer_part": settings.optimizer,
        }
    return attributes


def append_history(old, new):
    """Append the rows of one history to another, with NaN in columns that only one of them has."""
    n_old, n_new = len(old["epoch"]), len(new["epoch"])
    return {
        name: np.concatenate([old.get(name, np.full(n_old, np.nan)), new.get(name, np.full(n_new, np.nan))])
        for name in {**old, **new}
    }

"""Many embedders fitted as one: those whose networks have the same layers are trained as a stack."""

from contextlib import ExitStack

import joblib

from .._roles import is_foreign, resolve_parts
from .._runtime._devices import choose_device, claim_device, is_launched
from .._runtime._torch_state import isolated_torch_state
from .._training._batches import batch_layout
from .._training._stacked import train_together
from ..objectives._barlow_twins import BarlowTwins
from ..objectives._correlation import stacked_terms
from ..objectives._hsic import HSIC
from ._fit import Fit


def can_be_stacked(embedder):
    """Whether an embedder can be trained beside others.

    Of tables, by the objectives "barlow_twins" or "hsic" and AdamW, all parts the package's own; without callbacks,
    early stopping, warm start, checkpoints or compilation; by one process.
    """
    if is_launched():
        return False
    if embedder.modality != "tabular" or embedder.optimizer != "adamw":
        return False
    if embedder.early_stopping or embedder.warm_start or embedder.compile or embedder.checkpoint is not None:
        return False
    if embedder.callbacks or getattr(embedder, "_skl_callbacks", None):
        return False
    parts = resolve_parts(embedder)
    return type(parts["objective"]) in (BarlowTwins, HSIC) and not any(map(is_foreign, parts.values()))


def shape_of(fit):
    """What must be the same for fits to be trained as a stack."""
    embedder, parts, spec = fit.embedder, fit.parts, fit.preprocessor.spec_
    return (
        str(parts["encoder"].get_params()),
        str(parts["projector"].get_params()),
        type(parts["encoder"]),
        type(parts["projector"]),
        type(parts["objective"]),
        embedder.n_components,
        spec,
        batch_layout(len(fit.samples), embedder.batch_size),
        fit.n_epochs,
        (str(fit.device), embedder.precision, fit.n_threads, embedder.storage),
    )


def fit_together(embedders, tables, most=32, tell=None):
    """Fit embedders, each on its own rows, as `fit` would but for rounding.

    Parameters
    ----------
    embedders : list of BarlowTwinsEmbedder
        They are fitted.
    tables : list of array-like
        The rows of each.
    most : int, default=32
        Networks in a stack at most.
    tell : callable, default=None
        Called with the number of embedders that are fitted, after each stack.

    Returns
    -------
    sizes : list of int
        How many embedders were trained in each stack; 1 for those that were fitted by themselves.

    Raises
    ------
    ValueError
        As `fit` does.
    """
    for embedder in embedders:
        embedder._validate_params()
        resolve_parts(embedder)
    alone = [most == 1 or not can_be_stacked(embedder) for embedder in embedders]
    sizes, tell = [], tell or (lambda n_done: None)
    for embedder, X, by_itself in zip(embedders, tables, alone, strict=True):
        if by_itself:
            embedder.fit(X)
            sizes.append(1)
            tell(len(sizes))
    stacks, samples = {}, {}
    with claim_device("auto") as auto:
        for embedder, X, by_itself in zip(embedders, tables, alone, strict=True):
            if by_itself:
                continue
            device = auto if embedder.device == "auto" else choose_device(embedder.device)
            fit = Fit(embedder, X, device, resume=False, stream=False)
            fit.key = joblib.hash(fit.samples)
            fit.samples = samples.setdefault(fit.key, fit.samples)  # equal ones are kept once
            stacks.setdefault(shape_of(fit), []).append(fit)
        samples.clear()
        for fits in stacks.values():
            for start in range(0, len(fits), most):
                train_stack(fits[start : start + most])
                sizes.append(len(fits[start : start + most]))
                tell(sum(sizes))
            fits.clear()
    return sizes


def train_stack(fits):
    """Train fits of one shape as a stack, and store what they have made."""
    first = fits[0]
    streams = [joblib.hash((fit.seed, fit.key, fit.parts["augmentation"])) for fit in fits]
    rows = {}
    with ExitStack() as stack:
        stack.enter_context(isolated_torch_state(first.device, first.n_threads))
        for fit, stream in zip(fits, streams, strict=True):
            fit.training = fit._training()
            fit.training.train = rows.setdefault(stream, fit.training.train)
            fit.samples = None
        objective = first.parts["objective"]
        train_together(
            [fit.training for fit in fits],
            streams,
            lambda z_a, z_b, weights: stacked_terms(z_a, z_b, weights, objective.target),
            first.n_epochs,
        )
        for fit in fits:
            fit._look()
            fit.embedder._store(fit._attributes())
            fit.training.release()
    for fit in fits:
        fit.warn()

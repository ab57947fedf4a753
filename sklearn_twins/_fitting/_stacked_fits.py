"""Fit many embedders at once: networks with the same layers are trained as one stack."""

from contextlib import ExitStack
from dataclasses import dataclass, replace

import joblib

from .._modalities import MODALITIES
from .._roles import is_third_party
from .._runtime._devices import choose_device, claim_device, is_launched
from .._runtime._torch_state import isolated_torch_state
from .._training._batches import batch_layout
from .._training._stacked import train_together
from ..objectives import HSIC, BarlowTwins, stacked_terms
from ._build import build
from ._prepare import Environment, Prepared, make_environment, prepare
from ._result import fitted_attributes, inspect_rows


@dataclass(frozen=True)
class Member:
    """One embedder of a stack.

    Parameters
    ----------
    place : int
        Its place among the embedders.
    settings : namespace
        Its parameters.
    parts : dict of str to component
        Its resolved parts.
    environment : Environment
        Where to train.
    prepared : Prepared
        Its samples and seed.
    data_hash : str
        Hash of the samples.
    """

    place: int
    settings: object
    parts: dict
    environment: Environment
    prepared: Prepared
    data_hash: str


def can_be_stacked(settings, parts, has_callbacks):
    """Whether an embedder can be trained together with others.

    For tables, with the objectives "barlow_twins" or "hsic" and AdamW, all parts the package's own; without callbacks,
    early stopping, warm start, checkpoints and compilation; in one process.
    """
    if is_launched() or not MODALITIES[settings.modality].stackable or settings.optimizer != "adamw":
        return False
    if settings.early_stopping or settings.warm_start or settings.compile or settings.checkpoint is not None:
        return False
    if settings.callbacks or has_callbacks:
        return False
    return type(parts["objective"]) in (BarlowTwins, HSIC) and not any(map(is_third_party, parts.values()))


def stack_key(member):
    """A key that is equal for members that can be trained as one stack."""
    settings, parts, prepared = member.settings, member.parts, member.prepared
    return (
        str(parts["encoder"].get_params()),
        str(parts["projector"].get_params()),
        type(parts["encoder"]),
        type(parts["projector"]),
        type(parts["objective"]),
        settings.n_components,
        prepared.spec,
        batch_layout(len(prepared.samples), settings.batch_size),
        prepared.last_epoch,
        (str(member.environment.device), settings.precision, member.environment.n_threads, settings.storage),
    )


def fit_together(embedders, tables, max_size=32, on_progress=None):
    """Fit embedders, each on its own rows, with the results of `fit` up to rounding.

    Parameters
    ----------
    embedders : list of BarlowTwinsEmbedder
        They are fitted.
    tables : list of array-like
        The rows of each.
    max_size : int, default=32
        Maximum number of networks in a stack.
    on_progress : callable, default=None
        Called after each stack with the number of embedders fitted so far.

    Returns
    -------
    sizes : list of int
        Number of embedders in each stack; 1 for those that were fitted alone.

    Raises
    ------
    ValueError
        As `fit` does.
    """
    on_progress = on_progress or (lambda n_done: None)
    resolved = [embedder._resolve_parts() for embedder in embedders]
    stacked, sizes = [], []
    for place, (embedder, parts) in enumerate(zip(embedders, resolved, strict=True)):
        has_callbacks = bool(getattr(embedder, "_skl_callbacks", None))
        if max_size > 1 and can_be_stacked(embedder._settings(), parts, has_callbacks):
            stacked.append(place)
        else:
            embedder.fit(tables[place])
            sizes.append(1)
            on_progress(len(sizes))
    stacks, samples = {}, {}
    with claim_device("auto") as auto:
        for place in stacked:
            embedder = embedders[place]
            device = auto if embedder.device == "auto" else choose_device(embedder.device)
            member = prepare_member(place, embedder, resolved[place], tables[place], device, samples)
            stacks.setdefault(stack_key(member), []).append(member)
        samples.clear()
        for members in stacks.values():
            while members:
                part = members[:max_size]
                del members[:max_size]  # so that their samples can be freed
                sizes.append(len(part))
                train_stack(part, embedders)
                on_progress(sum(sizes))
    return sizes


def prepare_member(place, embedder, parts, X, device, samples):
    """Prepare one embedder; equal samples are kept once, in the dict `samples`."""
    settings = embedder._settings()
    environment = make_environment(settings, device)
    prepared = prepare(settings, parts, X, embedder._unfitted(), environment)
    data_hash = joblib.hash(prepared.samples)
    prepared = replace(prepared, samples=samples.setdefault(data_hash, prepared.samples))
    return Member(place, settings, parts, environment, prepared, data_hash)


def train_stack(members, embedders):
    """Train members of one stack, and store the results on their embedders."""
    first = members[0]
    streams = [joblib.hash((m.prepared.seed, m.data_hash, m.parts["augmentation"])) for m in members]
    rows, built, inspected = {}, [], []
    with ExitStack() as stack:
        stack.enter_context(isolated_torch_state(first.environment.device, first.environment.n_threads))
        for i, (member, stream) in enumerate(zip(members, streams, strict=True)):
            built.append(build(member.settings, member.parts, member.prepared, member.environment))
            built[i].training.share_rows(rows.setdefault(stream, built[i].training.train))
            members[i] = replace(member, prepared=replace(member.prepared, samples=None))
        target = first.parts["objective"].target
        train_together(
            [one.training for one in built],
            streams,
            lambda z_a, z_b, weights: stacked_terms(z_a, z_b, weights, target),
            first.prepared.last_epoch,
        )
        for member, one in zip(members, built, strict=True):
            inspected.append(inspect_rows(one.training, member.prepared.spec, member.settings))
            result = fitted_attributes(
                member.settings, member.parts, member.prepared, one, None, False, inspected[-1].summary
            )
            embedders[member.place]._store(result)
            one.training.release()
    for member, look in zip(members, inspected, strict=True):
        embedders[member.place]._warn_of_collapse(look)

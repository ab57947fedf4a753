"""Build a fit: networks with their initial weights, bound augmentations, training rows in place, and the plan."""

import copy
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from .._parts._augmentation import bind, compiled_by
from .._parts._two_views import make_views
from .._parts._user_encoder import output_width
from .._persistence._state import Recipe
from .._roles import check_module, is_third_party
from .._runtime._compile import compile_function
from .._runtime._seeds import Stream, derive_seed, make_generator
from .._runtime._storage import print_storage, to_storage
from .._runtime._torch_state import seed_global_generators
from .._training._net import NO_PARTNERS
from .._training._partners import Partners
from .._training._trainer import Training
from ._plan import make_plan


@dataclass(frozen=True)
class Built:
    """A fit that is ready to be trained.

    Parameters
    ----------
    training : Training
        The run, with networks and rows.
    recipe : Recipe
        How the encoder was built.
    width : int
        Width of the encoder's output.
    """

    training: Training
    recipe: Recipe
    width: int


def build(settings, parts, prepared, environment, previous=None, stream=False, joint=None):
    """Build the networks and the training run.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator.
    parts : dict of str to component
        The resolved parts.
    prepared : Prepared
        Samples and seed.
    environment : Environment
        Where to train.
    previous : Previous or None, default=None
        The fit to continue.
    stream : bool, default=False
        Whether this is one epoch of `partial_fit`.
    joint : Joint or None, default=None
        Makes the supervision of a joint training.

    Returns
    -------
    built : Built
    """
    spec, seed, device = prepared.spec, prepared.seed, environment.device
    weights = make_generator(seed, Stream.WEIGHTS)
    encoder, recipe = build_encoder(parts["encoder"], spec, settings.n_components, weights, previous)
    width = previous.width if previous else output_width(encoder, spec)
    projector = build_projector(parts, encoder, width, weights)
    augmentation = bind(parts["augmentation"], spec, device)
    if environment.compile:
        augmentation = compiled_by(augmentation, compile_function)
    holds_out = settings.early_stopping and not stream
    fraction = settings.validation_fraction if holds_out else 0
    samples, storage = prepared.samples, settings.storage
    own, held_out = split(len(samples), fraction, seed, prepared.groups)
    train = to_storage(samples, device, storage, own)
    valid = None if held_out is None else to_storage(samples, device, storage, held_out)
    if settings.verbose and not stream and environment.process_group.is_first:
        print_storage(train, prepared.samples)
    objective = parts["objective"]
    objective = objective.bind(spec) if hasattr(objective, "bind") else objective
    generators = make_generators(seed, environment, any(map(is_third_party, parts.values())))
    supervision = None
    if joint is not None:
        supervision = joint.supervise(encoder, objective, samples, own, held_out, environment, storage)
        generators["labels"] = make_generator(seed, Stream.LABELS, device)
    training = Training(
        make_plan(settings, parts, prepared, environment, train, stream),
        encoder,
        projector,
        objective,
        lambda x, data, generator, partners: make_views(augmentation, x, data, generator, partners),
        train,
        valid,
        generators,
        previous.training_state if previous else None,
        partial(objective.mix, spec=spec) if hasattr(objective, "mix") else None,
        make_partners(prepared.groups, settings.pair_rate, own, held_out, device),
        supervision,
    )
    return Built(training, recipe, width)


def build_projector(parts, encoder, width, generator):
    """Build the projector, or take the one that the encoder brings along."""
    if hasattr(parts["encoder"], "projector_of"):
        return parts["encoder"].projector_of(encoder)
    return check_module("projector", parts["projector"].build(width, generator))


def build_encoder(part, spec, n_components, generator, previous):
    """Build the encoder, or copy the one to train further.

    Returns
    -------
    encoder : nn.Module
    recipe : Recipe
    """
    if previous:
        encoder = copy.deepcopy(previous.encoder)
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(name not in previous.recipe.frozen)
        return encoder, previous.recipe
    encoder = check_module("encoder", part.build(spec, n_components, generator))
    frozen = tuple(name for name, parameter in encoder.named_parameters() if not parameter.requires_grad)
    return encoder, Recipe(part, spec, n_components, frozen)


def split(n, validation_fraction, seed, groups=None):
    """Split rows into those to train on and those held out.

    Parameters
    ----------
    n : int
        Number of rows.
    validation_fraction : float
        Share of the rows to hold out.
    seed : int
        The fit's seed.
    groups : ndarray of shape (n,), int64, or None, default=None
        Group of each row. Whole groups are held out where that gives about the share: their rows have partners, and
        none that was trained on. A few large groups are divided.

    Returns
    -------
    train : ndarray of int or None
        Numbers of rows; None for all.
    valid : ndarray of int or None
        None if `validation_fraction` is 0.
    """
    if not validation_fraction:
        return None, None
    n_valid = min(max(2, round(validation_fraction * n)), n - 2)
    generator = make_generator(seed, Stream.VALIDATION_ROWS)
    order = torch.randperm(n, generator=generator, device="cpu").numpy()
    if groups is not None:
        sizes = np.bincount(groups)
        drawn = torch.randperm(len(sizes), generator=generator, device="cpu").numpy()
        drawn = drawn[sizes[drawn] <= n_valid]
        n_rows = np.insert(sizes[drawn].cumsum(), 0, 0)  # of the first 0, 1, ... groups
        n_groups = np.abs(n_rows - n_valid).argmin()
        is_near = 2 <= n_rows[n_groups] <= n - 2 and 2 * abs(n_rows[n_groups] - n_valid) < n_valid
        if is_near and len(sizes) - n_groups > 1:
            is_valid = np.isin(groups, drawn[:n_groups])[order]
            return np.sort(order[~is_valid]), order[is_valid]
    return np.sort(order[n_valid:]), order[:n_valid]


def make_partners(groups, rate, own, held_out, device):
    """Make what draws partners of training rows and of held-out rows.

    Parameters
    ----------
    groups : ndarray of shape (n,), int64, or None
        Group of each row.
    rate : float
        Share of rows that get partners.
    own, held_out : ndarray of int or None
        See `split`.
    device : torch.device
        Where batches are made.

    Returns
    -------
    partners : dict of str to Partners or None
    """
    if groups is None:
        return NO_PARTNERS
    groups = torch.from_numpy(groups).to(device)
    return {
        "train": Partners(groups if own is None else groups[own], rate),
        "valid": None if held_out is None else Partners(groups[held_out], rate),
    }


def make_generators(seed, environment, third_party):
    """Make the generators of a training run.

    Parameters
    ----------
    seed : int
        The fit's seed.
    environment : Environment
        Device and rank.
    third_party : bool
        Whether parts draw from torch's global generators, which then belong to the run.

    Returns
    -------
    generators : dict of str to torch.Generator
    """
    device, rank = environment.device, environment.process_group.rank
    generators = {
        "batches": make_generator(seed, Stream.BATCHES, device),  # the same in all processes
        "views": make_generator(seed, Stream.VIEWS, device, rank),
        "validation": make_generator(seed, Stream.VALIDATION_VIEWS, device, rank),
    }
    if third_party:
        generators["third party"] = torch.default_generator
        if device.type == "cuda":
            generators["third party, on the device"] = torch.cuda.default_generators[device.index or 0]
    return generators


def third_party_seeded(seed, environment):
    """A context that seeds torch's global generators for parts that draw from them, and restores them."""
    own = derive_seed(seed, Stream.THIRD_PARTY, environment.process_group.rank)
    return seed_global_generators(own, environment.device)

"""What a fit draws, and from which generator: one for each purpose, all of one seed."""

import contextlib

import torch

from .._runtime._torch_state import make_generator, seed_global_generators

# Streams of the seed. A new purpose gets a new number, so that the others' draws stay as they are.
WEIGHTS, BATCHES, VIEWS, VALIDATION_ROWS, VALIDATION_VIEWS, FOREIGN = range(6)


def generators_of(fit):
    """The generators of a fit's training; with torch's own, if there are modules that draw from these.

    Parameters
    ----------
    fit : Fit
        With its seed.

    Returns
    -------
    generators : dict of str to torch.Generator
    """
    device, rank = fit.device, fit.ranks.rank
    generators = {
        "batches": make_generator(fit.seed, BATCHES, device),
        "views": make_generator(fit.seed, VIEWS, device, rank),
        "validation": make_generator(fit.seed, VALIDATION_VIEWS, device, rank),
    }
    if fit.is_foreign:
        generators["foreign"] = torch.default_generator
        if device.type == "cuda":
            generators["foreign, on the device"] = torch.cuda.default_generators[device.index or 0]
    return generators


def foreign_seeded(fit):
    """A context for modules that draw from torch's global generators: these are seeded for them, and put back."""
    if not fit.is_foreign:
        return contextlib.nullcontext()
    return seed_global_generators(make_generator(fit.seed, FOREIGN, rank=fit.ranks.rank).initial_seed(), fit.device)

"""Seeds: one integer per fit, and an independent torch generator for each thing that is drawn."""

from enum import IntEnum

import numpy as np
import torch
from sklearn.utils import check_random_state


class Stream(IntEnum):
    """Purposes of a seed's generators. A new purpose gets a new number, so that the others' draws stay the same."""

    WEIGHTS = 0
    BATCHES = 1
    VIEWS = 2
    VALIDATION_ROWS = 3
    VALIDATION_VIEWS = 4
    THIRD_PARTY = 5  # torch's global generators, for code that draws from them
    HEAD = 6
    LABELS = 7  # labelled rows of each step, and their views
    # `transform_views` has a seed of its own, so its numbers start again.
    EMBEDDED_VIEWS = 0
    EMBEDDED_THIRD_PARTY = 1


def choose_seed(random_state):
    """Choose the integer from which all generators of a fit are seeded.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        As in scikit-learn: None draws from NumPy's global generator.

    Returns
    -------
    seed : int
    """
    try:
        generator = check_random_state(random_state)
    except ValueError as error:
        raise ValueError(f"random_state={random_state!r} must be an int, a RandomState or None: {error}.") from error
    return int(generator.randint(np.iinfo(np.int32).max))


def make_generator(seed, stream, device="cpu", rank=0):
    """Make the generator of one of a seed's streams.

    Parameters
    ----------
    seed : int
        The fit's seed.
    stream : Stream
        What it is for.
    device : torch.device or str, default="cpu"
        Where it draws.
    rank : int, default=0
        Rank of this process, if each of several processes needs its own draws.

    Returns
    -------
    generator : torch.Generator
    """
    return torch.Generator(device=device).manual_seed(derive_seed(seed, stream, rank))


def derive_seed(seed, stream, rank=0):
    """The integer that seeds one of a seed's streams."""
    state = np.random.SeedSequence([seed, stream, rank]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))

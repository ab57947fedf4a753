"""Views of rows through a trained encoder: what measures of an embedding that need no labels are made of."""

import contextlib

import numpy as np
import torch

from .._parts._augmentation import bind
from .._parts._two_views import make_views
from .._roles import is_foreign, resolve_part
from .._runtime._devices import choose_precision
from .._runtime._storage import to_storage
from .._runtime._torch_state import (
    choose_seed,
    count_threads,
    isolated_torch_state,
    make_generator,
    seed_global_generators,
)
from ._embed import block_rows, count_weights
from ._fold_batch_norm import folded

VIEWS, FOREIGN = range(2)


def embed_views(embedder, samples, n_views, augmentation, random_state):
    """Embed views of samples, as training would make them.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Fitted.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From its preprocessor. Augmentations that borrow from other rows borrow from these.
    n_views : int
        How many of each; they are made in pairs.
    augmentation : "own", "auto", str, component, torch.nn.Module or callable
        What makes them; "own" is the embedder's.
    random_state : int, RandomState instance or None
        Seed of the draws.

    Returns
    -------
    embedding : ndarray of shape (n, n_views, n_components), float32
    """
    own = isinstance(augmentation, str) and augmentation == "own"
    part = resolve_part("augmentation", embedder.augmentation if own else augmentation, embedder.modality)
    encoder = embedder.encoder_
    device = next((p.device for p in encoder.parameters()), torch.device("cpu"))
    augmentation, seed = bind(part, embedder.preprocessor_.spec_, device), choose_seed(random_state)
    generator = make_generator(seed, VIEWS, device)
    foreign = seed_global_generators(make_generator(seed, FOREIGN).initial_seed(), device)
    autocast = choose_precision(embedder.precision, device)
    n, n_weights, embedding = len(samples), count_weights(encoder), None
    size = block_rows(samples.shape[1:], n_weights, device.type == "cuda")
    data = to_storage(samples, device, embedder.storage)
    with (
        isolated_torch_state(device, count_threads(embedder.n_jobs)),
        foreign if is_foreign(part) else contextlib.nullcontext(),
        torch.inference_mode(),
        torch.autocast(device.type, dtype=autocast, enabled=autocast is not None),
    ):
        network = folded(encoder)
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))
            x = data[torch.arange(rows.start, rows.stop, device=device)]  # (rows, *sample_shape)
            for first in range(0, n_views, 2):
                views = make_views(augmentation, x, data, generator)
                for view, number in zip(views, range(first, n_views), strict=False):
                    out = network(view)  # (rows, n_components)
                    if embedding is None:
                        embedding = np.empty((n, n_views, out.shape[1]), dtype=np.float32)
                    embedding[rows, number] = out.float().cpu().numpy()
    return embedding

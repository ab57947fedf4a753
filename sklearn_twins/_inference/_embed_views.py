"""Embed randomly changed views of rows, for measures that need no labels."""

import contextlib

import numpy as np
import torch

from .._parts._augmentation import bind
from .._parts._two_views import make_views
from .._roles import is_third_party
from .._runtime._devices import choose_precision
from .._runtime._seeds import Stream, derive_seed, make_generator
from .._runtime._storage import to_storage
from .._runtime._torch_state import count_threads, isolated_torch_state, seed_global_generators
from ._embed import count_weights
from ._fold_batch_norm import fold_batch_norm


def embed_views(encoder, samples, spec, augmentation, n_views, seed, precision, n_jobs, storage):
    """Embed views of samples, made as in training.

    Parameters
    ----------
    encoder : nn.Module
        The trained encoder.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From the preprocessor. Augmentations that use other rows' values take them from these.
    spec : SampleSpec
        What a sample is.
    augmentation : component or callable
        The resolved augmentation.
    n_views : int
        Number of views of each sample; they are made in pairs.
    seed : int
        Seed of the views.
    precision, n_jobs, storage
        Parameters of the estimator.

    Returns
    -------
    embedding : ndarray of shape (n, n_views, n_components), float32
    """
    device = next((p.device for p in encoder.parameters()), torch.device("cpu"))
    bound, generator = bind(augmentation, spec, device), make_generator(seed, Stream.EMBEDDED_VIEWS, device)
    third_party = contextlib.nullcontext()
    if is_third_party(augmentation):
        third_party = seed_global_generators(derive_seed(seed, Stream.EMBEDDED_THIRD_PARTY), device)
    autocast = choose_precision(precision, device)
    n, embedding = len(samples), None
    size = spec.block_rows(count_weights(encoder), device.type == "cuda")
    data = to_storage(samples, device, storage)
    with (
        isolated_torch_state(device, count_threads(n_jobs)),
        third_party,
        torch.inference_mode(),
        torch.autocast(device.type, dtype=autocast, enabled=autocast is not None),
    ):
        network = fold_batch_norm(encoder)
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))
            x = data[torch.arange(rows.start, rows.stop, device=device)]  # (rows, *sample_shape)
            for first in range(0, n_views, 2):
                pair = make_views(bound, x, data, generator)
                for view, number in zip(pair, range(first, n_views), strict=False):
                    out = network(view)  # (rows, n_components)
                    if embedding is None:
                        embedding = np.empty((n, n_views, out.shape[1]), dtype=np.float32)
                    embedding[rows, number] = out.float().cpu().numpy()
    return embedding

"""Samples through a trained encoder, in blocks of one size, so that a row's embedding is its own."""

import numpy as np
import torch

from ._runtime import choose_precision, count_threads, settled

# A matrix product picks its kernel by its shape, and kernels round differently. With blocks of one size a
# row's embedding is the same to the bit whatever rows are around it. One row then costs a block (under a
# millisecond for the default encoder); larger blocks gain 10 % on many rows and cost each single row more.
BLOCK_ROWS = 256


def embed(encoder, samples, *, precision="float32", n_jobs=None):
    """Embed samples.

    Parameters
    ----------
    encoder : nn.Module
        In eval mode, on any device. (batch, *sample_shape) -> (batch, n_components)
    samples : ndarray of shape (n, *sample_shape)
        From the preprocessor.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Type of the matrix products.
    n_jobs : int or None, default=None
        CPU threads that share one operation.

    Returns
    -------
    embedding : ndarray of shape (n, n_components), float32
    """
    device = next((p.device for p in encoder.parameters()), torch.device("cpu"))
    autocast = choose_precision(precision, device)
    embedding = None
    with (
        settled(device, count_threads(n_jobs)),
        torch.inference_mode(),
        torch.autocast(device.type, dtype=autocast, enabled=autocast is not None),
    ):
        for start in range(0, len(samples), BLOCK_ROWS):
            rows = samples[start : start + BLOCK_ROWS]
            out = encoder(pad(rows).to(device))[: len(rows)]  # (rows, n_components)
            if embedding is None:
                embedding = np.empty((len(samples), out.shape[1]), dtype=np.float32)
            embedding[start : start + len(rows)] = out.float().cpu().numpy()
    return embedding


def pad(rows):
    """Rows as a tensor of BLOCK_ROWS rows, zeros behind; no copy where there is nothing to add.

    Shape
    -----
    (rows, *sample_shape) -> (BLOCK_ROWS, *sample_shape)
    """
    if len(rows) == BLOCK_ROWS:
        return torch.from_numpy(rows)
    block = np.zeros((BLOCK_ROWS, *rows.shape[1:]), dtype=rows.dtype)
    block[: len(rows)] = rows
    return torch.from_numpy(block)

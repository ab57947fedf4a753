"""Embed samples in blocks of constant size, so that a row's embedding does not depend on other rows."""

from collections import deque
from contextlib import ExitStack, closing
from functools import partial

import numpy as np
import torch

from .._runtime._devices import choose_precision
from .._runtime._progress_bar import with_progress
from .._runtime._storage import as_tensor, copy_ahead, prefetch
from .._runtime._torch_state import count_threads, isolated_torch_state
from ._fold_batch_norm import fold_batch_norm

PROGRESS_WORDS = "embedding", "rows", "embedded"
MAX_PENDING = 2  # embedded blocks that are being copied from the GPU


def count_weights(module):
    """Count the weights of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def embed(encoder, samples, spec, precision="float32", n_jobs=None, verbose=0, out=None):
    """Embed samples.

    Parameters
    ----------
    encoder : nn.Module
        In eval mode, on any device. (batch, *sample_shape) -> (batch, n_components)
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From the preprocessor. Lazy samples are read ahead.
    spec : SampleSpec
        Their spec.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Type of matrix products.
    n_jobs : int or None, default=None
        CPU threads that share one operation.
    verbose : int, default=0
        1 prints lines, 2 shows a bar.
    out : ndarray of shape (n, n_components), float32, or None, default=None
        Where to write the embedding; None makes a new array.

    Returns
    -------
    embedding : ndarray of shape (n, n_components), float32
    """
    device = next((p.device for p in encoder.parameters()), torch.device("cpu"))
    autocast = choose_precision(precision, device)
    on_gpu = device.type == "cuda"
    n, size, embedding = len(samples), spec.block_rows(count_weights(encoder), on_gpu), out
    with (
        ExitStack() as stack,
        isolated_torch_state(device, count_threads(n_jobs)),
        torch.inference_mode(),
        torch.autocast(device.type, dtype=autocast, enabled=autocast is not None),
    ):
        network = fold_batch_norm(encoder)
        read = partial(read_block, samples, size)
        starts = range(0, n, size)
        if on_gpu:
            blocks = copy_ahead(prefetch(lambda start: read(start).pin_memory(), starts), device)
        else:
            blocks = map(read, starts) if isinstance(samples, np.ndarray) else prefetch(read, starts)
        blocks = stack.enter_context(closing(with_progress(blocks, size, n, int(verbose), PROGRESS_WORDS)))
        if on_gpu:
            return gather_blocks((network(block) for block in blocks), n, size, device, out)
        for start, block in zip(starts, blocks, strict=True):
            rows = network(block.to(device))  # (size, n_components)
            if embedding is None:
                embedding = np.empty((n, rows.shape[1]), dtype=np.float32)
            if start == 0:
                written = torch.from_numpy(embedding)
            if start + size > n:
                rows = rows[: n - start]
            written[start : start + size] = rows  # cast and brought to the CPU on the way
    return embedding


def read_block(samples, size, start):
    """Read `size` samples as a tensor, from `start` on, with zeros behind the last sample."""
    return pad_block(samples[start : start + size], size)


def pad_block(rows, size):
    """Make a tensor of `size` rows with zeros behind the given ones; full blocks are not copied.

    Shape
    -----
    (rows, *sample_shape) -> (size, *sample_shape)
    """
    if len(rows) == size:
        return as_tensor(rows)
    block = np.zeros_like(rows, shape=(size, *rows.shape[1:]), subok=False)  # axes stay in their order in memory
    block[: len(rows)] = rows
    return torch.from_numpy(block)


def gather_blocks(blocks, n, size, device, embedding=None):
    """Copy embedded blocks from a GPU, without waiting for a block that has just begun.

    Each block is copied to pinned memory while the GPU works on the next ones, and then to its place. Pinned memory for
    all rows at once would be expensive.

    Parameters
    ----------
    blocks : iterable of Tensor of shape (size, n_components)
        On the GPU.
    n, size : int
        Number of rows in total, and in a block.
    device : torch.device
        The GPU.
    embedding : ndarray of shape (n, n_components), float32, or None, default=None
        Where to write; None makes a new array.

    Returns
    -------
    embedding : ndarray of shape (n, n_components), float32
    """
    pending = deque()

    def write_oldest():
        start, rows, copied = pending.popleft()
        copied.synchronize()
        embedding[start : start + len(rows)] = rows.numpy()

    for start, block in zip(range(0, n, size), blocks, strict=True):
        block = block[: n - start].float()
        if embedding is None:
            embedding = np.empty((n, block.shape[1]), dtype=np.float32)
        rows = torch.empty(block.shape, dtype=torch.float32, pin_memory=True)
        rows.copy_(block, non_blocking=True)
        pending.append((start, rows, torch.cuda.current_stream(device).record_event()))
        if len(pending) > MAX_PENDING:
            write_oldest()
    while pending:
        write_oldest()
    return embedding

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
        From the preprocessor. Lazy samples are read ahead. Ragged ones, with the methods ``equal_blocks(size) -> list
        of index`` and ``exact(index) -> array``, are embedded in blocks of one shape each.
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
        is_ragged = hasattr(samples, "equal_blocks")
        places = samples.equal_blocks(size) if is_ragged else [slice(i, min(i + size, n)) for i in range(0, n, size)]
        read = partial(read_block, samples.exact if is_ragged else samples.__getitem__, size)
        if on_gpu:
            blocks = copy_ahead(prefetch(lambda place: read(place).pin_memory(), places), device)
        else:
            blocks = map(read, places) if isinstance(samples, np.ndarray) else prefetch(read, places)
        size_shown = -(-n // len(places)) if is_ragged else size
        blocks = stack.enter_context(closing(with_progress(blocks, size_shown, n, int(verbose), PROGRESS_WORDS)))
        if on_gpu and not is_ragged:
            return gather_blocks((network(block) for block in blocks), n, size, device, out)
        written = None if embedding is None else torch.from_numpy(embedding)
        for place, block in zip(places, blocks, strict=True):
            rows = network(block.to(device))  # (size, n_components)
            if written is None:
                embedding = np.empty((n, rows.shape[1]), dtype=np.float32)
                written = torch.from_numpy(embedding)
            count = len(place) if is_ragged else place.stop - place.start
            written[place] = rows[:count].to(written)  # brought to the CPU on the way
    return embedding


def read_block(take, size, place):
    """Read the samples at a place as a tensor of `size` samples, with zeros behind the last one."""
    return pad_block(take(place), size)


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

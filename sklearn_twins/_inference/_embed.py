"""Samples through a trained encoder, in blocks of one size, so that a row's embedding is its own."""

from collections import deque
from contextlib import ExitStack, closing

import numpy as np
import torch

from .._runtime._devices import choose_precision
from .._runtime._progress_bar import with_progress
from .._runtime._storage import as_tensor, copy_ahead, prefetch
from .._runtime._torch_state import count_threads, isolated_torch_state
from ._fold_batch_norm import folded

WORDS = "embedding", "rows", "embedded"
IN_FLIGHT = 2  # blocks whose embedding is on its way from the GPU


def count_weights(module):
    """Numbers among a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def embed(encoder, samples, spec, precision="float32", n_jobs=None, verbose=0, out=None):
    """Embed samples.

    Parameters
    ----------
    encoder : nn.Module
        In eval mode, on any device. (batch, *sample_shape) -> (batch, n_components)
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From the preprocessor. Lazy ones are read a block ahead.
    spec : SampleSpec
        Their spec.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Type of the matrix products.
    n_jobs : int or None, default=None
        CPU threads that share one operation.
    verbose : int, default=0
        1 prints lines, 2 shows a bar.
    out : ndarray of shape (n, n_components), float32, or None, default=None
        Where to write the embedding; None for an array of its own.

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
        network = folded(encoder)
        source = copy_ahead(pinned_blocks(samples, size), device) if on_gpu else blocks(samples, size)
        source = stack.enter_context(closing(with_progress(source, size, n, int(verbose), WORDS)))
        if on_gpu:
            return gathered((network(block) for block in source), n, size, device, out)
        for start, block in zip(range(0, n, size), source, strict=True):
            rows = network(block.to(device))  # (size, n_components)
            if embedding is None:
                embedding = np.empty((n, rows.shape[1]), dtype=np.float32)
            if start == 0:
                written = torch.from_numpy(embedding)
            if start + size > n:
                rows = rows[: n - start]
            written[start : start + size] = rows  # cast and brought to the CPU on the way
    return embedding


def blocks(samples, size):
    """Tensors of `size` rows each, one after the other; the last one padded. Lazy samples are read ahead."""
    n = len(samples)
    if not isinstance(samples, np.ndarray):
        yield from prefetch(lambda start: padded(samples[start : start + size], size), range(0, n, size))
        return
    for start in range(0, n, size):
        yield padded(samples[start : start + size], size)


def pinned_blocks(samples, size):
    """The same in pinned memory, brought there ahead in a thread of its own."""
    starts = range(0, len(samples), size)
    return prefetch(lambda start: padded(samples[start : start + size], size).pin_memory(), starts)


def gathered(outs, n, size, device, embedding=None):
    """The rows of what a GPU puts out block by block, without a wait for a block that it has just begun.

    Each block is copied to pinned memory while the next ones are worked on, and from there where it belongs: pinned
    memory for all of them would be dear.

    Parameters
    ----------
    outs : iterable of Tensor of shape (size, n_components)
        On the GPU.
    n, size : int
        Rows in all, and in a block.
    device : torch.device
        The GPU.
    embedding : ndarray of shape (n, n_components), float32, or None, default=None
        Where to write; None for an array of its own.

    Returns
    -------
    embedding : ndarray of shape (n, n_components), float32
    """
    on_their_way = deque()

    def put_down():
        start, rows, copied = on_their_way.popleft()
        copied.synchronize()
        embedding[start : start + len(rows)] = rows.numpy()

    for start, out in zip(range(0, n, size), outs, strict=True):
        out = out[: n - start].float()
        if embedding is None:
            embedding = np.empty((n, out.shape[1]), dtype=np.float32)
        rows = torch.empty(out.shape, dtype=torch.float32, pin_memory=True)
        rows.copy_(out, non_blocking=True)
        on_their_way.append((start, rows, torch.cuda.current_stream(device).record_event()))
        if len(on_their_way) > IN_FLIGHT:
            put_down()
    while on_their_way:
        put_down()
    return embedding


def padded(rows, size):
    """Rows as a tensor of `size` rows, zeros behind; no copy where there is nothing to add.

    Shape
    -----
    (rows, *sample_shape) -> (size, *sample_shape)
    """
    if len(rows) == size:
        return as_tensor(rows)
    block = np.zeros_like(rows, shape=(size, *rows.shape[1:]), subok=False)  # axes stay in their order in memory
    block[: len(rows)] = rows
    return torch.from_numpy(block)

"""Where samples are while a network works on them: on its device, or elsewhere, read a batch ahead of it."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

AHEAD = 2  # batches that are read while the network works on another
SHARE_OF_FREE_MEMORY = 0.5  # of a GPU, for samples; networks and their gradients need the rest
BYTES_AT_A_TIME = 2**26


def prefetch(fetch, items):
    """Results of `fetch` in order, a few of them made ahead in a thread of their own.

    Parameters
    ----------
    fetch : callable
        Item -> result. It should spend its time outside of Python: in files, in NumPy.
    items : iterable
        What it is called with.

    Yields
    ------
    result : object
        One for each item. Errors are raised where their result would have come.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="sklearn_twins") as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(fetch, item))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def copy_ahead(batches, device):
    """Batches in pinned memory brought to a GPU, each one while the one before is worked on.

    Copies are made on a stream of their own. What works on a batch waits for its copy alone, not for the next one's;
    and its memory, which belongs to that stream, is not given away before that work is done.

    Parameters
    ----------
    batches : iterable of Tensor
        In pinned memory.
    device : torch.device
        The GPU.

    Yields
    ------
    batch : Tensor
        On the GPU, for work on the stream that is the current one then.
    """
    copies, ahead = torch.cuda.Stream(device), None

    def begun(batch):
        with torch.cuda.stream(copies):
            return batch.to(device, non_blocking=True), copies.record_event()

    def arrived(there, copied):
        current = torch.cuda.current_stream(device)
        current.wait_event(copied)
        there.record_stream(current)
        return there

    for batch in batches:
        next_one = begun(batch)
        if ahead is not None:
            yield arrived(*ahead)
        ahead = next_one
    if ahead is not None:
        yield arrived(*ahead)


class Shared:
    """An array's memory, said to be writable: torch warns of arrays that are not, though nobody writes to them."""

    def __init__(self, array):
        self.array = array  # kept alive
        pointer, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (pointer, False)}


def as_tensor(array):
    """A tensor that shares an array's memory, be it read-only or not. Nobody may write to it."""
    return torch.from_numpy(array if array.flags.writeable else np.asarray(Shared(array)))


def in_memory_order(x):
    """Axes of a tensor from the slowest to the fastest, the first one kept in front, and the way back.

    Parameters
    ----------
    x : Tensor
        With at least one axis.

    Returns
    -------
    order, back : lists of int
        ``x.permute(order).permute(back)`` is x.
    """
    rest = sorted(range(1, x.dim()), key=lambda axis: (-x.stride(axis), axis))
    order = [0, *rest]
    return order, [order.index(axis) for axis in range(x.dim())]


class HostRows:
    """Samples that are not on the device: in host memory or on disk, copied there batch by batch.

    Parameters
    ----------
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        ``samples[index]`` is an array of some of them.
    device : torch.device
        Where batches go.
    index : ndarray of int, default=None
        Which samples these rows are; None for all.
    """

    def __init__(self, samples, device, index=None):
        self.samples, self.device, self.index = samples, device, index
        self.shape = (len(samples) if index is None else len(index), *samples.shape[1:])

    def __len__(self):
        return self.shape[0]

    def read(self, rows):
        """Some rows, on the host, ready to be copied.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        batch : Tensor of shape (len(rows), *sample_shape)
        """
        batch = as_tensor(self.samples[rows if self.index is None else self.index[rows]])
        return batch.pin_memory() if self.device.type == "cuda" else batch

    def batches(self, order, size):
        """Batches of rows in the given order, the next ones read meanwhile.

        Parameters
        ----------
        order : Tensor of int64
            Rows; a multiple of `size` of them.
        size : int
            Rows in a batch.

        Yields
        ------
        batch : Tensor of shape (size, *sample_shape)
            On the device.
        """
        order = order.cpu().numpy()
        parts = (order[start : start + size] for start in range(0, len(order), size))
        read = prefetch(self.read, parts)
        if self.device.type == "cuda":
            yield from copy_ahead(read, self.device)
            return
        for batch in read:
            yield batch.to(self.device, non_blocking=True)

    def __getitem__(self, rows):
        """Some rows on the device, by a tensor of their numbers."""
        return self.read(rows.cpu().numpy()).to(self.device, non_blocking=True)

    def gather(self, dim, index):
        """Values of their columns in other rows, as of a tensor."""
        if not isinstance(self.samples, np.ndarray):
            raise ValueError(
                "Values of single columns cannot be taken from samples that stay on disk. Use storage='device', or an "
                "augmentation that takes whole samples or none."
            )
        rows = index.cpu().numpy()
        rows = rows if self.index is None else self.index[rows]
        return as_tensor(np.take_along_axis(self.samples, rows, axis=dim)).to(self.device, non_blocking=True)


def n_bytes(samples, n):
    """Bytes of `n` samples."""
    return n * int(np.prod(samples.shape[1:])) * samples.dtype.itemsize


def fits(samples, n, device):
    """Whether `n` samples should be on the device: arrays on the CPU already are; a GPU may have no room."""
    if device.type == "cpu":
        return isinstance(samples, np.ndarray)
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes(samples, n) <= SHARE_OF_FREE_MEMORY * free


def to_storage(samples, device, storage, index=None):
    """Samples where training will find them.

    Parameters
    ----------
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        All of them.
    device : torch.device
        Where training is.
    storage : {"auto", "device", "host"}
        On the device; where they are; or on the device if they fit (arrays always fit the CPU, what is on disk stays
        there).
    index : ndarray of int, default=None
        Which of them; None for all.

    Returns
    -------
    rows : Tensor of shape (n, *sample_shape) or HostRows
    """
    n = len(samples) if index is None else len(index)
    if storage == "host" or (storage == "auto" and not fits(samples, n, device)):
        return HostRows(samples, device, index)
    if isinstance(samples, np.ndarray):
        return as_tensor(samples if index is None else samples[index]).to(device)
    return load(samples, device, np.arange(n) if index is None else index)


def load(samples, device, index):
    """Samples read from disk onto the device, some at a time."""
    size = max(1, BYTES_AT_A_TIME // max(1, n_bytes(samples, 1)))
    rows, start = None, 0
    for part in prefetch(lambda i: as_tensor(samples[index[i : i + size]]), range(0, len(index), size)):
        if rows is None:
            order, back = in_memory_order(part)
            shape = [len(index), *(part.shape[axis] for axis in order[1:])]
            rows = torch.empty(shape, dtype=part.dtype, device=device).permute(back)
        rows[start : start + len(part)] = part.to(device)
        start += len(part)
    return rows


def print_storage(rows, samples):
    """Print how many samples there are, how large, and where they stay; nothing of what could not be otherwise."""
    if isinstance(rows, torch.Tensor) and rows.device.type == "cpu":
        return
    size = f"{len(rows):,} samples, {n_bytes(samples, len(rows)) / 2**20:,.1f} MiB of {samples.dtype}"
    if isinstance(rows, torch.Tensor):
        print(f"{size}, on {rows.device}", flush=True)
    else:
        where = "in host memory" if isinstance(samples, np.ndarray) else "on disk"
        print(f"{size}, {where}, to {rows.device} batch by batch", flush=True)

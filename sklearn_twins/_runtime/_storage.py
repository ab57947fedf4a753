"""Storage of samples: on the device, or in host memory and on disk, from where batches are read ahead."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from ._printing import print_line

N_BATCHES_AHEAD = 2
SAMPLES_SHARE = 0.5  # of a GPU's free memory; networks and their gradients need the rest
BYTES_PER_READ = 2**26


def prefetch(fetch, items):
    """Yield ``fetch(item)`` for each item in order; a thread fetches the next ones meanwhile.

    Parameters
    ----------
    fetch : callable
        Item -> result. It should spend its time outside of Python: in files, in NumPy.
    items : iterable
        Arguments of `fetch`.

    Yields
    ------
    result : object
        One for each item. An error is raised in the place of its result.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="sklearn_twins") as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(fetch, item))
                if len(waiting) > N_BATCHES_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def copy_ahead(batches, device):
    """Copy batches from pinned memory to a GPU, each one while the network works on the batch before it.

    Copies have their own stream. The work on a batch waits for the copy of this batch only. The memory of a batch
    belongs to the copies' stream; `record_stream` keeps it until the work is done.

    Parameters
    ----------
    batches : iterable of Tensor
        Batches in pinned memory.
    device : torch.device
        The GPU.

    Yields
    ------
    batch : Tensor
        Batch on the GPU, ready for the current stream.
    """
    copies, previous = torch.cuda.Stream(device), None

    def start_copy(batch):
        with torch.cuda.stream(copies):
            return batch.to(device, non_blocking=True), copies.record_event()

    def wait_for_copy(batch, copied):
        current = torch.cuda.current_stream(device)
        current.wait_event(copied)
        batch.record_stream(current)
        return batch

    for batch in batches:
        copy = start_copy(batch)
        if previous is not None:
            yield wait_for_copy(*previous)
        previous = copy
    if previous is not None:
        yield wait_for_copy(*previous)


def as_tensor(array):
    """Make a tensor that shares an array's memory; a read-only array is copied, since tensors cannot be read-only."""
    return torch.from_numpy(array if array.flags.writeable else array.copy(order="K"))


def in_memory_order(x):
    """Order the axes of a tensor by stride, the largest first; the first axis stays in front.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Any tensor with at least one axis.

    Returns
    -------
    order, back : lists of int
        The order, and its inverse: ``x.permute(order).permute(back)`` is x.
    """
    rest = sorted(range(1, x.dim()), key=lambda axis: (-x.stride(axis), axis))
    order = [0, *rest]
    return order, [order.index(axis) for axis in range(x.dim())]


class HostRows:
    """Samples in host memory or on disk, which are copied to the device batch by batch.

    Parameters
    ----------
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        Samples; ``samples[index]`` is an array.
    device : torch.device
        Device of the batches.
    index : ndarray of int, default=None
        Numbers of the samples that are used; None for all.
    """

    def __init__(self, samples, device, index=None):
        self.samples, self.device, self.index = samples, device, index
        self.shape = (len(samples) if index is None else len(index), *samples.shape[1:])

    def __len__(self):
        return self.shape[0]

    def read(self, rows):
        """Read rows into host memory, which is pinned if the device is a GPU.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of the rows.

        Returns
        -------
        batch : Tensor of shape (len(rows), *sample_shape)
        """
        batch = as_tensor(self.samples[rows if self.index is None else self.index[rows]])
        return batch.pin_memory() if self.device.type == "cuda" else batch

    def batches(self, order, size):
        """Yield batches of rows in the given order, and read the next ones meanwhile.

        Parameters
        ----------
        order : Tensor of int64
            Numbers of the rows; their count is a multiple of `size`.
        size : int
            Rows in a batch.

        Yields
        ------
        batch : Tensor of shape (size, *sample_shape)
            Batch on the device.
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
        """Read the rows that a tensor numbers, and copy them to the device."""
        return self.read(rows.cpu().numpy()).to(self.device, non_blocking=True)

    def gather(self, dim, index):
        """Gather values of columns from other rows, as `torch.gather` with ``dim=0`` does."""
        return self.gather_columns(index, 0)

    def gather_columns(self, index, start):
        """Gather values of the columns from `start` on.  # index, values: (batch, columns)"""
        if not isinstance(self.samples, np.ndarray):
            raise ValueError(
                "Values of single columns cannot be taken from samples that stay on disk. Use storage='device', or an "
                "augmentation that does not mix columns of several samples."
            )
        rows = index.cpu().numpy()
        rows = rows if self.index is None else self.index[rows]
        columns = self.samples[:, start : start + rows.shape[1]]
        return as_tensor(np.take_along_axis(columns, rows, axis=0)).to(self.device, non_blocking=True)


def take_samples(samples, index):
    """Take some samples: as an array, or ragged ones as they are (by their method ``subset(index)``)."""
    return samples.subset(index) if hasattr(samples, "subset") else samples[index]


def join_samples(first, second):
    """Put samples behind others from `take_samples`, which have a method ``joined(other)`` if they are ragged."""
    return first.joined(second) if hasattr(first, "joined") else np.concatenate([first, second])


def count_bytes(samples, n):
    """Count the bytes of `n` samples."""
    return n * int(np.prod(samples.shape[1:])) * samples.dtype.itemsize


def fits_on_device(samples, n, device):
    """Whether `n` samples fit on the device: on the CPU arrays do, on a GPU those that take half of its free memory."""
    if device.type == "cpu":
        return isinstance(samples, np.ndarray)
    free, _ = torch.cuda.mem_get_info(device)
    return count_bytes(samples, n) <= SAMPLES_SHARE * free


def to_storage(samples, device, storage, index=None):
    """Put samples into their storage for training.

    Parameters
    ----------
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        All samples.
    device : torch.device
        Device that trains.
    storage : {"auto", "device", "host"}
        "device" copies the samples to the device, "host" leaves them where they are. "auto" copies them if they fit:
        on the CPU arrays stay in memory and lazy samples on disk.
    index : ndarray of int, default=None
        Numbers of the samples that are used; None for all.

    Returns
    -------
    rows : Tensor of shape (n, *sample_shape) or HostRows
    """
    n = len(samples) if index is None else len(index)
    if storage == "host" or (storage == "auto" and not fits_on_device(samples, n, device)):
        return HostRows(samples, device, index)
    if isinstance(samples, np.ndarray):
        return as_tensor(samples if index is None else samples[index]).to(device)
    return load(samples, device, np.arange(n) if index is None else index)


def load(samples, device, index):
    """Read samples from disk onto the device, some at a time."""
    size = max(1, BYTES_PER_READ // max(1, count_bytes(samples, 1)))
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
    """Print number, size and storage of the samples; nothing if they are in memory and the CPU trains."""
    if isinstance(rows, torch.Tensor) and rows.device.type == "cpu":
        return
    is_ragged = hasattr(samples, "equal_blocks")  # in memory, without padding
    in_memory = is_ragged or isinstance(samples, np.ndarray)
    on_device = isinstance(rows, torch.Tensor)
    n_bytes = samples.nbytes if is_ragged and not on_device else count_bytes(samples, len(rows))
    size = f"{len(rows):,} samples, {n_bytes / 2**20:,.1f} MiB of {samples.dtype}"
    if on_device:
        print_line(f"{size}, on {rows.device}")
    else:
        where = "in host memory" if in_memory else "on disk"
        print_line(f"{size}, {where}, to {rows.device} batch by batch")

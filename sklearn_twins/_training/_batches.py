"""Batches: one permutation per epoch, split into equal parts."""

from contextlib import closing

import torch

from .._runtime._storage import in_memory_order


def batch_layout(n, batch_size):
    """Split rows into equal batches.

    There are as many batches as all rows need at `batch_size` (513 rows at 256 are 3 batches of 171). Up to
    ``n_batches - 1`` rows are skipped in each epoch. Every step then has the same shape, and no batch has a single row,
    for which batch statistics are undefined.

    Parameters
    ----------
    n : int
        Number of rows, at least 2.
    batch_size : int
        Maximum number of rows in a batch. Three rows at a `batch_size` of 2 are one batch of 3.

    Returns
    -------
    n_batches, size : int
        Number of batches, and of rows in each.
    """
    n_batches = max(1, min(-(-n // batch_size), n // 2))
    return n_batches, n // n_batches


class Batches:
    """Random batches of rows on the device.

    Parameters
    ----------
    data : Tensor of shape (n, *sample_shape), or HostRows
        All rows.
    batch_size : int
        Maximum number of rows in a batch.
    generator : torch.Generator or None
        Source of the permutations, on the device of `data`. None keeps the rows in order.
    rank, n_ranks : int, default=0, default=1
        Rank of this process, and number of processes. They draw the same permutation and take equal parts of every
        batch.
    partners : Partners or None, default=None
        Partners of the rows. With them a batch is twice as long: its rows, then their partners.

    Attributes
    ----------
    n_batches, size : int
        Number of batches, and of rows in each, counted over all processes.
    rows : Tensor of int64
        Numbers of the rows of the last batch.
    """

    def __init__(self, data, batch_size, generator, rank=0, n_ranks=1, partners=None):
        self.data, self.partners = data, partners
        self.n_batches, size = batch_layout(len(data), batch_size)
        self.size = size - size % n_ranks
        self.rank, self.n_ranks = rank, n_ranks
        self.generator = generator

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n, device = len(self.data), self.data.device
        if self.generator is None:
            order = torch.arange(n, device=device)
        else:
            order = torch.randperm(n, generator=self.generator, device=device)
        own = self.size // self.n_ranks
        order = order[: self.n_batches * self.size].view(self.n_batches, self.n_ranks, own)[:, self.rank]
        if self.partners is not None:
            order, own = torch.cat([order, self.partners.draw(self.generator)[order]], dim=1), 2 * own
        order = order.flatten()
        if not isinstance(self.data, torch.Tensor):
            with closing(self.data.batches(order, own)) as batches:
                for self.rows, batch in zip(order.split(own), batches, strict=True):
                    yield batch
            return
        to_memory, back = in_memory_order(self.data)  # so that index_select copies whole rows
        base = self.data.permute(to_memory)
        for self.rows in order.split(own):
            yield base.index_select(0, self.rows).permute(back)  # (own, *sample_shape)

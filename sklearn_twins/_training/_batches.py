"""Batches: one permutation an epoch, cut into equal parts."""

import torch

from .._runtime._storage import in_memory_order


def batch_layout(n, batch_size):
    """How many rows are cut into how many batches of which size.

    As many equal batches as `batch_size` needs for all rows (513 rows at 256 are 3 batches of 171); what the
    division leaves over, fewer rows than there are batches, sits out the epoch. So every step has the same
    shape, and no batch has a single row, on which batch statistics are not defined.

    Parameters
    ----------
    n : int
        Rows, at least 2.
    batch_size : int
        Rows in a batch at most (3 where that is needed to avoid a batch of one).

    Returns
    -------
    n_batches, size : int
    """
    n_batches = max(1, min(-(-n // batch_size), n // 2))
    return n_batches, n // n_batches


class Batches:
    """Random batches of rows, made by index on their device, or brought there.

    Parameters
    ----------
    data : Tensor of shape (n, *sample_shape), or HostRows
        All rows.
    batch_size : int
        Rows in a batch at most.
    generator : torch.Generator or None
        Source of the permutations, on the device of `data`. None keeps the rows in order.
    rank, n_ranks : int, default=0, default=1
        Which of several processes this is, that draw the same permutation, and take equal parts of every batch.

    Attributes
    ----------
    n_batches, size : int
        How many there are, and how many rows one has, of all processes together.
    """

    def __init__(self, data, batch_size, generator, rank=0, n_ranks=1):
        self.data = data
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
        order = order[: self.n_batches * self.size].view(self.n_batches, self.n_ranks, own)[:, self.rank].flatten()
        if not isinstance(self.data, torch.Tensor):
            yield from self.data.batches(order, own)
            return
        to_memory, back = in_memory_order(self.data)  # whole rows are copied, whatever the order of their axes
        base = self.data.permute(to_memory)
        for start in range(0, len(order), own):
            yield base.index_select(0, order[start : start + own]).permute(back)  # (own, *sample_shape)

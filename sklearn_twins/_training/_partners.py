"""Partners: for each row another row of its group, drawn anew in each epoch."""

import torch


class Partners:
    """Draw for each row a partner from its group: another row, or the row itself where it is alone.

    Parameters
    ----------
    groups : Tensor of shape (n,), int64
        Group of each row.
    rate : float
        Share of rows that get another row as a partner; the others get themselves.

    Shape
    -----
    draw: () -> (n,)
    """

    def __init__(self, groups, rate):
        self.rate = rate
        self.rows = torch.argsort(groups, stable=True)  # rows of one group are neighbours
        counts = torch.unique_consecutive(groups[self.rows], return_counts=True)[1]
        self.size = counts.repeat_interleave(counts)  # (n,), of the group, in this order
        self.start = (counts.cumsum(0) - counts).repeat_interleave(counts)
        self.place = torch.arange(len(groups), device=groups.device) - self.start

    def draw(self, generator):
        """Draw the partners of all rows.

        Parameters
        ----------
        generator : torch.Generator or None
            Source of random numbers. With None the partner is the next row of the group.

        Returns
        -------
        partners : Tensor of shape (n,), int64
        """
        others = (self.size - 1).clamp_(min=1)
        if generator is None:
            step = torch.ones_like(others)
        else:
            u = torch.rand(len(others), generator=generator, device=others.device, dtype=torch.float64)
            step = 1 + (u * others).long().clamp_(max=others - 1)
            if self.rate < 1:
                v = torch.rand(len(others), generator=generator, device=others.device)
                step = torch.where(v < self.rate, step, 0)
        place = (self.place + step) % self.size
        partners = torch.empty_like(self.rows)
        partners[self.rows] = self.rows[self.start + place]
        return partners

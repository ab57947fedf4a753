"""Partners: for each row another row of its group, equal to a reference in NumPy."""

import numpy as np
import pytest
import torch
from builders import seeded
from scipy import stats

from sklearn_twins._training._batches import Batches
from sklearn_twins._training._partners import Partners


def partners_in_numpy(groups, u, v, rate):
    """Row by row: members of the group in order; the partner is a uniform number of places further on, around."""
    members = {g: np.flatnonzero(groups == g) for g in set(groups.tolist())}
    place = {row: i for i, row in enumerate(np.argsort(groups, kind="stable"))}  # random numbers are in this order
    partners = np.arange(len(groups))
    for row, group in enumerate(groups.tolist()):
        own, i = members[group], place[row]
        if len(own) > 1 and (rate == 1 or v[i] < rate):
            step = 1 + min(int(u[i] * (len(own) - 1)), len(own) - 2)
            partners[row] = own[(np.flatnonzero(own == row)[0] + step) % len(own)]
    return partners


@pytest.mark.parametrize("rate", [1.0, 0.6])
@pytest.mark.parametrize("n_groups", [1, 7, 60])
def test_equal_numpys(rate, n_groups):
    groups = np.random.default_rng(n_groups).integers(0, n_groups, 90)
    drawn = Partners(torch.from_numpy(groups), rate).draw(seeded(3))
    generator = seeded(3)
    u = torch.rand(90, generator=generator, dtype=torch.float64).numpy()
    v = torch.rand(90, generator=generator).numpy()
    np.testing.assert_array_equal(drawn, partners_in_numpy(groups, u, v, rate))


def test_others_of_the_group_are_equally_likely():
    partners = Partners(torch.zeros(6, dtype=torch.int64), 1.0)
    generator = seeded()
    drawn = np.array([partners.draw(generator).numpy() for _ in range(3_000)])
    for row, column in enumerate(drawn.T):
        counts = np.bincount(column, minlength=6)
        assert counts[row] == 0 and stats.chisquare(np.delete(counts, row)).pvalue > 1e-4


def test_held_out_rows_keep_their_partners():
    """Without a generator the partner is the next row of the group."""
    assert Partners(torch.tensor([0, 1, 0, 0, 2, 1]), 1.0).draw(None).tolist() == [2, 5, 3, 0, 4, 1]


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_batches_are_rows_and_their_partners(n_ranks):
    data, groups = torch.arange(40.0)[:, None], torch.arange(40) // 4
    plain = torch.cat(list(Batches(data, 10, seeded(1), 0, n_ranks)))
    paired = Batches(data, 10, seeded(1), 0, n_ranks, Partners(groups, 1.0))
    batches = list(paired)
    rows, partners = (torch.cat(half).flatten().long() for half in zip(*(b.chunk(2) for b in batches), strict=True))
    assert torch.equal(rows, plain.flatten().long())  # the order of rows does not change
    assert torch.equal(groups[rows], groups[partners]) and not (rows == partners).any()
    assert paired.size == 10 and {len(batch) for batch in batches} == {20 // n_ranks}

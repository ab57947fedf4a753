"""Batches: rows cut into equal parts, never a part of one row, each row at most once an epoch."""

import pytest
import torch

from sklearn_twins._training._batches import Batches, batch_layout

SIZES = [2, 3, 4, 5, 7, 8, 16, 17, 31, 32, 33, 64, 100, 255, 256, 257, 512, 600, 10_000]


@pytest.mark.parametrize("batch_size", SIZES)
def test_every_row_count_gives_equal_batches(batch_size):
    """For every number of rows: equal batches of two or more, fewer rows left over than there are batches."""
    for n in range(2, 601):
        n_batches, size = batch_layout(n, batch_size)
        assert n_batches >= 1 and size >= 2, n
        assert size <= batch_size or (n, batch_size, size) == (3, 2, 3), n
        assert 0 <= n - n_batches * size < n_batches, n


def test_there_are_no_more_batches_than_needed():
    """One batch fewer, of `batch_size` rows, would not hold them all."""
    for batch_size in SIZES:
        for n in range(2, 601):
            assert (batch_layout(n, batch_size)[0] - 1) * batch_size < n


@pytest.mark.parametrize(
    ("n", "batch_size", "expected"),
    [
        (2, 256, (1, 2)),
        (3, 2, (1, 3)),
        (4, 2, (2, 2)),
        (256, 256, (1, 256)),
        (300, 256, (2, 150)),
        (512, 256, (2, 256)),
        (1_797, 256, (8, 224)),
        (5, 2, (2, 2)),
        (2, 2, (1, 2)),
    ],
)
def test_layout_by_hand(n, batch_size, expected):
    assert batch_layout(n, batch_size) == expected


def rows(n):
    return torch.arange(n, dtype=torch.float32)[:, None].repeat(1, 3)


def epoch(batches):
    return [batch[:, 0].long().tolist() for batch in batches]


@pytest.mark.parametrize("n", [2, 3, 5, 10, 33, 100, 257])
@pytest.mark.parametrize("batch_size", [2, 7, 32, 256])
def test_rows_occur_at_most_once_an_epoch(n, batch_size):
    batches = Batches(rows(n), batch_size, torch.Generator().manual_seed(0))
    for _ in range(3):
        parts = epoch(batches)
        seen = [row for part in parts for row in part]
        assert len(parts) == len(batches) == batches.n_batches
        assert {len(part) for part in parts} == {batches.size}
        assert len(set(seen)) == len(seen) and set(seen) <= set(range(n))
        assert n - len(seen) < len(batches)


def test_batches_are_whole_rows():
    data = torch.randn(20, 4, 4, 3, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    found = torch.cat(list(Batches(data, 5, generator)))
    assert torch.equal(found, data[order])


def test_epochs_differ_and_seeds_repeat():
    batches = Batches(rows(50), 10, torch.Generator().manual_seed(0))
    first, second = epoch(batches), epoch(batches)
    assert first != second
    again = Batches(rows(50), 10, torch.Generator().manual_seed(0))
    assert [epoch(again), epoch(again)] == [first, second]


def test_rows_left_over_differ_from_epoch_to_epoch():
    batches = Batches(rows(11), 2, torch.Generator().manual_seed(0))
    out = [set(range(11)).difference(*epoch(batches)) for _ in range(60)]
    assert set.union(*out) == set(range(11))


def test_no_generator_keeps_the_order():
    batches = Batches(rows(11), 4, None)
    assert epoch(batches) == epoch(batches) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_rows_are_copied_out():
    data = rows(8)
    for batch in Batches(data, 4, None):
        batch += 100
    assert torch.equal(data, rows(8))


def test_global_generator_is_untouched():
    before = torch.get_rng_state()
    epoch(Batches(rows(8), 4, torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), before)

"""ComplementaryColumns: one view keeps what the other loses, equal to a reference in NumPy."""

import numpy as np
import pytest
import torch
from builders import bound, seeded, table_samples, table_spec

from sklearn_twins.augmentations import Chain, ComplementaryColumns, make_views


def views_in_numpy(x, data, u, overlap):
    lost = (1 - overlap) / 2
    a, b = x.copy(), x.copy()
    for i, j in np.ndindex(*x.shape):
        if u[i, j] < lost:
            b[i, j] = data[int(u[i, j] / lost * len(data)), j]
        if u[i, j] >= 1 - lost:
            a[i, j] = data[min(int((u[i, j] - (1 - lost)) / lost * len(data)), len(data) - 1), j]
    return a, b


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.9])
def test_equal_numpys(overlap):
    x, data = torch.randn(30, 7, generator=seeded(1)), torch.randn(50, 7, generator=seeded(2))
    views = make_views(ComplementaryColumns(overlap), x, data, seeded(3))
    u = torch.rand(30, 7, generator=seeded(3)).numpy()
    for view, expected in zip(views, views_in_numpy(x.numpy(), data.numpy(), u, overlap), strict=True):
        np.testing.assert_array_equal(view, expected)


def test_full_overlap_changes_nothing():
    x = torch.randn(5, 3, generator=seeded())
    a, b = make_views(ComplementaryColumns(1.0), x, x, seeded())
    assert torch.equal(a, x) and torch.equal(b, x) and a is not x and b is not x


def test_second_views_are_made_from_partners():
    """Which values are kept, by rows of 1, partners of 2 and data of 0."""
    x, data = torch.ones(2_000, 6), torch.zeros(9, 6)
    a, b = make_views(ComplementaryColumns(0.0), x, data, seeded(), 2 * x)
    assert torch.equal(2 * a + b, 2 * x)
    assert abs(a.mean() - 0.5) < 0.02


def test_parts_of_a_date_stay_together():
    spec = table_spec(6, missing=(1, 2), categories=(5, 9), sources=(0, 3, 3, 4, 1, 2))
    x, data = torch.zeros(300, 6), torch.arange(1.0, 301)[:, None].expand(300, 6)
    for view in make_views(bound(ComplementaryColumns(), spec), x, data, seeded()):
        assert torch.equal(view[:, 1], view[:, 2]) and not torch.equal(view[:, 0], view[:, 1])


def test_every_kind_of_column():
    spec = table_spec(6, missing=(1, 2), categories=(5, 9))
    x = table_samples(spec)
    for view in make_views(bound(ComplementaryColumns(0.2), spec), x, x, seeded()):
        for j in range(6):
            assert set(view[:, j].nan_to_num(99).tolist()) <= set(x[:, j].nan_to_num(99).tolist())


def test_it_makes_both_views():
    with pytest.raises(TypeError, match="makes both views"):
        Chain([("complement", ComplementaryColumns())]).check()

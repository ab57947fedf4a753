"""Marginal corruption and masking: how often, with what, from where, columns of one source together."""

import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_twins._parts._augmentation import bind
from sklearn_twins._tabular._corruption import MAX_ROWS_FLOAT32
from sklearn_twins.augmentations import MarginalCorruption, Masking
from sklearn_twins.preprocessing import TableSpec

KINDS = [MarginalCorruption, Masking]
BOTH = pytest.mark.parametrize("kind", KINDS)

# Two dates, of three and two parts, a number between them, and a category from between their columns.
DATED = TableSpec((7,), categories=(50,), sources=(1, 1, 1, 4, 7, 7, 2))
GROUPS = [[0, 1, 2], [3], [4, 5], [6]]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(n, dim):
    """Rows whose value tells where it is from: column * n + row."""
    return (torch.arange(n)[:, None] + n * torch.arange(dim)).float()


def bound(component, spec=DATED):
    return bind(component, spec, torch.device("cpu"))


def p_uniform(counts):
    return stats.chisquare(counts).pvalue


@BOTH
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_rate(kind, rate):
    """The number of replaced values is binomial: within 4 of its standard deviations."""
    x, data = torch.ones(2_000, 50), torch.zeros(100, 50)
    share = (kind(rate)(x, data, seeded()) == 0).float().mean().item()
    assert abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / x.numel())


@BOTH
def test_rate_is_the_same_in_every_column_and_varies_from_row_to_row(kind):
    replaced = (kind(0.3)(torch.ones(5_000, 20), torch.zeros(100, 20), seeded()) == 0).double()
    deviation = np.sqrt(0.3 * 0.7 / 5_000)
    assert ((replaced.mean(0) - 0.3).abs() < 4.5 * deviation).all()
    assert replaced.sum(1).var().item() == pytest.approx(20 * 0.3 * 0.7, rel=0.1)


@BOTH
def test_columns_are_independent(kind):
    """Each two columns: the four joint counts against the product of their rates."""
    replaced = (kind(0.4)(torch.ones(5_000, 6), torch.zeros(100, 6), seeded()) == 0).numpy()
    pvalues = []
    for i in range(6):
        for j in range(i):
            joint = np.array(
                [
                    [(replaced[:, i] & replaced[:, j]).sum(), (replaced[:, i] & ~replaced[:, j]).sum()],
                    [(~replaced[:, i] & replaced[:, j]).sum(), (~replaced[:, i] & ~replaced[:, j]).sum()],
                ]
            )
            pvalues.append(stats.chi2_contingency(joint).pvalue)
    assert min(pvalues) > 0.01 / len(pvalues)


@BOTH
def test_rows_are_independent(kind):
    replaced = (kind(0.4)(torch.ones(2, 20_000), torch.zeros(5, 20_000), seeded()) == 0).numpy()
    assert abs(np.corrcoef(replaced)[0, 1]) < 4 / np.sqrt(20_000)


@BOTH
def test_kept_values_are_the_rows_own(kind):
    x = torch.randn(200, 7, generator=seeded(1))
    view = kind(0.5)(x, numbered(50, 7) + 1_000, seeded())
    replaced = (view >= 1_000) if kind is MarginalCorruption else (view == 0)
    assert 0 < replaced.sum() < x.numel()
    assert torch.equal(view[~replaced], x[~replaced])


@BOTH
def test_rate_one_replaces_everything(kind):
    assert (kind(1)(torch.ones(2_000, 50), torch.zeros(30, 50), seeded()) == 0).all()


def test_replacements_come_from_the_same_column():
    n, dim = 37, 6
    view = MarginalCorruption(0.5)(torch.full((500, dim), -1.0), numbered(n, dim), seeded())
    column = torch.arange(dim).expand(500, dim)
    replaced = view >= 0
    assert torch.equal((view // n)[replaced].long(), column[replaced])
    assert torch.equal(view, view.round())


@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("n", [2, 20, 333])
def test_replacements_are_uniform_over_the_rows(rate, n):
    size = int(20 * max(n, 50) / rate / 5)
    view = MarginalCorruption(rate)(torch.full((size, 5), -1.0), numbered(n, 5), seeded())
    counts = torch.bincount((view[view >= 0] % n).long(), minlength=n).numpy()
    assert len(counts) == n
    assert p_uniform(counts) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("n", [MAX_ROWS_FLOAT32, MAX_ROWS_FLOAT32 + 1, 100_000])
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_replacements_are_uniform_over_many_rows(n, rate):
    """On either side of the switch to float64: over blocks of rows, and over the rows' last digits."""
    rows = torch.arange(n, dtype=torch.float64)[:, None].repeat(1, 2)
    view = MarginalCorruption(rate)(torch.full((200_000, 2), -1.0, dtype=torch.float64), rows, seeded())
    donors = view[view >= 0].long()
    assert donors.max() < n and donors.max() > 0.999 * n and donors.min() < 0.001 * n
    assert p_uniform(torch.bincount(donors % 16, minlength=16).numpy()) > 1e-3
    blocks = np.histogram(donors.numpy(), bins=64, range=(0, n))[0]
    widths = np.histogram(np.arange(n), bins=64, range=(0, n))[0]
    assert stats.chisquare(blocks, widths / n * len(donors)).pvalue > 1e-3


@pytest.mark.parametrize("n", [2**15, MAX_ROWS_FLOAT32])
def test_every_row_can_be_a_donor_at_a_small_rate(n):
    """A float32 uniform below a small rate has few values: 1e-3 * 2^24 of them cannot pick 2^16 rows evenly.

    A row stays out of k uniform draws with probability ``q = (1 - 1/n)^k``. Rows exclude each other, so the number
    of rows drawn has the mean ``n (1 - q)`` and at most the binomial's variance ``n q (1 - q)``.
    """
    rows = torch.arange(n, dtype=torch.float32)[:, None].repeat(1, 4)
    view = MarginalCorruption(1e-3)(torch.full((2_000_000, 4), -1.0), rows, seeded())
    donors = view[view >= 0].long()
    q = (1 - 1 / n) ** len(donors)
    assert abs(len(donors.unique()) - n * (1 - q)) < 4 * np.sqrt(n * q * (1 - q))


def test_donors_of_two_columns_are_independent():
    view = MarginalCorruption(1.0)(torch.zeros(20_000, 2), numbered(8, 2), seeded())
    first, second = (view % 8).long().T
    joint = torch.bincount(8 * first + second, minlength=64).reshape(8, 8).numpy()
    assert stats.chi2_contingency(joint).pvalue > 1e-3


def test_marginals_are_kept():
    """A wholly corrupted column has the training column's distribution, of missing values too."""
    data = torch.randn(400, 3, generator=seeded(1)) ** 3
    data[::4, 1] = float("nan")
    view = MarginalCorruption(1.0)(data.repeat(50, 1), data, seeded())
    assert stats.ks_2samp(view[:, 0].numpy(), data[:, 0].numpy()).pvalue > 1e-3
    share = torch.isnan(view[:, 1]).double().mean().item()
    assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(view))
    assert not torch.isnan(view[:, [0, 2]]).any()


def test_missing_values_travel_as_values():
    """NaN replaces, is replaced, and is kept, like any other value."""
    x, data = torch.full((2_000, 3), float("nan")), torch.ones(10, 3)
    view = MarginalCorruption(0.3)(x, data, seeded())
    assert torch.isnan(view).double().mean().item() == pytest.approx(0.7, abs=0.03)
    back = MarginalCorruption(0.3)(torch.ones(2_000, 3), torch.full((10, 3), float("nan")), seeded())
    assert torch.equal(torch.isnan(back), ~torch.isnan(view))


def test_masking_hides_missing_values_too():
    view = Masking(1.0)(torch.full((3, 3), float("nan")), torch.zeros(3, 3), seeded())
    assert (view == 0).all()


def test_masking_takes_samples_of_any_shape():
    view = Masking(0.5)(torch.ones(20, 4, 5, 3), torch.zeros(1), seeded())
    assert view.shape == (20, 4, 5, 3)
    assert 0.4 < view.mean().item() < 0.6


@BOTH
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.9])
def test_columns_of_one_source_are_replaced_together(kind, rate):
    """At the rate, and those of different sources independently."""
    n = 20_000
    replaced = bound(kind(rate))(torch.ones(n, 7), torch.zeros(100, 7), seeded()) == 0
    first = replaced[:, [group[0] for group in GROUPS]].double()
    for group in GROUPS:
        assert (replaced[:, group] == replaced[:, group[:1]]).all()
    assert ((first.mean(0) - rate).abs() < 4 * np.sqrt(rate * (1 - rate) / n)).all()
    correlations = np.corrcoef(first.numpy().T)[~np.eye(4, dtype=bool)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(n)


@BOTH
def test_rate_one_replaces_all_columns_of_every_source(kind):
    assert (bound(kind(1))(torch.ones(500, 7), torch.zeros(30, 7), seeded()) == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, MAX_ROWS_FLOAT32 + 1])
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_columns_of_one_source_come_from_one_row(n, rate):
    """Each column from its own, all those of a source from the same row, any row alike."""
    x, data = torch.full((5_000, 7), -1.0, dtype=torch.float64), numbered(n, 7).double()
    view = bound(MarginalCorruption(rate))(x, data, seeded())
    column = torch.arange(7).expand_as(view)
    assert torch.equal((view // n)[view >= 0].long(), column[view >= 0])
    donors = torch.where(view >= 0, view % n, -1.0)
    for group in GROUPS:
        assert (donors[:, group] == donors[:, group[:1]]).all()
        own = donors[:, group[0]]
        assert p_uniform(np.histogram(own[own >= 0], bins=20, range=(0, n))[0]) > 1e-3


def test_rows_of_two_sources_are_independent():
    view = bound(MarginalCorruption(1.0))(torch.zeros(20_000, 7), numbered(8, 7), seeded())
    donors = (view % 8).long()
    for i, j in [(0, 3), (2, 4), (5, 6), (0, 6)]:
        joint = torch.bincount(8 * donors[:, i] + donors[:, j], minlength=64).reshape(8, 8).numpy()
        assert stats.chi2_contingency(joint).pvalue > 1e-3 / 4


def test_category_gives_way_to_one_that_occurs_as_often_as_it_does():
    """Codes in between, and those of the other column, never occur."""
    spec = TableSpec((3,), categories=(50, 50))
    data = torch.tensor([[0.5, 2.0, 0.0], [0.5, 2.0, 49.0], [0.5, 7.0, 9.0], [0.5, 2.0, 9.0]])
    view = bound(MarginalCorruption(1.0), spec)(torch.full((4_000, 3), 1.0), data, seeded())
    for column, expected in [(1, {2: 3 / 4, 7: 1 / 4}), (2, {0: 1 / 4, 9: 1 / 2, 49: 1 / 4})]:
        values, counts = view[:, column].unique(return_counts=True)
        assert values.tolist() == list(expected)
        assert stats.chisquare(counts, 4_000 * np.array(list(expected.values()))).pvalue > 1e-3


def test_missing_dates_travel_whole():
    """A date is missing as a whole or not at all; the other date's gaps are its own."""
    data = torch.zeros(40, 7)
    data[:10, :3] = float("nan")
    data[20:25, 4:6] = float("nan")
    view = bound(MarginalCorruption(0.5))(torch.ones(8_000, 7), data, seeded())
    for group, share in zip(GROUPS, (0.5 / 4, 0, 0.5 / 8, 0), strict=True):
        missing = view[:, group].isnan()
        assert (missing == missing[:, :1]).all()
        assert abs(missing[:, 0].double().mean().item() - share) <= 4 * np.sqrt(share * (1 - share) / 8_000)


def test_masking_hides_a_missing_date_and_a_category_too():
    """Both become 0, the middle of a number and the code of a missing category, and are seldom hidden together."""
    x = torch.tensor([[float("nan")] * 3 + [2.0, 3.0, 3.0, 7.0]]).repeat(2_000, 1)
    view = bound(Masking(0.3))(x, x, seeded())
    hidden = view == 0
    assert torch.equal(view[~hidden].nan_to_num(9), x[~hidden].nan_to_num(9))
    assert hidden[:, [0, 6]].double().mean(0).tolist() == pytest.approx([0.3, 0.3], abs=0.045)
    assert (hidden[:, 0] & hidden[:, 6]).double().mean().item() == pytest.approx(0.09, abs=0.03)


@pytest.mark.parametrize(("n_columns", "rate"), [(1, 0.2), (20, 0.2), (30, 0.25), (40, 0.3), (200, 0.3)])
def test_default_rate_follows_from_the_number_of_columns(n_columns, rate):
    x, data = torch.ones(20_000, n_columns), torch.zeros(10, n_columns)
    share = (MarginalCorruption()(x, data, seeded()) == 0).double().mean().item()
    assert abs(share - rate) < 0.01


def test_default_rate_counts_the_columns_of_the_table_not_of_the_sample():
    """A table of two columns, of which one is a date with thirty-nine parts."""
    spec = TableSpec(shape=(40,), sources=(0, *[1] * 39))
    replaced = bound(MarginalCorruption(), spec)(torch.ones(50_000, 40), torch.zeros(10, 40), seeded()) == 0
    assert abs(replaced.double().mean().item() - 0.2) < 0.01

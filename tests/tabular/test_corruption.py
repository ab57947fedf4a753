"""Marginal corruption and masking: rates, donor rows, and columns of one date replaced together."""

import itertools

import numpy as np
import pytest
import torch
from builders import bound, same, seeded, table_spec
from scipy import stats

from sklearn_twins._tabular._corruption import MAX_ROWS_FLOAT32
from sklearn_twins.augmentations import MarginalCorruption, Masking

BOTH = pytest.mark.parametrize("kind", [MarginalCorruption, Masking])

# Two dates, of three and two parts, a number between them, and a category from between their columns.
DATED = table_spec(7, categories=(50,), sources=(1, 1, 1, 4, 7, 7, 2))
GROUPS = [[0, 1, 2], [3], [4, 5], [6]]


def numbered(n, dim):
    """Rows whose values encode their place: column * n + row."""
    return (torch.arange(n)[:, None] + n * torch.arange(dim)).double()


def p_uniform(counts):
    return stats.chisquare(counts).pvalue


def p_independent(a, b, n):
    """p-value of the independence of two columns of integers below n."""
    joint = np.bincount(n * np.asarray(a) + np.asarray(b), minlength=n * n).reshape(n, n)
    return stats.chi2_contingency(joint).pvalue


@BOTH
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.9, 1])
def test_rate(kind, rate):
    """The number of replaced values is binomial in each column: within 4.5 of its standard deviations."""
    replaced = (kind(rate)(torch.ones(5_000, 20), torch.zeros(100, 20), seeded()) == 0).double()
    assert ((replaced.mean(0) - rate).abs() <= 4.5 * np.sqrt(rate * (1 - rate) / 5_000)).all()
    assert abs(replaced.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / replaced.numel())
    assert replaced.sum(1).var().item() == pytest.approx(20 * rate * (1 - rate), rel=0.1), "varies from row to row"


@BOTH
def test_columns_and_rows_are_independent(kind):
    replaced = (kind(0.4)(torch.ones(5_000, 6), torch.zeros(100, 6), seeded()) == 0).long()
    pairs = list(itertools.combinations(replaced.T, 2))
    assert min(p_independent(*pair, 2) for pair in pairs) > 0.01 / len(pairs)
    replaced = (kind(0.4)(torch.ones(2, 20_000), torch.zeros(5, 20_000), seeded()) == 0).numpy()
    assert abs(np.corrcoef(replaced)[0, 1]) < 4 / np.sqrt(20_000)


@BOTH
def test_kept_values_are_unchanged(kind):
    x = torch.randn(200, 7, generator=seeded(1))
    view = kind(0.5)(x, numbered(50, 7).float() + 1_000, seeded())
    replaced = (view >= 1_000) if kind is MarginalCorruption else (view == 0)
    assert 0 < replaced.sum() < x.numel()
    assert torch.equal(view[~replaced], x[~replaced])


@pytest.mark.parametrize(("rate", "n"), [(0.05, 20), (0.3, 2), (0.3, 333), (1.0, 20), (1.0, 333)])
def test_replacements_come_from_the_same_column_and_uniformly_from_the_rows(rate, n):
    size = int(20 * max(n, 50) / rate / 5)
    view = MarginalCorruption(rate)(torch.full((size, 5), -1.0).double(), numbered(n, 5), seeded())
    replaced = view >= 0
    assert torch.equal((view // n)[replaced].long(), torch.arange(5).expand_as(view)[replaced])
    assert p_uniform(np.bincount(view[replaced].long() % n, minlength=n)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rate"), [(MAX_ROWS_FLOAT32, 1.0), (MAX_ROWS_FLOAT32 + 1, 1.0), (100_000, 0.3)])
def test_replacements_are_uniform_over_many_rows(n, rate):
    """On either side of the switch to float64: over blocks of rows, and over the rows' last digits."""
    view = MarginalCorruption(rate)(torch.full((200_000, 2), -1.0).double(), numbered(n, 1).repeat(1, 2), seeded())
    donors = view[view >= 0].long()
    assert donors.max() < n and donors.max() > 0.999 * n and donors.min() < 0.001 * n
    assert p_uniform(np.bincount(donors % 16, minlength=16)) > 1e-3
    blocks = np.histogram(donors.numpy(), bins=64, range=(0, n))[0]
    widths = np.histogram(np.arange(n), bins=64, range=(0, n))[0]
    assert stats.chisquare(blocks, widths / n * len(donors)).pvalue > 1e-3


@pytest.mark.slow
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


def test_marginals_are_kept():
    """A fully corrupted column has the distribution of the training column, missing values included."""
    data = torch.randn(400, 3, generator=seeded(1)) ** 3
    data[::4, 1] = torch.nan
    view = MarginalCorruption(1.0)(data.repeat(50, 1), data, seeded())
    assert stats.ks_2samp(view[:, 0].numpy(), data[:, 0].numpy()).pvalue > 1e-3
    share = torch.isnan(view[:, 1]).double().mean().item()
    assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(view))
    assert not torch.isnan(view[:, [0, 2]]).any()


def test_missing_values_are_replaced_and_replace_like_others():
    """Masking hides them, too."""
    nothing, ones = torch.full((2_000, 3), torch.nan), torch.ones(2_000, 3)
    view = MarginalCorruption(0.3)(nothing, ones, seeded())
    assert torch.isnan(view).double().mean().item() == pytest.approx(0.7, abs=0.03)
    back = MarginalCorruption(0.3)(ones, nothing, seeded())
    assert torch.equal(torch.isnan(back), ~torch.isnan(view))
    assert (Masking(1.0)(nothing, nothing, seeded()) == 0).all()


@BOTH
@pytest.mark.parametrize("rate", [0.05, 0.3, 1])
def test_columns_of_one_source_are_replaced_together(kind, rate):
    """Columns of different sources are replaced independently."""
    n = 20_000
    replaced = bound(kind(rate), DATED)(torch.ones(n, 7), torch.zeros(100, 7), seeded()) == 0
    for group in GROUPS:
        assert (replaced[:, group] == replaced[:, group[:1]]).all()
    first = replaced[:, [group[0] for group in GROUPS]].double()
    assert ((first.mean(0) - rate).abs() <= 4 * np.sqrt(rate * (1 - rate) / n)).all()
    if rate < 1:
        assert np.abs(np.corrcoef(first.numpy().T)[~np.eye(4, dtype=bool)]).max() < 4.5 / np.sqrt(n)


@pytest.mark.parametrize(("n", "rate"), [(20, 0.3), (20, 1.0), (MAX_ROWS_FLOAT32 + 1, 1.0)])
def test_columns_of_one_source_come_from_one_row(n, rate):
    """All rows are equally likely."""
    x = torch.full((5_000, 7), -1.0, dtype=torch.float64)
    view = bound(MarginalCorruption(rate), DATED)(x, numbered(n, 7), seeded())
    assert torch.equal((view // n)[view >= 0].long(), torch.arange(7).expand_as(view)[view >= 0])
    donors = torch.where(view >= 0, view % n, -1.0)
    for group in GROUPS:
        assert (donors[:, group] == donors[:, group[:1]]).all()
        own = donors[:, group[0]]
        assert p_uniform(np.histogram(own[own >= 0], bins=20, range=(0, n))[0]) > 1e-3


def test_donors_of_two_columns_are_independent():
    """For columns of two sources, and without sources."""
    plain = MarginalCorruption(1.0)(torch.zeros(20_000, 7).double(), numbered(8, 7), seeded()).long() % 8
    dated = bound(MarginalCorruption(1.0), DATED)(torch.zeros(20_000, 7).double(), numbered(8, 7), seeded()).long() % 8
    assert p_independent(plain[:, 0], plain[:, 1], 8) > 1e-3
    for i, j in [(0, 3), (2, 4), (5, 6), (0, 6)]:
        assert p_independent(dated[:, i], dated[:, j], 8) > 1e-3 / 4


def test_categories_are_replaced_by_their_frequency():
    """Codes that the column does not hold never occur."""
    spec = table_spec(3, categories=(50, 50))
    data = torch.tensor([[0.5, 2.0, 0.0], [0.5, 2.0, 49.0], [0.5, 7.0, 9.0], [0.5, 2.0, 9.0]])
    view = bound(MarginalCorruption(1.0), spec)(torch.full((4_000, 3), 1.0), data, seeded())
    for column, expected in [(1, {2: 3 / 4, 7: 1 / 4}), (2, {0: 1 / 4, 9: 1 / 2, 49: 1 / 4})]:
        values, counts = view[:, column].unique(return_counts=True)
        assert values.tolist() == list(expected)
        assert stats.chisquare(counts, 4_000 * np.array(list(expected.values()))).pvalue > 1e-3


def test_missing_dates_replace_as_a_whole():
    """All parts of a date are missing or none; two dates are independent."""
    data = torch.zeros(40, 7)
    data[:10, :3] = torch.nan
    data[20:25, 4:6] = torch.nan
    view = bound(MarginalCorruption(0.5), DATED)(torch.ones(8_000, 7), data, seeded())
    for group, share in zip(GROUPS, (0.5 / 4, 0, 0.5 / 8, 0), strict=True):
        missing = view[:, group].isnan()
        assert (missing == missing[:, :1]).all()
        assert abs(missing[:, 0].double().mean().item() - share) <= 4 * np.sqrt(share * (1 - share) / 8_000)


def test_masking_hides_a_missing_date_and_a_category_too():
    """Both become 0, independently."""
    x = torch.tensor([[torch.nan] * 3 + [2.0, 3.0, 3.0, 7.0]]).repeat(2_000, 1)
    view = bound(Masking(0.3), DATED)(x, x, seeded())
    hidden = view == 0
    assert same(view[~hidden], x[~hidden])
    assert hidden[:, [0, 6]].double().mean(0).tolist() == pytest.approx([0.3, 0.3], abs=0.045)
    assert (hidden[:, 0] & hidden[:, 6]).double().mean().item() == pytest.approx(0.09, abs=0.03)


@pytest.mark.parametrize(("n_columns", "rate"), [(1, 0.2), (20, 0.2), (30, 0.25), (40, 0.3), (200, 0.3)])
def test_default_rate_follows_from_the_number_of_columns(n_columns, rate):
    """The columns of the table count, not those of the sample, in which a date has several."""
    n = max(1_000, 20_000 // n_columns)
    x, data = torch.ones(n, n_columns), torch.zeros(10, n_columns)
    share = (MarginalCorruption()(x, data, seeded()) == 0).double().mean().item()
    assert abs(share - rate) < 0.01
    spec = table_spec(n_columns + 39, sources=(*range(n_columns), *[n_columns - 1] * 39))
    x, data = torch.ones(n, n_columns + 39), torch.zeros(10, n_columns + 39)
    replaced = bound(MarginalCorruption(), spec)(x, data, seeded()) == 0
    assert abs(replaced[:, :n_columns].double().mean().item() - rate) < 0.01

"""Marginal corruption and masking: how often, with what, from where; and that nothing else changes."""

import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone

from sklearn_twins.augmentations import MarginalCorruption, Masking
from sklearn_twins.augmentations._corruption import MAX_ROWS_FLOAT32

KINDS = [MarginalCorruption, Masking]
BOTH = pytest.mark.parametrize("kind", KINDS)
RATE = {MarginalCorruption: "corruption_rate", Masking: "mask_rate"}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(n, dim):
    """Rows whose value tells where it is from: column * n + row."""
    return (torch.arange(n)[:, None] + n * torch.arange(dim)).float()


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
@pytest.mark.parametrize("rate", [0, 0.4, 1])
def test_inputs_are_not_modified_nor_shared(kind, rate):
    x = torch.randn(40, 5, generator=seeded(1))
    before = x.clone()
    view = kind(rate)(x, x, seeded())
    view += 1
    assert torch.equal(x, before)


@BOTH
def test_same_generator_state_same_view(kind):
    x = torch.randn(64, 8, generator=seeded(1))
    generator = seeded(3)
    state = generator.get_state()
    first, second = kind(0.5)(x, x, generator), kind(0.5)(x, x, generator)
    assert not torch.equal(first, second)
    generator.set_state(state)
    assert torch.equal(kind(0.5)(x, x, generator), first)
    assert not torch.equal(kind(0.5)(x, x, seeded(4)), first)


@BOTH
def test_global_generator_is_untouched(kind):
    before = torch.get_rng_state()
    kind(0.5)(torch.ones(9, 3), torch.zeros(9, 3), seeded())
    assert torch.equal(torch.get_rng_state(), before)


@BOTH
def test_rate_zero_is_the_identity(kind):
    x = torch.tensor([[1.0, float("nan"), -3.0]]).repeat(50, 1)
    assert torch.equal(kind(0)(x, torch.zeros(9, 3), seeded()).nan_to_num(9), x.nan_to_num(9))
    assert torch.equal(kind(0.0)(x, torch.zeros(9, 3), seeded()).nan_to_num(9), x.nan_to_num(9))


@BOTH
def test_rate_one_replaces_everything(kind):
    assert (kind(1)(torch.ones(2_000, 50), torch.zeros(30, 50), seeded()) == 0).all()


@BOTH
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 1), (300, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept(kind, shape, dtype):
    """Batches may hold more rows than the data, and fewer."""
    view = kind(0.5)(torch.ones(shape, dtype=dtype), torch.zeros(11, shape[1], dtype=dtype), seeded())
    assert view.shape == shape and view.dtype == dtype


@BOTH
def test_memory_layout_does_not_matter(kind):
    x = torch.randn(6, 40, generator=seeded(1)).T
    assert not x.is_contiguous()
    assert torch.equal(kind(0.5)(x, x, seeded()), kind(0.5)(x.contiguous(), x.contiguous(), seeded()))


@BOTH
def test_global_default_dtype_does_not_matter(kind):
    x = torch.randn(40, 6, generator=seeded(1))
    expected = kind(0.5)(x, x, seeded())
    torch.set_default_dtype(torch.float64)
    try:
        found = kind(0.5)(x, x, seeded())
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == torch.float32 and torch.equal(found, expected)


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


def test_one_training_row_and_one_row():
    view = MarginalCorruption(1.0)(torch.zeros(1, 3), torch.tensor([[1.0, 2.0, 3.0]]), seeded())
    assert view.tolist() == [[1.0, 2.0, 3.0]]


def test_masking_hides_missing_values_too():
    view = Masking(1.0)(torch.full((3, 3), float("nan")), torch.zeros(3, 3), seeded())
    assert (view == 0).all()


def test_masking_takes_samples_of_any_shape():
    view = Masking(0.5)(torch.ones(20, 4, 5, 3), torch.zeros(1), seeded())
    assert view.shape == (20, 4, 5, 3)
    assert 0.4 < view.mean().item() < 0.6


@BOTH
@pytest.mark.parametrize("rate", [-0.01, 1.01, "0.3", None, float("nan")])
def test_wrong_rate_is_refused(kind, rate):
    with pytest.raises(ValueError, match=f"'{RATE[kind]}' parameter of {kind.__name__}"):
        kind(rate).check()


@BOTH
def test_clone_parameters_and_pickle(kind):
    component = kind().set_params(**{RATE[kind]: 0.7})
    copy = clone(component)
    assert copy is not component and copy.get_params() == {RATE[kind]: 0.7}
    assert repr(pickle.loads(pickle.dumps(component))) == f"{kind.__name__}({RATE[kind]}=0.7)"
    assert component.check() is component


@pytest.mark.gpu
@BOTH
def test_views_are_made_where_the_batch_is(kind):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    x, data = torch.ones(100, 5, device="cuda"), torch.zeros(70_000, 5, device="cuda")
    first, second = (kind(0.5)(x, data, torch.Generator(device="cuda").manual_seed(0)) for _ in range(2))
    assert first.device.type == "cuda" and torch.equal(first, second)
    assert 0.3 < first.mean().item() < 0.7

"""RankMe, effective rank, stable rank and alpha-ReQ: constructed spectra, loops from the formulas, degenerate cases."""

import math

import numpy as np
import pytest

from sklearn_twins.metrics import alpha_req, effective_rank, rankme, stable_rank

RANKS = [rankme, effective_rank, stable_rank]
every_rank = pytest.mark.parametrize("rank", RANKS, ids=lambda rank: rank.__name__)


def with_singular_values(values, n, d, seed=0):
    """A centered n x d matrix with these singular values."""
    rng = np.random.default_rng(seed)
    ones = np.ones((n, 1))
    left = np.linalg.qr(np.concatenate([ones, rng.normal(size=(n, len(values)))], axis=1))[0][:, 1:]
    right = np.linalg.qr(rng.normal(size=(d, len(values))))[0]
    return left * values @ right.T


def entropy_rank(values):
    """The exponential of the entropy, a term at a time."""
    total, entropy = sum(values), 0.0
    for value in values:
        if value > 0:
            entropy -= value / total * math.log(value / total)
    return math.exp(entropy)


SPECTRA = [[1.0], [2.0, 2.0], [5.0, 3.0, 1.0, 0.5], [10.0, 1.0, 1e-3]]
SHAPES = [(50, 8), (12, 8), (9, 40)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("values", SPECTRA)
def test_ranks_of_given_singular_values(values, shape):
    Z = with_singular_values(values, *shape)
    squares = [value**2 for value in values]
    assert rankme(Z) == pytest.approx(entropy_rank(values), rel=1e-9)
    assert effective_rank(Z) == pytest.approx(entropy_rank(squares), rel=1e-9)
    assert stable_rank(Z) == pytest.approx(sum(squares) / max(squares), rel=1e-9)


@pytest.mark.parametrize("shape", [(40, 6), (7, 7), (6, 30)])
def test_ranks_equal_other_ways_to_compute_them(shape):
    Z = 3 + np.random.default_rng(1).normal(size=shape) * np.geomspace(1, 0.1, shape[1])
    singular = np.linalg.svd(Z, compute_uv=False)
    covariance = np.linalg.eigvalsh(np.cov(Z, rowvar=False))
    covariance = covariance[covariance > 1e-10]
    assert rankme(Z) == pytest.approx(entropy_rank(singular), rel=1e-9)
    assert effective_rank(Z) == pytest.approx(entropy_rank(covariance), rel=1e-9)
    norms = [np.linalg.norm(Z - Z.mean(0), kind) for kind in ("fro", 2)]
    assert stable_rank(Z) == pytest.approx((norms[0] / norms[1]) ** 2, rel=1e-9)


@every_rank
def test_both_gram_matrices_give_the_same(rank):
    """Columns of zeros change no singular value, and make d x d the larger matrix."""
    Z = np.random.default_rng(0).normal(size=(20, 15))
    padded = np.concatenate([Z, np.zeros((20, 30))], axis=1)
    assert rank(padded) == pytest.approx(rank(Z), rel=1e-10)


@every_rank
def test_isotropic_rows_use_all_dimensions(rank):
    Z = np.random.default_rng(0).normal(size=(20_000, 10))
    assert 9 < rank(Z) <= 10
    assert rank(Z, normalize=True) == pytest.approx(rank(Z) / 10)
    orthogonal = np.concatenate([np.eye(10), -np.eye(10)])
    assert rank(orthogonal) == pytest.approx(10, rel=1e-12)
    assert rank(orthogonal, normalize=True) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(("rank", "most"), [(rankme, 5), (effective_rank, 4), (stable_rank, 4)])
def test_rows_limit_the_rank(rank, most):
    """Five rows span five dimensions, four once they are centered."""
    simplex = np.eye(5, 12)
    assert rank(simplex) == pytest.approx(most, rel=1e-12)
    assert rank(simplex, normalize=True) == pytest.approx(1, rel=1e-12)


@every_rank
@pytest.mark.parametrize("shape", [(30, 200), (2000, 64)])
def test_rank_one_is_one(rank, shape):
    rng = np.random.default_rng(0)
    assert rank(np.outer(rng.normal(size=shape[0]), rng.normal(size=shape[1]))) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("constant", [1.0, 0.1, 1 / 3, -1e6])
def test_constant_embedding(constant):
    Z = np.full((30, 7), constant)
    assert rankme(Z) == pytest.approx(1, abs=1e-12)
    assert effective_rank(Z) == effective_rank(Z, normalize=True) == stable_rank(Z) == stable_rank(Z, True) == 0
    assert alpha_req(Z) == math.inf


def test_zeros_single_row_and_single_coordinate():
    assert [rank(np.zeros((4, 3))) for rank in RANKS] == [0, 0, 0]
    assert [rank([[1.0, 2.0]]) for rank in RANKS] == pytest.approx([1, 0, 0])
    assert [rank([[1.0], [2.0], [4.0]]) for rank in RANKS] == pytest.approx([1, 1, 1])
    assert [rank([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3) for rank in RANKS] == pytest.approx([2, 1, 1])
    assert alpha_req([[1.0, 2.0]]) == alpha_req([[1.0], [2.0], [4.0]]) == alpha_req([[1.0, 0], [0, 1]]) == math.inf


def test_effective_rank_is_below_rankme_of_centered_rows():
    Z = np.random.default_rng(0).normal(size=(50, 6)) * [1, 2, 3, 4, 5, 6]
    Z -= Z.mean(0)
    assert stable_rank(Z) < effective_rank(Z) < rankme(Z)


def test_rankme_with_the_papers_epsilon():
    Z = with_singular_values([4.0, 1.0], 20, 5)
    shares = np.array([0.8, 0.2, 0, 0, 0]) + 1e-7
    assert rankme(Z, eps=1e-7) == pytest.approx(np.exp(-np.sum(shares * np.log(shares))), rel=1e-12)
    assert rankme(Z, eps=1e-7) > rankme(Z)
    assert rankme(np.zeros((4, 3)), eps=1e-7) == 0


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("shape", [(100, 30), (31, 80)])
def test_exponent_of_a_power_law_is_recovered(alpha, shape):
    Z = with_singular_values(np.arange(1, 31) ** (-alpha / 2), *shape)
    assert alpha_req(Z) == pytest.approx(alpha, abs=1e-8)
    assert alpha_req(Z, first=4, last=9) == pytest.approx(alpha, abs=1e-8)


def test_exponent_equals_numpys_weighted_line():
    Z = np.random.default_rng(0).normal(size=(60, 12)) * np.geomspace(3, 0.2, 12)
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(Z.T)))[::-1]
    for first, last in [(1, 12), (3, 10), (1, 2)]:
        i = np.arange(first, last + 1)
        slope = np.polyfit(np.log(i), np.log(eigenvalues[first - 1 : last]), 1, w=np.sqrt(1 / i))[0]
        assert alpha_req(Z, first=first, last=last) == pytest.approx(-slope, rel=1e-9)


def test_range_of_the_fit():
    head, tail = np.full(5, 100.0), np.arange(6, 21) ** -0.5
    Z = with_singular_values(np.concatenate([head, tail]), 60, 20)
    assert alpha_req(Z, first=6) == pytest.approx(1, abs=1e-8)
    assert alpha_req(Z, first=1, last=5) == pytest.approx(0, abs=1e-8)
    assert alpha_req(Z, first=6, last=500) == alpha_req(Z, first=6)
    assert alpha_req(with_singular_values([3.0, 2.0], 30, 9), first=3) == math.inf


def test_ranges_that_hold_no_two_ranks_are_refused():
    Z = np.random.default_rng(0).normal(size=(10, 4))
    with pytest.raises(ValueError, match=r"last must be above first.*first=3 and last=2"):
        alpha_req(Z, first=3, last=2)
    with pytest.raises(ValueError, match=r"first=4 leaves fewer than two eigenvalues.*has 4"):
        alpha_req(Z, first=4)

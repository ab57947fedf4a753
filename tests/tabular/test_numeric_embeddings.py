"""Numeric embeddings: the papers' formulas value by value, and within the stem."""

import itertools
import math

import numpy as np
import pytest
import torch
from builders import seeded, table_spec
from scipy import stats

from sklearn_twins._parts._initialize import build_on_meta
from sklearn_twins._tabular._categories import embedding_width
from sklearn_twins.networks import Periodic, PiecewiseLinear, TableStem, initialize

NAN = float("nan")
EDGES = (
    tuple(np.linspace(-2, 2, 33)),
    tuple(3 * np.sin(np.linspace(-1.5, 1.5, 33))),
    (-1.0, *[0.0] * 16, *np.linspace(0, 1.5, 16)),  # half of the rows are equal
    (0.5,) * 33,  # all of them are
)
SPEC = table_spec(6, missing=(2,), categories=(4, 30), edges=EDGES)
N_OTHERS = 1 + embedding_width(4) + embedding_width(30)  # inputs that are not numbers
EXPANSIONS = {"piecewise_linear": PiecewiseLinear(n_bins=4), "periodic": Periodic(3, 0.7, width=5)}
every_expansion = pytest.mark.parametrize("expansion", EXPANSIONS.values(), ids=EXPANSIONS)


def build(expansion, seed=0, edges=EDGES):
    return initialize(build_on_meta(lambda: expansion.build(edges)), seeded(seed))


def stem(expansion, spec=SPEC):
    return initialize(build_on_meta(lambda: TableStem(spec, expansion)), seeded())


def numbers(n=200):
    """Values at the edges, just above them, beyond and between them, in one column per row of edges."""
    x = np.random.default_rng(0).normal(scale=2, size=(n, len(EDGES)))
    return torch.tensor(np.vstack([np.transpose(EDGES), np.transpose(EDGES) + 1e-3, x])[:n], dtype=torch.float32)


def samples(n=200):
    return torch.column_stack([numbers(n), torch.randint(4, (n, 2), generator=seeded()).float()])


def piecewise_linear(value, edges):
    """Equation 1 with closed outer bins."""
    return [
        1.0 if value >= high else 0.0 if value < low else (value - low) / (high - low)
        for low, high in itertools.pairwise(edges)
    ]


def periodic(value, frequencies, weight, bias):
    """Equation 2 and the layer after it, for one number."""
    angles = 2 * math.pi * value * frequencies
    return np.maximum(np.concatenate([np.sin(angles), np.cos(angles)]) @ weight + bias, 0)


@pytest.mark.parametrize("n_bins", [2, 4, 8, 16, 32])
def test_piecewise_linear_equals_its_formula(n_bins):
    x = numbers()
    edges = np.float32(EDGES)[:, :: 32 // n_bins]  # as the module sees them: a value at an edge is at it
    expected = [[piecewise_linear(*pair) for pair in zip(row, edges, strict=True)] for row in x.numpy()]
    module = build(PiecewiseLinear(n_bins))
    assert module.width == n_bins
    np.testing.assert_allclose(module(x), expected, atol=1e-5)


@pytest.mark.parametrize("n_bins", [2, 8, 32])
def test_piecewise_linear_is_monotone_and_bounded(n_bins):
    x = torch.linspace(-5, 5, 2_001)[:, None].expand(-1, 4)
    out = build(PiecewiseLinear(n_bins))(x)
    assert (out.diff(dim=0) >= 0).all()
    assert (out[0] == 0).all() and (out[-1] == 1).all()
    assert (out.diff(dim=2) <= 0).all()  # a bin is entered when the one below is full


def test_equal_edges_are_a_step():
    """At the repeated value and just below it."""
    out = build(PiecewiseLinear(32))(torch.tensor([[-1e-4] * 3 + [0.4999], [0.0] * 3 + [0.5]]))
    assert out[0, 2, 1:].tolist() == [0.0] * 31
    assert out[1, 2, :16].tolist() == [1.0] * 16
    assert (out[0, 3] == 0).all() and (out[1, 3] == 1).all()


def test_piecewise_linear_has_no_weights_and_draws_nothing():
    generator = seeded()
    before = generator.get_state()
    module = initialize(build_on_meta(lambda: PiecewiseLinear().build(EDGES)), generator)
    assert not module.state_dict() and torch.equal(generator.get_state(), before)


def test_periodic_equals_its_formula():
    module, x = build(EXPANSIONS["periodic"]), numbers()
    parameters = [p.detach().double().numpy() for p in (module.frequencies, module.weight, module.bias)]
    expected = [[periodic(*own) for own in zip(row, *parameters, strict=True)] for row in x.double().numpy()]
    assert module(x).shape == (len(x), 4, module.width)
    np.testing.assert_allclose(module(x).detach(), expected, atol=1e-4)


def test_periodic_is_initialized_as_in_the_paper():
    module = build(Periodic(50, 0.7, width=9), edges=EDGES * 20)
    assert stats.kstest(module.frequencies.detach().numpy().ravel(), "norm", args=(0, 0.7)).pvalue > 1e-3
    for parameter in (module.weight, module.bias):
        values = parameter.detach().numpy().ravel()
        assert stats.kstest(values, "uniform", args=(-0.1, 0.2)).pvalue > 1e-3


def test_periodic_depends_on_the_generator_alone_and_is_trained():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build(Periodic(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    x = numbers()
    assert torch.equal(first(x), again(x)) and not torch.equal(first(x), other(x))
    first(x).sum().backward()
    assert all((p.grad != 0).flatten(1).any(1).all() for p in first.parameters())


@every_expansion
def test_numbers_are_expanded_independently(expansion):
    module, x = build(expansion), torch.full((1, 4), 0.3)
    for j in range(4):
        y = x.clone()
        y[0, j] = 0.9
        changed = (module(x) != module(y)).any(dim=2)[0]
        assert changed.tolist() == [i == j for i in range(4)]


@pytest.mark.parametrize("expansion", [*EXPANSIONS, *EXPANSIONS.values()], ids=str)
def test_expanded_numbers_come_first_in_the_stem(expansion):
    """Indicators and embeddings follow unchanged; a name stands for the component with its defaults."""
    x = samples()
    component = {"piecewise_linear": PiecewiseLinear(), "periodic": Periodic()}.get(expansion, expansion)
    expanded, own, plain = stem(expansion), build(component), stem(None)
    out = expanded(x)
    n_expanded = 4 * own.width
    assert out.shape == (len(x), expanded.width) and expanded.width == n_expanded + N_OTHERS
    assert torch.equal(out[:, :n_expanded], own(x[:, :4]).flatten(1))
    if not own.state_dict():  # else the embeddings are drawn after the expansion's weights
        assert torch.equal(out[:, n_expanded:], plain(x)[:, 4:])


@every_expansion
def test_missing_numbers_expand_to_zeros(expansion):
    """Also in columns without missing values in training; other columns do not change."""
    x = torch.full((1, 6), 0.9)
    y = x.clone()
    y[0, :3] = NAN
    module = stem(expansion)
    width = module.expansion.width
    full, gaps = module(x)[0], module(y)[0]
    assert (gaps[: 3 * width] == 0).all() and (full[: 3 * width] != 0).any()
    assert torch.equal(gaps[3 * width : 4 * width], full[3 * width : 4 * width])
    assert (full[4 * width], gaps[4 * width]) == (0, 1)

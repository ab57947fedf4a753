"""The table stem: numbers, missing-value indicators, and a trained vector for each category."""

import copy

import pytest
import torch
from builders import same, seeded, table_spec

from sklearn_twins._parts._initialize import build_on_meta
from sklearn_twins._tabular._categories import embedding_width
from sklearn_twins.networks import TableStem, initialize

NAN = float("nan")
MIXED = table_spec(8, missing=(2, 0), categories=(5, 40, 5, 2, 40))
SPECS = {
    "numbers": table_spec(3, missing=(1,)),
    "mixed": MIXED,
    "one category": table_spec(2, missing=(0,), categories=(4,)),
    "equal categories": table_spec(4, categories=(5, 5, 5)),
    "categories only": table_spec(3, categories=(40, 5, 40)),
    "category without values": table_spec(1, categories=(2,)),
}
every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
with_categories = pytest.mark.parametrize("spec", [s for s in SPECS.values() if s.categories])


def build(spec, seed=0):
    return initialize(build_on_meta(lambda: TableStem(spec)), seeded(seed))


def samples(spec, n=50, seed=1):
    """Numbers with missing values, and codes."""
    numbers = torch.randn(n, spec.n_numbers, generator=seeded(seed))
    for j in spec.missing:
        numbers[torch.rand(n, generator=seeded(j)) < 0.4, j] = NAN
    codes = [torch.randint(n_codes, (n,), generator=seeded(c)) for c, n_codes in enumerate(spec.categories)]
    return torch.column_stack([numbers, *codes])


def tables_of(stem):
    """The tables of vectors by width."""
    return {table.shape[1]: table for table in stem.state_dict().values()}


def by_hand(spec, tables, x):
    """A plain loop. Each column has the next rows of its width's table; columns of one width come together."""
    used, first = dict.fromkeys(tables, 0), []
    for n_codes in spec.categories:
        first.append(used[embedding_width(n_codes)])
        used[embedding_width(n_codes)] += n_codes
    lines = []
    for row in x.tolist():
        numbers, codes = row[: spec.n_numbers], row[spec.n_numbers :]
        line = [0.0 if value != value else value for value in numbers]
        line += [float(numbers[j] != numbers[j]) for j in spec.missing]
        for width in dict.fromkeys(map(embedding_width, spec.categories)):
            for c, n_codes in enumerate(spec.categories):
                if embedding_width(n_codes) == width:
                    code = 0 if codes[c] != codes[c] else min(max(int(codes[c]), 0), n_codes - 1)
                    line += tables[width][first[c] + code].tolist()
        lines.append(line)
    return torch.tensor(lines)


def test_complete_tables_pass():
    x = torch.randn(5, 3, generator=seeded())
    assert torch.equal(TableStem(table_spec(3))(x), x)


def test_missing_values_are_marked():
    x = torch.tensor([[1.0, NAN, 3.0], [NAN, 5.0, 6.0], [7.0, 8.0, 9.0]])
    out = TableStem(table_spec(3, missing=(0, 1)))(x)
    assert out.tolist() == [[1, 0, 3, 0, 1], [0, 5, 6, 1, 0], [7, 8, 9, 0, 0]]


def test_marks_are_in_the_order_of_the_spec_and_only_of_its_columns():
    assert TableStem(table_spec(3, missing=(2, 0)))(torch.tensor([[1.0, 2.0, NAN]])).tolist() == [[1, 2, 0, 1, 0]]
    assert TableStem(table_spec(3, missing=(1,)))(torch.tensor([[NAN, 2.0, 3.0]])).tolist() == [[0, 2, 3, 0]]
    assert TableStem(table_spec(2))(torch.tensor([[NAN, 2.0]])).tolist() == [[0, 2]]


@pytest.mark.parametrize("missing", [(), (1,), (0, 1, 2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_dtype(missing, dtype):
    spec = table_spec(4, missing=missing)
    out = TableStem(spec)(torch.full((6, 4), NAN, dtype=dtype))
    assert out.shape == (6, spec.n_inputs) and out.dtype == dtype
    assert torch.isfinite(out).all()


def test_gradients_flow_to_present_values_only():
    x = torch.tensor([[1.0, NAN]], requires_grad=True)
    TableStem(table_spec(2, missing=(1,)))(x).sum().backward()
    assert x.grad.tolist() == [[1, 0]]


@every_spec
def test_output_equals_a_plain_loop(spec):
    stem, x = build(spec), samples(spec)
    before = x.clone()
    out = stem(x)
    assert same(x, before), "x was changed"
    assert out.shape == (50, stem.width) and stem.width == spec.n_inputs
    assert torch.equal(out, by_hand(spec, tables_of(stem), x))


def test_columns_of_one_width_share_a_table():
    """Also if they are not neighbours."""
    assert len({embedding_width(n) for n in MIXED.categories}) >= 2
    assert embedding_width(5) != embedding_width(40)
    for width, table in tables_of(build(MIXED)).items():
        assert len(table) == sum(n for n in MIXED.categories if embedding_width(n) == width)


@pytest.mark.parametrize("value", [NAN, -1.0, -0.5, 2.7, 4.0, 38.9, 40.0, 1e6, -1e6, 1e30, float("inf"), -float("inf")])
def test_invalid_codes_are_clamped(value):
    """To the nearest code; NaN is a missing value. Casting infinity would depend on the machine."""
    x = samples(MIXED)
    x[:, MIXED.n_numbers :] = value
    nearest = min(max(value, 0.0), 1e6)
    wanted = torch.where(x == value, nearest, x) if value == value else x
    stem = build(MIXED)
    assert torch.equal(stem(x), by_hand(MIXED, tables_of(stem), wanted))


@with_categories
def test_missing_and_unseen_values_start_at_zero(spec):
    x = torch.zeros(2, *spec.shape)
    x[1, spec.n_numbers :] = 1.0
    assert (build(spec)(x) == 0).all()


@with_categories
def test_categories_start_far_apart(spec):
    """As one-hot vectors if these are wide enough, otherwise drawn with lengths around 1."""
    tables, used = tables_of(build(spec)), {}
    for n_codes in spec.categories:
        width, n = embedding_width(n_codes), n_codes - 2
        first = used.get(width, 0)
        used[width] = first + n_codes
        vectors = tables[width][first + 2 : first + n_codes]
        if n <= width:
            assert torch.equal(vectors @ vectors.T, torch.eye(n))
        else:
            assert len(vectors.unique(dim=0)) == n
            assert abs(vectors.square().sum(dim=1).mean() - 1) < 0.15


@with_categories
def test_gradients_reach_the_rows_looked_up_and_no_other(spec):
    """Each code of each column has one row of one table for itself."""
    stem, rows_of = build(spec), {}
    for c, n_codes in enumerate(spec.categories):
        for code in range(n_codes):
            x = torch.zeros(1, *spec.shape)
            x[0, spec.n_numbers + c] = code
            stem.zero_grad()
            stem(x).sum().backward()
            rows_of[c, code] = {
                (name, row)
                for name, table in stem.named_parameters()
                for row in torch.nonzero(table.grad.any(1)).flatten().tolist()
            }
    nothing = rows_of[0, 0]  # a row of each column, here and in each pair below
    assert all(len(rows) == len(nothing) == len(spec.categories) for rows in rows_of.values())
    assert all(len(rows_of[c, code] - nothing) == (code > 0) for c, code in rows_of)
    assert len(set.union(*rows_of.values())) == sum(map(len, stem.parameters())) == sum(spec.categories)


@with_categories
def test_weights_come_from_the_generator_alone(spec):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    x = samples(spec)
    first, again, other = (build(spec, seed)(x) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before) and torch.equal(first, again)
    drawn = any(n - 2 > embedding_width(n) for n in spec.categories)
    assert torch.equal(first, other) == (not drawn)


@every_spec
def test_weights_go_from_one_stem_to_another(spec):
    """By `state_dict`, which holds the tables only, or as a deep copy."""
    stem, other, x = build(spec, 1), build(spec, 2), samples(spec)
    assert len(stem.state_dict()) == len({embedding_width(n) for n in spec.categories})
    other.load_state_dict(stem.state_dict())
    expected, copied = stem(x), copy.deepcopy(stem)
    with torch.no_grad():
        for table in stem.parameters():
            table += 1
    assert torch.equal(other(x), expected) and torch.equal(copied(x), expected)


def test_indicators_are_stored_on_the_device_and_not_saved():
    """A list would be copied to the GPU for each batch."""
    spec = table_spec(3, missing=(0, 2))
    with torch.device("meta"):
        stem = TableStem(spec)
    assert stem.marked.is_meta and not stem.state_dict()
    stem.to_empty(device="cpu").reset_parameters_from(torch.Generator())
    assert stem.marked.tolist() == TableStem(spec).marked.tolist() == [0, 2]

"""Generated tables: samples keep their promises whatever the columns hold."""

import datetime
import os
import string

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_twins._tabular._category_text import READ_AS_MISSING
from sklearn_twins.preprocessing import TablePreprocessor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:X (does not have|has) .*feature names"),  # fitted on a frame, given an array
    pytest.mark.filterwarnings("ignore:.*(treated as categorical|equal as text|many categories that fit did not see)"),
]
# SKLEARN_TWINS_FUZZ=20000 runs more examples, different ones each time.
MORE = int(os.environ.get("SKLEARN_TWINS_FUZZ", 0))
BASE = {"deadline": None, "derandomize": not MORE, "database": None, "suppress_health_check": list(HealthCheck)}
FEW = settings(**BASE, max_examples=MORE or 40)

INT64 = st.integers(-(2**63), 2**63 - 1)
BOUNDS = st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1])
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
EXTREMES = st.sampled_from([-0.0, 1e308, -1e308, 1.7976931348623157e308, 5e-324, -5e-324, 2.2e-308, 0.0])
ODD_TEXT = st.sampled_from([" ", "\t\n", "\0", "a", "a\0", "a ", "NAN", "none", "Na", "1", "1.0", "é", "e\u0301", "🩺"])
ANY_TEXT = ODD_TEXT | st.text(max_size=5) | st.text(string.digits, min_size=1, max_size=3)
TEXT = ANY_TEXT.filter(lambda text: text not in READ_AS_MISSING)  # may be the same as a missing value in another table
BYTES = st.binary(min_size=1, max_size=3)
EAST, WEST = (datetime.timezone(datetime.timedelta(hours=h)) for h in (14, -12))
ZONES = st.sampled_from([EAST, WEST, datetime.UTC])
ENDS = st.sampled_from([datetime.datetime.min.replace(tzinfo=EAST), datetime.datetime.max.replace(tzinfo=WEST)])
MANY = [f"category {i}" for i in range(3_000)]

# Family -> kind, values, and the pandas and polars types that hold them; None if only objects can.
FAMILIES = {
    "int": ("number", BOUNDS | INT64 | st.integers(-9, 9), "Int64", pl.Int64),
    "unsigned": ("number", st.integers(0, 2**64 - 1), "UInt64", pl.UInt64),
    "beyond 64 bit": ("number", st.integers(-(2**80), 2**80), None, pl.Int128),
    "float": ("number", EXTREMES | FLOATS, "float64", pl.Float64),
    "bool": ("number", st.booleans(), "boolean", pl.Boolean),
    "decimal": ("number", st.decimals(-(10**12), 10**12, places=3), None, pl.Decimal(20, 3)),
    "any decimal": ("number", st.decimals("-1e300", "1e300", allow_nan=False), None, None),
    "number": ("number", st.one_of(INT64, FLOATS, st.booleans(), st.decimals(-1, 1)), None, None),
    "identifier": ("category", st.integers(2**53, 2**53 + 9) | INT64, "Int64", pl.Int64),
    "text": ("category", TEXT, "str", pl.String),
    "category": ("category", TEXT, "category", pl.Categorical),
    "many": ("category", st.sampled_from(MANY), pd.CategoricalDtype(MANY), pl.Enum(MANY)),
    "mixed": ("category", st.one_of(TEXT, INT64, FLOATS, st.booleans(), st.integers(10**400)), None, None),
    "odd": (
        "category",
        st.one_of(BYTES, st.tuples(st.integers()), TEXT, st.dates()),
        None,
        None,
    ),
    "date": (
        "date",
        st.datetimes() | st.sampled_from([datetime.datetime.min, datetime.datetime.max]),
        "M8[us]",
        pl.Datetime("us"),
    ),
    "day": ("date", st.dates(), "M8[s]", pl.Date),
    "zoned": ("date", ENDS | st.datetimes(timezones=ZONES), None, None),
    "duration": ("duration", st.timedeltas() | st.just(datetime.timedelta.max), None, None),
    "short": (
        "duration",
        st.timedeltas(-datetime.timedelta(9**5), datetime.timedelta(9**5)),
        "m8[us]",
        pl.Duration("us"),
    ),
    "time": ("duration", st.times(), None, pl.Time),
    "nothing": ("empty", st.nothing(), object, pl.Null),
}
# Families whose values are, or may happen to be, all numbers.
LISTED = ("identifier", "mixed", "odd")


class Generated:
    """A table as columns of Python objects, None where missing, and in several containers.

    Parameters
    ----------
    families : list of str
        Of each column.
    columns : list of lists
        Their values.
    missing : object
        What stands for a missing value among objects.
    """

    def __init__(self, families, columns, missing):
        self.families, self.columns, self.missing = families, columns, missing

    def __repr__(self):
        return f"Generated({self.families}, {self.columns}, {self.missing})"

    def objects(self):
        spelt = {f"x{j}": [self.missing if v is None else v for v in own] for j, own in enumerate(self.columns)}
        return pd.DataFrame({name: pd.Series(own, dtype=object) for name, own in spelt.items()})

    def typed(self):
        types = [FAMILIES[family][2] or object for family in self.families]
        return pd.DataFrame({f"x{j}": pd.Series(self.columns[j], dtype=dtype) for j, dtype in enumerate(types)})

    def polars(self):
        types = [FAMILIES[family][3] or pl.Object for family in self.families]
        return pl.DataFrame([pl.Series(f"x{j}", self.columns[j], dtype=dtype) for j, dtype in enumerate(types)])

    def listed(self):
        return [j for j, family in enumerate(self.families) if family in LISTED]

    def gaps(self):
        return np.array([[value is None for value in own] for own in self.columns]).T


@st.composite
def tables(draw, families=None, least=2):
    """A table with columns of these families, or of any; many values of a column are equal."""
    if families is None:
        families = draw(st.lists(st.sampled_from(list(FAMILIES)), min_size=2, max_size=6, unique=True))
    n = draw(st.integers(least, 12))
    columns = []
    for family in families:
        content = "empty" if family == "nothing" else draw(st.sampled_from(["full", "gappy", "gappy", "empty"]))
        pool = [] if content == "empty" else draw(st.lists(FAMILIES[family][1], min_size=1, max_size=8))
        values = st.sampled_from(pool if content == "full" else [*pool, None])
        columns.append(draw(st.lists(values, min_size=n, max_size=n)))
    return Generated(families, columns, draw(st.sampled_from([None, np.nan, pd.NaT, pd.NA])))


@st.composite
def cases(draw, n_tables=1, least=2):
    """A preprocessor, and tables with columns of the same families."""
    first = draw(tables(least=least))
    others = [draw(tables(first.families, least=1)) for _ in range(n_tables - 1)]
    for j in (j for j, family in enumerate(first.families) if family in ("mixed", "odd")):
        for other in others:  # values of a type that fit did not see are refused
            other.columns[j] = [draw(st.sampled_from(first.columns[j])) for _ in other.columns[j]]
    scaling, max_categories = draw(st.sampled_from(["robust", "quantile"])), draw(st.sampled_from([2, 3, 256, None]))
    return TablePreprocessor(first.listed(), scaling=scaling, max_categories=max_categories), first, *others


def same(a, b):
    return a.dtype == b.dtype == np.float32 and np.array_equal(a, b, equal_nan=True)


def sources(fitted):
    """Column of X for each column of a sample."""
    numeric = [j for j, kind in enumerate(fitted.kinds_) if kind != "category"]
    return fitted.spec_.sources or (*numeric, *(j for j, kind in enumerate(fitted.kinds_) if kind == "category"))


def check_samples(samples, fitted, gaps):
    """Check the promises that hold for samples of any rows."""
    spec, gaps = fitted.spec_, gaps[:, list(sources(fitted))]
    assert samples.shape == (len(gaps), *spec.shape) and samples.dtype == np.float32
    numbers, codes = np.split(samples, [spec.n_numbers], axis=1)
    assert np.array_equal(np.isnan(numbers), gaps[:, : spec.n_numbers])
    assert np.nanmax(np.abs(numbers), initial=0) <= fitted.clip
    assert np.array_equal(codes == 0, gaps[:, spec.n_numbers :])
    assert np.array_equal(codes, codes.round()) and (codes >= 0).all() and (codes < spec.categories).all()


@FEW
@given(cases())
def test_samples_keep_their_promises(case):
    """Numbers keep their order; categories are ordered by frequency."""
    preprocessor, table = case
    X, before = table.objects(), table.objects()
    samples = preprocessor.fit_transform(X)
    check_samples(samples, preprocessor, table.gaps())
    assert all(a is b for name in X for a, b in zip(X[name], before[name], strict=True)), "X was changed"
    kinds = [FAMILIES[family][0] for family in table.families]
    empty = table.gaps().all(axis=0)
    assert preprocessor.kinds_ == tuple("empty" if gone else kind for kind, gone in zip(kinds, empty, strict=True))
    firsts = {j: p for p, j in reversed(list(enumerate(sources(preprocessor))))}
    for j, own in enumerate(table.columns):
        present = [i for i, value in enumerate(own) if value is not None]
        kind, column = preprocessor.kinds_[j], samples[:, firsts[j]]
        if kind == "category":
            n = len({own[i] for i in present})
            _, counts = np.unique(column[present], return_counts=True)
            assert len(counts) == min(n, preprocessor.max_categories or n)
            assert column[present].min() == 2 and (np.diff(counts[: len(counts) - (n > len(counts))]) <= 0).all()
        elif kind != "empty":
            order = sorted(present, key=own.__getitem__)
            assert (np.diff(column[order]) >= -1e-6).all()


@FEW
@given(cases(), st.data())
def test_containers_agree(case, data):
    """In `fit` and `transform`, for one row as for all rows in any order."""
    preprocessor, table = case
    expected = preprocessor.fit_transform(table.objects())
    learnt = preprocessor.kinds_, preprocessor.categories_, preprocessor.spec_, preprocessor.spec_.edges
    array = table.objects().to_numpy()
    rows = array if "odd" in table.families else array.tolist()  # NumPy takes a tuple in a list for a third axis
    i, order = data.draw(st.integers(0, len(array) - 1)), data.draw(st.permutations(range(len(array))))
    for X in (table.typed(), table.polars(), array, rows):
        before = X.copy(deep=True) if isinstance(X, pd.DataFrame) else None
        assert same(preprocessor.fit_transform(X), expected)
        fitted = preprocessor.kinds_, preprocessor.categories_, preprocessor.spec_, preprocessor.spec_.edges
        assert fitted == learnt
        if before is not None:
            pd.testing.assert_frame_equal(X, before)
    for some in ([i], order):
        for X in (table.typed().iloc[some], table.polars()[some], array[some]):
            assert same(preprocessor.transform(X), expected[some])


@FEW
@given(cases(n_tables=2))
def test_other_tables_of_the_same_kinds(case):
    """With unseen categories, extreme numbers, empty rows, and columns that were empty in fit."""
    preprocessor, table, other = case
    preprocessor.fit(table.typed())
    nothing = pd.DataFrame(None, index=range(2), columns=other.objects().columns, dtype=object)
    for X in (other.objects(), other.typed(), other.polars()):
        samples = preprocessor.transform(X)
        check_samples(samples, preprocessor, other.gaps())
        assert same(samples, preprocessor.transform(other.objects().to_numpy()))
    both = preprocessor.transform(pd.concat([other.objects(), nothing]))
    assert same(both[:-2], samples)
    check_samples(both[-2:], preprocessor, np.ones((2, len(other.columns)), dtype=bool))


@settings(FEW, max_examples=4)
@given(st.integers(0, 10**6), st.sampled_from([2, 256, 3_000, None]), st.integers(1_000, 3_000))
def test_thousands_of_categories(seed, max_categories, n):
    drawn = np.random.default_rng(seed).zipf(1.2, 4_000) % n
    values = [None if i == 0 else f"{i:x}-" for i in drawn]
    fitted = TablePreprocessor(max_categories=max_categories)
    samples = fitted.fit_transform(pd.DataFrame({"id": values}))
    check_samples(samples, fitted, (drawn == 0)[:, None])
    n_seen = len(set(values) - {None})
    assert fitted.spec_.categories == (2 + min(n_seen, max_categories or n_seen),)
    assert same(fitted.transform(pl.DataFrame({"id": pl.Series(values).cast(pl.Categorical)})), samples)


@settings(FEW, max_examples=10)
@given(case=cases(n_tables=2, least=8))
def test_embeddings_are_finite(case, make, one_thread):
    """The embedder, fitted on one table, transforms it and another one."""
    preprocessor, table, other = case
    embedder = make(preprocessor=preprocessor, max_epochs=1, batch_size=4).fit(table.typed())
    for X in (table.polars(), other.objects(), other.typed()):
        embedding = embedder.transform(X)
        assert embedding.shape == (len(X), 8 + embedder.preprocessor_.spec_.n_inputs) and np.isfinite(embedding).all()

"""One table in every kind of container: the samples are the same to the last bit."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sklearn_twins.preprocessing import TablePreprocessor

# A preprocessor is fitted on one container and transforms the others; some of them have no feature names.
pytestmark = pytest.mark.filterwarnings("ignore:X (does not have|has) .*feature names")

N = 40
START, ZONE = datetime.datetime(2019, 12, 30, 22, 15, 0, 250_000), ZoneInfo("America/New_York")


def gaps(values, every=7):
    """The values, with a missing one every few."""
    return [None if i % every == every - 1 else value for i, value in enumerate(values)]


def columns():
    """Name -> Python objects, None where missing."""
    rng = np.random.default_rng(0)
    times = [START + datetime.timedelta(seconds=int(s)) for s in rng.integers(0, 10**8, N)]
    return {
        "int": rng.integers(-50, 50, N).tolist(),
        "large int": gaps([int(i) + 2**53 for i in rng.integers(0, 99, N)], 8),
        "gappy int": gaps(rng.integers(-50, 50, N).tolist()),
        "float": rng.lognormal(0, 3, N).tolist(),
        "gappy float": gaps(rng.normal(size=N).tolist()),
        "bool": (rng.random(N) < 0.3).tolist(),
        "gappy bool": gaps((rng.random(N) < 0.3).tolist()),
        "string": rng.choice(["nurse", "clerk", "Ärztin 🩺", " clerk"], N).tolist(),
        "gappy string": gaps(rng.choice(["a", "b", "", "NaN", "1"], N, p=[0.4, 0.3, 0.1, 0.1, 0.1]).tolist()),
        "town": gaps([f"town {i}" for i in rng.integers(0, 15, N)]),
        "code": gaps(rng.integers(3, 9, N).tolist()),
        "time": gaps(times),
        "zoned": gaps([time.replace(tzinfo=ZONE) for time in times], 5),
        "date": gaps([time.date() for time in times], 6),
        "duration": gaps([time - START for time in times], 9),
        "nothing": [None] * N,
    }


CATEGORIES = ("town", "code")
DTYPES = {
    "time": "datetime64[us]",
    "zoned": "datetime64[us, America/New_York]",
    "date": "datetime64[s]",
    "duration": "timedelta64[us]",
}


def in_pandas():
    frame = pd.DataFrame({name: pd.Series(values, dtype=DTYPES.get(name)) for name, values in columns().items()})
    return frame.astype({"nothing": object, "code": "Int64"}).astype(dict.fromkeys(CATEGORIES, "category"))


def in_pandas_objects():
    return pd.DataFrame(columns(), dtype=object)


def in_pandas_nullable():
    kept = {name: in_pandas()[name] for name in (*DTYPES, *CATEGORIES)}
    return pd.DataFrame(columns()).convert_dtypes().assign(**kept)


def in_pandas_arrow():
    return in_pandas_nullable().convert_dtypes(dtype_backend="pyarrow")


def in_arrow_types():
    return in_arrow().to_pandas(types_mapper=pd.ArrowDtype)


def in_polars(town=pl.String):
    series = {name: pl.Series(name, values, strict=False) for name, values in columns().items()}
    return pl.DataFrame(series).with_columns(pl.col("town").cast(town))


def in_arrow():
    return pa.table({name: pa.array(values) for name, values in columns().items()})


def in_arrow_dictionary():
    table = in_arrow()
    for name in CATEGORIES:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].dictionary_encode())
    return table


CONTAINERS = {
    "pandas": in_pandas,
    "pandas, nullable": in_pandas_nullable,
    "pandas, Arrow": in_pandas_arrow,
    "pandas, all Arrow": in_arrow_types,
    "pandas objects": in_pandas_objects,
    "array of objects": lambda: in_pandas_objects().to_numpy(),
    "pandas' own objects": lambda: in_pandas().astype(object).to_numpy(),
    "list of lists": lambda: in_pandas_objects().to_numpy().tolist(),
    "polars": in_polars,
    "polars Categorical": lambda: in_polars(pl.Categorical),
    "polars Enum": lambda: in_polars(pl.Enum([f"town {i}" for i in range(20)])),
    "pyarrow": in_arrow,
    "pyarrow dictionary": in_arrow_dictionary,
}
# Codes that are integers have to be named where the container has no type for such categories.
LISTED = [list(columns()).index("code")]
KINDS = (*["number"] * 7, *["category"] * 4, *["date"] * 3, "duration", "empty")


@pytest.fixture(scope="module")
def tables():
    """Each container, made once."""
    return {name: container() for name, container in CONTAINERS.items()}


def same(a, b):
    return a.dtype == b.dtype == np.float32 and np.array_equal(a, b, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
def test_samples(tables, container):
    """A preprocessor fitted on one container makes the same samples of it and of every other one."""
    scaling = ("robust", "quantile")[list(CONTAINERS).index(container) % 2]
    plain = TablePreprocessor(LISTED, scaling=scaling).fit(tables["pandas"])
    fitted = TablePreprocessor(LISTED, scaling=scaling).fit(tables[container])
    assert fitted.kinds_ == plain.kinds_ == KINDS
    assert fitted.categories_ == plain.categories_
    assert [list(map(type, own)) for own in fitted.categories_] == [list(map(type, own)) for own in plain.categories_]
    assert fitted.spec_ == plain.spec_ and fitted.spec_.edges == plain.spec_.edges
    samples = plain.transform(tables["pandas"])
    for other, table in tables.items():
        assert same(fitted.transform(table), samples), other


def test_embeddings(tables, make, one_thread):
    """Embedders fitted on one container embed another one."""
    names = ("pandas", "array of objects", "polars", "pyarrow")
    embedders = [make(preprocessor=TablePreprocessor(LISTED)).fit(tables[name]) for name in names]
    expected = embedders[0].transform(tables["pandas"])
    assert np.isfinite(expected).all() and np.ptp(expected, axis=0).max() > 0.01
    for embedder, name in zip(embedders, (*names[1:], names[0]), strict=True):
        assert same(embedder.transform(tables[name]), expected), name


# Containers with a type for categories that are integers.
TYPED = ("pandas", "pandas, nullable", "pandas, Arrow", "pyarrow dictionary")


@pytest.mark.parametrize("container", CONTAINERS)
def test_categories_that_are_integers(tables, container):
    """Integers of a categorical type are categories; plain integers are numbers unless they are listed."""
    kind = TablePreprocessor().fit(tables[container]).kinds_[LISTED[0]]
    assert kind == ("category" if container in TYPED else "number")


def test_containers_hold_what_their_names_say(tables):
    """The containers differ; otherwise the tests above would prove nothing."""
    gappy, code = (
        [str(tables[name].dtypes[of]) for name in CONTAINERS if "pandas" in name[:6] and "own" not in name]
        for of in ("gappy bool", "code")
    )
    assert gappy == ["object", "boolean", "bool[pyarrow]", "bool[pyarrow]", "object"]
    assert code == ["category", "category", "category", "int64[pyarrow]", "object"]
    assert tables["pandas"]["code"].cat.categories.dtype == "Int64"
    assert [tables[f"polars{of}"]["town"].dtype for of in ("", " Categorical")] == [pl.String, pl.Categorical]
    assert {type(value) for value in tables["pandas' own objects"].ravel()} >= {pd.Timestamp, pd.Timedelta, float, bool}


ROWS = np.random.default_rng(1).permutation(N)[:25]


def assign(table=in_pandas, **columns):
    """The table with some columns changed, each by a function of it."""
    return table().assign(**{name: lambda frame, name=name: columns[name](frame[name]) for name in columns})


FORMS = {
    "rows in another order": (lambda: in_pandas().iloc[ROWS], ROWS),
    "a part of a frame": (lambda: in_pandas()[3:20:2], slice(3, 20, 2)),
    "objects read backwards": (lambda: in_pandas_objects().to_numpy()[::-1], slice(None, None, -1)),
    "objects by columns": (lambda: np.asfortranarray(in_pandas_objects().to_numpy()), slice(None)),
    "an index with doubles": (lambda: in_pandas().set_index(pd.Index([7, 3] * (N // 2))), slice(None)),
    "polars in chunks": (lambda: pl.concat([in_polars()[:13], in_polars()[13:]], rechunk=False), slice(None)),
    "pyarrow in chunks": (lambda: pa.concat_tables([in_arrow()[:13], in_arrow()[13:]]), slice(None)),
    "dates in nanoseconds": (lambda: in_pandas().astype({"time": "M8[ns]", "duration": "m8[ns]"}), slice(None)),
    "dates as times": (lambda: in_polars().with_columns(pl.col("date").cast(pl.Datetime("ms"))), slice(None)),
    "another zone": (lambda: assign(zoned=lambda zoned: zoned.dt.tz_convert("Asia/Kolkata")), slice(None)),
    "UTC without a zone": (lambda: assign(zoned=lambda zoned: zoned.dt.tz_convert(None)), slice(None)),
    "categories in another order": (
        lambda: assign(town=lambda town: town.cat.set_categories([f"town {i}" for i in range(99, -1, -1)])),
        slice(None),
    ),
    "NaN for None": (lambda: in_pandas_objects().fillna(np.nan), slice(None)),
    "NA for None": (lambda: in_pandas_objects().fillna(pd.NA).to_numpy(), slice(None)),
    "NaT for None": (lambda: in_pandas_objects().fillna(pd.NaT).to_numpy(), slice(None)),
    "smaller numbers": (lambda: in_pandas().astype({"int": np.float32, "bool": np.int8}), slice(None)),
    "NumPy's strings": (lambda: assign(in_pandas_objects, string=lambda text: list(map(np.str_, text))), slice(None)),
    "NumPy's numbers": (lambda: assign(in_pandas_objects, int=lambda ints: list(map(np.int16, ints))), slice(None)),
}


@pytest.mark.parametrize("form", FORMS)
def test_same_rows_in_another_form(tables, form):
    """The same samples, by a preprocessor fitted on the plain form and by one fitted on this one."""
    make_table, rows = FORMS[form]
    table, objects = make_table(), tables["array of objects"][rows]
    plain = TablePreprocessor(LISTED).fit(tables["pandas"])
    assert same(plain.transform(table), plain.transform(tables["pandas"])[rows])
    assert same(TablePreprocessor(LISTED).fit_transform(table), TablePreprocessor(LISTED).fit_transform(objects))

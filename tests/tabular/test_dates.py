"""Dates and durations as numbers, against Python's own calendar."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sklearn_twins._tabular._dates import decode_dates, decode_durations, extract_part, find_varying_parts
from sklearn_twins.preprocessing import TablePreprocessor

NAN, DAY = np.nan, datetime.timedelta(days=1)
NEW_YORK = ZoneInfo("America/New_York")
EPOCH = datetime.datetime(1970, 1, 1)
TIMES = [
    *(datetime.datetime(1, 1, 1) + d * DAY for d in np.random.default_rng(0).uniform(0, 3_650_000, 200).tolist()),
    *(datetime.datetime(year, month, day) for year in (1900, 2000, 2023, 2024) for month, day in ((1, 1), (12, 31))),
    *(datetime.datetime(year, 12, 31, 23, 59, 59, 999_999) for year in (1, 1969, 2024)),
    *(datetime.datetime(2024, 2, 29, hour) for hour in (0, 6, 12, 18)),
]
PARTS = ["elapsed", *(f"{period}_{wave}" for period in ("year", "week", "day") for wave in ("sin", "cos"))]


def phase(t, period):
    """The phase by Python's calendar, in [0, 1)."""
    if period == "week":
        return t.weekday() / 7
    start = t.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return (t - start) / DAY
    start = start.replace(month=1, day=1)
    return (t - start) / (start.replace(year=t.year + 1) - start)


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_a_date(part):
    """A part of a missing date is missing."""
    t = np.array([*decode_dates(TIMES), "NaT"], dtype="M8[us]")
    before = t.copy()
    found = extract_part(t, part)
    if part == "elapsed":
        np.testing.assert_allclose(found[:-1], [(t - EPOCH).total_seconds() for t in TIMES], rtol=1e-15)
    else:
        period, wave = part.split("_")
        expected = [getattr(np, wave)(2 * np.pi * phase(t, period)) for t in TIMES]
        np.testing.assert_allclose(found[:-1], expected, atol=1e-9)
    assert np.isnan(found[-1])
    np.testing.assert_array_equal(t, before)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999), "9999-12-31T23:59:59.999999"),
        (np.datetime64("2024-02", "M"), "2024-02-01"),
        (np.datetime64("1969-12-31T23:59:59.999999999"), "1969-12-31T23:59:59.999999"),
        (pd.Timestamp("2024-02-29 05:00:00.000001"), "2024-02-29T05:00:00.000001"),
        (pd.Timestamp("2024-07-01 05:00", tz=NEW_YORK), "2024-07-01T09:00"),
        (datetime.datetime(2024, 7, 1, 5, tzinfo=NEW_YORK), "2024-07-01T09:00"),
        (datetime.datetime(2024, 1, 1, 5, tzinfo=NEW_YORK), "2024-01-01T10:00"),
        (datetime.datetime(2024, 11, 3, 1, 30, fold=0, tzinfo=NEW_YORK), "2024-11-03T05:30"),
        (datetime.datetime(2024, 11, 3, 1, 30, fold=1, tzinfo=NEW_YORK), "2024-11-03T06:30"),
        (datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=14))), "0000-12-31T10:00"),
    ],
)
def test_dates_of_every_type(value, expected):
    found = decode_dates([None, value, pd.NaT, NAN])
    assert found.dtype == "M8[us]" and np.isnat(found[[0, 2, 3]]).all()
    assert found[1] == np.datetime64(expected, "us")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (datetime.timedelta(days=-1, microseconds=1), -86_399.999999),
        (np.timedelta64(90, "m"), 5_400),
        (np.timedelta64(10**15, "s"), 1e15),
        (pd.Timedelta(milliseconds=1_500), 1.5),
        (datetime.time(23, 59, 59, 500_000), 86_399.5),
        (datetime.time(5, tzinfo=datetime.UTC), 18_000),
        (datetime.timedelta.max, 86_399_999_999_999.999999),
    ],
)
def test_durations_of_every_type(value, seconds):
    np.testing.assert_array_equal(decode_durations([None, value, pd.NaT, NAN, pd.NA]), [NAN, seconds, NAN, NAN, NAN])


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s", "h", "W"])
def test_durations_in_every_unit(unit):
    values = np.array([-1, 0, 10**6, "NaT"], dtype=f"m8[{unit}]")
    second = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "h": 3_600, "W": 604_800}[unit]
    np.testing.assert_allclose(decode_durations(values), [-second, 0, 1e6 * second, NAN], rtol=1e-15, atol=1e-16)


@pytest.mark.parametrize(
    ("stamps", "phases"),
    [
        ([], []),
        (["NaT", "NaT"], []),
        (["2024-05-05T12:00", "NaT", "2024-05-05T12:00"], []),
        (["2024-05-05", "2024-05-06"], ["year", "week"]),
        (["2024-05-05", "2024-05-12"], ["year"]),
        (["2024-01-01", "2019-01-01"], ["week"]),
        (["2024-05-05T12:00", "2024-05-05T12:01"], ["year", "day"]),
    ],
)
def test_parts_that_vary(stamps, phases):
    parts = ["elapsed", *(f"{name}_{wave}" for name in phases for wave in ("sin", "cos"))]
    assert find_varying_parts(np.array(stamps, dtype="M8[us]")) == tuple(parts)


@pytest.mark.parametrize(("stamp", "n_parts"), [("D", 5), ("7D", 3), ("6h", 7)])
def test_parts_of_dates_that_do_not_vary_are_left_out(stamp, n_parts):
    frame = pd.DataFrame({"a": pd.date_range("2020-01-06", periods=40, freq=stamp)})
    assert TablePreprocessor().fit(frame).spec_.shape == (n_parts,)
    assert TablePreprocessor().fit_transform(frame.iloc[[3] * 4]).tolist() == [[0.0]] * 4


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_a_missing_date_is_marked_once_and_all_its_parts_are_missing(scaling):
    frame = pd.DataFrame({"size": np.arange(60.0), "joined": pd.date_range("2019-12-31", periods=60, freq="5h")})
    frame.loc[::9, "joined"] = pd.NaT
    fitted = TablePreprocessor(scaling=scaling).fit(frame)
    assert fitted.spec_.missing == (1,)
    gaps = np.isnan(fitted.transform(frame))
    assert gaps[::9, 1:].all() and gaps.sum() == 7 * 7


COLUMNS = {
    "dates": pd.Series(pd.date_range("2020-01-01", periods=3)),
    "dates in a zone": pd.Series(pd.date_range("2020-01-01", periods=3, tz="Asia/Tokyo")),
    "durations": pd.Series(pd.to_timedelta([1, None, 3], unit="s")),
    "days": pd.Series([datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)]),
    "times of day": pd.Series([datetime.time(5), None, datetime.time(6)]),
}


@pytest.mark.parametrize("names", [["age"], ["size", "age"]], ids=["alone", "beside numbers"])
@pytest.mark.parametrize("times", COLUMNS)
@pytest.mark.parametrize(
    "holder",
    [lambda X: X, lambda X: X.convert_dtypes(dtype_backend="pyarrow"), pl.from_pandas, pa.Table.from_pandas],
    ids=["pandas", "pandas, Arrow", "polars", "pyarrow"],
)
def test_times_in_a_column_of_numbers_are_refused(holder, times, names):
    """Next to other numbers, polars would convert them to numbers."""
    numbers = pd.DataFrame({"size": [1.0, 2.0, 3.0], "age": [1.0, 2.0, 4.0]})[names]
    fitted = TablePreprocessor().fit(holder(numbers))
    with pytest.raises(ValueError, match=r"column 'age': (it held numbers in fit|could not convert).* ?(date|time)"):
        fitted.transform(holder(numbers.assign(age=COLUMNS[times])))

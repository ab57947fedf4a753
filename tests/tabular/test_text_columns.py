"""Columns of text that were meant as numbers or dates, identifiers and free text: a warning; categories: none."""

import csv
import io
import uuid
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import small_embedder
from sklearn.datasets import load_iris

from sklearn_twins.preprocessing import TablePreprocessor

RNG = np.random.default_rng(0)
N = 600
FLOATS = RNG.normal(200, 50, N)
INTS = FLOATS.round().astype(int)
TEXT = pd.Series([f"{value:.3f}" for value in FLOATS])
THOUSANDS = pd.Series([f"{value * 1_000:,.2f}" for value in FLOATS])
DAYS = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, N), unit="D"))
CODES = RNG.integers(10_000, 10_350, N)


def spoilt(values, *others, every=97):
    """The values, with others instead of every few."""
    column = pd.Series(values).astype(object)
    for start, other in enumerate(others):
        column.iloc[5 + start :: every] = other
    return column


MEANT = {
    "numbers": {
        "texts": TEXT,
        "one question mark": spoilt(TEXT, "?", every=N),
        "n/a": spoilt(TEXT, "n/a"),
        "a third missing": spoilt(TEXT, "-", every=3),
        "empty texts": spoilt(TEXT, ""),
        "spaces": " " + TEXT + " ",
        "negative": pd.Series([f"{value - 200:.2f}" for value in FLOATS]),
        "exponents": pd.Series([f"{value:e}" for value in FLOATS]),
        "floats and a mark": spoilt(FLOATS, "?"),
        "floats and texts of floats": pd.Series(FLOATS).astype(object).where(np.arange(N) % 2 > 0, TEXT),
        "ints and a mark": spoilt(INTS, "?"),
        "texts of ints and a mark": spoilt(INTS.astype(str), "?"),
        "few ints and a mark": spoilt(RNG.integers(46, 230, 392).astype(str), "?"),
        "bytes": TEXT.str.encode("ascii"),
        "below a limit of detection": spoilt(TEXT, "<0.1", "n.d."),
    },
    "numbers with units": {
        "dollars": "$" + TEXT,
        "dollars and thousands": "$" + THOUSANDS,
        "percent": TEXT + " %",
        "percent and a mark": spoilt(TEXT + "%", "?"),
        "decimal commas": TEXT.str.replace(".", ","),
        "German thousands": THOUSANDS.str.translate(str.maketrans(",.", ".,")),
        "French thousands": THOUSANDS.str.translate(str.maketrans(",.", "\u202f,")),
        "Swiss thousands": THOUSANDS.str.replace(",", "'"),
        "kilograms": TEXT + " kg",
        "two units": TEXT + np.where(FLOATS > 200, " kg", " g"),
        "speeds": TEXT + " km/h",
        "degrees": TEXT + "°C",
        "brackets for negative": TEXT.where(FLOATS > 200, "(" + TEXT + ")"),
        "currency codes": "EUR " + TEXT,
    },
    "dates or times": {
        "ISO": DAYS.astype(str),
        "ISO and a mark": spoilt(DAYS.astype(str), "?"),
        "ISO with times": DAYS.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "German": DAYS.dt.strftime("%d.%m.%Y"),
        "American": DAYS.dt.strftime("%m/%d/%y"),
        "words": DAYS.dt.strftime("%B %d, %Y"),
        "weekdays": DAYS.dt.strftime("%a, %d %b %Y %H:%M:%S"),
        "digits alone": DAYS.dt.strftime("%Y%m%d"),
        "months": pd.Series(pd.period_range("1990-01", periods=300, freq="M").astype(str)),
        "timestamps and a mark": spoilt(DAYS, "?"),
        "days and a mark": spoilt(DAYS.dt.date, "unknown"),
        "times of day": pd.Series([f"{i // 60 % 24:02}:{i % 60:02}" for i in range(N)]),
        "durations": pd.Series(pd.to_timedelta(RNG.integers(0, 10**6, N), unit="s")).astype(str),
    },
    "identifiers and free text": {
        "identifiers": pd.Series([f"C{i:06}" for i in range(N)]),
        "digits": pd.Series([f"{i:08}" for i in range(N)]),
        "UUIDs": pd.Series([uuid.UUID(int=i**5) for i in range(N)]),
        "texts": pd.Series([f"the {i} quick brown foxes said {i % 7} things." for i in range(N)]),
        "addresses": pd.Series([f"user{i}@example.org" for i in range(N)]),
        "names": pd.Series([f"First{i} Last{i}" for i in range(120)]),
        "tickets, some twice": pd.Series([f"A/5 {i if i < 400 else i % 50}" for i in range(N)]),
        "crossed features": pd.Series([(i, "a") for i in range(N)]),
        "salaries": spoilt(RNG.integers(30_000, 99_999, N).astype(str), "?"),
    },
}
ONCE = {"identifiers and free text": "occur only once, as identifiers and free text do"}

CATEGORIES = {
    "zip codes": pd.Series([f"{code - 9_000:05}" for code in CODES]),
    "zip codes without zeros": pd.Series(CODES.astype(str)),
    "zip codes and a mark": spoilt(CODES.astype(str), "unknown"),
    "years": pd.Series(RNG.integers(1960, 2023, N).astype(str)),
    "years and a mark": spoilt(RNG.integers(1960, 2023, N).astype(str), "?"),
    "months": pd.Series(RNG.integers(1, 13, N).astype(str)),
    "days of the month": pd.Series(RNG.integers(1, 32, N).astype(str)),
    "stores": pd.Series(RNG.integers(1, 100, N).astype(str)),
    "stores, one online": spoilt(RNG.integers(1, 46, N).astype(str), "online"),
    "types of houses": pd.Series(RNG.choice(["20", "30", "160", "190"], N)),
    "towns": pd.Series([f"town {i}" for i in RNG.integers(0, 150, N)]),
    "letters and digits": pd.Series([f"{'ABC'[i % 3]}{i}" for i in RNG.integers(0, 50, N)]),
    "seats": pd.Series([f"{i}{'ABCDEF'[i % 6]}" for i in RNG.integers(0, 60, N)]),
    "ranges": pd.Series([f"{i}-{i + 5}" for i in RNG.integers(0, 40, N)]),
    "versions": pd.Series([f"1.{i}.0" for i in RNG.integers(0, 50, N)]),
    "codes of diseases": pd.Series([f"E{i}.{i % 10}" for i in RNG.integers(10, 90, N)]),
    "ordinals": pd.Series([f"{i}{('th', 'st', 'nd', 'rd')[i % 4]}" for i in RNG.integers(1, 60, N)]),
    "a few rows": pd.Series([f"row {i}" for i in range(60)]),
    "a few numbers": TEXT[:30],
    "months of two years": pd.Series(RNG.choice(["2020-01", "2020-02", "2021-03"], N)),
    "declared": pd.Series([f"C{i}" for i in range(N)]).astype("category"),
    "declared numbers": TEXT.astype("category"),
    "words of a text": pd.Series([f"w{i}" for i in RNG.zipf(1.5, 2_000)]),
    "None as a word": pd.Series(RNG.choice(["None", "Gd", "TA"], N)),
    "nothing but missing": pd.Series([None] * N),
}
CASES = [(meaning, name) for meaning, columns in MEANT.items() for name in columns]


def fit(column):
    return TablePreprocessor().fit(pd.DataFrame({"v": column}))


@pytest.mark.parametrize(("meaning", "name"), CASES)
def test_columns_that_are_no_categories(meaning, name):
    """Listing the column switches the warning off."""
    words = {"numbers": "are numbers: .*to_numeric", "numbers with units": "are numbers with units.*str.replace"}
    words |= {"dates or times": "are dates or times: .*to_datetime", **ONCE}
    with pytest.warns(UserWarning, match=f"column 'v' .*treated as categorical, but .*{words[meaning]}") as said:
        fit(MEANT[meaning][name])
    assert len(said) == 1 and len(str(said[0].message)) < 500
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TablePreprocessor(["v"]).fit(pd.DataFrame({"v": MEANT[meaning][name]}))


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_are_no_reason_for_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(CATEGORIES[name])


def test_every_container_and_entry_point():
    frame = pd.DataFrame({"v": spoilt(TEXT, "?"), "a": FLOATS})
    calls = [(TablePreprocessor().fit, X) for X in (pl.from_pandas(frame), frame.to_numpy(), frame.to_numpy().tolist())]
    calls += [(call, frame) for call in (small_embedder(max_epochs=1).fit, small_embedder().partial_fit)]
    for call, X in calls:
        with pytest.warns(UserWarning, match="column ('v'|0) .*are numbers: convert it first"):
            call(X)
    with pytest.warns(UserWarning, match="are numbers: convert it first"):
        small_embedder(max_epochs=1).fit(frame[:20], unlabeled=frame[20:])


def test_a_table_of_texts_gives_one_warning():
    """As the csv module reads it."""
    file = io.StringIO("\n".join(",".join(map(str, row)) for row in RNG.normal(size=(100, 9)).round(3)))
    rows = list(csv.reader(file))
    with pytest.warns(UserWarning, match=r"column 0 .*column 4 .* and 4 more, is treated") as said:
        TablePreprocessor().fit(rows)
    assert len(said) == 1 and len(str(said[0].message)) < 900


def test_long_texts_are_cut():
    with pytest.warns(UserWarning, match="identifiers and free text") as said:
        fit([f"{i} " + "x" * 10_000 for i in range(N)])
    assert len(str(said[0].message)) < 600


def test_objects_that_are_numbers_stay_numbers():
    """scikit-learn's contract."""
    X = load_iris().data
    np.testing.assert_array_equal(
        TablePreprocessor().fit_transform(X.astype(object)), TablePreprocessor().fit_transform(X)
    )


@pytest.mark.parametrize("freq", ["D", "M", "Q", "Y"])
def test_periods_are_dates(freq):
    """At their start, also as objects; other dates may follow in transform."""
    periods = DAYS.dt.to_period(freq)
    starts = pd.DataFrame({"v": periods.dt.start_time})
    fitted = TablePreprocessor().fit(starts)
    for column in (periods, periods.astype(object)):
        own = TablePreprocessor().fit(pd.DataFrame({"v": column}))
        assert own.kinds_ == ("date",)
        np.testing.assert_array_equal(own.transform(starts), fitted.transform(starts))
        np.testing.assert_array_equal(fitted.transform(pd.DataFrame({"v": column})), fitted.transform(starts))
    gappy = periods.mask(np.arange(N) % 3 == 0)
    assert np.isnan(fitted.transform(pd.DataFrame({"v": gappy}))[::3, 0]).all()
    with pytest.raises(ValueError, match="held dates in fit, but now holds '2020-01'"):
        own.transform(pd.DataFrame({"v": ["2020-01"]}))

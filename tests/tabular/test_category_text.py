"""Categories whose type or spelling differs from fit's: the same codes where they agree as text, or an error."""

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import object_column, small_embedder

from sklearn_twins.preprocessing import TablePreprocessor

ROWS = np.random.default_rng(0).integers(0, 6, 200)
INTS = pd.Series(ROWS)
WORDS = pd.Series(np.array(["nurse", "clerk", "driver"])[ROWS % 3])
GAPPY = WORDS.where(ROWS > 0)
TRUTHS = pd.Series(ROWS % 2 == 0)
DAYS = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(ROWS, unit="D"))
ZIPS = pd.Series(np.array(["08010", "01010", "10115", "06020", "80331", "01234"])[ROWS])
BINS = pd.cut(INTS, [-1, 2, 4, 9])
MONTHS = DAYS.dt.to_period("M")
TEXT = INTS.astype(str)
MANY = pd.Series([None if i % 10 == 3 else f"city {i % 300}" for i in range(3_000)])  # rare ones share a code
LONG_IDS = 9_007_199_254_740_993 + INTS  # some of them are floats, too

SAME = {
    "strings, ints": (TEXT, INTS),
    "ints, strings": (INTS, TEXT),
    "strings, floats": (TEXT, INTS.astype(float)),
    "ints, texts of floats": (INTS, INTS.astype(float).astype(str)),
    "texts of floats, ints": (INTS.astype(float).astype(str), INTS),
    "strings, texts of floats": (TEXT, INTS.astype(float).astype(str)),
    "strings, small ints": (TEXT, INTS.astype(np.int8)),
    "strings, decimals": (TEXT, INTS.map(Decimal)),
    "strings, nullable ints": (TEXT, INTS.astype("Int64")),
    "texts with trailing zeros, floats": ((INTS / 4).map("{:.2f}".format), INTS / 4),
    "exponents, floats": ((INTS * 250.0).map("{:.3e}".format), INTS * 250.0),
    "categories of ints, strings": (INTS.astype("category"), TEXT),
    "strings, categories of ints": (TEXT, INTS.astype("category")),
    "strings, NumPy's strings": (WORDS, WORDS.map(np.str_).astype(object)),
    "strings, bytes": (WORDS, WORDS.str.encode("utf8")),
    "bytes, strings": (WORDS.str.encode("utf8"), WORDS),
    "texts of ints, bytes": (TEXT, TEXT.str.encode("ascii")),
    "truth, strings": (TRUTHS, TRUTHS.astype(str)),
    "strings, truth": (TRUTHS.astype(str), TRUTHS),
    "strings, ints for truth": (TRUTHS.astype(str), TRUTHS.astype(int)),
    "ints for truth, strings": (TRUTHS.astype(int), TRUTHS.astype(str)),
    "texts of ints, truth": (TRUTHS.astype(int).astype(str), TRUTHS),
    "capitals, truth": (TRUTHS.astype(str).str.upper(), TRUTHS),
    "truth, lower case": (TRUTHS, TRUTHS.astype(str).str.lower()),
    "truth beside other text": (
        TRUTHS.astype(str).mask(ROWS == 2, "both"),
        TRUTHS.astype(object).mask(ROWS == 2, "both"),
    ),
    "texts of days, times": (DAYS.astype(str), DAYS),
    "times, texts of days": (DAYS, DAYS.astype(str)),
    "times, texts of times": (DAYS, DAYS.dt.strftime("%Y-%m-%dT%H:%M:%S")),
    "texts of days, days": (DAYS.astype(str), DAYS.dt.date),
    "periods, texts": (MONTHS, MONTHS.astype(str)),
    "texts, periods": (MONTHS.astype(str), MONTHS),
    "intervals, texts": (BINS, BINS.astype(str)),
    "texts, intervals": (BINS.astype(str), BINS),
    "missing, texts of missing": (GAPPY, GAPPY.astype(object).map(str)),
    "missing, 'None'": (GAPPY, GAPPY.fillna("None")),
    "missing, '<NA>'": (GAPPY, GAPPY.fillna("<NA>")),
    "'nan', missing": (GAPPY.fillna("nan"), GAPPY),
    "'NA', missing as by read_csv": (GAPPY.fillna("NA"), GAPPY),
    "empty text, missing as by read_csv": (GAPPY.fillna(""), GAPPY),
    "missing, empty text": (GAPPY, GAPPY.fillna("")),
    "missing, 'NA'": (GAPPY, GAPPY.fillna("NA")),
    "missing, 'NULL'": (GAPPY, GAPPY.fillna("NULL")),
    "missing among many values, 'nan'": (MANY, MANY.astype(object).map(str)),
    "missing among many values, empty text": (MANY, MANY.fillna("")),
    "long ids, strings": (LONG_IDS, LONG_IDS.astype(str)),
    "strings, long ids": (LONG_IDS.astype(str), LONG_IDS),
    "missing as None, NA": (GAPPY.astype(object), GAPPY.astype("string")),
}


def coded(fitted, given):
    """Codes of a column, by a preprocessor fitted on another form of it, and those of that form."""
    preprocessor = TablePreprocessor(["v"]).fit(pd.DataFrame({"v": fitted}))
    return preprocessor.transform(pd.DataFrame({"v": given})), preprocessor.transform(pd.DataFrame({"v": fitted}))


@pytest.mark.parametrize("case", SAME)
def test_equal_as_text(case):
    """All rows at once, and a row alone."""
    fitted, given = SAME[case]
    found, expected = coded(fitted, given)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(coded(fitted, given[:1])[0], expected[:1])


REFUSED = {
    "a zip code that two might be": (["08010", "8010"], [8010], "several of them without leading zeros"),
    "two spellings of a number": (["1", "1.0"], [1], "several of them as text"),
    "words, ints": (WORDS, INTS, "held strings in fit, such as 'driver'.*of type int"),
    "words, truth": (WORDS, TRUTHS, "held strings in fit.*of type bool"),
    "words, times": (WORDS, DAYS, "held strings.*datetime"),
    "words, durations": (WORDS, pd.to_timedelta(ROWS, unit="h"), "held strings.*timedelta"),
    "words, periods": (WORDS, MONTHS, "held strings.*Period"),
    "words, tuples": (WORDS, [("nurse", 1)] * 200, "held strings.*tuple"),
    "ints, words": (INTS, WORDS, "held numbers.*'(nurse|clerk|driver)', of type str"),
    "ints, times": (INTS, DAYS, "held numbers.*datetime"),
    "durations, texts": (pd.to_timedelta(ROWS, unit="h"), ["0 days 03:00:00"], "held durations.*of type str"),
    "other dates, times": (DAYS.dt.strftime("%d.%m.%Y"), DAYS, "held strings.*datetime"),
    "long identifiers, floats": ([str(2**53 + i) for i in range(9)], [float(2**53 + 2)], "held strings.*float"),
    "mixed values, times": (["a", 1, "b"], [datetime.date(2020, 1, 1)], "held numbers and strings in fit"),
    "a long text": (INTS, ["x" * 10**6], "held numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_types_are_refused(case):
    fitted, given, words = REFUSED[case]
    fitted, given = (
        pd.DataFrame({"v": pd.Series(values, dtype=getattr(values, "dtype", object))}) for values in (fitted, given)
    )
    preprocessor = TablePreprocessor(["v"]).fit(fitted)
    with pytest.raises(ValueError, match=f"column 'v': it .*{words}") as caught:
        preprocessor.transform(given)
    assert len(str(caught.value)) < 600


ZEROS = {
    "ints": (ZIPS, ZIPS.astype(int)),
    "floats": (ZIPS, ZIPS.astype(float)),
    "gappy floats": (ZIPS, ZIPS.astype(float).mask(ROWS == 2)),
    "the reverse": (ZIPS.astype(int), ZIPS),
    "floats, texts": (ZIPS.astype(float), ZIPS),
    "some of them": (ZIPS, ZIPS.astype(int).where(ROWS > 1, ZIPS)),
    "numbered levels": (TEXT.str.zfill(2), INTS),
    "texts of ints": (ZIPS, ZIPS.astype(int).astype(str)),
    "texts, zip codes": (ZIPS.astype(int).astype(str), ZIPS),
    "very many": (pd.Series([f"{i % 299:05}" for i in range(3_000)]), pd.Series([str(i % 299) for i in range(3_000)])),
}


@pytest.mark.parametrize("case", ZEROS)
def test_lost_zeros_give_a_warning(case):
    """Values are compared without them; a value that is new then counts as unseen."""
    fitted, given = ZEROS[case]
    with pytest.warns(UserWarning, match=r"column 'v' \(such as .*leading zeros.*lost.*dtype=str"):
        found, expected = coded(fitted, given)
    np.testing.assert_array_equal(found, np.where(pd.isna(given).to_numpy()[:, None], 0, expected))
    with pytest.warns(UserWarning, match="leading zeros"):
        assert coded(ZIPS, [99])[0].tolist() == [[1]]


@pytest.mark.parametrize("method", ["transform", "transform_views", "score", "partial_fit", "diagnose"])
def test_every_method_refuses(method):
    a = np.arange(200.0)
    embedder = small_embedder(max_epochs=1).fit(pd.DataFrame({"zip": ZIPS, "a": a}))
    with pytest.raises(ValueError, match="column 'zip': it held strings"):
        getattr(embedder, method)(pd.DataFrame({"zip": DAYS, "a": a}))


def test_values_of_the_usual_type_may_be_new():
    """Also of the type that a text stands for, one row at a time, and rare values of a column with very many."""
    new = {"words": (WORDS, "poet"), "ints": (INTS, 77), "texts": (TEXT, 77), "bytes": (WORDS, b"poet")}
    for fitted, value in new.values():
        found, _ = coded(fitted, pd.Series([value], dtype=object))
        assert found.tolist() == [[1]]
    many = object_column([*[f"w{i % 300}" for i in range(3_000)], 5, datetime.date(2020, 1, 1)])
    fitted = TablePreprocessor([0]).fit(many)
    assert fitted.transform(many[-2:]).tolist() == [[257], [257]]


def test_rare_values_of_fit_keep_their_code():
    """Of very many codes, some have leading zeros and others have not."""
    codes = [*[f"{i:04}" for i in range(500)], *[str(i) for i in range(5_000, 5_400)], *[str(i) for i in range(400)]]
    column = object_column([code for i, code in enumerate(codes) for _ in range(3 if i < 700 else 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = TablePreprocessor([0]).fit_transform(column)
    assert (samples[-600:] == 257).all()


def test_a_file_keeps_the_types(tmp_path):
    frame = pd.DataFrame({"zip": ZIPS, "a": np.arange(200.0)})
    embedder = small_embedder(max_epochs=1).fit(frame)
    embedder.save(tmp_path / "e")
    loaded = type(embedder).load(tmp_path / "e")
    np.testing.assert_array_equal(loaded.transform(frame), embedder.transform(frame))
    with pytest.raises(ValueError, match="held strings in fit"):
        loaded.transform(frame.assign(zip=DAYS))


def says(fitted, given):
    """The warnings of `transform`."""
    preprocessor = TablePreprocessor(["v"]).fit(pd.DataFrame({"v": fitted}))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        preprocessor.transform(pd.DataFrame({"v": given}))
    return [str(warning.message) for warning in said]


@pytest.mark.parametrize(
    ("fitted", "given"),
    [
        (WORDS, ["poet"] * 20),
        (WORDS, [*["poet"] * 60, *["nurse"] * 140]),
        (WORDS, WORDS.str.title()),
        (WORDS, " " + WORDS),
        (INTS, INTS + 100),
        ([f"w{i % 400}" for i in range(4_000)], [f"v{i}" for i in range(100)]),
        (GAPPY, [*["poet"] * 30, *[None] * 900]),
    ],
)
def test_many_unseen_values_give_one_warning(fitted, given):
    """Missing values are not counted."""
    (text,) = says(fitted, given)
    assert "many categories that fit did not see, in column 'v'" in text and "such as" in text


@pytest.mark.parametrize(
    ("fitted", "given"),
    [
        (WORDS, ["poet"]),
        (WORDS, ["poet"] * 19),
        (WORDS, [*["poet"] * 40, *["nurse"] * 160]),
        ([f"w{i % 400}" for i in range(4_000)], [f"w{i}" for i in range(400)]),
        ([f"row {i}" for i in range(60)], [f"row {i}" for i in range(60, 120)]),
        (np.random.default_rng(0).zipf(1.5, 3_000).astype(str), np.random.default_rng(1).zipf(1.5, 3_000).astype(str)),
        (WORDS, [None] * 100),
    ],
)
def test_few_or_expected_unseen_values_give_none(fitted, given):
    """Single rows, small batches, and columns in which many values of fit were the only ones of their kind."""
    assert says(fitted, given) == []


def test_a_batch_names_all_columns_once():
    frame = pd.DataFrame({f"c{j}": WORDS for j in range(12)})
    fitted = TablePreprocessor().fit(frame)
    with pytest.warns(UserWarning, match=r"'c0' .*'c4' .* and 7 more") as said:
        fitted.transform(pl.DataFrame({name: ["poet"] * 50 for name in frame}))
    assert len(said) == 1 and len(str(said[0].message)) < 900


@pytest.mark.parametrize(
    "column", [[1, "1", 2], ["1.0", 1, 3], [True, "True"], [b"a", "a"], ["2020-01-01", datetime.date(2020, 1, 1)]]
)
def test_two_types_in_fit_that_agree_as_text(column):
    with pytest.warns(UserWarning, match="column 0 .*equal as text and become two categories"):
        TablePreprocessor().fit(object_column(column * 3))

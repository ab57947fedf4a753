"""Categories of any type: the same in any array that is built anew, and in files; what cannot be kept is refused."""

import datetime
import enum
import ipaddress
import pickle
import uuid
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from builders import object_column

from sklearn_twins._tabular._category_keys import from_plain, simplify, to_plain
from sklearn_twins.preprocessing import TablePreprocessor


class Colour(enum.Enum):
    RED, BLUE = 1, 2


class Access(enum.Flag):
    READ, WRITE = 1, 2


class Moment(datetime.datetime):
    """A date of another library."""


Point = namedtuple("Point", "x y")

# Two values of a kind, new objects in each call.
KINDS = {
    "tuples with NaN": lambda: [(float("nan"), "a"), (1.0, "b")],
    "tuples with NumPy's NaN": lambda: [(np.float32("nan"), "a"), (np.float64(1), "b")],
    "tuples with NaT": lambda: [(pd.NaT, "a"), (pd.Timestamp("2024"), "b")],
    "tuples with NumPy's NaT": lambda: [(np.datetime64("NaT"), 1), (np.timedelta64("NaT"), 2)],
    "tuples with None": lambda: [(None, "a"), ("a", None)],
    "tuples with NA": lambda: [(pd.NA, "a"), ("a", pd.NA)],
    "tuples with a decimal NaN": lambda: [(Decimal("NaN"), "a"), (Decimal("1.5"), "b")],
    "nested tuples with NaN": lambda: [("a", (float("nan"), ("b", float("nan")))), ("a", (1, ("b", 2)))],
    "named tuples with NaN": lambda: [Point(float("nan"), 1), Point(2, 3)],
    "frozensets with NaN": lambda: [frozenset([float("nan"), "a"]), frozenset("bc")],
    "tuples with zeros": lambda: [(0.0, "a"), (-1.0, "b")],
    "Timestamps": lambda: [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02 03:04")],
    "Timestamps with nanoseconds": lambda: [pd.Timestamp("2024-01-01 00:00:00.000001999"), pd.Timestamp("2024-01-02")],
    "Timestamps with a zone": lambda: [pd.Timestamp("2024-01-01", tz="Europe/Rome"), pd.Timestamp("2024", tz="UTC")],
    "Timedeltas": lambda: [pd.Timedelta("1 day"), pd.Timedelta("-3 hours")],
    "NumPy's dates": lambda: [np.datetime64("2024-01-01"), np.datetime64("2024-01-02T03", "ns")],
    "NumPy's distant dates": lambda: [np.datetime64("20240-01-01"), np.datetime64("-3000-01-01")],
    "NumPy's durations": lambda: [np.timedelta64(1, "D"), np.timedelta64(5, "ns")],
    "NumPy's years": lambda: [np.timedelta64(1, "Y"), np.timedelta64(5, "M")],
    "dates": lambda: [datetime.date(2024, 1, 1), datetime.date(1, 1, 1)],
    "datetimes with a zone": lambda: [datetime.datetime(2024, 1, day, tzinfo=ZoneInfo("Asia/Tokyo")) for day in (1, 2)],
    "datetimes of another library": lambda: [Moment(2024, 1, 1), Moment(2024, 1, 2)],
    "times": lambda: [datetime.time(1, 2), datetime.time(3, tzinfo=datetime.UTC)],
    "timedeltas": lambda: [datetime.timedelta(days=-1, microseconds=1), datetime.timedelta.max],
    "periods": lambda: [pd.Period("2024-01", "M"), pd.Period("2024Q1", "Q")],
    "intervals": lambda: [pd.Interval(0, 1.5), pd.Interval(1.5, np.inf, closed="both")],
    "intervals of dates": lambda: [pd.Interval(pd.Timestamp("2024"), pd.Timestamp("2025")), pd.Interval(0, 1)],
    "decimals": lambda: [Decimal("1.10"), Decimal("-Infinity")],
    "fractions": lambda: [Fraction(1, 3), Fraction(10**30, 7)],
    "complex numbers": lambda: [1 + 2j, np.complex64(3j)],
    "large integers": lambda: [10**40, 2**63 + 1],
    "NumPy's numbers": lambda: [np.int8(3), np.longdouble("0.1")],
    "truth values": lambda: [np.True_, False],
    "bytes": lambda: [b"\x00\xff", np.bytes_(b"a")],
    "UUIDs": lambda: [uuid.UUID(int=1), uuid.UUID(int=2)],
    "paths": lambda: [Path("a/b"), Path("c")],
    "members of an enum": lambda: [*Colour],
    "members of a flag": lambda: [Access.READ | Access.WRITE, Access(0)],
    "addresses": lambda: [ipaddress.ip_address("::1"), ipaddress.ip_network("10.0.0.0/8")],
    "strings": lambda: [np.str_("a"), "\ud800"],
}


def rows(kind, n=12):
    """Values of a kind among strings, each a new object."""
    return object_column([value for _ in range(n // 3) for value in (*KINDS[kind](), "text")])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_category_in_any_array(kind):
    fitted = TablePreprocessor([0]).fit(rows(kind))
    codes = fitted.transform(rows(kind))
    assert sorted(codes[:3, 0]) == [2, 3, 4] and (codes == np.tile(codes[:3], (4, 1))).all()
    loaded = pickle.loads(pickle.dumps(fitted))
    assert (loaded.transform(rows(kind)) == codes).all()


@pytest.mark.parametrize("kind", KINDS)
def test_plain_categories(kind):
    """They are made of what JSON holds, and come back equal."""
    for key in KINDS[kind]():
        simple = simplify(key)
        plain = to_plain(simple)
        assert simplify(simple) == simple == from_plain(plain)
        leaves = [plain]
        while leaves:
            leaf = leaves.pop()
            assert leaf is None or type(leaf) in (str, int, float, tuple)
            leaves += leaf if type(leaf) is tuple else []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.Timestamp("2024-01-01"), datetime.datetime(2024, 1, 1)),
        (np.datetime64("2024-01-01", "s"), datetime.datetime(2024, 1, 1)),
        (pd.Timedelta("1 day"), datetime.timedelta(days=1)),
        (pd.Interval(0, 1), pd.Interval(0.0, 1.0)),
        (pd.Interval(-0.0, 1), pd.Interval(0.0, 1.0)),
        ((None, 1), (float("nan"), True)),
        ((-0.0, "a"), (0, np.str_("a"))),
        (Point(1, 2), (1, 2)),
        (np.float32(0.5), Decimal("0.5")),
        (Path("a"), "a"),
    ],
)
def test_equal_categories_of_two_types(one, other):
    for first, second in ((one, other), (other, one)):
        fitted = TablePreprocessor([0]).fit(object_column([first, "text"] * 4))
        assert fitted.transform(object_column([second]))[0, 0] == fitted.transform(object_column([first]))[0, 0] >= 2


def test_bins_dates_and_periods_are_categories():
    """Also of a categorical column, as pandas' cut makes it."""
    frame = pd.DataFrame({"a": np.arange(8.0)})
    frame["bin"] = pd.cut(frame["a"], 2)
    frame["day"] = pd.Categorical(pd.date_range("2024", periods=2).repeat(4))
    frame["month"] = pd.Categorical(pd.period_range("2024-01", periods=2, freq="M").repeat(4))
    fitted = TablePreprocessor().fit(frame)
    assert fitted.kinds_ == ("number", *["category"] * 3)
    assert fitted.categories_[0] == ("(-0.007, 3.5]", "(3.5, 7.0]")
    assert fitted.transform(frame.copy())[:, 1:].tolist() == [[2] * 3] * 4 + [[3] * 3] * 4


class Money:
    """A value of a user's own type."""

    def __init__(self, amount):
        self.amount = amount

    def __eq__(self, other):
        return isinstance(other, Money) and other.amount == self.amount

    def __hash__(self):
        return hash(self.amount)


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: ("a", value), lambda value: frozenset([value])])
def test_types_that_cannot_be_kept_are_refused_by_column(wrap):
    frame = pd.DataFrame({"price": [wrap(Money(1)), "free"] * 4})
    with pytest.raises(TypeError, match=r"column 'price': values of type Money cannot be categories.*astype\(str\)"):
        TablePreprocessor().fit(frame)
    fitted = TablePreprocessor().fit(frame.assign(price=["paid", "free"] * 4))
    with pytest.raises(TypeError, match="column 'price': values of type Money"):
        fitted.transform(frame)

"""Values that are no category of fit: of another type or spelling, they equal one as text, or they are refused."""

import datetime
import re
from decimal import Decimal
from functools import cached_property
from numbers import Real

import numpy as np

from .._inputs._messages import show
from .._inputs._missing import is_missing
from ._category_keys import simplify
from ._column_kinds import DATES, DURATIONS

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
PADDED = re.compile(r"0+\d+", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
END = r"-?(?:\d+(?:\.\d*)?|inf)"
INTERVAL = re.compile(rf"([\[(])({END}), ({END})([\])])", re.ASCII)  # of pandas
TRUTH = {"True": "1", "False": "0", "1": "True", "0": "False"}
MISSING_TEXTS = ("nan", "None", "<NA>", "NaT")  # what str() makes of missing values
READ_AS_MISSING = {*MISSING_TEXTS, "", "NA", "N/A", "n/a", "#N/A", "#NA", "NULL", "null", "NaN"}  # by pandas.read_csv
PLURALS = {
    **{word: f"{word}s" for word in ("number", "date", "duration")},
    **{"text": "strings", "bytes": "bytes", "other": "other objects", "missing": "missing values"},
}
LONGEST = 40  # characters of a text that may be a number or a date
EXACT = 2**53  # floats from here on stand for several integers


def name_type(kind):
    """Return the word for a Python type of a category: "text", "bytes", "number", "date", "duration" or "other"."""
    for word, kinds in (
        ("text", str),
        ("bytes", bytes),
        ("date", DATES),
        ("duration", DURATIONS),
        ("number", (Real, Decimal, np.bool_)),
    ):
        if issubclass(kind, kinds):
            return word
    return "other"


def to_text(key):
    """Write a category as text, with one spelling for each number, truth value and date.

    Parameters
    ----------
    key : object
        A simplified category, or a truth value.

    Returns
    -------
    text : str
        "1" for 1, 1.0, "1" and "1.0"; "True" for True and "true". Text with leading zeros stays as it is.
    """
    if isinstance(key, bytes):
        key = key.decode(errors="backslashreplace")
    if isinstance(key, str):
        return _normalize(str.__str__(key))
    if isinstance(key, (bool, np.bool_)):
        return str(bool(key))
    if isinstance(key, DATES):
        return _date_to_text(key)
    return _number_to_text(key) if name_type(type(key)) == "number" else str(key)


def _normalize(text):
    if len(text) > LONGEST:
        return text
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if NUMBER.fullmatch(text):
        return _number_to_text(int(text) if text.lstrip("-").isdigit() else float(text))
    if DATE.fullmatch(text):
        try:
            return _date_to_text(datetime.datetime.fromisoformat(text))
        except ValueError:  # the 30th of February
            pass
    if found := INTERVAL.fullmatch(text):
        left, low, high, right = found.groups()
        return f"{left}{float(low)}, {float(high)}{right}"
    return text


def _number_to_text(number):
    if isinstance(number, (int, np.integer)):
        return str(int(number)) if abs(int(number)) < 10**LONGEST else hex(number)
    try:
        number = float(number)
    except OverflowError:
        return str(number)
    if not number.is_integer():
        return repr(number)
    return str(int(number)) if abs(number) < EXACT else f"about {number!r}"


def _date_to_text(date):
    text = date.isoformat(sep=" ") if isinstance(date, datetime.datetime) else str(date)
    return text.removesuffix(" 00:00:00")


def look_of(text):
    """Return what a text from `to_text` looks like: "number", "truth", "date", "padded" (leading zeros) or "text"."""
    if text in ("True", "False"):
        return "truth"
    looks = (("number", NUMBER), ("date", DATE), ("padded", PADDED))
    return next((look for look, pattern in looks if pattern.fullmatch(text)), "text")


def strip_zeros(text):
    """Digits without leading zeros."""
    return text.lstrip("0") or "0"


def has_zero_twins(keys):
    """Whether two categories differ by their leading zeros alone; `keys` is a set or dict."""
    padded = [key for key in keys if isinstance(key, str) and key[:1] == "0" and len(key) > 1 and key.isdigit()]
    return any(strip_zeros(key) in keys for key in padded)


class Strangers:
    """Codes of values that are no category of a column: unseen, equal to a category as text, or refused.

    Parameters
    ----------
    known : dict
        Category -> code.
    types : set of str
        Words of `name_type` for the values in `fit`, "missing" among them, and "zeros" if some of them differ only by
        their leading zeros; empty if they are not known.
    pooled : bool
        Whether rare values of `fit` are not among `known`.
    missing, unseen : int
        Code of missing values, and code of unseen ones.
    """

    def __init__(self, known, types, pooled, missing, unseen):
        self.known, self.types, self.pooled = known, types, pooled
        self.missing, self.unseen = missing, unseen
        self.lost_zeros = None  # a value that has another number of leading zeros than in `fit`

    @cached_property
    def codes(self):
        """Text -> code of the category, None if two categories have the same text."""
        codes, large = {}, any(type(key) is int for key in self.known)  # the column held integers beyond float64
        for key, code in self.known.items():
            text = str(int(key)) if large and type(key) is float and abs(key) >= EXACT else to_text(key)
            codes[text] = None if text in codes else code
        return codes

    @cached_property
    def looks(self):
        """What the categories look like, see `look_of`."""
        return set(map(look_of, self.codes))

    @cached_property
    def unpadded(self):
        """Text without leading zeros -> code of the category that has them, None if there are several."""
        codes = {}
        for text, code in self.codes.items():
            if look_of(text) == "padded":
                bare = strip_zeros(text)
                codes[bare] = None if bare in codes else code
        return codes

    def find_code(self, key):
        """Return the code of one value; raises ValueError if its type is another than in `fit` and no text agrees."""
        if type(key) is str and self.pooled and "text" in self.types and not key.isdigit():  # by far the most
            return self.missing if key in READ_AS_MISSING and "missing" in self.types else self.unseen
        word = "missing" if is_missing(key) else name_type(type(key))
        usual = word in self.types or not self.types
        if word == "missing":
            return self.missing if usual else self._find_missing()
        simple = simplify(key)
        if simple in self.known:
            return self.known[simple]
        if usual and self.pooled and not (isinstance(simple, str) and simple.isdigit()):
            return self.unseen
        exact = word == "number" and isinstance(key, (int, np.integer, np.bool_))  # simplified, True is 1
        text = to_text(key if exact else simple)
        code = None if usual and self.pooled else self._find_text(text)
        if code is None and word == "text" and text in (READ_AS_MISSING if "missing" in self.types else MISSING_TEXTS):
            return self.missing
        code, compared = self._compare_without_zeros(key, text, code)
        if code is None and not usual and not compared:
            self._check(key, word, text)
        return self.unseen if code is None else code

    def _find_missing(self):
        found = {self.codes[text] for text in READ_AS_MISSING if text in self.codes}
        return found.pop() if len(found) == 1 else self.missing

    def _find_text(self, text):
        if text not in self.codes and text in TRUTH and self.codes.keys() <= TRUTH.keys():
            text = TRUTH[text]
        return self.codes.get(text)

    def _compare_without_zeros(self, key, text, code):
        """Return the code of a value whose leading zeros were lost, here or in `fit`, and whether they were."""
        look, usual = look_of(text), name_type(type(key)) in self.types
        if usual and "zeros" in self.types:
            return code, False
        if look == "number" and self.unpadded and not text.startswith("-"):
            others, bare = self.unpadded, text
        elif look == "padded" and "number" in self.looks:
            others, bare = self.codes, strip_zeros(text)
        else:
            return code, False
        if code is None and (bare in others or not usual):
            self.lost_zeros = key
            return others.get(bare), True
        if bare in others and not usual:
            self._refuse(key, "It equals several of them without leading zeros.")
        return code, False

    def _check(self, key, word, text):
        """Refuse a value of a new type that no category equals, unless it might be a new one's text."""
        look = look_of(text)
        if text in self.codes:
            self._refuse(key, "It equals several of them as text.")
        if look in ("text", "padded"):
            if word != "bytes" or "text" not in self.types:
                self._refuse(key)
        elif look not in self.looks:
            self._refuse(key)

    def _refuse(self, key, why="It equals none of them as text."):
        held = " and ".join(PLURALS[word] for word in sorted(self.types & PLURALS.keys()))
        remedy = (
            ": read it with dtype=str in both, as in pandas.read_csv(..., dtype=str)" if "text" in self.types else ""
        )
        raise ValueError(
            f"it held {held} in fit, such as {show(next(iter(self.known)))}, but now holds {show(key)}, of type "
            f"{type(key).__name__}. {why} Give the column the type that it had in fit{remedy}."
        )

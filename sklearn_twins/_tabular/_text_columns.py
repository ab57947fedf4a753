"""Find categorical columns that were meant as something else: numbers or dates as text, identifiers, free text."""

import re
import warnings
from itertools import islice

from .._inputs._messages import show, show_names
from ._category_text import name_type, to_text

# Stated in docs/tables.md.
N_QUANTITIES = 32  # more different numbers or dates than this are no categories
N_IDENTIFIERS = 100  # more different values than this, most of which occur once, are no categories
SHARE = 0.9  # of the different values that are numbers or dates
N_LOOKED_AT = 500  # different values
N_AFFIXES = 3  # different units or currencies of a column

BODY = r"\d{1,3}(?:[,.'\u2019 \u00a0\u202f_]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d*)?|[.,]\d+"
DRESSED = re.compile(
    r"\s*(?P<before>[-+(\u2212<>~]*\s*(?:[$\u20ac\u00a3\u00a5\u20b9]|EUR|USD|GBP|CHF|JPY|CAD|AUD|INR|CNY|Rs\.?)?\s*-?)\s*"
    rf"(?P<body>{BODY})(?P<power>[eE][+-]?\d+)?\s*"
    r"(?P<after>[%\u2030$\u20ac\u00a3\u00a5\u20b9]|\u00b0?[^\W\d_]{0,5}(?:/[^\W\d_]{1,5})?[\u00b2\u00b3]?)\)?\s*"
)
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
TIME = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?\s*(?:z|utc|[+-]\d\d:?\d\d)?"
DAY = "|".join(
    (
        r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",
        r"\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d)",
        r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])",
        r"(?:19|20)\d\d[-/](?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])/(?:19|20)\d\d",
        r"(?:19|20)\d\d\s?-?q[1-4]|(?:19|20)\d\d-?w\d\d(?:-\d)?",
        rf"(?:[a-z]{{3,9}},?\s+)?{MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}",
        rf"(?:[a-z]{{3,9}},?\s+)?\d{{1,2}}(?:st|nd|rd|th)?\.?[\s-]{MONTH}[\s-]\d\d(?:\d\d)?",
        rf"{MONTH}[\s-]\d\d(?:\d\d)?",
    )
)
DATE_OR_TIME = re.compile(rf"(?ai)\s*(?:(?:{DAY})(?:[t\s]\s*{TIME})?|(?:\d+ days?,?\s+)?{TIME})\s*")
# Texts that stand for a missing number.
WORDS = ("", "?", "-", "--", ".", "*", "n/a", "#n/a", "na", "<na>", "nan", "nat", "nil", "none", "null", "missing")
MARKERS = {
    *(form for word in (*WORDS, "unknown", "not available") for form in (word, word.upper(), word.capitalize())),
    *(f" {word}" for word in WORDS),
    *("NaN", "NaT", "inf", "-inf"),
}
REMEDIES = {
    "numbers": "nearly all of its values are numbers: convert it first, with pandas.to_numeric(..., errors='coerce') "
    "or skrub.Cleaner",
    "amounts": "nearly all of its values are numbers with units, currencies or separators: remove these "
    "(column.str.replace), then convert it with pandas.to_numeric(..., errors='coerce')",
    "dates": "nearly all of its values are dates or times: convert it first, with pandas.to_datetime(..., "
    "errors='coerce'), pandas.to_timedelta or skrub.Cleaner",
    "identifiers": "most of its values occur only once, as identifiers and free text do, and teach nothing: drop it, "
    "or turn text into numbers first (TfidfVectorizer and TruncatedSVD, or skrub.StringEncoder)",
}


class Findings:
    """Categorical columns that were meant as something else, for one warning each kind.

    Parameters
    ----------
    table : Table
        The training rows.
    """

    def __init__(self, table):
        self.table, self.found = table, {}

    def look_at(self, j, counts, words, pooled, chosen):
        """Look at the categories of a column.

        Parameters
        ----------
        j : int
            The column.
        counts : dict
            Category -> number of rows.
        words : set of str
            Words of `name_type` for them.
        pooled : bool
            Whether some of them share a code, since there are so many.
        chosen : bool
            Whether the user said that the column holds categories.
        """
        twin = find_twins(counts) if len(words) > 1 else ""
        reason = "twins" if twin else "" if chosen else find_meaning(counts, pooled)
        if reason:
            example = twin or show(min((key for key in counts if isinstance(key, str)), default=next(iter(counts))))
            self.found.setdefault(reason, []).append(f"{self.table.label(j)} (such as {example})")

    def warn(self):
        """Warn of what was found, naming the columns."""
        for reason, labels in self.found.items():
            named = show_names(labels, str)
            if reason == "twins":
                text = f"{named}, holds values that are equal as text and become two categories. Give them one type."
            else:
                text = (
                    f"{named}, is treated as categorical, but {REMEDIES[reason]}. If these are categories, list the "
                    "column in preprocessor__categorical_features."
                )
            warnings.warn(f"Input X, {text}", stacklevel=2)


def find_twins(counts):
    """Find two categories of different types that are equal as text.

    Parameters
    ----------
    counts : dict
        Categories of a column, of several types.

    Returns
    -------
    twins : str
        Such as "1 and '1'"; empty if there are none.
    """
    others = {to_text(key): key for key in counts if not isinstance(key, str)}
    for key in counts:
        if isinstance(key, str) and to_text(key) in others:
            return f"{show(others[to_text(key)])} and {show(key)}"
    return ""


def find_meaning(counts, pooled):
    """Find what a column of categories was meant as.

    Parameters
    ----------
    counts : dict
        Category -> number of rows.
    pooled : bool
        Whether some of them share a code, since there are so many.

    Returns
    -------
    meaning : {"numbers", "amounts", "dates", "identifiers", ""}
        Empty if these are categories.
    """
    n = len(counts)
    if n <= N_QUANTITIES:
        return ""
    some = list(islice(counts, 0, None, -(-n // N_LOOKED_AT)))
    words = [name_type(type(key)) for key in some]
    texts = [to_plain_text(key) if word in ("text", "bytes") else None for key, word in zip(some, words, strict=True)]
    dates = [
        word in ("date", "duration") or (text is not None and bool(DATE_OR_TIME.fullmatch(text)))
        for word, text in zip(words, texts, strict=True)
    ]
    if sum(dates) >= SHARE * len(some):
        return "dates"
    numbers = [
        text if text is not None else repr(float(key)).removesuffix(".0") if word == "number" else ""
        for key, word, text in zip(some, words, texts, strict=True)
    ]
    found = [match for match in map(DRESSED.fullmatch, numbers) if match]
    meaning = name_numbers(found, counts, pooled) if len(found) >= SHARE * len(some) else ""
    once = sum(count == 1 for count in counts.values())
    return meaning or ("identifiers" if n > N_IDENTIFIERS and 2 * once > sum(counts.values()) else "")


def to_plain_text(key):
    """The text of a string or of bytes, cut to what a number or a date needs."""
    return (key.decode(errors="replace") if isinstance(key, bytes) else str.__str__(key))[:60]


def name_numbers(found, counts, pooled):
    """Tell quantities from the codes of categories, such as zip codes and years.

    Parameters
    ----------
    found : list of re.Match
        Of `DRESSED`.
    counts, pooled
        See `find_meaning`.

    Returns
    -------
    meaning : {"numbers", "amounts", ""}
    """
    affixes = {(match["before"].strip("-+<>~ "), match["after"]) for match in found}
    if len(affixes) > N_AFFIXES:  # seats, classes
        return ""
    bodies = [match["body"] for match in found]
    if any(map(any, affixes)) or any(re.search(r"[^\d.]|\..*\.", body) for body in bodies):
        return "amounts"
    if any(match["power"] or "." in match["body"] for match in found):
        return "numbers"
    is_code = any(len(body) > 1 and body[0] == "0" for body in bodies)
    is_code |= len(bodies[0]) > 2 and len(set(map(len, bodies))) == 1
    return "numbers" if not is_code and (pooled or not MARKERS.isdisjoint(counts)) else ""

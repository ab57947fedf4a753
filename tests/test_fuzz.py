"""Generated tables, arrays and images are either embedded or refused with a clear error."""

import datetime
import os
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.networks import ConvNetEncoder, MLPEncoder, MLPProjector
from sklearn_twins.preprocessing import ImagePreprocessor

# SKLEARN_TWINS_FUZZ=20000 runs more examples, different ones each time.
MORE = int(os.environ.get("SKLEARN_TWINS_FUZZ", 0))
SETTINGS = settings(
    deadline=None,
    derandomize=not MORE,
    database=None,
    suppress_health_check=list(HealthCheck),
    max_examples=MORE or 50,
)
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

# Warnings about unusual tables and images that can be used.
OURS = r"different strings that are all numbers|feature names|taken for images of"


class Unheard:
    """An object of an unknown type."""


def nullable(values, dtype):
    """A column with one of pandas' nullable types."""
    return lambda n, draw: pd.array([draw(values | st.none()) for _ in range(n)], dtype=dtype)


def plain(values):
    """A column of Python objects."""

    def column(n, draw):
        own = np.empty(n, dtype=object)
        own[:] = [draw(values) for _ in range(n)]
        return own

    return column


GAPS = st.sampled_from([None, np.nan, pd.NA, pd.NaT, float("nan"), np.datetime64("NaT")])
EXTREME = st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, 1e-45, 1e39, 2.0**53, 1.7976931348623157e308])
FLOATS = EXTREME | st.floats(allow_nan=True, allow_infinity=False) | st.floats(-3, 3)
SMALL = st.sampled_from([0.0, -0.0, 1.0, 0.1, -65504.0, 65504.0, 6e-8, float("nan")])
INFINITE = st.sampled_from([np.inf, -np.inf])
INTS = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)
TEXT = st.sampled_from(["", " ", "nan", "1", "1e3", "a", "b", "\0", "\ud800"]) | st.text(max_size=3)
DATES = st.datetimes(datetime.datetime(1678, 1, 1), datetime.datetime(2261, 1, 1))
NESTED = st.sampled_from([[1], [], {"a": 1}, {1}, np.ones(2), Unheard(), Unheard, slice(3), bytearray(b"a")])
HASHED = st.sampled_from([(1, 2), frozenset([1]), b"x", range(3), pd.Period("2020"), pd.Interval(0, 1), 1j])
NUMERIC = st.sampled_from([np.float16(3), np.longdouble(3), np.int8(3), np.bool_(True), 10**30, True])
HUGE = st.sampled_from([10**400, np.longdouble("1e400"), -(10**400)])
TIMES = st.sampled_from([datetime.time(3), datetime.timedelta(1), np.timedelta64(3, "Y"), np.timedelta64(3, "ns")])

# Name -> function that draws a column of n rows.
COLUMNS = {
    "floats": plain(FLOATS),
    "float64": lambda n, draw: np.array([draw(FLOATS) for _ in range(n)]),
    "infinite": lambda n, draw: np.array([draw(FLOATS | INFINITE) for _ in range(n)]),
    "float16": lambda n, draw: np.array([draw(SMALL) for _ in range(n)], dtype=np.float16),
    "int64": lambda n, draw: np.array([draw(INTS) for _ in range(n)], dtype=np.int64),
    "bool": lambda n, draw: np.array([draw(st.booleans()) for _ in range(n)]),
    "Int64": nullable(INTS, "Int64"),
    "boolean": nullable(st.booleans(), "boolean"),
    "Float32": nullable(st.floats(width=32, allow_nan=False, allow_infinity=False), "Float32"),
    "text": plain(TEXT),
    "text with gaps": plain(TEXT | GAPS),
    "dates": lambda n, draw: np.array([draw(DATES) for _ in range(n)], dtype="M8[us]"),
    "dates with gaps": plain(DATES | GAPS),
    "times": plain(TIMES | GAPS),
    "category": lambda n, draw: pd.Categorical([draw(st.sampled_from(["x", "y", None])) for _ in range(n)]),
    "nothing": plain(GAPS),
    "constant": lambda n, draw: np.full(n, draw(FLOATS)),
    "nested": plain(NESTED | GAPS),
    "odd": plain(HASHED | GAPS),
    "numeric": plain(NUMERIC | GAPS),
    "huge": plain(HUGE | FLOATS),
    "anything": plain(st.one_of(FLOATS, INTS, TEXT, DATES, HASHED, NUMERIC, TIMES, GAPS, st.booleans())),
}
BAD = ("infinite", "nested", "odd", "huge", "anything", "times")  # some of their values cannot be embedded
GOOD = sorted(set(COLUMNS) - set(BAD))
NAMES = st.sampled_from(["a", "b", "", " ", "a", "0", "é", "x" * 300]) | st.text(max_size=3)
ODD_NAMES = st.sampled_from([0, 1, None, 1.5, np.nan, ("a", "b"), datetime.date(2020, 1, 1), True])


def as_series(values, inferred):
    """A column with the type that pandas infers, or of objects."""
    try:
        return pd.Series(values, dtype=None if inferred or values.dtype != object else object)
    except Exception:  # pandas raises many types
        return pd.Series(values, dtype=object)


@st.composite
def frames(draw, n_columns=None):
    """A pandas frame that can usually be embedded."""
    n = draw(st.integers(2, 12) | st.integers(0, 3))
    kinds = draw(st.lists(st.sampled_from(GOOD), max_size=5, min_size=draw(st.integers(0, 1))))
    if draw(st.integers(0, 3)) == 0:
        kinds.append(draw(st.sampled_from(BAD)))
    if n_columns is not None:
        kinds = (kinds + draw(st.permutations(sorted(COLUMNS))))[:n_columns]
    columns = [as_series(COLUMNS[kind](n, draw), draw(st.booleans())) for kind in kinds]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(n))
    if draw(st.integers(0, 3)) > 0:
        names = [f"c{j}" for j in range(len(kinds))]
    else:
        names = [draw(st.one_of(NAMES, NAMES, ODD_NAMES)) for _ in kinds]
    frame.columns = pd.Index(names, dtype=object)
    if n and draw(st.booleans()):
        frame = frame.iloc[
            draw(st.lists(st.integers(0, n - 1), min_size=draw(st.sampled_from([0, 2, 2])), max_size=12))
        ]
    return frame


@st.composite
def pairs_of_frames(draw):
    """Two frames with the same column names, but any kinds."""
    X = draw(frames())
    other = draw(frames(n_columns=X.shape[1]))
    return X, other.set_axis(X.columns, axis=1)


@st.composite
def pairs_of_arrays(draw):
    """Two arrays, often with the same number of columns."""
    X, other = draw(arrays()), draw(arrays())
    if X.ndim == 2 and other.ndim == 2 and other.shape[1] and draw(st.booleans()):
        other = np.take(other, np.arange(X.shape[1]) % other.shape[1], axis=1)
    return X, other


DTYPES = ["f2", "f4", "f8", ">f4", ">f8", "g", "i1", "u1", "i4", ">i8", "u8", "?"]
ODD_DTYPES = ["c8", "O", "U3", "S2", "M8[s]", "m8[s]", "m8[Y]"]
VALUES = st.sampled_from([0, 1, 2, -1, 3, 100, 255])
SPECIAL = st.sampled_from([np.nan, np.nan, np.inf, -np.inf, 1e300, 65504.0])


@st.composite
def arrays(draw):
    """An array of any type, shape and order in memory."""
    shape = draw(st.sampled_from([(6, 3), (9, 1), (2, 2), (12, 4), (5, 2)]) | st.tuples(*[st.integers(0, 6)] * 2))
    shape = draw(st.sampled_from([shape] * 9 + [(5,), (), (2, 3, 2), (1, 3), (4, 0)]))
    dtype = np.dtype(draw(st.sampled_from(DTYPES + ODD_DTYPES)))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        array = np.asarray(rng.choice([0, 1, 2, 3, 100, 200], size=shape))
        array = np.asarray(array % 100 if dtype == np.int8 else array).astype(dtype)
    if array.size and dtype.kind in "fO":
        for _ in range(draw(st.integers(0, 3))):
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                array[tuple(rng.integers(0, side) for side in shape)] = draw(SPECIAL)
    layout = draw(st.sampled_from(["as is", "F", "reversed", "strided", "read-only", "transposed", "masked", "memory"]))
    if layout == "F":
        array = np.asfortranarray(array)
    elif layout == "reversed" and array.ndim:
        array = array[tuple([slice(None, None, -1)] * array.ndim)]
    elif layout == "strided" and array.ndim == 2:
        array = np.repeat(np.repeat(array, 2, axis=0), 2, axis=1)[::2, ::2]
    elif layout == "read-only":
        array.flags.writeable = False
    elif layout == "transposed":
        array = array.T
    elif layout == "masked":
        array = np.ma.MaskedArray(array, mask=rng.random(array.shape) < 0.2)
    elif layout == "memory" and array.ndim == 2 and array.size:
        array = np.broadcast_to(array[:1], array.shape)
    return array


@st.composite
def image_arrays(draw):
    """An array of images, or nearly so, of any type, shape and order in memory."""
    n, height, width = draw(st.integers(2, 7)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    channels = draw(st.sampled_from([1, 3, 3, 4, 2]))
    usual, odd = [(n, height, width, channels)] * 4, [(n, height * width * channels), (n,), (n, 0, 3, 3), (0, 4, 4, 3)]
    shape = draw(st.sampled_from([*usual, (n, channels, height, width), (n, height, width)]))
    shape = draw(st.sampled_from([shape] * 20 + odd))
    dtype = np.dtype(draw(st.sampled_from(["u1"] * 20 + DTYPES * 2 + ODD_DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = draw(st.sampled_from([1.0, 1.0, 255, 255, 255, 1000, 1e30, 1e308]))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = rng.random(size=shape) * (min(top, 120) if dtype.kind in "iumM" else top)
        array = np.asarray(array.astype(dtype))
        if array.size and dtype.kind in "fO" and draw(st.integers(0, 3)) == 0:
            array[tuple(rng.integers(0, side) for side in shape)] = draw(SPECIAL)
    layout = draw(st.sampled_from(["as is", "as is", "F", "reversed", "read-only", "masked", "list", "flat", "big"]))
    if layout == "F":
        array = np.asfortranarray(array)
    elif layout == "reversed":
        array = array[tuple([slice(None, None, -1)] * array.ndim)]
    elif layout == "read-only":
        array.flags.writeable = False
    elif layout == "masked":
        array = np.ma.MaskedArray(array, mask=rng.random(array.shape) < draw(st.sampled_from([0.0, 0.1])))
    elif layout == "list":
        return list(array)
    elif layout == "flat" and array.ndim == 4 and array.size:
        array = array.reshape(len(array), -1)
    elif layout == "big" and array.dtype.kind in "fiu":
        array = array.astype(array.dtype.newbyteorder())
    return array


@st.composite
def preprocessors(draw):
    """An image preprocessor, usually with its defaults."""
    return ImagePreprocessor(
        draw(st.sampled_from([None] * 20 + [(4, 4, 3), (-1, 3), (2, -1, 3), (3, 2)])),
        channels=draw(st.sampled_from(["auto"] * 2 + ["last", "first"])),
        value_range=draw(st.sampled_from(["auto"] * 9 + [(0, 255), (0, 1), (-1e300, 1e300), (5, 5.0001)])),
    )


def small(preprocessor=None):
    """An embedder that fits a few rows, or images, in milliseconds."""
    part = {"modality": "image", "preprocessor": preprocessor} if preprocessor else {}
    return BarlowTwinsEmbedder(
        **part,
        encoder=ConvNetEncoder(widths=(4,)) if preprocessor else MLPEncoder(hidden_dims=(4,)),
        projector=MLPProjector(hidden_dims=(), projection_dim=4),
        max_epochs=1,
        batch_size=6,
        random_state=0,
    )


def rows_of(X, order):
    """Select rows of a frame, an array or a list."""
    if isinstance(X, list):
        return [X[i] for i in order]
    return X.iloc[order] if isinstance(X, pd.DataFrame) else X[order]


def refused(call, *args):
    """Return the ValueError or TypeError of a call, or None. Any other error or warning fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CollapseWarning)
        warnings.filterwarnings("ignore", message=f".*({OURS})")
        try:
            call(*args)
        except (ValueError, TypeError) as error:
            return error
    return None


def check_words(error):
    """Check that an error has our or scikit-learn's words and class."""
    assert type(error).__module__.partition(".")[0] in ("builtins", "sklearn", "sklearn_twins"), repr(error)
    said = ("Input X", "X ", "X[", "array", "sample(s)", "feature(s)", "Feature names", "feature names", "Complex data")
    assert any(words in str(error) for words in said) and len(str(error)) > 20, repr(error)


def check(X, fingerprint, other=None, preprocessor=None):
    """Check `fit` and `transform` of any X, and then of another X."""
    embedder = small(preprocessor)
    error = refused(embedder.fit, X)
    event("embedded" if error is None else "refused")
    if error is not None:
        check_words(error)
        assert not [name for name in vars(embedder) if name.endswith("_")], "half-fitted"
        return
    before, outputs = fingerprint(embedder), []
    assert refused(lambda: outputs.extend(embedder.transform(X) for _ in range(2))) is None
    n, width = len(X), embedder._n_features_out
    assert outputs[0].shape == (n, width) and outputs[0].dtype == np.float32 and np.isfinite(outputs[0]).all()
    assert np.array_equal(*outputs)
    order = np.random.default_rng(n).permutation(n)
    assert refused(lambda: outputs.append(embedder.transform(rows_of(X, order)))) is None
    assert np.array_equal(outputs[-1], outputs[0][order])
    assert fingerprint(embedder) == before
    if other is not None:
        check_other(embedder, X, other, before, fingerprint)


def check_other(embedder, X, other, before, fingerprint):
    """Check `transform` and `partial_fit` of another X than that of `fit`."""
    outputs = []
    error = refused(lambda: outputs.append(embedder.transform(other)))
    event("other embedded" if error is None else "other refused")
    if error is not None:
        check_words(error)
    else:
        assert outputs[0].shape == (len(other), embedder._n_features_out) and np.isfinite(outputs[0]).all()
    assert fingerprint(embedder) == before
    error = refused(embedder.partial_fit, other)
    if error is not None:
        check_words(error)
        assert fingerprint(embedder) == before
    else:
        assert embedder.n_iter_ == 2 and refused(embedder.transform, X) is None


def as_polars(frame):
    """The same frame in polars, or None if polars cannot hold it."""
    try:
        columns = {str(name): frame.iloc[:, j].tolist() for j, name in enumerate(frame)}
        return pl.DataFrame({name: pl.Series(values, strict=False) for name, values in columns.items()})
    except Exception:  # polars raises its own errors
        return None


def check_frames(fingerprint, pair):
    check(pair[0], fingerprint, pair[1])


def check_frames_of_polars(fingerprint, X):
    frame = as_polars(X)
    if frame is not None and frame.width:
        check(frame, fingerprint)


def check_arrays(fingerprint, pair):
    check(pair[0], fingerprint, pair[1])


def check_images(fingerprint, X, other, preprocessor):
    check(X, fingerprint, other, preprocessor)


CHECKS = {
    check_frames: {"pair": pairs_of_frames()},
    check_frames_of_polars: {"X": frames()},
    check_arrays: {"pair": pairs_of_arrays()},
    check_images: {"X": image_arrays(), "other": image_arrays(), "preprocessor": preprocessors()},
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_any(fingerprint, check):
    SETTINGS(given(**CHECKS[check])(check))(fingerprint=fingerprint)

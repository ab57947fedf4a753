"""X as a list of pictures that Pillow opens: paths of files, encoded images (bytes), and PIL images."""

import io
import os
import reprlib
import sys
from collections.abc import Mapping
from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np

from .._inputs._containers import as_frame, is_number

ENCODED = (bytes, bytearray, memoryview, io.BytesIO)
OTHERS = (list, tuple, str, Mapping, *ENCODED)  # with items and a length, but no data sets
KEYS = {"bytes", "path"}  # of the dicts in which Hugging Face's tools keep an image


def is_pil_image(item):
    """Whether an item is a PIL image; False if Pillow is not imported."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(item, module.Image)


def to_source(item):
    """Convert an item of X to a path (str), an encoded image (bytes) or a PIL image; None if it is none of these."""
    if isinstance(item, dict) and len(item) and item.keys() <= KEYS:  # scipy's dok_array is a dict
        item = item.get("path") if item.get("bytes") is None else item["bytes"]
    if isinstance(item, (str, os.PathLike)):
        return os.fsdecode(item)
    if isinstance(item, ENCODED):
        return item.getvalue() if isinstance(item, io.BytesIO) else bytes(item)
    return item if is_pil_image(item) else None


def describe_source(item):
    """Describe an item of X for a message, in a line."""
    if isinstance(item, ENCODED) and not is_name(item):
        return f"<{len(item if isinstance(item, bytes) else to_source(item)):,} bytes>"
    if is_pil_image(item):
        return f"<{type(item).__name__} {item.mode} {item.width}x{item.height}>"
    text = repr(os.fspath(item) if isinstance(item, os.PathLike) else item)
    return text if len(text) <= 300 else f"{text[:200]}...{text[-80:]}"


def is_name(item):
    """Whether bytes are the name of a file; encoded images hold bytes that are no text."""
    return isinstance(item, bytes) and len(item) < 4096 and os.fsdecode(item).isprintable()


def find_sources(X):
    """Find the pictures that Pillow has to open in a sequence or in a single column.

    Parameters
    ----------
    X : object
        The caller's X.

    Returns
    -------
    sources : list of (str, bytes or PIL image), or None
        None if X holds none, but numbers.

    Raises
    ------
    TypeError
        If only some of its items are pictures, or if its paths are bytes.
    ValueError
        If X is one picture, or holds pairs or dicts with a picture among other things.
    """
    if to_source(X) is not None:
        what = "path" if isinstance(X, (str, os.PathLike)) or is_name(X) else "picture"
        raise ValueError(f"X={describe_source(X)} is one {what}. Give a sequence of {what}s, one for each image.")
    items = list_items(X)
    first = None if items is None else next((item for item in items if not is_gap(item)), None)
    if first is None or isinstance(first, Number):
        return None
    refuse_rows(first)
    if isinstance(first, (list, tuple)):
        if not first or to_source(first[0]) is None or (len(first) > 1 and isinstance(first[0], str)):
            return None
        if any(len(item) != 1 for item in items):
            raise ValueError(f"X holds lists of {len(first)} pictures. Give one picture for each image.")
        return find_sources([item[0] for item in items])
    if hasattr(first, "read") and to_source(first) is None:
        raise TypeError(
            f"X must hold paths, not files that are open. Got X[0]={describe_source(first)}; give its path."
        )
    if is_name(first):
        raise TypeError(f"X must hold paths as strings. Got X[0]={first!r}; apply os.fsdecode to each.")
    sources = [to_source(item) for item in items]
    others = [i for i, source in enumerate(sources) if source is None]
    if len(others) == len(sources):
        return None
    if others:
        what = describe_source(items[others[0]])
        raise TypeError(f"X must hold paths only, or encoded images and PIL images. Got X[{others[0]}]={what}.")
    return sources


def is_gap(item):
    """Whether an item is missing; it is refused later, with its place."""
    return item is None or (isinstance(item, float) and item != item)


def unwrap(X):
    """The column of a frame or an array that has only one, of other than numbers; the items of a data set; or X."""
    if isinstance(X, np.ndarray) and X.dtype == object and X.shape[1:] == (1,) and X.size and np.ndim(X[0, 0]):
        return X[:, 0]
    frame = as_frame(X, "X")
    if isinstance(frame, nw.DataFrame):
        name = frame.columns[0] if len(frame.columns) == 1 else None
        return X if name is None or is_number(frame.schema[name]) else frame[name].to_native()
    is_sequence = hasattr(X, "__len__") and hasattr(X, "__getitem__") and not isinstance(X, OTHERS)
    if not is_sequence or any(hasattr(X, name) for name in ("shape", "ndim", "__array__", "__array_interface__")):
        return X
    if len(X):
        refuse_rows(X[0])
    return [X[i] for i in range(len(X))]  # a data set may have no end, for those who iterate over it


def list_items(X):
    """List the items of a sequence or of a single column; None if X is something else, or an array of numbers."""
    if isinstance(X, (list, tuple)):
        return X
    series = nw.from_native(X, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        return None if is_number(series.dtype) or isinstance(series.dtype, nw.Array) else series.to_list()
    shape, kind = getattr(X, "shape", ()), getattr(getattr(X, "dtype", None), "kind", None)
    is_column = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    return np.asarray(X).reshape(-1).tolist() if is_column and kind in ("O", "S", "U") else None


def refuse_rows(first):
    """Refuse rows that hold a picture and something else, as data sets for training do."""
    is_pair = isinstance(first, (tuple, list)) and len(first) == 2
    if is_pair and is_picture(first[0], first[1]) and not is_picture(first[1], None):
        raise ValueError("X holds pairs, such as (image, label). Give the images only: [image for image, _ in X].")
    if isinstance(first, dict) and not first.keys() <= KEYS:
        key = next((key for key, value in first.items() if is_picture(value, 0)), "image")
        raise ValueError(
            f"X holds dicts with the keys {reprlib.repr(list(first))}. Give the images only: [row[{key!r}] for row in "
            "X]."
        )


def is_picture(item, label):
    """Whether an item is a picture beside a label: what Pillow opens, or an array with two axes or more."""
    if isinstance(item, (str, os.PathLike)):
        return isinstance(label, Number)
    return to_source(item) is not None or (hasattr(item, "shape") and len(item.shape) > 1)


def refuse_picture_column(X, cause):
    """Refuse a frame of several columns, one of which holds pictures; `cause` is what went wrong with it."""
    frame = as_frame(X, "X")
    if not isinstance(frame, nw.DataFrame) or not len(frame):
        return
    names = [name for name, dtype in frame.schema.items() if not is_number(dtype)]
    name = next((name for name in names if is_picture(frame[name][0], None)), None)
    if name is not None:
        raise ValueError(
            f"X is a frame of several columns, of which {name!r} holds images. Give that column: X[{name!r}]."
        ) from cause

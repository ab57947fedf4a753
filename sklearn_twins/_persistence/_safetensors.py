"""Named arrays and strings in a safetensors file, with a checksum; read without trust in its header."""

import errno
import hashlib
import json
import math
import os
import re
import stat

import numpy as np

from .._exceptions import UnreadableFileError
from ._atomic_write import write_atomically

# safetensors' names for the types of numbers.
DTYPES = {
    "BOOL": np.dtype(np.bool_),
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
MAX_HEADER = 100_000_000  # bytes; safetensors' own readers take no more
MAX_DEPTH = 64  # brackets within brackets
MAX_AXES = 32
FREE_BRACKETS = 2**16  # and one for every 8 characters: an empty list takes 20 times the memory of its text
SPARSE_BYTES = 2**24  # files that are shorter may have holes
MAX_SIZE = 2**48  # of an array without its empty axes, which NumPy multiplies too
NO_DIGEST = "0" * 64  # stands for the checksum while it is taken
# Strings, which may hold brackets. A string without an end is one to the end: else time is quadratic.
STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
NO_BRACKETS = re.compile(r"[^\[\]{}]+")


def write_tensors(path, tensors, metadata):
    """Write arrays and strings; equal ones make equal files.

    Parameters
    ----------
    path : str or path-like
        Where to; see `write_atomically`.
    tensors : dict of str to ndarray
        Of the types in `DTYPES`.
    metadata : dict of str to str
        What else. "sha256" is added: the checksum of all bytes of the file, with zeros in its own place.

    Raises
    ------
    ValueError
        If there is more metadata than readers of the format take.
    OSError
        If the file cannot be written.
    """
    tensors = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in tensors.items()}
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))  # so that all of them are aligned
    header, end = {"__metadata__": {**metadata, "sha256": NO_DIGEST}}, 0
    for name in names:
        array, start = tensors[name], end
        end += array.nbytes
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ValueError(
            f"All but the arrays takes {len(text):,} bytes; files hold {MAX_HEADER:,} at most. Use pickle."
        )
    chunks = [len(text).to_bytes(8, "little"), text, *(memoryview(flat(tensors[name])) for name in names)]
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    chunks[1] = put_in(text, NO_DIGEST, digest.hexdigest())
    write_atomically(path, chunks)


def flat(array):
    """View an array as bytes."""
    return array.reshape(-1).view(np.uint8)


def put_in(header, old, new):
    """Replace the checksum in a header."""
    return header.replace(b'"sha256":"%s"' % old.encode(), b'"sha256":"%s"' % new.encode(), 1)


def read_tensors(path, check=None):
    """Read a file of `write_tensors`, and verify its checksum.

    Nothing is allocated that the file does not have the bytes for, and a file that is mostly holes is refused.

    Parameters
    ----------
    path : str or path-like
        Of the file.
    check : callable, default=None
        ``check(metadata)`` refuses files of other formats before their arrays are read.

    Returns
    -------
    tensors : dict of str to ndarray
    metadata : dict of str to str

    Raises
    ------
    UnreadableFileError
        If it is no such file, or is damaged.
    OSError
        If it cannot be opened.
    MemoryError
        If there is too little memory for it.
    """
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise UnreadableFileError("It is a device or a pipe.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        check_size(file.fileno(), size)
        start = file.read(8)
        n_header = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= n_header <= min(size - 8, MAX_HEADER):
            raise UnreadableFileError("It is cut off, or no safetensors file: its header does not fit into it.")
        text = file.read(n_header)
        header = parse_json(text)
        metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise UnreadableFileError("It is a safetensors file without the strings that save() writes.")
        if check is not None:
            check(metadata)
        digest = hashlib.sha256(start + put_in(text, metadata.get("sha256", ""), NO_DIGEST))
        tensors = dict(read_arrays(file, check_layout(header, size - 8 - n_header), digest))
    if digest.hexdigest() != metadata.pop("sha256", None):
        raise UnreadableFileError("Its checksum is wrong: it has been damaged or changed.")
    return tensors, metadata


def check_size(descriptor, size):
    """Refuse a file of which most is holes, which take no disk, or that is larger than this machine's memory."""
    if size < SPARSE_BYTES:
        return
    require_size(size <= 2 * count_stored_bytes(descriptor, size), size, "most of it was never written")
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return
    require_size(size <= memory, size, f"this machine has {memory / 2**30:,.3g} GiB of memory")


def require_size(condition, size, what):
    """Refuse a file for its size."""
    if not condition:
        raise UnreadableFileError(f"It has {size / 2**30:,.3g} GiB, but {what}.")


def count_stored_bytes(descriptor, size):
    """Count the bytes of a file that are not in holes; all of them if the system does not know."""
    if not hasattr(os, "SEEK_HOLE"):
        return size
    n_bytes = end = 0
    try:
        while end < size:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
            n_bytes += end - start
    except OSError as error:
        return n_bytes if error.errno == errno.ENXIO else size  # nothing but a hole follows
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return n_bytes


def check_layout(header, n_bytes):
    """Refuse arrays that do not cover the file's bytes exactly, one after the other.

    Returns
    -------
    table : list of (str, dtype, tuple of int)
        In the order of the file.
    """
    table, end = [], 0
    for name, entry in header.items():
        shape, offsets = (entry.get(key) if isinstance(entry, dict) else None for key in ("shape", "data_offsets"))
        if not (is_sizes(shape) and is_sizes(offsets) and len(offsets) == 2 and len(shape) <= MAX_AXES):
            raise UnreadableFileError(f"Its array {name!r} has an invalid shape or position.")
        dtype = DTYPES.get(str(entry.get("dtype")))
        if dtype is None or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise UnreadableFileError(f"Its array {name!r} has an unknown type.")
        table.append((offsets, name, dtype, tuple(shape)))
    table.sort(key=lambda row: row[0])
    for offsets, name, dtype, shape in table:
        nbytes = math.prod(shape) * dtype.itemsize
        if offsets != [end, end + nbytes] or math.prod(side or 1 for side in shape) > MAX_SIZE:
            raise UnreadableFileError(f"Its array {name!r} does not have the number of bytes that its shape requires.")
        end += nbytes
    if end != n_bytes:
        raise UnreadableFileError("It is cut off, or has bytes that belong to no array.")
    return [row[1:] for row in table]


def is_sizes(value):
    """Whether a value is a list of non-negative integers."""
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def read_arrays(file, table, digest):
    """Read the arrays of a checked table one by one, and add their bytes to the digest."""
    for name, dtype, shape in table:
        array = np.empty(shape, dtype)
        view = memoryview(flat(array))
        if file.readinto(view) != len(view):
            raise UnreadableFileError("It became shorter while it was read.")
        digest.update(view)
        yield name, array


def parse_json(text):
    """Parse JSON that may be hostile: no deep nesting, no duplicate names, no infinity.

    Raises
    ------
    UnreadableFileError
        If it is no such JSON.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        check_depth(text)
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:  # also of bytes that are no text
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError("Its header is not JSON.") from error


def check_depth(text):
    """Refuse deeply nested JSON before a recursive parser sees it, and JSON that is hardly more than brackets."""
    brackets, depth = NO_BRACKETS.sub("", STRING.sub("", text)), 0
    if brackets.count("[") + brackets.count("{") > most_brackets(text):
        raise UnreadableFileError("Its header has far more lists than values.")
    for bracket in brackets:
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise UnreadableFileError(f"Its header is nested more than {MAX_DEPTH} deep.")


def most_brackets(text):
    """Compute how many lists and objects a text of JSON may have."""
    return FREE_BRACKETS + len(text) // 8


def unique(pairs):
    """Make a dict of a JSON object, and refuse duplicate names."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UnreadableFileError("Its header has a name twice.")
    return found


def refuse_constant(name):
    """Refuse NaN and infinity, which JSON does not have."""
    raise UnreadableFileError(f"Its header holds {name}.")

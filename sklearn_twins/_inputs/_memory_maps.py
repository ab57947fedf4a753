"""Memory maps: find the file that an array is mapped from, and check that it is still complete."""

import mmap
import os


def find_mapping(array):
    """Find the memory map that an array is a view of.

    Parameters
    ----------
    array : ndarray
        Any array.

    Returns
    -------
    mapping : mmap.mmap or None
        None if there is none, or if it is a private one (mode "c"), whose changes are in no file.
    """
    private = False
    while array is not None and not isinstance(array, mmap.mmap):
        private |= getattr(array, "mode", None) == "c"
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return None if private else array


def check_mapping(array):
    """Find the memory map that an array is a view of, and check that its file is still complete.

    Raises
    ------
    ValueError
        If its file has become shorter: reading the lost part would kill the process.
    """
    mapping = find_mapping(array)
    if mapping is not None and read_file_size(mapping) < len(mapping):
        raise ValueError(
            f"X is mapped from {describe_file(array)}, which has only {read_file_size(mapping):,} of {len(mapping):,} "
            "bytes left. Open it again."
        )
    return mapping


def read_file_size(mapping):
    """Read the current size of the mapped file in bytes; or the size of the map if it has no file."""
    try:
        return mapping.size()
    except (OSError, ValueError):  # memory that processes share
        return len(mapping)


def describe_file(array):
    """Describe the file that an array is mapped from, for messages."""
    path = find_path(array)
    return "a file" if path is None else repr(path)


def find_path(array):
    """Find the path of the file that an array is mapped from; None if it is unknown."""
    while array is not None:
        path = getattr(array, "filename", None)
        if path is not None:
            return os.fspath(path)
        array = getattr(array, "base", None)
    return None

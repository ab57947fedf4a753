"""Memory maps: find the file that an array is mapped from, and check that it is still complete."""

import mmap
import os


def mapping_of(array):
    """The memory map that an array is a view of.

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
    """The memory map that an array is a view of, as `mapping_of` finds it.

    Raises
    ------
    ValueError
        If its file has become shorter: reading the lost part would kill the process.
    """
    mapping = mapping_of(array)
    if mapping is not None and bytes_of(mapping) < len(mapping):
        raise ValueError(
            f"X is mapped from {file_of(array)}, of which only {bytes_of(mapping):,} of {len(mapping):,} bytes are "
            "left. Open it again."
        )
    return mapping


def bytes_of(mapping):
    """Current size of the mapped file in bytes; of the map itself if it has no file."""
    try:
        return mapping.size()
    except (OSError, ValueError):  # memory that processes share
        return len(mapping)


def file_of(array):
    """The file that an array is mapped from, for messages."""
    path = path_of(array)
    return "a file" if path is None else repr(path)


def path_of(array):
    """Path of the file that an array is mapped from; None if it is unknown."""
    while array is not None:
        path = getattr(array, "filename", None)
        if path is not None:
            return os.fspath(path)
        array = getattr(array, "base", None)
    return None

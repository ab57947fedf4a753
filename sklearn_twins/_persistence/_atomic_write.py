"""Write files completely or not at all: to a temporary file next to the target, flushed to disk, then renamed."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed: no lock is needed
    fcntl = None


def write_atomically(path, chunks):
    """Write a file so that a reader finds either the old content or all of the new one, even if power fails.

    A file that is replaced keeps its permissions; a new one gets those of the process (umask). Of a symbolic link, what
    it points to is replaced. Temporary files that killed writers of the same file have left are removed.

    Parameters
    ----------
    path : str, bytes or path-like
        Where to. Its directory must exist.
    chunks : iterable of bytes-like
        What to write, one after another. If it raises, the file is as it was.

    Raises
    ------
    OSError
        If `path` is no regular file, or cannot be written; the file is then as it was.
    """
    path = Path(os.fsdecode(os.path.realpath(path)))
    mode = _mode_of(path)
    _sweep(path)
    file, temporary = _open_temporary(path)
    try:
        with file:
            if mode is not None:
                os.chmod(temporary, mode)
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            if fcntl:  # under the lock: nobody sweeps a file that is complete
                os.replace(temporary, path)
        if not fcntl:
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(path.parent)


def _mode_of(path):
    """Permissions of an existing file; None if there is no file."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{str(path)!r} is a directory; give the path of a file.")
    if not stat.S_ISREG(mode):
        raise OSError(f"{str(path)!r} is a device or a pipe, which cannot be replaced; give the path of a file.")
    return stat.S_IMODE(mode)


def _prefix(path):
    """Prefix of the names of temporary files: hidden, and no longer than file systems allow."""
    return f".{path.name[:60]}."


def _open_temporary(path):
    """Open a new temporary file next to `path`, locked while it is open; return it and its path."""
    while True:
        temporary = path.with_name(f"{_prefix(path)}{secrets.token_hex(4)}.tmp")
        file = open(temporary, "xb")  # noqa: SIM115  the caller closes it; by the umask, unlike `tempfile`
        if fcntl is None or _locked(file):
            return file, temporary
        file.close()  # a sweep came between opening and locking


def _locked(file):
    """Lock a temporary file; False if another process has the lock or has removed the file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where nothing is swept either
    return os.fstat(file.fileno()).st_nlink > 0


def _sweep(path):
    """Remove temporary files of `path` that no process holds a lock on: their writers are gone."""
    prefix = _prefix(path)
    for name in os.listdir(path.parent):
        token = name.removeprefix(prefix).removesuffix(".tmp")
        if name == f"{prefix}{token}.tmp" and len(token) == 8 and set(token) <= set("0123456789abcdef"):
            with contextlib.suppress(OSError):  # in use, not ours, or gone
                _remove_orphan(path.with_name(name))


def _remove_orphan(temporary):
    if fcntl is None:
        os.unlink(temporary)
        return
    with open(temporary, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(temporary)


def _sync_directory(directory):
    """Flush a rename to disk, on systems that can open directories."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

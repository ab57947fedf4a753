"""Files written whole or not at all: to a temporary file beside the target, put to disk, renamed."""

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
    """Write a file so that whoever looks finds what was there before or all of what is new, whenever power fails.

    A file that is replaced keeps its permissions; a new one gets those of the process (umask). Of a symbolic link, what
    it points to is replaced. Temporary files that killed writers of the same file have left are removed.

    Parameters
    ----------
    path : str or path-like
        Where to. Its directory must exist.
    chunks : iterable of bytes-like
        What to write, one after another. If it raises, the file is as it was.

    Raises
    ------
    OSError
        If `path` is no regular file, or cannot be written; the file is then as it was.
    """
    path = Path(os.path.realpath(path))
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
    """Permissions of a file that exists; None of one that does not."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{str(path)!r} is a directory; give the path of a file.")
    if not stat.S_ISREG(mode):
        raise OSError(f"{str(path)!r} is a device or a pipe; a file is replaced as a whole, which these cannot be.")
    return stat.S_IMODE(mode)


def _prefix(path):
    """How the names of a file's temporary files begin: hidden, and no longer than file systems allow."""
    return f".{path.name[:60]}."


def _open_temporary(path):
    """A new temporary file beside `path`, locked as long as it is open; and its path."""
    while True:
        temporary = path.with_name(f"{_prefix(path)}{secrets.token_hex(4)}.tmp")
        file = open(temporary, "xb")  # noqa: SIM115  the caller closes it; by the umask, unlike `tempfile`
        if fcntl is None or _locked(file):
            return file, temporary
        file.close()  # a sweep came between opening and locking


def _locked(file):
    """Take the lock of a temporary file of ours; False if a sweep has it, or has removed the file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where nothing is swept either
    return os.fstat(file.fileno()).st_nlink > 0


def _sweep(path):
    """Remove temporary files of `path` whose writers are gone: nobody holds their locks."""
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
    """Put a rename to disk, where directories can be opened for it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

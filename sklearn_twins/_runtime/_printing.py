"""Print progress; what cannot be shown is dropped with one warning, since no work should be lost for it."""

import contextlib
import sys
import warnings
import weakref


class Missing:
    """Stands for a standard stream that is None, as in programs without a console."""


MISSING = Missing()
_warned = weakref.WeakSet()  # streams that could not be written to


@contextlib.contextmanager
def droppable(stream):
    """Drop what the block shows if that fails, with one warning for each stream.

    Parameters
    ----------
    stream : file-like or None
        Where the block writes.
    """
    try:
        yield
    except Exception as error:  # a stream may be anybody's object, and raise anything
        stream = MISSING if stream is None else stream
        if stream not in _warned:
            _warned.add(stream)
            with contextlib.suppress(OSError, ValueError):  # standard error may be closed, too
                warnings.warn(
                    f"Progress cannot be shown and is dropped ({type(error).__name__}: {error}); the work goes on. "
                    "Use verbose=0 to show none.",
                    RuntimeWarning,
                    stacklevel=3,
                )


def print_line(line, file=None):
    """Print a line of progress to a stream, to standard output if it is None; return whether it could be shown."""
    file = sys.stdout if file is None else file
    with droppable(file):
        if file is None:
            raise OSError("there is no standard output")
        print(line, file=file, flush=True)
        return True
    return False

"""Whether this process is a fork of the one that imported the package: it lacks that one's threads."""

import os

IMPORTED_BY = os.getpid()  # the package imports this file first: torch may be imported after the fork


def is_forked():
    """Whether the package was imported before this process was forked."""
    return os.getpid() != IMPORTED_BY

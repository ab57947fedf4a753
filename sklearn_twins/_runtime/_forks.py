"""Whether this process is a fork of one that had imported the package, whose threads it does not have."""

import os

process = {"forked": False}


def watch():
    """Note it down when the process is forked; called as the package is imported, since torch may come much later."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: process.update(forked=True))

"""Starts processes that train together, by fork and with the variables that a launcher sets."""

import os
import socket
import sys


def start_ranks(n, work):
    """Start n processes, which call `work` with their rank and end with what it returns; their numbers."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    sys.stdout.flush()
    children = []
    for rank in range(n):
        children.append(os.fork())
        if children[-1] == 0:
            told = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "WORLD_SIZE": n, "RANK": rank, "LOCAL_RANK": rank}
            os.environ.update({name: str(value) for name, value in told.items()})
            sys.exit(work(rank))
    return children


def exit_code(child):
    """Wait for a process, and return how it ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

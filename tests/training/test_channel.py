"""Two processes that train together, without torchrun: what ends one of them ends both, with the reason."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest

from sklearn_twins._training._channel import first_line

SCRIPT = Path(__file__).with_name("paired.py")
spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
paired = importlib.util.module_from_spec(spec)
spec.loader.exec_module(paired)

PATIENCE = 30  # seconds in which a fit must have ended
START = 120  # seconds, also for the start of two processes on a busy machine


def start(*args):
    """Start the script twice, with the variables that a launcher sets."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        env = {**os.environ, "MASTER_ADDR": "localhost", "MASTER_PORT": str(probe.getsockname()[1]), "WORLD_SIZE": "2"}
    env["OMP_NUM_THREADS"] = "1"
    what, *rest = map(str, args)
    command = [sys.executable, str(SCRIPT), what]
    return [subprocess.Popen([*command, str(rank), *rest], env={**env, "RANK": str(rank)}) for rank in range(2)]


def end(processes):
    """End what still runs."""
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def by_pair(tmp_path_factory):
    """What both processes saw in each case."""
    directory = tmp_path_factory.mktemp("pair")
    processes = start("cases", directory)
    try:
        assert [process.wait(2 * START) for process in processes] == [0, 0]
    finally:
        end(processes)
    return [joblib.load(directory / f"{rank}.pkl") for rank in range(2)]


def reasons():
    """Each case in which no fit is possible, and what must be said."""
    for kind in ("refused", "different", "failing"):
        for name, (_, reason) in getattr(paired, kind.upper()).items():
            yield kind, name, reason
    for name in paired.FAILING_PARTS:
        yield "part", name, "the disk is full"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name", "reason"), [pytest.param(*r, id="-".join(r[:2])) for r in reasons()])
def test_both_end_with_the_reason(by_pair, kind, name, reason):
    """And both keep the fit that they had."""
    for seen in by_pair:
        one = seen[kind, name]
        assert one["said"] is not None and reason in one["said"]
        assert one["kept"] and one["seconds"] < PATIENCE
    told = [seen[kind, name]["said"].startswith("OtherProcessError: Process ") for seen in by_pair]
    assert sum(told) == (0 if "must be the same" in reason else 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", paired.SOUND)
def test_what_may_differ(by_pair, name):
    """Also after many fits that failed, both processes end with the same encoder."""
    first, second = (seen["sound", name] for seen in by_pair)
    assert first["said"] is None and second["said"] is None
    assert first["n_iter"] == second["n_iter"]
    for a, b in zip(first["weights"], second["weights"], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_callback_in_one_process_stops_both(by_pair):
    assert all(seen["sound", "early end"]["n_iter"] < 9 for seen in by_pair)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be stopped here")
@pytest.mark.parametrize(("what", "odd"), [("absent", 1), ("stopped", 0), ("killed", 0)])
def test_one_ends_without_a_word(tmp_path, what, odd):
    """The other ends within the timeout of the group; the first keeps the board, which ends with it."""
    processes = start(what, tmp_path, odd)
    try:
        assert processes[1 - odd].wait(START) == 0
        if what == "stopped":
            processes[odd].send_signal(signal.SIGCONT)
        assert processes[odd].wait(START) == (3 if what in ("absent", "killed") else 0)
    finally:
        end(processes)
    for rank in {1 - odd} if what in ("absent", "killed") else {0, 1}:
        seen = joblib.load(tmp_path / f"{rank}.pkl")
        assert "within 0:00:04, the timeout of the process group" in seen["said"]
        assert seen["kept"] and seen["seconds"] < PATIENCE + (START if rank == odd else 0)


def test_first_line():
    error = RuntimeError("[/a/file.cc:78] Timed out waiting. This is typically caused by\nmore")
    assert first_line(error) == "Timed out waiting"

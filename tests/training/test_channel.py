"""Two processes that train together, without torchrun: what ends one of them ends both, with the reason."""

import os
import signal
import subprocess
import sys

import joblib
import numpy as np
import paired
import pytest

from sklearn_twins._training._channel import first_line

PATIENCE = 30  # seconds in which a fit must have ended
START = 120  # seconds, also for the start of processes on a busy machine
pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(signal, "SIGSTOP"), reason="needs a fork")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with what all pairs of processes saw."""
    directory = tmp_path_factory.mktemp("pair")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, paired.__file__, directory], env=environment, check=True, timeout=3 * START)
    return directory


@pytest.fixture(scope="module")
def by_pair(place):
    """What both processes saw in each case."""
    assert joblib.load(place / "codes.pkl")["cases"] == (0, 0)
    return [joblib.load(place / f"cases-{rank}.pkl") for rank in range(2)]


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
@pytest.mark.parametrize(("what", "odd"), paired.ODD.items())
def test_one_ends_without_a_word(place, what, odd):
    """The other ends within the timeout of the group; the first keeps the board, which ends with it."""
    ends = what in ("absent", "killed")
    assert joblib.load(place / "codes.pkl")[what] == (3 if ends else 0, 0)
    for rank in {1 - odd} if ends else {0, 1}:
        seen = joblib.load(place / f"{what}-{rank}.pkl")
        assert "within 0:00:04, the timeout of the process group" in seen["said"]
        assert seen["kept"] and seen["seconds"] < PATIENCE + (START if rank == odd else 0)


def test_first_line():
    error = RuntimeError("[/a/file.cc:78] Timed out waiting. This is typically caused by\nmore")
    assert first_line(error) == "Timed out waiting"

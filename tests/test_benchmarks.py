"""The benchmark scripts run, on little data, and print their tables."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = {
    "few_labels.py": ["--seeds", "2", "--jobs", "1", "--datasets", "iris"],
    "speed.py": ["--rows", "600", "--columns", "5", "--rounds", "2"],
}


def test_every_script_is_run_here():
    assert {path.name for path in BENCHMARKS.glob("*.py")} == set(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_script_prints_a_table(name):
    command = [sys.executable, "-W", "error", str(BENCHMARKS / name), *SMALL[name]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) >= 5
    assert len({line.count("|") for line in rows}) == 1

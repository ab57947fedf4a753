"""The examples, the demo among them, cut short: they run, print a row for each way, and leave a picture."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
ROWS = {
    "image_views.py": {},  # a picture alone
    "pictures.py": {},
    # what begins a row -> how many means it has
    "few_labels.py": dict.fromkeys(["raw pixels", "PCA", "random encoder", "embedding"], 2),  # 1 and 5 labels a class
    "mixed_tables.py": dict.fromkeys(
        [
            "TableVectorizer → linear",
            "boosting",
            "embedding → linear",
            "TableVectorizer → embedding → linear",
            "embedding, numbers → linear",
            "embedding, raw columns → boosting",
        ],
        1,
    ),
}


def run(name, folder, *options):
    """Run an example in a folder; what it printed, and its picture."""
    picture = folder / "picture.png"
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), "--quick", "--output", str(picture), *options]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(str(picture))
    return done.stdout, picture.read_bytes()


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_example(name, tmp_path):
    printed, picture = run(name, tmp_path)
    assert picture.startswith(b"\x89PNG")
    for start, n_means in ROWS[name].items():
        row = next(line for line in printed.splitlines() if line.strip().startswith(start))
        assert row.count("±") == n_means


@pytest.mark.slow
def test_a_table_of_ones_own(tmp_path):
    """The example on mixed tables reads any CSV with two classes."""
    path = tmp_path / "table.csv"
    pd.DataFrame({"a": range(300), "b": list("xyz") * 100, "c": ["no", "yes", "yes"] * 100}).to_csv(path, index=False)
    printed, _ = run("mixed_tables.py", tmp_path, "--csv", str(path), "--target", "c")
    assert "300 rows" in printed

"""The demo, cut short: it runs, prints every method and leaves a picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "docs" / "examples" / "few_labels.py"


@pytest.mark.slow
def test_demo(tmp_path):
    picture = tmp_path / "demo.png"
    command = [sys.executable, "-W", "error", str(DEMO), "--quick", "--output", str(picture)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    for method in ("raw pixels", "PCA", "random encoder", "embedding"):
        row = next(line for line in done.stdout.splitlines() if line.strip().startswith(method))
        assert row.count("±") == 2  # 1 and 5 labels a class
    assert done.stdout.rstrip().endswith(str(picture))

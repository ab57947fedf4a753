"""The benchmark scripts run, on little data, and print their tables."""

import contextlib
import io
import json
import re
import subprocess
import sys
import types
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import FULL_SIZE, close_figures, short_fits, shorter

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = {
    "active_learning.py": [
        *["--tables", "official", "--images", "fashion_mnist", "--budgets", "4", "8", "--seeds", "1", "--draws", "1"],
        *["--max-rows", "60", "--epochs", "1", "--strategies", "auto", "typiclust>5", "raw core_set"],
    ],
    "categories.py": ["--seeds", "2", "--jobs", "1", "--epochs", "1"],
    "cifar10.py": ["--epochs", "1", "--encoder", "convnet", "--projection", "16"],
    "few_image_labels.py": ["--epochs", "1", "--threads", "1"],
    "few_labels.py": ["--seeds", "2", "--jobs", "1", "--datasets", "iris"],
    "few_labels_classifiers.py": [
        *["--tables", "official", "--images", "fashion_mnist", "--labels", "5", "25 %", "--seeds", "1", "--draws", "1"],
        *["--max-rows", "60", "--epochs", "1"],
    ],
    "audio.py": ["--sections", "pitch", "cost", "--draws", "1", "--epochs", "1", "--clips", "60"],
    "files.py": ["--rows", "64", "--epochs", "1", "--rounds", "1"],
    "fuzz_files.py": ["--n", "40"],
    "gpu.py": [
        *["--device", "cpu", "--rows", "520", "--columns", "20", "--images", "64", "--image-batch", "16"],
        *["--width", "4", "--rounds", "1", "--epochs", "1", "--workers", "0"],
    ],
    "label_free_selection.py": ["--epochs", "1", "--configurations", "4", "--jobs", "1"],
    "memory_map.py": ["--gigabytes", "0.0001", "--side", "16"],
    "natural_views.py": [
        *["--sections", "descriptions", "within", "score", "clients", "hidden", "stunt", "--tables", "official"],
        *["--seeds", "1", "--draws", "1", "--max-rows", "60", "--epochs", "1", "--settings", "2"],
    ],
    "objectives.py": ["--widths", "8", "40", "--batch", "16", "--rounds", "2"],
    "planted_faults.py": ["--faults", "the first step has rate 0"],
    "quality.py": [
        *["--tables", "official", "fashion_mnist", "--seeds", "1", "--jobs", "1", "--epochs", "1"],
        *["--labels", "25 %", "5", "--classifiers", "logistic", "--plot", "gains.png"],
    ],
    "raw_tables.py": ["--epochs", "1"],
    "regression.py": ["--tables", "official", "--draws", "1", "--max-rows", "60", "--epochs", "1"],
    "same_bits.py": ["--write", "bits", "--only", "numbers", "images"],
    "search.py": [
        *["--tables", "official", "--draws", "1", "--epochs", "1", "--rows", "90", "--candidates", "2"],
        *["--rounds", "1", "--images", "64", "--sections", "unlabeled", "batched", "one_fit", "ranks"],
    ],
    "series.py": ["--sets", "waves", "--labels", "1", "all", "--epochs", "1"],
    "speed.py": [
        *["--rows", "130", "--columns", "20", "--images", "64", "--series", "16", "--most-rows", "1000"],
        *["--epochs", "1", "--rounds", "1"],
    ],
    "time_to_quality.py": [
        *["--tables", "official", "--images", "fashion_mnist", "--shares", "0.5", "1", "--epochs", "2", "--draws", "2"],
        *["--max-rows", "60", "--max-images", "60", "--plot", "curves.png"],
    ],
    "tuning.py": [
        *["--data", "iris", "--seeds", "2", "--jobs", "1", "--epochs", "1", "--draws", "2"],
        *["--settings", "default", "passthrough=False"],
    ],
    "two_objectives.py": [
        *["--images", "fashion_mnist", "--rows", "64", "--epochs", "1", "--seeds", "1"],
        *["--widths", "16", "--batches", "32"],
    ],
    "transform.py": ["--rows", "300", "--columns", "5", "--images", "5", "--rounds", "2"],
    "views.py": ["--images", "8", "--side", "8", "--batch", "4", "--rounds", "2"],
}
CONSTANTS = {  # values that scripts have no options for
    "categories.py": {"DRAWS": 1},
    "few_labels.py": {"DRAWS": 1},
    "label_free_selection.py": {"DRAWS": 4, "WIDTH": 16},
    "objectives.py": {"SHORTEST": 0.001},
    "quality.py": {"DRAWS": 1},
    "speed.py": {"SHAPES": {"tiny": (16, 16)}, "BATCH": 64},
    "transform.py": {"ONE_ROW_ROUNDS": 2},
    "tuning.py": {"DRAWS": 2},
}
DIGITS = ("fou", "kar", "pix", "zer")  # descriptions, for natural_views.py
KEEPS_RESULTS = {"label_free_selection.py", "quality.py", "time_to_quality.py", "two_objectives.py"}
ON_REAL_DATA = KEEPS_RESULTS | {"categories.py", "cifar10.py", "few_image_labels.py", "few_labels_classifiers.py"}
ON_REAL_DATA |= {"active_learning.py", "natural_views.py", "raw_tables.py", "regression.py", "search.py", "series.py"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory with two small tables and two small sets of images, one of them in parts."""
    directory, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    manifest = {}
    for name, n_train in {"official": 80, "stratified": None}.items():
        frame = pd.DataFrame({"number": rng.normal(size=120), "letter": rng.choice(["a", "b", "", "NA"], 120)})
        frame.assign(target=["yes", "no"] * 60).to_csv(directory / f"{name}.csv.gz", index=False)
        entry = {"file": f"{name}.csv.gz", "kind": "table", "role": "tune", "categorical": ["letter"], "n_features": 2}
        manifest[name] = {**entry, "n_train": n_train}
    X, y = rng.integers(0, 256, size=(300, 12, 12, 3), dtype=np.uint8), np.arange(300) % 10
    np.savez(directory / "grey.npz", X_train=X[..., :1], y_train=y, X_test=X[:50, ..., :1], y_test=y[:50])
    manifest["fashion_mnist"] = {"file": "grey.npz", "kind": "image"}
    for part in range(3):
        np.savez(directory / f"{part}.npz", X=X[part::3], y=y[part::3])
    manifest["cifar10"] = {"file": None, "parts": [f"{part}.npz" for part in range(3)], "kind": "image"}
    waves, kinds = rng.normal(size=(60, 30)).cumsum(1).astype(np.float32), np.arange(60) % 2
    np.savez(directory / "waves.npz", X_train=waves[:40], y_train=kinds[:40], X_test=waves[40:], y_test=kinds[40:])
    manifest["waves"] = {"file": "waves.npz", "kind": "series", "role": "report", "channels": 1}
    for name in DIGITS:
        rows = np.column_stack([rng.normal(size=(120, 4)), np.arange(120) % 2])
        np.savetxt(directory / f"mfeat-{name}.csv", rows, delimiter=",", header="columns")
    (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return directory


def test_every_script_is_run_here():
    assert {path.name for path in BENCHMARKS.glob("[!_]*.py")} == set(SMALL)


def printed_by(name, options, folder):
    """What a script prints in a process of its own."""
    command = [sys.executable, "-W", "error", str((BENCHMARKS / name).resolve()), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_here(name, options, monkeypatch):
    """Run a script in this process, in which Python and what it imports are there already; its exit status."""
    path = (BENCHMARKS / name).resolve()
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setattr(sys, "argv", [str(path), *options])
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", main)  # where pickle looks for a script's functions
    try:
        with short_fits(name in FULL_SIZE):
            exec(shorter(path, CONSTANTS.get(name, {})), vars(main))
    except SystemExit as end:
        return end.code or 0
    finally:
        close_figures()
    return 0


def run_inside(monkeypatch, command, **kwargs):
    """What `subprocess.run` returns of a script that is run here."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = run_here(Path(command[1]).name, command[2:], monkeypatch)
    return subprocess.CompletedProcess(command, status, printed.getvalue())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_script_prints_a_table(name, data, tmp_path, monkeypatch, capsys, one_thread):
    options = [*SMALL[name]]
    if name in ON_REAL_DATA:
        options += ["--data", str(data)]
    if name == "natural_views.py":
        options += ["--digits", str(data)]
    if name in KEEPS_RESULTS:
        options += ["--cache", str(data / name)]
    if name == "planted_faults.py":
        printed = printed_by(name, options, tmp_path)
    else:
        monkeypatch.chdir(tmp_path)
        if name == "memory_map.py":  # the process that it starts
            monkeypatch.setattr(subprocess, "run", partial(run_inside, monkeypatch))
        if name == "search.py":  # what its two processes would print; tests/training starts some
            ended = subprocess.CompletedProcess((), 0, stdout="versions\n10.0\n20.0\n")
            monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: ended)
        assert run_here(name, options, monkeypatch) == 0
        printed = capsys.readouterr().out
    tables = [part for part in re.split(r"\n(?!\|)", printed) if part.lstrip("\n").startswith("|")]
    assert len("\n".join(tables).splitlines()) >= 4
    for table in tables:
        assert len({line.count("|") for line in table.splitlines() if line}) == 1


@pytest.mark.slow
def test_same_bits_compares(tmp_path, monkeypatch, capsys, one_thread):
    """Two runs agree; a file that was changed, and one that is missing, are noticed."""

    def run(*options):
        options = [*options, str(tmp_path), "--only", "numbers", "masking", "views"]
        status = run_here("same_bits.py", options, monkeypatch)
        return status, dict(re.findall(r"^\| (\w+) \| (.+) \|$", capsys.readouterr().out, re.MULTILINE))

    assert run("--write")[0] == 0
    assert run("--compare") == (
        0,
        {"configuration": "embedding", "numbers": "same", "masking": "same", "views": "same"},
    )
    with np.load(tmp_path / "numbers.npz") as arrays:
        changed = dict(arrays)
    changed["embedding"][3, 2] += 0.5
    np.savez(tmp_path / "numbers.npz", **changed)
    (tmp_path / "views.npz").unlink()
    status, lines = run("--compare")
    assert status == "2 of 3 configurations differ" and lines["views"] == "not written before"
    assert lines["masking"] == "same"
    assert lines["numbers"] == "embedding differs by up to 0.5"

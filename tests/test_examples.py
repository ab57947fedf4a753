"""The examples, the demo among them, cut short: they run, print a row for each way, and leave a picture."""

import ast
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
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

SHORTER = {  # pages of the gallery, which take no options: the values that their constants have here
    "batch_size.py": {"BATCHES": (512, 1024), "STEPS": 2, "SEEDS": 1},
    "collapse.py": {"EPOCHS": 1},
    "identity.py": {"EPOCHS": 5},
    "images.py": {"EPOCHS": 1},
    "label_free_search.py": {"CANDIDATES": 2, "EPOCHS": [1]},
    "map.py": {"EPOCHS": 1, "ITERATIONS": 250},
    "steps_of_a_pipeline.py": {"EPOCHS": 1},
    "two_objectives.py": {"EPOCHS": 1, "SEEDS": 1},
    "unlabeled.py": {"EPOCHS": 1, "SEARCH_EPOCHS": 1, "COUNTS": (20, 50), "DRAWS": 1},
}


def shorter(path, values):
    """A script in which constants have other values, compiled."""
    tree, missing = ast.parse(path.read_text(encoding="utf-8")), set(values)
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in missing:
            missing.remove(node.targets[0].id)
            node.value = ast.parse(repr(values[node.targets[0].id]), mode="eval").body
    assert not missing
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, one_thread):
    """Runs an example in a folder of its own; what it printed, and its picture."""
    monkeypatch.chdir(tmp_path)

    def run(name, *options):
        picture = tmp_path / "picture.png"
        monkeypatch.setattr(sys, "argv", [name, "--quick", "--output", str(picture), *options])
        with plt.rc_context():
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        plt.close("all")
        printed = capsys.readouterr().out
        assert printed.rstrip().endswith(str(picture))
        return printed, picture.read_bytes()

    return run


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(ROWS) | set(SHORTER)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_example(name, run):
    printed, picture = run(name)
    assert picture.startswith(b"\x89PNG")
    for start, n_means in ROWS[name].items():
        row = next(line for line in printed.splitlines() if line.strip().startswith(start))
        assert row.count("±") == n_means


@pytest.mark.slow
def test_a_table_of_ones_own(run, tmp_path):
    """The example on mixed tables reads any CSV with two classes."""
    path = tmp_path / "table.csv"
    pd.DataFrame({"a": range(300), "b": list("xyz") * 100, "c": ["no", "yes", "yes"] * 100}).to_csv(path, index=False)
    printed, _ = run("mixed_tables.py", "--csv", str(path), "--target", "c")
    assert "300 rows" in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORTER)
def test_page_of_the_gallery(name, one_thread):
    """It runs, and leaves figures open, which the gallery shows, none wider than its column."""
    plt.switch_backend("Agg")
    plt.close("all")
    with plt.rc_context():
        exec(shorter(EXAMPLES / name, SHORTER[name]), {"__name__": "__main__"})
    figures = [plt.figure(number) for number in plt.get_fignums()]
    plt.close("all")
    assert figures
    assert all(figure.get_figwidth() * figure.get_dpi() <= 700 for figure in figures)

"""The examples, the demo among them, cut short: they run, print a row for each way, and leave a picture."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from pages import EXAMPLES, SHORTER, run_example

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


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, one_thread):
    """Runs an example in a folder of its own; what it printed, and its picture."""
    monkeypatch.chdir(tmp_path)

    def run(name, *options):
        picture = tmp_path / "picture.png"
        with plt.rc_context():
            run_example(name, "--output", str(picture), *options)
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
        run_example(name)
    figures = [plt.figure(number) for number in plt.get_fignums()]
    plt.close("all")
    assert figures
    assert all(figure.get_figwidth() * figure.get_dpi() <= 700 for figure in figures)

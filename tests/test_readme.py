"""README and guides tell the truth: their Python runs and prints what they say, their make targets and links exist."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# And how many blocks of Python each has at least.
PAGES = {
    "README.md": 4,
    "docs/index.md": 1,
    "docs/quickstart.md": 8,
    "docs/how_it_works.md": 11,
    "docs/coming_from.md": 7,
    "docs/files.md": 4,
    "docs/images.md": 6,
    "docs/pictures.md": 5,
    "docs/tables.md": 3,
    "docs/searching.md": 11,
    "docs/long_runs.md": 4,
    "docs/tuning.md": 4,
    "docs/troubleshooting.md": 20,
    "docs/extending.md": 15,
    "docs/benchmarks/label_free_selection.md": 1,
}

# A block of Python, and what is said to have been printed by it, if it stands right below.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", flags=re.DOTALL | re.MULTILINE)


def in_words(printed):
    """What was printed, without numbers, and without values that a search has chosen: these differ by machine."""
    return re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", re.sub(r": '[^']*'", ": '...'", printed)).split()


@pytest.fixture
def short_fits(monkeypatch):
    """Two epochs for `max_epochs="auto"`: numbers are not compared, and pages are about other things."""
    monkeypatch.setattr("sklearn_twins._fitting._prepare.auto_epochs", lambda n, batch_size, modality: 2)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run_in_order(page, monkeypatch, short_fits, one_thread):
    monkeypatch.setenv("MPLBACKEND", "agg")
    pytest.importorskip("sklearn.callback", reason="the README shows scikit-learn's callbacks, of 1.9 and later")
    text, namespace = (ROOT / page).read_text(encoding="utf-8"), {}
    plain = [found for found in BLOCK.findall(text) if ">>>" not in found[0]]  # pytest collects the others as doctests
    assert len(plain) >= PAGES[page]
    for number, (block, said) in enumerate(plain):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, f"{page}, python block {number}", "exec"), namespace)
        if said:
            assert in_words(printed.getvalue()) == in_words(said), f"{page}, python block {number}"


@pytest.mark.slow
def test_a_block_runs_in_two_processes(tmp_path):
    """The last one of the guide to searches, as a script of its own."""
    text = (ROOT / "docs" / "searching.md").read_text(encoding="utf-8")
    block, said = (
        BLOCK.findall(text)[-1][0],
        re.findall(r"^```text\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)[-1],
    )
    setting_up = "from sklearn.datasets import load_digits\nfrom sklearn_twins import BarlowTwinsEmbedder\n"
    (tmp_path / "script.py").write_text(f"{setting_up}X, y = load_digits(return_X_y=True)\n{block}")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert in_words(done.stdout) == in_words(said) and "rank 0 of 2" in done.stdout


@pytest.mark.parametrize(
    ("page", "some"), [("README.md", "demo"), ("CONTRIBUTING.md", "test-floor"), ("RELEASING.md", "test-dist")]
)
def test_every_make_target_exists(page, some):
    named = set(re.findall(r"(?:`|&& |^ +)make ([a-z][a-z-]*)", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {some, "test"} <= named
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize(
    "page", [str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]]
)
def test_every_relative_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if not t.startswith("http")]
    assert targets or page not in PAGES
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []

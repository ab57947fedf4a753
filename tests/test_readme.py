"""README and guides tell the truth: their Python runs and prints what they say, their make targets and links exist."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from pages import BLOCK, EXAMPLES, INSTALL, PAGES, ROOT, in_words, python_of, read, requirements, run_page

SCRIPTS = [f"docs/examples/{path.name}" for path in EXAMPLES.glob("*.py")]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run_in_order(page, monkeypatch, one_thread):
    monkeypatch.setenv("MPLBACKEND", "agg")
    pytest.importorskip("sklearn.callback", reason="the README shows scikit-learn's callbacks, of 1.9 and later")
    if page == "docs/audio.md":
        pytest.importorskip("soundfile", reason="the page reads sound files")
    run_page(page)


def test_all_pages_with_python_are_run():
    pages = [str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]]
    assert {page for page in pages if python_of(page)} == set(PAGES)


def installed_by(line):
    """Names of the distributions that an install line asks for, by way of extras or of the package, too."""
    project, names = tomllib.loads(read("pyproject.toml"))["project"], set()
    while line:
        requirement = Requirement(line.pop())
        names.add(requirement.name)
        if requirement.name == "sklearn-twins":
            line += project["dependencies"]
            line += [one for extra in requirement.extras for one in project["optional-dependencies"][extra]]
    return names


@pytest.fixture(scope="module")
def distributions():
    """The distributions of each module that can be imported."""
    return metadata.packages_distributions()


@pytest.mark.parametrize("path", [*PAGES, *SCRIPTS])
def test_an_install_line_before_the_first_import(path, distributions):
    """It names what is imported. `make test-docs-install` runs the page where nothing else is installed."""
    text, modules = read(path), set()
    assert INSTALL.search(text).start() < re.search(r"^(```python|import |from )", text, flags=re.MULTILINE).start()
    for node in (node for code in python_of(path) for node in ast.walk(ast.parse(code))):
        if isinstance(node, ast.Import):
            modules |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.split(".")[0])
    given = {*installed_by(requirements(path)), "scipy"}
    others = modules - sys.stdlib_module_names - {"sklearn_twins"}
    assert {module for module in others if not given & set(distributions[module])} == set()


@pytest.mark.slow
def test_a_block_runs_in_two_processes(tmp_path):
    """The last one of the guide to searches, as a script of its own."""
    text = read("docs/searching.md")
    block = BLOCK.findall(text)[-1][0]
    said = re.findall(r"^```text\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)[-1]
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
    named = set(re.findall(r"(?:`|&& |^ +)make ([a-z][a-z-]*)", read(page), flags=re.MULTILINE))
    assert {some, "test"} <= named
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), flags=re.MULTILINE))


@pytest.mark.parametrize(
    "page", [str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]]
)
def test_every_relative_link_leads_somewhere(page):
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", read(page)) if not t.startswith("http")]
    assert targets or page not in PAGES
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []

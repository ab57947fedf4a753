"""The site lists what there is: public names in the API reference, pages in the navigation, examples in the gallery."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

import sklearn_twins

DOCS = Path(__file__).parents[1] / "docs"


def load(name, path):
    """A module by its file."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed():
    """Room -> public names in its tables of the API reference."""
    found = {}
    for module, names in re.findall(
        r"^\.\. currentmodule:: (\S+)\n(.*?)^```",
        (DOCS / "api.md").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    ):
        found.setdefault(module, []).extend(re.findall(r"^   (\w+)$", names, re.MULTILINE))
    return found


def test_the_api_reference_lists_every_public_name_once():
    rooms = {
        f"sklearn_twins.{room}": importlib.import_module(f"sklearn_twins.{room}").__all__
        for room in sklearn_twins.ROOMS
    }
    expected = {"sklearn_twins": [name for name in sklearn_twins.__all__ if name not in sklearn_twins.ROOMS], **rooms}
    assert {room: sorted(names) for room, names in listed().items()} == {r: sorted(n) for r, n in expected.items()}


def test_every_page_is_in_the_navigation():
    pages = [*DOCS.glob("*.md"), *DOCS.glob("benchmarks/*.md")]
    found = {"index", "gallery/index"}
    for page in pages:
        for tree in re.findall(
            r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            folder = page.parent.relative_to(DOCS)
            found |= {(folder / entry).as_posix() for entry in re.findall(r"^([\w/]+)$", tree, re.MULTILINE)}
    assert found == {page.relative_to(DOCS).with_suffix("").as_posix() for page in pages} | {"gallery/index"}


def test_every_example_has_its_place_in_the_gallery():
    order = load("gallery_order", DOCS / "_ext" / "gallery_order.py").ORDER
    assert sorted(order) == sorted(path.stem for path in (DOCS / "examples").glob("*.py"))


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text('<a id="here" href="b.html#there">x</a><img src="c.png"><a href="https://x.y/z">')
    (tmp_path / "b.html").write_text('<p id="there"><a href="#nowhere"></a><a href="a.html"></a>')
    return tmp_path


def test_links_that_lead_nowhere_are_found(site, monkeypatch, capsys):
    checker = load("check_links", DOCS / "check_links.py")
    monkeypatch.setattr(sys, "argv", ["check_links.py", str(site)])
    with pytest.raises(SystemExit, match="True"):
        checker.main()
    assert capsys.readouterr().out.splitlines() == ["a.html: c.png", "b.html: #nowhere", "2 pages, 5 links, 2 broken"]
    (site / "c.png").touch()
    (site / "b.html").write_text('<p id="there"></p>')
    checker.read.cache_clear()
    with pytest.raises(SystemExit, match="False"):
        checker.main()

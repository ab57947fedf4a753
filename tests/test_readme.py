"""README and guides tell the truth: their Python runs, their make targets and links exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# And how many blocks of Python each has at least.
PAGES = {
    "README.md": 4,
    "docs/files.md": 4,
    "docs/images.md": 6,
    "docs/search.md": 8,
    "docs/benchmarks/label_free_selection.md": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run_in_order(page):
    pytest.importorskip("sklearn.callback", reason="the README shows scikit-learn's callbacks, of 1.9 and later")
    text, namespace = (ROOT / page).read_text(encoding="utf-8"), {}
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    plain = [block for block in blocks if ">>>" not in block]  # pytest itself collects the others as doctests
    assert len(plain) >= PAGES[page]
    for number, block in enumerate(plain):
        exec(compile(block, f"{page}, python block {number}", "exec"), namespace)


def test_every_make_target_exists():
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", README))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= named
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize("page", ["README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))])
def test_every_relative_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if not t.startswith("http")]
    assert targets or page not in PAGES
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []

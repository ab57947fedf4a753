"""The README tells the truth: its Python runs, its make targets and links exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_python_blocks_run_in_order():
    pytest.importorskip("sklearn.callback", reason="the README shows scikit-learn's callbacks, of 1.9 and later")
    namespace = {}
    plain = [block for block in BLOCKS if ">>>" not in block]  # pytest itself collects the others as doctests
    assert len(plain) >= 4
    for number, block in enumerate(plain):
        exec(compile(block, f"README.md, python block {number}", "exec"), namespace)


def test_every_make_target_exists():
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", README))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= named
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))


def test_every_relative_link_leads_somewhere():
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", README) if not t.startswith("http")]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []

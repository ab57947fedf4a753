"""The files around the package agree with each other: pre-commit's versions, the citation, the issue forms."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
if not (ROOT / ".github").exists():
    pytest.skip("a source distribution does not have these files", allow_module_level=True)


def loaded(name):
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@pytest.mark.parametrize("constraints", ["constraints.txt", "constraints-floor.txt"])
@pytest.mark.parametrize("tool", ["ruff", "codespell"])
def test_pre_commit_has_the_versions_of_make_lint(tool, constraints):
    versions = {
        Path(repo["repo"]).name.removesuffix("-pre-commit"): repo["rev"]
        for repo in loaded(".pre-commit-config.yaml")["repos"]
    }
    pinned = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / constraints).read_text("utf-8"), re.MULTILINE))
    assert versions[tool] == f"v{pinned[tool]}"


def test_the_citation_names_the_papers_of_the_docstring():
    citation = loaded("CITATION.cff")
    assert citation["license"] == "BSD-3-Clause" and citation["cff-version"] == "1.2.0"
    urls = {reference["url"] for reference in citation["references"]}
    assert urls == {"https://arxiv.org/abs/2103.03230", "https://arxiv.org/abs/2104.13712"}


@pytest.mark.parametrize("form", ["bug_report", "feature_request"])
def test_issue_forms_ask_for_something(form):
    form = loaded(f".github/ISSUE_TEMPLATE/{form}.yml")
    assert form["name"] and form["description"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])
    assert len({field["id"] for field in form["body"]}) == len(form["body"])

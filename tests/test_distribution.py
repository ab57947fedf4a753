"""What `make test-dist` has installed: the wheel and nothing of a checkout, with a README that is read elsewhere."""

import os
import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

import sklearn_twins

ROOT = Path(__file__).parents[1]
SITE = Path(sysconfig.get_path("purelib"))

pytestmark = pytest.mark.skipif("SKLEARN_TWINS_WHEEL" not in os.environ, reason="`make test-dist` installs the wheel")


def test_the_wheel_is_what_is_imported():
    assert Path(sklearn_twins.__file__) == SITE / "sklearn_twins" / "__init__.py"
    code = "import sklearn_twins; print(sklearn_twins.__file__)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == sklearn_twins.__file__


def test_it_holds_the_package_alone():
    files = {file.as_posix() for file in metadata.files("sklearn-twins")}
    assert {re.sub("[-/].*", "", file) for file in files} == {"sklearn_twins"}
    assert any(file.endswith("licenses/LICENSE") for file in files)
    assert not [file for file in files if "sklearn_twins/" in file and not file.endswith((".py", ".pyc"))]


def test_it_says_what_it_is():
    said = metadata.metadata("sklearn-twins")
    assert said["Version"] == sklearn_twins.__version__ and said["License-Expression"] == "BSD-3-Clause"
    assert {url.split(",")[0] for url in said.get_all("Project-URL")} >= {"Documentation", "Source", "Changelog"}
    assert f"Programming Language :: Python :: 3.{sys.version_info.minor}" in said.get_all("Classifier")


def test_links_of_the_readme_lead_somewhere_outside_of_the_repository():
    here = (ROOT / "README.md").read_text("utf-8")
    there = metadata.metadata("sklearn-twins").get_payload() or metadata.metadata("sklearn-twins")["Description"]
    assert re.findall(r"\]\((?!https://|#)", there) == []
    assert len(re.findall(r"\]\(", there)) == len(re.findall(r"\]\(", here)) > 10
    assert re.findall(r"!\[[^\]]*\]\([^)]*/blob/", there) == []  # which is a page, not a picture
    assert re.findall(r'(?:src|href)="(?!https://)', there) == []
    assert [line for line in there.splitlines() if "](" not in line] == [s for s in here.splitlines() if "](" not in s]


def test_the_source_distribution_holds_what_its_tests_and_pages_need():
    assert not (ROOT / "sklearn_twins").exists()  # left out where these tests run, or it could be imported
    needed = [
        "Makefile",
        "constraints.txt",
        "constraints-floor.txt",
        "CHANGELOG.md",
        "LICENSE",
        "benchmarks/quality.py",
    ]
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert [name for name in [*needed, *linked] if not (ROOT / name).exists()] == []

"""How many cases there are."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LEAST = {"parameters": 200, "tables": 60, "images": 80, "calls": 60, "searches": 60}


def cases_of(name):
    """The cases of one of the tables."""
    spec = importlib.util.spec_from_file_location(f"counted_{name}", HERE / f"test_{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


@pytest.mark.parametrize("name", LEAST)
def test_there_are_many(name):
    assert len(cases_of(name)) >= LEAST[name]


def test_all_tables_are_counted():
    assert {path.stem.removeprefix("test_") for path in HERE.glob("test_*.py")} == {*LEAST, "count"}
    assert sum(LEAST.values()) >= 120

"""The faults that benchmarks/planted_faults.py plants are in the package, each in one place."""

import importlib
from collections import Counter
from pathlib import Path

import pytest

import sklearn_twins

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PACKAGE = Path(sklearn_twins.__file__).parent


@pytest.fixture
def script(monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(BENCHMARKS.resolve())
    return importlib.import_module("planted_faults")


def test_each_fault_is_found_once(script):
    """Where code is rewritten, benchmarks/_faults.py gets a second pair of snippets."""
    texts = script.texts_of(PACKAGE)
    places = {fault.name: script.found_in(texts, fault) for fault in script.FAULTS}
    assert {name: place for name, place in places.items() if isinstance(place, str)} == {}
    for path, text in places.values():
        compile(text, str(path), "exec")
        assert text != texts[path]


def test_each_room_has_five_faults_with_names_of_their_own(script):
    rooms = Counter(fault.room for fault in script.FAULTS)
    assert len(script.FAULTS) >= 70 and min(rooms.values()) >= 5 and rooms.keys() == script.ROOM_TESTS.keys()
    assert len({fault.name for fault in script.FAULTS}) == len(script.FAULTS)
    assert all(before.split() != after.split() for fault in script.FAULTS for before, after in fault.pairs)

"""Clocks that stand still, go back or jump, as a user's own tests make them: no result is lost or changed."""

import itertools
import time

import numpy as np
import pytest
from builders import small_embedder
from numpy.testing import assert_array_equal

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._runtime._devices import claim_slot
from sklearn_twins._runtime._progress_bar import Bar, Lines, TimeEstimator
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV

NAMES = "perf_counter", "monotonic", "time", "process_time"
CLOCKS = {
    "frozen": lambda: itertools.repeat(7.0),
    "at zero": lambda: itertools.repeat(0),
    "backwards": lambda: itertools.count(1e9, -1.0),
    "fast": lambda: itertools.count(0.0, 1e6),
    "to and fro": lambda: itertools.cycle([5.0, 1e9, -3.0]),
}


@pytest.fixture(params=CLOCKS)
def clock(request, monkeypatch):
    """Replace all clocks."""
    for name in NAMES:
        ticks = CLOCKS[request.param]()
        monkeypatch.setattr(time, name, lambda ticks=ticks: next(ticks))
    monkeypatch.setattr(time, "time_ns", lambda: int(time.time() * 1e9))


def search(kind, **params):
    """A search that prints the time left."""
    return kind(small_embedder(), {"batch_size": [16, 20]}, cv=2, verbose=1, **params)


FITS = {
    "silent": lambda X, path: small_embedder().fit(X),
    "lines": lambda X, path: small_embedder(verbose=1).fit(X),
    "bar": lambda X, path: small_embedder(verbose=2).fit(X),
    "stream": lambda X, path: small_embedder(verbose=1).partial_fit(X).partial_fit(X),
    "checkpoint": lambda X, path: small_embedder(checkpoint=path, checkpoint_minutes=1e-9).fit(X),
    "early stopping": lambda X, path: small_embedder(early_stopping=True, verbose=1).fit(X),
    "halving": lambda X, path: search(EpochHalvingSearchCV, min_epochs=1).fit(X).best_estimator_,
    "batched": lambda X, path: search(BatchedGridSearchCV, max_batch=4).fit(X).best_estimator_,
}


@pytest.mark.filterwarnings("ignore:The embedding:UserWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in ("silent", "bar") else pytest.mark.slow) for n in FITS]
)
def test_fits(X, tmp_path, clock, name, capsys):
    """Speeds that nobody knows are NaN, and files keep them."""
    embedder = FITS[name](X, tmp_path / "checkpoints")
    assert (embedder.history_["seconds"] >= 0).all()
    speeds = embedder.history_["rows_per_second"]
    assert (np.isnan(speeds) == (embedder.history_["seconds"] == 0)).all() and not (speeds <= 0).any()
    embedder.set_params(checkpoint=None).save(tmp_path / "file")
    loaded = BarlowTwinsEmbedder.load(tmp_path / "file")
    assert_array_equal(loaded.history_["rows_per_second"], speeds)
    assert_array_equal(loaded.set_params(verbose=1).transform(X), embedder.transform(X))
    printed = capsys.readouterr().out
    assert "nan" not in printed and " -" not in printed


def test_the_result_is_the_same(make, X, clock):
    assert_array_equal(make().fit_transform(X), make().fit_transform(X))


def test_bars(clock, capsys):
    with Bar("training", 9, "epochs", display=Lines()) as bar:
        for done in range(10):
            bar.update(done)
            assert "-" not in bar.status
    estimator = TimeEstimator(3)
    for done in (1, 2, 3):
        estimator.update(done)
        assert estimator.seconds_left() is None or estimator.seconds_left() >= 0


def test_slots(tmp_path, monkeypatch, clock):
    """The wait for a GPU does not end by a clock."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with claim_slot(["gpu"], 2) as first, claim_slot(["gpu", "other"], 1) as second:
        assert (first, second) == (0, 1)

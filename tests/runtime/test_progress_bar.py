"""Bars in a terminal, a notebook and a file: what is drawn, what is said of the time left, what is left behind."""

import ast
import io
import os
import re
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from rich.console import Console
from rich.file_proxy import FileProxy
from skorch.callbacks import Callback

import sklearn_twins
from sklearn_twins._runtime import _progress_bar as _bars
from sklearn_twins._runtime._progress_bar import (
    TERMINAL,
    Bar,
    Lines,
    Notebook,
    TimeEstimator,
    format_duration,
    format_time_left,
)
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV
from sklearn_twins.model_selection._halving import RoundLines

PACKAGE = Path(sklearn_twins.__file__).parent
CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Clock:
    """Stands in for `time`."""

    now = 100.0

    def perf_counter(self):
        return self.now


class Screen(io.StringIO):
    """A terminal, as far as Python can tell."""

    def isatty(self):
        return True

    @property
    def lines(self):
        """What it shows in the end."""
        rows, row = [""], 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", self.getvalue()):
            if part == "\n":
                row += 1
                rows += [""] * (row + 1 - len(rows))
            elif part.endswith("A") and part.startswith("\x1b"):
                row -= int(part[2:-1] or 1)
            elif part == "\x1b[2K":
                rows[row] = ""
            elif not CODE.fullmatch(part) and part != "\r":
                rows[row] += part
        return [row.rstrip() for row in rows if row.strip()]


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_bars, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(_bars, "sys", types.SimpleNamespace(stderr=screen))  # pytest puts its own into `sys`
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    yield screen
    assert not TERMINAL.bars and TERMINAL.live is None
    assert screen.getvalue().count(HIDE) == screen.getvalue().count(SHOW)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.6, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (3 * 3600 - 10, "3 h 00 min"),
        (100 * 3600, "100 h 00 min"),
    ],
)
def test_duration(seconds, words):
    assert format_duration(seconds) == words


def test_time_left():
    assert format_time_left(None) == format_time_left(None, at_most=True) == ""
    assert format_time_left(65) == "1 min 05 s left"
    assert format_time_left(65, at_most=True) == "at most 1 min 05 s left"


def test_pace(clock):
    estimator = TimeEstimator(10)
    assert estimator.seconds_left() is None
    clock.now += 30  # loading
    estimator.update(1)
    assert estimator.seconds_left() == 270
    clock.now += 2
    estimator.update(2)
    assert estimator.seconds_left() == 16
    clock.now += 1
    assert estimator.seconds_left() == 15 and estimator.elapsed == 33
    estimator.update(2)
    assert estimator.seconds_left() == 15
    clock.now += 1
    estimator.update(3)
    assert estimator.seconds_left() == 14
    clock.now += 100
    assert estimator.seconds_left() == 0


def test_pace_within_the_first_epoch(clock):
    estimator = TimeEstimator(20, done=5)
    clock.now += 30
    estimator.update(5.01)
    assert estimator.seconds_left() is None, "the first batch is no measure"
    clock.now += 1
    estimator.update(5.02)
    assert estimator.seconds_left() == pytest.approx(14.98 * 100)


def test_in_a_file(capsys):
    with Bar("embedding", 1000, "rows") as bar:
        assert isinstance(bar.screen, Lines)
        for done in range(0, 1001, 100):
            bar.update(done)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "embedding  1,000/1,000 rows  0 s\n"


def test_in_a_file_for_long(clock, capsys):
    with Bar("training", 100, "epochs", at_most=True) as bar:
        for done in range(1, 11):
            clock.now += 10
            bar.update(done, f"loss {done}")
    assert capsys.readouterr().err.splitlines() == [
        "training  3/100 epochs  30 s, at most 16 min 10 s left  loss 3",
        "training  6/100 epochs  1 min 00 s, at most 15 min 40 s left  loss 6",
        "training  9/100 epochs  1 min 30 s, at most 15 min 10 s left  loss 9",
        "training  10/100 epochs  1 min 40 s  loss 10",
    ]


def test_in_a_terminal(clock, terminal):
    out, err = sys.stdout, sys.stderr
    with Bar("training", 4, "epochs") as bar:
        clock.now += 2
        bar.update(0.5, "batch 1/2")
        assert sys.stdout is out and sys.stderr is err, "neither is redirected"
        assert terminal.lines[1:] == ["          batch 1/2"]
        clock.now += 2
        bar.update(1.5, "loss 3")
        assert re.fullmatch(r"training  \S+  1/4 epochs  4 s, 5 s left", terminal.lines[0])
        drawn = terminal.getvalue()
        clock.now += 0.1
        bar.update(1.7)
        assert terminal.getvalue() == drawn, "five times a second at most"
        clock.now += 1
        bar.update(4)
    assert re.fullmatch(r"training  ━{24}  4/4 epochs  5 s", terminal.lines[0])
    assert terminal.lines[1:] == ["          loss 3"]
    assert terminal.getvalue().endswith("\n" + SHOW)


def test_a_narrow_terminal(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    with Bar("training", 4, "epochs") as bar:
        bar.update(4, "loss 28.11 (invariance 6.047 + redundancy 22.06)  validation 30.68")
    assert len(terminal.lines) == 2 and terminal.lines[1].endswith("…")


def test_what_was_done_before(terminal):
    with Bar("training", 4, "epochs", done=3):
        assert "3/4 epochs" in terminal.lines[0]


def test_one_within_another(clock, terminal):
    with Bar("training", 3, "epochs") as outer:
        for epoch in range(3):
            with Bar(f"embedding{epoch}", 10, "rows") as inner:
                clock.now += 1
                inner.update(10)
                assert terminal.lines[-2].startswith("training") and terminal.lines[-1].startswith("embedding")
            clock.now += 1
            outer.update(epoch + 1)
    starts = [line.split()[0] for line in terminal.lines]
    assert starts == ["embedding0", "embedding1", "embedding2", "training"]


def test_closed_in_another_order(terminal):
    first, second = Bar("first", 2, "rows"), Bar("second", 2, "rows")
    first.close()
    first.close()
    second.close()
    assert [line.split()[0] for line in terminal.lines] == ["first", "second"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_closes_it(terminal, error):
    with pytest.raises(error):
        with Bar("training", 4, "epochs") as bar:
            bar.update(2)
            raise error
    assert "2/4 epochs" in terminal.lines[0] and terminal.getvalue().endswith("\n" + SHOW)


def test_no_thread(terminal):
    before = threading.active_count()
    with Bar("training", 4, "epochs"):
        assert threading.active_count() == before


def test_several_threads(make, X, terminal, monkeypatch):
    """Each has a line of its own, and none an error."""
    errors, n_threads = [], 3
    monkeypatch.setattr(TERMINAL, "seconds_between", 0, raising=False)

    def fit(seed):
        try:
            make(verbose=2, max_epochs=6, random_state=seed).fit(X).transform(X)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=fit, args=(seed,)) for seed in range(n_threads)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not errors
    assert sum("6/6 epochs" in line for line in terminal.lines) == n_threads
    assert sum("60/60 rows" in line for line in terminal.lines) == n_threads


def test_below_somebody_elses_bar(terminal, monkeypatch):
    monkeypatch.setattr(_bars.sys, "stderr", FileProxy(Console(file=terminal), terminal))
    with Bar("training", 4, "epochs") as bar:
        assert isinstance(bar.screen, Lines)
    assert terminal.lines == ["training  0/4 epochs  0 s"]


@pytest.mark.parametrize("kind", ["forked", "worker", "dumb"])
def test_lines_where_a_bar_would_be_in_the_way(terminal, monkeypatch, kind):
    if kind == "forked":
        monkeypatch.setitem(_bars.process, "forked", True)
    if kind == "worker":
        monkeypatch.setattr(_bars.multiprocessing, "parent_process", lambda: object())
    if kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    assert isinstance(_bars.screen(), Lines)


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook shows: an output for each display, replaced by its updates."""
    shown = []

    class Handle:
        def __init__(self, item):
            shown.append(item)
            self.place = len(shown) - 1

        def update(self, item):
            shown[self.place] = item

    module = types.ModuleType("IPython.display")
    module.display = lambda item, display_id: Handle(item)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich._console", None)  # the one that rich keeps for everybody, made anew
    return shown


def test_in_a_notebook(clock, notebook, capsys):
    with Bar("training", 4, "epochs") as bar, Bar("embedding", 10, "rows"):
        assert isinstance(bar.screen, Notebook)
        clock.now += 1
        bar.update(1, "loss <3>")
    training, embedding = (item._repr_mimebundle_([], []) for item in notebook)
    assert "━" in training["text/html"] and "1/4 epochs" in training["text/html"]
    assert "loss &lt;3&gt;" in training["text/html"]
    assert "0/10 rows" in embedding["text/html"]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_fit_in_a_notebook(make, X, notebook):
    make(verbose=2).fit(X).transform(X)
    assert ["2/2 epochs" in str(item._repr_mimebundle_([], [])) for item in notebook] == [True, False]


class Trip(Callback):
    """Raises an error in the second epoch."""

    def __init__(self, error):
        self.error = error

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_fit_that_ends_in_an_error(make, X, terminal, error):
    before = threading.active_count()
    with pytest.raises(error):
        make(verbose=2, callbacks=[Trip(error)]).fit(X)
    assert "1/2 epochs" in terminal.lines[0]
    assert threading.active_count() == before


def test_a_transform_that_ends_in_an_error(make, X, terminal, monkeypatch):
    """Even as long as the error is kept."""
    embedder = make().fit(X).set_params(verbose=2)
    monkeypatch.setattr("sklearn_twins._inference._embed.padded", lambda rows, size: 1 / 0)
    with pytest.raises(ZeroDivisionError) as kept:
        embedder.transform(X)
    assert not TERMINAL.bars and kept


def test_a_fit_moves_its_bar_within_an_epoch(make, X, terminal, monkeypatch):
    monkeypatch.setattr(TERMINAL, "seconds_between", 0, raising=False)
    make(verbose=2, max_epochs=2).fit(X)
    batches = re.findall(r"batch (\d+)/4", terminal.getvalue())
    assert batches == ["1", "2", "3", "4"]


@pytest.mark.parametrize("verbose", [1, 2])
def test_early_stopping_ends_at_most_then(make, X, capsys, monkeypatch, verbose):
    monkeypatch.setattr(Lines, "seconds_between", 0)
    make(verbose=verbose, early_stopping=True).fit(X)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert len(re.findall(r"(?<!at most )\b\d+ s left", text)) == 0 and "at most" in text


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_what_is_shown_changes_nothing(make, X, verbose, fingerprint):
    embedders = [make(verbose=v).fit(X) for v in (0, verbose)]
    assert (embedders[0].transform(X) == embedders[1].set_params(verbose=0).transform(X)).all()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rich_is_not_imported_before_it_is_needed(path):
    for node in ast.parse(path.read_text()).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[0] in ("rich", "tqdm", "IPython")]


FIT = """
import os, signal, sys
import numpy as np
from skorch.callbacks import Callback
from sklearn_twins import BarlowTwinsEmbedder
class Trip(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2 and sys.argv[1:]:
            os.kill(os.getpid(), signal.SIGINT)
X = np.random.default_rng(0).normal(size=(60, 5))
BarlowTwinsEmbedder(max_epochs=3, batch_size=16, verbose=2, random_state=0, callbacks=[Trip()]).fit(X)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="opens a pseudo-terminal")
@pytest.mark.parametrize("interrupted", [False, True])
def test_in_a_terminal_of_its_own(interrupted):
    leader, follower = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "140", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", FIT, *["interrupted"] * interrupted]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, env=environment) as run:
        os.close(follower)
        seen = Screen()
        while True:
            try:
                part = os.read(leader, 2**16)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen.write(part.decode().replace("\r\n", "\n"))
        out = run.stdout.read()
    os.close(leader)
    assert out == b"" and (run.returncode != 0) == interrupted
    assert "training  " in seen.lines[0] and ("2/3 epochs" if interrupted else "3/3 epochs") in seen.lines[0]
    assert seen.getvalue().count(HIDE) == seen.getvalue().count(SHOW) == 1
    assert ("KeyboardInterrupt" in seen.getvalue()) == interrupted


def test_lines_of_blocks(clock, capsys):
    blocks = iter(range(4))
    for _ in _bars.with_progress(blocks, 30, 100, 1, ("embedding", "rows", "embedded")):
        clock.now += 20
    assert capsys.readouterr().out.splitlines() == [
        "embedding  60/100 rows  40 s, 27 s left",
        "embedding  100/100 rows  1 min 20 s, 0 s left",
        "100 rows embedded in 80.0 s",
    ]


def test_lines_within_an_epoch(make, X, capsys, monkeypatch):
    """The first one before the first epoch has ended, and with an estimate from the second batch on."""
    monkeypatch.setattr("sklearn_twins._training._callbacks.SECONDS_TO_FIRST_LINE", 0)
    make(verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 1/2", "epoch 2/2"]
    assert lines[0] == "epoch 1/2  batch 1/4"
    monkeypatch.setattr("sklearn_twins._training._callbacks.SECONDS_BETWEEN_LINES", 0)
    make(verbose=1, early_stopping=True).fit(X)
    lines = capsys.readouterr().out.splitlines()
    batches = [line.split("  ")[1] for line in lines if "batch" in line]
    assert batches == ["batch 1/4", "batch 2/4", "batch 3/4"] * 2
    assert all(re.search(r"  at most \d+ s left$", line) for line in lines[1:])


@pytest.mark.slow
def test_searches_say_how_long_they_take(make, X, capsys, monkeypatch):
    monkeypatch.setattr("sklearn_twins.model_selection._batched.SECONDS_BETWEEN_LINES", 0)
    embedder, grid = make(max_epochs=4), {"learning_rate": [0.001, 0.002, 0.005, 0.01]}
    EpochHalvingSearchCV(embedder, grid, cv=2, factor=2, min_epochs=1, verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[:2] for line in lines] == [
        ["round 1/3", "4 candidates on 2 folds, up to 1 epochs"],
        ["round 2/3", "2 candidates on 2 folds, up to 2 epochs"],
        ["round 3/3", "1 candidates on 2 folds, up to 4 epochs"],
        ["refit", "the best candidate on all rows"],
    ]
    assert "left" not in lines[0] and all(line.endswith(" s left") for line in lines[1:])
    BatchedGridSearchCV(embedder, grid, cv=2, verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    told = [f"Trained {n} of 8 embedders, " for n in range(1, 8)]
    assert [line[: len(start)] for line, start in zip(lines, told, strict=False)] == told
    EpochHalvingSearchCV(embedder, grid, cv=2, min_epochs=1).fit(X)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="verbose == -1"):
        EpochHalvingSearchCV(embedder, grid, verbose=-1).fit(X)


def test_estimate_of_a_search(clock):
    """Two candidates on two folds for 2 epochs, one for 4 more, the last fit for 6: 8, 8 and 6 epochs of 2 seconds."""
    lines = RoundLines(2, 2, [2, 6], 2, None, True)
    assert lines.n_candidates == [2, 1] and lines.done.tolist() == [0, 8, 16]
    clock.now += 16
    lines.estimator.update(8)
    assert lines.estimator.seconds_left() == 28

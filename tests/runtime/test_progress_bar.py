"""Progress in a terminal, a notebook and a file: what is drawn, the time left, and that nothing is left behind."""

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
from sklearn_twins._runtime import _progress_bar, _rich_display
from sklearn_twins._runtime._progress_bar import Bar, Lines, TimeEstimator, format_duration, format_time_left
from sklearn_twins._runtime._rich_display import TERMINAL, Notebook
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV
from sklearn_twins.model_selection._halving import RoundPrinter

PACKAGE = Path(sklearn_twins.__file__).parent
CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


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
        """The lines that it shows in the end."""
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
    monkeypatch.setattr(_progress_bar, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    screen = Screen()
    for module in (_progress_bar, _rich_display):  # pytest replaces `sys.stderr` itself
        monkeypatch.setattr(module, "sys", types.SimpleNamespace(stderr=screen))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    yield screen
    assert TERMINAL.bars is None
    assert screen.getvalue().count(HIDE) == screen.getvalue().count(SHOW)


def test_times_in_words():
    words = {
        0.6: "1 s",
        59.4: "59 s",
        59.6: "1 min 00 s",
        185: "3 min 05 s",
        3599.4: "59 min 59 s",
        3599.6: "1 h 00 min",
        3900: "1 h 05 min",
        3 * 3600 - 10: "3 h 00 min",
    }
    assert {seconds: format_duration(seconds) for seconds in words} == words
    assert format_time_left(None) == format_time_left(None, at_most=True) == ""
    assert format_time_left(65, at_most=True) == "at most " + format_time_left(65) == "at most 1 min 05 s left"


def test_time_left(clock):
    estimator = TimeEstimator(10)
    assert estimator.seconds_left() is None
    clock.now += 30  # loading
    estimator.update(1)
    assert estimator.seconds_left() == 270
    clock.now += 2
    estimator.update(2)
    assert estimator.seconds_left() == 16, "the first epoch does not count"
    clock.now += 1
    estimator.update(2)
    assert estimator.seconds_left() == 15 and estimator.elapsed == 33
    clock.now += 100
    assert estimator.seconds_left() == 0


def test_time_left_within_the_first_epoch(clock):
    estimator = TimeEstimator(20, done=5)
    clock.now += 30
    estimator.update(5.01)
    assert estimator.seconds_left() is None, "the first batch is no measure"
    clock.now += 1
    estimator.update(5.02)
    assert estimator.seconds_left() == pytest.approx(14.98 * 100)


def test_in_a_file(clock, capsys):
    with Bar("training", 100, "epochs", at_most=True) as bar:
        assert isinstance(bar.display, Lines)
        for done in range(1, 7):
            clock.now += 10
            bar.update(done, f"loss {done}")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "training  3/100 epochs  30 s, at most 16 min 10 s left  loss 3",
        "training  6/100 epochs  1 min 00 s, at most 15 min 40 s left  loss 6",
        "training  6/100 epochs  1 min 00 s  loss 6",
    ]


def test_in_a_terminal(clock, terminal):
    out, err, threads = sys.stdout, sys.stderr, set(threading.enumerate())
    with Bar("training", 4, "epochs", done=0.5) as bar:
        assert "0/4 epochs" in terminal.lines[0]
        clock.now += 2
        bar.update(1, "batch 1/2 [of 2]")
        assert sys.stdout is out and sys.stderr is err, "neither is redirected"
        assert set(threading.enumerate()) <= threads
        assert terminal.lines[1:] == ["         batch 1/2 [of 2]"]
        clock.now += 2
        bar.update(1.5, "loss 3")
        assert re.fullmatch(r"training \S+ 1/4 epochs  4 s, 10 s left", terminal.lines[0])
        drawn = terminal.getvalue()
        clock.now += 0.1
        bar.update(1.7)
        assert terminal.getvalue() == drawn, "five times a second at most"
        bar.update(4)
    assert re.fullmatch(r"training ━{24} 4/4 epochs  4 s", terminal.lines[0])
    assert terminal.lines[1:] == ["         loss 3"] and terminal.getvalue().endswith("\n" + SHOW)


def test_a_narrow_terminal(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    with Bar("training", 4, "epochs") as bar:
        bar.update(4, "loss 28.11 (invariance 6.047 + redundancy 22.06)  validation 30.68")
    assert len(terminal.lines) == 2 and terminal.lines[1].endswith("…")


def test_one_within_another(clock, terminal):
    with Bar("training", 3, "epochs") as outer:
        for epoch in range(3):
            with Bar(f"embedding{epoch}", 10, "rows") as inner:
                clock.now += 1
                inner.update(10)
                assert terminal.lines[-2].startswith("training") and terminal.lines[-1].startswith("embedding")
            clock.now += 1
            outer.update(epoch + 1)
    assert [line.split()[0] for line in terminal.lines] == ["embedding0", "embedding1", "embedding2", "training"]


def test_closed_in_another_order(terminal):
    first, second = Bar("first", 2, "rows"), Bar("second", 2, "rows")
    first.close()
    first.close()
    second.close()
    assert [line.split()[0] for line in terminal.lines] == ["first", "second"]


@pytest.mark.slow
def test_several_threads(make, X, terminal, monkeypatch):
    """Each has its own bar, and no error is raised."""
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


@pytest.mark.parametrize("kind", ["forked", "worker", "dumb", "rich"])
def test_lines_where_a_bar_would_be_in_the_way(terminal, monkeypatch, kind):
    if kind == "forked":
        monkeypatch.setattr(_rich_display, "is_forked", lambda: True)
    if kind == "worker":
        monkeypatch.setattr(_rich_display.multiprocessing, "parent_process", lambda: object())
    if kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if kind == "rich":  # somebody else's bar
        monkeypatch.setattr(_rich_display.sys, "stderr", FileProxy(Console(file=terminal), terminal))
    assert isinstance(_rich_display.choose_display(Lines()), Lines)


@pytest.fixture
def notebook(monkeypatch):
    """The outputs of a cell as HTML: one for each display, replaced by its updates."""
    outputs = []

    class Handle:
        def __init__(self, item):
            self.number = len(outputs)
            outputs.append("")
            self.update(item)

        def update(self, item):
            outputs[self.number] = item._repr_mimebundle_([], [])["text/html"]

    module = types.ModuleType("IPython.display")
    module.display = lambda item, display_id: Handle(item)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich._console", None)  # rich's shared console, to be made again
    return outputs


def test_in_a_notebook(clock, notebook, capsys):
    with Bar("training", 4, "epochs") as bar, Bar("embedding", 10, "rows"):
        assert isinstance(bar.display, Notebook)
        clock.now += 1
        bar.update(1, "loss <3>")
        training, embedding = notebook
        assert "━" in training and "1/4 epochs" in training and "loss &lt;3&gt;" in training
        bar.update(4)
    training, embedding = notebook
    assert "4/4 epochs" in training and "0/10 rows" in embedding
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


class Trip(Callback):
    """Raises an error in the second epoch."""

    def __init__(self, error):
        self.error = error

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_fit_that_ends_in_an_error_closes_its_bar(make, X, terminal, error):
    with pytest.raises(error):
        make(verbose=2, callbacks=[Trip(error)]).fit(X)
    assert "1/2 epochs" in terminal.lines[0] and terminal.getvalue().endswith("\n" + SHOW)


def test_a_transform_that_ends_in_an_error_closes_its_bar(make, X, terminal, monkeypatch):
    """Even as long as the error is kept."""
    embedder = make().fit(X).set_params(verbose=2)
    monkeypatch.setattr("sklearn_twins._inference._embed.pad_block", lambda rows, size: 1 / 0)
    with pytest.raises(ZeroDivisionError) as kept:
        embedder.transform(X)
    assert TERMINAL.bars is None and kept


def test_a_fit_moves_its_bar_within_an_epoch(make, X, terminal, monkeypatch):
    monkeypatch.setattr(TERMINAL, "seconds_between", 0, raising=False)
    make(verbose=2, max_epochs=2).fit(X)
    assert re.findall(r"batch (\d+)/4", terminal.getvalue()) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("verbose", [1, 2])
def test_early_stopping_ends_at_most_then(make, X, capsys, monkeypatch, verbose):
    monkeypatch.setattr(Lines, "seconds_between", 0)
    make(verbose=verbose, early_stopping=True).fit(X)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert len(re.findall(r"(?<!at most )\b\d+ s left", text)) == 0 and "at most" in text


def test_verbose_changes_no_result(make, X):
    plain, *others = (make(verbose=verbose).fit(X).set_params(verbose=0).transform(X) for verbose in (0, 1, 2))
    assert all((plain == other).all() for other in others)


def test_rich_is_imported_only_when_a_bar_is_shown():
    """By one file, which others import within functions."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found = {name.split(".")[0] for name in names} & {"rich", "tqdm", "IPython", "_rich_display"}
            assert not found or path.name == "_rich_display.py", path


FIT = """
import signal
import numpy as np
from skorch.callbacks import Callback
from sklearn_twins import BarlowTwinsEmbedder
class Trip(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it starts in the background
X = np.random.default_rng(0).normal(size=(60, 5))
BarlowTwinsEmbedder(max_epochs=3, batch_size=16, verbose=2, random_state=0, callbacks=[Trip()]).fit(X)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="opens a pseudo-terminal")
def test_interrupted_in_its_own_terminal():
    leader, follower = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "140", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", FIT]
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
    assert out == b"" and run.returncode != 0
    assert seen.lines[0].startswith("training ") and "2/3 epochs" in seen.lines[0]
    assert seen.getvalue().count(HIDE) == seen.getvalue().count(SHOW) == 1
    assert "KeyboardInterrupt" in seen.getvalue()


def test_lines_of_blocks(clock, capsys):
    blocks = iter(range(4))
    for _ in _progress_bar.with_progress(blocks, 30, 100, 1, ("embedding", "rows", "embedded")):
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
    assert [line.split("  ")[0] for line in lines] == ["round 1/3", "round 2/3", "round 3/3", "refit"]
    assert "left" not in lines[0] and all(line.endswith(" s left") for line in lines[1:])
    BatchedGridSearchCV(embedder, grid, cv=2, verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    starts = [f"Trained {n} of 8 embedders, " for n in range(1, 8)]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=False)] == starts
    EpochHalvingSearchCV(embedder, grid, cv=2, min_epochs=1).fit(X)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="verbose == -1"):
        EpochHalvingSearchCV(embedder, grid, verbose=-1).fit(X)


def test_estimate_of_a_search(clock):
    """Two candidates on two folds for 2 epochs, one for 4 more, the last fit for 6: 8, 8 and 6 epochs of 2 seconds."""
    lines = RoundPrinter(2, 2, [2, 6], 2, None, True)
    assert lines.n_candidates == [2, 1] and lines.done.tolist() == [0, 8, 16]
    clock.now += 16
    lines.estimator.update(8)
    assert lines.estimator.seconds_left() == 28

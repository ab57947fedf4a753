"""Progress that cannot be shown is dropped with one warning: no fit is lost for it."""

import ast
import io
import os
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import numpy as np
import pytest
from builders import small_embedder
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

import sklearn_twins
from sklearn_twins._runtime._printing import print_line
from sklearn_twins._runtime._rich_display import TERMINAL
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV
from sklearn_twins.objectives import BarlowTwins


class Broken(io.StringIO):
    """A terminal that fails from its `after`-th writing on."""

    def __init__(self, error, after=0):
        super().__init__()
        self.error, self.left = error, after

    def isatty(self):
        return True

    def write(self, text):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().write(text)


def broken_pipe():
    """A pipe that nobody reads any more, as behind `| head`."""
    reading, writing = os.pipe()
    os.close(reading)
    return io.TextIOWrapper(io.FileIO(writing, "wb"), write_through=True)


def closed():
    """A file that is closed."""
    stream = io.StringIO()
    stream.close()
    return stream


def detached():
    """A text file without a file below."""
    stream = io.TextIOWrapper(io.BytesIO())
    stream.detach()
    return stream


class Writer:
    """An object with no more than `write`."""

    def write(self, text):
        raise LookupError("nobody listens")


STREAMS = {
    "broken pipe": broken_pipe,
    "closed": closed,
    "detached": detached,
    "None": lambda: None,
    "full disk": lambda: io.TextIOWrapper(io.FileIO("/dev/full", "wb"), write_through=True),
    "ascii": lambda: io.TextIOWrapper(io.BytesIO(), encoding="ascii"),
    "writer": Writer,
    "terminal": lambda: Broken(BrokenPipeError(32, "Broken pipe")),
    "terminal that breaks later": lambda: Broken(OSError(5, "Input/output error"), after=1),
    "another error": lambda: Broken(RuntimeError("the socket is gone")),
}


class Accented(BarlowTwins):
    """An objective whose terms no ASCII stream can show."""

    def terms(self, z_a, z_b):
        return {f"é{name}": value for name, value in super().terms(z_a, z_b).items()}


@pytest.fixture
def stream(kind, monkeypatch):
    """A stream that cannot be written to."""
    if kind == "full disk" and not Path("/dev/full").exists():
        pytest.skip("no full disk here")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sklearn_twins._runtime._printing.MISSING", type("Missing", (), {})())
    stream = STREAMS[kind]()
    yield stream
    if isinstance(stream, io.TextIOWrapper):
        with suppress(OSError, ValueError):
            stream.close()
    assert TERMINAL.bars is None


def count_warnings(act, stream):
    """Call a function that prints to a stream; its result, and the number of warnings about progress."""
    with warnings.catch_warnings(record=True) as seen, redirect_stdout(stream), redirect_stderr(stream):
        warnings.simplefilter("always")
        result = act()
    assert all("Progress cannot be shown" in str(warning.message) for warning in seen)
    return result, len(seen)


def search(kind, **params):
    """A search that prints."""
    return kind(small_embedder(), {"batch_size": [16, 20]}, cv=2, verbose=1, **params)


WORK = {
    "lines": lambda X: small_embedder(objective=Accented(), verbose=1).fit(X).n_iter_,
    "bar": lambda X: small_embedder(objective=Accented(), verbose=2).fit(X).n_iter_,
    "stream": lambda X: small_embedder(objective=Accented(), verbose=1).partial_fit(X).partial_fit(X).n_iter_,
    "transform": lambda X: len(small_embedder(max_epochs=2).fit(X).set_params(verbose=1).transform(X)) - 58,
    "transform with a bar": lambda X: len(small_embedder().fit(X).set_params(verbose=2).transform(X)) - 58,
    "halving": lambda X: len(search(EpochHalvingSearchCV, min_epochs=1).fit(X).n_epochs_),
    "batched": lambda X: len(search(BatchedGridSearchCV, max_batch=2).fit(X).cv_results_["params"]),
}

SOME = "broken pipe", "None", "ascii", "terminal that breaks later"  # for work that prints as the others do
CASES = [(name, kind) for name in WORK for kind in (STREAMS if name in ("lines", "bar") else SOME)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param(*case, marks=() if case[0] == "lines" else pytest.mark.slow) for case in CASES],
)
def test_no_work_is_lost(X, stream, name, kind):
    """And there is one warning for each stream, however often it fails."""
    is_ascii = getattr(stream, "encoding", None) == "ascii"
    for again in range(2):
        result, n_warnings = count_warnings(lambda: WORK[name](X), stream)
        assert result == 2
        if name in ("lines", "transform") and not (is_ascii and name == "transform"):
            assert n_warnings == (0 if again else 1)
        assert n_warnings <= (0 if again else 1)


def test_the_fit_is_the_same(make, X):
    expected = make().fit_transform(X)
    found, _ = count_warnings(lambda: make(verbose=1).fit(X), Broken(BrokenPipeError()))
    assert_array_equal(found.set_params(verbose=0).transform(X), expected)
    assert np.isfinite(found.history_["loss"]).all()


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("verbose", [0, 1])
def test_errors_of_callbacks_are_the_user_s(make, X, error, verbose, capsys):
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise error("a callback's own")

    with pytest.raises(error, match="own"):
        make(verbose=verbose, callbacks=[Fails()]).fit(X)


def test_an_interrupt_while_printing_is_one():
    with redirect_stdout(Broken(KeyboardInterrupt())), pytest.raises(KeyboardInterrupt):
        print_line("epoch 1")


def test_nobody_prints_in_another_way():
    """A bare `print` may end the work."""
    package = Path(sklearn_twins.__file__).parent
    files = [path for path in package.rglob("*.py") if path.name != "_printing.py"]
    calls = {
        path.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    }
    assert not calls


def test_closed_standard_error_takes_no_warning(monkeypatch):
    """Then there is nobody to warn, and still no error."""
    with warnings.catch_warnings(), redirect_stdout(closed()), redirect_stderr(closed()):
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda *args, **kwargs: sys.stderr.write("a warning"))
        print_line("epoch 1")

"""How far something is, and how long the rest takes: a bar in a terminal or a notebook, plain lines elsewhere."""

import multiprocessing
import os
import sys
import threading
import time

from ._forks import process

WIDTH = 24  # of a bar, in characters
SECONDS_BETWEEN = 0.2  # drawings of a bar
SECONDS_BETWEEN_LINES = 30  # where there is no bar


def format_duration(seconds):
    """Seconds in words: "12 s", "3 min 05 s", "1 h 05 min"."""
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
    hours, minutes = divmod(minutes + (seconds >= 30), 60)
    return f"{hours} h {minutes:02d} min"


def format_time_left(seconds, at_most=False):
    """The time left in words; nothing if it is not known (None).

    Parameters
    ----------
    seconds : float or None
        How long it is.
    at_most : bool, default=False
        Whether the end may come earlier.

    Returns
    -------
    words : str
    """
    return "" if seconds is None else f"{'at most ' if at_most else ''}{format_duration(seconds)} left"


class TimeEstimator:
    """How long the rest takes if it goes on as before.

    What is done first takes longer (things are loaded, compiled, tuned): it is not counted once there is something else
    to go by, and if it is no whole unit, nothing is said before.

    Parameters
    ----------
    total : float
        All there is to do, in any unit.
    done : float, default=0
        What is done already.
    """

    def __init__(self, total, done=0):
        self.total = total
        self.begun = self.first = self.last = (time.perf_counter(), done)

    def update(self, done):
        """So much is done now."""
        if done > self.last[1]:
            self.last = time.perf_counter(), done
            if self.first is self.begun:
                self.first = self.last

    @property
    def elapsed(self):
        """Seconds since the beginning."""
        return time.perf_counter() - self.begun[0]

    def seconds_left(self):
        """Seconds left; None as long as there is nothing to go by."""
        only_first = self.last is self.first
        start, done = self.begun if only_first else self.first
        now, now_done = self.last
        if only_first and now_done - done < 1:
            return None
        waited = time.perf_counter() - now
        return max(0.0, (now - start) / (now_done - done) * (self.total - now_done) - waited)


class Bar:
    """A bar, drawn as something goes on; it is closed at the end of a `with` block.

    It needs no thread: it is drawn by `update`, five times a second at most.

    Parameters
    ----------
    what : str
        What goes on: "training".
    total : int
        All there is to do.
    unit : str
        Of which kind: "epochs".
    done : float, default=0
        What is done already.
    at_most : bool, default=False
        Whether the end may come earlier.
    on : Lines, Notebook or Terminal, default=None
        Where it is drawn; None is where standard error goes.
    """

    def __init__(self, what, total, unit, done=0, at_most=False, on=None):
        self.what, self.total, self.unit, self.done, self.at_most = what, total, unit, done, at_most
        self.estimator, self.note, self.closed = TimeEstimator(total, done), "", False
        self.drawn = time.perf_counter()
        self.screen = screen() if on is None else on
        self.screen.open(self)

    def update(self, done, note=None):
        """Say how much is done.

        Parameters
        ----------
        done : float
            All that is done.
        note : str or None, default=None
            What stands below the bar; None for what stood there before.
        """
        self.done = done
        self.note = self.note if note is None else note
        self.estimator.update(done)
        if time.perf_counter() - self.drawn >= self.screen.seconds_between:
            self.drawn = time.perf_counter()
            self.screen.draw(self)

    def close(self):
        """Leave the bar as it is, whether all is done or not."""
        if not self.closed:
            self.closed = True
            self.screen.close(self)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def texts(self):
        """How much is done, how long it took and takes, and the note."""
        left = "" if self.closed else format_time_left(self.estimator.seconds_left(), self.at_most)
        times = ", ".join(filter(None, [format_duration(self.estimator.elapsed), left]))
        return f"{int(self.done):,}/{self.total:,} {self.unit}", times, self.note

    def __str__(self):
        return "  ".join(filter(None, [self.what, *self.texts()]))

    def __rich__(self):
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        *texts, note = self.texts()
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_row(self.what, ProgressBar(self.total, self.done, width=WIDTH), *texts)
        rows = Table.grid()
        rows.add_row(row)
        if note:
            rows.add_row(Text(" " * (len(self.what) + 2) + note, no_wrap=True, overflow="ellipsis"))
        return rows


class Lines:
    """A line now and then, and one at the end: in a file, in a worker process, below somebody else's bar.

    Parameters
    ----------
    on_stdout : bool, default=False
        Whether to print to standard output, whose last line is the caller's.
    """

    seconds_between = SECONDS_BETWEEN_LINES

    def __init__(self, on_stdout=False):
        self.on_stdout = on_stdout

    def open(self, bar):
        """Nothing is printed before there is something to say."""

    def draw(self, bar):
        """Print the bar as it is."""
        print(bar, file=sys.stdout if self.on_stdout else sys.stderr, flush=True)

    def close(self, bar):
        """Print how it ended."""
        if not self.on_stdout:
            self.draw(bar)


class Notebook:
    """An output of a cell, which is replaced; without widgets, so that nothing has to be installed for them."""

    seconds_between = SECONDS_BETWEEN

    def open(self, bar):
        """Show the bar below the cell."""
        from IPython.display import display

        self.handle = display(bar.__rich__(), display_id=True)

    def draw(self, bar):
        """Show it as it is now."""
        self.handle.update(bar.__rich__())

    close = draw


class Terminal:
    """The last lines of a terminal, one for each bar: several threads may have one."""

    seconds_between = SECONDS_BETWEEN

    def __init__(self):
        self.lock, self.bars, self.live = threading.RLock(), [], None

    def open(self, bar):
        """Put a bar below the others."""
        from rich.console import Console
        from rich.live import Live

        with self.lock:
            self.bars.append(bar)
            if self.live is None:
                self.live = Live(
                    console=Console(file=sys.stderr),
                    get_renderable=self.together,
                    auto_refresh=False,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self.live.start()
            self.live.refresh()

    def together(self):
        """All bars, for rich."""
        from rich.console import Group

        return Group(*self.bars)

    def draw(self, bar):
        """Draw all bars."""
        with self.lock:
            self.live.refresh()

    def close(self, bar):
        """Leave a bar where it is: above those that go on."""
        with self.lock:
            try:
                if self.bars != [bar]:
                    self.bars.remove(bar)
                    self.live.console.print(bar)
                else:
                    self.live.stop()
            finally:
                if bar in self.bars:
                    self.bars.remove(bar)
                self.live = self.live if self.bars else None


TERMINAL = Terminal()


def screen():
    """Where a bar is drawn that begins now."""
    from rich.console import Console
    from rich.file_proxy import FileProxy

    if process["forked"] or multiprocessing.parent_process() is not None or isinstance(sys.stderr, FileProxy):
        return Lines()
    if Console(file=sys.stderr).is_jupyter:
        return Notebook()
    is_terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return TERMINAL if is_terminal else Lines()


def with_progress(blocks, size, n, verbose, words):
    """Blocks of things as they are worked on.

    Parameters
    ----------
    blocks : iterable
        One after another.
    size : int
        Things in a block, but for the last.
    n : int
        Things in all.
    verbose : int
        1 prints a line at the end, and before, if it takes long; 2 shows a bar.
    words : tuple of str
        What is done, to what, and what is said at the end: ("embedding", "rows", "embedded").
    """
    if not verbose:
        yield from blocks
        return
    doing, things, done = words
    with Bar(doing, n, things, on=Lines(on_stdout=True) if verbose == 1 else None) as bar:
        for i, block in enumerate(blocks, 1):
            yield block
            bar.update(min(i * size, n))
    if verbose == 1:
        print(f"{n:,} {things} {done} in {bar.estimator.elapsed:.1f} s", flush=True)

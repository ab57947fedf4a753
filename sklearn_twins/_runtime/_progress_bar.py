"""Progress: a bar in a terminal or a notebook, plain lines elsewhere, and the time left."""

import sys
import time

from ._printing import droppable, print_line

SECONDS_BETWEEN_LINES = 30


def one_or_more(n, things):
    """The word for things, "epochs", or for one of them."""
    return things.removesuffix("s") if n == 1 else things


def format_duration(seconds):
    """Write seconds in words: "12 s", "3 min 05 s", "1 h 05 min"."""
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
    hours, minutes = divmod(minutes + (seconds >= 30), 60)
    return f"{hours} h {minutes:02d} min"


def format_time_left(seconds, at_most=False):
    """Write the time left in words; an empty string if it is unknown.

    Parameters
    ----------
    seconds : float or None
        Time left; None if it is unknown.
    at_most : bool, default=False
        Whether the work may end earlier.

    Returns
    -------
    words : str
    """
    return "" if seconds is None else f"{'at most ' if at_most else ''}{format_duration(seconds)} left"


class TimeEstimator:
    """Estimate the time left from the pace so far.

    The first update is slow (data is loaded, code compiled, kernels are chosen), so it is left out as soon as there is
    a second one. Before that there is an estimate only if the first update covers a whole unit.

    Parameters
    ----------
    total : float
        Units in all: epochs, rows, ...
    done : float, default=0
        Units done before.
    """

    def __init__(self, total, done=0):
        self.total = total
        self.begun = self.first = self.last = (time.perf_counter(), done)

    def update(self, done):
        """Note how many units are done now."""
        if done > self.last[1]:
            self.last = time.perf_counter(), done
            if self.first is self.begun:
                self.first = self.last

    @property
    def elapsed(self):
        """Seconds since the beginning."""
        return max(0.0, time.perf_counter() - self.begun[0])  # a test's clock may stand still, or go back

    def seconds_left(self):
        """Estimate the seconds left; None if it is too early."""
        only_first = self.last is self.first
        start, done = self.begun if only_first else self.first
        now, now_done = self.last
        if only_first and now_done - done < 1:
            return None
        waited = time.perf_counter() - now
        return max(0.0, (now - start) / (now_done - done) * (self.total - now_done) - waited)


class Bar:
    """A progress bar; close it, or use it in a `with` block.

    It starts no thread: `update` draws it, five times a second at most.

    Parameters
    ----------
    description : str
        Name of the work: "training".
    total : int
        Units in all.
    unit : str
        Name of the units: "epochs".
    done : float, default=0
        Units done before.
    at_most : bool, default=False
        Whether the work may end earlier.
    display : Lines, Notebook or Terminal, default=None
        Where to draw; None chooses by where standard error goes.
    """

    def __init__(self, description, total, unit, done=0, at_most=False, display=None):
        self.description, self.total, self.unit, self.done, self.at_most = description, total, unit, done, at_most
        self.estimator, self.note, self.closed = TimeEstimator(total, done), "", False
        self.last_drawn = time.perf_counter()
        self.display = Lines() if display is None else display
        with droppable(sys.stderr):
            if display is None:
                from ._rich_display import choose_display  # rich is imported only if a bar is shown

                self.display = choose_display(self.display)
            self.display.open(self)

    def update(self, done, note=None):
        """Note how many units are done now.

        Parameters
        ----------
        done : float
            Units done in all.
        note : str or None, default=None
            Text below the bar; None keeps the last one.
        """
        self.done = done
        self.note = self.note if note is None else note
        self.estimator.update(done)
        if time.perf_counter() - self.last_drawn >= self.display.seconds_between:
            self.last_drawn = time.perf_counter()
            with droppable(sys.stderr):
                self.display.draw(self)

    def close(self):
        """Draw the bar a last time, and leave it there."""
        if not self.closed:
            self.closed = True
            with droppable(sys.stderr):
                self.display.close(self)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    @property
    def status(self):
        """Units done, time elapsed and time left, in words."""
        left = "" if self.closed else format_time_left(self.estimator.seconds_left(), self.at_most)
        times = ", ".join(filter(None, [format_duration(self.estimator.elapsed), left]))
        return f"{int(self.done):,}/{self.total:,} {one_or_more(self.total, self.unit)}  {times}"

    def __str__(self):
        return "  ".join(filter(None, [self.description, self.status, self.note]))


class Lines:
    """Print a line now and then, and one at the end: in files, in worker processes, below another program's bar.

    Parameters
    ----------
    on_stdout : bool, default=False
        Whether to print to standard output, without the line at the end.
    """

    seconds_between = SECONDS_BETWEEN_LINES

    def __init__(self, on_stdout=False):
        self.on_stdout = on_stdout

    def open(self, bar):
        """Print nothing yet."""

    def draw(self, bar):
        """Print the bar's state."""
        print_line(str(bar), None if self.on_stdout else sys.stderr)

    def close(self, bar):
        """Print the bar's last state."""
        if not self.on_stdout:
            self.draw(bar)


def with_progress(blocks, size, n, verbose, words):
    """Yield blocks, and show how many are done.

    Parameters
    ----------
    blocks : iterable
        Blocks of rows, images, ...
    size : int
        Things in a block; the last one may have fewer.
    n : int
        Things in all.
    verbose : int
        1 prints a line at the end, and lines before it if the work takes long; 2 shows a bar.
    words : tuple of str
        Verb, things, and verb of the last line: ("embedding", "rows", "embedded").

    Yields
    ------
    block : object
    """
    if not verbose:
        yield from blocks
        return
    doing, things, done = words
    with Bar(doing, n, things, display=Lines(on_stdout=True) if verbose == 1 else None) as bar:
        for i, block in enumerate(blocks, 1):
            yield block
            bar.update(min(i * size, n))
    if verbose == 1:
        print_line(f"{n:,} {one_or_more(n, things)} {done} in {bar.estimator.elapsed:.1f} s")

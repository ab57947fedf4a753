"""Bars drawn by rich: in a terminal, one display for all threads; in a notebook, the output of the cell."""

import functools
import multiprocessing
import os
import sys
import threading

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from ._forks import is_forked

BAR_WIDTH = 24  # characters
SECONDS_BETWEEN_DRAWINGS = 0.2


class Bars(Progress):
    """rich's progress display, without its thread; each bar may have a note on a second line."""

    def __init__(self):
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(BAR_WIDTH),
            TextColumn("{task.fields[bar].status}"),
            console=Console(file=sys.stderr),
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def add(self, bar):
        """Add a bar below the others."""
        bar.task = self.add_task(bar.description, total=bar.total, completed=bar.done, bar=bar)

    def render_task(self, task):
        """Render a bar and its note."""
        yield self.make_tasks_table([task])
        if note := task.fields["bar"].note:
            yield Text(" " * (len(task.description) + 1) + note, no_wrap=True, overflow="ellipsis")

    def get_renderables(self):
        """Render all bars."""
        for task in self.tasks:
            yield from self.render_task(task)


def forgets_if_broken(method):
    """Decorate a method of `Terminal`: if it fails, the next bar begins anew."""

    @functools.wraps(method)
    def wrapper(self, bar):
        try:
            method(self, bar)
        except Exception:
            self.bars = None
            raise

    return wrapper


class Terminal:
    """The last lines of the terminal, one bar below the other: several threads may have one."""

    seconds_between = SECONDS_BETWEEN_DRAWINGS

    def __init__(self):
        self.lock, self.bars = threading.RLock(), None

    @forgets_if_broken
    def open(self, bar):
        """Add a bar below the others."""
        with self.lock:
            if self.bars is None:
                self.bars = Bars()
                self.bars.start()
            self.bars.add(bar)

    @forgets_if_broken
    def draw(self, bar):
        """Draw all bars."""
        self.bars.update(bar.task, completed=bar.done, refresh=True)

    @forgets_if_broken
    def close(self, bar):
        """Leave a bar where it is: above those that go on."""
        with self.lock:
            bars = self.bars
            bars.update(bar.task, completed=bar.done)
            if len(bars.tasks) == 1:
                self.bars = None
                bars.stop()
                return
            (task,) = (task for task in bars.tasks if task.id == bar.task)
            bars.remove_task(bar.task)
            bars.refresh()
            bars.console.print(*bars.render_task(task))


TERMINAL = Terminal()


class Notebook:
    """The output of a cell, replaced through IPython's display handle; rich's own way would need ipywidgets."""

    seconds_between = SECONDS_BETWEEN_DRAWINGS

    def open(self, bar):
        """Show the bar below the cell."""
        from IPython.display import display

        self.bars = Bars()
        self.bars.add(bar)
        self.handle = display(self.bars, display_id=True)

    def draw(self, bar):
        """Replace the bar by its new state."""
        self.bars.update(bar.task, completed=bar.done)
        self.handle.update(self.bars)

    close = draw


def choose_display(lines):
    """Choose where a bar is drawn: a terminal, a notebook, or `lines` where a bar would be in the way."""
    if is_forked() or multiprocessing.parent_process() is not None or isinstance(sys.stderr, FileProxy):
        return lines  # FileProxy: another program's rich display has taken over standard error
    if Console(file=sys.stderr).is_jupyter:
        return Notebook()
    is_terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return TERMINAL if is_terminal else lines

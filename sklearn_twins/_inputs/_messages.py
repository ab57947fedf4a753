"""Values and names in messages: cut, so that no message is longer than a screen."""

import contextlib
import reprlib

N_NAMES = 5  # names that a message lists
LONGEST = 1_000  # characters of a message


class _Short(reprlib.Repr):
    def __init__(self):
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 80

    def repr_bytes(self, value, level):
        return self.repr_str(value, level) if len(value) > self.maxstring else repr(value)


_short = _Short()


def show(value):
    """Show a value as its `repr`, cut in the middle.

    Parameters
    ----------
    value : object
        What came.

    Returns
    -------
    text : str
        At most some hundred characters on one line.
    """
    return cut(" ".join(_short.repr(value).split("\n")), 300)


def cut(text, most=LONGEST):
    """Cut a text in its middle to at most `most` characters."""
    half = (most - 5) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def show_names(names, form=show):
    """List names or other words, the first few of them.

    Parameters
    ----------
    names : sequence
        At least one.
    form : callable, default=show
        How to write one.

    Returns
    -------
    text : str
        Such as "'a', 'b', 'c', 'd', 'e' and 95 more".
    """
    shown, more = list(map(form, names[:N_NAMES])), len(names) - N_NAMES
    return ", ".join(cut(text, 300) for text in shown) + (f" and {more:,} more" if more > 0 else "")


@contextlib.contextmanager
def short_messages():
    """Cut messages that quote X or a parameter, as scikit-learn's do."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (cut(error.args[0]),)
        raise

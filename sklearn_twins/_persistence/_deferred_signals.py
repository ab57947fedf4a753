"""Hold back SIGINT and SIGTERM during work that must not be interrupted, and deliver them afterwards."""

import signal
import threading

HELD = (signal.SIGINT, signal.SIGTERM)


class HeldSignals:
    """A context that holds the first signal back until it is delivered or the context ends.

    A second one does not wait. Only the main thread of a process receives signals; elsewhere nothing is held.

    Attributes
    ----------
    noted : int or None
        The signal that waits.
    """

    def __init__(self):
        self.noted, self._before = None, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in HELD:
                if signal.getsignal(number) is not None:  # else it is not Python's, and could not be put back
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        self.deliver()

    def _note(self, number, frame):
        again, self.noted = self.noted is not None, number
        if again:
            self.deliver()

    def deliver(self):
        """Restore the handlers, and call that of the signal that was held back, if any."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before, noted, self.noted = {}, self.noted, None
        if noted is not None:
            signal.raise_signal(noted)

"""What the processes of one fit share: connections of their own, and a board for the reason why one of them fails."""

import contextlib
import threading
import time
import traceback
from datetime import timedelta

import torch.distributed as dist

SECONDS_BETWEEN_LOOKS = 0.5  # at the board, and for an interrupt while waiting
SECONDS_BETWEEN_ASKING = 0.05  # whether the others have read a reason
PATIENCE = 5  # seconds; the board does not answer if the process that keeps it has stopped
MAX_REASON = 1_000  # characters


class OtherProcessError(RuntimeError):
    """Another of the processes that train together has failed, or does not answer."""


class Channel:
    """Connections between the processes of one fit.

    A process that fails writes the reason on the board, waits until the others have read it, and closes its
    connections. The others then cannot finish what they exchange, and fail too, with that reason. Each fit has new
    connections, since nobody knows what is on its way in those of a fit that has failed.

    Parameters
    ----------
    device : torch.device
        Device of the tensors of a step. Those on a GPU are exchanged by the default group, in the order of the GPU's
        work.
    """

    def __init__(self, device):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        store = dist.distributed_c10d._get_default_store()
        self.timeout, self.on_gpu, self.pending = timeout_of_group(device, store), device.type == "cuda", None
        try:
            self.group = dist.new_group(backend="gloo", timeout=self.timeout)
        except RuntimeError as error:
            raise OtherProcessError(
                f"Not all of the {self.size} processes that train together have called fit within {self.timeout}, the "
                f"timeout of the process group ({first_line(error)})."
            ) from error
        self.board = Board(store, self.group.group_name, self.rank, self.size)

    def run(self, exchange, *args, on_cpu=False):
        """Exchange tensors by a function of `torch.distributed`.

        Parameters
        ----------
        exchange : callable
            ``exchange(*args, group=, async_op=)``
        *args : tuple
            Tensors and options.
        on_cpu : bool, default=False
            Whether the tensors are on the CPU, whatever the device of the steps.

        Raises
        ------
        OtherProcessError
            If another process has failed, or does not answer.
        """
        if self.on_gpu and not on_cpu:
            exchange(*args)  # queued; the CPU does not wait
            return
        try:
            self.pending = exchange(*args, group=self.group, async_op=True)
            while not self.pending.is_completed():
                try:
                    self.pending.wait(timedelta(seconds=SECONDS_BETWEEN_LOOKS))
                except RuntimeError:
                    if self.pending.is_completed():
                        raise
            self.pending.wait()  # raises what went wrong, if anything
            self.pending = None
        except RuntimeError as error:
            self.pending = None
            traceback.clear_frames(error.__traceback__)  # they keep the connections open
            raise self.explain(error) from None

    def explain(self, error):
        """Make the error for an exchange that failed: with another process's reason, if there is one."""
        for rank, reason in sorted(self.board.look().items()):
            return OtherProcessError(f"Process {rank} of the {self.size} that train together has failed. {reason}")
        return OtherProcessError(
            f"Another of the {self.size} processes that train together has ended, or did not answer within "
            f"{self.timeout}, the timeout of the process group ({first_line(error)})."
        )

    def tell(self, error):
        """Tell the others that this process has failed, unless they were first."""
        is_others = isinstance(error, OtherProcessError)
        if not (is_others and self.board.reasons):
            text = str(error) if is_others else f"{type(error).__name__}: {error}"
            self.board.write(text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}...")

    def close(self):
        """Close the connections; after an interrupt not before what is on its way has arrived."""
        self.board.close()
        if dist.is_initialized():
            dist.destroy_process_group(self.group)
        if self.pending is not None and not self.pending.is_completed():
            threading.Thread(target=outlive, args=(self.group, self.pending), daemon=True).start()
        self.group = self.pending = None


def outlive(group, work):
    """Keep a group until an exchange is over; its end would wait for that, and nobody should wait with it."""
    while not work.is_completed():
        time.sleep(SECONDS_BETWEEN_LOOKS)


class Board:
    """The reasons for which processes have failed, in the store that all of them reach.

    A thread reads it now and then, since the process that keeps the store may be the one that fails and ends.

    Parameters
    ----------
    store : Store
        torch's store.
    name : str
        A name that only this fit has.
    rank, size : int
        Rank of this process, and number of processes.
    """

    def __init__(self, store, name, rank, size):
        self.store, self.keys = store, [f"sklearn_twins/{name}/{other}" for other in range(size)]
        self.own, self.reasons, self.closed, self.gone = self.keys[rank], {}, False, False
        self.asked, self.answered = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.watch, name="sklearn_twins", daemon=True)
        self.thread.start()

    @property
    def others(self):
        """Ranks and keys of the other processes."""
        return [(rank, key) for rank, key in enumerate(self.keys) if key != self.own]

    def watch(self):
        """Read the board until there is a reason on it, or the fit ends."""
        while not (self.closed or self.gone or self.reasons):
            self.asked.wait(SECONDS_BETWEEN_LOOKS)
            asked = self.asked.is_set()
            try:
                self.reasons = {
                    rank: self.store.get(key).decode() for rank, key in self.others if self.store.check([key])
                }
                if self.reasons:
                    self.store.set(f"{self.own}/has read", "")
            except RuntimeError:  # the process that keeps the store has ended
                self.gone = True
            if asked:
                self.asked.clear()
                self.answered.set()
        self.answered.set()

    def look(self):
        """Return the reasons of the others, a dict of rank and text."""
        self.asked.set()
        self.gone |= not self.answered.wait(PATIENCE)
        return self.reasons

    def write(self, reason):
        """Write this process's reason, and wait until the others have read it or have failed themselves."""
        if not self.gone:
            thread = threading.Thread(target=self.write_and_wait, args=(reason,), daemon=True)
            thread.start()
            thread.join(2 * PATIENCE)

    def write_and_wait(self, reason):
        """Write a reason, and wait for the others."""
        with contextlib.suppress(RuntimeError):  # the process that keeps the store has ended
            self.store.set(self.own, reason.encode(errors="replace").decode())
            for _ in range(int(PATIENCE / SECONDS_BETWEEN_ASKING)):
                if all(self.store.check([key]) or self.store.check([f"{key}/has read"]) for _, key in self.others):
                    return
                time.sleep(SECONDS_BETWEEN_ASKING)

    def close(self):
        """End the thread that reads."""
        self.closed = True
        self.asked.set()
        self.thread.join(0 if self.gone else PATIENCE)


def timeout_of_group(device, store):
    """The timeout of the default process group, as its maker has set it."""
    try:
        backend = dist.group.WORLD._get_backend(device)
    except RuntimeError:  # it has none for this kind of device
        return store.timeout
    return getattr(getattr(backend, "options", None), "_timeout", store.timeout)


def first_line(error):
    """The first line of an error of torch's, without the source file that it begins with."""
    return str(error).strip().split("\n")[0].split("] ", 1)[-1].split(". This is typically")[0][:200]

"""A training step recorded once and replayed: on a GPU, what Python does in a step is then a copy and one launch."""

import contextlib
import sys
import threading
import warnings
from functools import lru_cache

import torch

WARMUP_STEPS = 3  # steps as they are written, before one is recorded: they allocate, compile and choose kernels
_one_at_a_time = threading.Lock()


class RecordingError(Exception):
    """A step could not be recorded; nothing of it has been executed."""


@lru_cache(maxsize=8)
def side_stream(device):
    """The stream on which steps are recorded: one a device, since libraries keep memory for each stream they meet."""
    return torch.cuda.Stream(device)


class GraphRecorder:
    """Records what a function launches on a GPU as a CUDA graph.

    It follows torch's notes on CUDA graphs, "whole-network capture": steps on a side stream first, gradients of None
    before the recording, memory of its own for what is allocated in it.

    Parameters
    ----------
    device : torch.device
        The GPU.

    Attributes
    ----------
    rate_dtype : torch.dtype
        Of a learning rate that is a tensor, as torch's fused optimizers read it.
    """

    rate_dtype = torch.float32

    def __init__(self, device):
        index = torch.cuda.current_device() if device.index is None else device.index
        self.device = torch.device("cuda", index)
        self.reason = None

    def warm(self, function, last):
        """Call a function on the side stream, in its place among the work of the current one; return its result.

        If it is the `last` call before a recording, waits for the device in it are noticed: they cannot be recorded.
        """
        current, side = torch.cuda.current_stream(self.device), side_stream(self.device)
        with _one_at_a_time:
            side.wait_stream(current)
            with torch.cuda.stream(side), self._waits_noticed() if last else contextlib.nullcontext():
                result = function()
            current.wait_stream(side)
        return result

    def record(self, function, generators):
        """Record a function without executing anything.

        Parameters
        ----------
        function : callable
            Without arguments; returns a tensor.
        generators : list of torch.Generator
            Those it draws from. At each replay they go on, as if it had been called.

        Returns
        -------
        replay : callable
            Executes what was recorded, and returns the tensor, which the next replay overwrites.

        Raises
        ------
        RecordingError
            If it could not be recorded.
        """
        if self.reason is not None:
            raise RecordingError(self.reason)
        # A recording that breaks off may leave its stream as the current one, and generators in the midst of it.
        drawn_from = [*generators, torch.cuda.default_generators[self.device.index]]
        current, handled = torch.cuda.current_stream(self.device), sys.exc_info()[1]
        try:
            with _one_at_a_time, torch.cuda.device(self.device), torch.cuda.stream(current):
                graph = torch.cuda.CUDAGraph()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # newer versions find the generators themselves
                    for generator in generators:
                        graph.register_generator_state(generator)
                # Of this thread only: another one may be copying batches, or be in a fit of its own.
                side = side_stream(self.device)
                with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                    result = function()
        except Exception as error:
            for generator in drawn_from:
                generator.graphsafe_set_state(generator.clone_state())
            first = origin(error, handled)
            if isinstance(first, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise RecordingError(first_line(first)) from error

        def replay():
            graph.replay()
            return result

        return replay

    def close(self):
        """Wait until the last replay is done, so that its memory may go."""
        with contextlib.suppress(RuntimeError):  # which has been raised where it belongs
            torch.cuda.current_stream(self.device).synchronize()

    @contextlib.contextmanager
    def _waits_noticed(self):
        """Have torch tell of waits. A recording that meets one is spoilt, and takes more with it than need be."""
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield
            finally:
                torch.cuda.set_sync_debug_mode(before)
        for warning in told:
            if "called a synchronizing CUDA operation" in str(warning.message):
                self.reason = "an operation of the step waits for the device"


def origin(error, handled=None):
    """What an error came of: the end of a spoilt recording raises one of its own.

    An error that the caller was handling before, such as the interrupt of an earlier fit, has no part in it.
    """
    while error.__context__ not in (None, handled):
        error = error.__context__
    return error


def first_line(error):
    """What an error says, in a line."""
    return (str(error).strip() or type(error).__name__).split("\n")[0]


# By the type of the device. Elsewhere there is nothing to record with, or nothing to be gained.
RECORDERS = {"cuda": GraphRecorder}


class RecordedStep:
    """A step that is executed as it is written a few times, then recorded, and from then on replayed.

    Parameters
    ----------
    recorder : GraphRecorder
        What records it.
    """

    def __init__(self, recorder):
        self.recorder = recorder
        self.n_steps = 0
        self.x = self.replay = None

    def __call__(self, step, batch, generators):
        """Take a step.

        Parameters
        ----------
        step : callable
            ``step(x) -> losses``, one tensor; always the same function.
        batch : Tensor of shape (size, *sample_shape)
            The same shape at each step.
        generators : list of torch.Generator
            Those that the step draws from.

        Returns
        -------
        losses : Tensor
            A copy.

        Raises
        ------
        RecordingError
            If the step could not be recorded; it has then not been taken.
        """
        if self.x is None:
            self.x = torch.empty_like(batch)  # read from here by all steps
        self.x.copy_(batch)
        x = self.x
        if self.n_steps < WARMUP_STEPS:
            self.n_steps += 1
            return self.recorder.warm(lambda: step(x), last=self.n_steps == WARMUP_STEPS)
        if self.replay is None:
            self.replay = self.recorder.record(lambda: step(x), generators)
        return self.replay().clone()

    def release(self):
        """Let go of the recording and its memory."""
        if self.replay is not None:
            self.recorder.close()
        self.x = self.replay = None

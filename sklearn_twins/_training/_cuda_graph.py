"""CUDA graphs: record a training step once and replay it, with one copy and one launch per step."""

import contextlib
import sys
import threading
import warnings
from functools import lru_cache

import torch

WARMUP_STEPS = 3  # plain steps before the recording: they allocate memory, compile and choose kernels
_recording_lock = threading.Lock()


class RecordingError(Exception):
    """A step could not be recorded; it has not been executed."""


@lru_cache(maxsize=8)
def side_stream(device):
    """Make the stream for recordings: one per device, since libraries keep memory for each stream."""
    return torch.cuda.Stream(device)


class GraphRecorder:
    """Record the GPU work of a function as a CUDA graph.

    This follows "whole-network capture" in torch's notes on CUDA graphs: plain steps on a side stream first, gradients
    set to None before the recording, and a private memory pool.

    Parameters
    ----------
    device : torch.device
        The GPU.

    Attributes
    ----------
    rate_dtype : torch.dtype
        Type of a learning rate that is a tensor, as torch's fused optimizers need it.
    """

    rate_dtype = torch.float32

    def __init__(self, device):
        index = torch.cuda.current_device() if device.index is None else device.index
        self.device = torch.device("cuda", index)
        self.reason = None

    def warm(self, function, last):
        """Call a function on the side stream, in order with the current stream, and return its result.

        The `last` call before a recording detects operations that wait for the device: they cannot be recorded.
        """
        current, side = torch.cuda.current_stream(self.device), side_stream(self.device)
        with _recording_lock:
            side.wait_stream(current)
            with torch.cuda.stream(side), self._detect_waits() if last else contextlib.nullcontext():
                result = function()
            current.wait_stream(side)
        return result

    def record(self, function, generators):
        """Record a function without executing it.

        Parameters
        ----------
        function : callable
            Function without arguments that returns a tensor.
        generators : list of torch.Generator
            Generators that the function draws from. Each replay advances them, as a call would.

        Returns
        -------
        replay : callable
            Function that replays the recording, and returns the tensor. The next replay overwrites it.

        Raises
        ------
        RecordingError
            If the function could not be recorded.
        """
        if self.reason is not None:
            raise RecordingError(self.reason)
        # A failed recording may leave its stream as the current one, and generators in recording mode.
        drawn_from = [*generators, torch.cuda.default_generators[self.device.index]]
        current, handled = torch.cuda.current_stream(self.device), sys.exc_info()[1]
        try:
            with _recording_lock, torch.cuda.device(self.device), torch.cuda.stream(current):
                graph = torch.cuda.CUDAGraph()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # newer versions of torch find the generators themselves
                    for generator in generators:
                        graph.register_generator_state(generator)
                # Record this thread only: others may copy batches, or train.
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
        """Wait for the last replay, so that its memory can be freed."""
        with contextlib.suppress(RuntimeError):  # an error of the device was raised by the operation itself
            torch.cuda.current_stream(self.device).synchronize()

    @contextlib.contextmanager
    def _detect_waits(self):
        """Note a reason not to record if an operation waits for the device, which would break off the recording."""
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield
            finally:
                torch.cuda.set_sync_debug_mode(before)
        for warning in caught:
            if "called a synchronizing CUDA operation" in str(warning.message):
                self.reason = "an operation of the step waits for the device"


def origin(error, handled=None):
    """Find the first error in a chain: the end of a failed recording raises another one.

    An error that the caller was handling before, such as the interrupt of an earlier fit, does not count.
    """
    while error.__context__ not in (None, handled):
        error = error.__context__
    return error


def first_line(error):
    """Return the first line of an error's message, or its type."""
    return (str(error).strip() or type(error).__name__).split("\n")[0]


# Recorders by type of device; other devices have none.
RECORDERS = {"cuda": GraphRecorder}


class RecordedStep:
    """A training step that is executed a few times, then recorded, and replayed from then on.

    Parameters
    ----------
    recorder : GraphRecorder
        Recorder of the step.
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
            ``step(x) -> losses``, one tensor. The same function at each call.
        batch : Tensor of shape (size, *sample_shape)
            Rows of the batch. The same shape at each call.
        generators : list of torch.Generator
            Generators that the step draws from.

        Returns
        -------
        losses : Tensor
            Copy of the losses.

        Raises
        ------
        RecordingError
            If the step could not be recorded; it has not been executed.
        """
        if self.x is None:
            self.x = torch.empty_like(batch)  # all steps read from here
        self.x.copy_(batch)
        x = self.x
        if self.n_steps < WARMUP_STEPS:
            self.n_steps += 1
            return self.recorder.warm(lambda: step(x), last=self.n_steps == WARMUP_STEPS)
        if self.replay is None:
            self.replay = self.recorder.record(lambda: step(x), generators)
        return self.replay().clone()

    def release(self):
        """Free the recording and its memory."""
        if self.replay is not None:
            self.recorder.close()
        self.x = self.replay = None

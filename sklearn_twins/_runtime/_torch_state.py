"""Torch's global state: threads, autocast, generators, cuDNN; set for a computation and restored after it."""

import contextlib
import multiprocessing
import os
import threading

import joblib
import torch

from ._forks import is_forked

MAX_THREADS = 1_024  # above the cores of any machine, below the number with which torch fails

_threads_lock = threading.Lock()
_generators_lock = threading.RLock()
_pinned = {"users": 0, "outer": None, "inner": None}
_cudnn_lock = threading.Lock()
_cudnn = {"users": 0, "outer": None}
_nested = threading.local()


def reset_after_fork():
    """Release the locks in a forked process: the threads that held them are not there."""
    global _threads_lock, _generators_lock, _cudnn_lock
    _threads_lock, _generators_lock, _cudnn_lock = threading.Lock(), threading.RLock(), threading.Lock()
    _pinned["users"] = getattr(_nested, "depth", 0)
    _cudnn["users"] = min(_cudnn["users"], _pinned["users"])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reset_after_fork)


@contextlib.contextmanager
def isolated_torch_state(device, n_threads):
    """Isolate torch code from the caller's modes, in a context.

    Inside it gradients are enabled, inference mode and autocast are off, the default device is the CPU, and torch uses
    `n_threads` intra-op threads. The caller's state is restored at the end.

    Parameters
    ----------
    device : torch.device
        Device of the computation.
    n_threads : int
        Intra-op threads on the CPU.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # this also records gradients, whatever the caller does
        for kind in {"cpu", device.type}:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(pin_threads(n_threads))
        yield


@contextlib.contextmanager
def pin_threads(n_threads):
    """Set the number of intra-op threads of this Python thread, and restore it.

    torch keeps one number for each Python thread, but a new thread starts with the number that any thread set last. A
    thread that was started during a fit would therefore keep the fit's number; it gets the number from before the
    first of the running fits instead.
    """
    with _threads_lock:
        before = torch.get_num_threads()
        if _pinned["users"] == 0:
            _pinned["outer"] = before
        elif before == _pinned["inner"] and not hasattr(_nested, "depth"):
            before = _pinned["outer"]
        _nested.depth = getattr(_nested, "depth", 0) + 1
        _pinned["users"] += 1
        _pinned["inner"] = n_threads
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        with _threads_lock:
            _pinned["users"] -= 1
            _nested.depth -= 1
            torch.set_num_threads(before)


@contextlib.contextmanager
def tune_convolutions(device):
    """Let cuDNN find the fastest kernel for each shape, in a context; restore its setting.

    This pays in a fit, whose batches have one shape. It is skipped if the caller has asked for deterministic kernels.
    TF32 stays as the caller has set it.

    Parameters
    ----------
    device : torch.device
        Device of the convolutions; nothing is done if it is the CPU.
    """
    cudnn = torch.backends.cudnn
    if device.type != "cuda" or cudnn.deterministic or torch.are_deterministic_algorithms_enabled():
        yield
        return
    with _cudnn_lock:  # one setting for all threads: the first fit saves it, the last one restores it
        if _cudnn["users"] == 0:
            _cudnn["outer"] = cudnn.benchmark
        _cudnn["users"] += 1
        cudnn.benchmark = True
    try:
        yield
    finally:
        with _cudnn_lock:
            _cudnn["users"] -= 1
            if _cudnn["users"] == 0:
                cudnn.benchmark = _cudnn["outer"]


def count_threads(n_jobs):
    """Count the intra-op threads for `n_jobs`: one for None; negative numbers count from the cores, as in joblib.

    There are no more threads than cores: more would only wait, and a file could ask for a thousand.
    A worker process gets its own share at most. A forked process gets one thread, since OpenMP would wait forever for
    the threads of the parent.
    """
    if n_jobs is None:
        return 1
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning. Use None for one thread, -1 for all cores, or a positive number.")
    if n_jobs > MAX_THREADS:
        raise ValueError(f"n_jobs={n_jobs} must be {MAX_THREADS:,} at most. Use -1 for all cores.")
    if is_forked():
        return 1
    n_threads = min(joblib.effective_n_jobs(n_jobs), joblib.cpu_count())
    in_worker = multiprocessing.parent_process() is not None
    return min(n_threads, torch.get_num_threads()) if in_worker else n_threads


@contextlib.contextmanager
def seed_global_generators(seed, device):
    """Seed torch's global generators and set the default dtype to float32, in a context; restore both.

    Modules from outside the package need this: their initial weights and dropout use the global generators and the
    default dtype. All threads share these, so one thread at a time may be in this context.
    """
    cuda = device.type == "cuda"
    with _generators_lock, torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        default_dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(default_dtype)

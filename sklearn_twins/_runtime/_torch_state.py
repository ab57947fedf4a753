"""Torch's global state: threads, autocast, generators, cuDNN; set for a computation and restored after it."""

import contextlib
import multiprocessing
import os
import threading

import joblib
import torch

from ._forks import process

MOST_THREADS = 1_024  # more than any machine has cores for, and less than torch would fail with

_threads_lock = threading.Lock()
_generators_lock = threading.RLock()
_pinned = {"users": 0, "outer": None, "inner": None}
_cudnn_lock = threading.Lock()
_cudnn = {"users": 0, "outer": None}
_nested = threading.local()


def start_anew():
    """In a forked process there are no other threads, whatever they held."""
    global _threads_lock, _generators_lock, _cudnn_lock
    _threads_lock, _generators_lock, _cudnn_lock = threading.Lock(), threading.RLock(), threading.Lock()
    _pinned["users"] = getattr(_nested, "depth", 0)
    _cudnn["users"] = min(_cudnn["users"], _pinned["users"])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)


@contextlib.contextmanager
def isolated_torch_state(device, n_threads):
    """Run torch code the same way whatever the caller's ambient state is.

    Inside, gradients can be computed, autocast is off, tensors are made on the CPU unless said otherwise, and
    `n_threads` threads share one operation. All of it is as it was before when the context ends.

    Parameters
    ----------
    device : torch.device
        Device of the computation.
    n_threads : int
        Intra-op threads on the CPU.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in {"cpu", device.type}:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(pin_threads(n_threads))
        yield


@contextlib.contextmanager
def pin_threads(n_threads):
    """Pin the intra-op threads of this Python thread, and put them back.

    torch keeps the number for each thread, but hands a new thread the number set last by any: one started
    during a fit finds the fit's, and is given back what the first fit found. A thread that has been here before has a
    number of its own.
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
    """Let cuDNN try its kernels for each shape that it meets, and keep the quickest; its setting is put back.

    For a fit, whose batches are all alike. Not where deterministic kernels are asked for. Whether products are made in
    TF32 is left to torch's own settings, as the caller has them.

    Parameters
    ----------
    device : torch.device
        Where convolutions are computed; nothing is done unless by CUDA.
    """
    cudnn = torch.backends.cudnn
    if device.type != "cuda" or cudnn.deterministic or torch.are_deterministic_algorithms_enabled():
        yield
        return
    with _cudnn_lock:  # the setting is the process's: the first fit remembers it, the last one puts it back
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
    """Intra-op threads for `n_jobs`: None is one, negative numbers count from the cores, as in joblib.

    In a worker process never more than the worker's own share; in a forked one 1, since OpenMP waits forever for the
    threads that it had before the fork.
    """
    if n_jobs is None:
        return 1
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning. Use None for one thread, -1 for all cores, or a positive number.")
    if n_jobs > MOST_THREADS:
        raise ValueError(f"n_jobs={n_jobs} must be {MOST_THREADS:,} at most. Use -1 for all cores.")
    if process["forked"]:
        return 1
    n_threads = joblib.effective_n_jobs(n_jobs)
    in_worker = multiprocessing.parent_process() is not None
    return min(n_threads, torch.get_num_threads()) if in_worker else n_threads


@contextlib.contextmanager
def seed_global_generators(seed, device):
    """Seed torch's global generators for code that draws from them, and put them back.

    For modules of the user's: their dropout and initial weights know no other source, and no other type than the
    default one, which is float32 meanwhile. One thread at a time, since all this is shared.
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

"""Where torch runs, and in which precision; and how worker processes share the GPUs."""

import contextlib
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist

DEVICES = ("cpu", "cuda")
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}
LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun and accelerate set
GPU_FITS = 2  # of worker processes on one GPU at a time. Not measured: small networks leave it idle, memory is finite
SECONDS_BETWEEN_LOOKS = 0.05


def choose_device(device):
    """The torch device that `device` stands for.

    Parameters
    ----------
    device : str or torch.device
        "auto" is the GPU where CUDA has one, else the CPU; of processes that train together, each one's own GPU.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the device is unknown or not present.
    """
    if isinstance(device, str) and device == "auto":
        device = own_gpu() if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        if chosen.type not in DEVICES:
            raise RuntimeError(f"it is none of {', '.join(DEVICES)}")
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, ImportError, NotImplementedError) as error:
        reason = str(error).strip().split("\n")[0]
        remedy = "Use device='auto' or 'cpu'."
        if "forked" in reason:
            remedy = "Start workers anew instead of forking them, as joblib's backend 'loky' does, or use device='cpu'."
        raise ValueError(f"device={device!r} cannot be used here ({reason}). {remedy}") from error
    return chosen


def own_gpu():
    """The GPU of this process: its local rank's, if it is one of several that train together."""
    if is_launched() and "LOCAL_RANK" in os.environ:
        return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
    return "cuda"


def choose_precision(precision, device):
    """The dtype of autocast, or None for plain float32.

    "auto" is float32 on the CPU, and bfloat16 on GPUs that compute in it.
    """
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"precision={precision!r} is not known. Use 'auto', {' or '.join(map(repr, PRECISIONS))}.")
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)  # older ones emulate it
        precision = "bfloat16" if fast else "float32"
    return PRECISIONS[precision]


def is_launched():
    """Whether this process is one of several that train together: see `sklearn_twins.training.join`.

    Either the caller has made a process group, or torchrun, accelerate or the like has started it. Worker processes of
    such a one are not.
    """
    if not dist.is_available():
        return False
    if dist.is_initialized():
        return dist.get_world_size() > 1
    if multiprocessing.parent_process() is not None or not all(name in os.environ for name in LAUNCHED):
        return False
    return int(os.environ["WORLD_SIZE"]) > 1


def is_out_of_memory(error):
    """Whether torch could not get memory, on a GPU or on the CPU, for which it has no error of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def out_of_memory_error(batch, device):
    """The error of a training for which there is too little memory.

    Parameters
    ----------
    batch : int
        Rows in a batch.
    device : torch.device
        Where it was training.
    """
    remedies = f"Use batch_size={max(2, batch // 2)} or less, a smaller encoder or projector"
    if device.type == "cuda":
        remedies += ", or storage='host' if samples take much of it"
    return MemoryError(f"There is too little memory on {device} for a step of {batch} rows. {remedies}.")


@contextlib.contextmanager
def claim_device(device, verbose=0):
    """The device of a fit, claimed for as long as the fit takes.

    Of a worker process, "auto" is the GPU with the fewest fits of other workers, of which each has two at a time;
    further ones wait. Every other process, and every other device, has its way at once.

    Parameters
    ----------
    device : str
        The embedder's parameter.
    verbose : int, default=0
        1 or more prints where a worker trains.

    Yields
    ------
    device : torch.device
    """
    in_worker = multiprocessing.parent_process() is not None and not is_launched()
    if device != "auto" or not in_worker or not torch.cuda.is_available():
        yield choose_device(device)
        return
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else range(torch.cuda.device_count())
    with claim_slot([f"gpu-{name}" for name in names], GPU_FITS) as gpu:
        if verbose:
            print(f"worker {os.getpid()}: cuda:{gpu}, one of at most {GPU_FITS} fits there", flush=True)
        yield choose_device(f"cuda:{gpu}")


@contextlib.contextmanager
def claim_slot(names, n_places):
    """Claim one of several places at one of several things, among all processes of this user; wait until one is free.

    A place is a lock on a file, which the system gives back when its process ends, however it ends.

    Parameters
    ----------
    names : list of str
        The things.
    n_places : int
        At each of them.

    Yields
    ------
    number : int
        Of the thing; first places are given before second ones.
    """
    from filelock import FileLock, Timeout  # which torch comes with

    directory = Path(tempfile.gettempdir(), f"sklearn_twins-{os.getuid() if hasattr(os, 'getuid') else ''}")
    directory.mkdir(mode=0o700, exist_ok=True)
    places = [(number, f"{name}-{place}.lock") for place in range(n_places) for number, name in enumerate(names)]
    while True:
        for number, file in places:
            lock = FileLock(directory / file)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                yield number
            finally:
                lock.release()
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)

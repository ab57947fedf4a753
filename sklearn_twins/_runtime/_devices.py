"""Devices and precision, and how worker processes share GPUs."""

import contextlib
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist

from ._printing import print_line

DEVICES = ("cpu", "cuda")
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}
LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # set by torchrun and accelerate
FITS_PER_GPU = 2  # fits of worker processes on one GPU at a time; a guess, not measured
SECONDS_BETWEEN_ATTEMPTS = 0.05


def choose_device(device):
    """Choose the torch device for the parameter `device`.

    Parameters
    ----------
    device : str or torch.device
        "auto" is the GPU if CUDA has one, else the CPU. Processes that train together get one GPU each.

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
            raise RuntimeError(f"not one of {', '.join(DEVICES)}")
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, ImportError, NotImplementedError) as error:
        reason = str(error).strip().split("\n")[0]
        remedy = "Use device='auto' or 'cpu'."
        if "forked" in reason:
            remedy = "Start workers anew instead of forking them, as joblib's backend 'loky' does, or use device='cpu'."
        raise ValueError(f"device={device!r} cannot be used here ({reason}). {remedy}") from error
    return chosen


def own_gpu():
    """Name the GPU of this process: that of its local rank if several processes train together."""
    if is_launched() and "LOCAL_RANK" in os.environ:
        return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
    return "cuda"


def choose_precision(precision, device):
    """Choose the dtype of autocast; None is plain float32.

    "auto" is float32 on the CPU, and bfloat16 on GPUs that support it in hardware.
    """
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"precision={precision!r} is not known. Use 'auto', {' or '.join(map(repr, PRECISIONS))}.")
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)  # older GPUs emulate it
        precision = "bfloat16" if fast else "float32"
    return PRECISIONS[precision]


def is_launched():
    """Whether this process is one of several that train together.

    It is if the caller has made a process group, or if a launcher such as torchrun or accelerate has started it. Its
    own worker processes train alone.
    """
    if not dist.is_available():
        return False
    if dist.is_initialized():
        return dist.get_world_size() > 1
    if multiprocessing.parent_process() is not None or not all(name in os.environ for name in LAUNCHER_VARIABLES):
        return False
    return int(os.environ["WORLD_SIZE"]) > 1


NO_MEMORY = ("can't allocate memory", "annot allocate memory", "failed to map segment")  # torch, the system, its loader


def is_out_of_memory(error):
    """Whether memory ran out, in this error or in one that caused it; on the CPU only torch's message says so."""
    while error is not None:
        told = isinstance(error, (ImportError, OSError, RuntimeError)) and any(text in str(error) for text in NO_MEMORY)
        if told or isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            return True
        error = error.__cause__ or error.__context__
    return False


def out_of_memory_error(batch, device):
    """Make the error for a training step that ran out of memory.

    Parameters
    ----------
    batch : int
        Rows in a batch.
    device : torch.device
        Device of the training.
    """
    remedies = f"Use batch_size={max(2, batch // 2)} or less, a smaller encoder or projector"
    if device.type == "cuda":
        remedies += ", or storage='host' if samples take much of it"
    return MemoryError(f"There is too little memory on {device} for a step of {batch} rows. {remedies}.")


@contextlib.contextmanager
def claim_device(device, verbose=0):
    """Claim the device of a fit, in a context.

    For "auto" in a worker process this is the GPU with the fewest fits. Each GPU takes two fits of workers at a time,
    and further ones wait. In every other case the fit starts immediately.

    Parameters
    ----------
    device : str
        Parameter of the embedder.
    verbose : int, default=0
        1 or more prints the GPU of a worker.

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
    with claim_slot([f"gpu-{name}" for name in names], FITS_PER_GPU) as gpu:
        if verbose:
            print_line(f"worker {os.getpid()}: cuda:{gpu}, one of at most {FITS_PER_GPU} fits there")
        yield choose_device(f"cuda:{gpu}")


@contextlib.contextmanager
def claim_slot(names, n_slots):
    """Claim a slot of one of several resources, in a context; wait until one is free.

    All processes of the user share the slots. A slot is a lock on a file, which the system releases when its process
    ends, even if it is killed.

    Parameters
    ----------
    names : list of str
        Names of the resources.
    n_slots : int
        Slots of each resource.

    Yields
    ------
    number : int
        Position of the resource in `names`. All first slots are given before the second ones.
    """
    from filelock import FileLock, Timeout

    directory = Path(tempfile.gettempdir(), f"sklearn_twins-{os.getuid() if hasattr(os, 'getuid') else ''}")
    directory.mkdir(mode=0o700, exist_ok=True)
    slots = [(number, f"{name}-{slot}.lock") for slot in range(n_slots) for number, name in enumerate(names)]
    while True:
        for number, file in slots:
            lock = FileLock(directory / file)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            try:
                yield number
            finally:
                lock.release()
            return
        time.sleep(SECONDS_BETWEEN_ATTEMPTS)

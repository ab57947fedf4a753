"""Training in several processes: they share every batch, with the result of one process that has all of it."""

import atexit
import contextlib
import threading
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from .._runtime._devices import choose_device, is_launched
from .._runtime._joint_sums import joint_sums
from ._channel import Channel

TIMEOUT = timedelta(minutes=30)  # of a group that the caller has not made; torch's own for gloo


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together, one rank each. With one process, all methods do nothing.

    Each process has all rows, and takes its share of every batch. Batch statistics are those of the whole batch. Every
    process computes the objective from all projections, and back-propagates it to its own rows. By the chain rule the
    sum of the gradients over the ranks is then the gradient of the whole batch's loss.

    torch's own `SyncBatchNorm` refuses tensors on the CPU, and `DistributedDataParallel` averages gradients, which
    would divide them by the number of ranks.

    Parameters
    ----------
    rank : int, default=0
        Rank of this process.
    size : int, default=1
        Number of processes.
    channel : Channel or None, default=None
        How they are connected.
    """

    rank: int = 0
    size: int = 1
    channel: Channel | None = field(default=None, compare=False, repr=False)

    @property
    def is_first(self):
        """Whether this process has rank 0; it is the one that prints."""
        return self.rank == 0

    @contextlib.contextmanager
    def synchronize_batch_norm(self):
        """Make batch statistics those of all ranks' rows, in a context."""
        if self.size == 1:
            yield
        else:
            with SyncBatchNormMode(self), joint_sums(self.all_reduce):
                yield

    def gather(self, x):
        """Gather the rows of all ranks, in order; the gradient is that of this rank's rows.

        Shape
        -----
        (batch / size, ...) -> (batch, ...); half precision becomes float32
        """
        if self.size == 1:
            return x
        return AllGather.apply(to_float32(x), self)

    def once(self, x):
        """Return a number that all ranks have computed from the weights; only the first one's has a gradient."""
        return x if self.is_first else x.detach()

    def all_gather(self, x, on_cpu=False):
        """Gather a tensor of every rank.  # (...) -> (size, ...)"""
        out = x.new_empty(self.size, *x.shape)
        self.channel.run(dist.all_gather, list(out.unbind()), x.contiguous(), on_cpu=on_cpu)
        return out

    def all_reduce(self, x):
        """Overwrite `x` with its sum over the ranks."""
        self.channel.run(dist.all_reduce, x)

    def any(self, flag):
        """Whether a flag is set in any rank. All of them wait for each other, and an error in one ends the others."""
        return bool(self.all_gather(torch.tensor(int(flag)), on_cpu=True).any()) if self.size > 1 else flag

    def exchange(self, text):
        """Gather a string of every rank, as a list."""
        own = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        sizes = self.all_gather(torch.tensor(len(own)), on_cpu=True).tolist()
        rows = self.all_gather(F.pad(own, (0, max(sizes) - len(own))), on_cpu=True)
        return [bytes(row[:n].tolist()).decode() for row, n in zip(rows, sizes, strict=True)]

    def broadcast(self, x):
        """Overwrite `x` with the first rank's, and return it."""
        if self.size > 1:
            received = x.contiguous()
            self.channel.run(dist.broadcast, received, 0)
            x.copy_(received)
        return x

    def broadcast_module(self, module):
        """Overwrite a module's weights and statistics with the first rank's."""
        if self.size > 1:
            with torch.no_grad():
                for tensor in module.state_dict().values():
                    self.broadcast(tensor)

    def sum_gradients(self, module):
        """Sum a module's gradients over the ranks, in one message."""
        gradients = [p.grad for p in module.parameters() if p.grad is not None] if self.size > 1 else []
        if not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        self.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))


ONE_PROCESS = ProcessGroup()


def to_float32(x):
    """Convert half precision to float32; leave other types as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class AllGather(torch.autograd.Function):
    """Gather the rows of all ranks: see `ProcessGroup.gather`."""

    @staticmethod
    def forward(ctx, x, group):
        n = len(x)
        ctx.own = slice(group.rank * n, (group.rank + 1) * n)
        return group.all_gather(x).flatten(0, 1)

    @staticmethod
    def backward(ctx, gradient):
        return gradient[ctx.own], None


class SyncBatchNorm(torch.autograd.Function):
    """Batch normalisation over the rows of all ranks, which have equally many.

    Shape
    -----
    (batch / size, channels, ...) -> the same shape; mean and biased variance of each channel, (channels,)
    """

    @staticmethod
    def forward(ctx, x, weight, bias, eps, group):
        axes = [0, *range(2, x.dim())]
        variance, mean = torch.var_mean(to_float32(x), axes, correction=0)
        means, variances = group.all_gather(torch.stack([mean, variance])).unbind(1)  # (size, channels)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.group, ctx.axes = eps, group, axes
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance

    @staticmethod
    def backward(ctx, gradient, *_):
        x, weight, mean, variance = ctx.saved_tensors
        shape = (1, -1, *[1] * (x.dim() - 2))
        scale = torch.rsqrt(variance + ctx.eps).view(shape)
        normed, of_y = (to_float32(x) - mean.view(shape)) * scale, to_float32(gradient)
        own = torch.stack([of_y.sum(ctx.axes), (of_y * normed).sum(ctx.axes)])  # (2, channels)
        of_bias, of_weight = own.unbind() if weight is not None else (None, None)
        joint = own.clone()
        ctx.group.all_reduce(joint)
        shift, slope = (joint / (ctx.group.size * x.numel() / x.shape[1])).view(2, *shape).unbind()
        if weight is not None:
            scale = scale * weight.view(shape)
        return ((of_y - shift - normed * slope) * scale).to(x.dtype), of_weight, of_bias, None, None


class SyncBatchNormMode(TorchFunctionMode):
    """Compute batch statistics from the rows of all ranks, in a context.

    It replaces `torch.nn.functional.batch_norm`, which all batch normalisation modules call, so that no module has to
    be exchanged.
    """

    def __init__(self, group):
        super().__init__()
        self.group = group

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.batch_norm:
            return self.batch_norm(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def batch_norm(self, x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        """Call `torch.nn.functional.batch_norm`, on all ranks' rows if `training`."""
        if not training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
        y, mean, variance = SyncBatchNorm.apply(x, weight, bias, eps, self.group)
        if running_mean is not None:
            n = self.group.size * x.numel() // x.shape[1]
            with torch.no_grad():
                running_mean.lerp_(mean, momentum)
                running_var.lerp_(variance * (n / max(n - 1, 1)), momentum)
        return y


_fits = threading.local()  # the process group of the fit that runs in this thread


@contextlib.contextmanager
def joint_fit(device):
    """Connect this process with those that it trains with, in a context around a whole fit.

    An error in one of them ends the fit in all of them, with its reason. A process group that the caller has
    initialised is used. Otherwise, if this process was launched with others, a group is initialised; it ends with the
    process.

    Parameters
    ----------
    device : str or torch.device
        Parameter of the estimator, not checked yet.
    """
    group, outer = init_process_group(device), current_process_group()
    _fits.group = group
    try:
        yield
    except BaseException as error:
        if group.channel:
            group.channel.tell(error)
        raise
    finally:
        _fits.group = outer
        if group.channel:
            group.channel.close()


def current_process_group():
    """Return the process group of the fit that runs in this thread."""
    return getattr(_fits, "group", ONE_PROCESS)


def init_process_group(device):
    """Connect this process with those that it trains with.

    Parameters
    ----------
    device : str or torch.device
        Device of this process, not checked yet.

    Returns
    -------
    group : ProcessGroup
        `ONE_PROCESS` if this process trains alone.
    """
    if not is_launched():
        return ONE_PROCESS
    try:
        device = choose_device(device)
    except (TypeError, ValueError):  # the fit refuses it, once it can tell the others
        device = torch.device("cpu")
    if not dist.is_initialized():
        on_gpu = device.type == "cuda"
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=TIMEOUT, device_id=device if on_gpu else None)
        atexit.register(destroy_process_group)
    return ProcessGroup(dist.get_rank(), dist.get_world_size(), Channel(device))


def destroy_process_group():
    """Destroy the process group, if it still exists."""
    if dist.is_initialized():
        dist.destroy_process_group()

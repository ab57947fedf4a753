"""Training in several processes: they share every batch, with the result of one process that has all of it."""

import atexit
import contextlib
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from .._runtime._devices import is_launched


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
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self):
        """Whether this process has rank 0; it is the one that prints."""
        return self.rank == 0

    def synchronize_batch_norm(self):
        """Return a context in which batch statistics are those of all ranks' rows."""
        return contextlib.nullcontext() if self.size == 1 else SyncBatchNormMode(self)

    def gather(self, x):
        """Gather the rows of all ranks, in order; the gradient is that of this rank's rows.

        Shape
        -----
        (batch / size, ...) -> (batch, ...); half precision becomes float32
        """
        if self.size == 1:
            return x
        return AllGather.apply(to_float32(x), self)

    def all_gather(self, x):
        """Gather a tensor of every rank.  # (...) -> (size, ...)"""
        out = x.new_empty(self.size, *x.shape)
        dist.all_gather(list(out.unbind()), x.contiguous())
        return out

    def broadcast(self, x):
        """Overwrite `x` with the first rank's, and return it."""
        if self.size > 1:
            received = x.contiguous()
            dist.broadcast(received, 0)
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
        dist.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))

    def check_same_rows(self, n, digest, device):
        """Check that all ranks have the same rows.

        Parameters
        ----------
        n, digest : int
            Number of rows of this rank, and a hash of them.
        device : torch.device
            Device of the process group.

        Raises
        ------
        ValueError
            In every rank, if the rows differ.
        """
        if self.size == 1:
            return
        counts, digests = self.all_gather(torch.tensor([n, digest], device=device)).cpu().T
        if (counts != counts[0]).any() or (digests != digests[0]).any():
            raise ValueError(
                f"X must be the same in each of the {self.size} processes that train together: all rows, in the same "
                f"order; each process takes its share of every batch. They have {counts.tolist()} rows"
                + ("." if (counts != counts[0]).any() else ", which differ in their values.")
            )


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
        dist.all_reduce(joint)
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


def init_process_group(device):
    """Find the processes that this one trains with.

    A process group that the caller has initialised is used. Otherwise, if this process was launched with others, a
    group is initialised; it ends with the process.

    Parameters
    ----------
    device : torch.device
        Device of this process.

    Returns
    -------
    group : ProcessGroup
    """
    if not is_launched():
        return ONE_PROCESS
    if not dist.is_initialized():
        on_gpu = device.type == "cuda"
        dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
        atexit.register(destroy_process_group)
    return ProcessGroup(dist.get_rank(), dist.get_world_size())


def destroy_process_group():
    """Destroy the process group, if it still exists."""
    if dist.is_initialized():
        dist.destroy_process_group()

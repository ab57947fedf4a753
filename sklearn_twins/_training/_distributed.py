"""Training in several processes: every batch is shared among them, and trained on as if one process had all of it."""

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
    """The processes that train together, one rank each; of one process, everything here does nothing.

    Each has all rows, and takes its share of every batch. Batch statistics are those of the whole batch, the objective
    is computed from all of its projections, in every process, and gradients are summed: by the chain rule, the sum over
    ranks is the gradient of the whole batch's loss. (An average, as `DistributedDataParallel` takes it, would be the
    gradient over the number of ranks; and the gradient of a gathered projection is that of the rank's own rows alone,
    since every rank goes back through an objective of its own.)

    Parameters
    ----------
    rank : int, default=0
        This process.
    size : int, default=1
        How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self):
        """Whether this is the process that reports."""
        return self.rank == 0

    def synchronize_batch_norm(self):
        """A context in which batch statistics are those of all ranks' rows."""
        return contextlib.nullcontext() if self.size == 1 else SyncBatchNormMode(self)

    def gather(self, x):
        """The rows of all ranks, in their order; backward, the gradient of this one's.

        Shape
        -----
        (batch / size, ...) -> (batch, ...), at least float32 if floating
        """
        if self.size == 1:
            return x
        return AllGather.apply(to_float32(x), self)

    def all_gather(self, x):
        """A tensor of every rank.  # (...) -> (size, ...)"""
        out = x.new_empty(self.size, *x.shape)
        dist.all_gather(list(out.unbind()), x.contiguous())
        return out

    def broadcast(self, x):
        """What the first rank has, written into `x` by the others."""
        if self.size > 1:
            same = x.contiguous()
            dist.broadcast(same, 0)
            x.copy_(same)
        return x

    def broadcast_module(self, module):
        """Give a module the first rank's weights and statistics."""
        if self.size > 1:
            with torch.no_grad():
                for tensor in module.state_dict().values():
                    self.broadcast(tensor)

    def sum_gradients(self, module):
        """Sum a module's gradients over the ranks, in one piece."""
        gradients = [p.grad for p in module.parameters() if p.grad is not None] if self.size > 1 else []
        if not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))

    def check_same_rows(self, n, digest, device):
        """Refuse rows that differ from rank to rank.

        Parameters
        ----------
        n, digest : int
            How many rows this rank has, and a number that other rows would hardly have.
        device : torch.device
            Of the process group.

        Raises
        ------
        ValueError
            Of every rank, if not all of them have the same rows.
        """
        if self.size == 1:
            return
        counts, digests = self.all_gather(torch.tensor([n, digest], device=device)).cpu().T
        if (counts != counts[0]).any() or (digests != digests[0]).any():
            raise ValueError(
                f"X must be the same in each of the {self.size} processes that train together: all rows, in the same "
                f"order, of which each takes its share of every batch. They have {counts.tolist()} rows"
                + ("." if (counts != counts[0]).any() else ", which differ in their values.")
            )


ONE_PROCESS = ProcessGroup()


def to_float32(x):
    """Half precision to_float32 to float32; anything else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class AllGather(torch.autograd.Function):
    """The rows of all ranks, for what every rank then computes in the same way: see `ProcessGroup.gather`."""

    @staticmethod
    def forward(ctx, x, group):
        n = len(x)
        ctx.own = slice(group.rank * n, (group.rank + 1) * n)
        return group.all_gather(x).flatten(0, 1)

    @staticmethod
    def backward(ctx, gradient):
        return gradient[ctx.own], None


class SyncBatchNorm(torch.autograd.Function):
    """Batch normalisation over the rows of all ranks, as many of each.

    Shape
    -----
    (batch / size, channels, ...) -> the same; mean and biased variance of each channel: (channels,)
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
    """Within it, whatever normalises a batch by its statistics takes those of all ranks' rows.

    It acts on the one function that every module of that kind calls, so that those of other packages are met too, and
    no module has to be exchanged.
    """

    def __init__(self, group):
        super().__init__()
        self.group = group

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.batch_norm:
            return self.batch_norm(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def batch_norm(self, x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        """`torch.nn.functional.batch_norm`, of all ranks' rows if `training`."""
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
    """The processes that this one trains with.

    Those of the process group, if the caller has initialised one, else those that were launched with this one: then a
    group is made, and left as it is until the process ends.

    Parameters
    ----------
    device : torch.device
        Where this one trains.

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
    """End the process group, if nobody else has."""
    if dist.is_initialized():
        dist.destroy_process_group()

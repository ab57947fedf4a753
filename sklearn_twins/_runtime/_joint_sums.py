"""Sums over the rows of all processes that train together, for layers with statistics of a batch."""

import contextlib
from contextvars import ContextVar

import torch

_all_reduce = ContextVar("all_reduce", default=None)


@contextlib.contextmanager
def joint_sums(all_reduce):
    """Let `sum_over_processes` sum over all processes, in a context.

    Parameters
    ----------
    all_reduce : callable
        ``all_reduce(x)`` overwrites a tensor with its sum over the processes.
    """
    token = _all_reduce.set(all_reduce)
    try:
        yield
    finally:
        _all_reduce.reset(token)


def sum_over_processes(x):
    """Sum a tensor over the processes that train together; the tensor itself if this process trains alone.

    Shape
    -----
    (...) -> the same shape
    """
    all_reduce = _all_reduce.get()
    return x if all_reduce is None else JointSum.apply(x, all_reduce)


class JointSum(torch.autograd.Function):
    """Sum over processes, forward and backward: each process knows the gradient by way of its own rows only."""

    @staticmethod
    def forward(ctx, x, all_reduce):
        ctx.all_reduce = all_reduce
        total = x.clone()
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        ctx.all_reduce(gradient)
        return gradient, None

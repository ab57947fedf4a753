"""Measure time and accuracy of the cross-correlation objectives, compared with their usual formulation.

    python benchmarks/objectives.py [--widths 256 1024 4096 8192] [--batch 256] [--rounds 9] [--threads 1]

The usual formulation is that of the Barlow Twins authors' code: batch norm without learned scale, the width x width
product, its diagonal, a view of the other entries, and autograd. Both formulations alternate in one process, forward
and backward on the same two projections. Times are medians over the rounds, with the quartiles of the ratio. With one
thread they are processor times, so that other work on the machine does not count. Errors are those of the gradient,
relative to its norm, compared with the usual formulation in float64.
"""

import argparse
import platform
import time

import numpy as np
import torch
from torch import nn

import sklearn_twins
from sklearn_twins.objectives import HSIC, BarlowTwins

OBJECTIVES = {"barlow_twins": (BarlowTwins(), 0.0), "hsic": (HSIC(), -1.0)}
SHORTEST = 0.05  # least seconds of a measurement, by repetition


def off_diagonal(C):
    """Return a view of the off-diagonal entries."""
    n = C.shape[0]
    return C.flatten()[:-1].view(n - 1, n + 1)[:, 1:].flatten()


def usual(dim, target, dtype=torch.float32):
    """Return the loss in the authors' formulation, for an off-diagonal target; weights are 1 / width."""
    norm = nn.BatchNorm1d(dim, affine=False, dtype=dtype)

    def loss(z_a, z_b):
        C = (norm(z_a).T @ norm(z_b)).div_(len(z_a))
        on = torch.diagonal(C).add_(-1).pow_(2).sum()
        off = off_diagonal(C)
        if target:
            off = off.sub_(target)
        return on + off.pow_(2).sum() / dim

    return loss


def projections(batch, dim):
    """Draw two correlated projections, with a different offset and scale per coordinate."""
    generator = torch.Generator().manual_seed(0)
    shared, *noise = torch.randn(3, batch, dim, generator=generator)
    scale = torch.rand(dim, generator=generator) + 0.5
    return [(scale * (shared + 0.5 * own) + 1).requires_grad_() for own in noise]


def gradients(loss, inputs):
    """Run forward and backward."""
    return torch.autograd.grad(loss(*inputs), inputs)


def seconds(loss, inputs, n_times):
    """Measure the seconds of one forward and backward pass, over `n_times`."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    for _ in range(n_times):
        gradients(loss, inputs)
    return (clock() - start) / n_times


def compare(name, batch, dim, rounds):
    """Print one objective's row for one width."""
    objective, target = OBJECTIVES[name]
    inputs = projections(batch, dim)
    exact = torch.cat(
        gradients(usual(dim, target, torch.float64), [z.detach().double().requires_grad_() for z in inputs])
    )
    losses = [usual(dim, target), objective]
    errors = [((torch.cat(gradients(loss, inputs)) - exact).norm() / exact.norm()).item() for loss in losses]
    n_times = [max(1, round(SHORTEST / max(1e-6, seconds(loss, inputs, 1)))) for loss in losses]
    turns = list(zip(losses, n_times, strict=True))
    times = np.array([[seconds(loss, inputs, n) for loss, n in turns] for _ in range(rounds)])
    low, ratio, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
    theirs, ours = 1e3 * np.median(times, 0)
    print(
        f"| {name} | {dim} | {theirs:.2f} | {ours:.2f} | {ratio:.2f} ({low:.2f} to {high:.2f}) "
        f"| {errors[0]:.1e} | {errors[1]:.1e} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 1024, 4096, 8192])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    versions = f"sklearn_twins {sklearn_twins.__version__}, torch {torch.__version__}, {platform.machine()}"
    print(f"{versions}; batch {options.batch}, {options.threads} thread(s)\n")
    print("| objective | width | usual, ms | ours, ms | ratio (quartiles) | error, usual | error, ours |")
    print("|---|---|---|---|---|---|---|")
    for name in OBJECTIVES:
        for dim in options.widths:
            compare(name, options.batch, dim, options.rounds)


if __name__ == "__main__":
    main()

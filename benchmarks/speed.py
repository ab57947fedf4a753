"""How much of a fit is the network's own arithmetic: a training step against the same step bare.

    python benchmarks/speed.py [--rows 20000] [--columns 50] [--rounds 7] [--threads 1]

The bare step is the limit: two views that lie ready, two passes, the objective written out, backward, fused AdamW, in a
plain loop with no data, no views, no callbacks. It and the embedder's fit alternate in one process; the figures are
medians over the rounds, with the quartiles of the ratio.
"""

import argparse
import platform
import time

import numpy as np
import sklearn
import torch
from torch import nn

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder

SHAPES = {"large, 4x256": (256, 256, 256, 256), "default, 3x256": (256, 256, 256), "tiny, 2x128": (128, 128)}
BATCH, PROJECTION = 256, 256


def network(n_columns, hidden_dims):
    """The embedder's encoder and default projector, written out."""
    layers, width = [], n_columns
    for dim in (*hidden_dims, 256):
        layers += [nn.Linear(width, dim, bias=False), nn.BatchNorm1d(dim), nn.ReLU()]
        width = dim
    return nn.Sequential(*layers, nn.Linear(width, PROJECTION))


def bare_step(n_columns, hidden_dims, batch):
    """A function that takes one step of the limit."""
    net = network(n_columns, hidden_dims)
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    x_a, x_b = torch.randn(2, batch, n_columns)

    def step():
        optimizer.zero_grad(set_to_none=True)
        s_a, s_b = ((z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt() for z in (net(x_a), net(x_b)))
        C = s_a.T @ s_b / batch
        diagonal = C.diagonal()
        loss = (1 - diagonal).square().sum() + (C.square().sum() - diagonal.square().sum()) / PROJECTION
        loss.backward()
        optimizer.step()

    return step


def compare(name, X, rounds, n_threads):
    """Print one shape's row."""
    hidden_dims = SHAPES[name]
    embedder = BarlowTwinsEmbedder(max_epochs=1, batch_size=BATCH, n_jobs=n_threads, random_state=0)
    embedder.set_params(encoder__hidden_dims=hidden_dims)
    n_steps = -(-len(X) // BATCH)
    step = bare_step(X.shape[1], hidden_dims, len(X) // n_steps)
    embedder.fit(X)
    limits, ours = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(n_steps):
            step()
        limits.append((time.perf_counter() - start) / n_steps)
        ours.append(embedder.fit(X).history_["seconds"][0] / n_steps)
    low, share, high = np.percentile(np.divide(limits, ours), [25, 50, 75])
    print(
        f"| {name} | {1e3 * np.median(limits):.2f} | {1e3 * np.median(ours):.2f} "
        f"| {share:.2f} ({low:.2f} to {high:.2f}) | {len(X) / n_steps / np.median(ours):,.0f} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    X = np.random.default_rng(0).normal(size=(options.rows, options.columns)).astype(np.float32)
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, {platform.machine()}; {options.rows} x {options.columns}, {options.threads} thread(s)\n")
    print("| encoder | bare step, ms | fit's step, ms | share of the limit (quartiles) | rows/s |")
    print("|---|---|---|---|---|")
    for name in SHAPES:
        compare(name, X, options.rounds, options.threads)


if __name__ == "__main__":
    main()

"""Measure the size of saved embedders, and the time to write and load them, compared with a pickled skorch net.

    python benchmarks/files.py [--rows 2000] [--epochs 2] [--rounds 20]

Writes two default embedders, one of a table with 20 numbers and 4 columns of words and one of 32 x 32 x 3 images, by
`save`, pickle, joblib and skops, loads them, and checks them on a few rows. The comparison is a pickle of a skorch
`NeuralNet` that trained the same encoder and projector with as many steps (AdamW), as users would keep it. Files are in
the system's temporary directory and in its memory. Variants alternate; times are medians, with one thread. Prints
Markdown.
"""

import argparse
import importlib.util
import pickle
import platform
import statistics
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import sklearn
import skorch
import torch
from torch import nn

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, trusted_types
from sklearn_twins.networks import MLPProjector
from sklearn_twins.objectives import BarlowTwins


def table(n):
    """Make rows of 20 numbers and 4 words."""
    rng = np.random.default_rng(0)
    X = np.empty((n, 24), dtype=object)
    X[:, :20] = rng.normal(size=(n, 8)) @ rng.normal(size=(8, 20))
    X[:, 20:] = rng.choice([f"word {i}" for i in range(12)], size=(n, 4))
    return X


def images(n):
    """Make random images of bytes."""
    return np.random.default_rng(0).integers(0, 256, size=(n, 32, 32, 3), dtype=np.uint8)


class Twins(nn.Module):
    """An encoder and a projector, as users train them with skorch."""

    def __init__(self, encoder, projector):
        super().__init__()
        self.encoder, self.projector = encoder, projector

    def forward(self, X):
        return self.projector(self.encoder(X)), self.projector(self.encoder(X + 0.1 * torch.randn_like(X)))


class Loss(nn.Module):
    """The objective as a skorch criterion."""

    def forward(self, projections, y):
        return BarlowTwins()(*projections)


def net_of(embedder, samples, epochs):
    """Train a skorch net with the same layers on the same samples."""
    generator = torch.Generator().manual_seed(0)
    encoder = embedder._recipe.encoder.build(embedder._recipe.spec, None, generator)
    projector = MLPProjector().build(embedder._output.width, generator)
    net = skorch.NeuralNet(
        Twins(encoder, projector),
        Loss,
        optimizer=torch.optim.AdamW,
        max_epochs=epochs,
        batch_size=256,
        train_split=None,
        verbose=0,
    )
    return net.fit(np.asarray(samples, dtype=np.float32), np.zeros(len(samples), dtype=np.float32))


def pickled(thing, path):
    path.write_bytes(pickle.dumps(thing))


def unpickled(path):
    return pickle.loads(path.read_bytes())


def skops_loaded(path):
    from skops import io

    return io.load(path, trusted=trusted_types(path))


def ways():
    """Return functions that write and load a fitted embedder, by name."""
    found = {
        "`save`": (lambda embedder, path: embedder.save(path), BarlowTwinsEmbedder.load),
        "pickle": (pickled, unpickled),
        "joblib": (joblib.dump, joblib.load),
        "joblib, memory map": (joblib.dump, lambda path: joblib.load(path, mmap_mode="r")),
    }
    if importlib.util.find_spec("skops"):
        found["skops"] = (lambda embedder, path: importlib.import_module("skops.io").dump(embedder, path), skops_loaded)
    return found


def took(work):
    """Run some work; return its time in ms and its result."""
    start = time.perf_counter()
    result = work()
    return 1000 * (time.perf_counter() - start), result


def measure(candidates, directory, rounds, check):
    """Write and load every candidate in each round, and print a row for each.

    Parameters
    ----------
    candidates : dict of str to (thing, write, load)
        Candidates by the beginning of their row.
    directory : Path
        Folder for the files.
    rounds : int
        Number of rounds.
    check : callable
        Called with each loaded object.
    """
    times = {name: ([], []) for name in candidates}
    for _ in range(rounds):
        for name, (thing, write, load) in candidates.items():
            path = directory / str(abs(hash(name)))
            times[name][0].append(took(lambda w=write, t=thing, p=path: w(t, p))[0])
            ms, loaded = took(lambda r=load, p=path: r(p))
            times[name][1].append(ms)
            check(loaded)
    for name, (written, read) in times.items():
        size = (directory / str(abs(hash(name)))).stat().st_size / 1000
        print(f"| {name} | {size:,.0f} | {statistics.median(written):.1f} | {statistics.median(read):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, skorch {skorch.__version__}"
    )
    print(f"{versions}, torch {torch.__version__}, {platform.machine()}\n")
    print("| what | written by | size, kB | writing, ms | loading, ms |")
    print("|---|---|---|---|---|")
    for what, X, modality in (("table", table(options.rows), "tabular"), ("images", images(options.rows), "image")):
        embedder = BarlowTwinsEmbedder(modality=modality, max_epochs=options.epochs, random_state=0).fit(X)
        embedding, n_weights = embedder.transform(X[:64]), sum(p.numel() for p in embedder.encoder_.parameters())
        net = net_of(embedder, embedder.preprocessor_.transform(X), options.epochs)
        candidates = {f"{what} | {way}": (embedder, *functions) for way, functions in ways().items()}
        candidates[f"{what} | pickle of a skorch `NeuralNet`"] = net, pickled, unpickled

        def check(loaded, X=X, embedding=embedding):
            assert isinstance(loaded, skorch.NeuralNet) or np.array_equal(loaded.transform(X[:64]), embedding)

        print(f"| {what} | (the encoder's {n_weights:,} weights) | {4 * n_weights / 1000:,.0f} | | |")
        with tempfile.TemporaryDirectory() as directory:
            measure(candidates, Path(directory), options.rounds, check)


if __name__ == "__main__":
    main()

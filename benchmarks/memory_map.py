"""Measure the memory of a fit and a transform on images in a memory map.

    python benchmarks/memory_map.py [--gigabytes 2] [--side 64] [--directory DIR]

Writes random images of bytes to a file, then fits them (one epoch, a small encoder) and transforms them in a separate
process. That process reports its peak memory as the system counts it, including torch and the embedding. Prints
Markdown. Linux only.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sklearn
import torch

import sklearn_twins

CHUNK = 4096  # images written at a time


def write(path, n, side):
    """Write a file of `n` random images: noise around a random colour."""
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, side, side, 3))
    rng = np.random.default_rng(0)
    for start in range(0, n, CHUNK):
        part = images[start : start + CHUNK]
        part[...] = rng.integers(0, 192, size=(len(part), 1, 1, 3)) + rng.integers(0, 64, size=part.shape)
    images.flush()


def peak():
    """Return the peak memory of this process in MiB: resident pages, including those of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def work(path):
    """Fit and transform; print the peak memory at each step, in MiB, and the seconds."""
    marks = [peak()]
    from sklearn_twins import BarlowTwinsEmbedder
    from sklearn_twins.networks import ConvNetEncoder

    embedder = BarlowTwinsEmbedder(
        modality="image", encoder=ConvNetEncoder((8, 16, 32, 64)), max_epochs=1, n_components=16, random_state=0
    )
    embedder.fit(np.random.default_rng(0).integers(0, 256, size=(64, 8, 8, 3), dtype=np.uint8))  # load all modules
    marks.append(peak())
    X, start = np.load(path, mmap_mode="r"), time.perf_counter()
    embedder.fit(X)
    marks.append(peak())
    fitted = time.perf_counter()
    Z = embedder.transform(X)
    marks.append(peak())
    assert Z.shape == (len(X), 16) and np.isfinite(Z).all()
    print(*marks, fitted - start, time.perf_counter() - fitted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--directory", help="folder of the file (default: the system's for temporary files)")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.work)
    n = max(64, round(options.gigabytes * 1e9 / (3 * options.side**2)))
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        path = Path(directory) / "images.npy"
        write(path, n, options.side)
        size = path.stat().st_size / 2**20
        command = [sys.executable, __file__, "--work", str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    bare, loaded, fit, transform, *seconds = map(float, done.stdout.split())
    print(f"{versions}, {platform.machine()}; {n:,} images of {options.side} x {options.side} x 3, {size:,.0f} MiB\n")
    print("| step | peak, MiB | above Python with NumPy, scikit-learn and torch, MiB | seconds |")
    print("|---|---|---|---|")
    print(f"| modules imported | {bare:,.0f} | 0 | |")
    print(f"| small fit | {loaded:,.0f} | {loaded - bare:,.0f} | |")
    print(f"| fit, one epoch | {fit:,.0f} | {fit - bare:,.0f} | {seconds[0]:.0f} |")
    print(f"| transform | {transform:,.0f} | {transform - bare:,.0f} | {seconds[1]:.0f} |")


if __name__ == "__main__":
    main()

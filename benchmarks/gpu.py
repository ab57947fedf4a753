"""Measure on a GPU how close a fit comes to the network's own arithmetic, with and without recorded CUDA graphs.

    python benchmarks/gpu.py [--data DIR] [--rounds 5] [--sections tabular images]

The limit is a bare step, written in this script and recorded as a CUDA graph: two views made beforehand, two passes,
the objective, backward, fused AdamW. Variants alternate in one process. The script synchronises with the device only
before and after a loop of many steps, or an epoch of a fit. The first epoch of a fit, in which steps are compiled and
recorded, is reported separately. Figures are medians over the rounds; ratios are computed round by round and given with
their quartiles.

tabular  20,000 x 50, batches of 256: the limit, fits with compile=True and without, and skorch's steps, on rows that
         are on the device and with its own loader;
images   50,000 of 32 x 32 x 3 (CIFAR-10 with --data, else random bytes), ResNet-18, batches of 512, bfloat16: the
         limit, fits, and the limit fed by a loader whose workers, one per core, make views image by image with Pillow.

Below each table is the floor of its bare step: its operations divided by the rate of a large matrix product, and its
bytes (12 times the weights, for weights and AdamW's state, and twice what is kept for the backward pass) divided by the
bandwidth of a large copy. Both rates are measured here. "Reached" is the share of the larger bound's speed that the
fastest loop reaches.

Without a GPU (--device cpu, with small sizes) the script runs for testing; nothing is recorded or compiled then.
"""

import argparse
import os
import platform
import random
import time
from pathlib import Path

import numpy as np
import torch
from _data import load_images
from _loops import alternate, bare_step, captured, cut, mlp, ratio, repeated, skorch_epoch, skorch_resident_epoch
from PIL import Image
from speed import BATCH, SHAPES, print_header
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from views import pil_view

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._runtime._devices import choose_device, choose_precision
from sklearn_twins.networks import ImageResNetEncoder, MLPProjector
from sklearn_twins.preprocessing import ImageSpec

FOR_THE_WEIGHTS = 12  # reads and writes: 4 by the passes, 1 of the gradient, 7 by AdamW


def wait(device):
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work, device):
    """Return a function that measures the seconds of some work, synchronised at both ends."""

    def run():
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        return time.perf_counter() - start

    return run


def bare(net, x, autocast):
    """Return the limit's step, recorded as a CUDA graph on a GPU."""
    step = bare_step(net, *x, autocast)
    return captured(step) if x.device.type == "cuda" else step


class Fits:
    """Fit for some epochs; return the median seconds of an epoch. `first` collects those of first epochs."""

    def __init__(self, X, options, batch, **params):
        params = {"optimizer": "adamw"} | params  # as the bare step
        nested = {name: params.pop(name) for name in list(params) if "__" in name}
        embedder = BarlowTwinsEmbedder(
            max_epochs=1 + options.epochs, batch_size=batch, device=options.device, random_state=0, **params
        )
        self.embedder, self.X, self.first = embedder.set_params(**nested), X, []
        self.embedder.fit(X[: 2 * batch])  # compile what is compiled once per process

    def __call__(self):
        seconds = self.embedder.fit(self.X).history_["seconds"]
        self.first.append(seconds[0])
        return float(np.median(seconds[1:]))


def fits(X, options, batch, **params):
    """Return fits with plain steps and, on a GPU, with compiled and recorded ones."""
    found = {"fit": Fits(X, options, batch, **params)}
    if choose_device(options.device).type == "cuda":
        found["fit, compile=True"] = Fits(X, options, batch, compile=True, **params)
    return found


def best_seconds(work, device, rounds=5):
    """Return the least seconds of some work over several rounds."""
    run = timed(work, device)
    return min(run() for _ in range(rounds + 1))


def matmul_rate(device, dtype):
    """Measure the operations per second of a large matrix product."""
    n = 8192 if device.type == "cuda" else 512
    a = torch.randn(n, n, device=device, dtype=dtype or torch.float32)
    return 2 * n**3 / best_seconds(lambda: a @ a, device)


def copy_bandwidth(device):
    """Measure the bytes per second of a large copy, read and written."""
    a = torch.empty(2**30 if device.type == "cuda" else 2**24, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    return 2 * len(a) / best_seconds(lambda: b.copy_(a), device)


def show_floor(net, x, autocast, seconds):
    """Print the least time of a bare step, and how close the fastest loop comes.  # seconds: of its step"""
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        bare_step(net, *x, autocast)()
    of_weights = sum(p.numel() * p.element_size() for p in net.parameters())
    n_bytes = FOR_THE_WEIGHTS * of_weights + 2 * sum(kept.values())
    rate, bandwidth = matmul_rate(x.device, autocast), copy_bandwidth(x.device)
    arithmetic, memory = counter.get_total_flops() / rate, n_bytes / bandwidth
    print(
        f"\nFloor of a step: {counter.get_total_flops() / 1e9:.2f} GFLOP at {rate / 1e12:.2f} TFLOP/s, "
        f"{1e3 * arithmetic:.3f} ms; {n_bytes / 1e6:.1f} MB at {bandwidth / 1e9:.0f} GB/s, {1e3 * memory:.3f} ms. "
        f"Reached: {max(arithmetic, memory) / seconds:.0%}."
    )


def show(name, variants, seconds, n_steps, n):
    """Print a row for each loop."""
    for loop, values in seconds.items():
        first = f"{np.median(variants[loop].first):.2f}" if isinstance(variants[loop], Fits) else ""
        cells = f"{1e3 * np.median(values) / n_steps:.3f} | {ratio(seconds['limit'], values)}"
        print(f"| {name} | {loop} | {cells} | {n / np.median(values):,.0f} | {first} |", flush=True)


def tabular(options):
    """Measure steps of fits of a table."""
    device = choose_device(options.device)
    autocast = choose_precision(options.precision, device)
    X = np.random.default_rng(0).normal(size=(options.rows, options.columns)).astype(np.float32)
    n_steps, batch = cut(len(X), BATCH)
    x = torch.randn(2, batch, options.columns, device=device)
    for name, hidden_dims in SHAPES.items():
        print(
            f"\n## tabular, {name}: {options.rows:,} x {options.columns}, batches of {batch}, {autocast or 'float32'}"
        )
        print_header(["encoder", "loop", "ms per step", "speed / limit", "rows/s", "first epoch, s"])
        net = lambda dims=hidden_dims: mlp(options.columns, dims).to(device)  # noqa: E731
        with_skorch = skorch_resident_epoch(net(), X, batch, device), skorch_epoch(net(), X, batch, device)
        variants = {
            "limit": timed(repeated(bare(net(), x, autocast), n_steps), device),
            **fits(X, options, BATCH, precision=options.precision, encoder__hidden_dims=hidden_dims),
            "skorch, rows on the device": timed(with_skorch[0], device),
            "skorch, own loader": timed(with_skorch[1], device),
        }
        seconds = alternate(variants, options.rounds, time.perf_counter)
        show(name, variants, seconds, n_steps, len(X))
        show_floor(net(), x, autocast, min(map(np.median, seconds.values())) / n_steps)


class PillowViews(Dataset):
    """A dataset of two views of each image, made one by one with Pillow."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        image = Image.fromarray(self.X[i])
        return tuple(pil_view(image, self.X.shape[1], random) for _ in range(2))


def loader_epoch(X, batch, step, x, n_workers):
    """Return a function that feeds a bare step from a loader for one epoch."""
    loader = DataLoader(
        PillowViews(X),
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=n_workers,
        pin_memory=x.device.type == "cuda",
        persistent_workers=n_workers > 0,
    )

    def epoch():
        for views in loader:
            for ready, view in zip(x, views, strict=True):
                ready.copy_(view, non_blocking=True)
            step()

    return epoch


def images(options):
    """Measure steps of fits of images."""
    device = choose_device(options.device)
    autocast = torch.bfloat16 if device.type == "cuda" else None
    if options.data:
        X = load_images(options.data, "cifar10")[0][: options.images]
    else:
        X = np.random.default_rng(0).integers(0, 256, (options.images, 32, 32, 3), dtype=np.uint8)
    n_steps, batch = cut(len(X), options.image_batch)
    side = X.shape[1]

    def net():
        generator = torch.Generator().manual_seed(0)
        encoder = ImageResNetEncoder(width=options.width).build(ImageSpec((3, side, side)), None, generator)
        return nn.Sequential(encoder, MLPProjector().build(8 * options.width, generator)).to(device)

    x = torch.stack([torch.rand(batch, 3, side, side, device=device) for _ in range(2)])
    print(f"\n## images: {len(X):,} x {side} x {side} x 3, ResNet-18, batches of {batch}, {autocast or 'float32'}")
    print_header(["encoder", "loop", "ms per step", "speed / limit", "images/s", "first epoch, s"])
    torch.backends.cudnn.benchmark = True  # as in a fit
    step = bare(net(), x, autocast)
    params = {"modality": "image", "encoder__width": options.width, "encoder": "resnet18"}
    variants = {
        "limit": timed(repeated(step, n_steps), device),
        **fits(X, options, options.image_batch, precision="float32" if autocast is None else "bfloat16", **params),
        f"Pillow, {options.workers} workers": timed(loader_epoch(X, batch, step, x, options.workers), device),
    }
    seconds = alternate(variants, options.rounds, time.perf_counter)
    show("ResNet-18", variants, seconds, n_steps, len(X))
    show_floor(net(), x, autocast, min(map(np.median, seconds.values())) / n_steps)


SECTIONS = {"tabular": tabular, "images": images}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="directory with manifest.json and the images")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", help="precision for tables")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--image-batch", type=int, default=512)
    parser.add_argument("--width", type=int, default=64, help="width of the ResNet's first stage")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5, help="timed epochs of each fit, in addition to the first")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="workers of the loader of images")
    options = parser.parse_args()
    device = choose_device(options.device)
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else platform.machine()
    cuda = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, " if on_gpu else ""
    versions = f"sklearn_twins {sklearn_twins.__version__}, torch {torch.__version__}, {cuda}"
    print(f"{versions}Python {platform.python_version()}; {name}, {os.cpu_count()} cores")
    if not on_gpu:
        torch.set_num_threads(1)
        print("No GPU: nothing is recorded as a CUDA graph or compiled, and the figures say nothing about GPUs.")
    for section in options.sections:
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)
        SECTIONS[section](options)
        if on_gpu:
            print(f"\nPeak memory: {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB.")


if __name__ == "__main__":
    main()

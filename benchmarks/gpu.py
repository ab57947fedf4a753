"""On a GPU: how much of a fit is the network's own arithmetic, with its steps recorded as a CUDA graph and without.

    python benchmarks/gpu.py [--data DIR] [--rounds 5] [--sections tabular images]

The limit is a bare step, written out here and recorded as a CUDA graph by this script: two views that lie ready, two
passes, the objective, backward, fused AdamW. Everything that is compared alternates in one process. The device is
waited for at the ends only: of a loop of many steps, and of an epoch of a fit (whose first one, in which steps are
compiled and recorded, is told by itself). Figures are medians over the rounds, ratios are taken round by round, with
their quartiles.

tabular  20,000 x 50, batches of 256: the limit, fits with compile=True and without, and skorch's steps, on rows that
         are on the device and with its own loader;
images   50,000 of 32 x 32 x 3 (CIFAR-10 with --data, else random bytes), ResNet-18, batches of 512, bfloat16: the
         limit, fits, and a loader of views made image by image with Pillow, by a worker on each core, that feeds the
         limit.

Under each table is the floor of its bare step: its operations by the rate of a large matrix product, its bytes (weights
and AdamW's state 12 times, what is kept for the backward pass twice) by the bandwidth of a large copy, both measured
here, and what share of the larger one's speed the fastest loop reaches.

Without a GPU (--device cpu, with small sizes) it runs, too, to be tested; nothing is recorded or compiled then.
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
from sklearn_twins import BarlowTwinsEmbedder, SampleSpec
from sklearn_twins._runtime._devices import choose_device, choose_precision
from sklearn_twins.networks import ImageResNetEncoder, MLPProjector

FOR_THE_WEIGHTS = 12  # reads and writes: 4 by the passes, 1 of the gradient, 7 by AdamW


def wait(device):
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work, device):
    """A function that returns the seconds of some work, the device waited for at both ends."""

    def run():
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        return time.perf_counter() - start

    return run


def bare(net, x, autocast):
    """The limit's step, recorded where there is a GPU."""
    step = bare_step(net, *x, autocast)
    return captured(step) if x.device.type == "cuda" else step


class Fits:
    """Fits of some epochs; called, it returns the median of their seconds but the first, which `first` collects."""

    def __init__(self, X, options, batch, **params):
        nested = {name: params.pop(name) for name in list(params) if "__" in name}
        embedder = BarlowTwinsEmbedder(
            max_epochs=1 + options.epochs, batch_size=batch, device=options.device, random_state=0, **params
        )
        self.embedder, self.X, self.first = embedder.set_params(**nested), X, []
        self.embedder.fit(X[: 2 * batch])  # compiles what is compiled once a process

    def __call__(self):
        seconds = self.embedder.fit(self.X).history_["seconds"]
        self.first.append(seconds[0])
        return float(np.median(seconds[1:]))


def fits(X, options, batch, **params):
    """Fits with steps as they are written, and with compiled and recorded ones where there is a GPU."""
    found = {"fit": Fits(X, options, batch, **params)}
    if choose_device(options.device).type == "cuda":
        found["fit, compile=True"] = Fits(X, options, batch, compile=True, **params)
    return found


def best_seconds(work, device, rounds=5):
    """Seconds of some work, the least of several times."""
    run = timed(work, device)
    return min(run() for _ in range(rounds + 1))


def matmul_rate(device, dtype):
    """Operations a second of a large matrix product."""
    n = 8192 if device.type == "cuda" else 512
    a = torch.randn(n, n, device=device, dtype=dtype or torch.float32)
    return 2 * n**3 / best_seconds(lambda: a @ a, device)


def copy_bandwidth(device):
    """Bytes a second of a large copy, those read and those written."""
    a = torch.empty(2**30 if device.type == "cuda" else 2**24, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    return 2 * len(a) / best_seconds(lambda: b.copy_(a), device)


def show_floor(net, x, autocast, seconds):
    """What a bare step must take at least, and how near the fastest loop comes.  # seconds: of a step of it"""
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
    """A row for each loop."""
    for loop, values in seconds.items():
        first = f"{np.median(variants[loop].first):.2f}" if isinstance(variants[loop], Fits) else ""
        cells = f"{1e3 * np.median(values) / n_steps:.3f} | {ratio(seconds['limit'], values)}"
        print(f"| {name} | {loop} | {cells} | {n / np.median(values):,.0f} | {first} |", flush=True)


def tabular(options):
    """Steps of fits of a table."""
    device = choose_device(options.device)
    autocast = choose_precision(options.precision, device)
    X = np.random.default_rng(0).normal(size=(options.rows, options.columns)).astype(np.float32)
    n_steps, batch = cut(len(X), BATCH)
    x = torch.randn(2, batch, options.columns, device=device)
    for name, hidden_dims in SHAPES.items():
        print(
            f"\n## tabular, {name}: {options.rows:,} x {options.columns}, batches of {batch}, {autocast or 'float32'}"
        )
        print_header(["encoder", "loop", "ms a step", "of the limit", "rows/s", "first epoch, s"])
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
    """Two views of each image, made one by one."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        image = Image.fromarray(self.X[i])
        return tuple(pil_view(image, self.X.shape[1], random) for _ in range(2))


def loader_epoch(X, batch, step, x, n_workers):
    """A function that feeds a bare step by a loader."""
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
    """Steps of fits of images."""
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
        encoder = ImageResNetEncoder(width=options.width).build(SampleSpec((3, side, side)), None, generator)
        return nn.Sequential(encoder, MLPProjector().build(8 * options.width, generator)).to(device)

    x = torch.stack([torch.rand(batch, 3, side, side, device=device) for _ in range(2)])
    print(f"\n## images: {len(X):,} x {side} x {side} x 3, ResNet-18, batches of {batch}, {autocast or 'float32'}")
    print_header(["encoder", "loop", "ms a step", "of the limit", "images/s", "first epoch, s"])
    torch.backends.cudnn.benchmark = True  # as a fit has it
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
    parser.add_argument("--precision", default="auto", help="of tables")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--image-batch", type=int, default=512)
    parser.add_argument("--width", type=int, default=64, help="of the ResNet's first stage")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5, help="timed of each fit, beside the first")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the loader of images")
    options = parser.parse_args()
    device = choose_device(options.device)
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else platform.machine()
    cuda = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, " if on_gpu else ""
    versions = f"sklearn_twins {sklearn_twins.__version__}, torch {torch.__version__}, {cuda}"
    print(f"{versions}Python {platform.python_version()}; {name}, {os.cpu_count()} cores")
    if not on_gpu:
        torch.set_num_threads(1)
        print("No GPU: nothing is recorded as a CUDA graph or compiled, and the figures say nothing of one.")
    for section in options.sections:
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)
        SECTIONS[section](options)
        if on_gpu:
            print(f"\nMost memory at a time: {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB.")


if __name__ == "__main__":
    main()

"""Measure how close a fit comes to the network's own arithmetic, and how much faster it is than other loops.

    python benchmarks/speed.py [--sections tabular images series scaling busy memory methods] [--rows 20000]
                               [--images 10000] [--series 2560] [--rounds 7] [--threads 1]

The limit is a bare step, written in this script: two views made beforehand, two passes, the objective, backward, fused
AdamW, in a plain loop without data, views or callbacks. Variants alternate in one process. Figures are medians over the
rounds; ratios are computed round by round and given with their quartiles. Sections:

tabular  a step of a fit compared with its limit, in float32 and in bfloat16, and with the loops that users would take:
         skorch with its own loader, and a loader of single rows with the loss read in each step, as in self-supervision
         libraries;
images   the same on images of 32 x 32 x 3, with the default views;
series   steps of a fit of time series and the two default views alone, compared with the limit of each encoder, whose
         networks are the package's own; with unequal lengths, too;
scaling  seconds per row, from a thousand rows to a million;
memory   the peak memory that a fit adds to X;
busy     a fit next to a busy process on each core but one, compared with the same fit alone;
methods  a whole default fit, PCA, UMAP (if installed) and an autoencoder by scikit-learn, with the accuracy of logistic
         regression on 25 labels per class.

Slow peers are timed for fewer rounds. `benchmarks/objectives.py`, `views.py` and `transform.py` time single parts.
"""

import argparse
import multiprocessing
import platform
import resource
import time
import warnings

import numpy as np
import sklearn
import torch
from _loops import alternate, bare_step, convnet, cut, loader_epoch, mlp, ratio, repeated, skorch_epoch
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._parts._augmentation import bind
from sklearn_twins._roles import resolve_part
from sklearn_twins.augmentations import SeriesViews, make_views
from sklearn_twins.networks import MLPProjector
from sklearn_twins.preprocessing import SeriesPreprocessor

SHAPES = {"large, 4x256": (256, 256, 256, 256), "default, 3x256": (256, 256, 256), "tiny, 2x128": (128, 128)}
BATCH = 256


def fit_of(X, options, **params):
    """Return a function that fits for one epoch and returns the epoch's seconds."""
    params = {"optimizer": "adamw"} | params  # as the bare step
    nested = {name: params.pop(name) for name in list(params) if "__" in name}
    embedder = BarlowTwinsEmbedder(max_epochs=1, batch_size=BATCH, n_jobs=options.threads, random_state=0, **params)
    embedder.set_params(**nested).fit(X[: 2 * BATCH])
    return lambda: float(embedder.fit(X).history_["seconds"][0])


def print_header(columns):
    print(f"\n| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|", flush=True)


def tabular(options):
    """Measure steps of a fit of a table."""
    X = np.random.default_rng(0).normal(size=(options.rows, options.columns)).astype(np.float32)
    n_steps, batch = cut(len(X), BATCH)
    print(f"\n## tabular: {options.rows:,} x {options.columns}, batches of {batch}")
    print_header(["encoder", "loop", "ms per step", "speed / float32 limit", "speed / own limit", "rows/s"])
    x = torch.randn(2, batch, options.columns)
    for name, hidden_dims in SHAPES.items():
        net = lambda dims=hidden_dims: mlp(options.columns, dims)  # noqa: E731
        variants = {
            "limit": repeated(bare_step(net(), *x), n_steps),
            "fit": fit_of(X, options, encoder__hidden_dims=hidden_dims),
            "limit, bfloat16": repeated(bare_step(net(), *x, torch.bfloat16), n_steps),
            "fit, bfloat16": fit_of(X, options, encoder__hidden_dims=hidden_dims, precision="bfloat16"),
            "skorch, own loader": skorch_epoch(net(), X, batch),
            "loader of rows": loader_epoch(net(), X, batch),
        }
        show(name, alternate(variants, options.rounds, time.perf_counter), n_steps, len(X))


def show(name, seconds, n_steps, n):
    """Print a row for each loop."""
    for loop, values in seconds.items():
        own = seconds["limit, bfloat16" if "bfloat16" in loop else "limit"]
        cells = [f"{1e3 * np.median(values) / n_steps:.2f}", ratio(seconds["limit"], values), ratio(own, values)]
        print(f"| {name} | {loop} | {' | '.join(cells)} | {n / np.median(values):,.0f} |", flush=True)


def images(options):
    """Measure steps of a fit of images."""
    X = np.random.default_rng(0).integers(0, 256, (options.images, 32, 32, 3), dtype=np.uint8)
    n_steps, batch = cut(len(X), BATCH)
    print(f"\n## images: {options.images:,} x 32 x 32 x 3, batches of {batch}, the default convnet and views")
    print_header(["encoder", "loop", "ms per step", "speed / float32 limit", "speed / own limit", "images/s"])
    plain = torch.randn(2, batch, 3, 32, 32)
    last = [view.contiguous(memory_format=torch.channels_last) for view in plain]
    net = lambda: convnet(3).to(memory_format=torch.channels_last)  # noqa: E731
    variants = {
        "limit": repeated(bare_step(net(), *last), n_steps),
        "limit, channels first": repeated(bare_step(convnet(3), *plain), n_steps),
        "fit": fit_of(X, options, modality="image", precision="float32"),
        "limit, bfloat16": repeated(bare_step(net(), *last, torch.bfloat16), n_steps),
        "fit, bfloat16": fit_of(X, options, modality="image", precision="bfloat16"),
    }
    if options.compile:  # the limits are not compiled
        for loop, precision in {"fit, compiled": "float32", "fit, compiled, bfloat16": "bfloat16"}.items():
            variants[loop] = fit_of(X, options, modality="image", precision=precision, compile=True)
    show("convnet", alternate(variants, options.rounds, time.perf_counter), n_steps, len(X))


def series(options):
    """Measure steps of a fit of time series, and their views."""
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    n_steps, batch = cut(options.series, BATCH)
    print(f"\n## series: {options.series:,} series, batches of {batch}, the default views")
    columns = ["channels x length", "encoder", "limit, ms per step", "fit, ms per step", "fit / limit", "views / limit"]
    print_header(columns)
    for n_channels, length, unequal in ((1, 200, False), (3, 150, False), (3, 150, True)):
        X = rng.normal(size=(options.series, n_channels, length)).cumsum(2)
        if unequal:
            ends = rng.integers(length // 2, length + 1, size=(len(X), 1, 1))
            X = np.where(np.arange(length) < ends, X, np.nan)
        preprocessor = SeriesPreprocessor()
        samples = torch.from_numpy(preprocessor.fit_transform(X))
        augmentation = bind(SeriesViews(), preprocessor.spec_, samples.device)
        x = samples[:batch]
        for name in ("minirocket", "resnet1d"):
            encoder = resolve_part("encoder", name, "series").build(preprocessor.spec_, None, generator)
            projector = MLPProjector().build(encoder(x[:2]).shape[1], generator)
            views = make_views(augmentation, x, samples, generator)
            variants = {
                "limit": repeated(bare_step(torch.nn.Sequential(encoder, projector), *views), n_steps),
                "fit": fit_of(X, options, modality="series", encoder=name),
                "views": repeated(lambda a=augmentation, x=x, s=samples: make_views(a, x, s, generator), n_steps),
            }
            seconds = alternate(variants, options.rounds, time.perf_counter)
            limit, fit = (f"{1e3 * np.median(seconds[loop]) / n_steps:.1f}" for loop in ("limit", "fit"))
            ratios = f"{ratio(seconds['fit'], seconds['limit'])} | {ratio(seconds['views'], seconds['limit'])}"
            shape = f"{n_channels} x {'up to ' if unequal else ''}{length}"
            print(f"| {shape} | {name} | {limit} | {fit} | {ratios} |", flush=True)


def scaling(options):
    """Measure the time per row."""
    print("\n## scaling: one epoch of a default fit, 20 columns")
    print_header(["rows", "whole fit, us per row", "its epoch, us per row"])
    for n in (1_000, 10_000, 100_000, 1_000_000):
        if n > options.most_rows:
            break
        X = np.random.default_rng(0).normal(size=(n, 20)).astype(np.float32)
        fit, rounds = fit_of(X, options), max(1, min(options.rounds, 200_000 // n))
        whole, epochs = [], []
        for _ in range(rounds):
            start = time.perf_counter()
            epochs.append(fit())
            whole.append(time.perf_counter() - start)
        print(f"| {n:,} | {1e6 * np.median(whole) / n:.1f} | {1e6 * np.median(epochs) / n:.1f} |", flush=True)


def spin():
    """Keep a core busy."""
    while True:
        pass


def busy(options):
    """Measure a fit next to busy processes."""
    X = np.random.default_rng(0).normal(size=(options.rows, options.columns)).astype(np.float32)
    others = max(1, multiprocessing.cpu_count() - 1)
    print(f"\n## busy: one epoch of a default fit, alone and next to {others} busy process(es)")
    print_header(["encoder", "alone, s", "next to a busy process, s", "ratio"])
    for name, hidden_dims in SHAPES.items():
        fit = fit_of(X, options, encoder__hidden_dims=hidden_dims)

        def beside(fit=fit):
            spinners = [multiprocessing.get_context("spawn").Process(target=spin, daemon=True) for _ in range(others)]
            for spinner in spinners:
                spinner.start()
            try:
                return fit()
            finally:
                for spinner in spinners:
                    spinner.kill()

        seconds = alternate({"alone": fit, "beside": beside}, options.rounds, time.perf_counter)
        alone, with_others = seconds["alone"], seconds["beside"]
        cells = f"{np.median(alone):.2f} | {np.median(with_others):.2f} | {ratio(with_others, alone)}"
        print(f"| {name} | {cells} |", flush=True)


def peak(n, n_columns, results):
    """Measure the peak bytes that a fit of one epoch adds to those of a small fit, in a separate process."""
    torch.set_num_threads(1)
    X = np.random.default_rng(0).standard_normal((n, n_columns), dtype=np.float32)  # without a larger array on the way
    embedder = BarlowTwinsEmbedder(max_epochs=1, random_state=0)
    embedder.fit(X[:2_000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    embedder.fit(X)
    results.put(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


def memory(options):
    """Measure the memory that a fit adds to X."""
    print("\n## memory: at the peak of a fit, in addition to X and to a process that has fitted 2,000 rows")
    print_header(["rows", "X, MB", "added, MB", "(X + added) / X"])
    spawn = multiprocessing.get_context("spawn")
    for n in (100_000, 400_000, 1_000_000):
        if n > options.most_rows:
            break
        results = spawn.Queue()
        process = spawn.Process(target=peak, args=(n, options.columns, results))
        process.start()
        added, size = results.get(), 4 * n * options.columns
        process.join()
        print(f"| {n:,} | {size / 1e6:.0f} | {added / 1e6:.0f} | {1 + added / size:.2f} |", flush=True)


class Autoencoder(MLPRegressor):
    """scikit-learn's network, trained to reconstruct its input; the second of three hidden layers is the code."""

    def transform(self, X):
        for weights, bias in list(zip(self.coefs_, self.intercepts_, strict=True))[:2]:
            X = np.maximum(X @ weights + bias, 0)
        return X


def methods(options):
    """Measure whole fits, and the accuracy that they give."""
    X, y = make_classification(options.rows, options.columns, n_informative=15, n_classes=5, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X.astype(np.float32), y, stratify=y, random_state=0)
    print(f"\n## methods: default fits of {len(X_train):,} x {options.columns}, made by make_classification, 5 classes")
    print_header(["method", "fit, s", "transform, rows/s", "accuracy with 25 labels per class"])
    scale, n_epochs = StandardScaler(), 20 if options.epochs == "auto" else options.epochs
    autoencoder = Autoencoder(
        hidden_layer_sizes=(256, 256, 256), max_iter=n_epochs, random_state=0, tol=0, n_iter_no_change=n_epochs
    )
    found = {
        "raw columns": StandardScaler(),
        "PCA, 16": make_pipeline(scale, PCA(16, random_state=0)),
        f"autoencoder, {n_epochs} epochs": make_pipeline(scale, autoencoder),
        "BarlowTwinsEmbedder": BarlowTwinsEmbedder(n_jobs=options.threads, random_state=0, max_epochs=options.epochs),
    }
    try:
        from umap import UMAP

        found["UMAP, 16"] = make_pipeline(scale, UMAP(16))
    except ImportError:
        print("| UMAP | not installed | | |")
    for name, method in found.items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is fixed on purpose
            method.fit(X_train, scale.fit_transform(X_train) if name.startswith("autoencoder") else None)
        fitted = time.perf_counter()
        Z_test = method.transform(X_test)
        done = time.perf_counter()
        Z_train, scores = method.transform(X_train), []
        for draw in range(10):
            order = np.random.default_rng(draw).permutation(len(y_train))
            rows = np.concatenate([order[y_train[order] == label][:25] for label in np.unique(y_train)])
            classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            scores.append(classifier.fit(Z_train[rows], y_train[rows]).score(Z_test, y_test))
        cells = f"{fitted - start:.1f} | {len(X_test) / (done - fitted):,.0f} | {np.mean(scores):.3f}"
        print(f"| {name} | {cells} ± {np.std(scores, ddof=1):.3f} |", flush=True)


SECTIONS = {
    "tabular": tabular,
    "images": images,
    "series": series,
    "scaling": scaling,
    "busy": busy,
    "memory": memory,
    "methods": methods,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=2_560)
    parser.add_argument("--most-rows", type=int, default=1_000_000, help="most rows in the sections scaling and memory")
    parser.add_argument("--epochs", type=lambda text: text if text == "auto" else int(text), default="auto")
    parser.add_argument(
        "--compile", action="store_true", help="also measure compiled fits of images: one minute longer"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}; {options.threads} thread(s)")
    for name in options.sections:
        SECTIONS[name](options)


if __name__ == "__main__":
    main()

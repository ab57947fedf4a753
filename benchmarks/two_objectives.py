"""Barlow Twins against its HSIC form over projection widths, batch sizes and epochs, on a CPU.

    python benchmarks/two_objectives.py --data DIR --cache DIR [--plot two_objectives.png] [--seeds 3] [--rows 10000]
                                        [--epochs 10] [--images fashion_mnist cifar10]
                                        [--objectives barlow_twins hsic] [--widths ...] [--batches ...]

Tsai et al. (arXiv 2104.13712) report that the two objectives differ by less than one point everywhere, that neither
needs large batches, and that the width of the projection matters little. This script repeats the comparison on small
images: the first `--rows` training images and all test images, with sides halved by averaging 2 x 2 pixels; a
convolutional network of three layers; one setting at a time changed from a width of 256, batches of 256 and `--epochs`
epochs. All objectives share the initial weights, batches and views of a seed, and the learning rate of AdamW,
0.005 * sqrt(batch / 256). Each keeps its own default weights; that of correlations off the diagonal, lambda in the
paper, is 1 / width for both.

The embedding is judged by logistic regression on all training labels: accuracy on the test images, in percent. Halved
images and `results.csv`, to which each fit appends a line, are kept in the cache directory, so that an interrupted run
continues. Prints Markdown and plots the curves with all results of the cache that have these rows and epochs.
"""

import argparse
import csv
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from _baselines import RandomEncoder
from _data import load_images
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.networks import ConvNetEncoder, MLPProjector

BARLOW, HSIC, PIXELS, UNTRAINED = "barlow_twins", "hsic", "raw pixels", "untrained encoder"
WIDTH, BATCH = 256, 256  # from which one setting at a time is changed
WIDTHS, BATCHES, EPOCH_FACTORS = (64, 128, 256, 512, 1024, 2048), (32, 64, 128, 256, 512, 1024), (0.5, 1, 2)
CHANNELS = (16, 32, 64)
KEY = ["set", "rows", "objective", "width", "batch", "epochs", "seed"]
LABELS = {"width": "projection width", "batch": "batch size", "epochs": "epochs"}


def halve(images):
    """Halve the sides of images by averaging.  # (n, height, width, channels), uint8"""
    images = images[:, : images.shape[1] // 2 * 2, : images.shape[2] // 2 * 2]
    n, height, width, channels = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2, channels)
    return blocks.mean((2, 4)).round().astype(np.uint8)


def load(options, name):
    """Load halved training images and labels, and test images and labels, from the cache if they are there."""
    path = options.cache / f"{name}-{options.rows}.npz"
    if not path.exists():
        X_train, y_train, X_test, y_test = load_images(options.data, name)
        np.savez(path, halve(X_train[: options.rows]), y_train[: options.rows], halve(X_test), y_test)
    with np.load(path) as arrays:
        return tuple(arrays.values())


def make_embedder(objective, width, batch, epochs, seed):
    """Make the embedder of one fit."""
    return BarlowTwinsEmbedder(
        modality="image",
        encoder=ConvNetEncoder(CHANNELS),
        projector=MLPProjector(projection_dim=width),
        objective=objective,
        optimizer="adamw",
        batch_size=batch,
        learning_rate=5e-3 * (batch / 256) ** 0.5,
        max_epochs=epochs,
        device="cpu",
        random_state=seed,
    )


def judge(transformer, X_train, y_train, X_test, y_test):
    """Fit a transformer without labels; compute the accuracy of logistic regression on its output."""
    Z_train, Z_test = (np.float32(X.reshape(len(X), -1)) / 255 for X in (X_train, X_test))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        if transformer is not None:
            Z_train, Z_test = transformer.fit(X_train).transform(X_train), transformer.transform(X_test)
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        return 100 * linear.fit(Z_train, y_train).score(Z_test, y_test)


def list_fits(options):
    """List what to fit, as values of `KEY`: whole seeds one after the other, references first."""
    settings = [(width, BATCH, 1) for width in options.widths] + [(WIDTH, batch, 1) for batch in options.batches]
    settings = dict.fromkeys(settings + [(WIDTH, BATCH, factor) for factor in EPOCH_FACTORS])
    for seed in range(options.seeds):
        for name in options.images:
            for reference in [PIXELS] * (seed == 0) + [UNTRAINED]:
                yield name, options.rows, reference, WIDTH, BATCH, 0, seed
            for width, batch, factor in settings:
                for objective in options.objectives:
                    yield name, options.rows, objective, width, batch, max(1, int(factor * options.epochs)), seed


def run_fits(options):
    """Make the fits that are missing in the cache; return all results."""
    path, is_new = options.cache / "results.csv", not (options.cache / "results.csv").exists()
    with open(path, "a", newline="", encoding="utf-8", buffering=1) as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow([*KEY, "accuracy", "seconds"])
        done, images = set(pd.read_csv(path)[KEY].itertuples(index=False, name=None)), {}
        for fit in dict.fromkeys(list_fits(options)):
            if fit in done:
                continue
            name, _, objective, *setting = fit
            if name not in images:
                images[name] = load(options, name)
            start = time.process_time()
            if objective == UNTRAINED:
                transformer = RandomEncoder(make_embedder(BARLOW, WIDTH, BATCH, 1, setting[-1]))
            else:
                transformer = None if objective == PIXELS else make_embedder(objective, *setting)
            accuracy = judge(transformer, *images[name])
            writer.writerow([*fit, round(accuracy, 2), round(time.process_time() - start, 1)])
    return pd.read_csv(path)


def select(results, swept, epochs):
    """Select the fits in which only one setting differs from the centre."""
    fixed = {"width": WIDTH, "batch": BATCH, "epochs": epochs}
    return results[np.all([results[name] == value for name, value in fixed.items() if name != swept], axis=0)]


def describe(values):
    """Format a mean over seeds, with its standard deviation if there are several."""
    values = values.dropna()
    spread = f" ± {values.std():.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread}" if len(values) else ""


def print_results(results, options):
    """Print a table for each set and setting."""
    for name, some in results.groupby("set", sort=False):
        references = some[some["epochs"] == 0].groupby("objective")["accuracy"].apply(describe)
        print(f"\n{name}: {', '.join(f'{label} {value}' for label, value in references.items())}\n")
        some = some[some["epochs"] > 0]
        objectives = list(dict.fromkeys(some["objective"]))
        for swept, label in LABELS.items():
            print(f"| {label} | {' | '.join(objectives)} | hsic - barlow_twins | seeds |")
            print("|---" * (len(objectives) + 3) + "|")
            for value, own in select(some, swept, options.epochs).groupby(swept):
                wide = own.pivot(index="seed", columns="objective", values="accuracy").reindex(columns=objectives)
                cells = [describe(wide[objective]) for objective in objectives]
                paired = describe(wide[HSIC] - wide[BARLOW]) if {BARLOW, HSIC} <= set(objectives) else ""
                print(f"| {value} | {' | '.join(cells)} | {paired} | {len(wide)} |")
            print()


def print_differences(results):
    """Summarise the paired differences of the two objectives over all settings and seeds."""
    trained = results[results["objective"].isin([BARLOW, HSIC]) & (results["epochs"] > 0)]
    keys = ["set", "width", "batch", "epochs", "seed"]
    wide = trained.pivot(index=keys, columns="objective", values="accuracy").dropna()
    if not {BARLOW, HSIC} <= set(wide):
        return
    pairs = wide[HSIC] - wide[BARLOW]
    settings = pairs.groupby(keys[:-1]).mean()
    print(
        f"hsic - barlow_twins: mean {pairs.mean():+.2f}, standard deviation {pairs.std():.2f} over {len(pairs)} pairs"
    )
    for label, found in {"pairs of fits": pairs, "settings (means of their seeds)": settings}.items():
        print(f"{(found.abs() < 1).sum()} of {len(found)} {label} are less than one point apart")
    for place, value in {settings.idxmin(): settings.min(), settings.idxmax(): settings.max()}.items():
        print(f"{value:+.1f} for {', '.join(f'{key} {one}' for key, one in zip(keys, place, strict=False))}")


def plot_results(results, options):
    """Draw accuracy against each setting: a row for each set, bands of one standard deviation over seeds."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(results["set"]))
    figure, axes = plt.subplots(len(names), 3, figsize=(11, 3.2 * len(names)), squeeze=False, sharey="row")
    for row, name in zip(axes, names, strict=True):
        some = results[results["set"] == name]
        row[0].set_ylabel(f"{name}: linear accuracy (%)")
        for axis, (swept, label) in zip(row, LABELS.items(), strict=True):
            for style, reference in (":", PIXELS), ("--", UNTRAINED):
                level = some.loc[some["objective"] == reference, "accuracy"].mean()
                axis.axhline(level, color="grey", linestyle=style, label=reference)
            trained = select(some[some["epochs"] > 0], swept, options.epochs)
            for objective, own in trained.groupby("objective", sort=False):
                curve = own.groupby(swept)["accuracy"].agg(["mean", "std"]).fillna(0)
                axis.plot(curve.index, curve["mean"], marker=".", label=objective)
                axis.fill_between(curve.index, curve["mean"] - curve["std"], curve["mean"] + curve["std"], alpha=0.2)
            axis.set_xscale("log", base=2)
            axis.set_xlabel(label)
            ticks = sorted(trained[swept].unique())
            axis.set_xticks(ticks, labels=ticks)
    axes[0, -1].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(options.plot, dpi=100)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="directory with manifest.json and the images")
    parser.add_argument("--cache", type=Path, required=True, help="directory in which images and results are kept")
    parser.add_argument("--plot", type=Path, default=Path("two_objectives.png"))
    parser.add_argument("--images", nargs="+", default=["fashion_mnist", "cifar10"])
    parser.add_argument("--objectives", nargs="+", default=[BARLOW, HSIC])
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--rows", type=int, default=10_000, help="number of training images")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    versions = f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{versions}, torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    results = run_fits(options)
    epochs = {0, *(max(1, int(factor * options.epochs)) for factor in EPOCH_FACTORS)}
    results = results[(results["rows"] == options.rows) & results["epochs"].isin(epochs)]
    print_results(results, options)
    print_differences(results)
    plot_results(results, options)


if __name__ == "__main__":
    main()

"""How soon are fits good? Accuracy with few labels against the CPU seconds of a fit, as curves, for tables and images.

    python benchmarks/time_to_quality.py --data DIR --cache DIR [--plot FILE] [--sections tables images]
                                         [--tables optdigits ...] [--images mnist ...] [--settings default ...]
                                         [--shares 0.17 0.33 0.67 1] [--seeds 1] [--draws 10]
                                         [--max-rows 3000] [--max-images 10000] [--epochs E]
                                         [--precision bfloat16]

Each point is a whole fit on unlabelled training rows. `--shares` are shares of the default's number of epochs; the
schedule of the learning rate is scaled to the shorter fit. Logistic regression on what `transform` returns is then
fitted on 5 and on 25 labelled rows of each class and scored on the test rows, by balanced accuracy. All fits of a data
set and seed get the same draws of labels. Seconds are those of the process (all threads together, one by default), so
that other work on the machine counts little.

Prints Markdown: seconds and accuracy of each fit, as means over seeds; then, for each setting and share, the mean over
the data sets of the seconds and of the difference from the default with all of its epochs, in points. `results.csv` in
the cache directory keeps the fits, which are not repeated, and `--plot` draws the curves.
"""

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from _data import add_arguments, draw_labels, load_images, manifest, split
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.networks import ConvNetEncoder

COUNTS = (5, 25)  # labelled rows of each class
MOST_TEST_ROWS = 3_000
SHARES = (1 / 6, 1 / 3, 2 / 3, 1)
SETTINGS = {
    "default": {},
    "rate 0.01": {"learning_rate": 0.01},
    "rate 0.02": {"learning_rate": 0.02},
    "muon": {"optimizer": "muon"},
    "adamw": {"optimizer": "adamw"},
    "batches of 128": {"batch_size": 128},
    "batches of 128, rate 0.01": {"batch_size": 128, "learning_rate": 0.01},
    "batches of 128, rate 0.01, off-diagonal 0.02": {
        "batch_size": 128,
        "learning_rate": 0.01,
        "objective__off_diagonal_weight": 0.02,
    },
}
IMAGE_SETTINGS = {"slim": {"encoder": ConvNetEncoder((24, 48, 96, 256))}}
KEYS = ["section", "set", "rows", "seed", "precision", "setting", "epochs"]


def draw_rows(X, y, n, rng):
    """Draw at most n rows, in their order."""
    y = np.asarray(y)
    if len(X) <= n:
        return X, y
    rows = np.sort(rng.choice(len(X), n, replace=False))
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows], y[rows]


def default_epochs(modality, n_rows):
    """Number of epochs of a default fit: those that an embedder of so many rows would take."""
    from sklearn_twins._fitting._plan import auto_epochs

    return auto_epochs(n_rows, BarlowTwinsEmbedder().batch_size, modality)


def measure(data, modality, seed, setting, epochs, draws):
    """Fit for some epochs; return the CPU seconds, and the mean accuracy in percent for each number of labels."""
    X, y, X_test, y_test = data
    embedder = BarlowTwinsEmbedder(modality=modality, max_epochs=epochs, random_state=seed).set_params(**setting)
    clone(embedder).set_params(max_epochs=1).fit(X[:128])  # loads what the first fit loads
    start = time.process_time()
    embedder.fit(X)
    found = {"seconds": time.process_time() - start}
    Z, Z_test = embedder.transform(X), embedder.transform(X_test)
    for count in COUNTS:
        scores = []
        for draw in range(draws):
            rows = draw_labels(y, min(count, np.unique(y, return_counts=True)[1].min()), 1_000 * seed + draw)
            predicted = LogisticRegression(max_iter=1_000).fit(Z[rows], y[rows]).predict(Z_test)
            scores.append(100 * balanced_accuracy_score(y_test, predicted))
        found[f"accuracy_{count}"] = np.mean(scores)
    return found


def run(section, name, parts, options):
    """Make the fits of a data set, or read them from the results; return them as records."""
    modality = {"tables": "tabular", "images": "image"}[section]
    precision = options.precision if section == "images" else "float32"
    path, most = options.cache / "results.csv", options.max_images if section == "images" else options.max_rows
    settings = SETTINGS | (IMAGE_SETTINGS if section == "images" else {})
    records = []
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        X, y = draw_rows(parts[0], parts[2], most, rng)
        X_test, y_test = draw_rows(parts[1], parts[3], MOST_TEST_ROWS, rng)
        full = options.epochs or default_epochs(modality, len(X))
        for setting in (s for s in options.settings if s in settings):
            for share in options.shares:
                epochs = max(1, round(share * full))
                key = dict(zip(KEYS, (section, name, len(X), seed, precision, setting, epochs), strict=True))
                found = look_up(path, key)
                if found is None:
                    data, parameters = (X, y, X_test, y_test), {**settings[setting], "precision": precision}
                    found = {**key, **measure(data, modality, seed, parameters, epochs, options.draws)}
                    pd.DataFrame([found]).to_csv(path, mode="a", header=not path.exists(), index=False)
                records.append({**found, "share": share})
    return records


def look_up(path, key):
    """Return a fit from the results; None if it is not there."""
    if not path.exists():
        return None
    results = pd.read_csv(path)
    found = results[(results[KEYS] == list(key.values())).all(axis=1)]
    return None if found.empty else found.iloc[0].to_dict()


def print_results(results):
    """Print the fits, and the means over the data sets as differences from the whole default fit."""
    names = [f"accuracy_{count}" for count in COUNTS]
    by = ["set", "setting", "share"]
    means = results.groupby(by, sort=False)[["epochs", "seconds", *names]].mean()
    head = " | ".join(f"{count} labels" for count in COUNTS)
    print(f"\n| data set | setting | epochs | CPU s | {head} |")
    print("|---" * (4 + len(COUNTS)) + "|")
    for (name, setting, _), row in means.iterrows():
        cells = " | ".join(f"{row[n]:.1f}" for n in names)
        print(f"| {name} | {setting} | {row['epochs']:.0f} | {row['seconds']:.1f} | {cells} |")
    whole = results[results["setting"] == "default"].sort_values("share")
    whole = whole[whole["share"] == whole["share"].max()].groupby("set")[["seconds", *names]].mean()
    gains = means.reset_index()
    gains["time"] = gains["seconds"] / gains["set"].map(whole["seconds"])
    for name in names:
        gains[name] -= gains["set"].map(whole[name])
    print(f"\n| setting | share of the epochs | share of the time | {head} | worst, 5 labels | data sets |")
    print("|---" * (5 + len(COUNTS)) + "|")
    for (setting, share), rows in gains.groupby(["setting", "share"], sort=False):
        cells = " | ".join(f"{rows[n].mean():+.1f}" for n in names)
        worst = rows[names[0]].min()
        print(f"| {setting} | {share:.2f} | {rows['time'].mean():.2f} | {cells} | {worst:+.1f} | {len(rows)} |")


def draw_curves(results, path):
    """Draw accuracy with 5 labels against seconds: one panel for each image set, and one for the mean of the tables."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    results = results.assign(panel=np.where(results["section"] == "tables", "mean of the tables", results["set"]))
    panels = list(dict.fromkeys(results["panel"]))
    figure, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels), 3.4), layout="constrained", squeeze=False)
    for ax, panel in zip(axes[0], panels, strict=True):
        own = results[results["panel"] == panel]
        for setting, rows in own.groupby("setting", sort=False):
            curve = rows.groupby("share")[["seconds", "accuracy_5"]].mean().sort_values("seconds")
            ax.plot(curve["seconds"], curve["accuracy_5"], marker="o", label=setting)
        ax.set(title=panel, xlabel="CPU seconds of fit", ylabel="accuracy, 5 labels a class, %")
        ax.legend(fontsize="small")
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--cache", type=Path, required=True, help="directory of results.csv")
    parser.add_argument("--plot", type=Path, help="file for the picture of the curves")
    parser.add_argument("--sections", nargs="+", choices=["tables", "images"], default=["tables", "images"])
    parser.add_argument("--images", nargs="+", default=["fashion_mnist", "mnist", "cifar10"])
    parser.add_argument("--settings", nargs="+", choices=[*SETTINGS, *IMAGE_SETTINGS], default=["default"])
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES, help="of the default's epochs")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of images")
    parser.add_argument("--draws", type=int, default=10, help="of labels")
    parser.add_argument("--max-rows", type=int, default=3_000, help="training rows of a table")
    parser.add_argument("--max-images", type=int, default=10_000, help="training images")
    parser.add_argument("--epochs", type=int, help="of a whole fit; default: those of the defaults")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    versions = f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{versions}, torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    names = {"images": options.images}
    names["tables"] = options.tables or [n for n, entry in manifest(options.data).items() if entry["role"] == "tune"]
    records = {section: [] for section in options.sections}
    for section in options.sections:
        for name in names[section]:
            if section == "tables":
                parts = split(options.data, name)
            else:
                X, y, X_test, y_test = load_images(options.data, name)
                parts = X, X_test, y, y_test
            records[section] += run(section, name, parts, options)
    for own in records.values():
        print_results(pd.DataFrame(own))
    if options.plot:
        draw_curves(pd.DataFrame([record for own in records.values() for record in own]), options.plot)


if __name__ == "__main__":
    main()

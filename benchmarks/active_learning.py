"""Compare strategies that choose which rows to label, by the accuracy of classifiers on the chosen rows.

    python benchmarks/active_learning.py --data DIR [--sections digits tables images] [--tables ...] [--images ...]
                                         [--strategies ...] [--classifiers ...] [--budgets 10 20 50 100 200 500]
                                         [--seeds 3] [--draws 20] [--max-rows 3000] [--epochs E] [--cache DIR]
                                         [--csv FILE] [--plot FILE]

For every data set and seed, an embedder with default parameters learns from at most `--max-rows` training rows, the
pool, without labels. A strategy then asks for labels until each budget is spent, by `suggest_labels` on the embedding;
strategies that need probabilities take them from logistic regression on the embedding, and begin with random rows. A
strategy such as "max_herding>50" turns to margins from 50 labels on, and "raw max_herding" chooses on raw columns. All
classifiers get the same rows; "BarlowTwinsClassifier" also has the rest of the pool, without labels. No strategy sees
the test rows. Labels of one class only predict this class for all rows.

Prints Markdown: for each classifier and data set, the mean balanced accuracy of each strategy, in percent, and the
number of classes that the first labels meet; then the mean difference from random rows over the data sets, and the
worst data set. Results also go to a CSV file, line by line, and to a PNG file with learning curves and bands of one
standard deviation. With `--cache`, embedders are kept in that directory and are not fitted again.
"""

import argparse
import csv
import platform
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from _data import add_arguments, load_images, manifest, split
from few_labels_classifiers import Rows, encode_by, fit_embedder, flatten
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer

import sklearn_twins
from sklearn_twins import BarlowTwinsClassifier
from sklearn_twins.active_learning import suggest_labels

RANDOM, JOINT = "random", "BarlowTwinsClassifier"
STRATEGIES = [RANDOM, "auto", "typiclust", "max_herding", "probcover", "core_set", "margin", "badge", "raw max_herding"]
NEED_LABELS = {"badge", "entropy", "least_confidence", "margin"}
CLASSIFIERS = {"logistic, embedding": "embedding", JOINT: None, "logistic, raw": "raw"}
FIELDS = ["set", "seed", "strategy", "draw", "budget", "classifier", "accuracy", "classes"]


def choose(strategy, rows, y, n, draw):
    """Choose n rows of the pool; y has -1 for rows without label."""
    name, _, switch = strategy.removeprefix("raw ").partition(">")
    n_classes = len(np.unique(y[y >= 0]))
    if switch and (y >= 0).sum() >= int(switch):
        name = "margin"
    if name in NEED_LABELS and n_classes < 2:
        name = RANDOM
    features = rows.features["raw" if strategy.startswith("raw ") else "embedding"][0]
    known = np.where(y >= 0, y, np.nan)  # -1 and 1 alone would be two classes
    return suggest_labels(FunctionTransformer(), features, known, n, name, random_state=draw)


def predict(classifier, rows, y, embedder, epochs):
    """Fit a classifier to the labelled rows; return its classes for the test rows."""
    if len(np.unique(y[y >= 0])) == 1:
        return np.full(len(rows.y_test), y.max())
    if classifier == JOINT:
        return (
            BarlowTwinsClassifier(embedder, max_epochs=epochs, random_state=0).fit(rows.X_train, y).predict(rows.X_test)
        )
    train, test = rows.features[CLASSIFIERS[classifier]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(max_iter=1_000).fit(train[y >= 0], y[y >= 0]).predict(test)


def compare(name, parts, make_raw, options, modality, write):
    """Run all strategies and classifiers on a data set; write one record for each draw, budget and classifier."""
    for seed in range(options.seeds):
        rows = Rows(parts, options.max_rows, seed)
        rows.add("raw", *make_raw(rows.X_train, rows.X_test))
        embedder = fit_embedder(rows, name, seed, options, modality)
        rows.add("embedding", embedder.transform(rows.X_train), embedder.transform(rows.X_test))
        budgets = [budget for budget in options.budgets if budget <= len(rows.y_train)]
        for draw in range(options.draws):
            for strategy in options.strategies:
                y = np.full(len(rows.y_train), -1)
                for budget in budgets:
                    chosen = choose(strategy, rows, y, budget - int((y >= 0).sum()), draw)
                    y[chosen] = rows.y_train[chosen]
                    n_classes = len(np.unique(y[y >= 0]))
                    for classifier in options.classifiers:
                        found = predict(classifier, rows, y, embedder, options.epochs or "auto")
                        accuracy = 100 * balanced_accuracy_score(rows.y_test, found)
                        write([name, seed, strategy, draw, budget, classifier, round(accuracy, 2), n_classes])


def print_results(results, options):
    """Print a table for each classifier and data set, and the differences from random rows."""
    for classifier, some in results.groupby("classifier", sort=False):
        means = some.groupby(["set", "strategy", "budget"], sort=False)["accuracy"].mean().unstack().sort_index(axis=1)
        classes = some[some["budget"] == options.budgets[0]].groupby(["set", "strategy"])["classes"].mean()
        budgets = list(means.columns)
        for name in some["set"].unique():
            print(f"\n{classifier}, {name}\n")
            print(f"| strategy | {' | '.join(f'{budget} labels' for budget in budgets)} | classes met first |")
            print("|---" * (len(budgets) + 2) + "|")
            for strategy in options.strategies:
                if (name, strategy) in means.index:
                    cells = [f"{value:.1f}" if value == value else "" for value in means.loc[name, strategy]]
                    print(f"| {strategy} | {' | '.join(cells)} | {classes.get((name, strategy), np.nan):.1f} |")
        gains = means - means.xs(RANDOM, level="strategy").reindex(means.index, level="set")
        print(f"\n{classifier}: mean difference from random rows (worst data set)\n")
        print(f"| strategy | {' | '.join(f'{budget} labels' for budget in budgets)} |")
        print("|---" * (len(budgets) + 1) + "|")
        for strategy in options.strategies:
            own = gains.xs(strategy, level="strategy")
            cells = [f"{own[budget].mean():+.1f} ({own[budget].min():+.1f})" for budget in budgets]
            print(f"| {strategy} | {' | '.join(cells)} |")


def plot_results(results, path):
    """Draw learning curves: a panel for each data set and classifier."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    panels = list(results.groupby(["classifier", "set"], sort=False))
    n_columns = min(len(panels), 4)
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(4 * n_columns, 3.2 * n_rows), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, ((classifier, name), some) in zip(axes.flat, panels, strict=False):
        for strategy, own in some.groupby("strategy", sort=False):
            curve = own.groupby("budget")["accuracy"].agg(["mean", "std"]).fillna(0)
            axis.plot(curve.index, curve["mean"], marker=".", label=strategy)
            axis.fill_between(curve.index, curve["mean"] - curve["std"], curve["mean"] + curve["std"], alpha=0.15)
        axis.set(title=f"{name}\n{classifier}", xscale="log", xlabel="labels", ylabel="balanced accuracy (%)")
    axes.flat[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    sections = ["digits", "tables", "images"]
    parser.add_argument("--sections", nargs="+", choices=sections, default=sections)
    parser.add_argument("--images", nargs="+", default=["mnist", "fashion_mnist", "cifar10"])
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--classifiers", nargs="+", choices=list(CLASSIFIERS), default=list(CLASSIFIERS))
    parser.add_argument("--budgets", nargs="+", type=int, default=[10, 20, 50, 100, 200, 500])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--max-rows", type=int, help="rows of the pool; default: 3,000 of a table, 10,000 images")
    parser.add_argument("--epochs", type=int, help="of both trainings, default: auto")
    parser.add_argument("--cache", type=Path, help="directory in which embedders are kept")
    parser.add_argument("--csv", type=Path, default=Path("active_learning.csv"))
    parser.add_argument("--plot", type=Path, default=Path("active_learning.png"))
    options = parser.parse_args()
    options.strategies = list(dict.fromkeys([RANDOM, *options.strategies]))
    versions = f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}")
    given = options.max_rows
    with open(options.csv, "w", newline="", encoding="utf-8", buffering=1) as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        options.max_rows = given or 3_000
        if "digits" in options.sections:
            X, y = load_digits(return_X_y=True)
            parts = train_test_split(X, y, stratify=y, random_state=0)
            compare("digits", parts, lambda *arrays: [X / 16 for X in arrays], options, "tabular", writer.writerow)
        if "tables" in options.sections:
            entries = manifest(options.data)
            for name in options.tables or [name for name, entry in entries.items() if entry["role"] == "report"]:
                parts = split(options.data, name)
                compare(name, parts, encode_by(entries[name]), options, "tabular", writer.writerow)
        if "images" in options.sections:
            options.max_rows = given or 10_000
            for name in options.images:
                X_train, y_train, X_test, y_test = load_images(options.data, name)
                compare(name, (X_train, X_test, y_train, y_test), flatten, options, "image", writer.writerow)
    results = pd.read_csv(options.csv)
    print_results(results, options)
    plot_results(results, options.plot)


if __name__ == "__main__":
    main()

"""Compare the embedding of time series with raw values, catch22, MiniRocket, MultiRocket and an untrained encoder.

    python benchmarks/series.py --data DIR [--role report] [--sets SwedishLeaf] [--labels 1 5 25 all] [--seeds 1]

Each set is fitted on its training series without labels, with the defaults. Then there are five draws of 1, 5 and 25
labelled series per class, and all, scored on the test series. The classifier is the one of MiniRocket's authors, ridge
regression on standardised columns with a penalty by leave-one-out cross-validation. What `transform` returns has
scales already, learnt from all training series: there the columns are not standardised again. "kernels" are its last
columns, the features of MiniRocket's kernels, "embedding" the first ones, and "both" all. Raw values are also given to
logistic regression.

"watch" is a set of its own, named by `--sets watch`: windows of two seconds from recordings of shoulder exercises in
six channels; people 8, 9 and 10 are held out.

With aeon (`pip install aeon`), its catch22 (24 features), MiniRocket and MultiRocket are measured too, and MiniRocket's
features are compared with those that our kernels make with the same thresholds.

Prints Markdown, one line for each set and method as soon as it is there, then means, differences and mean ranks.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from _data import load_series, load_watch, series_sets
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._series._kernel_features import convolve

DRAWS = 5


def standardized_ridge():
    """The classifier that MiniRocket's authors use."""
    return make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))


def ridge():
    """Ridge regression for columns that are scaled: penalties are smaller, as the variance is 36 in all."""
    return RidgeClassifierCV(np.logspace(-5, 1, 10))


def logistic():
    """Logistic regression."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def draw_at_most(y, count, seed):
    """Draw `count` rows of each class, or all that there are; return their indices."""
    rng, classes = np.random.default_rng(seed), [np.flatnonzero(y == c) for c in np.unique(y)]
    return np.concatenate([rng.choice(rows, min(count, len(rows)), replace=False) for rows in classes])


def accuracies(make, Z_train, y_train, Z_test, y_test, count):
    """Accuracy of each draw of `count` labelled rows per class; of one fit with all."""
    found = []
    for draw in range(DRAWS if count else 1):
        rows = draw_at_most(y_train, count, draw) if count else np.arange(len(y_train))
        found.append(make().fit(Z_train[rows], y_train[rows]).score(Z_test, y_test))
    return found


def measure_aeon(X_train, X_test):
    """Methods of aeon, if it is installed; how well its MiniRocket agrees with our kernels goes to the output."""
    try:
        from aeon.transformations.collection.convolution_based import MiniRocket, MultiRocket
        from aeon.transformations.collection.feature_based import Catch22
    except ImportError:
        return {}
    transformers = {
        "catch22, aeon": Catch22(catch24=True, replace_nans=True),
        "MiniRocket, aeon": MiniRocket(random_state=0),
        "MultiRocket, aeon": MultiRocket(random_state=0),
    }
    rows = [np.asarray(X if X.ndim == 3 else X[:, None], dtype=np.float64) for X in (X_train, X_test)]
    found = {}
    for name, transformer in transformers.items():
        start = time.process_time()
        pair = [
            np.asarray(Z, dtype=np.float32)
            for Z in (transformer.fit_transform(rows[0]), transformer.transform(rows[1]))
        ]
        found[name] = (standardized_ridge, *pair, time.process_time() - start)
    if X_train.ndim == 2:
        compare_kernels(transformers["MiniRocket, aeon"], X_test, found["MiniRocket, aeon"][2])
    return found


def compare_kernels(transformer, X, theirs):
    """Make a fitted MiniRocket's features with our convolutions; print how many are equal."""
    _, _, dilations, counts, biases = transformer.parameters
    x, largest = torch.from_numpy(X.astype(np.float32)), 2**22 // (84 * X.shape[1])
    places = [(i, j, k) for k in range(9) for j in range(k) for i in range(j)]  # the order of our kernels
    order = sorted(range(84), key=places.__getitem__)
    start, wrong, distance = 0, 0, 0.0
    for layer, (dilation, count) in enumerate(zip(dilations.tolist(), counts.tolist(), strict=True)):
        bias = torch.from_numpy(biases[start : start + 84 * count].reshape(84, count, 1))
        for first in range(0, len(x), largest):
            outputs = convolve(x[first : first + largest], dilation)[:, order]
            for kernel in range(84):
                inner = 4 * dilation if (layer + kernel) % 2 else 0
                counted = outputs[:, kernel, inner : x.shape[1] - inner, None]
                ours = (counted > bias[kernel].T).float().mean(1)  # (rows, count)
                columns = slice(start + kernel * count, start + (kernel + 1) * count)
                gap = np.abs(ours.numpy() - theirs[first : first + largest, columns])
                wrong, distance = wrong + (gap > 1e-6).sum(), max(distance, gap.max())
        start += 84 * count
    share = 100 - 100 * wrong / theirs.size
    print(f"Kernels: {share:.2f} % of aeon's features are equal, the others differ by {distance:.4f} at most.")


def methods(X_train, X_test, seed, epochs):
    """Name -> (classifier, training and test features, seconds of CPU)."""
    flat = [X.reshape(len(X), -1) for X in (X_train, X_test)]
    found = {"raw": (standardized_ridge, *flat, 0.0), "raw, logistic": (logistic, *flat, 0.0)}
    for name, rate in {"untrained": 1e-12, "": "auto"}.items():
        start = time.process_time()
        embedder = BarlowTwinsEmbedder(modality="series", random_state=seed, max_epochs=epochs, learning_rate=rate)
        if name:  # negligibly small steps only set the statistics of batch norm
            embedder.set_params(max_epochs=10 if epochs == "auto" else epochs, weight_decay=0.0)
        with warnings.catch_warnings(action="ignore"):
            embedder.fit(X_train)
        seconds = time.process_time() - start
        Z_train, Z_test = embedder.transform(X_train), embedder.transform(X_test)
        is_learnt = embedder._output.is_learnt
        if not name:
            found["kernels"] = (ridge, Z_train[:, ~is_learnt], Z_test[:, ~is_learnt], 0.0)
        found[name or "embedding"] = (ridge, Z_train[:, is_learnt], Z_test[:, is_learnt], seconds)
        if not name:
            found["both"] = (ridge, Z_train, Z_test, seconds)
    return found


def print_row(*cells):
    """A row of a table."""
    print("|", " | ".join(cells), "|", flush=True)


def print_means(scores, labels):
    """Means over the sets, the difference to MiniRocket (to the kernels without aeon), and mean ranks."""
    names, table = list(scores), np.array(list(scores.values()))  # (methods, sets, labels)
    rival = names.index("MiniRocket, aeon" if "MiniRocket, aeon" in names else "kernels")
    means, ranks = table.mean(axis=1), rankdata(-table, axis=0).mean(axis=1)
    print(f"\nMeans of {table.shape[1]} sets; in brackets the difference to {names[rival]}; mean ranks.\n")
    print_row("method", *labels, "ranks")
    print_row(*["---"] * (len(labels) + 2))
    for name, mean, rank in zip(names, means, ranks, strict=True):
        cells = [f"{m:.3f} ({100 * (m - r):+.1f})" for m, r in zip(mean, means[rival], strict=True)]
        print_row(name, *cells, ", ".join(f"{r:.1f}" for r in rank))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory with manifest.json and the series")
    parser.add_argument("--role", choices=("tune", "report"), default="report", help="which half of the sets")
    parser.add_argument("--sets", nargs="+", help="names of the sets to use (default: all of the role)")
    parser.add_argument("--labels", nargs="+", default=["1", "5", "25", "all"], help="labelled series per class")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of the embedder")
    parser.add_argument("--epochs", type=int, help="epochs (default: the embedder's own)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="The number of unique classes")
    torch.set_num_threads(1)
    counts = [None if label == "all" else int(label) for label in options.labels]
    labels = [f"{label} per class" if label != "all" else "all" for label in options.labels]
    print_row("set", "method", *labels, "CPU s")
    print_row(*["---"] * (len(labels) + 3))
    scores = {}  # method -> sets, labels
    for name in options.sets or series_sets(options.data, options.role):
        load = load_watch if name == "watch" else load_series
        X_train, y_train, X_test, y_test = load(options.data, name)
        own = {}
        for seed in range(options.seeds):
            found = methods(X_train, X_test, seed, options.epochs or "auto")
            for method, (make, Z_train, Z_test, seconds) in found.items():
                line = [np.mean(accuracies(make, Z_train, y_train, Z_test, y_test, count)) for count in counts]
                own.setdefault(method, []).append([*line, seconds])
        for method, (make, Z_train, Z_test, seconds) in measure_aeon(X_train, X_test).items():
            line = [np.mean(accuracies(make, Z_train, y_train, Z_test, y_test, count)) for count in counts]
            own[method] = [[*line, seconds]]
        for method, lines in own.items():
            *line, seconds = np.mean(lines, axis=0)
            scores.setdefault(method, []).append(line)
            print_row(name, method, *[f"{score:.3f}" for score in line], f"{seconds:.0f}")
    print_means(scores, labels)


if __name__ == "__main__":
    main()

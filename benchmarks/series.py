"""Compare the embedding of time series with raw values, MiniRocket and an untrained encoder, with few labels and all.

    python benchmarks/series.py --data DIR [--role report] [--sets SwedishLeaf] [--labels 1 5 25 all] [--seeds 1]

Each set is fitted on its training series without labels, with the defaults. Then there are five draws of 1, 5 and 25
labelled series per class, and all, with ridge regression on standardised columns (penalty by leave-one-out
cross-validation), scored on the test series. Raw values are also given to logistic regression. "kernels" are the
features of MiniRocket's kernels as the default preprocessor has them, "embedding" is the embedding without them, and
"both" what `transform` returns. With aeon (`pip install aeon`), MiniRocket and MultiRocket of that package are measured
too. Prints Markdown, one line for each set and method as soon as it is there, then means and mean ranks.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from _data import load_series, series_sets
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder

DRAWS = 5


def ridge():
    """The classifier that MiniRocket's authors use."""
    return make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))


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


def features_of_aeon(X_train, X_test):
    """Features of MiniRocket and MultiRocket of aeon, if it is installed."""
    try:
        from aeon.transformations.collection.convolution_based import MiniRocket, MultiRocket
    except ImportError:
        return {}
    found = {}
    for name, transformer in {
        "MiniRocket, aeon": MiniRocket(random_state=0),
        "MultiRocket, aeon": MultiRocket(),
    }.items():
        rows = [np.asarray(X, dtype=np.float64)[:, None] for X in (X_train, X_test)]
        found[name] = [np.asarray(transformer.fit_transform(rows[0])), np.asarray(transformer.transform(rows[1]))]
    return found


def methods(X_train, X_test, seed, epochs):
    """Name -> (classifier, training and test features, seconds of CPU)."""
    found = {"raw": (ridge, X_train, X_test, 0.0), "raw, logistic": (logistic, X_train, X_test, 0.0)}
    for name, rate in {"untrained": 1e-12, "": "auto"}.items():
        start = time.process_time()
        embedder = BarlowTwinsEmbedder(modality="series", random_state=seed, max_epochs=epochs, learning_rate=rate)
        if name:  # negligibly small steps only set the statistics of batch norm
            embedder.set_params(max_epochs=20 if epochs == "auto" else epochs, weight_decay=0.0)
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
    for name, (Z_train, Z_test) in features_of_aeon(X_train, X_test).items():
        found[name] = (ridge, Z_train, Z_test, 0.0)
    return found


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
    counts = [None if label == "all" else int(label) for label in options.labels]
    header = [f"{label} per class" if label != "all" else "all" for label in options.labels]
    print("| set | method |", " | ".join(header), "| seconds |")
    print("|---|---|" + "---|" * (len(header) + 1))
    scores = {}  # method -> sets, labels
    for name in options.sets or series_sets(options.data, options.role):
        X_train, y_train, X_test, y_test = load_series(options.data, name)
        own = {}
        for seed in range(options.seeds):
            for method, (make, Z_train, Z_test, seconds) in methods(
                X_train, X_test, seed, options.epochs or "auto"
            ).items():
                line = [np.mean(accuracies(make, Z_train, y_train, Z_test, y_test, count)) for count in counts]
                own.setdefault(method, []).append([*line, seconds])
        for method, lines in own.items():
            *line, seconds = np.mean(lines, axis=0)
            scores.setdefault(method, []).append(line)
            print(
                f"| {name} | {method} |", " | ".join(f"{score:.3f}" for score in line), f"| {seconds:.0f} |", flush=True
            )
    means = {method: np.mean(lines, axis=0) for method, lines in scores.items()}
    ranks = dict(zip(scores, rankdata(-np.array(list(scores.values())), axis=0).mean(axis=1), strict=True))
    print("\n| method |", " | ".join(header), "| mean ranks |")
    print("|---|" + "---|" * (len(header) + 1))
    for method, mean in means.items():
        print(
            f"| {method} |",
            " | ".join(f"{s:.3f}" for s in mean),
            "|",
            ", ".join(f"{r:.1f}" for r in ranks[method]),
            "|",
        )


if __name__ == "__main__":
    main()

"""Compare BarlowTwinsClassifier with other classifiers that have few labels, and all rows without labels.

    python benchmarks/few_labels_classifiers.py --data DIR [--sections tables images] [--role report]
                                                [--tables adult ...] [--images mnist ...] [--methods NAME ...]
                                                [--labels 1 5 25 "5 %" "100 %"] [--seeds 3] [--draws 5]
                                                [--max-rows 3000] [--epochs E] [--cache DIR]

For every data set and seed, an embedder with default parameters learns from at most `--max-rows` training rows without
labels. Then labels are drawn: a number for each class, or a share of all rows; a share of 100 % is drawn once. All
methods get the same labelled rows, and those that can use them the other training rows too. Test rows are seen by none.

Methods on raw columns (scaled numbers, one-hot categories; pixels): logistic regression, histogram gradient boosting,
a random forest, label spreading, and self-training of logistic regression. On the embedding that `transform` returns:
logistic regression, label spreading and self-training; and BarlowTwinsClassifier, which starts from this embedder. On
16 components of UMAP, which learns from the raw columns of all rows and the few labels: logistic regression. Without
umap-learn it is left out, and the output says so.

Prints Markdown: balanced accuracy for each data set and number of labels, as the difference from logistic regression on
the embedding in points, with the standard deviation over the draws for BarlowTwinsClassifier; then means over the data
sets: the difference, the worst data set, the rank, the log loss, the expected calibration error (10 bins) and seconds.
With `--cache`, embedders are kept in that directory and are not fitted again.
"""

import argparse
import importlib.util
import platform
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import sklearn
import torch
from _baselines import one_hot
from _data import add_arguments, load_images, manifest, split
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

import sklearn_twins
from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder

BASE, OURS = "logistic, embedding", "BarlowTwinsClassifier"
SUPERVISED = {
    "logistic, raw": ("raw", lambda: LogisticRegression(max_iter=1_000)),
    BASE: ("embedding", lambda: LogisticRegression(max_iter=1_000)),
    "boosting, raw": ("raw", lambda: HistGradientBoostingClassifier(random_state=0)),
    "forest, raw": ("raw", lambda: RandomForestClassifier(random_state=0)),
}
SEMI_SUPERVISED = {
    f"{name}, {features}": (features, make)
    for features in ("raw", "embedding")
    for name, make in {
        "label spreading": lambda: LabelSpreading(kernel="knn", n_neighbors=10, max_iter=100),
        "self-training": lambda: SelfTrainingClassifier(LogisticRegression(max_iter=1_000)),
    }.items()
}
UMAP = "UMAP with labels"
METHODS = [*SUPERVISED, *SEMI_SUPERVISED, UMAP, OURS]
MOST_TEST_ROWS = 3_000


class Rows:
    """Rows of a data set, of which few are used, as classifiers get them.

    Parameters
    ----------
    parts : tuple of (X_train, X_test, y_train, y_test)
    max_rows : int
        Most training rows.
    seed : int
    """

    def __init__(self, parts, max_rows, seed):
        rng = np.random.default_rng(seed)
        X_train, y_train = draw_rows(parts[0], parts[2], max_rows, rng)
        X_test, y_test = draw_rows(parts[1], parts[3], MOST_TEST_ROWS, rng)
        self.classes, self.y_train = np.unique(y_train, return_inverse=True)
        known = np.isin(y_test, self.classes)
        self.X_train, self.X_test = X_train, X_test[known]
        self.y_test = np.searchsorted(self.classes, y_test[known])
        self.features = {}

    def add(self, name, train, test):
        """Add features of all rows."""
        self.features[name] = np.asarray(train, dtype=np.float64), np.asarray(test, dtype=np.float64)


def draw_rows(X, y, n, rng):
    """Draw at most n rows, in their order."""
    y = np.asarray(y)
    if len(X) <= n:
        return X, y
    rows = np.sort(rng.choice(len(X), n, replace=False))
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows], y[rows]


def draw_labels(y, labels, rng):
    """Draw labelled rows: a number for each class, or a share of all rows with at least one of each class."""
    classes = [np.flatnonzero(y == code) for code in np.unique(y)]
    if not labels.endswith("%"):
        return np.concatenate([rng.choice(rows, min(int(labels), len(rows)), replace=False) for rows in classes])
    one_each = [rng.choice(rows) for rows in classes]
    others = rng.permutation(np.setdiff1d(np.arange(len(y)), one_each))
    n = max(round(float(labels[:-1]) / 100 * len(y)) - len(classes), 0)
    return np.concatenate([one_each, others[:n]])


def predict(name, rows, labeled, embedder, epochs):
    """Fit a method; return its probabilities for the test rows."""
    y, n_classes = rows.y_train[labeled], len(rows.classes)
    partial = np.full(len(rows.y_train), -1)
    partial[labeled] = y
    if name == OURS:
        classifier = BarlowTwinsClassifier(embedder, max_epochs=epochs, random_state=0).fit(rows.X_train, partial)
        return classifier.predict_proba(rows.X_test)
    if name == UMAP:
        return predict_by_umap(*rows.features["raw"], partial)
    features, make = (SUPERVISED | SEMI_SUPERVISED)[name]
    train, test = rows.features[features]
    if name in SUPERVISED:
        return make().fit(train[labeled], y).predict_proba(test)
    model = make()
    if isinstance(model, LabelSpreading):
        model.set_params(n_neighbors=min(model.n_neighbors, len(train) - 1))
    return np.nan_to_num(model.fit(train, partial).predict_proba(test), nan=1 / n_classes)  # rows that nothing reaches


def predict_by_umap(train, test, partial):
    """Probabilities of logistic regression on UMAP of all training rows, which knows some labels; -1 without label."""
    import umap

    labeled = partial >= 0
    reducer = umap.UMAP(n_components=min(16, len(train) - 2), random_state=0, n_jobs=1).fit(train, partial)
    center, scale = reducer.embedding_.mean(axis=0), np.sqrt(reducer.embedding_.var(axis=0).mean())
    train, test = ((Z - center) / scale for Z in (reducer.embedding_, reducer.transform(test)))
    return LogisticRegression(max_iter=1_000).fit(train[labeled], partial[labeled]).predict_proba(test)


def calibration_error(y, proba):
    """Expected calibration error in percent, over 10 bins of confidence."""
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == y
    bins = np.minimum((10 * confidence).astype(int), 9)
    of_bins = [bins == i for i in range(10)]
    return 100 * sum(abs(confidence[rows].sum() - right[rows].sum()) for rows in of_bins) / len(y)


def fit_embedder(rows, name, seed, options, modality):
    """Fit the embedder, or load it from the cache."""
    path = options.cache and options.cache / f"{name}-{seed}.joblib"
    if path and path.exists():
        return joblib.load(path)
    epochs = "auto" if options.epochs is None else options.epochs
    # Warm starts keep the projector, from which the joint training goes on.
    embedder = BarlowTwinsEmbedder(modality=modality, max_epochs=epochs, warm_start=True, random_state=seed)
    embedder.fit(rows.X_train)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(embedder, path)
    return embedder


def encode_by(entry):
    """Return what makes raw columns of a table."""

    def encode(X_train, X_test):
        encoder = one_hot(X_train, entry["categorical"]).fit(X_train)
        return encoder.transform(X_train), encoder.transform(X_test)

    return encode


def flatten(X_train, X_test):
    """Make raw columns of images: pixels between 0 and 1."""
    return X_train.reshape(len(X_train), -1) / 255, X_test.reshape(len(X_test), -1) / 255


def compare(name, parts, make_raw, options, modality):
    """Run all methods on a data set; return one record for each seed, draw, number of labels and method."""
    records = []
    for seed in range(options.seeds):
        rows = Rows(parts, options.max_rows, seed)
        rows.add("raw", *make_raw(rows.X_train, rows.X_test))
        start = time.perf_counter()
        embedder = fit_embedder(rows, name, seed, options, modality)
        rows.add("embedding", embedder.transform(rows.X_train), embedder.transform(rows.X_test))
        fit_seconds = time.perf_counter() - start
        for labels in options.labels:
            for draw in range(1 if labels == "100 %" else options.draws):
                labeled = draw_labels(rows.y_train, labels, np.random.default_rng((seed, draw)))
                for method in options.methods:
                    if labels == "100 %" and method in SEMI_SUPERVISED:
                        continue
                    start = time.perf_counter()
                    with warnings.catch_warnings():
                        if method != OURS:  # such as rows that label spreading does not reach
                            warnings.simplefilter("ignore")
                        proba = predict(method, rows, labeled, embedder, options.epochs or "auto")
                    seconds = time.perf_counter() - start + fit_seconds * (method == OURS or "embedding" in method)
                    proba = proba / proba.sum(axis=1, keepdims=True)
                    clipped = np.clip(proba, 1e-6, 1)
                    scores = {
                        "accuracy": 100 * balanced_accuracy_score(rows.y_test, proba.argmax(axis=1)),
                        "log loss": log_loss(
                            rows.y_test,
                            clipped / clipped.sum(axis=1, keepdims=True),
                            labels=np.arange(len(rows.classes)),
                        ),
                        "ECE": calibration_error(rows.y_test, proba),
                        "seconds": seconds,
                    }
                    about = {"set": name, "seed": seed, "labels": labels, "draw": draw, "method": method}
                    records.append(about | scores)
    return records


def print_results(results, options):
    """Print a table for each number of labels, and the means over the data sets."""
    methods = [method for method in options.methods if method != BASE]
    results["gain"] = results["accuracy"] - results.groupby(["set", "seed", "labels", "draw"])["accuracy"].transform(
        lambda scores: scores[results.loc[scores.index, "method"] == BASE].iloc[0]
    )
    for labels, some in results.groupby("labels", sort=False):
        by_set = some.groupby(["set", "method"])
        gain, accuracy, spread = by_set["gain"].mean(), by_set["accuracy"].mean(), by_set["gain"].std().fillna(0)
        print(f"\n{labels} labels{'' if labels.endswith('%') else ' a class'}\n")
        print(f"| data set | {BASE} | {' | '.join(methods)} |")
        print("|---" * (len(methods) + 2) + "|")
        for name in some["set"].unique():
            cells = [f"{accuracy[name, BASE]:.1f}"]
            for method in methods:
                known = (name, method) in gain.index
                around = f" ± {spread[name, method]:.1f}" if known and method == OURS else ""
                cells.append(f"{gain[name, method]:+.1f}{around}" if known else "")
            print(f"| {name} | {' | '.join(cells)} |")
        ranks = accuracy.unstack().rank(axis=1, ascending=False).mean()
        print("\n| method | difference | worst data set | mean rank | log loss | ECE | seconds |")
        print("|---|---|---|---|---|---|---|")
        for method in some["method"].unique():
            own = some[some["method"] == method].groupby("set").mean(numeric_only=True)
            print(
                f"| {method} | {own['gain'].mean():+.1f} | {own['gain'].min():+.1f} | {ranks[method]:.1f} "
                f"| {own['log loss'].mean():.2f} | {own['ECE'].mean():.1f} | {own['seconds'].mean():.1f} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--sections", nargs="+", choices=["tables", "images"], default=["tables", "images"])
    parser.add_argument("--role", choices=["tune", "report"], default="report", help="of the tables, without --tables")
    parser.add_argument("--images", nargs="+", default=["fashion_mnist", "mnist", "cifar10"])
    parser.add_argument("--labels", nargs="+", default=["1", "5", "25", "5 %", "100 %"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--max-rows", type=int, help="training rows; default: 3,000 of a table, 10,000 images")
    parser.add_argument("--epochs", type=int, help="of both trainings, default: auto")
    parser.add_argument("--cache", type=Path, help="directory in which embedders are kept")
    options = parser.parse_args()
    left_out = UMAP in options.methods and importlib.util.find_spec("umap") is None
    if left_out:
        options.methods.remove(UMAP)
    elif UMAP in options.methods:  # compile it before any clock runs
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predict_by_umap(*np.random.default_rng(0).normal(size=(2, 60, 4)), np.arange(60) % 3 - 1)
    options.methods = list(dict.fromkeys([BASE, *options.methods]))
    versions = f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{versions}, torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    if left_out:
        print(f"Left out: {UMAP}, since umap-learn is not installed")
    given = options.max_rows
    if "tables" in options.sections:
        entries, records = manifest(options.data), []
        options.max_rows = given or 3_000
        for name in options.tables or [name for name, entry in entries.items() if entry["role"] == options.role]:
            records += compare(name, split(options.data, name), encode_by(entries[name]), options, "tabular")
        print_results(pd.DataFrame(records), options)
    if "images" in options.sections:
        records, options.max_rows = [], given or 10_000
        for name in options.images:
            X_train, y_train, X_test, y_test = load_images(options.data, name)
            records += compare(name, (X_train, X_test, y_train, y_test), flatten, options, "image")
        print_results(pd.DataFrame(records), options)


if __name__ == "__main__":
    main()

"""Compare the embedder on raw data frames with categories and after one-hot encoding, with few labels.

    python benchmarks/categories.py --data DIR [--tables adult ...] [--seeds 3] [--jobs 2]

Both variants use the same default embedder, except for `passthrough=False`, fitted on at most 20,000 training rows
without labels. For each seed there is a new fit, with ten draws of 5 and of 25 labelled rows per class, and logistic
regression on the standardised embedding. The score is the area under the ROC curve on the test rows (mean over the
classes, each against the rest). The same classifier on the one-hot codes and scaled numbers is the baseline. One-hot
codes are made as users make them: at most 256 categories per column, unseen ones ignored, numbers imputed by their mean
with an indicator, and standardised. Prints Markdown: means over the seeds, the paired difference with its standard
deviation over the seeds, and means over the tables.
"""

import argparse
import platform

import _data
import joblib
import numpy as np
import sklearn
import torch
from _baselines import one_hot
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder

COUNTS = (5, 25)
DRAWS = 10
MOST_ROWS = 20_000
METHODS = ("native", "one-hot", "no embedder")


def auc(classifier, Z, y):
    """Compute the mean AUC over the drawn classes that have positive and negative test rows."""
    scores = classifier.predict_proba(Z)
    hits = [y == label for label in classifier.classes_]
    return np.mean([roc_auc_score(hit, scores[:, c]) for c, hit in enumerate(hits) if 0 < hit.sum() < len(y)])


def probe(Z_train, Z_test, y_train, y_test, seed):
    """Compute the mean AUC over the draws, for each number of labels per class."""
    scaler = StandardScaler().fit(Z_train)
    Z_train, Z_test = scaler.transform(Z_train), scaler.transform(Z_test)
    means = []
    for count in COUNTS:
        values = []
        for draw in range(DRAWS):
            order = np.random.default_rng([seed, draw]).permutation(len(y_train))
            drawn = np.concatenate([order[y_train[order] == label][:count] for label in np.unique(y_train)])
            classifier = LogisticRegression(max_iter=1_000).fit(Z_train[drawn], y_train[drawn])
            values.append(auc(classifier, Z_test, y_test))
        means.append(100 * np.mean(values))
    return means


def one_seed(directory, name, seed, max_epochs):
    """Return the AUC in percent.  # (methods, label counts)"""
    X_train, X_test, y_train, y_test = _data.split(directory, name)
    if len(X_train) > MOST_ROWS:
        drawn = np.random.default_rng(seed).choice(len(X_train), MOST_ROWS, replace=False)
        X_train, y_train = X_train.iloc[drawn], y_train[drawn]
    embedder = BarlowTwinsEmbedder(max_epochs=max_epochs, passthrough=False, random_state=seed)
    codes = one_hot(X_train, _data.manifest(directory)[name]["categorical"])
    ways = [embedder, make_pipeline(codes, embedder), codes]
    return [probe(way.fit_transform(X_train), way.transform(X_test), y_train, y_test, seed) for way in ways]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _data.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="epochs of each fit (default: the embedder's own)")
    options = parser.parse_args()
    entries = _data.manifest(options.data)
    names = options.tables or [name for name, entry in entries.items() if entry["categorical"]]
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}; {options.seeds} seeds\n")
    print(f"| table | role | labels per class | {' | '.join(METHODS)} | native - one-hot |\n" + "|---" * 7 + "|")
    everything = []
    for name in names:
        jobs = (
            joblib.delayed(one_seed)(options.data, name, seed, options.epochs or "auto")
            for seed in range(options.seeds)
        )
        everything.append(joblib.Parallel(n_jobs=options.jobs)(jobs))
        print_rows(name, entries[name]["role"], np.array(everything[-1]))
    everything = np.array(everything).mean(1)  # (tables, methods, counts)
    roles = np.array([entries[name]["role"] for name in names])
    for role in np.unique(roles):
        print_means("mean", role, everything[roles == role])
    print_means("mean", "all", everything)
    print_means("median", "all", everything, np.median)


def print_rows(name, role, scores):
    """Print a row for each number of labels.  # scores: (seeds, methods, counts)"""
    for count, values in zip(COUNTS, np.moveaxis(scores, 2, 0), strict=True):  # (seeds, methods)
        gain = values[:, 0] - values[:, 1]
        print_row(name, role, count, values.mean(0), f"{gain.mean():+.1f} ± {gain.std(ddof=1):.1f}")


def print_means(name, role, scores, average=np.mean):
    """Print a row for each number of labels, over the tables.  # scores: (tables, methods, counts)"""
    for count, values in zip(COUNTS, np.moveaxis(scores, 2, 0), strict=True):  # (tables, methods)
        gain = values[:, 0] - values[:, 1]
        summary = f"{average(gain):+.1f}, {(gain > 0).sum()} of {len(gain)} won"
        print_row(name, role, count, average(values, axis=0), summary)


def print_row(name, role, count, values, gain):
    """Print one row of Markdown."""
    cells = " | ".join(f"{value:.1f}" for value in values)
    print(f"| {name} | {role} | {count} | {cells} | {gain} |", flush=True)


if __name__ == "__main__":
    main()

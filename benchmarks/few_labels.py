"""Few labels on the tables that scikit-learn ships: the embedding against raw columns, over ten seeds.

    python benchmarks/few_labels.py [--seeds 10] [--jobs 2] [--datasets digits wine ...]

For each seed: a held-out quarter, an embedder fitted on the other rows without labels, ten draws of 1 and 5
labelled rows a class, and logistic regression on raw columns and on the embedding. Two scalings in front of the
classifier, both applied to both: each column by its own deviation (as StandardScaler does), and all columns by one
number (what raw pixels prefer). Prints Markdown: mean accuracy, and the gain run by run with its standard deviation
over the seeds.
"""

import argparse
import platform

import joblib
import numpy as np
import sklearn
import torch
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder

COUNTS = (1, 5)
DRAWS = 10
KINDS = ("each column", "one number")


def scaled(kind, train, test):
    """Both scalings learn from the training rows alone."""
    center = train.mean(axis=0)
    spread = train.std(axis=0) if kind == "each column" else np.sqrt(train.var(axis=0).mean())
    spread = np.where(spread > 0, spread, 1.0)
    return (train - center) / spread, (test - center) / spread


def one_seed(name, seed):
    """Accuracies (method, scaling, labels a class) -> mean over the draws, and the fit's seconds."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
    embedder = BarlowTwinsEmbedder(random_state=seed).fit(X_train)
    rows = {"raw": (X_train, X_test), "embedding": (embedder.transform(X_train), embedder.transform(X_test))}
    scores = {}
    for kind in KINDS:
        for method, (train, test) in rows.items():
            Z_train, Z_test = scaled(kind, train, test)
            for count in COUNTS:
                rng = np.random.default_rng(seed)
                values = []
                for _ in range(DRAWS):
                    drawn = [rng.choice(np.flatnonzero(y_train == c), count, replace=False) for c in np.unique(y)]
                    picked = np.concatenate(drawn)
                    classifier = LogisticRegression(max_iter=1000).fit(Z_train[picked], y_train[picked])
                    values.append(classifier.score(Z_test, y_test))
                scores[method, kind, count] = np.mean(values)
    return scores, embedder.history_["seconds"].sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--datasets", nargs="+", default=["digits", "wine", "breast_cancer", "iris"])
    options = parser.parse_args()
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}; {options.seeds} seeds\n")
    print("| data | labels a class | scaling | raw | embedding | gain | seeds won | fit, s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.datasets:
        runs = joblib.Parallel(n_jobs=options.jobs)(
            joblib.delayed(one_seed)(name, seed) for seed in range(options.seeds)
        )
        seconds = np.median([run[1] for run in runs])
        for kind in KINDS:
            for count in COUNTS:
                raw, ours = (100 * np.array([s[m, kind, count] for s, _ in runs]) for m in ("raw", "embedding"))
                gain = ours - raw
                print(
                    f"| {name} | {count} | {kind} | {raw.mean():.1f} | {ours.mean():.1f} "
                    f"| {gain.mean():+.1f} ± {gain.std(ddof=1):.1f} | {(gain > 0).sum()}/{len(gain)} | {seconds:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

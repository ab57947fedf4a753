"""Compare the embedder with raw columns on the tables that scikit-learn ships, with few labels, over ten seeds.

    python benchmarks/few_labels.py [--seeds 10] [--jobs 2] [--datasets digits wine ...]

For each seed, a quarter is held out, and an embedder is fitted on the other rows without labels. Then there are ten
draws of 1 and 5 labelled rows per class, and logistic regression on raw columns, on the output of `transform`, and on
the embedding alone. Raw columns are scaled in two ways: each column standardised (as by StandardScaler), and all
divided by one number (better for pixels). Prints Markdown: mean accuracy, and the paired gain over the better scaling
with its standard deviation over the seeds.
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
    """Scale raw columns; both scalings learn from the training rows alone."""
    center = train.mean(axis=0)
    spread = train.std(axis=0) if kind == "each column" else np.sqrt(train.var(axis=0).mean())
    spread = np.where(spread > 0, spread, 1.0)
    return (train - center) / spread, (test - center) / spread


def one_seed(name, seed):
    """Return mean accuracies over the draws by (method, labels per class), and the fit's seconds."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
    embedder = BarlowTwinsEmbedder(random_state=seed).fit(X_train)
    Z_train, Z_test = embedder.transform(X_train), embedder.transform(X_test)
    width = Z_train.shape[1] - X.shape[1]
    rows = {f"raw, {kind}": scaled(kind, X_train, X_test) for kind in KINDS}
    rows |= {"embedder": (Z_train, Z_test), "embedding alone": (Z_train[:, :width], Z_test[:, :width])}
    scores = {}
    for method, (train, test) in rows.items():
        for count in COUNTS:
            rng = np.random.default_rng(seed)
            values = []
            for _ in range(DRAWS):
                drawn = [rng.choice(np.flatnonzero(y_train == c), count, replace=False) for c in np.unique(y)]
                picked = np.concatenate(drawn)
                classifier = LogisticRegression(max_iter=1000).fit(train[picked], y_train[picked])
                values.append(classifier.score(test, y_test))
            scores[method, count] = np.mean(values)
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
    methods = [*(f"raw, {kind}" for kind in KINDS), "embedder", "embedding alone"]
    print(f"| data | labels per class | {' | '.join(methods)} | gain | seeds won | fit, s |\n" + "|---" * 9 + "|")
    for name in options.datasets:
        runs = joblib.Parallel(n_jobs=options.jobs)(
            joblib.delayed(one_seed)(name, seed) for seed in range(options.seeds)
        )
        seconds = np.median([run[1] for run in runs])
        for count in COUNTS:
            scores = {method: 100 * np.array([run[0][method, count] for run in runs]) for method in methods}
            gain = scores["embedder"] - max((scores[f"raw, {kind}"] for kind in KINDS), key=np.mean)
            cells = " | ".join(f"{values.mean():.1f}" for values in scores.values())
            print(
                f"| {name} | {count} | {cells} | {gain.mean():+.1f} ± {gain.std(ddof=1):.1f} "
                f"| {(gain > 0).sum()}/{len(gain)} | {seconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

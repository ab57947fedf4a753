"""Measure searches: with unlabelled rows, with two workers, and with embedders trained together.

    python benchmarks/search.py [--data DIR --tables pendigits ...] [--sections unlabeled workers batched ranks]
                                [--draws 5] [--candidates 8] [--epochs E] [--rounds 3] [--device cpu]
    python benchmarks/search.py --sections ranks

unlabeled: on a real table, 5 labelled rows per class and up to 5,000 without a label. A small grid search over a
pipeline of embedder and logistic regression, with and without the unlabelled rows (`BatchedGridSearchCV`, so that
candidates that differ only in the classifier share an embedder). Compared with `SelfTrainingClassifier` and
`LabelSpreading`, which use those rows too, and with logistic regression on scaled, one-hot columns, whose C is searched
too. Balanced accuracy on test rows, mean and standard deviation over draws of labels.

workers: a search of 12 fits on synthetic rows with one worker, with two, and with two workers of two threads each.
Seconds, medians of rounds that alternate, and their ratio to one worker.

batched: `BatchedGridSearchCV` (stacks of `--max-batch`) compared with `GridSearchCV`, 3 folds. Candidates differ in
learning rate and off-diagonal weight (they share views), or also in seed. Seconds as above, the largest difference
between mean test scores, and the seconds of one candidate alone.

ranks: one fit by one process and by two (torchrun, gloo), one thread each, on rows of a table and on images. Rows per
second in the last epoch, medians of rounds that alternate.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path

import _data
import joblib
import numpy as np
import pandas as pd
import sklearn
import torch
from _baselines import one_hot
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.model_selection import BatchedGridSearchCV

LABELLED, UNLABELLED = 5, 5_000
PREFIX = "barlowtwinsembedder__"


def searched(kind, estimator, grid, X, y, **params):
    """Run a grid search by balanced accuracy, with as many folds as labels per class."""
    return kind(estimator, grid, cv=LABELLED, scoring="balanced_accuracy").fit(X, y, **params)


def one_draw(directory, table, seed, epochs):
    """Compute the balanced accuracy in percent of each method, for one draw of labels."""
    warnings.simplefilter("ignore", CollapseWarning)
    warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
    X_train, X_test, y_train, y_test = _data.split(directory, table)
    order = np.random.default_rng(seed).permutation(len(y_train))
    labelled = np.concatenate([order[y_train[order] == c][:LABELLED] for c in np.unique(y_train)])
    rest = order[~np.isin(order, labelled)][:UNLABELLED]
    X, y, unlabeled = X_train.iloc[labelled], y_train[labelled], X_train.iloc[rest]
    embedder = BarlowTwinsEmbedder(max_epochs=epochs, random_state=seed)
    pipeline = make_pipeline(embedder, LogisticRegression(max_iter=1000))
    grid = {PREFIX + "augmentation__corruption_rate": [0.1, 0.3], "logisticregression__C": [0.1, 1, 10]}
    codes = one_hot(X_train, _data.manifest(directory)[table]["categorical"]).fit(pd.concat([X, unlabeled]))
    R, R_rest, R_test = (codes.transform(rows) for rows in (X, unlabeled, X_test))
    names, numbers = np.unique(y, return_inverse=True)
    both, marked = np.vstack([R, R_rest]), np.concatenate([numbers, np.full(len(rest), -1)])
    plain = searched(GridSearchCV, LogisticRegression(max_iter=1000), {"C": [0.1, 1, 10]}, R, y)
    taught = SelfTrainingClassifier(plain.best_estimator_).fit(both, marked)
    spread = LabelSpreading("knn", n_neighbors=7).fit(both, marked)
    with_rest = searched(BatchedGridSearchCV, pipeline, grid, X, y, **{PREFIX + "unlabeled": unlabeled})
    found = {
        "embedder, with unlabelled rows": with_rest.predict(X_test),
        "embedder, without them": searched(BatchedGridSearchCV, pipeline, grid, X, y).predict(X_test),
        "logistic regression on columns": plain.predict(R_test),
        "SelfTrainingClassifier": names[taught.predict(R_test)],
        "LabelSpreading": names[spread.predict(R_test)],
    }
    return {way: 100 * balanced_accuracy_score(y_test, predicted) for way, predicted in found.items()}


def unlabeled(options):
    """Print the table of the first section."""
    print("\n## Rows without a label in a search\n")
    print(f"| table | way | balanced accuracy | draws |\n{'|---' * 4}|")
    for table in options.tables:
        draws = pd.DataFrame([one_draw(options.data, table, s, options.epochs or "auto") for s in range(options.draws)])
        for way in draws:
            spread = draws[way].std() if len(draws) > 1 else 0.0
            print(f"| {table} | {way} | {draws[way].mean():.1f} ± {spread:.1f} | {len(draws)} |", flush=True)


def alternated(ways, rounds):
    """Run all variants in each round; return their median seconds and their results."""
    seconds, results = {way: [] for way in ways}, {}
    for _ in range(rounds):
        for way, run in ways.items():
            start = time.perf_counter()
            results[way] = run()
            seconds[way].append(time.perf_counter() - start)
    return {way: np.median(times) for way, times in seconds.items()}, results


def rows_for(options):
    """Make synthetic rows and a pipeline for them."""
    X, y = make_classification(options.rows, 20, n_informative=8, n_classes=3, random_state=0)
    embedder = BarlowTwinsEmbedder(max_epochs=options.epochs or 5, device=options.device, random_state=0)
    return X.astype(np.float32), y, make_pipeline(embedder, LogisticRegression(max_iter=200))


def workers(options):
    """Print the table of the second section."""
    X, y, pipeline = rows_for(options)
    grid = {PREFIX + "learning_rate": [0.001, 0.002, 0.005, 0.01]}

    def run(n_jobs, threads):
        pipeline.set_params(**{PREFIX + "n_jobs": threads})
        with joblib.parallel_config("loky", inner_max_num_threads=threads):
            return GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs, refit=False).fit(X, y)

    ways = {"one worker": (1, 1), "two workers": (2, 1), "two workers with two threads each": (2, 2)}
    for n_jobs, threads in ways.values():
        run(n_jobs, threads)  # let the workers import what they need
    seconds, _ = alternated({way: lambda how=how: run(*how) for way, how in ways.items()}, options.rounds)
    print(f"\n## Workers: 12 fits of {len(X):,} rows\n\n| way | seconds | ratio to one worker |\n|---|---|---|")
    for way, taken in seconds.items():
        print(f"| {way} | {taken:.1f} | {taken / seconds['one worker']:.2f} |", flush=True)


def batched(options):
    """Print the table of the third section."""
    X, y, pipeline = rows_for(options)
    n = options.candidates
    rates, weights = np.geomspace(1e-3, 8e-3, n), np.geomspace(1e-3, 1e-2, n)
    share = {PREFIX + "learning_rate": rates[: -(-n // 2)], PREFIX + "objective__off_diagonal_weight": weights[:2]}
    differ = {**share, PREFIX + "random_state": [0, 1]}
    differ[PREFIX + "learning_rate"] = rates[: -(-n // 4)]
    print(f"\n## Embedders trained together: {len(X):,} rows, 3 folds, on {options.device}\n")
    print(f"| candidates | search | seconds | ratio to GridSearchCV | largest difference of scores |\n{'|---' * 5}|")
    for name, grid in {"with the same views": share, "with different seeds": differ}.items():
        one = {key: list(values)[:1] for key, values in grid.items()}
        ways = {
            "GridSearchCV": lambda grid=grid: GridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, y),
            "BatchedGridSearchCV": lambda grid=grid: BatchedGridSearchCV(
                pipeline, grid, cv=3, refit=False, max_batch=options.max_batch
            ).fit(X, y),
            "one candidate": lambda one=one: GridSearchCV(pipeline, one, cv=3, refit=False).fit(X, y),
        }
        seconds, results = alternated(ways, options.rounds)
        scores = {way: result.cv_results_["mean_test_score"] for way, result in results.items()}
        for way, taken in seconds.items():
            same = way != "one candidate"
            difference = f"{np.abs(scores[way] - scores['GridSearchCV']).max():.4f}" if same else ""
            ratio = taken / seconds["GridSearchCV"]
            print(f"| {len(scores[way])}, {name} | {way} | {taken:.1f} | {ratio:.2f} | {difference} |", flush=True)


def one_fit(options):
    """Run both fits of the fourth section in each process; the first process prints their speed."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(options.images, 32, 32, 3), dtype=np.uint8)
    table = rng.normal(size=(4 * options.rows, 20)).astype(np.float32)
    image = {"modality": "image", "batch_size": 256}
    for X, params in ((table, {}), (images, image)):
        fitted = BarlowTwinsEmbedder(max_epochs=3, random_state=0, device=options.device, **params).fit(X)
        if int(os.environ.get("RANK", 0)) == 0:
            print(fitted.history_["rows_per_second"][-1], flush=True)


def ranks(options):
    """Print the table of the fourth section."""
    command = [__file__, "--sections", "one_fit", "--rows", str(options.rows), "--images", str(options.images)]
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    def run(launcher):
        done = subprocess.run(
            [sys.executable, *launcher, *command, "--device", options.device],
            capture_output=True,
            text=True,
            check=True,
        )
        return [float(line) for line in done.stdout.split("\n")[1:] if line]

    speeds = [[run(launcher) for launcher in ([], several)] for _ in range(options.rounds)]
    one, two = np.median(speeds, axis=0)
    print("\n## One fit by two processes\n")
    print("| data | one process, rows/s | two processes, rows/s | ratio |\n|---|---|---|---|")
    for name, a, b in zip(("table, MLP", "32 x 32 images, small ConvNet"), one, two, strict=True):
        print(f"| {name} | {a:,.0f} | {b:,.0f} | {b / a:.2f} |", flush=True)


SECTIONS = {"unlabeled": unlabeled, "workers": workers, "batched": batched, "ranks": ranks, "one_fit": one_fit}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="directory with manifest.json and the tables")
    parser.add_argument("--tables", nargs="+", default=["pendigits"])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS)[:-1])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--max-batch", type=int, default=32)
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--images", type=int, default=1_024)
    parser.add_argument(
        "--epochs", type=int, help="epochs of every fit (default: the embedder's own, or 5 for synthetic rows)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    if int(os.environ.get("RANK", 0)) == 0:
        print(f"{versions}, Python {platform.python_version()}, {platform.machine()}")
    for section in options.sections:
        if section != "unlabeled" or options.data:
            SECTIONS[section](options)


if __name__ == "__main__":
    main()

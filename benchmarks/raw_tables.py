"""Fit every table of a data directory from its raw data frame, without any preparation.

    python benchmarks/raw_tables.py --data DIR [--tables adult ...] [--epochs 5]

For each table: its columns by kind, the width of a sample, the seconds of preprocessing and of the fit, the peak memory
of preprocessing beyond the data frame (by tracemalloc) as a multiple of the samples' size, and whether the embeddings
are finite: for all rows, for rows with unseen categories, and for rows with only missing values. Prints Markdown, and
fails if any are not finite.
"""

import argparse
import platform
import sys
import time
import tracemalloc
import warnings
from collections import Counter

import _data
import numpy as np
import sklearn
import torch

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.preprocessing import TablePreprocessor


def unseen(X):
    """Replace every string by one that no row has."""
    strings = [name for name in X if X[name].dtype.kind not in "biuf"]
    return X.assign(**dict.fromkeys(strings, "never seen before"))


def empty(X):
    """Make rows with only missing values."""
    return X.astype(object).mask(np.ones(X.shape, dtype=bool))


def peak_of_preprocessing(X):
    """Measure the peak memory of preprocessing, as a multiple of the samples' size."""
    tracemalloc.start()
    samples = TablePreprocessor().fit_transform(X)
    peak = tracemalloc.get_traced_memory()[1] / samples.nbytes
    tracemalloc.stop()
    return peak


def one_table(directory, name, max_epochs):
    """Fit and embed one table; return its row, and whether everything is finite."""
    X, _ = _data.load(directory, name)
    start = time.perf_counter()
    preprocessor = TablePreprocessor().fit(X)
    preprocessor.transform(X)
    preparing = time.perf_counter() - start
    start = time.perf_counter()
    embedder = BarlowTwinsEmbedder(max_epochs=max_epochs, random_state=0).fit(X)
    fitting = time.perf_counter() - start
    few = X.iloc[:100]
    checks = {"all": X, "unseen": unseen(few), "empty": empty(few)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*many categories that fit did not see", category=UserWarning)
        finite = {what: bool(np.isfinite(embedder.transform(rows)).all()) for what, rows in checks.items()}
    kinds = Counter(preprocessor.kinds_)
    cells = [
        name,
        f"{len(X):,}",
        ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()),
        preprocessor.spec_.shape[0],
        preprocessor.spec_.n_inputs,
        f"{preparing:.2f}",
        f"{fitting:.1f}",
        f"{peak_of_preprocessing(X):.2f}",
        *("yes" if ok else "NO" for ok in finite.values()),
    ]
    return cells, all(finite.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _data.add_arguments(parser)
    parser.add_argument("--epochs", type=int, help="epochs of each fit (default: the embedder's own)")
    options = parser.parse_args()
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}\n")
    print(
        "| table | rows | columns | sample | inputs | preprocessing, s | fit, s | peak / samples "
        "| finite | unseen | empty |"
    )
    print("|---" * 11 + "|")
    fine = True
    for name in options.tables or _data.manifest(options.data):
        cells, finite = one_table(options.data, name, options.epochs or "auto")
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        fine &= finite
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())

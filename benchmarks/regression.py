"""Compare ridge regression on what `transform` returns with ridge on raw columns, with few targets and with many.

    python benchmarks/regression.py --data DIR [--tables adult ...] [--seeds 1] [--draws 5] [--max-rows 3000]
                                    [--epochs E] [--cache DIR]

A numeric column of each table is the target, and is taken out of the table, as are the class labels. For every seed, an
embedder with default parameters learns from at most `--max-rows` training rows without the target. Then rows with
targets are drawn: 20, 100, 1,000 (if there are that many) and all. Ridge regression with a penalty chosen by
leave-one-out (RidgeCV, 17 penalties from 1e-4 to 1e4) is fitted on them, on

- raw: scaled numbers and one-hot categories;
- raw, quantiles: the same, each number replaced by its rank (uniform), then scaled;
- embedding: the learnt part of the output alone;
- embedder, as shipped: all that `transform` returns.

Histogram gradient boosting on raw columns stands beside them from 100 targets on. Targets are scaled to unit variance.
Prints Markdown: R2 on the test rows for each table, the median over seeds and draws (with 20 targets some fits go far
wrong), then the median over the tables of the gain over raw columns, and the tables on which they are 0.01 better or
worse. With `--cache`, embedders are kept in that directory.
"""

import argparse
import platform
import zlib
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import sklearn
import torch
from _baselines import one_hot
from _data import add_arguments, manifest, split
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder

TARGETS = {  # chosen before anything was measured
    "adult": "age",
    "bank_marketing": "age",
    "covtype_20k": "Elevation",
    "credit_default": "LIMIT_BAL",
    "credit_g": "credit_amount",
    "electricity": "feat_4",
    "magic": "FLength",
    "pendigits": "input16",
    "segment": "region-centroid-row",
    "telco_churn": "tenure",
}
COUNTS = (20, 100, 1_000, "all")
RAW, TREES = "raw", "trees, raw"
MOST_TEST_ROWS = 3_000


def quantiles(X, categorical):
    """Encode a table as `one_hot` does, with ranks in the place of numbers."""
    numbers = [name for name in X if name not in categorical]
    ranks = QuantileTransformer(n_quantiles=min(200, len(X)))
    return make_pipeline(
        make_column_transformer((ranks, numbers), remainder="passthrough", verbose_feature_names_out=False).set_output(
            transform="pandas"
        ),
        one_hot(X, categorical),
    )


def load(directory, name, max_rows, seed):
    """Load a table without its target: training and test rows, and their targets with unit variance."""
    rng, parts, tables = np.random.default_rng(seed), [], split(directory, name)[:2]
    numbers = [column for column in tables[0] if column not in manifest(directory)[name]["categorical"]]
    if not numbers:
        raise SystemExit(f"{name} has no numeric column that could be the target. Leave it out of --tables.")
    target = TARGETS.get(name, numbers[0])
    for X, most in zip(tables, (max_rows, MOST_TEST_ROWS), strict=True):
        X = X[X[target].notna()]
        parts.append(X.iloc[np.sort(rng.permutation(len(X))[:most])])
    y_train, y_test = (part[target].to_numpy(float) for part in parts)
    X_train, X_test = (part.drop(columns=target) for part in parts)
    mean, deviation = y_train.mean(), y_train.std()
    return X_train, X_test, (y_train - mean) / deviation, (y_test - mean) / deviation


def features_of(X_train, X_test, categorical, embedder):
    """Return training and test features by name."""
    found = {}
    for name, encode in ((RAW, one_hot), ("raw, quantiles", quantiles)):
        encoder = encode(X_train, categorical).fit(X_train)
        found[name] = [np.asarray(encoder.transform(X), dtype=np.float64) for X in (X_train, X_test)]
    output = [embedder.transform(X).astype(np.float64) for X in (X_train, X_test)]
    found["embedding"] = [Z[:, : embedder.n_components_] for Z in output]
    found["embedder, as shipped"] = output
    found[TREES] = found[RAW]
    return found


def fit_embedder(X, name, seed, options):
    """Fit the embedder, or load it from the cache."""
    path = options.cache and options.cache / f"{name}-{seed}-{options.max_rows}-{options.epochs}.joblib"
    if path and path.exists():
        return joblib.load(path)
    epochs = "auto" if options.epochs is None else options.epochs
    embedder = BarlowTwinsEmbedder(max_epochs=epochs, random_state=seed).fit(X)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(embedder, path)
    return embedder


def compare(name, options):
    """Judge all features of a table; return one record for each seed, number of targets, draw and features."""
    records, categorical = [], manifest(options.data)[name]["categorical"]
    for seed in range(options.seeds):
        X_train, X_test, y_train, y_test = load(options.data, name, options.max_rows, seed)
        features = features_of(X_train, X_test, categorical, fit_embedder(X_train, name, seed, options))
        for count in COUNTS:
            if count != "all" and count >= len(y_train):
                continue
            for draw in range(1 if count == "all" else options.draws):
                rng = np.random.default_rng((zlib.crc32(name.encode()), seed, draw))
                rows = rng.permutation(len(y_train))[: None if count == "all" else count]
                for method, (train, test) in features.items():
                    if method == TREES and count == COUNTS[0]:
                        continue
                    trees = HistGradientBoostingRegressor(random_state=0)
                    model = trees if method == TREES else RidgeCV(np.logspace(-4, 4, 17))
                    score = r2_score(y_test, model.fit(train[rows], y_train[rows]).predict(test))
                    records.append({"table": name, "targets": str(count), "features": method, "R2": score})
    return records


def print_results(results):
    """Print R2 of each table, and the gains over raw columns."""
    names = list(results["features"].unique())
    means = results.groupby(["targets", "table", "features"])["R2"].median()
    for count in [str(count) for count in COUNTS if str(count) in set(results["targets"])]:
        wide = means[count].unstack()[[name for name in names if name in means[count].unstack()]]
        print(f"\n{count} targets: R2 on test rows\n")
        print(f"| table | {' | '.join(wide.columns)} |\n" + "|---" * (len(wide.columns) + 1) + "|")
        for table, row in wide.iterrows():
            print(f"| {table} | {' | '.join(f'{value:.2f}' for value in row)} |")
        gains = wide.sub(wide[RAW], axis=0)
        print(f"| median gain over raw | {' | '.join(f'{value:+.2f}' for value in gains.median())} |")
        counts = zip((gains > 0.01).sum(), (gains < -0.01).sum(), strict=True)
        print(f"| won, lost | {' | '.join(f'{won}, {lost}' for won, lost in counts)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--max-rows", type=int, default=3_000, help="training rows")
    parser.add_argument("--epochs", type=int, help="default: auto")
    parser.add_argument("--cache", type=Path, help="directory in which embedders are kept")
    options = parser.parse_args()
    versions = f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{versions}, torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    records = [record for name in options.tables or TARGETS for record in compare(name, options)]
    print_results(pd.DataFrame(records))


if __name__ == "__main__":
    main()

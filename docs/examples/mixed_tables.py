"""
A table with mixed columns
==========================

A bank's customer table has amounts, categories, dates, durations, booleans and missing values. Of a few thousand
customers, a hundred have a label. How do you combine :class:`~sklearn_twins.BarlowTwinsEmbedder` with the usual tools
for such tables: skrub's ``TableVectorizer``, scikit-learn's ``ColumnTransformer`` and ``FeatureUnion``, and gradient
boosting?

The script generates the table: each customer has a hidden way of life, on which all columns and the label loosely
depend. Use ``--csv`` for a table of your own. It takes a minute or two on two cores::

    pip install ".[examples]"  # in a checkout
    python docs/examples/mixed_tables.py [--quick] [--csv FILE --target COLUMN] [--output mixed_tables.png]
"""

import argparse
import time

import joblib
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from skrub import TableVectorizer

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.preprocessing import TablePreprocessor

LABELLED = 100
DRAWS = 10  # draws of the labelled rows per seed
OURS, OTHERS = "#D55E00", "#000000"
START = time.perf_counter()


def say(text):
    """Print a line, with the seconds since the start."""
    print(f"[{time.perf_counter() - START:5.1f} s] {text}", flush=True)


def customers(n=6_000, seed=0):
    """Generate a table with columns of every kind, and whether each customer left."""
    rng = np.random.default_rng(seed)
    life = rng.integers(8, size=n)  # the hidden way of life

    def by_life(low, high):
        """Draw a number for each way of life."""
        return rng.uniform(low, high, size=8)[life]

    def likely(values, evenness):
        """Draw categories whose frequencies depend on the way of life."""
        shares = np.cumsum(rng.dirichlet(np.full(len(values), evenness), size=8), axis=1)
        return np.array(values)[(rng.random((n, 1)) > shares[life]).sum(axis=1).clip(max=len(values) - 1)]

    income = np.exp(rng.normal(by_life(7, 9), 0.6))
    opened = pd.Timestamp("2012-01-01") + pd.to_timedelta(by_life(0, 2_000) + rng.gamma(2, 500, n), unit="D").floor("D")
    table = pd.DataFrame(
        {
            "income": income,
            "balance": income * rng.normal(by_life(-1, 4), 2),
            "cards": rng.poisson(by_life(0.5, 3)),
            "job": likely(["clerk", "driver", "engineer", "farmer", "nurse", "retired", "student", "teacher"], 0.8),
            "town": pd.Categorical(likely([f"town {i}" for i in range(60)], 0.5)),
            "channel": likely(["app", "branch", "phone", "web"], 1.0),
            "opened": opened,
            "last visit": opened + pd.to_timedelta(rng.gamma(2, by_life(50, 400)) * 24, unit="h"),
            "longest call": pd.to_timedelta(rng.gamma(2, by_life(60, 400)), unit="s"),
            "newsletter": pd.array(rng.random(n) < by_life(0, 1), dtype="boolean"),
        }
    )
    for name, share in {"income": 0.1, "job": 0.2, "channel": 0.05, "last visit": 0.1, "newsletter": 0.1}.items():
        table[name] = table[name].mask(rng.random(n) < share)
    left = rng.random(n) < by_life(0, 1) ** 2
    return table, left


def make_models(X, seed, **parameters):
    """Make estimators that take the table as it is; their embedders are fitted on all of X and frozen."""
    embedder = BarlowTwinsEmbedder(random_state=seed, **parameters)
    embedding = FrozenEstimator(clone(embedder).fit(X))
    vectorized = FrozenEstimator(make_pipeline(TableVectorizer(), embedder).fit(X))
    plain = TablePreprocessor()  # numbers and codes, suitable for trees
    dated = list(X.select_dtypes(["number", "datetime"]))
    linear = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=2_000))
    boosting = HistGradientBoostingClassifier(random_state=0)
    return {
        "TableVectorizer → linear": make_pipeline(TableVectorizer(), linear),
        "boosting": make_pipeline(plain, boosting),
        "embedding → linear": make_pipeline(embedding, linear),
        "TableVectorizer → embedding → linear": make_pipeline(vectorized, linear),
        # ColumnTransformer: the embedding of all columns, next to the scaled numbers and dates
        "embedding, numbers → linear": make_pipeline(
            make_column_transformer((embedding, list(X)), (plain, dated)), linear
        ),
        # FeatureUnion: the embedding next to all raw columns, for trees
        "embedding, raw columns → boosting": make_pipeline(make_union(embedding, plain), boosting),
    }


def compare(X, y, seed, n_draws, **parameters):
    """Return the areas under the ROC curve on a held-out half: a list per model, one value per draw of the labels."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    scores = {}
    for name, model in make_models(X_train, seed, **parameters).items():
        scores[name] = []
        for draw in range(n_draws):
            rows, _ = train_test_split(
                np.arange(len(y_train)), train_size=LABELLED, stratify=y_train, random_state=draw
            )
            fitted = clone(model).fit(X_train.iloc[rows], y_train[rows])
            scores[name].append(roc_auc_score(y_test, fitted.predict_proba(X_test)[:, 1]))
    return scores


def draw(path, scores, title):
    """Draw a row for each model: its runs as small marks, their mean as a large dot."""
    figure, axis = plt.subplots(figsize=(9, 4.5), dpi=100, layout="constrained")
    for i, (name, values) in enumerate(scores.items()):
        colour = OURS if "embedding" in name else OTHERS
        axis.plot(values, np.full(len(values), i), "|", markersize=12, color=colour, alpha=0.35)
        axis.plot(values.mean(), i, "o", markersize=9, color=colour)
        axis.annotate(f"{values.mean():.3f}", (values.mean(), i), (0, 9), textcoords="offset points", ha="center")
    axis.set_yticks(range(len(scores)), scores)
    axis.invert_yaxis()
    axis.margins(y=0.12)
    axis.set(title=title, xlabel="area under the ROC curve on the held-out half: runs (|) and their mean (●)")
    axis.grid(axis="x", alpha=0.3)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description="Few labels on a table with categories, dates and missing values.")
    parser.add_argument("--quick", action="store_true", help="fewer seeds and epochs, to check that it runs")
    parser.add_argument("--csv", help="a table of your own, with two classes")
    parser.add_argument("--target", help="the column of --csv with the classes")
    parser.add_argument("--output", default="mixed_tables.png", help="file of the figure")
    options = parser.parse_args()
    if options.csv:
        X = pd.read_csv(options.csv)
        y = X.pop(options.target)
        y = (y == sorted(y.unique())[1]).to_numpy()
    else:
        X, y = customers(600 if options.quick else 6_000)
    n_seeds, n_draws, parameters = (1, 2, {"max_epochs": 2}) if options.quick else (2, DRAWS, {})
    print(X.head(3).T.to_string(), end="\n\n")
    say(f"{len(X):,} rows, half of them held out; {LABELLED} of the other half have a label")
    runs = joblib.Parallel(n_jobs=2)(
        joblib.delayed(compare)(X, y, seed, n_draws, **parameters) for seed in range(n_seeds)
    )
    scores = {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
    print(f"\n  {'area under the ROC curve':40} mean ± sd of {n_seeds * n_draws} runs")
    for name, values in scores.items():
        print(f"  {name:40} {values.mean():.3f} ± {values.std(ddof=1):.3f}")
    print()
    draw(options.output, scores, f"{len(X) // 2:,} training rows, {LABELLED} of them with a label")
    say(f"done; figure: {options.output}")


if __name__ == "__main__":
    main()

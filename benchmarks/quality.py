"""Does it help? Compare the embedding with raw columns and other features, with few labels and with many.

    python benchmarks/quality.py --data DIR --cache DIR [--role report] [--tables adult ...] [--seeds 3] [--jobs 2]
                                 [--max-rows 3000] [--epochs E] [--plot quality.png]
    python benchmarks/quality.py --data DIR --cache DIR --tables fashion_mnist mnist --max-rows 10000 --seeds 2

For every table of a role ("tune", "report" or "all") and every seed, features are learned from at most `--max-rows`
training rows without labels. Then classifiers are fitted on 1, 5 and 25 labelled rows per class, and on 5 %, 25 % and
all of the rows: logistic regression (C=1), 15 nearest neighbours and gradient-boosted trees. They use the features
alone, and the features beside the raw columns. Few labels are drawn five times. With 25 % of the labels or more, only
raw columns and the embedder are judged. Trees, which cannot split 20 rows, are judged from 25 labels per class on.
Rows and labels are those of few_labels_classifiers.py.

Features:

- raw columns (scaled numbers, one-hot categories);
- PCA (at most 64 components) and UMAP (16, if installed);
- a random encoder, which is the untrained embedder;
- a denoising autoencoder of the same shape;
- SCARF: the embedder with `objective="info_nce"` and one unchanged view;
- the embedder with its defaults, whose `transform` adds the columns to the embedding itself.

PCA is left unscaled. For all others, each coordinate has the same variance: 6 in total, alone and beside raw columns,
which then have 12 in total, as in the output of `transform`. For images (named by --tables) the columns are pixels, and
the embedder and the random encoder have `modality="image"`; the autoencoder and SCARF, which are for tables, are left
out.

The cache directory keeps a file for each table, seed and features, so that an interrupted run can continue or a run
with fewer `--features` can be followed by one with more; and the embedders, which few_labels_classifiers.py with the
same directory reads as well. Prints Markdown: for each table, balanced accuracy of logistic regression on raw columns,
and gains; for every classifier and number of labels, gains over the tables (won or lost by more than half a point) and
mean ranks among raw columns and all features of a kind, from tables and seeds that all of them have. Writes all results
to `results.csv` in the cache directory, and plots the gains.
"""

import argparse
import itertools
import json
import os
import platform
import warnings
from pathlib import Path

import _data
import joblib
import numpy as np
import pandas as pd
import sklearn
import torch
from _baselines import DenoisingAutoencoder, RandomEncoder
from few_labels_classifiers import Rows, draw_labels, encode_by, fit_embedder, flatten
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.augmentations import Identity, MarginalCorruption, Pair

LABELS = ("1", "5", "25", "5 %", "25 %", "100 %")
DRAWS = 5  # all labels are drawn once
FOR_TABLES = ("autoencoder", "SCARF")
TOTAL_VARIANCE = {"features": 6, "columns": 12}
CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(max_iter=1_000),
    "neighbors": lambda: KNeighborsClassifier(15, weights="distance"),
    "trees": lambda: HistGradientBoostingClassifier(random_state=0),
}


def features_of(name, seed, max_epochs, n_raw, modality):
    """Build a transformer; say whether it needs the raw columns as numbers."""
    embedder = BarlowTwinsEmbedder(modality=modality, random_state=seed, max_epochs=max_epochs)
    if name == "embedder":
        return embedder, False
    embedder.set_params(passthrough=False)
    if name == "SCARF":
        views = Pair(Identity(), MarginalCorruption(0.6))
        return embedder.set_params(objective="info_nce", augmentation=views), False
    if name == "random encoder":
        return RandomEncoder(embedder), False
    if name == "autoencoder":
        steps = 1_000 if max_epochs == "auto" else max_epochs
        return DenoisingAutoencoder(n_steps=steps, random_state=seed), True
    if name == "PCA":
        return PCA(min(64, n_raw), random_state=seed), True
    if name == "UMAP":
        from umap import UMAP

        return UMAP(min(16, n_raw), random_state=seed), True
    return None, True  # raw


def known_features():
    """Return the names of all features available here."""
    names = ["raw", "PCA", "random encoder", "autoencoder", "SCARF", "embedder"]
    try:
        import umap  # noqa: F401
    except ImportError:
        return names
    return [*names[:2], "UMAP", *names[2:]]


def load(options, name, seed):
    """Load rows of a table or of images, with raw columns."""
    entry = _data.manifest(options.data).get(name)
    if entry:
        parts, encode = _data.split(options.data, name), encode_by(entry)
    else:
        X_train, y_train, X_test, y_test = _data.load_images(options.data, name)
        parts, encode = (X_train, X_test, y_train, y_test), flatten
    rows = Rows(parts, options.max_rows, seed)
    rows.add("raw", *encode(rows.X_train, rows.X_test))
    return rows


def auc(classifier, Z, y):
    """Compute the area under the ROC curve in percent, mean over the classes of the test rows."""
    scores = classifier.predict_proba(Z)
    hits = [y == label for label in classifier.classes_]
    return np.mean([100 * roc_auc_score(hit, scores[:, c]) for c, hit in enumerate(hits) if 0 < hit.sum() < len(y)])


def judged(rows, kind, labels, classifier, seed):
    """Compute balanced accuracy and area under the ROC curve in percent, mean over the draws."""
    (Z_train, Z_test), found = rows.features[kind], []
    for draw in range(1 if labels == "100 %" else DRAWS):
        labeled = draw_labels(rows.y_train, labels, np.random.default_rng((seed, draw)))
        model = CLASSIFIERS[classifier]()
        if classifier == "neighbors":
            model.set_params(n_neighbors=min(15, len(labeled)))
        model.fit(Z_train[labeled], rows.y_train[labeled])
        accuracy = 100 * balanced_accuracy_score(rows.y_test, model.predict(Z_test))
        found.append((accuracy, auc(model, Z_test, rows.y_test)))
    return np.mean(found, axis=0).tolist()


def wanted(classifier, labels, kind, name):
    """Say whether to judge a combination: some take minutes for little, and trees cannot split 20 rows."""
    if classifier == "trees" and labels in ("1", "5"):
        return False
    if labels in ("25 %", "100 %") or classifier == "trees":
        return name == "raw" or (name == "embedder" and kind == "beside")
    return True


def scaled(train, test, total, standardized=False):
    """Scale features so that their variances sum up to a total, equal ones if `standardized`."""
    deviation = train.std(0)
    kept = deviation > 1e-6
    train, test, deviation = train[:, kept], test[:, kept], deviation[kept]
    scale = 1 / deviation if standardized else np.ones_like(deviation)
    scale = scale * np.sqrt(TOTAL_VARIANCE[total] / np.square(deviation * scale).sum())
    return train * scale, test * scale


def learn(options, name, table, seed, rows):
    """Learn features; add them to the rows, alone and beside raw columns."""
    modality = "image" if isinstance(rows.X_train, np.ndarray) else "tabular"
    raw = rows.features["raw"]
    if name == "embedder":
        embedder = fit_embedder(rows, table, seed, options, modality)
        beside = embedder.transform(rows.X_train), embedder.transform(rows.X_test)
        rows.add("alone", *(Z[:, : embedder.n_components_] for Z in beside))
        rows.add("beside", *beside)
        return
    transformer, numbers = features_of(name, seed, options.epochs or "auto", raw[0].shape[1], modality)
    train, test = raw if numbers else (rows.X_train, rows.X_test)
    if transformer is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            train, test = transformer.fit(train).transform(train), transformer.transform(test)
    rows.add("alone", *((train, test) if name in ("raw", "PCA") else scaled(train, test, "features", True)))
    if transformer is not None:
        pairs = zip(scaled(*raw, "columns"), scaled(*rows.features["alone"], "features"), strict=True)
        rows.add("beside", *(np.hstack(pair) for pair in pairs))


def path_of(options, table, seed, name):
    """Return the cache's file for one table, seed and features."""
    return options.cache / f"{table}-{seed}-{name.replace(' ', '_')}.json"


def run(options, table, seed, name):
    """Return all results of one table, seed and features, cached if possible."""
    path = path_of(options, table, seed, name)
    if not path.exists():
        rows = load(options, table, seed)
        learn(options, name, table, seed, rows)
        kinds = [kind for kind in ("alone", "beside") if kind in rows.features]
        combinations = itertools.product(kinds, options.classifiers, options.labels)
        results = [
            (kind, classifier, labels, *judged(rows, kind, labels, classifier, seed))
            for kind, classifier, labels in combinations
            if wanted(classifier, labels, kind, name)
        ]
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(results), encoding="utf-8")
        part.rename(path)
    columns = ["kind", "classifier", "labels", "accuracy", "auc"]
    frame = pd.DataFrame(json.loads(path.read_text(encoding="utf-8")), columns=columns)
    return frame.assign(table=table, seed=seed, features=name)


def method_of(features, kind):
    """Name features of a kind for the tables."""
    if features == "embedder":
        return "embedder, as shipped" if kind == "beside" else "its embedding alone"
    return features if kind == "alone" else f"{features} beside raw"


def over_raw(everything):
    """Add gains over raw columns with the same rows and labels."""
    same = ["table", "seed", "classifier", "labels"]
    raw = everything.query("features == 'raw'").set_index(same)[["accuracy", "auc"]]
    with_raw = everything.join(raw.add_suffix("_raw"), on=same)
    with_raw["gain"], with_raw["gain_auc"] = (with_raw[m] - with_raw[f"{m}_raw"] for m in ("accuracy", "auc"))
    return with_raw


def over_seeds(gains):
    """Average results and gains over the seeds."""
    keys = ["table", "features", "kind", "method", "classifier", "labels"]
    return gains.groupby(keys, as_index=False)[["accuracy", "auc", "gain", "gain_auc"]].mean()


def print_tables(means, labels):
    """Print the balanced accuracy of logistic regression on raw columns for each table, and the gains of the others."""
    part = means.query("classifier == 'logistic' and labels == @labels")
    gains = part.query("kind == 'beside'").pivot_table(index="table", columns="method", values="gain")
    raw = part.query("features == 'raw'").set_index("table")["accuracy"]
    print(f"\n## {labels} label(s) per class: logistic regression on raw columns, and gains beside them\n")
    print(f"| table | raw columns | {' | '.join(gains.columns)} |\n" + "|---" * (len(gains.columns) + 2) + "|")
    for table, accuracy in raw.items():
        row = gains.loc[table] if table in gains.index else []
        print(f"| {table} | {accuracy:.1f} | {' | '.join(f'{value:+.1f}' for value in row)} |")


def gains_of(means, method, classifier, labels, measure="gain"):
    """Return the gain over raw columns for each table that has one."""
    part = means.query("method == @method and classifier == @classifier and labels == @labels")
    return part[measure].dropna().to_numpy()


def mean_ranks(gains, kind):
    """Compute mean ranks among raw columns and features of a kind, over tables and seeds that all of them have."""
    part = gains.query("kind == @kind or features == 'raw'")
    wide = part.pivot_table(index=["classifier", "labels", "table", "seed"], columns="method", values="gain")
    ranks = {}
    for (classifier, labels), cells in wide.groupby(level=[0, 1]):
        judged = cells.dropna(axis=1, how="all").dropna()
        means = judged.rank(axis=1, ascending=False).mean()
        ranks |= {(method, classifier, labels): mean for method, mean in means.items()}
    return ranks


def print_gains(gains_by_seed, means, options):
    """Print the gains over raw columns, over the tables."""
    for classifier in options.classifiers:
        print(f"\n## {classifier}: gain over raw columns\n")
        print("Mean ± standard error over the tables, median, worst table; won and lost; mean rank in the kind\n")
        print(f"| features | {' | '.join(options.labels)} |\n" + "|---" * (len(options.labels) + 1) + "|")
        for kind, features in itertools.product(("beside", "alone"), options.features):
            ranks, method, cells = mean_ranks(gains_by_seed, kind), method_of(features, kind), []
            for labels in options.labels:
                gains = gains_of(means, method, classifier, labels)
                if not len(gains):
                    cells.append("")
                    continue
                error = gains.std() / np.sqrt(len(gains))
                cell = f"{gains.mean():+.1f} ± {error:.1f}, {np.median(gains):+.1f}, {gains.min():+.1f}"
                won, lost = (gains > 0.5).sum(), (gains < -0.5).sum()
                cells.append(f"{cell}; {won}, {lost}; {ranks[method, classifier, labels]:.1f}")
            if any(cells):
                print(f"| {method} | {' | '.join(cells)} |")


def draw_gains(means, path):
    """Plot a dot for each table: the gain of logistic regression with 5 labels per class."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    methods = [method for method in means["method"].unique() if method != "raw"]
    gains = {method: gains_of(means, method, "logistic", "5") for method in methods}
    methods = sorted(methods, key=lambda method: gains[method].mean())
    figure, axes = plt.subplots(figsize=(8, 0.35 * len(methods) + 1.5), layout="constrained")
    for place, method in enumerate(methods):
        color = "tab:orange" if method == "embedder, as shipped" else "tab:blue"
        axes.plot(gains[method], np.full(len(gains[method]), place), "o", alpha=0.6, color=color)
        axes.plot(gains[method].mean(), place, "|", markersize=16, color="black")
    axes.axvline(0, color="gray", linewidth=1)
    axes.set_yticks(range(len(methods)), methods)
    axes.set_xlabel("points of balanced accuracy over raw columns; bars are means over tables")
    axes.set_title("Logistic regression, 5 labels per class", loc="left")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _data.add_arguments(parser)
    parser.add_argument("--cache", type=Path, required=True, help="directory that keeps the results")
    parser.add_argument("--role", choices=["tune", "report", "all"], default="report")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--max-rows", type=int, default=3_000, help="training rows of a table")
    parser.add_argument("--epochs", type=int, help="epochs of every fit (default: the embedder's own)")
    parser.add_argument("--features", nargs="+", default=known_features())
    parser.add_argument("--classifiers", nargs="+", choices=CLASSIFIERS, default=list(CLASSIFIERS))
    parser.add_argument("--labels", nargs="+", choices=LABELS, default=LABELS)
    parser.add_argument("--cached", action="store_true", help="report the cache's results without running anything")
    parser.add_argument("--plot", type=Path, help="file for the plot of the gains")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    entries = _data.manifest(options.data)
    tables = options.tables or [name for name, entry in entries.items() if options.role in (entry["role"], "all")]
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}; {options.seeds} seed(s)")
    jobs = itertools.product(tables, range(options.seeds), options.features)
    jobs = [job for job in jobs if job[0] in entries or job[2] not in FOR_TABLES]
    if options.cached:
        jobs = [job for job in jobs if path_of(options, *job).exists()]
    done = joblib.Parallel(n_jobs=options.jobs, verbose=1)(joblib.delayed(run)(options, *job) for job in jobs)
    everything = pd.concat(done, ignore_index=True)
    everything.to_csv(options.cache / "results.csv", index=False)
    everything["method"] = list(map(method_of, everything["features"], everything["kind"]))
    gains = over_raw(everything)
    means = over_seeds(gains)
    for labels in options.labels:
        print_tables(means, labels)
    print_gains(gains, means, options)
    if options.plot:
        draw_gains(means, options.plot)


if __name__ == "__main__":
    main()

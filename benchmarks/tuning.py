"""Change one parameter at a time on a table that scikit-learn ships, and measure how reliable few labels are.

    python benchmarks/tuning.py [--data digits] [--seeds 3] [--jobs 2] [--epochs N] [--sections knobs labels]

"knobs": for each seed a quarter is held out, and an embedder is fitted on the other rows for each setting, with
defaults otherwise. It is judged by logistic regression on 20 draws of 1, 5 and 25 labelled rows per class: accuracy
minus that of raw columns in their better scaling, and minus that of the default with the same seed, in points; and by
`score`, without labels, on the held-out rows.

"labels": for 100 draws of 1, 5 and 20 labelled rows per class, how the accuracy of one default embedding varies, and
what cross-validation on these labels estimates for it, for raw columns, and for their difference.
"""

import argparse
import platform

import joblib
import numpy as np
import sklearn
import torch
from few_labels import KINDS, scaled
from scipy.stats import spearmanr
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder

COUNTS = (1, 5, 25)
DRAWS = 20
LABELS = (1, 5, 20)
LABEL_DRAWS = 100
WIDTH = 256  # of the default projection, d in the names below

KNOBS = {
    "default": {},
    **{
        f"augmentation__corruption_rate={r}": {"augmentation__corruption_rate": r}
        for r in (0.05, 0.1, 0.2, 0.4, 0.5, 0.6)
    },
    **{f"augmentation={n!r}": {"augmentation": n} for n in ("masking", "gaussian_noise", "mixup")},
    **{f"max_epochs={n!r}": {"max_epochs": n} for n in (2, 5, 20, "auto")},
    **{
        f"objective__off_diagonal_weight={k}/d": {"objective__off_diagonal_weight": k / WIDTH} for k in (0.1, 3, 10, 42)
    },
    **{f"objective={n!r}": {"objective": n} for n in ("hsic", "vicreg", "info_nce")},
    **{f"learning_rate={r}": {"learning_rate": r} for r in (0.0005, 0.001, 0.002, 0.01, 0.02)},
    **{f"batch_size={n}": {"batch_size": n} for n in (64, 128, 512)},
    "passthrough=False": {"passthrough": False},
    **{f"n_components={n}": {"n_components": n} for n in (4, 16, 64)},
    "n_components=16, passthrough=True": {"n_components": 16, "passthrough": True},
    **{f"projector__projection_dim={n}": {"projector__projection_dim": n} for n in (64, 1024)},
    "projector='identity'": {"projector": "identity"},
    "encoder='resnet'": {"encoder": "resnet"},
    "encoder__hidden_dims=(256,)": {"encoder__hidden_dims": (256,)},
    "encoder__hidden_dims=(512, 512, 512)": {"encoder__hidden_dims": (512, 512, 512)},
    "encoder__expansion='piecewise_linear'": {"encoder__expansion": "piecewise_linear"},
    "preprocessor__scaling='quantile'": {"preprocessor__scaling": "quantile"},
    "weight_decay=0.01": {"weight_decay": 0.01},
}


def split(name, seed):
    """Split into training rows and a held-out quarter."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)


def draw(y, count, rng):
    """Draw `count` rows per class, or all if a class has fewer."""
    rows = [np.flatnonzero(y == c) for c in np.unique(y)]
    return np.concatenate([rng.choice(of, min(count, len(of)), replace=False) for of in rows])


def fitted(rows, y):
    """Fit the classifier that judges features."""
    return LogisticRegression(max_iter=1000).fit(rows, y)


def accuracies(train, test, y_train, y_test, seed):
    """Compute the mean accuracy in percent for each number of labels, with the same draws for all features."""
    means = []
    for count in COUNTS:
        rng, values = np.random.default_rng(seed), []
        for _ in range(DRAWS):
            picked = draw(y_train, count, rng)
            values.append(fitted(train[picked], y_train[picked]).score(test, y_test))
        means.append(100 * np.mean(values))
    return np.array(means)


def one_setting(name, setting, seed, epochs):
    """Return accuracies, `score` on held-out rows and the fit's seconds of a setting (None: raw columns)."""
    X_train, X_test, y_train, y_test = split(name, seed)
    if setting is None:
        both = [accuracies(*scaled(kind, X_train, X_test), y_train, y_test, seed) for kind in KINDS]
        return np.max(both, axis=0), np.nan, 0.0
    params = {"max_epochs": epochs, **KNOBS[setting]} if epochs else KNOBS[setting]
    embedder = BarlowTwinsEmbedder(random_state=seed).set_params(**params).fit(X_train)
    values = accuracies(embedder.transform(X_train), embedder.transform(X_test), y_train, y_test, seed)
    return values, embedder.score(X_test), embedder.history_["seconds"].sum()


def knobs(options):
    """Print a row for each setting."""
    run = joblib.Parallel(n_jobs=options.jobs, return_as="generator")
    settings = [None, *(KNOBS if options.settings is None else options.settings)]
    cases = [(setting, seed) for setting in settings for seed in range(options.seeds)]
    results = run(joblib.delayed(one_setting)(options.data, *case, options.epochs) for case in cases)
    heads = [f"vs {of}, {count} label{'s' * (count > 1)}" for of in ("raw", "default") for count in COUNTS]
    print(f"| setting | {' | '.join(heads)} | score | fit, s |\n|---{'|---' * len(heads)}|---|---|")
    found = {}
    for setting in settings:
        runs = [next(results) for _ in range(options.seeds)]
        found[setting] = values, scores, seconds = [np.array(column) for column in zip(*runs, strict=True)]
        if setting is None:
            continue
        less = [values - found[other][0] for other in (None, "default")]
        cells = [f"{m:+.1f} ± {s:.1f}" for d in less for m, s in zip(d.mean(0), d.std(0, ddof=1), strict=True)]
        print(f"| `{setting}` | {' | '.join(cells)} | {scores.mean():.3f} | {np.median(seconds):.1f} |", flush=True)
    raw = " / ".join(f"{mean:.1f}" for mean in found[None][0].mean(0))
    print(f"\nRaw columns: {raw} % with {' / '.join(map(str, COUNTS))} labels per class.")
    done = [found[setting] for setting in settings[1:]]
    for number, count in enumerate(COUNTS):
        ranks = [agreement([(d[1][seed], d[0][seed, number]) for d in done]) for seed in range(options.seeds)]
        print(f"Rank correlation of `score` with accuracy at {count}: {np.mean(ranks):+.2f} (mean over seeds).")


def agreement(pairs):
    """Compute Spearman's rank correlation; NaN if one side is constant."""
    varies = all(np.ptp(side) > 0 for side in zip(*pairs, strict=True))
    return spearmanr(pairs)[0] if varies else np.nan


def labels(options):
    """Print how accuracies with few labels, and their cross-validation, vary with the draw."""
    X_train, X_test, y_train, y_test = split(options.data, 0)
    params = {"max_epochs": options.epochs} if options.epochs else {}
    embedder = BarlowTwinsEmbedder(random_state=0, **params).fit(X_train)
    pairs = [(embedder.transform(X_train), embedder.transform(X_test))]
    pairs += [scaled(kind, X_train, X_test) for kind in KINDS]
    print(
        "\n| labels per class | features | accuracy ± spread | lowest, highest | cross-validated | its error ± spread |"
    )
    print("|---" * 6 + "|")
    for count in LABELS:
        rng, tested, crossed = np.random.default_rng(0), [], []
        for _ in range(options.draws):
            places = draw(y_train, count, rng)
            tested.append([fitted(train[places], y_train[places]).score(test, y_test) for train, test in pairs])
            crossed.append([validated(train[places], y_train[places], count) for train, _ in pairs])
        tested, crossed = 100 * np.array(tested), 100 * np.array(crossed)
        raw = 1 + tested[:, 1:].mean(0).argmax()  # the better scaling
        columns = [("embedding", tested[:, 0], crossed[:, 0]), ("raw columns", tested[:, raw], crossed[:, raw])]
        columns.append(("difference", tested[:, 0] - tested[:, raw], crossed[:, 0] - crossed[:, raw]))
        for name, true, seen in columns:
            error = seen - true
            print(
                f"| {count} | {name} | {true.mean():.1f} ± {true.std(ddof=1):.1f} | {true.min():.1f}, {true.max():.1f} "
                f"| {seen.mean():.1f} | {error.mean():+.1f} ± {error.std(ddof=1):.1f} |"
            )


def validated(rows, y, count):
    """Compute the cross-validated accuracy on the labelled rows alone; NaN with one row per class."""
    if count == 1:
        return np.nan
    folds = StratifiedKFold(min(5, count), shuffle=True, random_state=0)
    return cross_val_score(LogisticRegression(max_iter=1000), rows, y, cv=folds).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", choices=["digits", "wine", "breast_cancer", "iris"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--epochs", type=int, help="epochs of the settings that do not set max_epochs (default: the embedder's own)"
    )
    parser.add_argument(
        "--settings", nargs="+", help="settings of the section knobs, by their names in the table (default: all)"
    )
    parser.add_argument("--draws", type=int, default=LABEL_DRAWS)
    parser.add_argument("--sections", nargs="+", default=["knobs", "labels"])
    options = parser.parse_args()
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}; {options.data}\n")
    for section in options.sections:
        {"knobs": knobs, "labels": labels}[section](options)


if __name__ == "__main__":
    main()

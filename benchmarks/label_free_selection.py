"""Which label-free metric ranks embeddings as labels do? A study for searches without y.

    python benchmarks/label_free_selection.py --data DIR --cache DIR [--tables adult ...] [--jobs 2] [--epochs E]

On every table, and on Fashion-MNIST, 25 embedders are fitted (`passthrough=False`): the default, and 24 drawn at random
over objective, off-diagonal weight, strength of the views, width, learning rate and epochs. Each is judged with labels:
logistic regression on the standardised embedding of 5 and of 25 labelled training rows per class, balanced accuracy on
test rows, mean of 20 draws. And it is judged without labels: by every metric of `sklearn_twins.metrics`, on at most
2,000 test rows.

The cache directory keeps the results, so that an interrupted run can continue. Prints Markdown. For each metric: the
rank correlation (Spearman) with both accuracies over the 25 embedders, its mean over the tables marked for tuning and
over those marked for report, and its spread; the accuracy of the configuration that it picks, compared with the best, a
random one, and the default. Then the default metric for each data set.
"""

import argparse
import copy
import json
import os
import platform
import warnings
from dataclasses import dataclass
from pathlib import Path

import _data
import joblib
import numpy as np
import sklearn
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.metrics import (
    LabelFreeScorer,
    effective_rank,
    get_scorer,
    get_scorer_names,
    lidar,
    rankme,
    stable_rank,
)
from sklearn_twins.objectives import HSIC, SSLHSIC, BarlowTwins, InfoNCE, VICReg

COUNTS = (5, 25)
DRAWS = 20
TRAIN_ROWS, TEST_ROWS = 10_000, 2_500
N_DRAWN = 24
IMAGES = "fashion_mnist"
IMAGE_EPOCHS = 12  # of the default; configurations take a share of them

WIDTH = 256  # of every projection
SPACE = {
    "objective": ("barlow_twins", "hsic", "vicreg", "info_nce", "ssl_hsic"),
    "weight": (0.1, 1.0, 10.0, 40.0),  # off-diagonal weight times the projection's width
    "strength": (0.1, 0.2, 0.3, 0.5, 0.7),  # corruption rate; for images, strength of the jitter
    "n_components": (16, 64, 256),
    "learning_rate": (5e-4, 2e-3, 5e-3, 2e-2),
    "share": (0.1, 0.3, 1.0),  # of the default's epochs
}


@dataclass
class Rows:
    """A data set, reduced to the rows that the study uses."""

    X_train: object
    X_test: object
    y_train: np.ndarray
    y_test: np.ndarray
    modality: str


def load(directory, name):
    """Load the split of a table or of the images, with a limited number of rows."""
    if name == IMAGES:
        X_train, y_train, X_test, y_test = _data.load_images(directory, name)
    else:
        X_train, X_test, y_train, y_test = _data.split(directory, name)
    rng = np.random.default_rng(0)
    train, test = (np.sort(rng.permutation(len(y))[:most]) for y, most in ((y_train, TRAIN_ROWS), (y_test, TEST_ROWS)))
    if name == IMAGES:
        return Rows(X_train[train], X_test[test], y_train[train], y_test[test], "image")
    return Rows(X_train.iloc[train], X_test.iloc[test], y_train[train], y_test[test], "tabular")


def configurations():
    """Return the default (None) and the random configurations. Objectives take turns, for equal shares."""
    rng = np.random.default_rng(2026)
    drawn = [{name: values[rng.integers(len(values))] for name, values in SPACE.items()} for _ in range(N_DRAWN)]
    for i, configuration in enumerate(drawn):
        configuration["objective"] = SPACE["objective"][i % len(SPACE["objective"])]
    return [None, *drawn]


def objective_of(configuration):
    """Build the objective, with its off-diagonal weight if it has one."""
    weight = configuration["weight"] / WIDTH
    return {
        "barlow_twins": BarlowTwins(weight),
        "hsic": HSIC(weight),
        "vicreg": VICReg(),
        "info_nce": InfoNCE(),
        "ssl_hsic": SSLHSIC(),
    }[configuration["objective"]]


def embedder_of(configuration, rows, seed):
    """Build an unfitted embedder."""
    embedder = BarlowTwinsEmbedder(modality=rows.modality, passthrough=False, random_state=seed)
    if rows.modality == "image":
        embedder.set_params(max_epochs=IMAGE_EPOCHS, precision="bfloat16")
    if configuration is None:
        return embedder
    n_batches = -(-len(rows.y_train) // embedder.batch_size)
    whole = IMAGE_EPOCHS if rows.modality == "image" else np.clip(round(1_000 / n_batches), 5, 200)
    embedder.set_params(
        n_components=configuration["n_components"],
        learning_rate=configuration["learning_rate"],
        max_epochs=max(1, round(float(whole) * configuration["share"])),
        objective=objective_of(configuration),
        projector__projection_dim=WIDTH,
    )
    if rows.modality == "image":
        return embedder.set_params(augmentation__jitter=4 * configuration["strength"])
    return embedder.set_params(augmentation__corruption_rate=configuration["strength"])


def fitted(rows, configuration, seed, max_epochs):
    """Fit an embedder; return None if its training diverged."""
    embedder = embedder_of(configuration, rows, seed)
    if max_epochs:
        embedder.set_params(max_epochs=max_epochs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)  # collapse is what the study is about
            return embedder.fit(rows.X_train)
    except ValueError as error:
        if "learning rate" not in str(error):
            raise
        return None


def probe(embedder, rows):
    """Compute the balanced accuracy in percent for each number of labels per class."""
    scaler = StandardScaler()
    Z_train = scaler.fit_transform(embedder.transform(rows.X_train))
    Z_test = scaler.transform(embedder.transform(rows.X_test))
    means = []
    for count in COUNTS:
        values = []
        for draw in range(DRAWS):
            order = np.random.default_rng(draw).permutation(len(rows.y_train))
            drawn = np.concatenate([order[rows.y_train[order] == label][:count] for label in np.unique(rows.y_train)])
            classifier = LogisticRegression(max_iter=500).fit(Z_train[drawn], rows.y_train[drawn])
            values.append(balanced_accuracy_score(rows.y_test, classifier.predict(Z_test)))
        means.append(100 * float(np.mean(values)))
    return means


def scorers():
    """Return all named scorers, those of views also with the embedder's own views, and ranks that are not shares."""
    found = {name: get_scorer(name) for name in get_scorer_names()}
    for name, scorer in list(found.items()):
        if scorer.n_views:
            found[f"{name}, own views"] = copy.copy(scorer)
            found[f"{name}, own views"].augmentation = "own"
    for metric, n_views in ((rankme, 0), (effective_rank, 0), (stable_rank, 0), (lidar, 10)):
        name = f"{metric.__name__}, not as a share"
        found[name] = LabelFreeScorer(metric, n_views=n_views)
    return found


def judge(cache, name, rows, number, configuration, seed, max_epochs):
    """Return accuracies and scores of one configuration, cached if possible; None for a failed fit."""
    path = cache / f"{name}-{number}-{seed}.json"
    if not path.exists():
        embedder, result = fitted(rows, configuration, seed, max_epochs), None
        if embedder is not None:
            scores = {key: float(scorer(embedder, rows.X_test)) for key, scorer in scorers().items()}
            result = {"probes": probe(embedder, rows), "scores": scores}
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.rename(path)
    return json.loads(path.read_text(encoding="utf-8"))


@dataclass
class Outcome:
    """What one metric is worth on one data set: rank correlations with both probes, and what its choice reaches."""

    rho_5: float
    rho_25: float
    below_best: float
    above_random: float
    above_default: float


def outcomes(results):
    """Metric -> Outcome, of the results on one data set."""
    probes = np.array([result["probes"] for result in results])  # (configurations, counts)
    found = {}
    for name in results[0]["scores"]:
        scores = np.array([result["scores"][name] for result in results])
        rho = [spearmanr(scores, probes[:, i]).statistic if np.ptp(scores) > 0 else 0.0 for i in range(len(COUNTS))]
        few = probes[:, 0]
        picked = few[scores.argmax()]
        found[name] = Outcome(*rho, few.max() - picked, picked - few.mean(), picked - few[0])
    return found


def print_metrics(found, roles):
    """A row for each metric, the best mean rank correlation first."""
    columns = ["metric", "5 labels, tune", "5 labels, report", "5 labels", "25 labels", "lowest", "above 0"]
    columns += ["below best", "above random", "above default"]
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|")
    metrics = next(iter(found.values()))
    rhos = {metric: np.array([of[metric].rho_5 for of in found.values()]) for metric in metrics}
    for metric in sorted(metrics, key=lambda metric: -rhos[metric].mean()):
        of, rho = [found[name][metric] for name in found], rhos[metric]
        parts = [rho[[roles[name] == role for name in found]] for role in ("tune", "report")]
        cells = [f"{part.mean():+.2f}" if len(part) else "" for part in parts]
        cells.append(f"{rho.mean():+.2f} ± {rho.std():.2f}")
        cells.append(f"{np.mean([o.rho_25 for o in of]):+.2f}")
        cells.append(f"{rho.min():+.2f}")
        cells.append(f"{(rho > 0).sum()} of {len(rho)}")
        for key in ("below_best", "above_random", "above_default"):
            cells.append(f"{np.mean([getattr(o, key) for o in of]):.1f}")
        print(f"| {metric} | {' | '.join(cells)} |")


def print_data_sets(found, results, roles, metric):
    """Print a row for each data set, for one metric."""
    print("\n| data | role | worst | default | best | picked | 5 labels | 25 labels |\n" + "|---" * 8 + "|")
    for name, of in found.items():
        few = np.array([result["probes"][0] for result in results[name]])
        picked = few.max() - of[metric].below_best
        cells = [f"{value:.1f}" for value in (few.min(), few[0], few.max(), picked)]
        print(f"| {name} | {roles[name]} | {' | '.join(cells)} | {of[metric].rho_5:+.2f} | {of[metric].rho_25:+.2f} |")


def study(options, name):
    """Judge all configurations on one data set."""
    rows = load(options.data, name)
    return [
        judge(options.cache, name, rows, number, configuration, options.seed, options.epochs)
        for number, configuration in enumerate(configurations()[: options.configurations])
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _data.add_arguments(parser)
    parser.add_argument("--cache", type=Path, required=True, help="directory that keeps the results")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="epochs of every fit (default: as configured)")
    parser.add_argument("--configurations", type=int, help="number of configurations to use, from the first")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    roles = {name: entry["role"] for name, entry in _data.manifest(options.data).items()}
    roles[IMAGES] = "images"
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}; seed {options.seed}\n")
    names = options.tables or list(roles)
    found = joblib.Parallel(n_jobs=options.jobs)(joblib.delayed(study)(options, name) for name in names)
    results = {name: [result for result in of if result] for name, of in zip(names, found, strict=True)}
    found = {name: outcomes(of) for name, of in results.items()}
    print_metrics(found, roles)
    print_data_sets(found, results, roles, "cluster_agreement")


if __name__ == "__main__":
    main()

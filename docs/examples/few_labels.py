"""
Many rows, few labels
=====================

Of scikit-learn's handwritten digits (:func:`sklearn.datasets.load_digits`), only 1, 5 or 20 per class have a label.
How accurate is the same linear classifier on the raw pixels, on PCA, and on the output of
:class:`~sklearn_twins.BarlowTwinsEmbedder`, untrained and trained on all rows without labels?

The script also runs a grid search over the parts of the embedder and draws a figure. It takes a minute or two on two
cores::

    pip install ".[examples]"  # in a checkout
    python docs/examples/few_labels.py [--quick] [--output few_labels.png]
"""

import argparse
import time

import joblib
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import MarginalCorruption, make_views
from sklearn_twins.objectives import cross_correlation

DRAWS = 5  # draws of the labelled rows per seed
METHODS = {  # colour (Okabe and Ito's palette, safe for colour-blind readers) and marker
    "raw pixels": ("#000000", "s"),
    "PCA": ("#E69F00", "D"),
    "random encoder": ("#56B4E9", "^"),
    "embedding": ("#D55E00", "o"),
}
TERMS = {"loss": ("#000000", "-"), "invariance": ("#0072B2", "--"), "redundancy": ("#CC79A7", "-.")}
START = time.perf_counter()


def say(text):
    """Print a line, with the seconds since the start."""
    print(f"[{time.perf_counter() - START:5.1f} s] {text}", flush=True)


def split(seed):
    """Split into training rows and a held-out quarter."""
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)


def rescale(train, test):
    """Centre the columns and scale all of them by one constant. The embedder's output needs no scaling.

    Standardising each column, as StandardScaler does, costs raw pixels and PCA up to 0.2 of accuracy.
    """
    center, scale = train.mean(axis=0), np.sqrt(train.var(axis=0).mean())
    return (train - center) / scale, (test - center) / scale


class CorrelationOfViews(Callback):
    """Store the cross-correlation of the projections of two views, before and after training."""

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if len(net.history) == 1:
            self.rows = dataset_train
            self.before = self.measure(net)

    def on_train_end(self, net, **kwargs):
        self.after = self.measure(net)
        del self.rows

    def measure(self, net):
        x_a, x_b = make_views(MarginalCorruption(), self.rows, self.rows, torch.Generator().manual_seed(0))
        with torch.no_grad():
            return cross_correlation(net.module_.eval()(x_a), net.module_(x_b), eps=1e-12).numpy()


def compare(seed, label_counts, **parameters):
    """Compare the methods for one seed: a new split, new labelled rows and new initial weights.

    The embedder sees no test row and no label. Returns the accuracies, a list for each (method, labels per class), and
    the embedder.
    """
    X_train, X_test, y_train, y_test = split(seed)
    trained = BarlowTwinsEmbedder(callbacks=[CorrelationOfViews()], random_state=seed, **parameters).fit(X_train)
    # At this learning rate no float32 weight changes. The epochs only fit the statistics of the batch norms.
    untrained = BarlowTwinsEmbedder(learning_rate=1e-12, weight_decay=0, max_epochs=10, random_state=seed).fit(X_train)
    pca = PCA(n_components=0.95).fit(X_train)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(y_train)) for _ in range(DRAWS)]
    scores = {}
    for name, method in zip(METHODS, [None, pca, untrained, trained], strict=True):
        train, test = (X_train, X_test) if method is None else (method.transform(X_train), method.transform(X_test))
        if method in (None, pca):
            train, test = rescale(train, test)
        for count in label_counts:
            scores[name, count] = []
            for order in orders:
                labelled = np.concatenate([order[y_train[order] == digit][:count] for digit in range(10)])
                classifier = LogisticRegression(max_iter=1000).fit(train[labelled], y_train[labelled])
                scores[name, count].append(classifier.score(test, y_test))
    return scores, trained


def print_table(scores, label_counts):
    """Print mean and standard deviation over the runs, and of the difference run by run."""
    rows = {name: [scores[name, count] for count in label_counts] for name in METHODS}
    rows["embedding - raw"] = [scores["embedding", n] - scores["raw pixels", n] for n in label_counts]
    print(f"\n  {'labels per class':16}" + "".join(f"{count:>16}" for count in label_counts))
    for name, cells in rows.items():
        print(f"  {name:16}" + "".join(f"{c.mean():>8.3f} ± {c.std(ddof=1):.3f}" for c in cells))
    print()


def search(max_epochs):
    """Search over the objective, its weight and the views, with all labels of the training rows."""
    X_train, X_test, y_train, y_test = split(0)
    embedder = BarlowTwinsEmbedder(max_epochs=max_epochs, random_state=0)
    pipeline = make_pipeline(embedder, LogisticRegression(max_iter=1000))
    prefix = "barlowtwinsembedder__"
    grid = {
        "objective": ["barlow_twins", "hsic"],
        "objective__off_diagonal_weight": [0.004, 0.04],
        "augmentation__corruption_rate": [0.2, 0.4],
    }
    found = GridSearchCV(pipeline, {prefix + name: values for name, values in grid.items()}, cv=3, n_jobs=2)
    results = found.fit(X_train, y_train).cv_results_
    widths = {name: max(len(name), 12) for name in grid}
    print("\n  " + "  ".join(f"{name:{width}}" for name, width in widths.items()) + "  accuracy")
    for i in np.argsort(results["rank_test_score"]):
        cells = [f"{results['params'][i][prefix + name]!s:{width}}" for name, width in widths.items()]
        print("  " + "  ".join(cells) + f"  {results['mean_test_score'][i]:.3f} ± {results['std_test_score'][i]:.3f}")
    print("\n  best: " + ", ".join(f"{name}={found.best_params_[prefix + name]}" for name in grid))
    print(f"  accuracy of the best on the held-out quarter: {found.score(X_test, y_test):.3f}\n")


def draw(path, scores, label_counts, trained):
    """Draw the accuracies, the training curve, and the correlation of two views before and after training."""
    figure = plt.figure(figsize=(9, 8), dpi=100, layout="constrained")
    top, bottom = figure.subfigures(2, 1, hspace=0.04)
    left, right = top.subplots(1, 2, width_ratios=[1.25, 1])
    draw_scores(left, scores, label_counts)
    for name, (colour, style) in TERMS.items():
        right.plot(trained.history_["epoch"], trained.history_[name], style, color=colour, label=name, linewidth=2)
    right.set(title="Training curve of one fit", xlabel="epoch", ylabel="mean over the batches", ylim=(0, None))
    right.grid(alpha=0.3)
    right.legend()
    axes = bottom.subplots(1, 2)
    views = trained.callbacks[0]
    for axis, title, C in zip(axes, ["Before training", "After training"], [views.before, views.after], strict=True):
        off = np.abs(C[~np.eye(len(C), dtype=bool)]).mean()
        image = axis.imshow(C[:64, :64], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        axis.set_title(
            f"{title}\nmean diagonal {C.diagonal().mean():.2f}, mean |off-diagonal| {off:.2f}", fontsize="medium"
        )
        axis.set(xlabel="coordinate of view b", ylabel="coordinate of view a")
    bottom.colorbar(image, ax=axes, label="correlation over all rows", shrink=0.9)
    bottom.suptitle(
        f"Cross-correlation of the projections of two corrupted views (first 64 of {len(C)} coordinates):\n"
        "the objective drives it to the identity matrix."
    )
    figure.savefig(path)


def draw_scores(axis, scores, label_counts):
    """Draw each run as a small dot, and the mean as a large one with a bar of one standard deviation."""
    for m, (name, (colour, marker)) in enumerate(METHODS.items()):
        for g, count in enumerate(label_counts):
            values, x = scores[name, count], g + (m - 1.5) * 0.2
            style = {"color": colour, "label": name if g == 0 else None}
            axis.errorbar(x, values.mean(), values.std(ddof=1), fmt=marker, markersize=8, capsize=4, **style)
            axis.plot(np.full(len(values), x + 0.07), values, "o", markersize=3, color=colour, alpha=0.4)
    for g in range(1, len(label_counts)):
        axis.axvline(g - 0.5, color="0.85", linewidth=1)
    axis.set_xticks(range(len(label_counts)), label_counts)
    title = f"Digits: accuracy on the held-out quarter, {len(values)} runs"
    axis.set(title=title, xlabel="labelled rows per class", ylabel="accuracy: mean, standard deviation, runs")
    axis.grid(axis="y", alpha=0.3)
    axis.legend(loc="lower right", title="logistic regression on")


def main():
    parser = argparse.ArgumentParser(description="Few-label accuracy on digits, a grid search and a figure.")
    parser.add_argument("--quick", action="store_true", help="fewer seeds and epochs, to check that it runs")
    parser.add_argument("--output", default="few_labels.png", help="file of the figure")
    options = parser.parse_args()
    n_seeds, label_counts, parameters = (2, (1, 5), {"max_epochs": 5}) if options.quick else (5, (1, 5, 20), {})

    say(f"{n_seeds} seeds, two at a time; each with its own split, embedder and {DRAWS} draws of labelled rows")
    jobs = (joblib.delayed(compare)(seed, label_counts, **parameters) for seed in range(n_seeds))
    runs = []
    for run in joblib.Parallel(n_jobs=2, return_as="generator")(jobs):
        runs.append(run)
        say(f"seed {len(runs) - 1}: {run[1].n_iter_} epochs in {run[1].history_['seconds'].sum():.1f} s")
    scores = {key: np.concatenate([run[0][key] for run in runs]) for key in runs[0][0]}
    print_table(scores, label_counts)

    say("grid search: 8 settings x 3 folds, few epochs each")
    search(2 if options.quick else 10)
    draw(options.output, scores, label_counts, runs[0][1])
    say(f"done; figure: {options.output}")


if __name__ == "__main__":
    main()

"""
A search without labels
=======================

A search that is given no ``scoring`` and no ``y`` uses the embedder's own
:meth:`~sklearn_twins.BarlowTwinsEmbedder.score`: how well clusters of the embedding outlast a random change of the
rows. Does it find what labels would have found?
"""

# %%
# One search, two judges
# ----------------------
#
# The score is a scorer, ``get_scorer("cluster_agreement")``, so that it can stand beside others in a search. Here the
# second one has labels: the accuracy of logistic regression on 5 labelled rows a class. The search chooses by the
# first (``refit``); what the second says is only looked at afterwards. Left to itself it would be
# ``RandomizedSearchCV(embedder, settings).fit(X)``.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, ShuffleSplit, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.metrics import get_scorer

CANDIDATES = 16
EPOCHS = [2, 5, 15]

warnings.simplefilter("ignore", CollapseWarning)  # some settings are bad on purpose
settings = {
    "objective": ["barlow_twins", "hsic"],
    "objective__off_diagonal_weight": [1e-3, 1e-2, 1e-1],
    "augmentation__corruption_rate": [0.02, 0.1, 0.3, 0.6, 0.9],
    "n_components": [8, 32, 128],
    "learning_rate": [5e-4, 2e-3, 5e-3, 2e-2],
    "max_epochs": EPOCHS,
}


def few_label_accuracy(embedder, X, y):
    """A scorer that needs labels: the mean over ten draws of 5 labelled rows a class."""
    Z, scores = embedder.transform(X), []
    draws = StratifiedShuffleSplit(10, train_size=5 * len(np.unique(y)), random_state=0)
    for rows, rest in draws.split(Z, y):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        scores.append(classifier.fit(Z[rows], y[rows]).score(Z[rest], y[rest]))
    return np.mean(scores)


def search(X, y):
    """A search in one half of the rows, which scores on the other."""
    return RandomizedSearchCV(
        BarlowTwinsEmbedder(random_state=0),
        settings,
        n_iter=CANDIDATES,
        scoring={"without": get_scorer("cluster_agreement"), "with": few_label_accuracy},
        refit="without",
        cv=ShuffleSplit(1, test_size=0.5, random_state=0),
        random_state=0,
    ).fit(X, y)


# %%
# Two tables
# ----------
#
# Sixteen settings drawn at random, some of them bad on purpose. Each is a point.

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
tables = {"digits": load_digits, "breast cancer": load_breast_cancer}
for ax, (name, load) in zip(axes, tables.items(), strict=True):
    found = search(*load(return_X_y=True))
    score, accuracy = (found.cv_results_[f"mean_test_{judge}"] for judge in ["without", "with"])
    picked = found.best_index_
    ax.plot(score, accuracy, "o", color="#0072B2", label="candidates")
    ax.plot(score[picked], accuracy[picked], "*", color="#D55E00", ms=15, label="picked without labels")
    ax.set_title(f"{name}\nrank correlation {spearmanr(score, accuracy).statistic:+.2f}")
    ax.set_xlabel("score, without labels")
    ax.grid(alpha=0.3)
    print(f"{name}: picked {accuracy[picked]:.2f} of", *(f"{a:.2f}" for a in np.sort(accuracy)))
axes[0].set_ylabel("accuracy, 5 labels a class")
axes[0].legend()

# %%
# Here the score goes along with what labels say: on digits it picks the best candidate, on breast cancer one a little
# above the middle, far from the bad ones. Do not expect that much of it everywhere: over 20 tables the rank
# correlation is 0.4 in the mean, and what the score picks is better than a random setting but no better than the
# default (:doc:`/benchmarks/label_free_selection`). So use it to stay away from bad settings; with even a few labels,
# use them (:doc:`unlabeled`).

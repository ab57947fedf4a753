"""
Using unlabelled rows
=====================

A search that scores accuracy needs labels, but unlabelled rows still help. Pass them to the embedder as the fit
parameter ``unlabeled``: they join the labelled rows of each fold.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# In a grid search
# ----------------
#
# Only fifty of 1,347 handwritten digits have a label. Prefix the parameters and ``unlabeled`` with the name of the
# pipeline step.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_twins import BarlowTwinsEmbedder

EPOCHS = 80
SEARCH_EPOCHS = 10  # to save time

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
X_rest, X_labelled, _, y_labelled = train_test_split(X_train, y_train, test_size=50, stratify=y_train, random_state=0)

pipeline = make_pipeline(
    BarlowTwinsEmbedder(max_epochs=SEARCH_EPOCHS, random_state=0),
    LogisticRegression(max_iter=1000),
)
grid = {"barlowtwinsembedder__augmentation__corruption_rate": [0.1, 0.3]}
search = GridSearchCV(pipeline, grid, cv=2)
search.fit(X_labelled, y_labelled, barlowtwinsembedder__unlabeled=X_rest)
print(search.best_params_)
print(f"accuracy on {len(y_test)} held-out rows: {search.score(X_test, y_test):.3f}")

# %%
# How much do they help?
# ----------------------
#
# We fit one classifier on three kinds of features: raw pixels (scaled by one constant, which works best for them), an
# embedding trained on the labelled rows, and an embedding trained on all rows. The last does not depend on the
# labels, so it is trained once and frozen.

COUNTS = (20, 50, 100, 200)
DRAWS = 2  # draws of the labelled rows


def rescale(X):
    """Scale pixels by one constant, to a mean variance of 1 over the columns."""
    return X / np.sqrt(X_train.var(axis=0).mean())


classifier = LogisticRegression(max_iter=1000)
embedder = BarlowTwinsEmbedder(max_epochs=EPOCHS, random_state=0)
pretrained = clone(embedder).fit(X_train)
pipelines = {
    "raw pixels": make_pipeline(FunctionTransformer(rescale), classifier),
    "embedding of the labelled rows": make_pipeline(embedder, classifier),
    "embedding of all rows": make_pipeline(FrozenEstimator(pretrained), classifier),
}
accuracy = {name: np.zeros((DRAWS, len(COUNTS))) for name in pipelines}
for draw in range(DRAWS):
    for i, count in enumerate(COUNTS):
        rows, _ = train_test_split(np.arange(len(X_train)), train_size=count, stratify=y_train, random_state=draw)
        for name, pipeline in pipelines.items():
            fitted = pipeline.fit(X_train[rows], y_train[rows])
            accuracy[name][draw, i] = fitted.score(X_test, y_test)

styles = {"raw pixels": ("#808080", "s"), "embedding of the labelled rows": ("#0072B2", "^")}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, values in accuracy.items():
    color, marker = styles.get(name, ("#D55E00", "o"))
    ax.plot(COUNTS, values.mean(0), marker=marker, color=color, label=name)
    ax.plot(COUNTS, values.T, "_", color=color, alpha=0.6)
ax.set_xscale("log")
ax.set_xticks(COUNTS, COUNTS)
ax.minorticks_off()
ax.set(xlabel="labelled rows", ylabel="accuracy on held-out rows")
ax.set_title(f"Handwritten digits: mean and {DRAWS} draws of labelled rows")
ax.grid(alpha=0.3)
ax.legend(loc="lower right")
for name, values in accuracy.items():
    print(f"{name:32}", *(f"{mean:.3f}" for mean in values.mean(0)))

# %%
# The labelled rows alone are too few to learn an embedding: it is no better than raw pixels (not with 200 epochs
# either). With the unlabelled rows, it saves about half of the labels here. The gain shrinks with more labels. Digits
# are also a favourable table, because the defaults were tuned on them (:doc:`/benchmarks/quality` has others).

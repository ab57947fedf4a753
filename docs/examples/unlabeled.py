"""
Few labels, and rows without
============================

A search needs labels. Rows without one can help all the same: they go to the embedder as the fit parameter
``unlabeled``, and there join the labelled rows of each fold.
"""

# %%
# In a grid search
# ----------------
#
# Of 1,347 handwritten digits fifty have a label. The search reaches into the pipeline, by the name of the step, for
# parameters and for the rows.

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
SEARCH_EPOCHS = 10  # to be quick

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
print(f"accuracy on {len(y_test)} other rows: {search.score(X_test, y_test):.3f}")

# %%
# How much do they bring?
# -----------------------
#
# One classifier, three kinds of columns: raw pixels (all divided by one number, which serves them best), an embedding
# of the labelled rows, and one of all rows. The last is the same however many have a label, so that it is learnt
# once, and frozen.

COUNTS = (20, 50, 100, 200)
DRAWS = 2  # of the labelled rows


def rescaled(X):
    """Pixels, which go from 0 to 16, of variance 1 in the mean over the columns."""
    return X / np.sqrt(X_train.var(axis=0).mean())


classifier = LogisticRegression(max_iter=1000)
embedder = BarlowTwinsEmbedder(max_epochs=EPOCHS, random_state=0)
learnt = clone(embedder).fit(X_train)
pipelines = {
    "raw pixels": make_pipeline(FunctionTransformer(rescaled), classifier),
    "embedding of the labelled rows": make_pipeline(embedder, classifier),
    "embedding of all rows": make_pipeline(FrozenEstimator(learnt), classifier),
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
# Labelled rows alone are too few to learn an embedding from: it is no better than raw pixels (nor with 200 epochs).
# With the others it saves about half of the labels here. The more labels there are, the less is to be gained; and
# digits, on which the defaults were tuned, are a friendly table (:doc:`/benchmarks/quality` has others).

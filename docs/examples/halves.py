"""
Finding the other half
======================

Two descriptions of the same things can be matched without a label. Here the upper half of a handwritten digit is one
description and the lower half the other. :class:`~sklearn_twins.MultiViewEmbedder` learns what they have in common, so
that a half finds halves that fit.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Two views of one table
# ----------------------
#
# The first 32 columns are the upper four rows of pixels, the others the lower four rows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cross_decomposition import CCA
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder

EPOCHS = 150

X, y = load_digits(return_X_y=True)
train, test = X[:1297], X[1297:]
views = [("top", BarlowTwinsEmbedder(), slice(0, 32)), ("bottom", BarlowTwinsEmbedder(), slice(32, 64))]
embedder = MultiViewEmbedder(views, max_epochs=EPOCHS, random_state=0).fit(train)

# %%
# How often is the other half found?
# ----------------------------------
#
# ``project`` takes a half to the space that both views share. Among 500 digits that were not trained on, we look for
# the lower half that is closest to each upper half, and compare with linear canonical correlation analysis. The right
# half itself is hard to find, because many digits look alike; a half of the same digit is easier.


def nearest(A, B):
    """For each row of A, the row of B with the largest cosine."""
    unit = [Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (A, B)]
    return (unit[0] @ unit[1].T).argmax(axis=1)


top, bottom = PCA(20).fit(train[:, :32]), PCA(20).fit(train[:, 32:])
linear = CCA(10, max_iter=2000).fit(top.transform(train[:, :32]), bottom.transform(train[:, 32:]))
found = {
    "two views": nearest(embedder.project(test, "top"), embedder.project(test, "bottom")),
    "linear CCA": nearest(*linear.transform(top.transform(test[:, :32]), bottom.transform(test[:, 32:]))),
}
digits = y[1297:]
for name, rows in found.items():
    itself, same = (rows == np.arange(len(test))).mean(), (digits[rows] == digits).mean()
    print(f"{name:12} the half itself {itself:.3f}, a half of the same digit {same:.3f}")

# %%
# What fits?
# ----------
#
# Upper halves, each above its own lower half and above the lower halves that fit best.

A, B = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (embedder.project(test, v) for v in ("top", "bottom")))
best = (A @ B.T).argsort(axis=1)[:, ::-1]
shown = [np.flatnonzero(digits == digit)[0] for digit in range(10)]
figure, axes = plt.subplots(4, 10, figsize=(7, 3.2), layout="constrained")
for column, row in enumerate(shown):
    for line, other in enumerate([row, *best[row, :3]]):
        picture = np.vstack([test[row, :32].reshape(4, 8), test[other, 32:].reshape(4, 8)])
        axes[line, column].imshow(picture, cmap="gray_r")
        axes[line, column].set(xticks=[], yticks=[])
        axes[line, column].axhline(3.5, color="#D55E00", linewidth=0.8)
for line, name in enumerate(["own half", "best", "2nd", "3rd"]):
    axes[line, 0].set_ylabel(name)
figure.suptitle("Upper halves of digits and the lower halves that fit")

# %%
# The embedding never saw a label. ``score`` needs none either: it is the share of other halves that are farther away
# than a row's own other half, 0.5 by chance.

print(f"score on digits that were not trained on: {embedder.score(test):.3f}")

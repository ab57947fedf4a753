"""
Two descriptions of one thing: train with both, use one
=======================================================

Some measurements are cheap, others tell more but are not always there. If a few thousand things have both, what the
expensive one knows can be learnt without labels and used with the cheap one alone. Here the expensive description of
a handwritten digit is its picture, and the cheap one its two shadows: the sums of its rows and of its columns.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# One table, two sets of columns
# ------------------------------
#
# Each row of the table is a digit. 64 columns hold its pixels, 16 its shadows.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder

EPOCHS = 80
COUNTS = (1, 2, 5, 10, 20)
DRAWS = 10
PICTURE, SHADOWS, GREY = "#0072B2", "#D55E00", "#666666"

digits = load_digits()
pictures, y = digits.images, digits.target
X = pd.DataFrame(
    np.hstack([pictures.reshape(len(pictures), 64), pictures.sum(axis=2), pictures.sum(axis=1)]),
    columns=[f"pixel{i}" for i in range(64)] + [f"shadow{i}" for i in range(16)],
)
X_train, X_test, y_train, y_test = X[:1297], X[1297:], y[:1297], y[1297:]

plt.rc("font", size=9)
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8), width_ratios=[1, 2.4], layout="constrained")
shown = 8
left.imshow(pictures[shown], cmap="gray_r")
left.barh(range(8), pictures[shown].sum(axis=1) / 25, left=8, color=SHADOWS)
left.bar(range(8), -pictures[shown].sum(axis=0) / 25, bottom=-1, color=SHADOWS)
left.set(xlim=(-0.6, 12), ylim=(7.6, -5.5), aspect="equal", title="one digit")
left.axis("off")
right.imshow(X_train[:12] / X_train.max(), cmap="gray_r", aspect="auto")
for first, n, name, color in ((0, 64, "picture", PICTURE), (64, 16, "shadows", SHADOWS)):
    right.add_patch(
        plt.Rectangle((first - 0.5, -0.5), n, 12, fill=False, edgecolor=color, linewidth=2.5, clip_on=False)
    )
    right.text(first + n / 2, -1, f'view "{name}"', color=color, ha="center", weight="bold")
right.set(xticks=[0, 31, 63, 79], yticks=[], xlabel="columns", ylabel="rows: digits")

# %%
# Train with both
# ---------------
#
# Each view gets its columns as in scikit-learn's ``ColumnTransformer``. The two encoders learn what a picture and its
# shadows have in common. No label is used. For comparison, one embedder gets the shadows alone.

embedder = MultiViewEmbedder(
    [
        ("picture", BarlowTwinsEmbedder(), make_column_selector("pixel")),
        ("shadows", BarlowTwinsEmbedder(), make_column_selector("shadow")),
    ],
    max_epochs=EPOCHS,
    random_state=0,
).fit(X_train)
cheap = list(X.columns[64:])
alone = BarlowTwinsEmbedder(max_epochs=EPOCHS, random_state=0).fit(X_train[cheap])

# %%
# Use one
# -------
#
# From now on there are no pictures: ``transform`` gets the 16 columns of shadows and nothing else.

shadows = [
    ("shadows as they are", GREY, X_train[cheap].to_numpy(), X_test[cheap].to_numpy()),
    ("trained on shadows", PICTURE, alone.transform(X_train[cheap]), alone.transform(X_test[cheap])),
    (
        "trained on shadows and pictures",
        SHADOWS,
        embedder.transform(X_train[cheap], views=["shadows"]),
        embedder.transform(X_test[cheap], views=["shadows"]),
    ),
]


def accuracy(train, test, count):
    """Mean accuracy of logistic regression on `count` labels per class."""
    scores = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        rows = np.concatenate([rng.choice(np.flatnonzero(y_train == c), count, replace=False) for c in range(10)])
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        scores.append(classifier.fit(train[rows], y_train[rows]).score(test, y_test))
    return np.mean(scores)


figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, color, train, test in shadows:
    scores = [accuracy(train, test, count) for count in COUNTS]
    print(f"{name:32}", "  ".join(f"{score:.1%}" for score in scores))
    ax.plot(COUNTS, scores, "o-", color=color, label=name)
ax.set(xscale="log", xticks=COUNTS, xlabel="labels per class", ylabel="accuracy on shadows of other digits")
ax.set_xticks(COUNTS, COUNTS)
ax.set_xticks([], minor=True)
ax.yaxis.set_major_formatter("{x:.0%}")
ax.legend(frameon=False)

# %%
# The more labels there are, the less it matters how the features were learnt.
#
# What do these shadows belong to?
# --------------------------------
#
# ``project`` takes both views to a space that they share. There we look, for the shadows of a digit that was not
# trained on, for the five pictures among the training rows that fit best, and take their mean. The first line shows
# all that the shadows say without training: the sum of a row times the sum of a column.


def unit(Z):
    """Rows of length 1."""
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


shown = [np.flatnonzero(y_test == digit)[1] for digit in range(10)]
similar = unit(embedder.project(X_test[cheap], "shadows")) @ unit(embedder.project(X_train, "picture")).T
best = similar[shown].argsort(axis=1)[:, -5:]
rows, columns = np.split(X_test[cheap].to_numpy()[shown], 2, axis=1)
lines = {
    "shadows": rows[:, :, None] * columns[:, None, :],
    "found": pictures[:1297][best].mean(axis=1),
    "itself": pictures[1297:][shown],
}
figure, axes = plt.subplots(3, 10, figsize=(7, 2.4), layout="constrained")
for line, (name, images) in zip(axes, lines.items(), strict=True):
    line[0].set_ylabel(name)
    for ax, image in zip(line, images, strict=True):
        ax.imshow(image, cmap="gray_r")
        ax.set(xticks=[], yticks=[])

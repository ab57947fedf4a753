"""
Which labels first?
===================

Labels cost time, so ask for the useful ones first. :func:`~sklearn_twins.active_learning.suggest_labels` says which
rows these are. This page labels handwritten digits in rounds, compares the suggested rows with random ones, and shows
what was asked for.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Label in rounds
# ---------------
#
# The embedder learns from all rows, without labels, and is trained once. Each round asks for some rows, gets their
# labels (here, they are known already), and fits logistic regression on the embedding of all rows with a label. -1
# marks the others. This is done for five pools of 1,000 digits each, to see how much chance matters.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.active_learning import suggest_labels

EPOCHS = 80
COUNTS = (10, 20, 50, 100, 200)
DRAWS = 5
ITERATIONS = 500

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
embedder = BarlowTwinsEmbedder(max_epochs=EPOCHS, random_state=0).fit(X_train)
Z_test = embedder.transform(X_test)
pools = [np.random.default_rng(draw).permutation(len(X_train))[:1_000] for draw in range(DRAWS)]


def label_in_rounds(rows, strategy, seed):
    """The rows asked for, in their order, and the accuracy after each round."""
    pool, answers, Z = X_train[rows], y_train[rows], embedder.transform(X_train[rows])
    known = np.full(len(rows), -1)
    asked, scores = [], []
    for count in COUNTS:
        new = suggest_labels(embedder, pool, known, count - len(asked), strategy, random_state=seed)
        known[new] = answers[new]  # someone labels these rows
        asked.extend(new)
        model = LogisticRegression(max_iter=1000).fit(Z[asked], known[asked])
        scores.append(model.score(Z_test, y_test))
    return np.array(asked), scores


results = {
    strategy: [label_in_rounds(rows, strategy, draw) for draw, rows in enumerate(pools)]
    for strategy in ("random", "auto")
}

# %%
# Suggested rows against random ones
# ----------------------------------
#
# The lines are means over the five pools, the bands one standard deviation to either side.

plt.rc("font", size=9)
styles = {"random": ("rows drawn at random", "#666666", (8, -16)), "auto": ("suggested rows", "#D55E00", (-48, 22))}
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for strategy, found in results.items():
    name, color, offset = styles[strategy]
    scores = np.array([scores for _, scores in found])
    mean, spread = scores.mean(axis=0), scores.std(axis=0)
    n_digits = [len(set(y_train[rows[asked[:10]]])) for rows, (asked, _) in zip(pools, found, strict=True)]
    print(f"{name:21}", *(f"{m:.3f} ± {s:.3f}  " for m, s in zip(mean, spread, strict=True)))
    print(f"{'':21} different digits among the first ten: {np.mean(n_digits):.1f}")
    ax.plot(COUNTS, mean, "o-", color=color)
    ax.fill_between(COUNTS, mean - spread, mean + spread, color=color, alpha=0.2, linewidth=0)
    ax.annotate(name, (COUNTS[1], mean[1]), offset, textcoords="offset points", color=color, weight="bold")
ax.set(xscale="log", xlabel="labels", ylabel="accuracy on held-out digits")
ax.set_xticks(COUNTS, COUNTS)
ax.set_xticks([], minor=True)
ax.yaxis.set_major_formatter("{x:.0%}")
ax.grid(alpha=0.3)

# %%
# What was asked for
# ------------------
#
# The dots are the digits of the first pool on a t-SNE map of the embedding, in the colour of their class, which nobody
# knows at first. The first ten rows suggested come from the middle of groups: each is like many others. With five
# labels for each class, ``"auto"`` turns to digits on which logistic regression is in doubt and that differ from each
# other (black rings): many are at the border of their group or in the wrong one. Below each on the right are the two
# digits that it might be.

rows, (asked, _) = pools[0], results["auto"][0]
images, digits, Z = X_train[rows].reshape(-1, 8, 8), y_train[rows], embedder.transform(X_train[rows])
points = TSNE(max_iter=ITERATIONS, random_state=0).fit_transform(Z)
colors = plt.get_cmap("tab10")(digits)
first, doubtful = asked[:10], asked[50:62]
model = LogisticRegression(max_iter=1000).fit(Z[asked[:50]], digits[asked[:50]])
likely = np.sort(model.predict_proba(Z).argsort(axis=1)[:, -2:])  # the two most probable digits

# sphinx_gallery_thumbnail_number = 2
figure = plt.figure(figsize=(7, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.5, 1])
left.suptitle("the first ten: typical digits")
ax = left.subplots()
ax.set(xticks=[], yticks=[])
ax.scatter(*points.T, c=colors, s=6, alpha=0.5, linewidths=0)
ax.scatter(*points[doubtful].T, c=colors[doubtful], s=28, edgecolors="black")
for row in first:
    image = OffsetImage(images[row], cmap="gray_r", zoom=2.2)
    ax.add_artist(AnnotationBbox(image, points[row], pad=0.1, bboxprops={"edgecolor": colors[row], "lw": 2}))
right.suptitle("after 50 labels: digits in doubt")
for ax, row in zip(right.subplots(4, 3).flat, doubtful, strict=True):
    ax.imshow(images[row], cmap="gray_r")
    ax.set(xticks=[], yticks=[], xlabel="{} or {}".format(*likely[row]))
    ax.spines[:].set(color=colors[row], linewidth=2)

# %%
# Rows in doubt teach little while the classifier knows next to nothing, and typical rows teach little once it knows
# them: so the strategy has to change. The labels are no random sample of the rows. Measure accuracy on rows that were
# drawn at random, as here. :doc:`/active_learning` has more strategies, with figures.

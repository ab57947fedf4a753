"""
Ten labels
==========

:class:`~sklearn_twins.BarlowTwinsClassifier` learns from a few labels and all rows. This page gives it one label for
each of the ten digits, and draws its decisions next to those of logistic regression.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# One label for each digit
# ------------------------
#
# Rows without label have -1 in ``y``, as in :mod:`sklearn.semi_supervised`. The embedding does not depend on labels,
# so we train the embedder once; in a ``FrozenEstimator`` the classifier takes it as it is. The choice of the ten rows
# matters a lot, so we draw them several times.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder

EPOCHS = "auto"
DRAWS = 3
ITERATIONS = 500

X, y = load_digits(return_X_y=True)
X = X / np.sqrt(X.var(axis=0).mean())  # one constant for all pixels: the best scaling for the other two methods
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
embedder = BarlowTwinsEmbedder(max_epochs=EPOCHS, random_state=0).fit(X_train)
Z_train, Z_test = embedder.transform(X_train), embedder.transform(X_test)

rng = np.random.default_rng(0)
fits, labelled, shares = [], [], []  # for each draw: predictions by method; rows with a label; the head's share
for draw in range(DRAWS):
    rows = [rng.choice(np.flatnonzero(y_train == digit)) for digit in range(10)]
    y_few = np.full(len(y_train), -1)
    y_few[rows] = y_train[rows]
    linear = LogisticRegression(max_iter=1000)
    classifier = BarlowTwinsClassifier(FrozenEstimator(embedder), max_epochs=EPOCHS, random_state=draw)
    fits.append(
        {
            "logistic regression, pixels": linear.fit(X_train[rows], y_train[rows]).predict(X_test),
            "logistic regression, embedding": linear.fit(Z_train[rows], y_train[rows]).predict(Z_test),
            "BarlowTwinsClassifier": classifier.fit(X_train, y_few).predict(X_test),
            "LabelSpreading": LabelSpreading(kernel="knn", n_neighbors=20).fit(X_train, y_few).predict(X_test),
        }
    )
    labelled.append(rows)
    shares.append(classifier.head_share_)

accuracy = {name: [np.mean(fit[name] == y_test) for fit in fits] for name in fits[0]}
print(f"accuracy on {len(y_test)} held-out rows: mean and standard deviation of {DRAWS} draws, worst, best")
for name, values in accuracy.items():
    print(f"{name:31} {np.mean(values):.3f} ± {np.std(values):.3f} {min(values):.3f} {max(values):.3f}")

print("share of the head in the classifier's predictions, by draw:", shares)

# %%
# The embedding gives a linear model part of the gain. In the joint training, the head of the network learns the
# classes that three models agree on for most of the unlabelled rows, and the network changes with it. A head that
# disagrees with the linear model on too many rows is left out: its share is 0, and the classifier predicts as logistic
# regression on the embedding does. On tables whose classes are not clusters this prevents losses.
#
# Digits are clusters, and ``LabelSpreading`` over 20 nearest neighbours is even better here, in less time (over 7, its
# default, about five points worse). Where classes are not clusters, it loses by far (:doc:`/searching`).
#
# Decisions before and after
# --------------------------
#
# The dots are the held-out digits on a t-SNE map of the raw pixels, which saw no label; the ten circles are the digits
# that have one. A dot has the colour of the true digit. The ground has the colour of the prediction for the nearest
# dot, so that a dot on ground of another colour is an error. Of the draws, this is the one in which the classifier is
# neither worst nor best.

middle = np.argsort(accuracy["BarlowTwinsClassifier"])[DRAWS // 2]
shown = {"before": "logistic regression, pixels", "after": "BarlowTwinsClassifier"}
points = TSNE(max_iter=ITERATIONS, random_state=0).fit_transform(np.concatenate([X_test, X_train[labelled[middle]]]))
dots, circles = points[: len(X_test)], points[len(X_test) :]
low, high = points.min(axis=0) - 4, points.max(axis=0) + 4
ground = np.stack(np.meshgrid(*np.linspace(low, high, 400).T), axis=-1)  # (400, 400, 2)
distance, nearest = (
    found[:, 0] for found in NearestNeighbors(n_neighbors=1).fit(dots).kneighbors(ground.reshape(-1, 2))
)
colors = plt.get_cmap("tab10")
plt.rc("font", size=9)
figure, axes = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
for ax, (when, name) in zip(axes, shown.items(), strict=True):
    surface = colors(fits[middle][name][nearest])
    surface[:, 3] = 0.3 * (distance < 3)  # faint, and only around dots
    ax.imshow(surface.reshape(400, 400, 4), origin="lower", extent=(low[0], high[0], low[1], high[1]), aspect="auto")
    ax.scatter(*dots.T, c=colors(y_test), s=6)
    ax.scatter(*circles.T, s=110, c="white", edgecolors=colors(range(10)), linewidths=2, zorder=3)
    for digit, place in enumerate(circles):
        ax.text(*place, str(digit), ha="center", va="center_baseline", size=8, zorder=4)
    ax.set(xticks=[], yticks=[], title=f"{when}: {name}, {accuracy[name][middle]:.0%} right")

# %%
# Logistic regression on the pixels makes errors in most clusters; the classifier gives more of them one colour. The
# errors that remain are often whole groups: digits of one shape that do not look like the one with a label are all
# taken for another digit, and a single label per class cannot show that. With three labels for each digit, more than
# a third of the errors go away.

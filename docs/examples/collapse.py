"""
What a collapse looks like
==========================

An embedding has *collapsed* when it says the same of every row, or the same thing in all of its coordinates. The loss
may look splendid then: that views agree is easy if everything agrees. Here are a healthy fit and three that are not,
what :mod:`sklearn_twins.displays` shows of them, and what :meth:`~sklearn_twins.BarlowTwinsEmbedder.diagnose` says.
"""

# %%
# Four fits
# ---------
#
# The first has the defaults. The second is asked that views agree and for nothing else: the off-diagonal weight is 0,
# and no projector stands between the objective and the embedding. The third is shown two views that are the same, so
# that its task is solved before it begins. The fourth has a learning rate 600 times the default.
#
# A fit that ends badly says so by a :class:`~sklearn_twins.CollapseWarning`. Here it is put aside, since ``diagnose``
# follows.

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.displays import SpectrumDisplay, TrainingCurveDisplay
from sklearn_twins.objectives import BarlowTwins

EPOCHS = 40

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)

fits = {
    "healthy": {},
    "agreement alone": {"objective": BarlowTwins(off_diagonal_weight=0), "projector": "identity"},
    "identical views": {"augmentation": "identity"},
    "learning rate of 3": {"learning_rate": 3.0},
}
embedders = {}
for name, parameters in fits.items():
    embedder = BarlowTwinsEmbedder(passthrough=False, max_epochs=EPOCHS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        embedders[name] = embedder.set_params(**parameters).fit(X_train)

# %%
# Curves
# ------
#
# Mind the scales. The losses of the two that were given an easy task are the lowest: a low loss is no praise. The
# second has no redundancy term, the third no invariance term to speak of. The fourth looks much like the healthy one.

plt.rc("legend", fontsize="small")
figure, axes = plt.subplots(2, 2, figsize=(7, 6), layout="constrained")
for (name, embedder), ax in zip(embedders.items(), axes.flat, strict=True):
    TrainingCurveDisplay.from_estimator(embedder, ax=ax)
    ax.set_title(name)

# %%
# Spectra
# -------
#
# How many directions the embeddings of held-out rows use. Agreement alone uses the fewest, with half of its
# coordinates repeating another one. The fourth ends in a cliff: some of its coordinates are constant. But many
# directions are no praise, either: where views are identical, nothing says which directions matter, and the embedding
# spreads over as many as it can.

embeddings = {name: embedder.transform(X_test) for name, embedder in embedders.items()}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
SpectrumDisplay(embeddings).plot(ax=ax)

# %%
# Diagnoses
# ---------
#
# ``diagnose`` looks at a few hundred rows and at how they were learnt, and says what it finds, the likely cause and
# what helps. A fit that has gone wrong badly warns in the same words.

for name, embedder in embedders.items():
    print(f"{name}\n{embedder.diagnose(X_test)}\n")

# %%
# What it costs
# -------------
#
# Accuracy of logistic regression with a hundred labelled rows:

for name, embedder in embedders.items():
    Z_labelled, Z_test = embedder.transform(X_train[:100]), embedder.transform(X_test)
    classifier = LogisticRegression(max_iter=1000).fit(Z_labelled, y_train[:100])
    print(f"{name:20} {classifier.score(Z_test, y_test):.3f}")

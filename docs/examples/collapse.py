"""
What a collapse looks like
==========================

An embedding has *collapsed* when it says the same of every row, or the same thing in all of its coordinates. The loss may
look splendid then: that views agree is easy if everything agrees. Here are a healthy fit and two that are not, what
:mod:`sklearn_twins.displays` shows of them, and what :meth:`~sklearn_twins.BarlowTwinsEmbedder.diagnose` says.
"""

# %%
# Four fits
# ---------
#
# The first has the defaults. The objective of the second asks for agreement and nothing else: the squared distance of the
# two projections, which is least if they are constant. The third is shown two views that are the same, so that the task is
# solved before it begins. The fourth has a learning rate 600 times the default.
#
# A fit that ends badly says so by a :class:`~sklearn_twins.CollapseWarning`. Here it is put aside, since ``diagnose`` follows.

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins.displays import SpectrumDisplay, TrainingCurveDisplay

EPOCHS = 40

X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), test_size=0.5, random_state=0)


def distance(z_a, z_b):
    """Agreement alone, as an objective."""
    return (z_a - z_b).square().mean()


fits = {
    "healthy": {},
    "agreement alone": {"objective": distance},
    "identical views": {"augmentation": "identity"},
    "learning rate of 3": {"learning_rate": 3.0},
}
embedders = {}
for name, parameters in fits.items():
    embedder = BarlowTwinsEmbedder(passthrough=False, max_epochs=EPOCHS, random_state=0, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        embedders[name] = embedder.fit(X_train)

# %%
# Curves
# ------
#
# The loss of the collapsed fit is the best of all. That of the third begins where others end: its
# invariance term is zero from the first step on.

plt.rc("legend", fontsize="small")
figure, axes = plt.subplots(2, 2, figsize=(7, 6), layout="constrained")
for (name, embedder), ax in zip(embedders.items(), axes.flat, strict=True):
    TrainingCurveDisplay.from_estimator(embedder, ax=ax)
    ax.set_title(name)

# %%
# Spectra
# -------

embeddings = {name: embedder.transform(X_test) for name, embedder in embedders.items()}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
SpectrumDisplay(embeddings).plot(ax=ax)

# %%
# Diagnoses
# ---------

for name, embedder in embedders.items():
    print(f"{name}\n{embedder.diagnose(X_test)}\n")

# %%
# What it costs
# -------------

for name, embedder in embedders.items():
    classifier = LogisticRegression(max_iter=1000).fit(embedder.transform(X_train[:100]), y_train[:100])
    print(f"{name:20} {classifier.score(embedder.transform(X_test), y_test):.3f}")

"""
Recognising a collapse
======================

An embedding has *collapsed* when it is the same for every row, or when all its coordinates repeat each other. The
loss may still look excellent: views agree easily if everything agrees. This page compares a healthy fit with three
unhealthy ones, using :mod:`sklearn_twins.displays` and :meth:`~sklearn_twins.BarlowTwinsEmbedder.diagnose`.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Four fits
# ---------
#
# The first fit uses the defaults. The second only has to make views agree: the off-diagonal weight is 0, and there is
# no projector between the objective and the embedding. The third receives two identical views, so its task is solved
# from the start. The fourth has a learning rate of 600 times the default.
#
# A collapsed fit warns with a :class:`~sklearn_twins.CollapseWarning`. We silence it here: ``diagnose`` follows.

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
# Note the scales. The two fits with an easy task have the lowest losses: a low loss does not mean a good embedding.
# The second has no redundancy term, the third almost no invariance term. The fourth looks much like the healthy fit.

plt.rc("legend", fontsize="small")
figure, axes = plt.subplots(2, 2, figsize=(7, 6), layout="constrained")
for (name, embedder), ax in zip(embedders.items(), axes.flat, strict=True):
    TrainingCurveDisplay.from_estimator(embedder, ax=ax)
    ax.set_title(name)

# %%
# Spectra
# -------
#
# The spectrum shows how many directions the embeddings of held-out rows use. "Agreement alone" uses the fewest: half
# of its coordinates repeat another one. The fourth spectrum ends in a cliff: some coordinates are constant. But many
# directions do not mean a good embedding either: with identical views, nothing says which directions matter, and the
# embedding spreads over as many as it can.

embeddings = {name: embedder.transform(X_test) for name, embedder in embedders.items()}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
SpectrumDisplay(embeddings).plot(ax=ax)

# %%
# Diagnoses
# ---------
#
# ``diagnose`` checks a few hundred rows and the course of the fit. It reports what it finds, the likely cause and the
# remedy. A collapsed fit warns in the same words.

for name, embedder in embedders.items():
    print(f"{name}\n{embedder.diagnose(X_test)}\n")

# %%
# The cost in accuracy
# --------------------
#
# Accuracy of logistic regression with a hundred labelled rows:

for name, embedder in embedders.items():
    Z_labelled, Z_test = embedder.transform(X_train[:100]), embedder.transform(X_test)
    classifier = LogisticRegression(max_iter=1000).fit(Z_labelled, y_train[:100])
    print(f"{name:20} {classifier.score(Z_test, y_test):.3f}")

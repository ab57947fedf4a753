"""
Barlow Twins and HSIC
=====================

Both objectives are functions of the same matrix C, the cross-correlation of the projections of two views. Let d be
the width of the projections. Barlow Twins drives C to the identity,

.. math:: \\sum_i (1 - C_{ii})^2 + w \\sum_{i \\ne j} C_{ij}^2 ,

and the form that Tsai et al. (`A Note on Connecting Barlow Twins with Negative-Sample-Free Contrastive Learning
<https://arxiv.org/abs/2104.13712>`_, 2021) derive from the Hilbert-Schmidt independence criterion drives the
off-diagonal entries to -1 instead of 0:

.. math:: \\sum_i (1 - C_{ii})^2 + w \\sum_{i \\ne j} (1 + C_{ij})^2 .

How different are they?

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Why no negatives are needed
# ---------------------------
#
# Contrastive objectives push each row away from the other rows of its batch, its negatives. HSIC measures the
# dependence of two kernels over the rows, K and L: ``tr(K H L H) / n²``, where H is the centring matrix. With the
# linear kernel ``z @ z.T`` of each view, this number is the sum of the squared entries of C: comparing rows becomes
# comparing coordinates. All rows of a batch enter C at once, and no row has to be distinguished from another.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, train_test_split
from skorch.callbacks import Callback

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import MarginalCorruption, make_views
from sklearn_twins.objectives import cross_correlation, standardize

EPOCHS = 40
SEEDS = 2

draws = np.random.default_rng(0).normal(size=(2, 50, 8))  # two projections of 50 rows
z_a, z_b = (standardize(torch.from_numpy(z)).numpy() for z in draws)
K, L = z_a @ z_a.T, z_b @ z_b.T
H = np.eye(50) - 1 / 50
C = z_a.T @ z_b / 50
print(f"tr(K H L H) / n²:     {np.trace(K @ H @ L @ H) / 50**2:.6f}")
print(f"sum of squares of C:  {(C**2).sum():.6f}")

# %%
# Two fits
# --------
#
# Everything but the objective is the same. ``fit`` drops the projector at the end, so a callback stores the
# correlations of the projections before that.


class FinalCorrelation(Callback):
    """Store the cross-correlation of two views of all rows at the end of training."""

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        self.rows = dataset_train

    def on_train_end(self, net, **kwargs):
        generator = torch.Generator().manual_seed(0)
        x_a, x_b = make_views(MarginalCorruption(), self.rows, self.rows, generator)
        with torch.no_grad():
            self.C = cross_correlation(net.module_.eval()(x_a), net.module_(x_b)).numpy()


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
names = {"barlow_twins": "Barlow Twins", "hsic": "HSIC"}
embedders = {objective: [] for objective in names}
for objective, fits in embedders.items():
    for seed in range(SEEDS):
        embedder = BarlowTwinsEmbedder(
            objective=objective,
            max_epochs=EPOCHS,
            callbacks=[FinalCorrelation()],
            random_state=seed,
        )
        fits.append(embedder.fit(X_train))

# %%
# A loss that is stuck near d
# ---------------------------
#
# Not all coordinates can be each other's opposite. If both views are made in the same way, C is nearly a correlation
# matrix, whose entries sum to at least zero. So the mean off-diagonal entry is at least -1/(d - 1), and the HSIC
# loss, with w = 1/d as here, has a floor of (d - 2)²/(d - 1), about d - 3. A curve that stays just above the floor is
# healthy. The right plot shows the loss above the floor: it is nearly the loss of Barlow Twins.

colors = {"barlow_twins": "#0072B2", "hsic": "#D55E00"}
curves = {objective: np.array(fits[0].loss_curve_) for objective, fits in embedders.items()}
d = len(embedders["hsic"][0].callbacks[0].C)
floor = (d - 2) ** 2 / (d - 1)

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for objective, curve in curves.items():
    left.plot(curve, color=colors[objective], label=names[objective])
left.axhline(floor, color="#808080", linestyle="--", label=f"HSIC's floor, {floor:.0f}")
left.set(title="Loss", xlabel="epoch", ylim=(0, None))
right.plot(curves["barlow_twins"], color=colors["barlow_twins"], label="Barlow Twins")
right.plot(curves["hsic"] - floor, "--", color=colors["hsic"], label="HSIC minus its floor")
right.set(title="Above the floor", xlabel="epoch", yscale="log")
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.legend()

# %%
# The same matrices
# -----------------
#
# Expanded, HSIC is Barlow Twins plus 2w times the sum of the off-diagonal entries, plus a constant. That sum is a
# single number, against d² entries, and it cannot fall far below zero. So the entries are not near -1 but around 0,
# as in Barlow Twins; only their mean is slightly lower.

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for (objective, fits), style in zip(embedders.items(), ["-", "--"], strict=True):
    C = fits[0].callbacks[0].C
    off = C[~np.eye(d, dtype=bool)]
    label = f"{names[objective]}: mean {off.mean():+.4f}, standard deviation {off.std():.3f}"
    look = {"histtype": "step", "linestyle": style, "color": colors[objective], "linewidth": 1.5}
    ax.hist(off, np.linspace(-1, 1, 101), label=label, **look)
lowest = -1 / (d - 1)
ax.axvline(lowest, color="#808080", linestyle=":", label=f"lowest mean, -1/(d - 1) = {lowest:.4f}")
ax.set(title="Off-diagonal entries", xlabel="correlation", ylabel="entries", xlim=(-1, 1))
ax.set_ylim(0, 1.6 * ax.get_ylim()[1])
ax.legend()

# %%
# The same features
# -----------------
#
# Accuracy of logistic regression with 5 labelled rows per class, over seeds and draws of the labelled rows. If a
# search prefers one of the two objectives here, it does so by chance.

draws = list(StratifiedShuffleSplit(10, train_size=50, random_state=0).split(X_train, y_train))
for objective, fits in embedders.items():
    scores = []
    for embedder in fits:
        Z_train, Z_test = embedder.transform(X_train), embedder.transform(X_test)
        for rows, _ in draws:
            classifier = LogisticRegression(max_iter=1000).fit(Z_train[rows], y_train[rows])
            scores.append(classifier.score(Z_test, y_test))
    print(f"{names[objective]:12} {np.mean(scores):.3f} ± {np.std(scores):.3f}")

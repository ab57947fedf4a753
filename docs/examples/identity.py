"""
The matrix that becomes the identity
====================================

What does :class:`~sklearn_twins.BarlowTwinsEmbedder` minimise? It changes every row of a batch twice at random and
passes both views through the encoder and the projector. From the two projections it computes the *cross-correlation
matrix* C: entry (i, j) is the correlation, over the rows, of coordinate i in one view with coordinate j in the other.
The loss measures how far C is from the identity matrix (Zbontar et al., `Barlow Twins
<https://arxiv.org/abs/2103.03230>`_, ICML 2021, equations 1 and 2):

.. math:: \\sum_i (1 - C_{ii})^2 + w \\sum_{i \\ne j} C_{ij}^2

This page follows C during a fit on handwritten digits, and then nearly removes each of the two terms in turn.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# A callback that stores the matrix
# ---------------------------------
#
# ``fit`` drops the projector at the end, so we have to compute the matrix during the fit. ``callbacks`` takes skorch
# callbacks, since skorch runs the training loop. ``dataset_train`` holds the training rows as a tensor, and
# ``net.module_`` is the encoder followed by the projector.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch.callbacks import Callback

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import MarginalCorruption, make_views
from sklearn_twins.displays import TrainingCurveDisplay
from sklearn_twins.networks import MLPProjector
from sklearn_twins.objectives import BarlowTwins, cross_correlation

EPOCHS = 40

X = load_digits().data


class Correlations(Callback):
    """Store the matrix of all rows, before the first epoch and after each epoch."""

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if len(net.history) == 1:
            self.rows, self.matrices = dataset_train, [self.measure(net, dataset_train)]

    def on_epoch_end(self, net, **kwargs):
        self.matrices.append(self.measure(net, self.rows))

    def measure(self, net, rows):
        generator = torch.Generator().manual_seed(0)
        x_a, x_b = make_views(MarginalCorruption(), rows, rows, generator)
        with torch.no_grad():
            z_a, z_b = net.module_.eval()(x_a), net.module_(x_b)
        return cross_correlation(z_a, z_b, eps=1e-12).numpy()


watch = Correlations()
embedder = BarlowTwinsEmbedder(
    projector=MLPProjector(projection_dim=64),  # narrow, so that single entries are visible
    max_epochs=EPOCHS,
    callbacks=[watch],
    random_state=0,
).fit(X)

# %%
# From the first epoch to the last
# --------------------------------
#
# Before training, views agree only in the values that the corruption left unchanged. In the first epochs everything
# grows: coordinates learn what is stable under corruption, and because that is much the same for all of them, they
# repeat each other. Then the diagonal is almost at its final value, and the off-diagonal pattern slowly fades.


def draw(axes, matrices, titles):
    """Draw matrices side by side, with one colour scale for all."""
    for ax, C, title in zip(axes, matrices, titles, strict=True):
        off = np.abs(C[~np.eye(len(C), dtype=bool)]).mean()
        image = ax.imshow(C, cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set_title(title)
        ax.set(xlabel=f"diagonal {C.diagonal().mean():.2f}\n|off-diagonal| {off:.2f}")
        ax.set(xticks=[], yticks=[])
    plt.colorbar(image, ax=list(axes), label="correlation", shrink=0.7)


figure, axes = plt.subplots(2, 2, figsize=(7, 6.5), layout="constrained")
epochs = [0, 1, 5, EPOCHS]
draw(axes.ravel(), [watch.matrices[n] for n in epochs], [f"{n} epochs" for n in epochs])

# %%
# The loss and its terms
# ----------------------
#
# The **invariance** term pulls the diagonal to 1: a coordinate that is the same in both views carries information
# that the corruption did not change. The **redundancy** term pulls everything else to 0: coordinates that differ
# carry more information together. Alone, the first term would be satisfied by the same coordinate everywhere, the
# second by noise. Together they exclude both.
#
# :class:`~sklearn_twins.displays.TrainingCurveDisplay` draws both terms, weighted as in the loss. It also draws the
# sampling noise: the part of the redundancy that exists because a correlation over the rows of one batch is never
# exactly zero.

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
TrainingCurveDisplay.from_estimator(embedder, ax=left)
left.set(title="The loss", yscale="log", ylim=(0.1, None))
left.legend(loc="upper right")
on = [C.diagonal().mean() for C in watch.matrices]
off = [np.abs(C[~np.eye(len(C), dtype=bool)]).mean() for C in watch.matrices]
right.plot(on, color="#0072B2", label="mean of the diagonal")
right.plot(off, "--", color="#D55E00", label="mean |off-diagonal|")
right.set(title="The matrix", xlabel="epoch", ylim=(0, 1))
right.grid(alpha=0.3)
right.legend()

# %%
# Too little weight, and too much
# -------------------------------
#
# ``off_diagonal_weight`` is w, the paper's lambda; "auto" is 1 over the number of coordinates, here 1/64. With a
# weight of 0 nothing keeps coordinates apart, and they are all the same up to the sign. A larger weight makes the
# off-diagonal entries paler, and the diagonal too: at 10, coordinates no longer agree between the two views.

weights = {"w = 0": 0, 'w = "auto"': "auto", "w = 0.2": 0.2, "w = 10": 10}
matrices = []
for weight in weights.values():
    watch = Correlations()
    BarlowTwinsEmbedder(
        projector=MLPProjector(projection_dim=64),
        objective=BarlowTwins(off_diagonal_weight=weight),
        max_epochs=EPOCHS // 2,
        callbacks=[watch],
        random_state=0,
    ).fit(X)
    matrices.append(watch.matrices[-1])

figure, axes = plt.subplots(1, 4, figsize=(7, 2.6), layout="constrained")
draw(axes, matrices, list(weights))

# %%
# The matrix on the left shows a collapse. The fit warns about it and names the cause and the remedy, as ``diagnose``
# does (:doc:`collapse`).

"""
The matrix that becomes the identity
====================================

What does :class:`~sklearn_twins.BarlowTwinsEmbedder` minimise? Every row of a batch is changed at random twice; both
views go through the encoder and the projector. Of the two projections the *cross-correlation matrix* C is formed: its
entry (i, j) is the correlation, over the rows, of coordinate i in one view with coordinate j in the other. The loss
is how far C is from the identity matrix (Zbontar et al., `Barlow Twins <https://arxiv.org/abs/2103.03230>`_, ICML
2021, equations 1 and 2):

.. math:: \\sum_i (1 - C_{ii})^2 + w \\sum_{i \\ne j} C_{ij}^2

Here it is watched on its way there, on handwritten digits; and then each of the two terms is all but left out.
"""

# %%
# A callback that looks at the matrix
# -----------------------------------
#
# The projector is dropped when a fit ends, so the matrix has to be looked at during the fit. ``callbacks`` takes
# those of skorch, whose training loop is inside: ``dataset_train`` are the training rows as a tensor, ``net.module_``
# is encoder and projector in one.

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
    """Keep the matrix of all rows, before the first epoch and after each."""

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
    projector=MLPProjector(projection_dim=64),  # narrow, so that single entries can be seen
    max_epochs=EPOCHS,
    callbacks=[watch],
    random_state=0,
).fit(X)

# %%
# From the first epoch to the last
# --------------------------------
#
# Before training, views agree only by what the corruption has left alone. In the first epochs everything grows:
# coordinates learn what outlasts the corruption, and as that is much the same for all of them, they repeat each
# other. Then the diagonal is nearly where it will stay, and the rest of the time goes into the pattern off it, which
# fades.


def draw(axes, matrices, titles):
    """Matrices beside each other, with one scale of colours for all."""
    for ax, C, title in zip(axes, matrices, titles, strict=True):
        off = np.abs(C[~np.eye(len(C), dtype=bool)]).mean()
        image = ax.imshow(C, cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set_title(title)
        ax.set(xlabel=f"diagonal {C.diagonal().mean():.2f}\nsize off it {off:.2f}")
        ax.set(xticks=[], yticks=[])
    plt.colorbar(image, ax=list(axes), label="correlation", shrink=0.7)


figure, axes = plt.subplots(2, 2, figsize=(7, 6.5), layout="constrained")
epochs = [0, 1, 5, EPOCHS]
draw(axes.ravel(), [watch.matrices[n] for n in epochs], [f"{n} epochs" for n in epochs])

# %%
# The loss and its terms
# ----------------------
#
# The **invariance** term draws the diagonal to 1: a coordinate that is the same in both views says something that the
# corruption has not touched. The **redundancy** term draws everything else to 0: coordinates that say different
# things say more together. The first alone would be satisfied by saying one thing everywhere, the second by saying
# noise; the embedding is where they have to meet.
#
# :class:`~sklearn_twins.displays.TrainingCurveDisplay` draws both, weighted as in the loss, and how much of the
# redundancy is there only because a correlation over the rows of one batch is never exactly zero.

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
TrainingCurveDisplay.from_estimator(embedder, ax=left)
left.set(title="The loss", yscale="log", ylim=(0.1, None))
left.legend(loc="upper right")
on = [C.diagonal().mean() for C in watch.matrices]
off = [np.abs(C[~np.eye(len(C), dtype=bool)]).mean() for C in watch.matrices]
right.plot(on, color="#0072B2", label="mean of the diagonal")
right.plot(off, "--", color="#D55E00", label="mean size off the diagonal")
right.set(title="The matrix", xlabel="epoch", ylim=(0, 1))
right.grid(alpha=0.3)
right.legend()

# %%
# Too little weight, and too much
# -------------------------------
#
# ``off_diagonal_weight`` is w, the paper's lambda; "auto" is 1 over the number of coordinates, here 1/64. Without it
# nothing keeps coordinates apart, and they all say the same, or its opposite. The more of it, the paler the rest of
# the matrix, and the diagonal with it: at 10, coordinates are so busy not repeating each other that they do not agree
# with themselves.

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
# The matrix on the left is what a collapse looks like, and the fit says so: a warning names the cause and what helps,
# as ``diagnose`` does (:doc:`collapse`).

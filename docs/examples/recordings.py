"""
Windows of recordings: rows of one group as views
=================================================

A recording is cut into windows, and each window is a row. Where a window begins is chance; what all windows of a
recording share is what we want to know. ``fit(X, groups=recording)`` says so: the second view of a window is another
window of its recording. What differs between them is forgotten, and what they share is kept.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Rows and groups
# ---------------
#
# 200 recordings of a tone with noise, ten windows of each. The pitch belongs to the recording; the phase is random
# in each window.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor

from sklearn_twins import BarlowTwinsEmbedder

EPOCHS = 40
COLORS = ("#0072B2", "#D55E00", "#009E73")

rng = np.random.default_rng(0)
pitch = rng.uniform(1, 4, size=200)
recording = np.repeat(np.arange(200), 10)
phase = rng.uniform(0, 2 * np.pi, size=(2000, 1))
time = np.linspace(0, 2 * np.pi, 40)
X = np.sin(pitch[recording][:, None] * time + phase) + rng.normal(scale=0.5, size=(2000, 40))

plt.rc("font", size=9)
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
shown = np.flatnonzero((recording < 3) & (np.arange(2000) % 10 < 3))
for line, row in enumerate(shown):
    color = COLORS[recording[row]]
    ax.plot(X[row] / 3.5 - line - 0.6 * recording[row], color=color, linewidth=1)
    ax.text(-1, -line - 0.6 * recording[row], f"row {row}", color=color, ha="right", va="center")
for group, color in enumerate(COLORS):
    first, second = (-3.6 * group - line for line in (0, 2 - group % 2))
    ax.text(48.5, -3.6 * group - 1, f"recording {group}", color=color, weight="bold", va="center")
    ax.annotate("", (40, second), (40, first), arrowprops={"arrowstyle": "<->", "color": color, "lw": 1.5})
    ax.text(41, first, "view 1", color=color, va="center")
    ax.text(41, second, "view 2", color=color, va="center")
ax.set(xlim=(-8, 60), ylim=(-10.2, 0.8))
ax.axis("off")

# %%
# Which pairs are drawn changes in every epoch. The arrows show one draw for three rows; every row gets a partner.
#
# Without groups and with them
# ----------------------------
#
# Both embedders get the same rows and settings. The maps show the first two principal components, coloured by pitch,
# which neither embedder was told. The number is how well the position on the map predicts the pitch of recordings
# that were left out (R² of the five nearest neighbours).

settings = {"passthrough": False, "max_epochs": EPOCHS, "random_state": 0}
maps = {
    "rows as they are": X,
    "without groups": BarlowTwinsEmbedder(**settings).fit_transform(X),
    "groups=recording": BarlowTwinsEmbedder(**settings).fit(X, groups=recording).transform(X),
}
figure, axes = plt.subplots(1, 3, figsize=(7, 2.7), layout="constrained")
for ax, (name, Z) in zip(axes, maps.items(), strict=True):
    points = PCA(2).fit_transform(Z)
    splits = {"cv": GroupKFold(5), "groups": recording}
    agreement = cross_val_score(KNeighborsRegressor(5), points, pitch[recording], **splits).mean()
    dots = ax.scatter(*points.T, c=pitch[recording], s=5, linewidths=0)
    ax.set(xticks=[], yticks=[], title=f"{name}: {agreement:.2f}")
figure.colorbar(dots, ax=axes, label="pitch", shrink=0.9)

# %%
# As they are, windows lie on circles: the phase says where on the circle, the pitch which circle. With groups the
# phase is gone, and the windows lie along an arc in the order of their pitch.
#
# Groups belong to the splitter, too: windows of one recording on both sides of a split would make any score too good.

"""
Image retrieval
===============

An image was mirrored, shifted a little and recoloured. Which of many images is it? In pixel space it is far from the
original. An embedding trained to map changed copies of an image to the same point ignores such changes.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Pieces of photographs
# ---------------------
#
# scikit-learn ships two photographs. We cut them into pieces of 32 by 32 pixels; no labels are needed.
# :class:`~sklearn_twins.displays.ViewsDisplay` draws the views that the network will receive, before any training:

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.neighbors import NearestNeighbors

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import ImageViews
from sklearn_twins.displays import ViewsDisplay
from sklearn_twins.networks import ConvNetEncoder

EPOCHS = 100
SIDE = 32

photographs = load_sample_images().images


def cut(photo, top, left):
    """Cut a piece out of a photograph."""
    return photo[top : top + SIDE, left : left + SIDE]


tops, lefts = range(0, 384, SIDE), range(0, 600, SIDE)
places = [(photo, top, left) for photo in photographs for top in tops for left in lefts]
places = [place for place in places if cut(*place).std(axis=(0, 1)).mean() > 20]  # no sky
pieces = np.stack([cut(*place) for place in places])  # (190, 32, 32, 3), bytes

embedder = BarlowTwinsEmbedder(
    modality="image",
    augmentation=ImageViews(min_scale=0.5, solarize=0),
    encoder=ConvNetEncoder(widths=(16, 32, 64, 128)),
    batch_size=64,
    max_epochs=EPOCHS,
    random_state=0,
)
display = ViewsDisplay.from_estimator(embedder, pieces[::45], n_rows=4, n_pairs=2)

# %%
# Changed copies
# --------------
#
# We cut each piece again, 6 pixels further down and to the right, and make it mirrored, darker and warmer. In pixel
# space, dark images are close to dark images, and the original is hardly ever among the five nearest of the 190
# pieces. In the embedding it is far more often. This is a small network and a short fit, so more than half are still
# missed.

moved = np.stack([cut(photo, top + 6, left + 6) for photo, top, left in places])
changed = (moved[:, :, ::-1] * np.array([0.8, 0.7, 0.6])).astype(np.uint8)

embedder.fit(pieces)


def pixels(images):
    """Flatten each image to a row of numbers."""
    return images.reshape(len(images), -1) / 255


nearest = {}
for name, space in {"pixels": pixels, "embedding": embedder.transform}.items():
    neighbors = NearestNeighbors(n_neighbors=5).fit(space(pieces))
    nearest[name] = neighbors.kneighbors(space(changed), return_distance=False)  # (n, 5)
    hits = nearest[name] == np.arange(len(pieces))[:, None]
    first, among_five = hits[:, 0].mean(), hits.any(axis=1).mean()
    print(f"{name:10} the original comes first: {first:.0%}, among five: {among_five:.0%}")

# %%
# Neighbours
# ----------
#
# A few changed pieces with their nearest neighbours in pixel space and in the embedding. A frame marks the original
# if it was found.

queries = np.random.default_rng(1).choice(len(pieces), 7, replace=False)
widths = [1, 0.3, *[1] * 5, 0.3, *[1] * 5]
figure, axes = plt.subplots(len(queries), len(widths), figsize=(7, 4), width_ratios=widths)
figure.subplots_adjust(left=0.01, right=0.99, top=0.92, bottom=0.01, wspace=0.12, hspace=0.12)
for row, query in zip(axes, queries, strict=True):
    row[0].imshow(changed[query])
    found = [*nearest["pixels"][query], *nearest["embedding"][query]]
    for ax, i in zip([*row[2:7], *row[8:]], found, strict=True):
        ax.imshow(pieces[i])
        if i == query:
            frame = plt.Rectangle((-1, -1), SIDE + 1, SIDE + 1, fill=False)
            ax.add_patch(frame).set(edgecolor="#0072B2", linewidth=4, clip_on=False)
for ax in axes.flat:
    ax.set_axis_off()
for j, title in [(0, "changed"), (4, "nearest in pixel space"), (10, "nearest in the embedding")]:
    axes[0, j].set_title(title, fontsize="medium")

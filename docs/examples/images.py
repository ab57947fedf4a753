"""
Finding a picture again
=======================

Somebody has mirrored a picture, moved it a little and changed its colours. Which of many is it? On pixels it is far
from its original. An embedding that is trained to give changed copies of an image the same place has learnt not to
mind.
"""

# %%
# Pieces of photographs
# ---------------------
#
# scikit-learn ships two photographs. Pieces of them, 32 by 32 pixels, are the collection; no labels, none needed.
# What the network is shown of them, :class:`~sklearn_twins.displays.ViewsDisplay` draws before any training:

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
corners = [(photo, i, j) for photo in photographs for i in range(0, 384, SIDE) for j in range(0, 600, SIDE)]
cut = [photo[i : i + SIDE, j : j + SIDE] for photo, i, j in corners]
seen = [k for k, piece in enumerate(cut) if piece.std(axis=(0, 1)).mean() > 20]  # the others are sky, or dark
pieces = np.stack([cut[k] for k in seen])  # (190, 32, 32, 3), bytes

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
# Each piece again, cut 6 pixels further down and to the right, mirrored, darker and warmer. On pixels, where dark is
# near to dark, the original is hardly ever among the five nearest of the 190 pieces; in the embedding far more often,
# though this is a small network and a short fit, and more than half are still missed.

moved = np.stack([photo[i + 6 : i + 6 + SIDE, j + 6 : j + 6 + SIDE] for photo, i, j in (corners[k] for k in seen)])
changed = (moved[:, :, ::-1] * np.array([0.8, 0.7, 0.6])).astype(np.uint8)

embedder.fit(pieces)
spaces = {"pixels": lambda images: images.reshape(len(images), -1) / 255, "embedding": embedder.transform}
nearest = {}
for name, space in spaces.items():
    neighbors = NearestNeighbors(n_neighbors=5).fit(space(pieces))
    nearest[name] = neighbors.kneighbors(space(changed), return_distance=False)  # (n, 5)
    hits = nearest[name] == np.arange(len(pieces))[:, None]
    print(f"{name:10} the original comes first: {hits[:, 0].mean():.0%}, among five: {hits.any(axis=1).mean():.0%}")

# %%
# Neighbours
# ----------
#
# A few changed pieces, and what is nearest to them on pixels and in the embedding. The original is framed where it is
# found.

queries = np.random.default_rng(1).choice(len(pieces), 7, replace=False)
figure, axes = plt.subplots(len(queries), 13, figsize=(7, 4), width_ratios=[1, 0.3, *[1] * 5, 0.3, *[1] * 5])
figure.subplots_adjust(left=0.01, right=0.99, top=0.92, bottom=0.01, wspace=0.12, hspace=0.12)
for row, query in zip(axes, queries, strict=True):
    row[0].imshow(changed[query])
    for ax, i in zip([*row[2:7], *row[8:]], [*nearest["pixels"][query], *nearest["embedding"][query]], strict=True):
        ax.imshow(pieces[i])
        if i == query:
            frame = plt.Rectangle((-1, -1), SIDE + 1, SIDE + 1, fill=False, edgecolor="#0072B2", linewidth=4)
            ax.add_patch(frame).set_clip_on(False)
for ax in axes.flat:
    ax.set_axis_off()
for j, title in [(0, "changed"), (4, "nearest on pixels"), (10, "nearest in the embedding")]:
    axes[0, j].set_title(title, fontsize="medium")

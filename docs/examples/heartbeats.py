"""
Heartbeats: a map of waves that one can read
============================================

Each row is one heartbeat of an electrocardiogram, a series of 200 steps, and nobody has said what kind of beat it is.
An embedder is trained on all of them. Its map has a place for each kind, and with ten labelled beats of each kind about
nine in ten of the others are named correctly.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Made heartbeats
# ---------------
#
# A heartbeat is a sum of bumps, which have letters: P when the atria contract, Q, R and S when the ventricles do, and T
# when they recover. Each person has bumps of their own height, width and time, and each recording drifts and has
# noise. Four kinds of beats differ as they do in textbooks:
#
# - *normal*;
# - *premature*: it begins in a ventricle, so that P is absent and the large wave is broad;
# - *block*: one ventricle is late, and R has two peaks;
# - *raised ST*: the line between S and T does not return to zero, a sign of a heart attack.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import Chain, SeriesViews, SpectraViews
from sklearn_twins.displays import ViewsDisplay

EPOCHS = 30
N = 800
ITERATIONS = 1000
KINDS = ("normal", "premature", "block", "raised ST")
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
BUMPS = {  # (time, height, width) of each bump, with time from -1 to 1
    "normal": [(-0.45, 0.15, 0.07), (-0.06, -0.15, 0.025), (0, 1.0, 0.03), (0.06, -0.25, 0.03), (0.5, 0.3, 0.11)],
    "premature": [(-0.03, 0.95, 0.11), (0.2, -0.5, 0.09), (0.55, -0.3, 0.13)],
    "block": [(-0.45, 0.15, 0.07), (-0.05, 0.65, 0.035), (0.06, -0.2, 0.03), (0.13, 0.75, 0.045), (0.55, -0.2, 0.12)],
    "raised ST": [(-0.45, 0.15, 0.07), (-0.06, -0.2, 0.025), (0, 0.8, 0.03), (0.2, 0.25, 0.12), (0.45, 0.4, 0.13)],
}

rng = np.random.default_rng(0)
time = np.linspace(-1, 1, 200)


def make_beat(kind):
    """One beat: bumps that vary from person to person, a place in the window, drift and noise."""
    shift, rate, size = rng.normal(0, 0.06), rng.normal(1, 0.12), rng.lognormal(0, 0.25)
    beat = np.zeros_like(time)
    for at, height, width in BUMPS[kind]:
        at, height, width = at * rng.normal(1, 0.06), height * rng.normal(1, 0.2), width * rng.lognormal(0, 0.15)
        beat += height * np.exp(-0.5 * ((time * rate - shift - at) / width) ** 2)
    drift = (
        rng.normal(0, 0.15) + rng.normal(0, 0.15) * time + 0.1 * np.sin(rng.uniform(1, 4) * time + rng.uniform(0, 6))
    )
    return size * beat + drift + rng.normal(0, 0.06, size=len(time))


kind = rng.integers(0, 4, size=N)
X = np.array([make_beat(KINDS[number]) for number in kind])

plt.rc("font", size=9)
figure, axes = plt.subplots(1, 4, figsize=(7, 2.2), layout="constrained", sharey=True)
for number, (ax, name, color) in enumerate(zip(axes, KINDS, COLORS, strict=True)):
    ax.plot(time, X[kind == number][:6].T, color=color, linewidth=0.8, alpha=0.7)
    ax.set_title(name, color=color)
    ax.axis("off")

# %%
# Views that drift
# ----------------
#
# The default views of time series crop, warp, scale and add noise. None of them removes a bump or turns it over, so the
# kind of a beat survives them. The drift does, too: left alone, it would be what the map shows first. So we add a view
# that says that it means nothing: `SpectraViews`, made for the same trouble of spectra, adds random straight lines.

drift = SpectraViews(offset=0.5, slope=0.5, scaling=0.0, shift=0)
views = Chain([("drift", drift), ("series", SeriesViews())])
embedder = BarlowTwinsEmbedder(modality="series", augmentation=views, max_epochs=EPOCHS, random_state=0)
ViewsDisplay.from_estimator(embedder, X[:4], n_rows=4)

# %%
# The map
# -------
#
# Train without labels, reduce the embedding to two dimensions, and draw each beat at its place. The colours were not
# known to the embedder.

embedding = embedder.fit_transform(X)
places = TSNE(init="pca", max_iter=ITERATIONS, random_state=0).fit_transform(embedding)
places = (places - places.min(0)) / np.ptp(places, axis=0)

figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
taken = []
for i in range(len(X)):  # only beats that do not hide others
    if all(abs(places[i] - other).max() > 0.035 for other in taken):
        taken.append(places[i])
        x, y = places[i]
        wave = (X[i] - np.median(X[i])) / np.ptp(X[i])
        ax.plot(x + 0.018 * time, y + 0.03 * wave, color=COLORS[kind[i]], linewidth=0.8)
for number, (name, color) in enumerate(zip(KINDS, COLORS, strict=True)):
    ax.text(0.25 * number + 0.12, 1.06, name, color=color, weight="bold", ha="center")
ax.axis("off")

# %%
# Ten labels of each kind
# -----------------------
#
# A linear model on the embedding, and the same model on the values of the series. All other beats are predicted.

order = rng.permutation(N)
labelled = np.concatenate([order[kind[order] == number][:10] for number in range(4)])
others = np.setdiff1d(np.arange(N), labelled)
for name, features in {"values": X, "embedding": embedding}.items():
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    accuracy = model.fit(features[labelled], kind[labelled]).score(features[others], kind[others])
    print(f"{name}: {accuracy:.3f} of the other beats are named correctly")

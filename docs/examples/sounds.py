"""
A map of sounds
===============

Five kinds of sounds, which a computer makes: bells, birds, engines, rain and sirens. Each one has its own pitch, pace,
loudness and length, and noise behind it. The embedder hears them without labels. On a map of what it learned, kinds
that sound alike lie together; the average spectrum says less.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# The sounds
# ----------
#
# ``clips`` is a list of arrays of unequal length, at 8 kHz.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.displays import ViewsDisplay

EPOCHS = 15
N = 600
ITERATIONS = 500
RATE = 8_000
KINDS = ("bell", "bird", "engine", "rain", "siren")

rng = np.random.default_rng(0)


def make_sound(kind):
    t = np.arange(rng.integers(RATE // 2, RATE)) / RATE
    pitch, pace, noise = 2 ** rng.uniform(-0.7, 0.7), rng.uniform(0.7, 1.4), rng.normal(size=len(t))
    if kind == "bell":
        x = sum(np.exp(-4 * k * t) * np.sin(2 * np.pi * 500 * k * pitch * t) for k in (1, 2.7, 5.1))
    elif kind == "bird":
        warble = 1_800 * pitch + 500 * np.sin(2 * np.pi * 9 * pace * t)
        x = np.sin(2 * np.pi * np.cumsum(warble) / RATE) * (np.sin(2 * np.pi * 3 * pace * t) > 0)
    elif kind == "engine":
        x = np.sign(np.sin(2 * np.pi * 60 * pitch * t)) + 0.3 * noise
    elif kind == "rain":
        x = noise * (rng.random(len(t)) < 0.03 * pitch) * 4
    else:
        x = np.sin(2 * np.pi * np.cumsum(700 * pitch * (1 + 0.4 * np.sin(2 * np.pi * 1.5 * pace * t))) / RATE)
    return 10 ** rng.uniform(-1.5, 0) * (x + 10 ** rng.uniform(-1.5, -0.3) * noise)


labels = np.arange(N) % len(KINDS)
clips = [make_sound(KINDS[label]) for label in labels]

# %%
# What the embedder hears
# -----------------------
#
# Each clip becomes a spectrogram: time to the right, frequency upwards. Training sees two views of it, mixed with
# another clip, cropped, and faded.

embedder = BarlowTwinsEmbedder(modality="audio", max_epochs=EPOCHS, random_state=0)
embedder.set_params(preprocessor__sample_rate=RATE, preprocessor__input_rate=RATE)
plt.rc("font", size=9)
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ViewsDisplay.from_estimator(embedder, clips[:50], n_rows=5, ax=ax)

# %%
# Two maps
# --------
#
# The percentages are the accuracy of logistic regression with five labels of each kind, before the map.

spectrograms = embedder.fit(clips).preprocessor_.transform(clips)
means = np.stack([spectrograms.exact(np.array([i]))[0].mean(1) for i in range(N)])
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
few = [(np.arange(i, i + 25), np.arange(300, N)) for i in range(0, 250, 25)] if N == 600 else 2

figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
for ax, (name, Z) in zip(axes, {"mean spectrum": means, "embedding": embedder.transform(clips)}.items(), strict=True):
    points = TSNE(max_iter=ITERATIONS, perplexity=15, random_state=0).fit_transform(StandardScaler().fit_transform(Z))
    for label, kind in enumerate(KINDS):
        ax.scatter(*points[labels == label].T, s=6, label=kind)
    ax.set(xticks=[], yticks=[], title=f"{name}: {cross_val_score(model, Z, labels, cv=few).mean():.0%}")
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, markerscale=2)

# %%
# The crop shifts and stretches a sound in time and frequency, so that the embedding has learned that a higher bell is
# still a bell. Where pitch is what you look for, leave that out: ``augmentation__crop__frequency=(1.0, 1.0)``.

"""
Inspecting a fit
================

Draw the five displays of :mod:`sklearn_twins.displays` for handwritten digits: the views that the network receives,
the training curve, how much the coordinates of two views agree and repeat each other, how many directions the
embedding uses, and a map of its rows::

    pip install ".[examples]"  # in a checkout
    python docs/examples/pictures.py [--quick] [--output pictures.png]

Each display takes one call. It draws on new axes, or on yours as here.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import ImageViews
from sklearn_twins.displays import (
    CrossCorrelationDisplay,
    EmbeddingDisplay,
    SpectrumDisplay,
    TrainingCurveDisplay,
    ViewsDisplay,
)


def main():
    parser = argparse.ArgumentParser(description="Draw the five displays.")
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    parser.add_argument("--output", default="pictures.png")
    options = parser.parse_args()
    digits = load_digits()
    train, test, _, y = train_test_split(digits.images / 16, digits.target, test_size=0.25, random_state=0)
    embedder = BarlowTwinsEmbedder(
        modality="image",
        augmentation=ImageViews(flip=0, min_scale=0.5),
        n_components=64,
        max_epochs=2 if options.quick else 60,
        early_stopping=True,
        random_state=0,
    ).fit(train)

    figure, axes = plt.subplots(3, 2, figsize=(10, 12), layout="constrained")
    ViewsDisplay.from_estimator(embedder, test, n_rows=6, n_pairs=2, ax=axes[0, 0])
    TrainingCurveDisplay.from_estimator(embedder, ax=axes[0, 1])
    CrossCorrelationDisplay.from_estimator(embedder, test, ax=axes[1, 0])
    SpectrumDisplay.from_estimator(embedder, test, ax=axes[1, 1])
    EmbeddingDisplay.from_estimator(embedder, test, y, ax=axes[2, 0])
    flat = BarlowTwinsEmbedder(random_state=0)  # not fitted: views need no fit
    ViewsDisplay.from_estimator(flat, test.reshape(len(test), -1)[:, 18:30], n_rows=12, ax=axes[2, 1])
    titles = ["Views of images", "Training", "Two views' embeddings", "Spectrum", "Map", "Views of a table's rows"]
    for ax, title in zip(axes.flat, titles, strict=True):
        ax.set_title(title + (f"\n{ax.get_title()}" if ax.get_title() else ""), pad=22)
    figure.savefig(options.output, dpi=90)
    print(f"{embedder.n_iter_} epochs; figure: {options.output}")


if __name__ == "__main__":
    main()

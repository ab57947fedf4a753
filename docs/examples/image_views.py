"""
Views of images
===============

Draw pairs of views of colour photographs, grayscale digits and images with ten channels. Each row shows one image and
two pairs of views, which :class:`~sklearn_twins.BarlowTwinsEmbedder` trains its encoder to recognise as the same::

    pip install ".[examples]"  # in a checkout
    python docs/examples/image_views.py [--quick] [--output image_views.png]

Look at such a figure before a long fit. If the views still show what matters and hide what does not, so will the
embedding. A mirrored digit, for example, is a different digit: hence ``flip=0``.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits, load_sample_images

from sklearn_twins.augmentations import ImageViews, barlow_twins_pair, make_views
from sklearn_twins.preprocessing import ImagePreprocessor

SIDE = 64
PLACES = [(0, 120, 220), (0, 230, 80), (1, 130, 250), (1, 40, 60)]  # photograph, row, column
SEEN = [8, 4, 1]  # the channels of ten that are drawn as red, green and blue


def photographs(n):
    """Crop pieces of 64 x 64 pixels from scikit-learn's two photographs.  # (n, 64, 64, 3), uint8"""
    whole = load_sample_images().images
    pieces = [whole[i][y : y + 3 * SIDE : 3, x : x + 3 * SIDE : 3] for i, y, x in PLACES[:n]]
    return np.stack(pieces)


def ten_channels(colored):
    """Mix red, green and blue into ten channels, as a ten-band camera might.  # (n, 64, 64, 10), float32"""
    mixture = np.exp(-(((np.linspace(0, 2, 10)[:, None] - [2, 1, 0]) / 0.8) ** 2))
    return (colored / np.float32(255)) @ (mixture / mixture.sum(axis=1, keepdims=True)).T.astype(np.float32)


def pairs(X, augmentation, n_pairs):
    """Return the images, then pairs of views of each.  # list of (n, channels, height, width)"""
    samples = torch.from_numpy(ImagePreprocessor().fit_transform(X).copy())
    generator = torch.Generator().manual_seed(3)
    augmentation = augmentation.bind(ImagePreprocessor().fit(X).spec_, torch.device("cpu"))
    views = [view for _ in range(n_pairs) for view in make_views(augmentation, samples, samples, generator)]
    originals = samples / 255 if samples.dtype == torch.uint8 else samples
    return [originals, *views]


def to_rgb(image):
    """Convert an image for matplotlib: grayscale, or three of its channels."""
    channels = list(range(len(image))) if len(image) in (1, 3) else SEEN
    return np.clip(image[channels].permute(1, 2, 0).numpy(), 0, 1)


def mosaic(columns):
    """Arrange images in rows and their views in columns, with white gaps, wider between pairs.

    Parameters
    ----------
    columns : list of Tensor of shape (n, channels, height, width)
        The images and their views.

    Returns
    -------
    picture : ndarray of shape (height, width, 3)
    """
    side = columns[0].shape[2]
    thin, thick, parts = max(1, side // 16), max(2, side // 6), []
    for j, images in enumerate(columns):
        tiles = [np.broadcast_to(to_rgb(image), (side, side, 3)) for image in images]
        rows = [np.pad(tile, ((0, thin), (0, 0), (0, 0)), constant_values=1) for tile in tiles]
        gap = thick if j % 2 == 0 else thin
        parts.append(np.pad(np.concatenate(rows), ((0, 0), (0, gap), (0, 0)), constant_values=1))
    return np.concatenate(parts, axis=1)


def main():
    parser = argparse.ArgumentParser(description="Draw pairs of views of three kinds of images.")
    parser.add_argument("--quick", action="store_true", help="fewer images")
    parser.add_argument("--output", default="image_views.png")
    options = parser.parse_args()
    n = 1 if options.quick else 4
    colored = photographs(n)
    digits = load_digits().images[[5, 17, 26, 38][:n]]
    sources = {
        "colour, barlow_twins_pair()": (colored, barlow_twins_pair()),
        "grayscale, ImageViews(flip=0, min_scale=0.4)": (digits, ImageViews(flip=0, min_scale=0.4)),
        "ten channels, three of them shown": (ten_channels(colored), ImageViews()),
    }
    figure, axes = plt.subplots(3, 1, figsize=(5.5, 3 * (n + 0.5)), squeeze=False)
    for ax, (name, (X, augmentation)) in zip(axes[:, 0], sources.items(), strict=True):
        picture = mosaic(pairs(X, augmentation, n_pairs=2))
        ax.imshow(picture, interpolation="nearest")
        ax.set_title(name, loc="left", fontsize=9)
        ax.set_axis_off()
        for j, title in enumerate(["image", "view a", "view b", "view a", "view b"]):
            x, y = picture.shape[1] * (0.09 + 0.2 * j), picture.shape[0]
            ax.text(x, y, title, ha="center", va="top", fontsize=8)
        print(f"{name}: {len(X)} images of {' x '.join(map(str, X.shape[1:]))}")
    figure.tight_layout()
    figure.savefig(options.output, dpi=110)
    print(f"figure: {options.output}")


if __name__ == "__main__":
    main()

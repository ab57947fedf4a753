"""Builders that tests share: seeded generators, small embedders, a callback, specs, samples, bound augmentations."""

import numpy as np
import torch
from skorch.callbacks import Callback

from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder
from sklearn_twins._parts._augmentation import bind
from sklearn_twins._parts._initialize import build_on_meta, initialize
from sklearn_twins.networks import MLPEncoder, MLPProjector
from sklearn_twins.preprocessing import ImageSpec, TableSpec


def seeded(seed=0):
    """A generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def small_embedder(**params):
    """An embedder that fits a table of 60 rows in milliseconds: two epochs of four batches each.

    The parts' widths differ, since equal constants are one object, and joblib's hash tells one from two.
    """
    small = {
        "encoder": MLPEncoder(hidden_dims=(8,)),
        "projector": MLPProjector(hidden_dims=(12,), projection_dim=8),
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    return BarlowTwinsEmbedder(**{**small, **params})


def small_table():
    """60 rows of 5 dependent columns on different scales."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 3)) @ rng.normal(size=(3, 5)) * [1, 10, 0.1, 1, 100] + [0, 5, 1e3, 0, 0]


def object_column(values):
    """A table of one column of Python objects."""
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


def table_spec(n_columns, **fields):
    """A spec of table samples with `n_columns` columns."""
    return TableSpec((n_columns,), **fields)


def image_spec(shape, **fields):
    """A spec of images of shape (channels, height, width)."""
    return ImageSpec(shape, **fields)


def pixels(*shape, seed=0):
    """An array of random bytes."""
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


def byte_images(n, shape, seed=1):
    """A tensor of n images of random bytes; `shape` is (channels, height, width)."""
    return torch.randint(256, (n, *shape), generator=seeded(seed), dtype=torch.uint8)


def images(n, shape, seed=1, dtype=torch.float32):
    """A tensor of n images of random intensities."""
    return byte_images(n, shape, seed).to(dtype) / 255


def build(component, spec, n_components=None, seed=0):
    """The network of an encoder, with seeded initial weights."""
    return component.check().build(spec, n_components, seeded(seed))


def build_layer(make, seed=0):
    """The layer that `make` returns, with seeded initial weights."""
    return initialize(build_on_meta(make), seeded(seed))


def table_samples(spec, n=64, seed=1, dtype=torch.float32):
    """Normal numbers, those of `spec.missing` missing together in some rows, then codes."""
    generator = seeded(seed)
    numbers = torch.randn(n, spec.n_numbers, generator=generator, dtype=dtype)
    gaps = (torch.rand(n, generator=generator) < 0.3).nonzero()  # (gaps, 1)
    numbers[gaps, torch.tensor(spec.missing, dtype=torch.int64)] = torch.nan
    codes = [torch.randint(n_codes, (n,), generator=generator).to(dtype) for n_codes in spec.categories]
    return torch.column_stack([numbers, *codes])


def bound(augmentation, spec):
    """An augmentation bound to a spec on the CPU."""
    return bind(augmentation, spec, torch.device("cpu"))


def same(a, b):
    """Whether two tensors have the same type, shape and values, NaN included."""
    return a.dtype == b.dtype and a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def two_views(n, dim, seed=0, dtype=torch.float64):
    """Correlated projections of two views of the same rows, with a mean and a scale."""
    generator = seeded(seed)
    shared = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    noise = torch.randn(2, n, dim, generator=generator, dtype=torch.float64)
    return tuple((3 + 2 * (shared + 0.5 * each)).to(dtype) for each in noise)


def save_images(folder, images):
    """Write images to PNG files, and return their paths."""
    from PIL import Image

    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


class Recorder(Callback):
    """Counts what skorch tells it of."""

    def __init__(self):
        self.batches = self.epochs = 0

    def on_batch_begin(self, net, **kwargs):
        self.batches += 1

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1


def small_classifier(**params):
    """A classifier on a small embedder, with two epochs of joint training."""
    embedder = params.pop("embedder", None) or small_embedder(random_state=None)
    return BarlowTwinsClassifier(embedder, **{"max_epochs": 2, "random_state": 0, **params})


def few_labels(n=60, n_labeled=12, n_classes=3, seed=0):
    """Rows around one centre per class, and labels of the first rows, -1 for the others; the last is all labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = 4 * rng.normal(size=(n_classes, 5))[y] + rng.normal(size=(n, 5))
    return X, np.where(np.arange(n) < n_labeled, y, -1), y

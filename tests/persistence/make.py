"""Make the files of tests/persistence/test_formats.py that are missing: embedders as this version writes them.

    python tests/persistence/make.py

For each kind of embedder it writes KIND-FORMAT.safetensors and, as KIND-FORMAT.npy, the embedding of the rows below.
Existing files are kept, since they show what earlier versions wrote.
"""

import datetime
from pathlib import Path

import numpy as np

FORMAT = "2"
DIRECTORY = Path(__file__).parent
DAY = datetime.datetime(2024, 2, 27, 18)


def table():
    """60 rows by arithmetic alone: numbers with gaps, words, categories of several kinds, dates, durations."""
    X = np.empty((60, 6), dtype=object)
    for i in range(60):
        X[i, 0] = None if i % 7 == 3 else (i * 37 % 61) / 4 - 5
        X[i, 1] = i * i % 13
        X[i, 2] = (None, "red", "blue", "grün")[i % 4]
        X[i, 3] = (1.5, "a", datetime.date(2020, 2, 29), ("b", 2))[i * i % 4]
        X[i, 4] = None if i % 11 == 5 else DAY + datetime.timedelta(hours=31 * i)
        X[i, 5] = datetime.timedelta(seconds=i * 97 % 1000)
    return X


def images():
    """40 images of 8 x 8 pixels and three colours, by arithmetic alone."""
    image, row, column, color = np.ogrid[:40, :8, :8, :3]
    return ((image * 29 + row * row * 17 + column * 41 * (color + 1) + image * row * column) % 256).astype(np.uint8)


def containers():
    """The images, and rows about them."""
    return {"image": images(), "table": table()[:40]}


ROWS = {"table": table, "ranks": table, "image": images, "columns": table, "containers": containers}


def embedders():
    """An unfitted embedder of each kind."""
    from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder
    from sklearn_twins.augmentations import Chain, GaussianNoise, Masking
    from sklearn_twins.networks import ConvNetEncoder, MLPEncoder, MLPProjector, Periodic, ResNetEncoder
    from sklearn_twins.preprocessing import TablePreprocessor

    projector, training = MLPProjector((8,), 8), {"max_epochs": 3, "batch_size": 20, "random_state": 0}
    small = {"projector": projector, **training}
    waves = MLPEncoder((8, 6), expansion=Periodic(n_frequencies=2, width=2))
    ranks = TablePreprocessor(scaling="quantile", categorical_features=[1, 3])
    views = Chain([("hide", Masking()), ("noise", GaussianNoise(scale=0.2))])
    return {
        "table": BarlowTwinsEmbedder(
            encoder=waves, preprocessor=TablePreprocessor([3]), augmentation=views, warm_start=True, **small
        ),
        "ranks": BarlowTwinsEmbedder(4, encoder=ResNetEncoder(width=6), preprocessor=ranks, passthrough=True, **small),
        "image": BarlowTwinsEmbedder(modality="image", encoder=ConvNetEncoder((4, 6)), **small),
        "columns": MultiViewEmbedder(
            [
                ("left", BarlowTwinsEmbedder(encoder=waves, projector=projector), slice(0, 3)),
                ("right", BarlowTwinsEmbedder(4, encoder=MLPEncoder((6,)), projector=projector), [3, 4, 5]),
            ],
            warm_start=True,
            **training,
        ),
        "containers": MultiViewEmbedder(
            [
                ("image", BarlowTwinsEmbedder(modality="image", encoder=ConvNetEncoder((4, 6)), projector=projector)),
                ("table", BarlowTwinsEmbedder(encoder=MLPEncoder((6,)), projector=projector)),
            ],
            **training,
        ),
    }


def main():
    for kind, embedder in embedders().items():
        path = DIRECTORY / f"{kind}-{FORMAT}.safetensors"
        if not path.exists():
            X = ROWS[kind]()
            embedder.fit(X).save(path)
            np.save(path.with_suffix(".npy"), embedder.transform(X))


if __name__ == "__main__":
    main()

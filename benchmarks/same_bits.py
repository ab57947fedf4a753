"""Compare embeddings before and after a change of the code, to the bit.

    python benchmarks/same_bits.py --write FOLDER      # with the code before the change
    python benchmarks/same_bits.py --compare FOLDER    # with the code after it
    python benchmarks/same_bits.py --list

Fits some ninety small embedders of synthetic tables, images, series and sounds, each configured in another way, and
writes embeddings, losses and scores to one .npz file each. `--compare` fits them again, prints a Markdown table that
says for each whether the arrays are the same or how far they differ, and exits with status 1 if any differ. `--only`
takes names of configurations. Run both on the same machine with the same torch: other processors round differently. It
takes a minute on one core.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import distributed, nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import (
    Chain,
    ColorJitter,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    Grayscale,
    HorizontalFlip,
    Identity,
    MarginalCorruption,
    Masking,
    Pair,
    RandomResizedCrop,
    Solarize,
)
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV
from sklearn_twins.networks import (
    AudioNTTEncoder,
    ConvNetEncoder,
    ImageResNetEncoder,
    MiniRocketEncoder,
    MLPEncoder,
    MLPProjector,
    Periodic,
    PiecewiseLinear,
    ResNetEncoder,
    SeriesResNetEncoder,
)
from sklearn_twins.preprocessing import AudioPreprocessor, ImagePreprocessor, SeriesPreprocessor, TablePreprocessor

SMALL = {
    "encoder": MLPEncoder((16,)),
    "projector": MLPProjector((16,), 8),
    "max_epochs": 3,
    "batch_size": 32,
    "random_state": 0,
}
SMALL_IMAGES = {**SMALL, "modality": "image", "encoder": ConvNetEncoder((4, 8))}
SMALL_SERIES = {
    **SMALL,
    "modality": "series",
    "encoder": MiniRocketEncoder((16,)),
    "preprocessor": SeriesPreprocessor(n_kernel_features=168),
}
SMALL_AUDIO = {
    **SMALL,
    "modality": "audio",
    "encoder": AudioNTTEncoder(4, 20),
    "preprocessor": AudioPreprocessor(8_000, input_rate=8_000, n_mels=16),
}
VIEWS_OF_IMAGES = Chain(
    [
        ("crop", RandomResizedCrop()),
        ("flip", HorizontalFlip()),
        ("jitter", ColorJitter()),
        ("gray", Grayscale()),
        ("blur", GaussianBlur()),
        ("solarize", Solarize()),
        ("cut", Cutout()),
    ]
)


def numbers(n=100):
    """A table of dependent columns on different scales, float64."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, 6)) * [1, 10, 0.1, 1, 100, 1] + [0, 5, 1e3, 0, 0, 0]


def gaps():
    """The same table with missing values."""
    X = numbers()
    X[np.random.default_rng(1).random(X.shape) < 0.2] = np.nan
    return X


def counts():
    """A sparse table."""
    return sparse.csr_array(np.random.default_rng(2).poisson(0.5, size=(100, 8)).astype(float))


def mixed(n=100):
    """A data frame with numbers, categories, dates, durations, booleans and missing values."""
    rng = np.random.default_rng(3)
    day = pd.Timestamp("2024-02-27 18:00")
    frame = pd.DataFrame(
        {
            "height": rng.normal(size=n),
            "count": rng.poisson(3, size=n),
            "colour": pd.Categorical(rng.choice(["red", "green", "blue"], n)),
            "word": rng.choice(["a", "b", "c", "d", "e"], n).astype(object),
            "day": day + pd.to_timedelta(rng.integers(0, 9000, n), unit="h"),
            "wait": pd.to_timedelta(rng.integers(0, 9000, n), unit="s"),
            "paid": rng.random(n) < 0.3,
        }
    )
    for column in ("height", "colour", "word", "day"):
        frame.loc[rng.random(n) < 0.1, column] = None
    return frame


def objects():
    """The same rows as an array of objects."""
    return mixed().drop(columns="wait").astype(object).to_numpy()


def colours(n=48):
    """Colour images of bytes: (n, height, width, channels)."""
    return np.random.default_rng(4).integers(0, 256, size=(n, 8, 8, 3), dtype=np.uint8)


def greys():
    """Grey images of floats in [0, 1]: (n, height, width)."""
    return np.random.default_rng(5).random((48, 8, 8))


def waves():
    """Time series of unequal length with two channels: a list of arrays (channels, length_i)."""
    steps = np.random.default_rng(6).normal(size=(48, 2, 30))
    return [one[:, : 12 + i % 19] for i, one in enumerate(steps.cumsum(axis=2))]


def sounds():
    """Tones of unequal length at 8 kHz: a list of arrays."""
    rng = np.random.default_rng(7)
    return [np.sin(0.1 * (1 + i % 4) * np.arange(n)) for i, n in enumerate(rng.integers(1_600, 8_000, size=48))]


def squared_distance(z_a, z_b):
    """An objective of the user's."""
    return (z_a - z_b).square().mean() - z_a.std(0).clamp(max=1).mean()


def slightly_noisy(x, data, generator):
    """A view of the user's."""
    return x + 0.1 * torch.randn(x.shape, generator=generator, device=x.device)


def network():
    """An encoder of the user's."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 8))


def image_network():
    """An encoder of images of the user's."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8))


def rmsprop(groups, lr, weight_decay):
    """An optimizer of the user's."""
    return torch.optim.RMSprop(groups, lr=lr, weight_decay=weight_decay)


# Configurations that differ in parameters and rows only: name -> (rows, parameters). The others are functions below.
PLAIN = {
    "default": (numbers, {"encoder": "auto", "projector": "auto", "max_epochs": 2}),
    "numbers": (numbers, {}),
    "numbers_float32": (lambda: numbers().astype(np.float32), {}),
    "missing_values": (gaps, {}),
    "mixed_table": (mixed, {}),
    "array_of_objects": (objects, {}),
    "sparse": (counts, {}),
    "left_over_rows": (lambda: numbers(97), {"batch_size": 16}),
    "passthrough_off": (mixed, {"passthrough": False}),
    "passthrough_on": (mixed, {"passthrough": True, "n_components": 4}),
    "n_components": (numbers, {"n_components": 5}),
    "quantile_scaling": (gaps, {"preprocessor": TablePreprocessor(scaling="quantile")}),
    "few_categories": (mixed, {"preprocessor": TablePreprocessor(max_categories=3)}),
    "named_categories": (numbers, {"preprocessor": TablePreprocessor(categorical_features=[1])}),
    "resnet": (mixed, {"encoder": ResNetEncoder(width=12)}),
    "resnet_n_components": (numbers, {"encoder": ResNetEncoder(width=12), "n_components": 5}),
    "piecewise_linear": (gaps, {"encoder": MLPEncoder((16,), expansion=PiecewiseLinear(n_bins=4))}),
    "periodic": (gaps, {"encoder": MLPEncoder((16,), expansion=Periodic(n_frequencies=4, width=4))}),
    "user_encoder": (numbers, {"encoder": network()}),
    "user_encoder_made_by_a_callable": (numbers, {"encoder": lambda spec: network()}),
    "marginal_corruption": (mixed, {"augmentation": "marginal_corruption"}),
    "marginal_corruption_rate": (mixed, {"augmentation": MarginalCorruption(0.5)}),
    "masking": (mixed, {"augmentation": "masking"}),
    "gaussian_noise": (mixed, {"augmentation": "gaussian_noise"}),
    "mixup": (mixed, {"augmentation": "mixup"}),
    "identity": (mixed, {"augmentation": "identity"}),
    "chain": (mixed, {"augmentation": Chain([("hide", Masking()), ("noise", GaussianNoise())])}),
    "pair": (mixed, {"augmentation": Pair(Identity(), MarginalCorruption())}),
    "user_augmentation": (numbers, {"augmentation": slightly_noisy}),
    "barlow_twins": (numbers, {"objective": "barlow_twins"}),
    "hsic": (numbers, {"objective": "hsic"}),
    "mixed_barlow_twins": (numbers, {"objective": "mixed_barlow_twins"}),
    "ssl_hsic": (numbers, {"objective": "ssl_hsic"}),
    "vicreg": (numbers, {"objective": "vicreg"}),
    "info_nce": (numbers, {"objective": "info_nce"}),
    "user_objective": (numbers, {"objective": squared_distance}),
    "identity_projector": (numbers, {"projector": "identity"}),
    "sgd": (numbers, {"optimizer": "sgd"}),
    "lars": (numbers, {"optimizer": "lars"}),
    "user_optimizer": (numbers, {"optimizer": rmsprop}),
    "cosine": (numbers, {"lr_schedule": "cosine", "max_epochs": 10}),
    "warmup_constant": (numbers, {"lr_schedule": "warmup_constant", "max_epochs": 10}),
    "constant": (numbers, {"lr_schedule": "constant", "max_epochs": 10}),
    "early_stopping": (numbers, {"early_stopping": True, "max_epochs": 8, "n_iter_no_change": 2}),
    "host": (numbers, {"storage": "host"}),
    "bfloat16": (numbers, {"precision": "bfloat16"}),
    "default_images": (colours, {"modality": "image", "encoder": "auto", "projector": "auto", "max_epochs": 1}),
    "images": (colours, SMALL_IMAGES),
    "images_channels_first": (lambda: colours().transpose(0, 3, 1, 2).copy(), SMALL_IMAGES),
    "images_grey": (greys, SMALL_IMAGES),
    "images_flat": (
        lambda: colours().reshape(48, -1),
        {**SMALL_IMAGES, "preprocessor": ImagePreprocessor(sample_shape=(8, 8, 3))},
    ),
    "images_host": (colours, {**SMALL_IMAGES, "storage": "host"}),
    "images_n_components": (colours, {**SMALL_IMAGES, "n_components": 5}),
    "images_resnet18": (colours, {**SMALL_IMAGES, "encoder": ImageResNetEncoder(width=4)}),
    "images_resnet50": (greys, {**SMALL_IMAGES, "encoder": ImageResNetEncoder(50, width=2), "max_epochs": 1}),
    "images_user_encoder": (colours, {**SMALL_IMAGES, "encoder": image_network()}),
    "images_chain": (colours, {**SMALL_IMAGES, "augmentation": VIEWS_OF_IMAGES}),
    "images_barlow_twins_pair": (colours, {**SMALL_IMAGES, "augmentation": "barlow_twins_pair"}),
    "images_hsic": (colours, {**SMALL_IMAGES, "objective": "hsic", "optimizer": "lars"}),
    "images_mixed": (colours, {**SMALL_IMAGES, "objective": "mixed_barlow_twins"}),
    "images_early_stopping": (colours, {**SMALL_IMAGES, "early_stopping": True, "n_iter_no_change": 2}),
    "images_bfloat16": (colours, {**SMALL_IMAGES, "precision": "bfloat16"}),
    "series": (waves, SMALL_SERIES),
    "series_one_channel": (numbers, {**SMALL_SERIES, "encoder": "auto", "max_epochs": 1}),
    "series_resnet": (waves, {**SMALL_SERIES, "encoder": SeriesResNetEncoder((8,))}),
    "audio": (sounds, SMALL_AUDIO),
}


def small(**params):
    """An embedder that fits in a fraction of a second."""
    return BarlowTwinsEmbedder(**{**SMALL, **params})


def outputs(embedder, X):
    """The embedding of X and the losses."""
    return {"embedding": embedder.transform(X), "loss_curve": np.asarray(embedder.loss_curve_)}


def plain(name):
    """Fit one of `PLAIN`."""
    rows, params = PLAIN[name]
    X = rows()
    return outputs(small(**params).fit(X), X)


def warm_start():
    """Two fits, the second one going on, with other rows."""
    embedder = small(warm_start=True).fit(numbers())
    return outputs(embedder.set_params(max_epochs=5).fit(numbers(120)), numbers())


def warm_start_of_images():
    embedder = small(**SMALL_IMAGES, warm_start=True).fit(colours())
    return outputs(embedder.set_params(max_epochs=5).fit(colours()), colours())


def partial_fit():
    """A stream of three chunks."""
    X, embedder = numbers(300), small()
    for chunk in np.split(X, 3):
        embedder.partial_fit(chunk)
    return outputs(embedder, X)


def partial_fit_after_fit():
    return outputs(small().fit(numbers()).partial_fit(numbers(120)), numbers())


def unlabeled():
    """Rows without a label join the fit."""
    X = mixed()
    return outputs(small().fit(X[:60], unlabeled=X[60:]), X)


def pickled():
    """A round trip by pickle, after which training goes on."""
    embedder = pickle.loads(pickle.dumps(small(warm_start=True).fit(mixed())))
    before = embedder.transform(mixed())
    return {"before": before, **outputs(embedder.set_params(max_epochs=5).fit(mixed()), mixed())}


def saved(**params):
    """A round trip by `save` and `load`, after which training goes on."""
    X = colours() if params.get("modality") == "image" else mixed()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "embedder.safetensors")
        small(**params, warm_start=True).fit(X).save(path)
        embedder = BarlowTwinsEmbedder.load(path)
    return {"before": embedder.transform(X), **outputs(embedder.set_params(max_epochs=5).fit(X), X)}


def saved_images():
    return saved(**SMALL_IMAGES)


def checkpoint():
    """A fit that keeps a checkpoint after each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        return outputs(small(checkpoint=folder, checkpoint_minutes=0).fit(numbers()), numbers())


def memory_map():
    """Images read from a file, a batch ahead."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npy")
        np.save(path, colours())
        return outputs(small(**SMALL_IMAGES).fit(np.load(path, mmap_mode="r")), colours())


def views():
    """`transform_views` with the embedder's augmentation and another one, and `score`."""
    X, embedder = mixed(), small().fit(mixed())
    return {
        "own": embedder.transform_views(X, 3),
        "masking": embedder.transform_views(X, augmentation="masking", random_state=1),
        "score": np.asarray(embedder.score(X)),
    }


def views_of_images():
    embedder = small(**SMALL_IMAGES).fit(colours())
    return {"own": embedder.transform_views(colours()), "score": np.asarray(embedder.score(colours()))}


def one_row():
    """Rows embedded one at a time."""
    X = numbers()
    embedder = small().fit(X)
    return {"embedding": np.concatenate([embedder.transform(X[[i]]) for i in range(5)])}


def nested_parameters():
    """Parameters of parts that are given by name."""
    params = {"augmentation__corruption_rate": 0.4, "objective__off_diagonal_weight": 0.1}
    return outputs(small(objective="hsic").set_params(**params).fit(mixed()), mixed())


def pipeline():
    """A classifier on the embedding."""
    X, y = numbers(), np.arange(100) % 2
    fitted = make_pipeline(small(), LogisticRegression(max_iter=1000)).fit(X, y)
    return {"probabilities": fitted.predict_proba(X)}


def results(search, X):
    """The scores of a search, and the outputs of its best embedder."""
    found = {"scores": search.cv_results_["mean_test_score"], **outputs(search.best_estimator_, X)}
    if hasattr(search, "stack_sizes_"):
        found["stack_sizes"] = np.asarray(search.stack_sizes_)
    return found


def batched_search(max_batch=4):
    """A grid search whose embedders are trained in stacks."""
    grid = {"learning_rate": [0.001, 0.01], "objective__off_diagonal_weight": [0.01, 0.1]}
    return results(BatchedGridSearchCV(small(), grid, cv=2, max_batch=max_batch).fit(numbers()), numbers())


def batched_search_one_by_one():
    return batched_search(max_batch=1)


def halving_search():
    """A search by successive halving over epochs."""
    search = EpochHalvingSearchCV(small(max_epochs=4), {"learning_rate": [0.001, 0.003, 0.01]}, min_epochs=2, cv=2)
    return results(search.fit(numbers()), numbers())


BY_TWO = {
    "table": (mixed, {}),
    "hsic": (numbers, {"objective": "hsic", "storage": "host"}),
    "early_stopping": (numbers, {"early_stopping": True, "n_iter_no_change": 2}),
    "images": (colours, SMALL_IMAGES),
}


def two_processes():
    """Fits by two processes under torchrun."""
    with tempfile.TemporaryDirectory() as folder:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        done = subprocess.run([*launcher, __file__, "--rank", folder], capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(done.stderr)
        with np.load(Path(folder, "two_processes.npz")) as arrays:
            return dict(arrays)


def by_two(folder):
    """The fits of one of the two processes; the first one writes them down."""
    found = {}
    for name, (rows, params) in BY_TWO.items():
        embedder = small(**params).fit(rows())
        found |= {f"{name}_{key}": array for key, array in outputs(embedder, rows()).items()}
    if distributed.get_rank() == 0:
        np.savez(Path(folder, "two_processes.npz"), **found)


SPECIAL = (
    warm_start,
    warm_start_of_images,
    partial_fit,
    partial_fit_after_fit,
    unlabeled,
    pickled,
    saved,
    saved_images,
    checkpoint,
    memory_map,
    views,
    views_of_images,
    one_row,
    nested_parameters,
    pipeline,
    batched_search,
    batched_search_one_by_one,
    halving_search,
    two_processes,
)
FITS = {**{name: lambda name=name: plain(name) for name in PLAIN}, **{fit.__name__: fit for fit in SPECIAL}}


def difference(before, after):
    """Describe how two dictionaries of arrays differ: "same", or the largest difference."""
    if before.keys() != after.keys():
        return f"other arrays: {', '.join(sorted(before.keys() ^ after.keys()))}"
    for name, array in before.items():
        if (array.shape, array.dtype) != (after[name].shape, after[name].dtype):
            return f"{name}: {array.shape} {array.dtype} became {after[name].shape} {after[name].dtype}"
    if all(array.tobytes() == after[name].tobytes() for name, array in before.items()):
        return "same"
    sizes = {name: float(np.abs(array - after[name]).max()) for name, array in before.items()}
    largest = max(sizes, key=sizes.get)
    return f"{largest} differs by up to {sizes[largest]:.2g}"


def write(path, found):
    """Write the arrays of a configuration to a file."""
    np.savez(path, **found)
    return "written"


def compare(path, found):
    """Compare the arrays of a configuration with those in a file."""
    if not path.exists():
        return "not written before"
    with np.load(path) as before:
        return difference(dict(before), found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="FOLDER", type=Path)
    what.add_argument("--compare", metavar="FOLDER", type=Path)
    what.add_argument("--list", action="store_true", help="print the names of the configurations")
    what.add_argument("--rank", help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="+", choices=sorted(FITS), metavar="NAME", default=list(FITS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.rank:
        return by_two(options.rank)
    if options.list:
        return print("\n".join(FITS))
    folder, handle = (options.write, write) if options.write else (options.compare, compare)
    folder.mkdir(parents=True, exist_ok=True)
    print("| configuration | embedding |\n|---|---|", flush=True)
    outcomes = []
    for name in options.only:
        outcomes.append(handle(folder / f"{name}.npz", FITS[name]()))
        print(f"| {name} | {outcomes[-1]} |", flush=True)
    differing = len(outcomes) - outcomes.count("same") - outcomes.count("written")
    sys.exit(f"{differing} of {len(outcomes)} configurations differ" if differing else 0)


if __name__ == "__main__":
    main()

"""Measure the speed of `transform`, compared with a bare loop over the trained network, and for one row.

    python benchmarks/transform.py [--rows 20000] [--columns 50] [--images 2000] [--rounds 9] [--threads 1]

The bare loop runs the trained encoder on preprocessed samples, in eval mode and inference mode, in blocks of 1,024 rows
or 256 images, into one output array. These alternate in one process: the bare loop, `transform` after preprocessing
("network part"), preprocessing, and the whole `transform`. Figures are medians over the rounds, with the quartiles of
the ratio.
"""

import argparse
import platform
import time

import numpy as np
import sklearn
import torch

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._inference._embed import count_weights, embed
from sklearn_twins.networks import ConvNetEncoder, ImageResNetEncoder, MLPEncoder

TABLES = {
    "mlp 3x256, default": MLPEncoder(),
    "mlp 4x256": MLPEncoder(hidden_dims=(256, 256, 256, 256)),
    "mlp 2x128": MLPEncoder(hidden_dims=(128, 128)),
}
IMAGES = {"convnet, default": ConvNetEncoder(), "resnet18, width 16": ImageResNetEncoder(width=16)}
ROWS_IN_A_LOOP, IMAGES_IN_A_LOOP = 1024, 256
FITTED_ON = 256
ONE_ROW_ROUNDS = 30  # multiplied by the number of rounds


def bare_loop(encoder, samples, size):
    """Embed samples by a plain loop."""
    samples, out = torch.from_numpy(samples), None
    with torch.inference_mode():
        for start in range(0, len(samples), size):
            z = encoder(samples[start : start + size])
            if out is None:
                out = torch.empty(len(samples), z.shape[1])
            out[start : start + size] = z
    return out.numpy()


def alternate(ways, rounds):
    """Measure the seconds of each variant in every round.  # dict of (rounds,)"""
    seconds = {name: [] for name in ways}
    for turn in range(rounds + 1):  # the first round is not counted
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def ways_of(embedder, X, size):
    """Return the compared variants, as functions without arguments."""
    encoder, preprocessor = embedder.encoder_, embedder.preprocessor_
    samples, spec = preprocessor.transform(X, owner=embedder), preprocessor.spec_
    n = spec.block_rows(count_weights(encoder))
    block = torch.from_numpy(np.zeros_like(samples, shape=(n, *samples.shape[1:])))

    def padded():
        with torch.inference_mode():
            encoder(block)

    return {
        "bare": lambda: bare_loop(encoder, samples, size),
        "padded": padded,
        "network": lambda: embed(encoder, samples, spec, embedder.precision, embedder.n_jobs),
        "preprocessing": lambda: preprocessor.transform(X, owner=embedder),
        "transform": lambda: embedder.transform(X),
    }


def ratio(over, under):
    """Format the median and quartiles of a ratio."""
    low, middle, high = np.percentile(over / under, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def many(name, embedder, X, size, rounds):
    """Print the row of one encoder on all samples."""
    ways = ways_of(embedder, X, size)
    expected, ours = ways["bare"](), ways["transform"]()
    if np.abs(ours - expected).max() > 1e-5 * np.abs(expected).max():
        raise ValueError(f"{name}: transform and the bare loop disagree.")
    del ways["padded"]
    seconds = alternate(ways, rounds)
    bare, network, preprocessing, whole = (seconds[way] for way in ways)
    times = " | ".join(f"{1e3 * np.median(t):.1f}" for t in (bare, network, preprocessing, whole))
    rate = len(X) / np.median(whole)
    print(f"| {name} | {times} | {ratio(bare, network)} | {ratio(bare, whole)} | {rate:,.0f} |", flush=True)


def one(name, embedder, X, size, rounds):
    """Print the row of one encoder on a single sample."""
    ways = ways_of(embedder, X[:1], size)
    seconds = alternate(ways, rounds)
    beyond = np.median(seconds["transform"] - seconds["padded"])
    times = " | ".join(f"{1e3 * np.median(seconds[way]):.3f}" for way in ways)
    print(f"| {name} | {times} | {1e3 * beyond:.3f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    table = rng.normal(size=(options.rows, options.columns)).astype(np.float32)
    images = rng.integers(0, 256, size=(options.images, 32, 32, 3), dtype=np.uint8)
    data = {"tabular": (TABLES, table, ROWS_IN_A_LOOP), "image": (IMAGES, images, IMAGES_IN_A_LOOP)}
    cases = []
    for modality, (encoders, X, size) in data.items():
        for name, encoder in encoders.items():
            params = {"encoder": encoder, "max_epochs": 1, "passthrough": False, "n_jobs": options.threads}
            embedder = BarlowTwinsEmbedder(modality=modality, **params, random_state=0)
            cases.append((name, embedder.fit(X[:FITTED_ON]), X, size))
    versions = (
        f"sklearn_twins {sklearn_twins.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}"
    )
    print(
        f"{versions}, {platform.machine()}; {options.rows} x {options.columns}, "
        f"{options.images} images of 32 x 32 x 3, {options.threads} thread(s)\n"
    )
    print(
        "| encoder | bare loop, ms | network part, ms | preprocessing, ms | transform, ms | bare / network part "
        "(quartiles) | bare / transform (quartiles) | rows/s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case in cases:
        many(*case, options.rounds)
    print("\nOne row:\n")
    print(
        "| encoder | network alone, ms | network on a padded block, ms | network part, ms | preprocessing, ms "
        "| transform, ms | transform - padded block, ms |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, embedder, X, size in cases:
        rounds = ONE_ROW_ROUNDS * options.rounds if X.ndim == 2 else options.rounds
        one(name, embedder, X, size, rounds)


if __name__ == "__main__":
    main()

"""Load thousands of damaged and forged files: each gives the same embedding or the one documented error.

    python benchmarks/fuzz_files.py [--n 10000] [--seed 0] [--seconds 10]

Saves small embedders of a mixed table (one with the state of a warm start), of images and of two views, changes the
files in nine ways (`_mutations.py`), five of which add a correct checksum to the change, and loads each. Prints
Markdown: the outcomes, the longest time of one file, and the growth of the process. Exits with an error if a file
raises anything but `UnreadableFileError`, takes longer than `--seconds`, or loads although it is damaged and its
checksum was not forged.
Linux and macOS.
"""

import argparse
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from _mutations import DAMAGES, mutations

from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder, UnreadableFileError
from sklearn_twins.networks import ConvNetEncoder, MLPEncoder, MLPProjector, Periodic, ResNetEncoder
from sklearn_twins.preprocessing import TablePreprocessor

OUTCOMES = ("refused", "same embedding", "another embedding", "transform refuses", "wrong")


def table(n=40):
    """Make rows with numbers, missing values, words and dates, as objects."""
    rng = np.random.default_rng(0)
    X = np.empty((n, 5), dtype=object)
    X[:, 0], X[:, 1] = rng.normal(size=n), np.where(rng.random(n) < 0.2, None, rng.integers(0, 9, n))
    X[:, 2], X[:, 3] = rng.choice(["red", "blue", None], n), rng.choice(["a", "b", "c"], n)
    X[:, 4] = (np.datetime64("2020-01-01", "us") + np.arange(n) * np.timedelta64(37, "h")).astype(object)
    return X


def embedders():
    """Fit small embedders of each kind; return them with their rows."""
    X, images = table(), np.random.default_rng(0).integers(0, 256, size=(40, 8, 8, 3), dtype=np.uint8)
    projector, training = MLPProjector((4,), 4), {"max_epochs": 1, "batch_size": 20, "random_state": 0}
    small = {"projector": projector, **training}
    ranks = TablePreprocessor(scaling="quantile")
    waves = MLPEncoder((8, 4), expansion=Periodic(n_frequencies=2, width=2))
    views = [
        ("first", BarlowTwinsEmbedder(encoder=MLPEncoder((8, 4)), projector=projector), slice(0, 3)),
        ("last", BarlowTwinsEmbedder(3, encoder=ResNetEncoder(width=4), projector=projector), [2, 3, 4]),
    ]
    return [
        (BarlowTwinsEmbedder(encoder=MLPEncoder((8, 4)), warm_start=True, **small).fit(X), X),
        (BarlowTwinsEmbedder(encoder=ResNetEncoder(width=4), n_components=3, **small).fit(X), X),
        (BarlowTwinsEmbedder(encoder=waves, preprocessor=ranks, **small).fit(X), X),
        (BarlowTwinsEmbedder(modality="image", encoder=ConvNetEncoder((4, 8)), **small).fit(images), images),
        (MultiViewEmbedder(views, **training).fit(X), X),
    ]


def outcome(cls, path, X, embedding, forged):
    """Load a file of a class; return one of `OUTCOMES`, and the error if there is one."""
    try:
        embedder = cls.load(path)
    except UnreadableFileError:
        return "refused", None
    except Exception as error:
        return "wrong", error
    try:
        embedder.set_params(verbose=0, n_jobs=1)
        found = embedder.transform(X)
    except Exception as error:
        return ("transform refuses", error) if forged else ("wrong", error)
    if isinstance(found, np.ndarray) and np.array_equal(found, embedding):
        return "same embedding", None
    return ("another embedding", None) if forged else ("wrong", "another embedding")


def too_long(*_):
    raise TimeoutError("it hangs")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    import resource

    warnings.simplefilter("ignore")
    made = embedders()
    embeddings = [embedder.transform(X) for embedder, X in made]
    counts, refusals, longest, wrong = Counter(), Counter(), 0.0, []
    signal.signal(signal.SIGALRM, too_long)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "embedder"
        contents = []
        for embedder, _ in made:
            embedder.save(path)
            contents.append(path.read_bytes())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for i, (way, which, content) in enumerate(mutations(contents, options.n, options.seed)):
            path.write_bytes(content)
            start = time.perf_counter()
            signal.alarm(options.seconds)
            cls, X = type(made[which][0]), made[which][1]
            found, error = outcome(cls, path, X, embeddings[which], way not in DAMAGES)
            signal.alarm(0)
            longest = max(longest, time.perf_counter() - start)
            counts[way.__name__, found] += 1
            if found == "wrong":
                wrong.append(f"{i} {way.__name__}: {error!r}")
            if found == "transform refuses":
                refusals[f"{type(error).__name__}: {str(error)[:80]}"] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{options.n:,} files, seed {options.seed}; slowest file {longest:.2f} s; process grew by {grown:,.0f} MiB\n")
    print(f"| change | {' | '.join(OUTCOMES)} |")
    print("|---|" + "---|" * len(OUTCOMES))
    for name in dict.fromkeys(name for name, _ in sorted(counts)):
        print(f"| {name} | {' | '.join(f'{counts[name, found]:,}' for found in OUTCOMES)} |")
    for line, n in refusals.most_common(20):
        print(f"{n} {line}", file=sys.stderr)
    if wrong:
        sys.exit("\n".join(wrong[:50]))


if __name__ == "__main__":
    main()

"""Spoken digits with few labels: the embedding of audio against summaries of the spectrogram, and an untrained encoder.

    python benchmarks/audio.py --data DIR [--sections digits views pitch cost] [--seeds 1] [--draws 10]
                               [--epochs auto] [--precision auto] [--clips 2400]

digits  the set of spoken digits in `--data` (3,000 clips at 8 kHz, official split, which shares its speakers): logistic
        regression on standardised features with 1, 5, 20 and all labels per class;
views   the same with views left out: all three, the crop, the mixture, the fading, none;
pitch   `--clips` notes made here whose class is the pitch, with the crop and without it;
cost    seconds of a training step, and the share of it that front end and views take.

Prints Markdown: mean accuracies, and CPU seconds of fits, which on a busy machine are more than on a quiet one.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy.fft import dct
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._parts._augmentation import bind
from sklearn_twins._parts._two_views import make_views
from sklearn_twins.augmentations import AudioCrop, AudioMixup, Chain, Identity, LinearFader, audio_views
from sklearn_twins.networks import AudioNTTEncoder
from sklearn_twins.preprocessing import AudioPreprocessor, AudioSpec

SECTIONS = ("digits", "views", "pitch", "cost")
COUNTS = (1, 5, 20, None)
RATE, N_PITCHES = 8_000, 24
VIEWS = {
    "all three": audio_views(),
    "crop": Chain([("crop", AudioCrop())]),
    "mixture": Chain([("mixup", AudioMixup())]),
    "fading": Chain([("fader", LinearFader())]),
    "none": Identity(),
}


def load_digits(directory):
    """Clips and digits, and the number of training clips, which come first."""
    with np.load(Path(directory) / "audio" / "fsdd.npz") as data:
        clips = np.split(data["waveforms"], data["offsets"][1:-1])
        return clips, data["y"].astype(int), int(data["n_train"])


def make_notes(n, rng):
    """Notes of 24 pitches a quarter tone apart: overtones, attack, decay, loudness, length, tuning, noise at random."""
    y, notes = np.arange(n) % N_PITCHES, []
    for pitch in y:
        hertz = 220 * 2 ** ((pitch + 0.1 * rng.normal()) / 24)
        t = np.arange(rng.integers(3 * RATE // 10, 6 * RATE // 10)) / RATE
        overtones = np.arange(1, 13)[np.arange(1, 13) * hertz < 0.4875 * RATE]
        weights = overtones ** -rng.uniform(0.3, 2) * rng.lognormal(size=len(overtones))  # the timbre
        phases = hertz * overtones[:, None] * t + rng.random((len(overtones), 1))
        note = weights / np.linalg.norm(weights) @ np.sin(2 * np.pi * phases)
        note *= np.minimum(t / rng.uniform(0.005, 0.1), 1) * np.exp(-t / rng.uniform(0.2, 2))
        note += 10 ** rng.uniform(-2.5, -1) * rng.normal(size=len(t))
        notes.append(10 ** rng.uniform(-1.5, 0) * note)
    return notes, y


def make_embedder(args, seed, **params):
    """The default embedder of audio at 8 kHz."""
    settings = {"max_epochs": args.epochs, "precision": args.precision, "random_state": seed, **params}
    embedder = BarlowTwinsEmbedder(modality="audio", **settings)
    return embedder.set_params(preprocessor__sample_rate=RATE, preprocessor__input_rate=RATE)


def embed_untrained(clips, seed):
    """The encoder with its initial weights: trained for no time, at a rate of nearly 0."""
    embedder = BarlowTwinsEmbedder(modality="audio", max_epochs=1, learning_rate=1e-12, random_state=seed)
    embedder.set_params(preprocessor__sample_rate=RATE, preprocessor__input_rate=RATE)
    return embedder.fit(clips).transform(clips)


def summarize(clips):
    """Mean and deviation over time of the log-mel values, and of 20 cepstral coefficients and their differences."""
    spectrograms = AudioPreprocessor(RATE, input_rate=RATE).fit_transform(clips)
    rows = [spectrograms.exact(np.array([i]))[0].T for i in range(len(clips))]  # (frames, bands)
    cepstra = [dct(row, axis=1, norm="ortho")[:, :20] for row in rows]
    cepstra = [np.hstack([c, np.gradient(c, axis=0)]) for c in cepstra]
    return tuple(np.stack([np.hstack([x.mean(0), x.std(0)]) for x in part]) for part in (rows, cepstra))


def accuracies(Z, y, n_train, draws):
    """Mean accuracy on the test clips with 1, 5, 20 and all labels per class."""
    found = []
    for count in COUNTS:
        scores = []
        for draw in range(draws if count else 1):
            rng, train = np.random.default_rng(draw), np.arange(n_train)
            if count:
                rows = [rng.permutation(np.flatnonzero(y[:n_train] == label))[:count] for label in np.unique(y)]
                train = np.concatenate(rows)
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The number of unique classes")  # with one label for each of 24
                model.fit(Z[train], y[train])
            scores.append(model.score(Z[n_train:], y[n_train:]))
        found.append(np.mean(scores))
    return np.array(found)


def fit(args, clips, n_train, seed, **params):
    """Embedding of all clips after a fit on the training clips, and its CPU seconds."""
    start = time.process_time()
    embedder = make_embedder(args, seed, **params).fit(clips[:n_train])
    seconds = time.process_time() - start
    return embedder.transform(clips), seconds


def print_row(name, found, seconds=None):
    """A row of a table."""
    cells = " | ".join(f"{value:.3f}" for value in found)
    print(f"| {name} | {cells} | {'' if seconds is None else f'{seconds:.0f}'} |", flush=True)


def head(title):
    """The head of a table."""
    print(f"\n## {title}\n\n| features | 1 | 5 | 20 | all | CPU s |\n|---|---|---|---|---|---|", flush=True)


def run_digits(args):
    """Few labels on spoken digits."""
    clips, y, n_train = load_digits(args.data)
    head("Spoken digits")
    for name, Z in zip(("log-mel, mean and std", "MFCC, mean and std"), summarize(clips), strict=True):
        print_row(name, accuracies(Z, y, n_train, args.draws))
    untrained = [accuracies(embed_untrained(clips, seed), y, n_train, args.draws) for seed in range(args.seeds)]
    print_row("untrained encoder", np.mean(untrained, axis=0))
    fits = [fit(args, clips, n_train, seed) for seed in range(args.seeds)]
    found = [accuracies(Z, y, n_train, args.draws) for Z, _ in fits]
    print_row("Barlow Twins", np.mean(found, axis=0), np.mean([seconds for _, seconds in fits]))


def run_views(args):
    """The same with views left out."""
    clips, y, n_train = load_digits(args.data)
    head("Views")
    for name, augmentation in VIEWS.items():
        fits = [fit(args, clips, n_train, seed, augmentation=augmentation) for seed in range(args.seeds)]
        found = [accuracies(Z, y, n_train, args.draws) for Z, _ in fits]
        print_row(name, np.mean(found, axis=0), np.mean([seconds for _, seconds in fits]))


def run_pitch(args):
    """Notes whose class is the pitch."""
    notes, y = make_notes(args.clips, np.random.default_rng(0))
    n_train = args.clips * 4 // 5
    mixup, fader = ("mixup", AudioMixup()), ("fader", LinearFader())
    views = {
        "default": audio_views(),
        "all bands kept": Chain([mixup, ("crop", AudioCrop(frequency=(1.0, 1.0))), fader]),
        "no crop": Chain([mixup, fader]),
    }
    head("Pitch")
    print_row("log-mel, mean and std", accuracies(summarize(notes)[0], y, n_train, args.draws))
    print_row("untrained encoder", accuracies(embed_untrained(notes, 0), y, n_train, args.draws))
    for name, augmentation in views.items():
        fits = [fit(args, notes, n_train, seed, augmentation=augmentation) for seed in range(args.seeds)]
        found = [accuracies(Z, y, n_train, args.draws) for Z, _ in fits]
        print_row(name, np.mean(found, axis=0), np.mean([seconds for _, seconds in fits]))


def run_cost(args):
    """The cost of a step and of its parts."""
    spec, generator = AudioSpec((64, 64)), torch.Generator().manual_seed(0)
    encoder, x = AudioNTTEncoder().build(spec, None, generator), torch.randn(256, 64, 64, generator=generator)
    views = bind(audio_views(), spec, torch.device("cpu"))
    noise = [clip for clip in np.random.default_rng(0).normal(size=(256, 5_040))]  # 64 frames each

    def time_of(work):
        work()
        start = time.process_time()
        work()
        return time.process_time() - start

    step = time_of(lambda: [encoder(x).sum().backward() for _ in range(2)])
    both = time_of(lambda: make_views(views, x, x, generator))
    front = time_of(lambda: AudioPreprocessor(RATE, input_rate=RATE).fit(noise))
    print("\n## Cost of 256 clips of 0.64 s\n\n| work | CPU s | of the step |\n|---|---|---|")
    for name, seconds in (("step of the encoder", step), ("two views", both), ("front end, once", front)):
        print(f"| {name} | {seconds:.3f} | {seconds / step:.2f} |")


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=None, help="directory with audio/fsdd.npz")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--epochs", type=lambda text: text if text == "auto" else int(text), default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--clips", type=int, default=2_400)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for section in args.sections:
        {"digits": run_digits, "views": run_views, "pitch": run_pitch, "cost": run_cost}[section](args)


if __name__ == "__main__":
    main()

"""Read the tables and images of a data directory: `manifest.json`, one CSV per table, arrays of bytes for images.

The manifest maps a table's name to its `file`, `kind` ("table"), `role` ("tune" or "report"), `categorical` (columns
read as strings) and `n_train` (number of rows in the official training part, which comes first, or null).
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split


def add_arguments(parser):
    """Add the options of every benchmark on real tables."""
    parser.add_argument("--data", type=Path, required=True, help="directory with manifest.json and the tables")
    parser.add_argument("--tables", nargs="+", help="names of the tables to use (default: all)")


def manifest(directory):
    """Return the manifest's entry of each table, by name."""
    entries = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    return {name: entry for name, entry in sorted(entries.items()) if entry["kind"] == "table"}


def load(directory, name):
    """Load a raw data frame and its labels."""
    entry = manifest(directory)[name]
    frame = pd.read_csv(
        directory / entry["file"],
        keep_default_na=False,  # "None" and "NA" are values in some tables
        na_values=[""],
        dtype={**dict.fromkeys(entry["categorical"], str), "target": str},
        low_memory=False,
    )
    return frame, frame.pop("target").to_numpy()


def split(directory, name):
    """Split into training and test rows: the official split, or a stratified quarter for testing."""
    X, y = load(directory, name)
    n_train = manifest(directory)[name]["n_train"]
    if n_train:
        return X.iloc[:n_train], X.iloc[n_train:], y[:n_train], y[n_train:]
    return train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)


def load_images(directory, name):
    """Load training images and labels, test images and labels.  # images: uint8 (n, height, width, channels)

    The manifest has one `file` with "X_train", "y_train", "X_test" and "y_test", or `parts`, each with "X" and "y"; the
    last part is the test part.
    """
    entry = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))[name]
    if entry["file"]:
        with np.load(directory / entry["file"]) as arrays:
            return tuple(arrays[key] for key in ("X_train", "y_train", "X_test", "y_test"))
    parts = []
    for path in entry["parts"]:
        with np.load(directory / path) as arrays:
            parts.append((arrays["X"], arrays["y"]))
    *train, (X_test, y_test) = parts
    X_train, y_train = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    return X_train, y_train, X_test, y_test


def draw_labels(y, count, seed):
    """Draw `count` rows of each class; return their indices."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.choice(np.flatnonzero(y == c), count, replace=False) for c in np.unique(y)])


def series_sets(directory, role):
    """Names of the sets of univariate time series of a role, "tune" or "report"."""
    entries = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    entries = {name: entry for name, entry in entries.items() if entry["kind"] == "series" and entry["channels"] == 1}
    return sorted(name for name, entry in entries.items() if entry["role"] == role)


def load_series(directory, name):
    """Load training series and labels, test series and labels.  # series: float32 (n, length)"""
    entry = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))[name]
    with np.load(directory / entry["file"]) as arrays:
        return tuple(arrays[key] for key in ("X_train", "y_train", "X_test", "y_test"))


def load_watch(directory, name, length=100, held_out=(8, 9, 10)):
    """Load windows of a set of recordings, and split them by people.  # series: float32 (n, channels, length)"""
    entry = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))[name]
    windows, labels, people = [], [], []
    with np.load(directory / entry["file"]) as arrays:
        recordings = np.split(arrays["values"], np.cumsum(arrays["lengths"])[:-1])  # each (steps, channels)
        for recording, label, person in zip(recordings, arrays["y"], arrays["subject"], strict=True):
            for start in range(0, len(recording) - length + 1, length):
                windows.append(recording[start : start + length].T)
                labels.append(label)
                people.append(person)
    X, y, test = np.array(windows, dtype=np.float32), np.array(labels), np.isin(people, held_out)
    return X[~test], y[~test], X[test], y[test]

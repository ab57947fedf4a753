"""Reads the tables of a data directory: `manifest.json`, and one CSV a table, strings and gaps as they came.

The manifest maps a table's name to its `file`, `kind` ("table"), `role` ("tune" or "report"), `categorical` (columns
that are read as strings) and `n_train` (rows of the official training part, which come first, or null).
"""

import json
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split


def add_arguments(parser):
    """The options of every benchmark on real tables."""
    parser.add_argument("--data", type=Path, required=True, help="directory with manifest.json and the tables")
    parser.add_argument("--tables", nargs="+", help="only these")


def manifest(directory):
    """What is said of each table."""
    entries = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    return {name: entry for name, entry in sorted(entries.items()) if entry["kind"] == "table"}


def load(directory, name):
    """A raw frame and its labels."""
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
    """Training and test rows: the official split, or a stratified quarter for the test."""
    X, y = load(directory, name)
    n_train = manifest(directory)[name]["n_train"]
    if n_train:
        return X.iloc[:n_train], X.iloc[n_train:], y[:n_train], y[n_train:]
    return train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)

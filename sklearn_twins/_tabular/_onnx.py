"""The parts of an ONNX graph that read a table, and put its columns next to the embedding."""

import math

import numpy as np
import torch
from torch import nn

from .._parts._modality import ALONE, OnnxFront
from ._categories import embedding_width
from ._passthrough import WIDEST

KINDS = ("number", "empty")


def column_names(preprocessor):
    """Names of the columns of X, in their order; x0, x1, ... if X had none."""
    return list(getattr(preprocessor, "feature_names_in_", [f"x{j}" for j in range(preprocessor.n_features_in_)]))


def check_numeric(preprocessor):
    """Refuse columns that an ONNX graph of numbers cannot read, by their names."""
    others = [
        (name, kind)
        for name, kind in zip(column_names(preprocessor), preprocessor.kinds_, strict=True)
        if kind not in KINDS
    ]
    if others:
        (name, kind), n = others[0], len(others)
        more = f" and {n - 1} more columns are" if n > 1 else " is"
        raise ValueError(f"An ONNX graph takes numbers, but column {name!r} ({kind}){more} of another kind. {ALONE}.")
    if preprocessor._numeric.ranks:
        raise ValueError(f"scaling='quantile' cannot be a part of an ONNX graph. {ALONE}.")


def read_rows(preprocessor):
    """The module that turns numbers of X into samples, and two rows of X."""
    check_numeric(preprocessor)
    return NumberReader(preprocessor), torch.zeros(2, preprocessor.n_features_in_, dtype=torch.float64)


def read_samples(preprocessor):
    """The module that leaves samples as they are, and two samples."""
    return nn.Identity(), torch.zeros(2, *preprocessor.spec_.shape)


class NumberReader(nn.Module):
    """Numbers of a table -> samples, as `NumberColumns.encode` makes them, in float64.

    Shape
    -----
    (rows, n_features_in_), float64, NaN where missing -> (rows, n_numbers), float32
    """

    def __init__(self, preprocessor):
        super().__init__()
        numeric = preprocessor._numeric
        self.bound = float(numeric.clip)
        self.register_buffer("places", torch.tensor(numeric.columns))
        self.register_buffer("void", torch.tensor([numeric.kinds[j] == "empty" for j in numeric.columns]))
        self.register_buffer("center", torch.from_numpy(numeric.center.copy()))
        self.register_buffer("scale", torch.from_numpy(numeric.scale.copy()))

    def forward(self, x):
        x = x[:, self.places]
        absent = x.isnan()
        x = torch.where(absent | self.void, self.center, x)  # no NaN goes through a clamp, which runtimes differ on
        most = np.finfo(np.float64).max
        z = ((x - self.center).clamp(-most, most) * self.scale).clamp(-1e9, 1e9)
        z = (z / torch.sqrt(1 + (z / self.bound).square())).float()
        return torch.where(absent, torch.nan, z)


class Columns(nn.Module):
    """Samples of a table -> the columns next to the embedding, as `write_columns` writes them.

    Shape
    -----
    (rows, numbers + codes), float32 -> (rows, n_inputs), float32
    """

    def __init__(self, spec):
        super().__init__()
        self.n_numbers, self.clip = spec.n_numbers, spec.clip
        self.widths = [embedding_width(n_codes) for n_codes in spec.categories]
        self.register_buffer("missing", torch.tensor(spec.missing, dtype=torch.int64))

    def forward(self, samples):
        numbers = samples[:, : self.n_numbers].nan_to_num(nan=0.0)
        if self.clip is not None:
            most = WIDEST / math.hypot(self.clip, WIDEST)
            numbers = (numbers / self.clip).clamp(-most, most)
            numbers = numbers * self.clip / torch.sqrt(1 - numbers.square())
        parts = [numbers]
        if len(self.missing):
            parts.append(samples[:, self.missing].isnan().float())
        for column, width in enumerate(self.widths, self.n_numbers):
            places = samples[:, column : column + 1] - 2  # behind the codes of missing and of unseen values
            parts.append((places == torch.arange(width)).float())  # (rows, width)
        return torch.cat(parts, dim=1)


FRONT = OnnxFront(read_rows, read_samples, column_names)

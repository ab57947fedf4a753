"""An embedder's `transform` as an ONNX graph: rows read where that is arithmetic, the encoder, columns beside it."""

import copy
import importlib
import math
import warnings

import numpy as np
import torch
from torch import nn

from .. import __version__
from .._components import embedding_width
from .._output import WIDEST
from .._runtime import settled
from ..preprocessing import ImagePreprocessor, TablePreprocessor
from ..preprocessing._intensities import BYTE_RANGE
from ._atomic import write_atomically

NEEDED = ("onnx", "onnxscript")
ALONE = "Export the encoder alone (preprocessing=False), which takes the samples that `preprocessor_.transform` makes"


def export(embedder, path, preprocessing):
    """Write an embedder as an ONNX model.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Fitted.
    path : str or path-like
        Where to.
    preprocessing : bool
        Whether the graph begins with rows of X, or with samples.

    Raises
    ------
    ImportError
        If a package is missing.
    ValueError
        If the preprocessing is more than arithmetic, or torch cannot export the encoder.
    """
    check_packages()
    reader, example = reader_of(embedder.preprocessor_) if preprocessing else samples_of(embedder.preprocessor_)
    name = "X" if preprocessing else "samples"
    graph = Graph(reader, copy.deepcopy(embedder.encoder_).cpu(), embedder._output, embedder.preprocessor_.spec_).eval()
    model = exported(graph, example, name).model_proto
    for key, value in {"sklearn_twins_version": __version__, "columns": ",".join(names_of(embedder))}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, [model.SerializeToString()])


def check_packages():
    """Refuse to begin without the packages that torch's exporter imports."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(
                f"to_onnx needs {' and '.join(NEEDED)}, of which {name} cannot be imported ({error}). "
                "Install them: `pip install sklearn-twins[onnx]`."
            ) from error


def exported(graph, example, name):
    """torch's ONNX program of a module, for any number of rows."""
    try:
        with settled(torch.device("cpu"), 1), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of its own insides
            return torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                input_names=[name],
                output_names=["transformed"],
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                verbose=False,
            )
    except Exception as error:  # torch.export has a family of its own, and any module may be in the graph
        raise ValueError(f"torch cannot export this encoder to ONNX ({type(error).__name__}: {error}).") from error


def names_of(embedder):
    """Names of the columns of X, in their order; none for images."""
    if not isinstance(embedder.preprocessor_, TablePreprocessor):
        return []
    return list(getattr(embedder, "feature_names_in_", [f"x{j}" for j in range(embedder.n_features_in_)]))


def reader_of(preprocessor):
    """The module that makes samples of X, and two rows of X.

    Raises
    ------
    ValueError
        If X holds more than numbers, or the preprocessor is not the package's own.
    """
    if isinstance(preprocessor, TablePreprocessor):
        check_numeric(preprocessor)
        return NumberReader(preprocessor), torch.zeros(2, preprocessor.n_features_in_, dtype=torch.float64)
    if isinstance(preprocessor, ImagePreprocessor):
        is_bytes = preprocessor.value_range_ == BYTE_RANGE
        dtype = torch.uint8 if is_bytes else torch.float32
        return ImageReader(*preprocessor.value_range_), torch.zeros((2, *preprocessor.sample_shape_), dtype=dtype)
    raise ValueError(f"{preprocessor!r} cannot be a part of an ONNX graph. {ALONE}.")


def check_numeric(preprocessor):
    """Refuse columns that an ONNX graph of numbers cannot hold, by their names."""
    names = getattr(preprocessor, "feature_names_in_", [f"x{j}" for j in range(preprocessor.n_features_in_)])
    others = [(name, kind) for name, kind in zip(names, preprocessor.kinds_, strict=True) if kind not in KINDS]
    if others:
        (name, kind), n = others[0], len(others)
        more = f" and {n - 1} more columns are" if n > 1 else " is"
        raise ValueError(f"An ONNX graph takes numbers, but column {name!r} ({kind}){more} of another kind. {ALONE}.")
    if preprocessor._numeric.ranks:
        raise ValueError(f"scaling='quantile' cannot be a part of an ONNX graph. {ALONE}.")


KINDS = ("number", "empty")


def samples_of(preprocessor):
    """The module that takes samples as they are, and two blank ones."""
    spec = preprocessor.spec_
    if getattr(preprocessor, "value_range_", None) == BYTE_RANGE:
        return Bytes(), torch.zeros((2, *spec.shape), dtype=torch.uint8)
    return nn.Identity(), torch.zeros((2, *spec.shape))


class Graph(nn.Module):
    """What `transform` computes, as one module.

    Shape
    -----
    (rows, ...) -> (rows, n_features)
    """

    def __init__(self, reader, encoder, output, spec):
        super().__init__()
        self.reader, self.encoder = reader, encoder
        self.columns = None
        if output.scale is not None:
            self.columns = Columns(spec)
            self.register_buffer("scale", torch.from_numpy(output.scale.copy()))
            self.register_buffer("column_scale", torch.from_numpy(output.column_scale.copy()))

    def forward(self, x):
        samples = self.reader(x)
        embedding = self.encoder(samples).float()
        if self.columns is None:
            return embedding
        return torch.cat([embedding * self.scale, self.columns(samples) * self.column_scale], dim=1)


class NumberReader(nn.Module):
    """Numbers of a table -> samples: what `NumberColumns.encode` does, in float64.

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


class ImageReader(nn.Module):
    """Images as they come -> intensities, channels first.

    Shape
    -----
    (rows, height, width, channels), uint8 or float32 -> (rows, channels, height, width), float32
    """

    def __init__(self, low, high):
        super().__init__()
        self.low, self.width = low, high - low

    def forward(self, x):
        return ((x.permute(0, 3, 1, 2).double() - self.low) / self.width).float()


class Bytes(nn.Module):
    """Samples of bytes -> intensities.

    Shape
    -----
    (rows, channels, height, width), uint8 -> the same, float32
    """

    def forward(self, x):
        return x.float() / 255


class Columns(nn.Module):
    """Samples of a table -> the columns that stand beside the embedding: what `write_columns` does.

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

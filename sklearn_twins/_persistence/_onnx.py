"""An embedder's `transform` as an ONNX graph: rows read where that is arithmetic, the encoder, columns beside it."""

import copy
import importlib
import warnings

import torch
from torch import nn

from .._image._intensities import BYTE_RANGE
from .._image._onnx import Bytes, ImageReader
from .._image._preprocessor import ImagePreprocessor
from .._parts._modality import ALONE
from .._runtime._torch_state import isolated_torch_state
from .._tabular._onnx import Columns, NumberReader, check_numeric
from .._tabular._preprocessor import TablePreprocessor
from .._version import __version__
from ._atomic_write import write_atomically

NEEDED = ("onnx", "onnxscript")


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
        with isolated_torch_state(torch.device("cpu"), 1), torch.no_grad(), warnings.catch_warnings():
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

"""An embedder's `transform` as an ONNX graph: X read if that is arithmetic, the encoder, columns next to its output."""

import copy
import importlib
import json
import warnings

import torch
from torch import nn

from .._modalities import record_of
from .._parts._modality import ALONE, OnnxFront
from .._runtime._torch_state import isolated_torch_state
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
        The file to write.
    preprocessing : bool
        Whether the graph's input is X; otherwise it is samples.

    Raises
    ------
    ImportError
        If a package is missing.
    ValueError
        If the preprocessing is more than arithmetic, or torch cannot export the encoder.
    """
    check_packages()
    preprocessor = embedder.preprocessor_
    front = choose_front(preprocessor)
    reader, example = (front.read_rows if preprocessing else front.read_samples)(preprocessor)
    encoder = copy.deepcopy(embedder.encoder_).cpu()
    graph = Graph(front.is_refused, reader, encoder, embedder._output, preprocessor.spec_).eval()
    model = export_graph(graph, example, "X" if preprocessing else "samples").model_proto
    about = {"sklearn_twins_version": __version__, "columns": json.dumps(list(front.column_names(preprocessor)))}
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, [model.SerializeToString()])


def check_packages():
    """Refuse to export without the packages that torch's exporter imports."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(
                f"to_onnx needs {' and '.join(NEEDED)}, of which {name} cannot be imported ({error}). "
                f"Install them: `pip install {' '.join(NEEDED)}`."
            ) from error


def export_graph(graph, example, name):
    """Export a module as torch's ONNX program, for any number of rows."""
    try:
        with isolated_torch_state(torch.device("cpu"), 1), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about torch's own internals
            return torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                input_names=[name],
                output_names=["transformed"],
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                verbose=False,
            )
    except Exception as error:  # torch.export raises many types, and a module can be anybody's
        raise ValueError(f"torch cannot export this encoder to ONNX ({type(error).__name__}: {error}).") from error


def choose_front(preprocessor):
    """The front of the modality whose own preprocessor this is; else one that takes samples as they are.

    Raises
    ------
    ValueError
        If it is asked for more.
    """
    record = record_of(preprocessor.spec_)
    if record.onnx is None:
        return OnnxFront(refuse_rows, pass_samples)
    front = record.onnx()
    is_own = record.stored is not None and isinstance(preprocessor, record.stored().preprocessor)
    return front if is_own else OnnxFront(refuse_rows, front.read_samples, is_refused=front.is_refused)


def refuse_rows(preprocessor):
    """Refuse a preprocessor that is not the package's own."""
    raise ValueError(f"{preprocessor!r} cannot be a part of an ONNX graph. {ALONE}.")


def pass_samples(preprocessor):
    """The module that leaves samples as they are, and two samples."""
    return nn.Identity(), torch.zeros((2, *preprocessor.spec_.shape))


class Graph(nn.Module):
    """All that `transform` computes, as one module.

    A graph cannot raise an error: rows that `transform` refuses become NaN.

    Shape
    -----
    (rows, ...) -> (rows, n_features)
    """

    def __init__(self, is_refused, reader, encoder, output, spec):
        super().__init__()
        self.is_refused = is_refused
        self.reader, self.encoder = reader, encoder
        self.columns = None
        if output.scale is not None:
            self.columns = record_of(spec).passthrough.make_module(spec)
            self.register_buffer("scale", torch.from_numpy(output.scale.copy()))
            self.register_buffer("column_scale", torch.from_numpy(output.column_scale.copy()))

    def forward(self, x):
        samples = self.reader(x)
        output = self.encoder(samples).float()
        if self.columns is not None:
            output = torch.cat([output * self.scale, self.columns(samples) * self.column_scale], dim=1)
        if not x.is_floating_point():
            return output
        refused = self.is_refused(x).flatten(1).any(1, keepdim=True)  # (rows, 1)
        return torch.where(refused, torch.nan, output)

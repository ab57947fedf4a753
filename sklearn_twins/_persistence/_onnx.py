"""An embedder's `transform` as an ONNX graph: X read if that is arithmetic, the encoder, columns next to its output."""

import contextlib
import copy
import importlib
import json
import warnings

import torch
from torch import nn

from .._modalities import record_of
from .._parts._modality import ALONE, OnnxFront
from .._parts._stored_state import shorten
from .._runtime._torch_state import isolated_torch_state
from .._version import __version__
from ._atomic_write import write_atomically
from ._state import divide

NEEDED, OUTPUT = ("onnx", "onnxscript"), "transformed"


def export(embedder, path, preprocessing, views=("",)):
    """Write an embedder as an ONNX model.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder or MultiViewEmbedder
        Fitted.
    path : str or path-like
        The file to write.
    preprocessing : bool
        Whether the graph's input is X; otherwise it is samples.
    views : list of str, default=("",)
        Names of the views to embed.

    Raises
    ------
    ImportError
        If a package is missing.
    ValueError
        If the preprocessing is more than arithmetic, or torch cannot export the encoder.
    """
    check_packages()
    composite, graphs, examples, columns = record_of(embedder._recipe.spec).composite, {}, {}, {}
    for part in divide(embedder._recipe, embedder.preprocessor_, embedder._output):
        if part.name in views:
            with named(part.name):
                front = choose_front(part.preprocessor)
                read = front.read_rows if preprocessing else pass_samples if composite else front.read_samples
                reader, examples[part.name] = read(part.preprocessor)
                columns[part.name] = list(front.column_names(part.preprocessor))
            network = copy.deepcopy(embedder.encoder_.get_submodule(part.network)).cpu()
            is_refused = getattr(reader, "is_refused", front.is_refused)  # which may depend on what was fitted
            graphs[part.name] = Graph(is_refused, reader, network, part.output, part.spec)
    if composite:
        graph, inputs, columns = composite().join_graphs(
            graphs, examples, columns, embedder.preprocessor_, embedder._output, preprocessing
        )
    else:
        (graph,), (example,), (columns,) = graphs.values(), examples.values(), columns.values()
        inputs = {"X" if preprocessing else "samples": example}
    if OUTPUT in inputs:
        raise ValueError(f"View {OUTPUT!r} has the name of the model's output. Give it another name and fit again.")
    try:
        model = export_graph(graph.eval(), inputs)
    except ValueError:
        for name in graphs if composite else ():  # which of them is it?
            with named(name, f"To export the others, leave it out: views={[v for v in graphs if v != name]}."):
                export_graph(graphs[name].eval(), {name: examples[name]})
        raise
    about = {"sklearn_twins_version": __version__, "columns": json.dumps(columns)}
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, [model.SerializeToString()])


@contextlib.contextmanager
def named(view, remedy=""):
    """Name the view, if there are several, in errors; and add a remedy."""
    try:
        yield
    except ValueError as error:
        if not view:
            raise
        raise ValueError(f"View {view!r}: {error} {remedy}".rstrip()) from error


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


def export_graph(graph, inputs, output=OUTPUT):
    """Export a module as an ONNX model, for any number of rows; `inputs` holds two rows for each by its name."""
    free_axes = getattr(getattr(graph, "reader", None), "free_axes", ())
    rows = {0: torch.export.Dim("rows"), **dict.fromkeys(free_axes, torch.export.Dim.DYNAMIC)}
    is_joined = len(inputs) > 1 or hasattr(graph, "graphs")
    try:
        with isolated_torch_state(torch.device("cpu"), 1), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about torch's own internals
            program = torch.onnx.export(
                graph,
                tuple(inputs.values()),
                dynamo=True,
                input_names=[f"{OUTPUT}_from_{i}" for i in range(len(inputs))],
                output_names=[output],
                dynamic_shapes=((rows,) * len(inputs),) if is_joined else (rows,),
                verbose=False,
            )
            model = program.model_proto
    except Exception as error:  # torch.export raises many types, and a module can be anybody's
        raise ValueError(
            f"torch cannot export this encoder to ONNX ({type(error).__name__}: {shorten(error)})."
        ) from error
    taken = {name for node in model.graph.node for name in node.output} | {t.name for t in model.graph.initializer}
    inner = {name: f"{OUTPUT}_by_{name}" for name in taken & inputs.keys()}  # torch may name a value as a view
    rename_values(model.graph, inner | dict(zip((entry.name for entry in model.graph.input), inputs, strict=True)))
    return model


def rename_values(graph, names):
    """Rename values of an ONNX graph, in graphs within it too."""
    for entry in (*graph.input, *graph.initializer, *graph.value_info):
        entry.name = names.get(entry.name, entry.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rename_values(attribute.g, names)


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
        self.register_buffer("scale", None if output.scale is None else torch.from_numpy(output.scale.copy()))
        if output.column_scale is not None:
            self.columns = record_of(spec).passthrough.make_module(spec)
            self.register_buffer("column_scale", torch.from_numpy(output.column_scale.copy()))

    def forward(self, x):
        samples = self.reader(x)
        output = self.encoder(samples).float()
        if self.scale is not None:
            output = output * self.scale
        if self.columns is not None:
            output = torch.cat([output, self.columns(samples) * self.column_scale], dim=1)
        if not x.is_floating_point():
            return output
        refused = self.is_refused(x).flatten(1).any(1, keepdim=True)  # (rows, 1)
        return torch.where(refused, torch.nan, output)

"""A classifier's `predict_proba` as an ONNX graph: two embedders and the linear models on them."""

import copy
import json

import torch
from torch import nn

from .._version import __version__
from ._atomic_write import write_atomically
from ._onnx import Graph, check_packages, choose_front, export_graph


def export_classifier(preprocessor, parts, classes, path, preprocessing):
    """Write a classifier as an ONNX model.

    Parameters
    ----------
    preprocessor : component
        Fitted.
    parts : list of (encoder, output, coef, intercept, share)
        Networks, their outputs, weights and intercepts on them, whose softmax are probabilities, and shares of these.
    classes : ndarray of shape (n_classes,)
        They are in the model's metadata.
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
    front = choose_front(preprocessor)
    reader, example = (front.read_rows if preprocessing else front.read_samples)(preprocessor)
    graphs = [
        Graph(front.is_refused, nn.Identity(), copy.deepcopy(encoder).cpu(), output, preprocessor.spec_)
        for encoder, output, *_ in parts
    ]
    is_refused = getattr(reader, "is_refused", front.is_refused)
    graph = ClassifierGraph(is_refused, reader, graphs, [part[2:4] for part in parts], [p[4] for p in parts]).eval()
    model = export_graph(graph, {"X" if preprocessing else "samples": example}, "probabilities")
    about = {
        "sklearn_twins_version": __version__,
        "columns": json.dumps(list(front.column_names(preprocessor))),
        "classes": json.dumps(classes.tolist()),
    }
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, [model.SerializeToString()])


class ClassifierGraph(nn.Module):
    """All that `predict_proba` computes, as one module; rows that it refuses become NaN.

    Shape
    -----
    (rows, ...) -> (rows, n_classes)
    """

    def __init__(self, is_refused, reader, graphs, models, shares):
        super().__init__()
        self.is_refused, self.reader, self.embedders, self.shares = is_refused, reader, nn.ModuleList(graphs), shares
        self.layers = nn.ModuleList()
        for coef, intercept in models:
            layer = nn.Linear(coef.shape[1], coef.shape[0])
            layer.load_state_dict({"weight": torch.from_numpy(coef), "bias": torch.from_numpy(intercept)})
            self.layers.append(layer)

    def forward(self, x):
        samples = self.reader(x)
        parts = zip(self.shares, self.embedders, self.layers, strict=True)
        proba = sum(share * layer(graph(samples)).softmax(1) for share, graph, layer in parts)
        if not x.is_floating_point():
            return proba
        refused = self.is_refused(x).flatten(1).any(1, keepdim=True)  # (rows, 1)
        return torch.where(refused, torch.nan, proba)

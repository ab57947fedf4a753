"""The ONNX graphs of several views as one: what each of them reads, and what stands where a view is missing."""

import torch
from torch import nn


def join_graphs(graphs, examples, columns, preprocessor, output, preprocessing):
    """Put the graphs of some views side by side.

    Parameters
    ----------
    graphs : dict of str to nn.Module
        The graph of each view by its name.
    examples : dict of str to Tensor
        Two rows for each.
    columns : dict of str to list
        Names of the columns of each.
    preprocessor : MultiViewPreprocessor
        Fitted.
    output : MultiViewOutput
        Of all views.
    preprocessing : bool
        Whether the graphs' input is X; otherwise it is samples.

    Returns
    -------
    graph : JoinedGraphs
    inputs : dict of str to Tensor
        Two rows for each input. Samples are one input, and so is X if it was one table, of which the graphs of all
        views read numbers. Otherwise there is one input for each view.
    columns : dict of str to list, or list
        Names of the columns of each view, or of X.
    """
    spec, names = preprocessor.spec_.subset(graphs), list(graphs)
    from_table = hasattr(preprocessor, "columns_") and names == preprocessor.names
    if not preprocessing:
        reader, inputs = Samples(spec), {"samples": torch.zeros(2, *spec.shape)}
    elif from_table and all(example.dim() == 2 for example in examples.values()):
        reader = OneTable(places_of(preprocessor))
        n = preprocessor.n_features_in_
        inputs = {"X": torch.zeros(2, n, dtype=torch.float64)}
        columns = list(getattr(preprocessor, "feature_names_in_", [f"x{j}" for j in range(n)]))
    else:
        reader, inputs = OnePerView(), examples
    fills = [torch.from_numpy(output.fills[name]) for name in names]
    return JoinedGraphs(reader, graphs.values(), fills), inputs, columns


def places_of(preprocessor):
    """Indices of the columns of each view in X."""
    places = {name: j for j, name in enumerate(getattr(preprocessor, "feature_names_in_", ()))}
    return [[places.get(label, label) for label in ([c] if isinstance(c, str) else c)] for c in preprocessor.columns_]


class JoinedGraphs(nn.Module):
    """All that `transform` computes for several views. If it refuses a view of a row, the row becomes NaN.

    Parameters
    ----------
    reader : nn.Module
        Inputs -> for each view its input, and where the view is missing: (rows, 1), bool, or None for nowhere.
    graphs : iterable of nn.Module
        The graph of each view.
    fills : list of Tensor of shape (n_features,)
        What stands where a view is missing.
    """

    def __init__(self, reader, graphs, fills):
        super().__init__()
        self.reader, self.graphs = reader, nn.ModuleList(graphs)
        for i, fill in enumerate(fills):
            self.register_buffer(f"fill{i}", fill.clone())

    def forward(self, *inputs):
        blocks = []
        for i, (graph, (x, missing)) in enumerate(zip(self.graphs, self.reader(*inputs), strict=True)):
            block = graph(x)
            blocks.append(block if missing is None else torch.where(missing, getattr(self, f"fill{i}"), block))
        output = torch.cat(blocks, dim=1)
        return torch.where(output.isnan().any(1, keepdim=True), torch.nan, output)


class OnePerView(nn.Module):
    """One input for each view, which is missing in rows that are NaN."""

    def forward(self, *views):
        return [(x, is_missing(x)) for x in views]


class OneTable(nn.Module):
    """The columns of each view in one table of numbers, in which a view is missing where all of them are NaN.

    Parameters
    ----------
    places : list of list of int
        Indices of the columns of each view.
    """

    def __init__(self, places):
        super().__init__()
        self.n_views = len(places)
        for i, own in enumerate(places):
            self.register_buffer(f"places{i}", torch.tensor(own))

    def forward(self, table):
        views = [table[:, getattr(self, f"places{i}")] for i in range(self.n_views)]
        return [(x, is_missing(x)) for x in views]


class Samples(nn.Module):
    """The samples of each view in those of several, which end with marks of the views that are there.

    Parameters
    ----------
    spec : MultiViewSpec
        Where the views are in a sample.
    """

    def __init__(self, spec):
        super().__init__()
        self.spec = spec

    def forward(self, samples):
        present = self.spec.presence(samples).split(1, dim=1)
        return [(view.take(samples), ~own) for view, own in zip(self.spec.views, present, strict=True)]


def is_missing(x):
    """Rows in which a view is missing; None if its values cannot be NaN.  # (rows, ...) -> (rows, 1), bool"""
    return x.isnan().flatten(1).all(1, keepdim=True) if x.is_floating_point() else None

"""Divide the fitted state of several views into one state for each view."""

from .._modalities import record_of
from .._parts._modality import Composite, FittedPart
from .._parts._stored_state import require
from ._onnx import join_graphs
from ._output import MultiViewOutput
from ._spec import MultiViewSpec
from ._views import EncodeEachView


def check_state(spec, encoder, preprocessor, output):
    """Refuse a state from a file whose parts have different views."""
    require(type(spec) is MultiViewSpec and type(encoder) is EncodeEachView, "its networks are for one view")
    require(type(output) is MultiViewOutput, "its output is that of one view")
    nested = [view.name for view in spec.views if record_of(view.spec).composite]
    require(not nested, "a view has views of its own")
    names, widths = preprocessor.names, encoder.widths_
    require(len(encoder.n_components) == len(widths) == len(names), "the numbers of views differ")
    parts = (encoder.views, encoder.projector.views)
    found = [*map(dict, parts), output.outputs, output.fills, output.projected]
    require(all(list(part) == names for part in found) and {*map(len, parts)} == {len(names)}, "its views differ")
    for (name, own), width, view in zip(output.outputs.items(), widths, spec.views, strict=True):
        require(own.width == width, "the embedding of a view has two widths")
        require((own.column_scale is not None) == view.passes_columns, "a view's columns have no scale")
        require(len(output.fills[name]) == own.n_features, "a view has another width where it is missing")


def divide(spec, encoder, preprocessor, output):
    """The state of each view.

    Returns
    -------
    parts : list of FittedPart
    """
    preprocessors, projectors = dict(preprocessor.views), dict(encoder.projector.views)
    return [
        FittedPart(
            preprocessors[name],
            view.spec,
            component,
            n_components,
            output.outputs[name],
            name=name,
            place=f"views[{i}][1].encoder",
            network=f"networks.{i}",
            projector=projectors[name],
            projector_network=f"projector.networks.{i}",
            projection_dim=output.projected[name].shape[1],
        )
        for i, ((name, component), n_components, view) in enumerate(
            zip(encoder.views, encoder.n_components, spec.views, strict=True)
        )
    ]


COMPOSITE = Composite(check_state, divide, join_graphs)

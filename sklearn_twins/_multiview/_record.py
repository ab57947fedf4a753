"""The record of rows with several views; all that belongs to one view is in that view's own record."""

from .._parts._modality import Modality
from .._parts._spec import SampleSpec


def learn_outputs(encoder, samples, spec, precision, n_jobs):
    """Learn the output of several views; see `_output.py`."""
    from ._output import learn_outputs

    return learn_outputs(encoder, samples, spec, precision, n_jobs)


def find_constant_views(samples, spec):
    """The views whose samples are all the same, in words."""
    blocks = {view.name: samples[:, view.start : view.stop] for view in spec.views}
    return [f"view {name!r}" for name, rows in blocks.items() if (rows == rows[:1]).all()]


def stored():
    """File schema of several views."""
    from ._schema import STORED

    return STORED


def composite():
    """How a fitted state is divided into one for each view."""
    from ._divide import COMPOSITE

    return COMPOSITE


MULTI_VIEW = Modality(
    name="multi_view",
    spec=SampleSpec,
    learn_output=learn_outputs,
    constant_columns=find_constant_views,
    stored=stored,
    composite=composite,
)

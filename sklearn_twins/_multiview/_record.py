"""The record of rows with several views; all that belongs to one view is in that view's own record."""

from .._parts._modality import Modality
from .._parts._spec import SampleSpec


def learn_outputs(encoder, samples, spec, precision, n_jobs):
    """Learn the output of several views; see `_output.py`."""
    from ._output import learn_outputs

    return learn_outputs(encoder, samples, spec, precision, n_jobs)


def stored():
    """File schema of several views."""
    from ._schema import STORED

    return STORED


def composite():
    """How a fitted state is divided into one for each view."""
    from ._divide import COMPOSITE

    return COMPOSITE


MULTI_VIEW = Modality(
    name="multi_view", spec=SampleSpec, learn_output=learn_outputs, stored=stored, composite=composite
)

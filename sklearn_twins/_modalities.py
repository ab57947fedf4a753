"""The records of all modalities, by the values of the parameter `modality`."""

from ._audio._record import AUDIO
from ._image._record import IMAGE
from ._parts._modality import OTHER
from ._series._record import SERIES
from ._tabular._record import TABULAR

MODALITIES = {record.name: record for record in (IMAGE, TABULAR, SERIES, AUDIO)}
DEFAULT = TABULAR.name


def record_of(spec):
    """The record of the modality that a spec belongs to; a user's own kind of sample has an empty one.

    Parameters
    ----------
    spec : SampleSpec
        ``spec_`` of a fitted preprocessor.

    Returns
    -------
    record : Modality
    """
    if hasattr(spec, "record"):
        return spec.record
    return next((record for record in MODALITIES.values() if type(spec) is record.spec), OTHER)

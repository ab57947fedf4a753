"""scikit-learn's own checks of a classifier, over the ways to configure one: none excused."""

import pytest
from sklearn.utils import estimator_checks
from test_checks import covering_checks, run, small

from sklearn_twins import BarlowTwinsClassifier
from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.preprocessing import ImagePreprocessor

AXES = {
    "embedder": (
        *(small(objective=objective) for objective in ("barlow_twins", "hsic", "vicreg", "ssl_hsic")),
        small(objective="mixed_barlow_twins", n_components=3, passthrough=True, early_stopping=True),
        small(objective="info_nce", optimizer="sgd"),
        small(modality="image", encoder=ConvNetEncoder(widths=(4,)), preprocessor=ImagePreprocessor((1, -1))),
    ),
    "early_stopping": (False, True),
    "warm_start": (False, True),
    "pseudo_labels": ("auto", True, False),
}
BEYOND_CHECK_ESTIMATOR = (
    "check_all_zero_sample_weights_error",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_param_validation",
)


def make(**params):
    """A classifier that fits in milliseconds."""
    return BarlowTwinsClassifier(**{"embedder": small(), "max_epochs": 2, **params})


# Every check meets a table and images; the objectives are shared out among the checks.
IMAGES = len(AXES["embedder"]) - 1
NEEDED = {(0, IMAGES), *((i, j) for i, values in enumerate(AXES.values()) if i for j in range(len(values)))}


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), covering_checks(AXES, NEEDED, make))
def test_matrix(estimator, check):
    run(check, estimator)


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize("name", BEYOND_CHECK_ESTIMATOR)
def test_beyond_check_estimator(name):
    getattr(estimator_checks, name)("BarlowTwinsClassifier", make())

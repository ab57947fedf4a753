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
    ),
    "of_images": (False, True),
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


OF_IMAGES = small(modality="image", encoder=ConvNetEncoder(widths=(4,)), preprocessor=ImagePreprocessor((1, -1)))


def make(embedder=AXES["embedder"][0], of_images=False, **params):
    """A classifier that fits in milliseconds."""
    return BarlowTwinsClassifier(OF_IMAGES if of_images else embedder, **{"max_epochs": 2, **params})


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), covering_checks(AXES, ("embedder", "pseudo_labels"), make))
def test_matrix(estimator, check):
    run(check, estimator)


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize("name", BEYOND_CHECK_ESTIMATOR)
def test_beyond_check_estimator(name):
    getattr(estimator_checks, name)("BarlowTwinsClassifier", make())

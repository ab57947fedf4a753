"""scikit-learn's own checks of a classifier, over the ways to configure one: none excused."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from test_checks import chosen, covering, run, small, spread

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


def covering_checks():
    """Pairs of a classifier and a check: every check meets every value, and every value the other axes' values."""
    rows = covering([len(values) for values in AXES.values()])
    checks_of = [list(estimator_checks_generator(make(**pick))) for pick in chosen(AXES)]
    return [
        pytest.param(*checks_of[row][check], id=f"{checks_of[row][check][1].func.__name__}-{row}")
        for check, picks in enumerate(spread(rows, len(checks_of[0])))
        for row in picks
    ]


@parametrize_with_checks([make()])
def test_small(estimator, check):
    run(check, estimator)


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), covering_checks())
def test_matrix(estimator, check):
    run(check, estimator)


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize("name", BEYOND_CHECK_ESTIMATOR)
def test_beyond_check_estimator(name):
    getattr(estimator_checks, name)("BarlowTwinsClassifier", make())

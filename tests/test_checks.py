"""scikit-learn's own checks of an estimator, over the ways an embedder can be configured: none excused."""

import dataclasses
import itertools
import os
import subprocess
import sys
from functools import cache, partial
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import (
    Chain,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    Identity,
    MarginalCorruption,
    Masking,
    Pair,
    RandomResizedCrop,
)
from sklearn_twins.networks import ConvNetEncoder, ImageResNetEncoder, MLPEncoder, MLPProjector, ResNetEncoder
from sklearn_twins.preprocessing import ImagePreprocessor, TablePreprocessor

AXES = {
    "objective": ("barlow_twins", "hsic"),
    "augmentation": (
        "marginal_corruption",
        "masking",
        "gaussian_noise",
        "mixup",
        Pair(Identity(), MarginalCorruption()),
        Chain([("hide", Masking()), ("noise", GaussianNoise())]),
    ),
    "optimizer": ("adamw", "lars", "muon"),
    "n_components": (None, 3),
    "early_stopping": (False, True),
    "warm_start": (False, True),
    "encoder": (MLPEncoder(hidden_dims=(8,)), ResNetEncoder(width=8, n_blocks=1, expansion="piecewise_linear")),
    "preprocessor": ("auto", TablePreprocessor(scaling="quantile", max_categories=3)),
}
# Images as flat rows of any length: one row of grey pixels.
IMAGE_AXES = {
    "objective": ("barlow_twins", "hsic"),
    "augmentation": (
        "image_views",
        "barlow_twins_pair",
        Chain([("crop", RandomResizedCrop()), ("blur", GaussianBlur()), ("cut", Cutout()), ("noise", GaussianNoise())]),
    ),
    "n_components": (None, 3),
    "early_stopping": (False, True),
    "warm_start": (False, True),
    "storage": ("auto", "host"),
    "encoder": (ConvNetEncoder(widths=(4, 8)), ImageResNetEncoder(width=4)),
    "preprocessor": (ImagePreprocessor((1, -1)), ImagePreprocessor((-1, 1, 1), value_range=(-3, 3))),
}
# These meet every other value in pairs, in the full matrix too.
OTHER_OBJECTIVES = ("info_nce", "mixed_barlow_twins", "ssl_hsic", "vicreg")
# Checks are about input and output, so they share these out among them: each value meets some checks.
SHARED_OUT = ("objective", "augmentation", "optimizer")
FULL_MATRIX = os.environ.get("SKLEARN_TWINS_FULL_MATRIX") == "1"

# What scikit-learn's own test suite runs on its transformers beyond `check_estimator`. Its twelfth,
# `check_all_zero_sample_weights_error`, is for estimators that take sample weights.
BEYOND_CHECK_ESTIMATOR = (
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
)

# 46 of scikit-learn 1.9's 47: the other one, `check_estimators_nan_inf`, is for estimators that refuse NaN.
WITH_ARRAY_API = """
from sklearn import __version__
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.networks import MLPEncoder, MLPProjector

embedder = BarlowTwinsEmbedder(
    max_epochs=2,
    encoder=MLPEncoder(hidden_dims=(8,)),
    projector=MLPProjector(hidden_dims=(8,), projection_dim=8),
)
checks = list(estimator_checks_generator(embedder))
is_new = tuple(map(int, __version__.split(".")[:2])) >= (1, 9)
assert len(checks) >= (46 if is_new else 40), len(checks)
of_arrays = [(estimator, check) for estimator, check in checks if "array_api" in check.func.__name__]
assert of_arrays or not is_new, checks
for estimator, check in of_arrays:
    check(estimator)
"""


def small(encoder=AXES["encoder"][0], **params):
    """An embedder that fits in milliseconds, with components of its own."""
    projector = MLPProjector(hidden_dims=(8,), projection_dim=8)
    return clone(BarlowTwinsEmbedder(max_epochs=2, encoder=encoder, projector=projector, **params))


def pairs(row):
    """Which value meets which in a row of the matrix, by position."""
    return set(itertools.combinations(enumerate(row), 2))


@cache
def covering(*sizes):
    """Few rows of a full product in which every value of one axis meets every value of another.

    Greedy: the next row is the first of those that bring the most new pairs.
    """
    product = {row: pairs(row) for row in itertools.product(*map(range, sizes))}
    missing = set().union(*product.values())
    rows = []
    while missing:
        rows.append(max(product, key=lambda row: len(product[row] & missing)))
        missing -= product[rows[-1]]
    return rows


def chosen(axes):
    """Parameters of the covering subset."""
    rows = covering(*map(len, axes.values()))
    return [{name: values[i] for i, (name, values) in zip(row, axes.items(), strict=True)} for row in rows]


def rows_of_checks(axes, shared, n_checks):
    """A row of the covering subset for each check, and rows with the next values of all axes that are not shared out.

    So each check meets every value of these, and all checks together every pair of values.
    """
    sizes = {name: len(values) for name, values in axes.items()}
    rows = covering(*sizes.values())
    for check in range(n_checks):
        for step in range(max(size for name, size in sizes.items() if name not in shared)):
            steps = zip(rows[check % len(rows)], sizes.items(), strict=True)
            yield check, tuple(i if name in shared else (i + step) % size for i, (name, size) in steps)


def with_all_objectives(axes):
    """The axes, with the other objectives beside the two of the matrix."""
    return {**axes, "objective": axes["objective"] + OTHER_OBJECTIVES}


def covering_checks(axes, shared, make):
    """Pairs of an estimator and a check of it: every check meets every value of the axes that are not shared out."""
    of_tags = {}  # checks by name

    def checks_of(estimator):
        tags = repr(get_tags(estimator))
        if tags not in of_tags:
            of_tags[tags] = {check.func.__name__: check for _, check in estimator_checks_generator(estimator)}
        return of_tags[tags]

    names = list({name: None for params in chosen(axes) for name in checks_of(make(**params))})
    found = []
    for number, row in rows_of_checks(axes, shared, len(names)):
        estimator = make(**{name: values[i] for i, (name, values) in zip(row, axes.items(), strict=True)})
        if check := checks_of(estimator).get(names[number]):
            found.append(pytest.param(estimator, check, id=f"{names[number]}-{''.join(map(str, row))}"))
    return found


def full_matrix(axes, **params):
    """Embedders of every combination of values; the other objectives in pairs with them."""
    picks = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    picks += chosen({**axes, "objective": OTHER_OBJECTIVES})
    return [small(**params, **pick) for pick in picks]


def parametrize_matrix(axes, **params):
    """Parametrise a test by an embedder and a check: all of the matrix, or the covering subset."""
    if FULL_MATRIX:
        return parametrize_with_checks(full_matrix(axes, **params))
    checks = covering_checks(with_all_objectives(axes), SHARED_OUT, partial(small, **params))
    return pytest.mark.parametrize(("estimator", "check"), checks)


def run(check, estimator):
    """Run a check; it may only be skipped for want of an environment variable."""
    try:
        check(estimator)
    except SkipTest as skip:
        assert "SCIPY_ARRAY_API" in str(skip)
        raise


@parametrize_with_checks([small()])
def test_small(estimator, check):
    run(check, estimator)


@pytest.mark.slow
@parametrize_with_checks([BarlowTwinsEmbedder(max_epochs=2)])
def test_default(estimator, check):
    run(check, estimator)


@pytest.mark.slow
@parametrize_matrix(AXES)
def test_matrix(estimator, check):
    run(check, estimator)


@pytest.mark.slow
@parametrize_matrix(IMAGE_AXES, modality="image")
def test_matrix_of_images(estimator, check):
    run(check, estimator)


@pytest.mark.slow
def test_array_api():
    """Checks that are skipped without this variable, which is read at the import of SciPy; there are no others."""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", WITH_ARRAY_API], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# The checks fit on a frame and transform an array, and the reverse; scikit-learn's PCA warns of it just so.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize("name", BEYOND_CHECK_ESTIMATOR)
def test_beyond_check_estimator(name):
    getattr(estimator_checks, name)("BarlowTwinsEmbedder", small())


def test_column_names_early_stopping():
    embedder = BarlowTwinsEmbedder(max_epochs=3, early_stopping=True, n_iter_no_change=1)
    estimator_checks.check_dataframe_column_names_consistency("BarlowTwinsEmbedder", embedder)


TAGGED = {
    "allow_nan": [[1.0, float("nan")], [2.0, 3.0], [float("nan"), 4.0]] * 4,
    "categorical": pd.DataFrame({"a": pd.Categorical(list("xyz") * 4)}),
    "string": [["x", 1.0], ["y", 2.0], [None, 3.0]] * 4,
    "sparse": sparse.csr_array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0]] * 4),
    "two_d_array": [[0.0, 1.0], [2.0, 5.0], [3.0, 0.0]] * 4,
}


@pytest.mark.parametrize("tag", TAGGED)
def test_tags_tell_the_truth(tag):
    embedder = small()
    assert getattr(get_tags(embedder).input_tags, tag) is True
    assert np.isfinite(embedder.fit_transform(TAGGED[tag])).all()


def test_no_other_input_is_claimed():
    claimed = {tag for tag, claim in dataclasses.asdict(get_tags(small()).input_tags).items() if claim}
    assert claimed == set(TAGGED)


def test_tags_are_those_of_a_preprocessor_of_the_users():
    class Numbers(TablePreprocessor):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.string = tags.input_tags.sparse = False
            return tags

    tags = get_tags(small(preprocessor=Numbers())).input_tags
    assert tags.allow_nan and not tags.string and not tags.sparse


def test_covering_covers():
    sizes = [len(values) for values in AXES.values()]
    rows = covering(*sizes)
    assert set().union(*map(pairs, rows)) == set().union(*map(pairs, itertools.product(*map(range, sizes))))
    assert len(rows) <= 24


@pytest.mark.parametrize("axes", [AXES, IMAGE_AXES], ids=["tables", "images"])
def test_checks_meet_what_they_need(axes):
    axes = with_all_objectives(axes)
    needed = {(i, j) for i, name in enumerate(axes) if name not in SHARED_OUT for j in range(len(axes[name]))}
    rows, met = list(rows_of_checks(axes, SHARED_OUT, 46)), set()
    assert len(rows) == 2 * 46
    for number in range(46):
        assert needed <= {value for check, row in rows if check == number for value in enumerate(row)}
    for _, row in rows:
        met |= pairs(row)
    assert met == set().union(*map(pairs, itertools.product(*(range(len(values)) for values in axes.values()))))


@pytest.mark.parametrize(("modality", "axes"), [("tabular", AXES), ("image", IMAGE_AXES)])
def test_every_configuration_has_the_same_checks(modality, axes):
    """So that a check's number means the same one in all of them."""
    picks = chosen(with_all_objectives(axes))
    checks = [
        [(c.func, c.keywords) for _, c in estimator_checks_generator(small(modality=modality, **p))] for p in picks
    ]
    assert all(names == checks[0] for names in checks)

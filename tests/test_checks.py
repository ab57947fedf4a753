"""scikit-learn's own checks of an estimator, over the ways an embedder can be configured: none excused."""

import dataclasses
import itertools
import os
import subprocess
import sys
from collections import Counter
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
SHARED_OUT = ("objective", "augmentation")
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
ALL_WITH_ARRAY_API = """
from sklearn import __version__
from sklearn.utils.estimator_checks import check_estimator
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.networks import MLPEncoder, MLPProjector

embedder = BarlowTwinsEmbedder(
    max_epochs=2,
    encoder=MLPEncoder(hidden_dims=(8,)),
    projector=MLPProjector(hidden_dims=(8,), projection_dim=8),
)
results = check_estimator(embedder, on_fail=None, on_skip=None)
bad = [(result["check_name"], result["status"], result["exception"]) for result in results
       if result["status"] != "passed"]
assert not bad, bad
least = 46 if tuple(map(int, __version__.split(".")[:2])) >= (1, 9) else 40
assert len(results) >= least, len(results)
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


def spread(rows, n_checks, needed):
    """Few rows for each check, in which every needed value appears (axis, value); over all checks, every row is used.

    Greedy: the next row is the one with the most missing values; of several, one that the fewest checks have used.
    """
    uses = Counter()
    for _ in range(n_checks):
        missing, picks = set(needed), []
        while missing:
            pick = max(range(len(rows)), key=lambda i: (len(missing & set(enumerate(rows[i]))), -uses[i]))
            missing -= set(enumerate(rows[pick]))
            picks.append(pick)
            uses[pick] += 1
        yield picks


def with_all_objectives(axes):
    """The axes, with the other objectives beside the two of the matrix."""
    return {**axes, "objective": axes["objective"] + OTHER_OBJECTIVES}


def needed_by_checks(axes):
    """Values that every check meets, by their numbers: (axis, value)."""
    return {(i, j) for i, name in enumerate(axes) if name not in SHARED_OUT for j in range(len(axes[name]))}


def covering_checks(axes, needed, make):
    """Pairs of an estimator and a check: every check meets the needed values, every value every other axis's values."""
    rows = covering(*map(len, axes.values()))
    checks_of = [list(estimator_checks_generator(make(**pick))) for pick in chosen(axes)]
    return [
        pytest.param(*checks_of[row][check], id=f"{checks_of[row][check][1].func.__name__}-{row}")
        for check, picks in enumerate(spread(rows, len(checks_of[0]), needed))
        for row in picks
    ]


def full_matrix(axes, **params):
    """Embedders of every combination of values; the other objectives in pairs with them."""
    picks = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    picks += chosen({**axes, "objective": OTHER_OBJECTIVES})
    return [small(**params, **pick) for pick in picks]


def parametrize_matrix(axes, **params):
    """Parametrise a test by an embedder and a check: all of the matrix, or the covering subset."""
    if FULL_MATRIX:
        return parametrize_with_checks(full_matrix(axes, **params))
    axes = with_all_objectives(axes)
    checks = covering_checks(axes, needed_by_checks(axes), partial(small, **params))
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
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", ALL_WITH_ARRAY_API], env=environment, capture_output=True, text=True)
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
    rows, needed = covering(*map(len, axes.values())), needed_by_checks(axes)
    assert {list(axes)[axis] for axis, _ in needed} == axes.keys() - set(SHARED_OUT)
    picks = list(spread(rows, 40, needed))
    for row_numbers in picks:
        assert needed <= {value for i in row_numbers for value in enumerate(rows[i])}
    assert {i for row_numbers in picks for i in row_numbers} == set(range(len(rows)))


@pytest.mark.parametrize(("modality", "axes"), [("tabular", AXES), ("image", IMAGE_AXES)])
def test_every_configuration_has_the_same_checks(modality, axes):
    """So that a check's number means the same one in all of them."""
    picks = chosen(with_all_objectives(axes))
    checks = [
        [(c.func, c.keywords) for _, c in estimator_checks_generator(small(modality=modality, **p))] for p in picks
    ]
    assert all(names == checks[0] for names in checks)

"""Rows without labels in a fit: directly, in searches, with metadata routing."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_twins._inputs._unlabeled import append_unlabeled

HELD = {
    "array": lambda X: X,
    "list": lambda X: X.tolist(),
    "objects": lambda X: X.astype(object),
    "sparse": sparse.csr_array,
    "masked": lambda X: np.ma.masked_greater(X, 2.0),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
    "pyarrow": lambda X: pa.table(dict(zip("abcd", X.T, strict=True))),
}


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(60, 4))


@pytest.mark.parametrize("held", HELD)
def test_they_join_the_fit(make, rows, held):
    """The fit is that of one table with both; the output has the rows of X only."""
    as_held = HELD[held]
    few, more = as_held(rows[:20]), as_held(rows[20:])
    together = make().fit(as_held(rows))
    apart = make().fit(few, unlabeled=more)
    assert_array_equal(apart.transform(few), together.transform(few))
    assert_array_equal(make().fit_transform(few, unlabeled=more), together.transform(few))
    assert apart.transform(few).shape[0] == 20


@pytest.mark.slow
def test_images(make):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    parts = {"modality": "image", "encoder": "auto"}
    together = make(**parts).fit(images)
    assert_array_equal(
        make(**parts).fit(images[:9], unlabeled=images[9:]).transform(images), together.transform(images)
    )


def test_columns_in_another_order(make, rows):
    frame = HELD["pandas"](rows)
    swapped = make().fit(frame[:20], unlabeled=frame.loc[20:, ["d", "c", "b", "a"]])
    assert_array_equal(swapped.transform(frame), make().fit(frame).transform(frame))


def test_categories_of_both_are_known():
    a, b = (pd.DataFrame({"job": pd.Categorical(values)}) for values in (["x", "y"], ["y", "z"]))
    assert list(append_unlabeled(a, b)["job"]) == ["x", "y", "y", "z"]


def test_they_are_left_alone(make, rows):
    few, more = rows[:20].copy(), rows[20:].copy()
    make().fit(few, unlabeled=more)
    assert_array_equal(few, rows[:20])
    assert_array_equal(more, rows[20:])


REFUSED = {
    "fewer columns": (lambda X: X[:, :3], ValueError, r"unlabeled has rows of shape \(3,\), and X of shape \(4,\)"),
    "one row": (lambda X: X[0], ValueError, "unlabeled has rows of shape"),
    "another kind": (
        HELD["pandas"],
        TypeError,
        "unlabeled must be in the container of X, an array. Got a frame of pandas",
    ),
    "a list": (HELD["list"], TypeError, "Got a list"),
    "sparse": (HELD["sparse"], TypeError, "Got a sparse array"),
    "infinity": (lambda X: X * np.inf, ValueError, "infinity"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(make, rows, case):
    change, error, message = REFUSED[case]
    embedder = make()
    with pytest.raises(error, match=message):
        embedder.fit(rows, unlabeled=change(rows.copy()))
    assert not hasattr(embedder, "encoder_")


def test_frames_refused(make, rows):
    frame = HELD["pandas"](rows)
    with pytest.raises(ValueError, match=r"lacks \['a'\], and has \['e'\] in addition"):
        make().fit(frame, unlabeled=frame.rename(columns={"a": "e"}))
    with pytest.raises(TypeError, match=r"a frame of pandas\. Got a frame of polars"):
        make().fit(frame, unlabeled=HELD["polars"](rows))
    with pytest.raises(ValueError, match="These differ: 'b': Float64, String"):
        make().fit(HELD["polars"](rows), unlabeled=HELD["polars"](rows).cast({"b": pl.String}))


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    return rng.normal(size=(24, 4)) + 3 * y[:, None], y, rng.normal(size=(50, 4)) + 3 * (np.arange(50) % 2)[:, None]


def searched(embedder, **params):
    pipeline = Pipeline([("embedder", embedder), ("classifier", LogisticRegression())])
    grid = {"embedder__augmentation__corruption_rate": [0.1, 0.4]}
    return GridSearchCV(pipeline, grid, cv=2, error_score="raise", **params)


@pytest.mark.slow
def test_they_join_every_fold_of_a_search(make, labelled):
    X, y, more = labelled
    search = searched(make()).fit(X, y, embedder__unlabeled=more)
    expected = []
    for rate in (0.1, 0.4):
        for half in (0, 1):
            train = np.flatnonzero((np.arange(24) // 12) != half)
            test = np.flatnonzero((np.arange(24) // 12) == half)
            embedder = make().set_params(augmentation__corruption_rate=rate).fit(X[train], unlabeled=more)
            classifier = LogisticRegression().fit(embedder.transform(X[train]), y[train])
            expected.append(classifier.score(embedder.transform(X[test]), y[test]))
    results = search.cv_results_
    found = np.column_stack([results["split0_test_score"], results["split1_test_score"]])
    np.testing.assert_allclose(found.ravel(), expected)
    whole = make().set_params(**{name.removeprefix("embedder__"): v for name, v in search.best_params_.items()})
    whole.fit(X, unlabeled=more)
    assert_array_equal(search.best_estimator_["embedder"].transform(X), whole.transform(X))


@pytest.mark.slow
def test_metadata_routing(make, labelled):
    X, y, more = labelled
    with sklearn.config_context(enable_metadata_routing=True):
        search = searched(make().set_fit_request(unlabeled=True)).fit(X, y, unlabeled=more)
        nested = cross_val_score(search, X, y, cv=2, params={"unlabeled": more}, error_score="raise")
    assert np.isfinite(nested).all()
    plain = searched(make()).fit(X, y, embedder__unlabeled=more)
    assert_array_equal(plain.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])


def test_labels_of_minus_one_go_by_untouched(make, labelled):
    """Labels of -1, scikit-learn's mark of rows without a label, reach the classifier behind the embedder."""
    X, y, _ = labelled
    partly = np.where(np.arange(24) < 16, y, -1)
    pipeline = make_pipeline(make(), SelfTrainingClassifier(LogisticRegression()))
    assert pipeline.fit(X, partly).score(X, y) > 0.5
    assert_array_equal(partly[16:], -1)

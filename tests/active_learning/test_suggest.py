"""suggest_labels: every estimator, "auto", labels and their marks, index labels, refusals."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import small_classifier, small_embedder, small_table
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins import MultiViewEmbedder, active_learning
from sklearn_twins.active_learning import badge, core_set, margin, max_herding, suggest_labels, typiclust


class Given(TransformerMixin, BaseEstimator):
    """An embedder that returns X as it is, as an array."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.asarray(X)


X, CLASSES = make_blobs(90, 4, centers=3, random_state=0)
GIVEN = Given().fit(X)


def labels(n_labeled, mark=-1, seed=0):
    """Labels of the first rows of a random order; the others have a mark."""
    y = CLASSES.astype(object if mark is None else float if mark != mark else int)
    y[np.random.default_rng(seed).permutation(90)[n_labeled:]] = mark
    return y


def logistic_proba(Z, y):
    return LogisticRegression(max_iter=1_000).fit(Z[y >= 0], y[y >= 0]).predict_proba(Z)


def test_strategies_are_the_functions():
    """With an embedder, probabilities are those of logistic regression on the embedding."""
    y = labels(30)
    labeled, proba = y >= 0, logistic_proba(X, y)
    for name in ("core_set", "max_herding", "probcover", "random", "typiclust"):
        expected = getattr(active_learning, name)(X, 7, labeled=labeled, random_state=0)
        assert_array_equal(suggest_labels(GIVEN, X, y, 7, name, random_state=0), expected)
    for name in ("entropy", "least_confidence", "margin"):
        expected = getattr(active_learning, name)(proba, 7, labeled=labeled)
        assert_array_equal(suggest_labels(GIVEN, X, y, 7, name), expected)
    expected = badge(X, proba, 7, labeled=labeled, random_state=0)
    assert_array_equal(suggest_labels(GIVEN, X, y, 7, "badge", random_state=0), expected)


def test_auto_turns_from_typical_to_uncertain_rows():
    """From five labels for each class of y on."""
    assert_array_equal(suggest_labels(GIVEN, X, n=7), max_herding(X, 7))
    for n_labeled, uncertain in [(14, False), (15, True), (60, True)]:
        y = labels(n_labeled, seed=1)
        assert set(y) == {-1, 0, 1, 2}
        typical = max_herding(X, 7, labeled=y >= 0)
        in_doubt = badge(X, logistic_proba(X, y), 7, labeled=y >= 0, random_state=0)
        assert_array_equal(suggest_labels(GIVEN, X, y, 7, random_state=0), in_doubt if uncertain else typical)
    with pytest.raises(ValueError, match="-1 and 1 are read as two classes"):
        suggest_labels(GIVEN, X, np.where(CLASSES == 1, 1, -1))
    one = np.where(CLASSES == 1, "b", None)
    assert_array_equal(suggest_labels(GIVEN, X, one, 7), max_herding(X, 7, labeled=CLASSES == 1))


@pytest.mark.parametrize("mark", [-1, np.nan, None, -7], ids=str)
def test_marks_of_rows_without_label(mark):
    y, known = labels(30, mark), labels(30) >= 0
    expected = core_set(X, 7, labeled=known)
    assert_array_equal(suggest_labels(GIVEN, X, y, 7, "core_set", unlabeled_label=mark), expected)
    assert_array_equal(suggest_labels(GIVEN, X, y.tolist(), 7, "core_set", unlabeled_label=mark), expected)


@pytest.fixture(scope="module")
def fitted():
    """A table, labels of some rows, and estimators fitted to them."""
    table = small_table()
    y = np.where(np.arange(60) < 20, table[:, 0] > 0, -1)
    return table, y, small_embedder().fit(table), small_classifier().fit(table, y)


def test_embedders_and_classifiers(fitted):
    table, y, embedder, classifier = fitted
    Z, labeled = embedder.transform(table), y >= 0
    typical = typiclust(Z, 5, labeled=labeled, random_state=0)
    for estimator in (embedder, FrozenEstimator(embedder)):
        assert_array_equal(suggest_labels(estimator, table, y, 5, "typiclust", random_state=0), typical)
    proba = classifier.predict_proba(table)
    assert_array_equal(suggest_labels(classifier, table, y, 5, "margin"), margin(proba, 5, labeled=labeled))
    classifier_of_nine = small_classifier(unlabeled_label=9).fit(table, np.where(labeled, y, 9))
    for estimator in (classifier_of_nine, make_pipeline(FrozenEstimator(classifier_of_nine))):
        rows = suggest_labels(estimator, table, np.where(labeled, y, 9), 5, "margin")
        assert_array_equal(rows, margin(classifier_of_nine.predict_proba(table), 5, labeled=labeled))
    own = classifier.embedder_.transform(table)
    expected = badge(own, proba, 5, labeled=labeled, random_state=0)
    assert_array_equal(suggest_labels(classifier, table, y, 5, random_state=0), expected)
    expected = badge(own, proba, 5, random_state=0)
    assert_array_equal(suggest_labels(classifier, table, n=5, random_state=0), expected), "it knows labels"


def test_pipelines_and_searches(fitted):
    """The embedding is what the last step gets, or what the embedder in it makes of this."""
    table, y, embedder, _ = fitted
    rows, labeled = table[y >= 0], y >= 0
    pipeline = make_pipeline(FrozenEstimator(embedder), LogisticRegression()).fit(rows, y[labeled])
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0]}, cv=2).fit(rows, y[labeled])
    typical = typiclust(embedder.transform(table), 5, labeled=labeled, random_state=0)
    for estimator in (pipeline, search):
        assert_array_equal(suggest_labels(estimator, table, y, 5, "typiclust", random_state=0), typical)
        expected = margin(estimator.predict_proba(table), 5, labeled=labeled)
        assert_array_equal(suggest_labels(estimator, table, y, 5, "margin"), expected)
    scaled = make_pipeline(StandardScaler(), small_classifier()).fit(table, y)
    Z = scaled[-1].embedder_.transform(scaled[:-1].transform(table))
    expected = core_set(Z, 5, labeled=labeled)
    assert_array_equal(suggest_labels(scaled, table, y, 5, "core_set"), expected)


def test_several_views():
    table = small_table()
    views = [("a", small_embedder(max_epochs="auto", batch_size=256, random_state=None), [0, 1, 2])]
    views += [("b", small_embedder(max_epochs="auto", batch_size=256, random_state=None), [3, 4])]
    embedder = MultiViewEmbedder(views, max_epochs=1, random_state=0).fit(table)
    assert_array_equal(suggest_labels(embedder, table, n=5), max_herding(embedder.transform(table), 5))


def test_index_labels_of_pandas():
    """Frames of other libraries have none."""
    frame = pd.DataFrame(X, index=[f"row {i}" for i in range(90)])
    rows = suggest_labels(GIVEN, X, n=5)
    found = suggest_labels(GIVEN, frame, n=5)
    assert isinstance(found, pd.Index) and found.tolist() == [f"row {i}" for i in rows]
    assert_array_equal(frame.loc[found], X[rows])
    y = pd.Series(labels(30), index=frame.index)
    assert (y[suggest_labels(GIVEN, frame, y)] == -1).all()
    with pytest.raises(ValueError, match=r"row 0 is 'row 89' in y and 'row 0' in X\. Give y\.loc\[X\.index\]"):
        suggest_labels(GIVEN, frame, y[::-1])
    assert_array_equal(suggest_labels(GIVEN, pl.DataFrame(X), n=5), rows)
    frame.index = [0, 0, *range(1, 89)]
    with pytest.raises(ValueError, match=r"several rows with the index label 0, .*X\.reset_index\(drop=True\)"):
        suggest_labels(GIVEN, frame, n=5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n": 0}, r"'n' parameter of suggest_labels must be an int in the range \[1, inf\). Got 0"),
        ({"n": 91}, "n=91 is larger than the number of rows without label, 90"),
        ({"n": 61, "y": labels(30)}, "n=61 is larger than the number of rows without label, 60"),
        ({"y": labels(30)[:80]}, "y has 80 values for 90 rows of X"),
        (
            {"y": CLASSES},
            "y has labels for all 90 rows, so that none is left to suggest. .*unlabeled_label=-1",
        ),
        ({"y": X[:, 0]}, "Unknown label type: continuous"),
        ({"y": np.array(["a", "-1"] * 45)}, "y holds the text '-1'"),
        ({"strategy": "best"}, "'strategy' parameter of suggest_labels"),
        (
            {"strategy": "margin"},
            "strategy='margin' needs probabilities. Given has no predict_proba, and y has labels",
        ),
        ({"strategy": "badge", "y": np.where(CLASSES == 2, 2, -1)}, "labels of 1 class. Give y with labels of two cl"),
        ({"random_state": "seed"}, "'random_state' parameter"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        suggest_labels(GIVEN, X, **{"n": 5, **params})


def test_estimators_that_are_refused():
    with pytest.raises(TypeError, match=r"has neither transform nor predict_proba. Give a fitted BarlowTwinsEmbedder"):
        suggest_labels("mlp", X)
    with pytest.raises(NotFittedError):
        suggest_labels(small_embedder(), X)
    y = labels(90)
    wrapped = CalibratedClassifierCV(LogisticRegression()).fit(X, y)
    assert_array_equal(suggest_labels(wrapped, X, n=5), margin(wrapped.predict_proba(X), 5))
    with pytest.raises(TypeError, match=r"has no embedding. Give a fitted BarlowTwinsEmbedder.*such as 'margin'"):
        suggest_labels(wrapped, X, n=5, strategy="typiclust")
    with pytest.raises(ValueError, match=r"the embedding of X must be an array of finite numbers.* contains NaN"):
        suggest_labels(GIVEN, np.where(CLASSES[:, None] == 0, np.nan, X))
    with pytest.raises(TypeError, match=r"LazyFrame.*collect\(\)"):
        suggest_labels(GIVEN, pl.DataFrame(X).lazy())

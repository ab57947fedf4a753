"""scikit-activeml, unmodified: its strategies on our embedding, our classifier in its wrapper, agreement with ours."""

import numpy as np
import pytest
from builders import few_labels, small_classifier, small_embedder
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from sklearn_twins.active_learning import (
    badge,
    core_set,
    entropy,
    least_confidence,
    margin,
    max_herding,
    probcover,
    typiclust,
)

pytestmark = pytest.mark.slow
N_LABELED, N = 6, 8
OURS = {"missing_label": -1, "random_state": 0}


@pytest.fixture(scope="module")
def pool():
    """Imported when it is needed: a second that not every process of the tests should pay."""
    return pytest.importorskip("skactiveml.pool")


@pytest.fixture(scope="module")
def classifiers():
    return pytest.importorskip("skactiveml.classifier")


@pytest.fixture(scope="module")
def rows():
    """Unit rows in groups of different sizes, and labels of a few of them."""
    X, y = make_blobs([130, 100, 80, 60, 40], 6, cluster_std=1.5, random_state=0)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    known = np.random.default_rng(0).choice(len(X), N_LABELED, replace=False)
    return X, np.where(np.isin(np.arange(len(X)), known), y, -1)


@pytest.fixture(scope="module")
def fitted():
    """An embedding, labels of the first rows, all labels, and a classifier on rows of X."""
    X, partial, y = few_labels()
    return X, partial, y, small_embedder().fit(X)


def logistic():
    return LogisticRegression(max_iter=1_000)


def query(strategy, X, y, **params):
    return np.asarray(strategy.query(X, y, batch_size=N, **params))


def test_typiclust_agrees(pool, rows):
    """With its five neighbours and no labels; clusters have different sizes, all above our smallest."""
    X, _ = rows
    theirs = pool.TypiClust(k=5, **OURS).query(X, np.full(len(X), -1), batch_size=6)
    assert_array_equal(typiclust(X, 6, n_neighbors=5, random_state=0), theirs)


def test_typiclust_differs_with_small_clusters(pool, rows):
    """It takes clusters of five rows or fewer like others, and draws among clusters of one size; ours come last."""
    X, y = rows
    many = 60
    theirs = pool.TypiClust(k=5, **OURS).query(X, y, batch_size=many)
    ours = typiclust(X, many, labeled=y >= 0, n_neighbors=5, random_state=0)
    assert len(set(theirs)) == len(set(ours)) == many and set(theirs) != set(ours)


@pytest.mark.filterwarnings("ignore:The maximum purity")  # it is given one radius, which it does not test
@pytest.mark.parametrize("delta", [0.2, 0.5])
def test_probcover_agrees(pool, rows, delta):
    """Up to the first choice between rows that cover equally many: it draws, we take the first."""
    X, y = rows
    strategy = pool.ProbCover(deltas=[delta], **OURS)
    theirs, utilities = strategy.query(X, y, batch_size=N, return_utilities=True)
    largest = [np.flatnonzero(u == np.nanmax(u)) for u in utilities]
    n_same = next(i for i, tied in enumerate(largest) if len(tied) > 1)
    ours = probcover(X, N, labeled=y >= 0, delta=delta)
    assert n_same >= 1
    assert_array_equal(ours[: n_same + 1], [*theirs[:n_same], largest[n_same][0]])


@pytest.mark.parametrize("n_labeled", [0, N_LABELED])
def test_max_herding_agrees(pool, rows, n_labeled):
    X, y = rows
    y = y if n_labeled else np.full(len(X), -1)
    theirs = query(pool.MaxHerding(metric_dict={"gamma": 0.5}, **OURS), X, y)
    assert_array_equal(max_herding(X, N, labeled=y >= 0), theirs)


def test_core_set_agrees(pool, rows):
    X, y = rows
    assert_array_equal(core_set(X, N, labeled=y >= 0), query(pool.CoreSet(**OURS), X, y))


@pytest.mark.parametrize(
    ("ours", "method"),
    [(margin, "margin_sampling"), (entropy, "entropy"), (least_confidence, "least_confident")],
)
def test_uncertainty_agrees(pool, classifiers, rows, ours, method):
    X, y = rows
    model = classifiers.SklearnClassifier(logistic(), classes=range(5), missing_label=-1).fit(X, y)
    theirs = query(pool.UncertaintySampling(method=method, **OURS), X, y, clf=model, fit_clf=False)
    assert_array_equal(ours(model.predict_proba(X), N, labeled=y >= 0), theirs)


def test_badge_begins_with_the_same_row(pool, classifiers, rows):
    """Further rows differ: it also counts the distance to the origin, and derives its generator from the seed."""
    X, y = rows
    model = classifiers.SklearnClassifier(logistic(), classes=range(5), missing_label=-1).fit(X, y)
    theirs = query(pool.Badge(**OURS), X, y, clf=model, fit_clf=False)
    ours = badge(X, model.predict_proba(X), N, labeled=y >= 0, random_state=0)
    assert ours[0] == theirs[0]


@pytest.mark.parametrize("name", ["TypiClust", "ProbCover", "CoreSet", "Badge", "MaxHerding"])
def test_strategies_take_our_embedding(pool, classifiers, fitted, name):
    X, partial, _, embedder = fitted
    Z = embedder.transform(X)
    if name == "Badge":
        model = classifiers.SklearnClassifier(logistic(), classes=range(3), missing_label=-1)
        found = query(pool.Badge(**OURS), Z, partial, clf=model)
    else:
        found = query(getattr(pool, name)(**OURS), Z, partial)
    assert len(set(found.tolist())) == N and (partial[found] == -1).all()


def test_classifier_in_their_wrapper(pool, classifiers, fitted):
    """It is cloned and fitted with -1 for rows without label, and predicts and queries."""
    X, partial, _, _ = fitted
    wrapped = classifiers.SklearnClassifier(small_classifier(), classes=range(3), missing_label=-1)
    assert clone(wrapped).get_params()["missing_label"] == -1
    wrapped.fit(X, partial)
    proba = wrapped.predict_proba(X)
    assert proba.shape == (60, 3) and np.allclose(proba.sum(axis=1), 1)
    assert wrapped.predict(X).dtype.kind == "i"
    found = query(pool.UncertaintySampling(method="margin_sampling", **OURS), X, partial, clf=wrapped)
    assert_array_equal(found, margin(proba, N, labeled=partial >= 0))

"""Query functions equal simple references; repeated calls, ties, duplicates, labelled rows, refusals."""

import tracemalloc
from bisect import bisect_left

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import make_blobs

from sklearn_twins import active_learning
from sklearn_twins.active_learning import badge, core_set, max_herding, probcover, typiclust

OF_X = ["core_set", "max_herding", "probcover", "random", "typiclust"]
OF_PROBA = ["entropy", "least_confidence", "margin"]
EVERY = [*OF_X, *OF_PROBA, "badge"]
DRAWS = [*OF_X, "badge"]
every_query = pytest.mark.parametrize("name", EVERY)


def blobs(n=240, seed=0):
    """Rows in six groups of different sizes, as embeddings are."""
    return make_blobs([n // 3, n // 4, n // 6, n // 8, n // 12, n // 24], 5, cluster_std=2.0, random_state=seed)[0]


def probabilities(n=240, n_classes=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), n)


def some_labeled(n=240, share=0.1, seed=0):
    return np.random.default_rng(seed).random(n) < share


def query(name, X, proba, n=20, *, seed=0, **params):
    """Call a query function by its name."""
    given = {"badge": (X, proba), **dict.fromkeys(OF_PROBA, (proba,))}.get(name, (X,))
    draws = {"random_state": seed} if name in DRAWS else {}
    return getattr(active_learning, name)(*given, n, **draws, **params)


def all_distances(X):
    return np.sqrt(((X[:, None] - X) ** 2).sum(-1))


def reference_typiclust(X, n, labeled, n_neighbors=20):
    """All distances of normalised rows; k-means is scikit-learn's."""
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    distances, taken = all_distances(X), list(np.flatnonzero(labeled))
    k = min(len(taken) + n, 500, len(X))
    model = KMeans(k, n_init=1) if k <= 50 else MiniBatchKMeans(k, n_init=1, batch_size=5000)
    clusters = model.set_params(random_state=0).fit_predict(X)
    members = {c: np.flatnonzero(clusters == c) for c in range(k)}
    order = sorted(members, key=lambda c: (np.isin(members[c], taken).sum(), -len(members[c]), c))
    chosen = []
    for group in ([c for c in order if len(members[c]) > 5], [c for c in order if len(members[c]) <= 5]):
        while len(chosen) < n and any(set(members[c]) - {*taken, *chosen} for c in group):
            for c in group:
                rows = [row for row in members[c] if row not in {*taken, *chosen}]
                if not rows or len(chosen) == n:
                    continue
                near = max(1, min(n_neighbors, len(rows) // 2))
                means = [np.sort(distances[row, [r for r in rows if r != row]])[:near].sum() for row in rows]
                chosen.append(rows[int(np.argmin(means))])
    return chosen


def reference_probcover(X, n, labeled, delta):
    """The graph of all pairs; when nothing is left to cover, the farthest rows."""
    distances = all_distances(X / np.linalg.norm(X, axis=1, keepdims=True))
    graph, taken, chosen = distances < delta, list(np.flatnonzero(labeled)), []
    for _ in range(n):
        covered = graph[taken].any(axis=0)
        degrees = (graph & ~covered).sum(axis=1)
        degrees[taken] = -1
        if degrees.max() == 0:
            degrees = distances[taken].min(axis=0)
            degrees[taken] = -1
        chosen.append(int(degrees.argmax()))
        taken.append(chosen[-1])
    return chosen


def reference_core_set(X, n, labeled):
    distances, taken, chosen = all_distances(X), list(np.flatnonzero(labeled)), []
    if not taken:
        taken = chosen = [np.random.RandomState(0).randint(len(X))]
    while len(chosen) < n:
        nearest = distances[taken].min(axis=0)
        nearest[taken] = -1
        chosen = [*chosen, int(nearest.argmax())]
        taken = [*taken, chosen[-1]]
    return chosen


def reference_max_herding(X, n, labeled):
    """The kernel of all pairs. Two rows that are only similar to each other tie, but for rounding."""
    kernel = np.exp(-0.5 * all_distances(X / np.linalg.norm(X, axis=1, keepdims=True)) ** 2)
    taken, chosen = list(np.flatnonzero(labeled)), []
    for _ in range(n):
        totals = [kernel[[*taken, row]].max(axis=0).sum() if row not in taken else 0 for row in range(len(X))]
        chosen.append(int(np.argmax(np.round(totals, 9))))
        taken.append(chosen[-1])
    return chosen


def reference_badge(X, proba, n, labeled):
    """Gradients as they are written."""
    rows, rng = np.flatnonzero(~labeled), np.random.RandomState(0)
    one_hot = np.eye(proba.shape[1])[proba.argmax(axis=1)]
    gradients = ((proba - one_hot)[:, :, None] * X[:, None]).reshape(len(X), -1)[rows]
    chosen = [int((gradients**2).sum(axis=1).argmax())]
    while len(chosen) < n:
        squares = ((gradients[:, None] - gradients[chosen]) ** 2).sum(-1).min(axis=1)
        chosen.append(int(np.flatnonzero(np.cumsum(squares) / squares.sum() > rng.random_sample())[0]))
    return rows[chosen]


def by_score(score):
    """Sort by a score for each row, then by number."""
    return lambda proba, n, labeled: [
        row for _, row in sorted((score(sorted(proba[row])), row) for row in np.flatnonzero(~labeled))
    ][:n]


REFERENCES = {
    "margin": by_score(lambda p: p[-1] - p[-2]),
    "least_confidence": by_score(lambda p: p[-1]),
    "entropy": by_score(lambda p: sum(v * np.log(v) for v in p)),
}


def test_every_function_is_here():
    assert {*EVERY, "suggest_labels"} == set(active_learning.__all__)


@pytest.mark.parametrize("labeled", [some_labeled(share=0), some_labeled(), some_labeled(share=0.3)], ids=sum)
@pytest.mark.parametrize("n", [1, 7, 30])
def test_equal_simple_references(labeled, n):
    X, proba = blobs(), probabilities()
    assert_array_equal(typiclust(X, n, labeled=labeled, random_state=0), reference_typiclust(X, n, labeled))
    few = typiclust(X, n, labeled=labeled, n_neighbors=3, random_state=0)
    assert_array_equal(few, reference_typiclust(X, n, labeled, n_neighbors=3))
    for delta in (0.05, 0.4):
        assert_array_equal(probcover(X, n, labeled=labeled, delta=delta), reference_probcover(X, n, labeled, delta))
    assert_array_equal(core_set(X, n, labeled=labeled, random_state=0), reference_core_set(X, n, labeled))
    assert_array_equal(max_herding(X, n, labeled=labeled), reference_max_herding(X, n, labeled))
    assert_array_equal(badge(X, proba, n, labeled=labeled, random_state=0), reference_badge(X, proba, n, labeled))
    for name, reference in REFERENCES.items():
        assert_array_equal(getattr(active_learning, name)(proba, n, labeled=labeled), reference(proba, n, labeled))


@pytest.mark.parametrize("purity", [0.8, 0.95, 1.0])
def test_largest_radius_of_pure_balls(purity):
    """A search over all distances between rows finds the same radius."""
    X = blobs()
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    clusters = KMeans(6, n_init=1, random_state=0).fit_predict(X)
    distances, differ = all_distances(X), clusters[:, None] != clusters
    radii = np.unique(distances)
    n_pure = bisect_left(radii, True, key=lambda d: ((distances < d) & differ).any(axis=1).mean() > 1 - purity + 1e-9)
    found = active_learning._coverage.pure_radius(X, purity, 6, np.random.RandomState(0))
    assert found == pytest.approx(radii[n_pure - 1], rel=2e-5)


@pytest.mark.slow
def test_max_herding_of_more_rows_than_are_sampled():
    """The first choice is as good as that of all rows; later ones are nearly."""
    X = blobs(1500, seed=1)
    kernel = np.exp(-0.5 * all_distances(X / np.linalg.norm(X, axis=1, keepdims=True)) ** 2)
    rows, best = max_herding(X, 12, random_state=0), reference_max_herding(X, 12, some_labeled(1500, 0))
    assert rows[0] == best[0]
    assert kernel[rows].max(axis=0).sum() > 0.999 * kernel[best].max(axis=0).sum()


def test_typiclust_of_a_large_cluster(monkeypatch):
    """A part of the rows is compared with all; the most typical row is among them."""
    X, labeled = blobs(1200, seed=1), some_labeled(1200, 0)
    for parameter, value in [("MOST_COMPARED", 500), ("N_SAMPLED", 200), ("N_PROMISING", 100)]:
        monkeypatch.setattr(active_learning._typicality, parameter, value)
    assert_array_equal(typiclust(X, 2, random_state=0), reference_typiclust(X, 2, labeled))


@pytest.mark.slow
def test_more_rows_than_fit_into_a_block():
    X, labeled = blobs(1200, seed=1), some_labeled(1200, 0.3)
    for n in (5, 60):
        assert_array_equal(probcover(X, n, labeled=labeled, delta=0.03), reference_probcover(X, n, labeled, 0.03))
        assert_array_equal(core_set(X, n, labeled=labeled), reference_core_set(X, n, labeled))


@every_query
def test_rows_without_label_once_each(name):
    """Also if all of them are asked for, in every container, and with the same seed in every call."""
    X, proba, labeled = blobs(), probabilities(), some_labeled(share=0.5)
    for array in (X, proba, labeled):
        array.flags.writeable = False
    rows = query(name, X, proba, labeled=labeled)
    assert rows.dtype == np.int64 and len(set(rows.tolist())) == 20 and not labeled[rows].any()
    assert_array_equal(query(name, X, proba, labeled=labeled), rows)
    assert_array_equal(query(name, X.tolist(), proba.tolist(), labeled=labeled.tolist()), rows)
    assert_array_equal(query(name, pd.DataFrame(X), pd.DataFrame(proba), labeled=pd.Series(labeled)), rows)
    assert_array_equal(query(name, np.asfortranarray(X), np.asfortranarray(proba), labeled=labeled), rows)
    assert_array_equal(query(name, X, proba, labeled=labeled.astype(object)), rows)
    assert_array_equal(query(name, X, proba, labeled=pd.Series(labeled, dtype="boolean")), rows)
    assert_array_equal(query(name, X, proba, labeled=pl.Series(labeled)), rows)
    every = query(name, X, proba, int((~labeled).sum()), labeled=labeled)
    assert_array_equal(np.sort(every), np.flatnonzero(~labeled))


@pytest.mark.parametrize("name", ["badge", "core_set", "random", "typiclust"])
def test_seeds_differ(name):
    X, proba = blobs(), probabilities()
    assert (query(name, X, proba) != query(name, X, proba, seed=1)).any()


@every_query
def test_global_random_state_is_left_alone(name):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    query(name, blobs(), probabilities())
    assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("name", [name for name in EVERY if name != "random"])
def test_ties_are_broken_by_row_number(name):
    """All rows are the same: the first ones are chosen, unless the first is drawn."""
    X, proba = np.ones((30, 3)), np.full((30, 2), 0.5)
    labeled = np.arange(30) < 4
    assert_array_equal(query(name, X, proba, 3, labeled=labeled), [4, 5, 6])


@pytest.mark.parametrize("name", ["core_set", "max_herding", "probcover", "typiclust"])
def test_duplicates_are_not_chosen_before_others(name):
    X = np.repeat(10 * np.eye(8) + blobs(8 * 24)[:8, [0] * 8] / 100, 12, axis=0)
    rows = query(name, X, None, 8)
    assert len(set((rows // 12).tolist())) == 8
    if name != "core_set":
        assert (rows % 12 == 0).all()


@pytest.mark.parametrize("name", ["core_set", "max_herding", "probcover", "typiclust"])
@pytest.mark.parametrize("scale", [2.0**-1000, 1e-6, 2.0**1000])
def test_scale_does_not_matter(name, scale):
    X = blobs()
    assert_array_equal(query(name, scale * X, None), query(name, X, None))


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "power"), [(np.float64, 1000), (np.float64, -1000), (np.float32, 120)])
def test_scale_without_normalize(dtype, power):
    """Squared distances of these rows overflow or vanish."""
    X, proba = blobs().astype(dtype), probabilities()
    scaled = np.ldexp(X, power)
    for name in ("core_set", "badge", "probcover", "typiclust"):
        params = {"normalize": False} if name in ("probcover", "typiclust") else {}
        assert_array_equal(query(name, scaled, proba, **params), query(name, X, proba, **params))
    found = probcover(scaled, 5, delta=2.0 * 2.0**power, normalize=False)
    assert_array_equal(found, probcover(X, 5, delta=2.0, normalize=False))
    assert len(set(max_herding(scaled, 5, normalize=False))) == 5


@pytest.mark.parametrize("name", ["core_set", "max_herding", "probcover", "typiclust"])
def test_float32_stays(name):
    """No copy in float64 is needed, and most rows are the same."""
    X = blobs()
    found = query(name, X.astype(np.float32), None)
    assert len(set(found) & set(query(name, X, None))) >= 18


def test_normalize():
    """Without it the longest rows decide."""
    X = np.concatenate([blobs() / 1000, [[1000.0] * 5, [-1000.0] * 5]])
    for name in ("max_herding", "probcover", "typiclust"):
        assert (query(name, X, None) != query(name, X, None, normalize=False)).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["core_set", "max_herding", "probcover", "typiclust"])
def test_memory_is_linear(name):
    """A matrix of all pairs would take 144 MB in float32."""
    X = np.random.default_rng(0).normal(size=(6_000, 4)).astype(np.float32)
    tracemalloc.start()
    query(name, X, None, **{"delta": 0.2} if name == "probcover" else {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


WRONG = [
    ({"n": 0}, r"'n' parameter of \w+ must be an int in the range \[1, inf\). Got 0"),
    ({"n": 2.5}, "'n' parameter"),
    ({"n": 31}, "n=31 is larger than the number of rows without label, 30. Give a smaller n"),
    ({"n": 21, "labeled": np.arange(30) < 10}, "n=21 is larger than the number of rows without label, 20"),
    ({"labeled": np.ones(30, dtype=bool)}, "labeled marks all 30 rows as labelled"),
    ({"labeled": np.zeros(29, dtype=bool)}, "labeled has 29 values for 30 rows. Give one for each row"),
    ({"labeled": np.zeros(30, dtype=int)}, "labeled must hold True for rows with a label.*int64. Give y != -1"),
    ({"labeled": ["yes"] * 30}, "labeled must hold True"),
    ({"labeled": [None, *[False] * 29]}, r"labeled is missing for 1 of 30 rows, .*\(y != -1\) & y.notna\(\)"),
]


@every_query
@pytest.mark.parametrize(("params", "message"), WRONG, ids=[message[:25] for _, message in WRONG])
def test_wrong_parameters_are_refused(name, params, message):
    with pytest.raises(ValueError, match=message):
        query(name, blobs()[:30], probabilities(30), **{"n": 3, **params})


@every_query
@pytest.mark.parametrize(("value", "message"), [(np.nan, "contains NaN"), (np.inf, "contains infinity")])
def test_rows_that_are_no_numbers_are_refused(name, value, message):
    X, proba = np.full((30, 2), value), np.full((30, 2), value)
    with pytest.raises(ValueError, match=rf"(X|proba) must be an array of finite numbers.*{message}"):
        query(name, X, proba, 3)
    with pytest.raises(ValueError, match=r"(X|proba) must be of shape \(rows, width\)"):
        query(name, np.ones(30), np.ones(30), 3)


@pytest.mark.parametrize("name", [*OF_PROBA, "badge"])
@pytest.mark.parametrize(
    ("proba", "message"),
    [
        (np.ones((30, 1)), r"column for each of two or more classes, got shape \(30, 1\)"),
        (np.full((30, 2), 0.4), "row 0 holds values from 0.4 to 0.4 that sum to 0.8. Give what predict_proba returns"),
        (np.array([[-0.5, 1.5]] * 30), "row 0 holds values from -0.5 to 1.5"),
    ],
    ids=["one column", "no sum of 1", "negative"],
)
def test_what_is_no_probability_is_refused(name, proba, message):
    with pytest.raises(ValueError, match=message):
        query(name, blobs()[:30], proba, 3)


def test_probabilities_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="proba has 29 rows for 30 rows of X"):
        badge(blobs()[:30], probabilities(29), 3)


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("typiclust", "n_neighbors", 0),
        ("typiclust", "normalize", "l1"),
        ("max_herding", "gamma", 0.0),
        ("probcover", "delta", 0.0),
    ]
    + [("probcover", "delta", "best"), ("probcover", "purity", 1.1), ("probcover", "n_clusters", 1)]
    + [(name, "random_state", "seed") for name in DRAWS],
)
def test_parameters_out_of_range_are_refused(name, parameter, value):
    given = (blobs(), probabilities()) if name == "badge" else (blobs(),)
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {name}"):
        getattr(active_learning, name)(*given, **{parameter: value})

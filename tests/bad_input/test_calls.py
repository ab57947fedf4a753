"""What methods are given beside X: more rows, labels, names, numbers of views; and metrics. Each in its own words."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from builders import small_embedder

from sklearn_twins import metrics
from sklearn_twins.networks import ConvNetEncoder

pytestmark = pytest.mark.slow

table = np.random.default_rng(0).normal(size=(60, 5))
frame = pd.DataFrame(table, columns=list("abcde"))
images = np.random.default_rng(1).integers(0, 256, size=(12, 8, 8, 3), dtype=np.uint8)

# X, unlabeled -> what the message has to hold
UNLABELED = {
    "fewer columns": (table, table[:, :3], "unlabeled", "(3,)", "(5,)"),
    "one row": (table, table[0], "unlabeled", "()", "(5,)"),
    "a list": (table, table.tolist(), "unlabeled", "an array", "a list"),
    "a frame": (table, frame, "unlabeled", "an array", "a frame of pandas"),
    "sparse": (table, scipy.sparse.csr_array(table), "unlabeled", "an array", "a sparse array"),
    "text": (table, "rows.csv", "unlabeled is a str"),
    "a number": (table, 3, "unlabeled is 3"),
    "a dict": (table, {"a": [1]}, "pandas.DataFrame(unlabeled)"),
    "a generator": (table, (row for row in table), "got <class 'generator'> as unlabeled"),
    "complex": (table, table + 1j, "Complex data not supported", "unlabeled"),
    "strings": (table, table.astype(str), "unlabeled holds <U", "float64", "one type"),
    "dates": (table, np.zeros((5, 5), dtype="M8[s]"), "unlabeled holds datetime64[s]", "float64"),
    "records": (table, np.zeros(5, dtype=[("a", float)]), "unlabeled", "pandas.DataFrame"),
    "infinity": (table, np.where(table > 1, np.inf, table), "infinity", "column"),
    "tensor of bfloat16": (table, torch.ones(5, 5, dtype=torch.bfloat16), "unlabeled", "torch.bfloat16"),
    "rows of other lengths": (table.tolist(), [[1, 2]], "different lengths"),
    "no rows in a list": (table.tolist(), [1, 2], "different lengths"),
    "other names": (frame, frame.rename(columns={"a": "z"}), "unlabeled", "lacks ['a']", "['z']"),
    "names twice": (frame, frame.set_axis(list("aabcd"), axis=1), "unlabeled has several columns named 'a'"),
    "another library": (frame, pl.DataFrame(frame), "unlabeled", "a frame of pandas", "a frame of polars"),
    "other types": (frame, frame.assign(a="x"), "unlabeled", "'a': Float64, String", "Cast"),
    "other types in polars": (pl.DataFrame(frame), pl.DataFrame(frame.assign(a="x")), "'a': Float64, String"),
    "rows that are not there": (pl.DataFrame(frame), pl.DataFrame(frame).lazy(), "unlabeled.collect()"),
    "X that is nothing": (None, table, "X is None"),
    "other images": (images, images[:, :4], "unlabeled", "(4, 8, 3)", "(8, 8, 3)"),
    "fractions beside bytes": (images, images / 255, "unlabeled holds float64", "uint8"),
}
# method, what it is given beside X -> words
CALLS = [
    ("transform_views", {"n_views": 0}, "n_views", "0", "must be >= 1"),
    ("transform_views", {"n_views": 1.5}, "n_views", "int", "float"),
    ("transform_views", {"random_state": "a"}, "'a'", "seed"),
    ("transform_views", {"augmentation": 3}, "augmentation=3", "callable"),
    ("transform_views", {"augmentation": "nonsense"}, "augmentation='nonsense'", "marginal_corruption"),
    ("transform_views", {"augmentation": "image_views"}, "ImageViews", "(5,)"),
    ("transform_views", {"augmentation": lambda x: x}, "augmentation", "(x, data, generator)"),
    ("fit", {"sample_weight": np.ones(60)}, "sample_weight", "unexpected"),
    ("partial_fit", {"unlabeled": table}, "unlabeled", "unexpected"),
]
ONE = ["alpha_req", "effective_rank", "rankme", "self_cluster", "stable_rank", "uniformity"]
TWO = ["alignment", "cluster_agreement", "invariance", "neighbor_agreement", "redundancy"]
EMBEDDINGS = {
    "one axis": (table[0], "(rows, width)"),
    "three axes": (table[None], "(rows, width)"),
    "NaN": (np.where(table > 1, np.nan, table), "NaN"),
    "infinity": (np.where(table > 1, np.inf, table), "infinity"),
    "no rows": (table[:0], "0 sample(s)"),
    "text": ("abc", "'abc'"),
    "strings": (np.full((60, 5), "a"), "'a'"),
    "nothing": (None, "NaN"),
    "a dict": ({"a": 1}, "dict"),
    "complex": (table + 1j, "Complex data not supported"),
    "sparse": (scipy.sparse.csr_array(table), "Sparse data"),
    "rows of other lengths": ([[1], [2, 3]], "inhomogeneous"),
}
METRICS = [(name, case) for name in [*ONE, *TWO] for case in EMBEDDINGS]
OPTIONS = [
    ("alignment", {"alpha": 0}, "alpha", "0"),
    ("alpha_req", {"first": 0}, "first", "0"),
    ("cluster_agreement", {"n_clusters": 0}, "n_clusters", "0"),
    ("cluster_agreement", {"n_init": 0}, "n_init", "0"),
    ("cluster_agreement", {"random_state": "a"}, "random_state", "'a'"),
    ("effective_rank", {"normalize": "yes"}, "normalize", "'yes'"),
    ("neighbor_agreement", {"n_neighbors": 0}, "n_neighbors", "0"),
    ("neighbor_agreement", {"n_neighbors": 60}, "n_neighbors", "60"),
    ("neighbor_agreement", {"normalize": 3}, "normalize", "3"),
    ("get_scorer", {"name": "accuracy"}, "name='accuracy'", "cluster_agreement"),
    ("get_scorer", {"name": ["lidar"]}, "name=['lidar']", "cluster_agreement"),
]
CASES = [*UNLABELED, *CALLS, *METRICS, *OPTIONS]


@pytest.mark.parametrize("name", UNLABELED)
def test_unlabeled(make, refuses, name):
    X, unlabeled, *words = UNLABELED[name]
    of_images = {"modality": "image", "encoder": ConvNetEncoder(widths=(8,))} if X is images else {}
    embedder = make(**of_images)
    before = dict(vars(embedder))
    refuses(words, embedder.fit, X, unlabeled=unlabeled)
    assert vars(embedder) == before


@pytest.fixture(scope="module")
def fitted():
    """An embedder of the table."""
    return small_embedder().fit(table)


@pytest.mark.parametrize("name", ["fewer columns", "complex", "infinity"])
def test_unlabeled_of_a_refit(fitted, refuses, fingerprint, name):
    X, unlabeled, *words = UNLABELED[name]
    before = fingerprint(fitted)
    refuses(words, fitted.fit, X, unlabeled=unlabeled)
    assert fingerprint(fitted) == before


@pytest.mark.parametrize("case", CALLS, ids=[f"{method} {[*given]}" for method, given, *_ in CALLS])
def test_call(fitted, refuses, fingerprint, case):
    method, given, *words = case
    before = fingerprint(fitted)
    refuses(words, getattr(fitted, method), table, **given)
    assert fingerprint(fitted) == before


@pytest.mark.parametrize("y", [[1], "abc", np.full(60, np.nan), object()], ids=["short", "text", "NaN", "object"])
def test_labels_are_not_looked_at(make, fitted, y):
    np.testing.assert_array_equal(make().fit(table, y).transform(table), fitted.transform(table))


@pytest.mark.parametrize(("name", "case"), METRICS)
def test_metric(refuses, name, case):
    Z, *words = EMBEDDINGS[case]
    metric = getattr(metrics, name)
    if name in ONE:
        refuses([*words, "Z"], metric, Z)
    else:
        refuses([*words, "Z_a"], metric, Z, table)
        refuses([*words, "Z_b"], metric, table, Z)


@pytest.mark.parametrize("case", OPTIONS, ids=[f"{name} {given}" for name, given, *_ in OPTIONS])
def test_option_of_a_metric(refuses, case):
    name, given, *words = case
    embeddings = [] if name == "get_scorer" else [table] if name in ONE else [table, table]
    refuses(words, getattr(metrics, name), *embeddings, **given)

"""What every metric has to satisfy: containers, what changes it, odd embeddings, refusals."""

import inspect
import math

import numpy as np
import pandas as pd
import pytest

from sklearn_twins import metrics

OF_ONE = ["alpha_req", "effective_rank", "rankme", "self_cluster", "stable_rank", "uniformity"]
OF_TWO = ["alignment", "cluster_agreement", "invariance", "neighbor_agreement", "redundancy"]
EVERY = [*OF_ONE, *OF_TWO, "lidar"]
every_metric = pytest.mark.parametrize("name", EVERY)

N, D = 40, 6
LENGTHS = np.random.default_rng(1).uniform(0.1, 9, size=N)
CHANGES = {
    "scale": lambda Z: 1e-3 * Z,
    "shift": lambda Z: Z + np.arange(D),
    "rotation": lambda Z: Z @ np.linalg.qr(np.random.default_rng(2).normal(size=(D, D)))[0],
    "lengths of rows": lambda Z: Z * LENGTHS.reshape(-1, *[1] * (Z.ndim - 1)),
    "scales of columns": lambda Z: Z * 2.0 ** np.arange(D),
}
BASIS, SPHERE, COLUMNS = {"scale", "shift", "rotation"}, {"scale", "rotation", "lengths of rows"}, {"scale", "shift"}
WITHOUT_EFFECT = {
    "alignment": SPHERE,
    "alpha_req": BASIS,
    "cluster_agreement": COLUMNS | {"scales of columns"},
    "effective_rank": BASIS,
    "invariance": COLUMNS | {"scales of columns"},
    "lidar": BASIS,
    "neighbor_agreement": BASIS,
    "rankme": {"scale", "rotation"},
    "redundancy": COLUMNS | {"scales of columns"},
    "self_cluster": SPHERE,
    "stable_rank": BASIS,
    "uniformity": SPHERE,
}
IN_EITHER_VIEW = ["invariance", "neighbor_agreement", "redundancy"]


def embedding(seed=0):
    """Two of them are alike, as views of the same rows are."""
    shared = np.random.default_rng(9).normal(size=(N, D))
    return 0.5 + (shared + 0.5 * np.random.default_rng(seed).normal(size=(N, D))) * np.geomspace(2, 0.5, D)


def arrays_of(name, *embeddings):
    """The arguments of a metric, made of some embeddings."""
    first, second = embeddings[0], embeddings[-1]
    if name == "lidar":
        return (np.stack([first, second], axis=1),)
    return (first,) if name in OF_ONE else (first, second)


def value(name, *embeddings, **params):
    return getattr(metrics, name)(*arrays_of(name, *embeddings), **params)


def test_every_metric_is_here():
    assert {*EVERY, "LabelFreeScorer", "get_scorer", "get_scorer_names"} == set(metrics.__all__)
    assert set(WITHOUT_EFFECT) == set(EVERY)


@every_metric
def test_containers(name):
    """Lists, data frames, other layouts and types; the result is a float and arrays stay as they are."""
    metric, arrays = getattr(metrics, name), arrays_of(name, embedding(), embedding(1))
    for array in arrays:
        array.flags.writeable = False
    expected = metric(*arrays)
    assert type(expected) is float and math.isfinite(expected)
    assert metric(*(array.tolist() for array in arrays)) == expected
    assert metric(*map(np.asfortranarray, arrays)) == expected
    assert metric(*(np.repeat(array, 2, axis=0)[::2] for array in arrays)) == expected
    assert metric(*(array.astype(np.float32) for array in arrays)) == pytest.approx(expected, rel=1e-4)
    assert type(metric(*(np.rint(8 * array).astype(int) for array in arrays))) is float
    if name != "lidar":
        assert metric(*(pd.DataFrame(array).add_prefix("z") for array in arrays)) == expected


@every_metric
@pytest.mark.parametrize("change", CHANGES)
def test_changes_that_matter(name, change):
    """Those without effect are the docstring's; all others have one."""
    arrays = arrays_of(name, embedding(), embedding(1))
    metric, changed = getattr(metrics, name), CHANGES[change]
    before, after = metric(*arrays), metric(*map(changed, arrays))
    close = pytest.approx(before, rel=1e-7) if name != "cluster_agreement" else pytest.approx(before, abs=0.02)
    if change in WITHOUT_EFFECT[name]:
        assert after == close
        if name in IN_EITHER_VIEW:
            assert metric(changed(arrays[0]), arrays[1]) == pytest.approx(before, rel=1e-7)
    else:
        assert after != close


@every_metric
@pytest.mark.parametrize("scale", [1e-250, 1e-30, 1e30, 1e250])
def test_extreme_scales(name, scale):
    expected = value(name, embedding(), embedding(1))
    assert value(name, scale * embedding(), scale * embedding(1)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "cluster_agreement"])
def test_order_of_rows_does_not_matter(name):
    """It does to k-means, which starts from rows drawn by their place."""
    expected = value(name, embedding(), embedding(1))
    assert value(name, embedding()[::-1], embedding(1)[::-1]) == pytest.approx(expected, rel=1e-9)


ODD = {
    "zeros": np.zeros((12, 3)),
    "constant": np.full((12, 3), 0.1),
    "constant column": np.full((12, 1), -7.3),
    "column": np.arange(12.0)[:, None],
    "duplicates": np.repeat(np.eye(3), 4, axis=0),
    "one row": np.concatenate([np.zeros((11, 3)), np.ones((1, 3))]),
    "extremes": np.concatenate([np.full((11, 3), 1e-200), np.full((1, 3), 1e200)]),
    "line": np.outer(np.arange(12.0), [1, -2, 0]),
    "wide": np.eye(12, 40),
}


@every_metric
@pytest.mark.parametrize("Z", ODD.values(), ids=ODD)
def test_odd_embeddings_have_values(name, Z):
    """Warnings are errors here; alpha-ReQ alone may be infinite."""
    found = value(name, Z)
    assert type(found) is float and not math.isnan(found)
    assert math.isfinite(found) or name == "alpha_req"
    if "normalize" in inspect.signature(getattr(metrics, name)).parameters:
        found = value(name, Z, normalize=True)
        assert math.isfinite(found) and found <= 1 + 1e-9


@pytest.mark.parametrize("name", [name for name in EVERY if name != "neighbor_agreement"])
@pytest.mark.parametrize("Z", [[[1.0, 2.0]], [[0.0]], [[1.0, 2.0], [3.0, -1.0]]], ids=["row", "zero", "two rows"])
def test_few_rows_have_values(name, Z):
    assert not math.isnan(value(name, np.array(Z)))


@every_metric
def test_arrays_that_are_no_embeddings_are_refused(name):
    metric, arrays = getattr(metrics, name), arrays_of(name, np.ones((4, 3)))
    shape = r"must be of shape \(rows, views, width\)" if name == "lidar" else r"must be of shape \(rows, width\)"
    for wrong in (np.ones(3), np.ones((2, 2, 2, 2)), np.ones((4, 3)) if name == "lidar" else np.ones((2, 2, 2))):
        with pytest.raises(ValueError, match=shape):
            metric(wrong, *arrays[1:])
    for empty in (arrays[0][:0], arrays[0][..., :0]):
        with pytest.raises(ValueError, match="shape"):
            metric(empty, *arrays[1:])
    for number, message in ((np.nan, "contains NaN"), (np.inf, "contains infinity")):
        with pytest.raises(ValueError, match=message):
            metric(*arrays[:-1], np.full_like(arrays[-1], number))


@pytest.mark.parametrize("name", OF_TWO)
def test_arrays_that_are_no_pairs_are_refused(name):
    with pytest.raises(ValueError, match=r"same rows.*\(4, 3\) and \(5, 3\)"):
        value(name, np.ones((4, 3)), np.ones((5, 3)))
    if name in ("alignment", "cluster_agreement", "invariance", "redundancy"):
        with pytest.raises(ValueError, match=r"same width.*\(4, 3\) and \(4, 2\)"):
            value(name, np.ones((4, 3)), np.ones((4, 2)))


WRONG = [("alignment", "alpha", v) for v in (0, -1.0, np.inf)] + [("uniformity", "t", v) for v in (0, -1.0, np.inf)]
WRONG += [("rankme", "eps", -1.0), ("rankme", "eps", np.inf), ("rankme", "normalize", "yes")]
WRONG += [("effective_rank", "normalize", 2), ("stable_rank", "normalize", 2), ("redundancy", "normalize", "pairs")]
WRONG += [("alpha_req", "first", 0), ("alpha_req", "first", 1.5), ("alpha_req", "last", 1)]
WRONG += [("lidar", "delta", 0), ("lidar", "delta", np.inf), ("lidar", "normalize", 2)]
WRONG += [("neighbor_agreement", "n_neighbors", v) for v in (0, 2.5)] + [("neighbor_agreement", "normalize", None)]
WRONG += [("cluster_agreement", name, v) for name, v in [("n_clusters", 1), ("n_init", 0), ("random_state", -1)]]
WRONG += [("cluster_agreement", "random_state", None)]


@pytest.mark.parametrize(("name", "parameter", "wrong"), WRONG)
def test_wrong_parameters_are_refused(name, parameter, wrong):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {name}"):
        value(name, embedding(), **{parameter: wrong})

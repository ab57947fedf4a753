"""What holds for every metric: containers, numbers out, inputs untouched, extreme scales, refusals, no torch."""

import inspect
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from sklearn_twins import metrics

OF_ONE = ["alpha_req", "effective_rank", "rankme", "self_cluster", "stable_rank", "uniformity"]
OF_TWO = ["alignment", "cluster_agreement", "invariance", "neighbor_agreement", "redundancy"]
every_single = pytest.mark.parametrize("name", OF_ONE)
every_pair = pytest.mark.parametrize("name", OF_TWO)
every_flat = pytest.mark.parametrize("name", OF_ONE + OF_TWO)


def embedding(n=40, d=6, seed=0):
    return 0.5 + np.random.default_rng(seed).normal(size=(n, d)) * np.geomspace(2, 0.5, d)


def value(name, Z, Z_b=None):
    """The metric of Z, or of two views, the second of which is Z again unless it is given."""
    metric = getattr(metrics, name)
    return metric(Z) if name in OF_ONE else metric(Z, Z if Z_b is None else Z_b)


def test_every_metric_is_here():
    assert {*OF_ONE, *OF_TWO, "lidar", "LabelFreeScorer", "get_scorer", "get_scorer_names"} == set(metrics.__all__)


@every_flat
def test_containers(name):
    Z, Z_b = embedding(), embedding(seed=1)
    expected = value(name, Z, Z_b)
    assert type(expected) is float and math.isfinite(expected)
    assert value(name, Z.tolist(), Z_b.tolist()) == expected
    assert value(name, pd.DataFrame(Z).add_prefix("z"), pd.DataFrame(Z_b).add_prefix("z")) == expected
    fortran, strided = np.asfortranarray(Z), np.repeat(Z_b, 2, axis=0)[::2]
    assert value(name, fortran, strided) == expected
    assert value(name, Z.astype(np.float32), Z_b.astype(np.float32)) == pytest.approx(expected, rel=1e-4)
    assert type(value(name, np.rint(8 * Z).astype(int), np.rint(8 * Z_b).astype(int))) is float


@every_flat
def test_inputs_are_left_as_they_are(name):
    Z, Z_b = embedding(), embedding(seed=1)
    for array in (Z, Z_b):
        array.flags.writeable = False
    value(name, Z, Z_b)


@every_flat
@pytest.mark.parametrize("scale", [1e-250, 1e-30, 1e30, 1e250])
def test_scale_does_not_matter(name, scale):
    Z, Z_b = embedding(), embedding(seed=1)
    assert value(name, scale * Z, scale * Z_b) == pytest.approx(value(name, Z, Z_b), rel=1e-8)


@pytest.mark.parametrize("scale", [1e-250, 1e250])
def test_scale_does_not_matter_to_lidar(scale):
    views = np.stack([embedding(seed=seed) for seed in range(3)], axis=1)
    assert metrics.lidar(scale * views) == pytest.approx(metrics.lidar(views), rel=1e-8)


@pytest.mark.parametrize("name", [name for name in OF_ONE + OF_TWO if name != "cluster_agreement"])
def test_order_of_rows_does_not_matter(name):
    """But to k-means, which starts from rows drawn by their place."""
    Z, Z_b = embedding(), embedding(seed=1)
    assert value(name, Z[::-1], Z_b[::-1]) == pytest.approx(value(name, Z, Z_b), rel=1e-9)


@every_flat
@pytest.mark.parametrize(
    "Z",
    [
        np.zeros((12, 3)),
        np.full((12, 3), 0.1),
        np.full((12, 1), -7.3),
        np.arange(12.0)[:, None],
        np.repeat(np.eye(3), 4, axis=0),
        np.concatenate([np.zeros((11, 3)), np.ones((1, 3))]),
        np.concatenate([np.full((11, 3), 1e-200), np.full((1, 3), 1e200)]),
        np.outer(np.arange(12.0), [1, -2, 0]),
        np.eye(12, 40),
    ],
    ids=["zeros", "constant", "constant column", "column", "duplicates", "one row", "extremes", "line", "wide"],
)
def test_degenerate_embeddings_have_values(name, Z):
    """Warnings are errors here; alpha-ReQ alone may be infinite."""
    found = value(name, Z)
    assert type(found) is float and not math.isnan(found)
    assert math.isfinite(found) or name == "alpha_req"
    metric = getattr(metrics, name)
    if "normalize" in inspect.signature(metric).parameters:
        found = metric(Z, normalize=True) if name in OF_ONE else metric(Z, Z, normalize=True)
        assert math.isfinite(found) and found <= 1 + 1e-9


@pytest.mark.parametrize("name", [name for name in OF_ONE + OF_TWO if name != "neighbor_agreement"])
@pytest.mark.parametrize("Z", [[[1.0, 2.0]], [[0.0]], [[1.0, 2.0], [3.0, -1.0]]], ids=["row", "zero", "two rows"])
def test_few_rows_have_values(name, Z):
    assert not math.isnan(value(name, Z))


@every_single
def test_what_is_no_embedding_is_refused(name):
    metric = getattr(metrics, name)
    with pytest.raises(ValueError, match=r"Z must be of shape \(rows, width\).*got \(3,\)"):
        metric([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"Z must be of shape \(rows, width\).*got \(2, 2, 2\)"):
        metric(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="Z contains NaN"):
        metric([[1.0, np.nan]])
    with pytest.raises(ValueError, match="Z contains infinity"):
        metric([[1.0, np.inf]])
    for empty in (np.ones((0, 3)), np.ones((3, 0))):
        with pytest.raises(ValueError, match="shape"):
            metric(empty)


@every_pair
def test_what_is_no_pair_is_refused(name):
    metric = getattr(metrics, name)
    with pytest.raises(ValueError, match=r"same rows.*\(4, 3\) and \(5, 3\)"):
        metric(np.ones((4, 3)), np.ones((5, 3)))
    with pytest.raises(ValueError, match="Z_b contains NaN"):
        metric(np.ones((4, 3)), np.full((4, 3), np.nan))
    with pytest.raises(ValueError, match=r"Z_a must be of shape \(rows, width\)"):
        metric(np.ones(4), np.ones((4, 1)))


@pytest.mark.parametrize("name", ["alignment", "invariance", "redundancy"])
def test_widths_must_agree(name):
    with pytest.raises(ValueError, match=r"same width.*\(4, 3\) and \(4, 2\)"):
        getattr(metrics, name)(np.ones((4, 3)), np.ones((4, 2)))


@pytest.mark.slow
def test_torch_is_not_imported():
    code = "import sklearn_twins.metrics, sys; assert not {'torch', 'skorch'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

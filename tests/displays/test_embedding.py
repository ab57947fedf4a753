"""EmbeddingDisplay: labels that are missing, far points, reducers by name, and the learnt part only."""

import sys
import types

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins.displays import EmbeddingDisplay

POINTS = np.random.default_rng(0).normal(size=(60, 2))
GAP = np.arange(60) % 3 == 0
CODES, WORDS = np.arange(60) % 2, ["ab"[i % 2] for i in range(60)]


def with_gaps(values, gap=None):
    return [gap if missing else value for missing, value in zip(GAP, values, strict=True)]


# Each holds two classes, and a gap in every third row.
CLASSES = {
    "NaN": np.where(GAP, np.nan, CODES),
    "None and words": np.array(with_gaps(WORDS), dtype=object),
    "None and numbers": with_gaps(CODES.tolist()),
    "NaN and words": with_gaps(WORDS, np.nan),
    "None, NaN, NA and -1": [[None, np.nan, pd.NA, -1][i % 4] if GAP[i] else WORDS[i] for i in range(60)],
    "-1": np.where(GAP, -1, CODES),
    "a list with -1": with_gaps(CODES.astype(float).tolist(), -1.0),
    "pandas' integers": pd.Series(with_gaps(CODES.tolist()), dtype="Int64"),
    "pandas' strings": pd.Series(with_gaps(WORDS), dtype="string"),
    "pandas' booleans": pd.Series(with_gaps((CODES == 1).tolist()), dtype="boolean"),
    "categories": pd.Series(with_gaps(WORDS), dtype="category"),
    "a column": pd.DataFrame({"class": with_gaps(WORDS)}),
    "a tensor": torch.tensor(np.where(GAP, -1, CODES)),
    "masked": np.ma.array(CODES, mask=GAP),
    "polars": pl.Series("class", with_gaps(CODES.tolist())),
    "polars' strings": pl.Series("class", with_gaps(WORDS)),
}


@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_rows_without_a_label_are_grey(y):
    display = EmbeddingDisplay(POINTS, y).plot()
    grey, *others = display.scatters_
    assert_allclose(grey.get_offsets(), POINTS[GAP])
    assert [len(points.get_offsets()) for points in others] == [20, 20]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[0] == "unlabelled" and labels[1:] in (["a", "b"], ["0", "1"], ["False", "True"])


@pytest.mark.parametrize("y", [[None] * 60, np.full(60, np.nan), np.full(60, -1)], ids=["None", "NaN", "-1"])
def test_no_row_has_a_label(y):
    assert [len(points.get_offsets()) for points in EmbeddingDisplay(POINTS, y).plot().scatters_] == [60]


def test_numbers_may_be_missing_and_minus_one():
    y = pd.Series(np.where(GAP, np.nan, np.linspace(-1, 1, 60)), name="price")
    display = EmbeddingDisplay(POINTS, y).plot()
    assert [len(points.get_offsets()) for points in display.scatters_] == [20, 40]
    assert display.figure_.axes[-1].get_ylabel() == "price"
    assert len(EmbeddingDisplay(POINTS, np.arange(60)).plot().scatters_) == 1  # more numbers than looks of points


def test_the_name_of_a_series_is_shown():
    display = EmbeddingDisplay(POINTS, pd.Series(WORDS, name="species")).plot()
    assert display.ax_.get_legend().get_title().get_text() == "species"


def test_far_points_are_left_out_and_counted():
    points = np.random.default_rng(0).normal(size=(400, 2))
    assert EmbeddingDisplay(points).plot().ax_.get_title() == ""
    points[:3] = [[1e6, 0], [0, -1e6], [1e5, 1e5]]
    display = EmbeddingDisplay(points).plot()
    assert display.ax_.get_title() == "3 of 400 points are outside"
    assert np.abs([display.ax_.get_xlim(), display.ax_.get_ylim()]).max() < 10
    clusters = np.repeat([[0.0, 0.0], [100.0, 100.0]], [380, 20], axis=0) + points[20:21]
    assert EmbeddingDisplay(clusters).plot().ax_.get_title() == ""  # one in twenty is a group, and stays


def test_the_learnt_part_is_drawn(make, X):
    embedder = make().fit(X * np.logspace(0, 6, X.shape[1]))
    Z = embedder.transform(X)[:, :8].copy()
    wanted = PCA(2, random_state=0).fit_transform(Z)
    assert_array_equal(EmbeddingDisplay.from_estimator(embedder, X).points, wanted)
    frames = embedder.set_output(transform="polars")
    assert_array_equal(EmbeddingDisplay.from_estimator(frames, X).points, wanted)


def test_another_transformer_and_steps_behind_an_embedder(make, X):
    scaler = StandardScaler().fit(X)
    wanted = PCA(2, random_state=0).fit_transform(scaler.transform(X))
    assert_allclose(EmbeddingDisplay.from_estimator(scaler, X).points, wanted)
    behind = make_pipeline(make(), PCA(3)).fit(X)
    display = EmbeddingDisplay.from_estimator(behind, X)
    assert_allclose(np.abs(display.points), np.abs(behind.transform(X)[:, :2]), rtol=1e-3, atol=1e-4)


def test_umap_is_another_package(make, X, monkeypatch):
    embedder = make().fit(X)
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        EmbeddingDisplay.from_estimator(embedder, X, reducer="umap")
    stub = types.SimpleNamespace(UMAP=lambda n_neighbors, n_jobs, **more: PCA(**more))
    monkeypatch.setitem(sys.modules, "umap", stub)
    assert EmbeddingDisplay.from_estimator(embedder, X, reducer="umap").points.shape == (60, 2)


def test_few_rows_and_a_single_coordinate(make, X):
    embedder = make(n_components=1).fit(X)
    assert_array_equal(EmbeddingDisplay.from_estimator(embedder, X).points[:, 1], 0)
    assert EmbeddingDisplay.from_estimator(embedder, X[:6], reducer="tsne").points.shape == (6, 2)
    with pytest.raises(ValueError, match="at least 2"):
        EmbeddingDisplay.from_estimator(embedder, X[:1])


def test_what_cannot_be_drawn(make, X):
    embedder = make().fit(X)
    with pytest.raises(ValueError, match=r"y must be one column of labels. Got shape \(60, 2\)"):
        EmbeddingDisplay.from_estimator(embedder, X, np.zeros((60, 2)))
    with pytest.raises(ValueError, match=r"reducer='nonsense' is not known. Use one of \['pca', 'tsne', 'umap'\]"):
        EmbeddingDisplay.from_estimator(embedder, X, reducer="nonsense")


def test_a_legend_leaves_room_for_the_plot():
    display = EmbeddingDisplay(POINTS, [f"w{i:02d}" for i in range(60)]).plot()
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend()
    assert len(display.scatters_) == 60 and len(legend.get_texts()) == 24
    assert legend.get_title().get_text() == "classes: 24 of 60"
    words = EmbeddingDisplay(POINTS, ["", "a"] * 30).plot().ax_.get_legend().get_texts()
    assert [text.get_text() for text in words] == ["''", "a"]

"""The output of `transform`: the embedding and, next to it, the columns, on one scale."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._inference._output import COLUMN_VARIANCE, EMBEDDING_VARIANCE, balance
from sklearn_twins._tabular._passthrough import WIDEST, write_columns
from sklearn_twins.preprocessing import TablePreprocessor, TableSpec


def columns_of(samples, spec):
    out = np.full((len(samples), spec.n_inputs), np.nan, dtype=np.float32)
    write_columns(np.asarray(samples, dtype=np.float32), spec, out)
    return out


def test_columns_by_hand():
    spec = TableSpec(shape=(4,), missing=(1,), categories=(4, 36))  # two categories, and 34
    samples = [[0.5, np.nan, 2, 2], [-1.0, 2.0, 3, 33], [0.0, 0.0, 0, 34], [0.0, 0.0, 1, 99]]
    out = columns_of(samples, spec)
    assert_array_equal(out[:, :3], [[0.5, 0, 1], [-1, 2, 0], [0, 0, 0], [0, 0, 0]])
    assert_array_equal(out[:, 3:5], [[1, 0], [0, 1], [0, 0], [0, 0]])  # missing and unseen are neither
    assert_array_equal(out[:, 5:].argmax(1)[:2], [0, 31])
    assert_array_equal(out[:, 5:].sum(1), [1, 1, 0, 0])  # the 33rd category has no column


@pytest.mark.parametrize("clip", [0.2, 1.5, 50.0])
def test_numbers_get_their_tails_back(clip):
    X = np.random.default_rng(0).standard_t(2, size=(500, 3))
    preprocessor = TablePreprocessor(clip=clip)
    samples = preprocessor.fit_transform(X)
    z = (X - preprocessor.center_) * preprocessor.scale_
    out = columns_of(samples, preprocessor.spec_)
    assert np.abs(z).max() > WIDEST
    assert_allclose(out, np.clip(z, -WIDEST, WIDEST), rtol=0.002, atol=1e-5)


def test_balance():
    Z = np.random.default_rng(0).normal(size=(400, 3)) * [1.0, 100.0, 0.0]
    alike = Z * balance(Z, np.array([True, True, True]), 10.0)
    assert_allclose(alike.var(0), [5, 5, 0], rtol=1e-5)
    as_it_is = Z * balance(Z, np.array([False, False, False]), 10.0)
    assert_allclose(as_it_is.var(0).sum(), 10, rtol=1e-5)
    assert_allclose(as_it_is.std(0)[1] / as_it_is.std(0)[0], Z.std(0)[1] / Z.std(0)[0], rtol=1e-5)


def test_layout(make):
    """First the embedding, as from `transform_views` except for its scale, then the columns."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=300), "b": rng.choice(["x", "y", "z"], 300)})
    frame.loc[:9, "a"] = np.nan
    embedder = make().fit(frame)
    out, spec = embedder.transform(frame), embedder.preprocessor_.spec_
    assert out.shape == (300, 8 + 1 + 1 + 3) == (300, len(embedder.get_feature_names_out()))
    learnt = embedder.transform_views(frame, 1, augmentation="identity")[:, 0]
    varies = learnt.std(0) > 1e-6
    assert varies.sum() >= 4
    ratio = out[:, :8][:, varies] / np.where(learnt[:, varies] == 0, np.nan, learnt[:, varies])
    assert_allclose(np.nanmin(ratio, 0), np.nanmax(ratio, 0), rtol=1e-3)
    assert_allclose(out[:, :8].var(0).sum(), EMBEDDING_VARIANCE, rtol=0.01)
    assert_allclose(out[:, 8:].var(0).sum(), COLUMN_VARIANCE, rtol=0.01)
    hot = columns_of(embedder.preprocessor_.transform(frame), spec)
    assert_allclose(np.abs(np.corrcoef(out[:, 8:].T, hot.T)[:5, 5:].diagonal()), 1, rtol=1e-5)


def test_as_asked(make, X):
    width = X.shape[1]
    assert make().fit_transform(X).shape[1] == 8 + width
    assert make(n_components=3).fit_transform(X).shape[1] == 3
    assert make(n_components=3, passthrough=True).fit_transform(X).shape[1] == 3 + width
    plain = make(passthrough=False).fit(X)
    assert plain.transform(X).shape[1] == 8
    views = plain.transform_views(X, 1, augmentation="identity")[:, 0]
    assert_allclose(plain.transform(X), views, rtol=1e-5, atol=1e-6)  # not scaled


def test_goes_on_with_another_choice(make, X):
    embedder = make(warm_start=True).fit(X)
    embedder.set_params(passthrough=False, max_epochs=3).fit(X)
    assert embedder.transform(X).shape[1] == 8
    assert embedder.set_params(passthrough=True).partial_fit(X).transform(X).shape[1] == 8 + X.shape[1]


def test_images_have_no_columns():
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"passthrough=True .* columns of a table.* \(1, 8, 8\)"):
        BarlowTwinsEmbedder(modality="image", passthrough=True, max_epochs=1).fit(images)


def test_constant_columns_and_a_dead_embedding_stay_finite(make):
    with pytest.warns(Warning):
        embedder = make().fit(np.ones((40, 3)))
    assert np.isfinite(embedder.transform(np.full((5, 3), 7.0))).all()

"""What `transform` returns: the embedding and, beside it, the columns, on one scale."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import pixels
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._inference._output import balance
from sklearn_twins._tabular._passthrough import write_columns


def columns_of(samples, spec):
    out = np.full((len(samples), spec.n_inputs), np.nan, dtype=np.float32)
    write_columns(np.asarray(samples, dtype=np.float32), spec, out)
    return out


def test_balance():
    Z = np.random.default_rng(0).normal(size=(400, 3)) * [1.0, 100.0, 0.0]
    alike = Z * balance(Z, np.array([True, True, True]), 10.0)
    assert_allclose(alike.var(0), [5, 5, 0], rtol=1e-5)
    as_it_is = Z * balance(Z, np.array([False, False, False]), 10.0)
    assert_allclose(as_it_is.var(0).sum(), 10, rtol=1e-5)
    assert_allclose(as_it_is.std(0)[1] / as_it_is.std(0)[0], Z.std(0)[1] / Z.std(0)[0], rtol=1e-5)


def test_layout(make):
    """The embedding first, as `transform_views` gives it but for its scale; then the columns."""
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
    assert_allclose(out[:, 8:].var(0).sum(), 12, rtol=0.01)
    assert_allclose(out[:, 8:].var(0).sum(), 2 * out[:, :8].var(0).sum(), rtol=0.02)  # as documented
    hot = columns_of(embedder.preprocessor_.transform(frame), spec)
    assert_allclose(np.abs(np.corrcoef(out[:, 8:].T, hot.T)[:5, 5:].diagonal()), 1, rtol=1e-5)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_names(make, library):
    """They are unique in frames, even if a column has the name of a coordinate or of a category."""
    columns = {"Month": ["Nov", "Dec"] * 30, "Month_Nov": np.arange(60.0), "smallembedder": np.arange(60.0)}
    columns["barlowtwinsembedder0"] = np.arange(60.0) ** 2
    frame = library.DataFrame(columns)
    embedder = make().fit(frame)
    names = [f"barlowtwinsembedder{i}" for i in range(8)]
    names += ["Month_Nov", "smallembedder", "barlowtwinsembedder0_2", "Month_Dec", "Month_Nov_2"]
    assert list(embedder.get_feature_names_out()) == names and embedder.n_components_ == 8
    out = embedder.set_output(transform=library.__name__).transform(frame)
    assert list(out.columns) == names
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        embedder.get_feature_names_out(["a", "b", "c", "d"])


def test_names_without_columns(make, X):
    assert list(make(n_components=3).fit(X).get_feature_names_out()) == [f"barlowtwinsembedder{i}" for i in range(3)]
    named = make().fit(X).get_feature_names_out(list("abcde"))
    assert list(named[8:]) == list("abcde")
    with pytest.raises(NotFittedError):
        make().get_feature_names_out()
    with pytest.raises(NotFittedError):
        _ = make().n_components_


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
    images = pixels(40, 8, 8)
    with pytest.raises(ValueError, match=r"passthrough=True .* columns of a table.* \(1, 8, 8\)"):
        BarlowTwinsEmbedder(modality="image", passthrough=True, max_epochs=1).fit(images)


def test_constant_columns_and_a_dead_embedding_stay_finite(make):
    with pytest.warns(Warning):
        embedder = make().fit(np.ones((40, 3)))
    assert np.isfinite(embedder.transform(np.full((5, 3), 7.0))).all()

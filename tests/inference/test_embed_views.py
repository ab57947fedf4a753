"""Views of rows through the encoder: shapes, seeds, whose augmentation, and that nothing else changes."""

import numpy as np
import pytest
import torch
from builders import pixels
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from sklearn_twins.augmentations import Identity, MarginalCorruption, Masking, Pair

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("n_views", [1, 2, 5])
def test_shape(make, n_views):
    """More rows than a block."""
    X = np.random.default_rng(0).normal(size=(600, 5))
    views = make(max_epochs=1).fit(X[:60]).transform_views(X, n_views)
    assert views.shape == (600, n_views, 8) and views.dtype == np.float32
    assert np.isfinite(views).all()


def test_views_differ_and_repeat(make, X, fingerprint):
    embedder = make().fit(X)
    before = fingerprint(embedder)
    views = embedder.transform_views(X, 4)
    assert all(not np.array_equal(views[:, i], views[:, j]) for i in range(4) for j in range(i))
    assert_array_equal(views, embedder.transform_views(X, 4))
    assert_array_equal(views[:, :2], embedder.transform_views(X, 2))
    assert not np.array_equal(views, embedder.transform_views(X, 4, random_state=1))
    assert fingerprint(embedder) == before


def test_without_changes_views_are_the_embedding(make, X):
    embedder = make(augmentation="identity", passthrough=False).fit(X)
    np.testing.assert_allclose(embedder.transform_views(X)[:, 0], embedder.transform(X), rtol=1e-5, atol=1e-6)


def test_a_pairs_views_are_its_own(make, X):
    embedder = make(augmentation=Pair(Identity(), MarginalCorruption(1.0)), passthrough=False).fit(X)
    views, clean = embedder.transform_views(X, 3), embedder.transform(X)
    np.testing.assert_allclose(views[:, 0], clean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(views[:, 2], clean, rtol=1e-5, atol=1e-6)
    assert not np.allclose(views[:, 1], clean)


def test_augmentation_as_it_is_now(make, X):
    embedder = make(augmentation=Masking(mask_rate=0.0)).fit(X)
    before = embedder.transform_views(X)
    after = embedder.set_params(augmentation__mask_rate=1.0).transform_views(X)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, np.broadcast_to(after[:1, :1], after.shape), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("augmentation", ["identity", Identity(), torch.nn.Identity(), lambda x, data, generator: x])
def test_another_augmentation(make, X, augmentation):
    embedder = make(passthrough=False).fit(X)
    views, own = embedder.transform_views(X, augmentation=augmentation), embedder.transform_views(X)
    np.testing.assert_allclose(views[:, 1], embedder.transform(X), rtol=1e-5, atol=1e-6)
    assert not np.allclose(views, own)
    assert_array_equal(embedder.transform_views(X, augmentation="auto"), own)


def test_callables(make, X):
    """An augmentation of the user's may draw from torch's global generator, which is as before afterwards."""
    embedder = make(augmentation=lambda x, data, generator: x + torch.randn(x.shape)).fit(X)
    state = torch.get_rng_state()
    views = embedder.transform_views(X)
    assert torch.equal(state, torch.get_rng_state())
    assert_array_equal(views, embedder.transform_views(X))


@pytest.mark.parametrize("storage", ["device", "host"])
def test_images(make, storage):
    images = pixels(40, 8, 8, 3)
    embedder = make(modality="image", encoder="convnet", storage=storage, n_components=6).fit(images)
    assert embedder.transform_views(images, 2).shape == (40, 2, 6)


def test_wrong_input(make, X):
    embedder = make()
    with pytest.raises(NotFittedError):
        embedder.transform_views(X)
    embedder.fit(X)
    with pytest.raises(ValueError, match="n_views == 0, must be >= 1"):
        embedder.transform_views(X, 0)
    with pytest.raises(ValueError, match="features"):
        embedder.transform_views(X[:, :3])

"""transform_frames: one row for each step of a time series, and errors where there are no steps."""

import numpy as np
import pytest
import torch
from builders import small_embedder, small_table
from sklearn.exceptions import NotFittedError

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.networks import DilatedEncoder, MiniRocketEncoder, SeriesResNetEncoder
from sklearn_twins.preprocessing import SeriesPreprocessor

pytestmark = pytest.mark.usefixtures("one_thread")

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 2, 20)).cumsum(2)
RAGGED = [series[:, : 5 + i % 16] for i, series in enumerate(X)]  # one has all 20 steps


@pytest.fixture(scope="module", params=[SeriesResNetEncoder((4, 4)), DilatedEncoder(4, 6)], ids=["resnet1d", "dilated"])
def fit(request):
    """``fit(X, **params)``: an embedder with a small encoder."""
    small = {"modality": "series", "preprocessor": SeriesPreprocessor(n_kernel_features=84), "max_epochs": 1}
    return lambda X, **params: small_embedder(**small, encoder=request.param, **params).fit(X)


def test_one_row_a_step(fit):
    frames, times = fit(X).transform_frames(X)
    assert frames.shape == (24, 20, frames.shape[2]) and frames.dtype == np.float32 and np.isfinite(frames).all()
    np.testing.assert_array_equal(times, np.arange(20))
    assert frames.std(axis=1).min() > 0, "steps differ"


@pytest.mark.parametrize("n_components", [None, 2])
def test_missing_steps_are_nan_and_others_do_not_depend_on_the_batch(fit, n_components):
    """To the bit, with few components, too."""
    embedder = fit(RAGGED, n_components=n_components)
    frames, _ = embedder.transform_frames(RAGGED)
    assert frames.shape == (24, 20, embedder.n_components_)
    for series, row in zip(RAGGED, frames, strict=True):
        assert np.isfinite(row[: series.shape[1]]).all() and np.isnan(row[series.shape[1] :]).all()
    for i in (0, 5, 23):
        alone, _ = embedder.transform_frames(RAGGED[i : i + 1])
        np.testing.assert_array_equal(alone[0], frames[i])


def test_a_step_is_like_a_series_of_it(fit):
    """The maximum over its steps is the second half of a series' embedding, as the encoder makes it."""
    embedder = fit(X, passthrough=False)
    frames, width = embedder.transform_frames(X)[0], embedder.n_components_ // 2
    np.testing.assert_allclose(frames.max(1)[:, width:], embedder.transform(X)[:, width:], rtol=1e-4, atol=1e-5)


def test_encoders_without_steps_are_refused():
    networks = [MiniRocketEncoder((8,)), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40, 4))]
    for encoder in networks:
        embedder = small_embedder(modality="series", encoder=encoder, max_epochs=1).fit(X)
        with pytest.raises(ValueError, match=r"transform_frames needs an encoder .* encoder='resnet1d' or"):
            embedder.transform_frames(X)


def test_rows_without_steps_are_refused():
    with pytest.raises(ValueError, match=r"with a time axis, of modality='series'.* \(modality='tabular'\); use trans"):
        small_embedder().fit(small_table()).transform_frames(small_table())
    with pytest.raises(NotFittedError):
        BarlowTwinsEmbedder(modality="series").transform_frames(X)

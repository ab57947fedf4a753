"""The displays: they draw what they were given, on the caller's axes or their own, and leave everything as it is."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.manifold import TSNE
from torch import nn

from sklearn_twins import Component, SampleSpec, displays
from sklearn_twins.augmentations import Identity, MarginalCorruption
from sklearn_twins.displays import (
    CrossCorrelationDisplay,
    EmbeddingDisplay,
    SpectrumDisplay,
    TrainingCurveDisplay,
    ViewsDisplay,
)
from sklearn_twins.displays._spectrum import build_random_encoder
from sklearn_twins.metrics import effective_rank, invariance

pytestmark = pytest.mark.slow

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(12, 8, 10, 3), dtype=np.uint8)


def check_drawn(display):
    """It makes a picture, which is not blank."""
    display.figure_.canvas.draw()
    assert np.asarray(display.figure_.canvas.buffer_rgba())[..., :3].std() > 2


def changed_in(display):
    """Cells of a table that differ from the row's, in each view."""
    rows = display.samples
    return [~((view == rows) | (np.isnan(view) & np.isnan(rows))) for view in display.views]


FROM_ESTIMATOR = {
    TrainingCurveDisplay: lambda embedder, X, **more: TrainingCurveDisplay.from_estimator(embedder, **more),
    CrossCorrelationDisplay: CrossCorrelationDisplay.from_estimator,
    SpectrumDisplay: SpectrumDisplay.from_estimator,
    ViewsDisplay: ViewsDisplay.from_estimator,
    EmbeddingDisplay: EmbeddingDisplay.from_estimator,
}


def test_all_are_tested():
    assert {kind.__name__ for kind in FROM_ESTIMATOR} == set(displays.__all__)


@pytest.mark.parametrize("kind", FROM_ESTIMATOR)
def test_on_axes_of_its_own_and_on_others(make, X, fingerprint, kind):
    embedder = make().fit(X)
    before = fingerprint(embedder)
    display = FROM_ESTIMATOR[kind](embedder, X)
    assert type(display) is kind and display.figure_ is display.ax_.figure
    check_drawn(display)
    figure, ax = plt.subplots()
    again = FROM_ESTIMATOR[kind](embedder, X, ax=ax)
    assert again.ax_ is ax and again.figure_ is figure
    assert again.plot().ax_ is not ax
    assert fingerprint(embedder) == before


@pytest.mark.parametrize(
    ("kind", "style"),
    [
        (TrainingCurveDisplay, "default"),
        (CrossCorrelationDisplay, "dark_background"),
        (SpectrumDisplay, "default"),
        (EmbeddingDisplay, "dark_background"),
    ],
)
def test_nothing_is_cut_off_in_a_column_of_a_paper(make, X, kind, style):
    with plt.style.context([style, {"figure.figsize": (3.4, 2.6)}]):
        labels = {"y": np.arange(len(X)) % 9} if kind is EmbeddingDisplay else {}
        figure = FROM_ESTIMATOR[kind](make().fit(X), X, **labels).figure_
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()  # in inches
    assert min(drawn.x0, drawn.y0) > -0.02 and drawn.x1 < 3.42 and drawn.y1 < 2.62


@pytest.mark.parametrize("kind", [kind for kind in FROM_ESTIMATOR if kind is not ViewsDisplay])
def test_a_fit_is_needed(make, X, kind):
    with pytest.raises(NotFittedError):
        FROM_ESTIMATOR[kind](make(), X)


def test_matplotlib_is_an_extra(make, X, monkeypatch):
    embedder = make().fit(X)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        TrainingCurveDisplay.from_estimator(embedder)


VICREG = {"loss", "invariance", "variance", "covariance", "held-out loss"}


@pytest.mark.parametrize(
    ("params", "lines"),
    [
        ({}, {"loss", "invariance", "redundancy", "noise of redundancy"}),
        ({"objective": "vicreg", "early_stopping": True}, VICREG),
        ({"objective": lambda z_a, z_b: (z_a - z_b).square().mean(), "max_epochs": 1}, {"loss"}),
    ],
    ids=["correlations", "held out", "callable"],
)
def test_training_curve(make, X, params, lines):
    embedder = make(**params).fit(X)
    display = TrainingCurveDisplay.from_estimator(embedder)
    assert set(display.lines_) == lines
    assert_array_equal(display.lines_["loss"].get_ydata(), embedder.history_["loss"])
    assert_array_equal(display.lines_["loss"].get_xdata(), embedder.history_["epoch"])
    if "noise of redundancy" in lines:
        noise = display.lines_["noise of redundancy"].get_ydata()
        assert_allclose(noise, 8 * 7 / 14 / 8, rtol=1e-5)  # 8 coordinates, 15 rows, a weight of 1 / 8


def test_cross_correlation(make, X):
    embedder = make().fit(X)
    display = CrossCorrelationDisplay.from_estimator(embedder, X, random_state=3)
    views = embedder.transform_views(X, random_state=3).astype(np.float64)
    d, alive = views.shape[2], np.ix_(*[views.std(0).min(0) > 1e-6] * 2)
    with np.errstate(invalid="ignore"):
        wanted = np.corrcoef(views[:, 0].T, views[:, 1].T)[:d, d:]
    assert_allclose(display.correlation[alive], wanted[alive], atol=1e-6)
    assert_allclose(np.mean((1 - display.correlation.diagonal()) ** 2), invariance(views[:, 0], views[:, 1]))
    assert display.im_.get_array().shape == (d, d)
    off = np.abs(display.correlation[~np.eye(d, dtype=bool)]).mean()
    title = f"mean of the diagonal {display.correlation.diagonal().mean():.2f}\nmean size off it {off:.2f}"
    assert display.ax_.get_title() == title
    assert display.plot(n_coordinates=3).im_.get_array().shape == (3, 3)
    assert "first 3 of" in display.ax_.get_xlabel()


def test_spectrum(make, X):
    embedder = make(n_components=5).fit(X)
    display = SpectrumDisplay.from_estimator(embedder, X)
    assert list(display.lines_) == ["embedding", "random encoder"]
    Z = display.embeddings["embedding"]
    values = np.sort(np.linalg.eigvalsh(np.cov(Z.T.astype(np.float64))))[::-1]
    shares = values / values.sum()
    assert_allclose(display.lines_["embedding"].get_ydata(), shares[shares > 1e-12], rtol=1e-4)
    assert display.effective_rank_["embedding"] == pytest.approx(effective_rank(Z))
    assert np.isfinite(display.embeddings["random encoder"]).all()
    assert np.abs(display.embeddings["random encoder"] - Z).max() > 0.01
    assert list(SpectrumDisplay.from_estimator(embedder, X, random_encoder=False).lines_) == ["embedding"]


def test_a_random_encoder_has_batch_statistics_of_the_rows(make, X):
    embedder = make().fit(X)
    encoder = build_random_encoder(embedder, embedder.preprocessor_.transform(X, owner=embedder))
    norms = [layer for layer in encoder.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(norm.num_batches_tracked == 1 and norm.running_mean.any() for norm in norms)
    assert not encoder.training


def test_a_module_of_the_users_has_no_random_twin(make, X):
    embedder = make(encoder=nn.Linear(5, 4)).fit(X)
    assert list(SpectrumDisplay.from_estimator(embedder, X).lines_) == ["embedding"]


@pytest.mark.parametrize("fitted", [False, True])
def test_views_of_a_table(make, X, fitted):
    """Numbers, a date, categories and gaps; the cells that have changed have marks, and no others."""
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame["kind"], frame["when"] = list("xyz") * 20, pd.date_range("2020", periods=60)
    frame.loc[::3, "a"] = np.nan
    embedder = make(augmentation=MarginalCorruption(corruption_rate=0.5))
    if fitted:
        embedder.fit(frame)
    before = set(vars(embedder))
    display = ViewsDisplay.from_estimator(embedder, frame, n_rows=6, n_pairs=2)
    assert set(vars(embedder)) == before
    d = len(display.names)
    assert len(display.views) == 4 and display.samples.shape == display.views[0].shape == (6, d)
    assert "kind" in display.names and any(name.startswith("when_") for name in display.names)
    wanted = {
        (column + (d + 1) * (number + 1), row)
        for number, changed in enumerate(changed_in(display))
        for row, column in np.argwhere(changed)
    }
    assert {tuple(place) for place in display.marks_.get_offsets().astype(int)} == wanted != set()
    check_drawn(display)


def test_views_are_the_seeds(make, X):
    one, again, other = (ViewsDisplay.from_estimator(make(), X, random_state=seed).views for seed in (1, 1, 2))
    assert_array_equal(one, again)
    assert (np.array(one) != np.array(other)).any()


class Plain(Component):
    """A preprocessor without feature names."""

    def __init__(self, shape=(5,)):
        self.shape = shape

    def fit_transform(self, X, *, owner):
        self.spec_, owner.n_features_in_ = SampleSpec(self.shape), X.shape[1]
        return self.transform(X, owner=owner)

    def transform(self, X, *, owner):
        return X.astype(np.float32).reshape(-1, *self.shape)


def test_views_of_samples_without_names_and_of_another_shape(make, X):
    assert ViewsDisplay.from_estimator(make(preprocessor=Plain()), X).names is None
    flat = make(preprocessor=Plain((5, 1, 1, 1)), augmentation=Identity(), encoder=nn.Flatten())
    with pytest.raises(ValueError, match=r"samples of shape \(5, 1, 1, 1\); give"):
        ViewsDisplay.from_estimator(flat, X)


def test_a_random_encoder_leaves_torchs_generator_alone(make, X):
    class Drawn(Component):
        def build(self, spec, n_components, generator):
            return nn.Linear(spec.n_inputs, 4)

    embedder, before = make(encoder=Drawn()).fit(X), torch.get_rng_state()
    assert set(SpectrumDisplay.from_estimator(embedder, X).lines_) == {"embedding", "random encoder"}
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("channels", [1, 5])
def test_views_of_images(make, images, channels):
    X = np.repeat(images[..., :1], channels, axis=3)
    embedder = make(modality="image", encoder="convnet").set_params(preprocessor__channels="last")
    display = ViewsDisplay.from_estimator(embedder, X, n_rows=3, n_pairs=2)
    assert display.samples.shape == (3, channels, 8, 10) and len(display.views) == 4 and display.marks_ is None
    assert display.samples.min() >= 0 and display.samples.max() <= 1
    check_drawn(display)


@pytest.mark.parametrize("name", ["n_rows", "n_pairs"])
def test_how_many_views(make, X, name):
    with pytest.raises(ValueError, match=name):
        ViewsDisplay.from_estimator(make(), X, **{name: 0})


def test_an_embedder_that_could_not_be_fitted_is_refused(make, X):
    with pytest.raises(ValueError, match="batch_size"):
        ViewsDisplay.from_estimator(make(batch_size=0), X)


@pytest.mark.parametrize(
    ("y", "n"),
    [(None, 1), (np.array(list("ab") * 30), 2), (np.linspace(0, 1, 60), 1), (np.arange(60) % 20 - 1, 20)],
    ids=["none", "words", "numbers", "many"],
)
def test_embedding(make, X, y, n):
    embedder = make().fit(X)
    display = EmbeddingDisplay.from_estimator(embedder, X, y)
    assert len(display.scatters_) == n
    assert_array_equal(display.points, PCA(2, random_state=0).fit_transform(embedder.transform(X)[:, :8].copy()))
    assert sum(len(points.get_offsets()) for points in display.scatters_) == 60
    assert re.fullmatch(r"component 1 \(\d+%\)", display.ax_.get_xlabel())
    check_drawn(display)


def test_classes_can_be_told_apart():
    """Twenty of them differ in colour or marker; rows without a label are grey."""
    display = EmbeddingDisplay(np.random.default_rng(0).normal(size=(200, 2)), np.arange(200) % 20 - 1).plot()
    looks = {(tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes()) for c in display.scatters_}
    assert len(looks) == 20
    assert display.ax_.get_legend().get_texts()[0].get_text() == "unlabelled"


@pytest.mark.slow
def test_another_reducer(make, X):
    embedder, reducer = make().fit(X), TSNE(2, perplexity=5, random_state=0)
    before = clone(reducer).get_params()
    display = EmbeddingDisplay.from_estimator(embedder, X, reducer=reducer)
    assert display.points.shape == (60, 2) and reducer.get_params() == before and not hasattr(reducer, "embedding_")
    assert display.ax_.get_xlabel() == "first coordinate"


def test_what_cannot_be_drawn(make, X):
    embedder = make().fit(X)
    with pytest.raises(ValueError, match=r"must make 2 columns.*Set its n_components=2"):
        EmbeddingDisplay.from_estimator(embedder, X, reducer=PCA(3))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EmbeddingDisplay.from_estimator(embedder, X, np.arange(59))

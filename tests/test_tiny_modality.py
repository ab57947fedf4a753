"""A third modality, sets of points in the plane, in one file: only its record is registered, and everything works."""

import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import validate_data
from skorch.callbacks import Callback
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder, Component, SampleSpec
from sklearn_twins._inputs._feature_names import share_names
from sklearn_twins._modalities import MODALITIES, record_of
from sklearn_twins._parts._augmentation import Augmentation
from sklearn_twins._parts._encoder import Encoder
from sklearn_twins._parts._modality import Modality, Passthrough, Stored
from sklearn_twins._parts._stored_state import IS_SHAPE, check_component, is_array, is_finite, require
from sklearn_twins.networks import MLPProjector

pytestmark = pytest.mark.usefixtures("one_thread", "points")


# The modality: what one would put into a folder `_points/`.


@dataclass(frozen=True)
class PointsSpec(SampleSpec):
    """A set of points: shape (points, axes), in units of `scale`."""

    scale: float = 1.0

    def describe_input(self):
        """Say in an error message what a user's network receives."""
        return f"For points it receives batches of shape (batch, {self.shape[0]}, {self.shape[1]})."


class PointsPreprocessor(Component):
    """Sets of points (n, points, axes), or the same as flat rows, centred and scaled."""

    def __init__(self, n_axes=2):
        self.n_axes = n_axes

    def fit_transform(self, X, y=None, *, owner=None):
        owner = self if owner is None else owner
        X = self._read(X, owner, reset=True)
        self.center_, self.scale_ = X.mean((0, 1)), float(X.std()) or 1.0
        self.spec_ = PointsSpec(X.shape[1:], scale=self.scale_)
        share_names(owner, self)
        return self._scaled(X)

    def transform(self, X, *, owner=None):
        return self._scaled(self._read(X, self if owner is None else owner, reset=False))

    def _read(self, X, owner, *, reset):
        X = X.reshape(len(X), -1) if getattr(X, "ndim", 2) == 3 else X
        X = validate_data(owner, X, reset=reset, dtype=np.float64)
        if X.shape[1] % self.n_axes:
            raise ValueError(f"X has {X.shape[1]} columns, which are no points with {self.n_axes} axes.")
        return X.reshape(len(X), -1, self.n_axes)

    def _scaled(self, X):
        return ((X - self.center_) / self.scale_).astype(np.float32)


class Wobble(Augmentation):
    """Rotate a set of points about the origin (or mirror it, on a line), and move each point a little."""

    def __init__(self, angle=0.5, jitter=0.1):
        self.angle = angle
        self.jitter = jitter

    def __call__(self, x, data, generator):
        uniform = torch.rand(len(x), 1, 1, generator=generator, device=x.device)
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        return self._turned(x, (2 * uniform - 1) * self.angle) + self.jitter * noise

    def _turned(self, x, angle):
        if x.shape[2] != 2:
            return torch.where(angle < 0, -x, x)
        a, b = x.split(1, dim=2)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=2)


class MeanOverPoints(nn.Module):
    """(batch, points, width) -> (batch, width)"""

    def forward(self, x):
        return x.mean(1)


class DeepSets(Encoder):
    """The same layers for each point, and the mean of their output (Zaheer et al., "Deep Sets", 2017)."""

    def __init__(self, width=16):
        self.width = width

    def _check_spec(self, spec):
        if not isinstance(spec, PointsSpec):
            raise ValueError(f"encoder={self!r} is for sets of points. Got samples of shape {spec.shape}.")

    def _make(self, spec):
        layers = [nn.Linear(spec.shape[1], self.width), nn.ReLU(), nn.Linear(self.width, self.width)]
        return nn.Identity(), [*layers, MeanOverPoints(), nn.BatchNorm1d(self.width), nn.ReLU()], self.width


class Moments(nn.Module):
    """The mean of the points, and their mean distance from it: (batch, points, axes) -> (batch, axes + 1)"""

    def forward(self, x):
        center = x.mean(1, keepdim=True)
        return torch.cat([center.squeeze(1), (x - center).norm(dim=2).mean(1, keepdim=True)], dim=1)


def write_moments(samples, spec, out):
    out[:] = Moments()(torch.from_numpy(samples))


def draw_points(pictures, titles, make_axes, names, n_codes):
    ax = make_axes(figsize=(4, 4))
    for points, title in zip(pictures, titles, strict=True):
        drawn = ax.scatter(*points.reshape(-1, points.shape[2]).T[:2], label=title)
    return drawn, None


def check_points(preprocessor):
    check_component(preprocessor)
    spec, n_axes = preprocessor.spec_, preprocessor.n_axes
    require(preprocessor.scale_ > 0 and spec.scale == preprocessor.scale_, "the scales differ")
    require(len(spec.shape) == 2 and spec.shape[1] == n_axes == len(preprocessor.center_), "the axes differ")
    require(preprocessor.n_features_in_ == math.prod(spec.shape), "the numbers of points differ")


POINTS = Modality(
    name="points",
    spec=PointsSpec,
    defaults={"preprocessor": "points", "augmentation": "wobble", "encoder": "deep_sets"},
    preprocessors=lambda: {"points": PointsPreprocessor},
    augmentations=lambda: {"wobble": Wobble},
    encoders=lambda: {"deep_sets": DeepSets},
    n_steps=100,
    epochs=(3, 20),
    passthrough=Passthrough(
        count=lambda spec: spec.shape[1] + 1,
        write=write_moments,
        are_numbers=lambda spec: np.full(spec.shape[1] + 1, True),
        names=lambda preprocessor, input_features: ["x", "y", "spread"],
        make_module=lambda spec: Moments(),
    ),
    stored=lambda: Stored(
        preprocessor=PointsPreprocessor,
        fitted={"center_": is_array(np.float64), "scale_": is_finite},
        classes={PointsSpec: {"shape": IS_SHAPE, "scale": is_finite}, Wobble: {}, DeepSets: {}},
        check=check_points,
    ),
    sample_ndim=2,
    draw_views=draw_points,
)


# The tests.


@pytest.fixture
def points(monkeypatch):
    """Registers the modality."""
    monkeypatch.setitem(MODALITIES, "points", POINTS)


def polygons(n=90, seed=0):
    """Corners of triangles, squares and pentagons, ten points each, anyhow turned, and how many corners they have."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(3, 6, size=n)
    angles = 2 * np.pi * (np.arange(10) % corners[:, None]) / corners[:, None] + rng.uniform(0, 2 * np.pi, (n, 1))
    return np.stack([np.cos(angles), np.sin(angles)], axis=2) + rng.normal(scale=0.1, size=(n, 10, 2)) + [3, 0], corners


def make(**params):
    """A small embedder of points."""
    small = {"projector": MLPProjector((8,), 8), "max_epochs": 2, "batch_size": 32, "random_state": 0}
    return BarlowTwinsEmbedder(modality="points", **{**small, **params})


X, Y = polygons()


def test_defaults_are_the_records():
    embedder = make(max_epochs="auto").fit(X)
    assert record_of(embedder.preprocessor_.spec_) is POINTS
    assert type(embedder._recipe.encoder) is DeepSets and embedder.n_iter_ == 20
    Z = embedder.transform(X)
    assert Z.shape == (90, 16 + 3) and embedder.n_features_in_ == 20
    moments = Moments()(torch.from_numpy(embedder.preprocessor_.transform(X))).numpy()
    for column, expected in zip(Z[:, 16:].T, moments.T, strict=True):
        assert_allclose(np.corrcoef(column, expected)[0, 1], 1)
    assert_array_equal(embedder.transform(X.reshape(90, 20))[5], embedder.transform(X[5:6])[0])


def test_columns_next_to_the_embedding():
    assert make(passthrough=False).fit_transform(X).shape == (90, 16)
    assert make(n_components=4).fit_transform(X).shape == (90, 4)
    assert make(n_components=4, passthrough=True).fit_transform(X).shape == (90, 7)


def test_parts_are_reached_by_their_names():
    embedder = make(augmentation="wobble", encoder="deep_sets").set_params(augmentation__angle=0.2, encoder__width=5)
    assert embedder.augmentation.angle == 0.2 and embedder.fit_transform(X).shape == (90, 8)
    search = GridSearchCV(make(), {"encoder__width": [4, 8], "augmentation__jitter": [0.1, 0.3]}, cv=2).fit(X)
    assert search.best_estimator_.encoder.width in (4, 8)
    with pytest.raises(ValueError, match="is for sets of points"):
        make(preprocessor="table").fit(X.reshape(90, 20))


def test_warm_start_and_stream():
    embedder = make(warm_start=True, lr_schedule="constant").fit(X)
    at_once = clone(embedder).set_params(max_epochs=4).fit(X)
    assert_array_equal(embedder.set_params(max_epochs=4).fit(X).transform(X), at_once.transform(X))
    assert embedder.partial_fit(X).n_iter_ == 5


def test_rows_without_labels():
    assert_array_equal(make().fit(X[:50], unlabeled=X[50:]).transform(X), make().fit_transform(X))


@pytest.mark.parametrize("params", [{}, {"warm_start": True, "n_components": 3, "augmentation": Wobble(0.3)}])
def test_pickles_and_files(tmp_path, params):
    embedder = make(**params).fit(X)
    embedder.save(tmp_path / "points.safetensors")
    for copy in (pickle.loads(pickle.dumps(embedder)), BarlowTwinsEmbedder.load(tmp_path / "points.safetensors")):
        assert_array_equal(copy.transform(X), embedder.transform(X))
        assert repr(copy) == repr(embedder) and vars(copy).keys() == vars(embedder).keys()
    embedder.preprocessor_.scale_ = -1.0
    with pytest.raises(ValueError, match="the scales differ"):
        embedder.save(tmp_path / "points.safetensors")


class Interrupt(Callback):
    """Ends a fit as Ctrl-C does, in its third epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


def test_checkpoints(tmp_path):
    embedder = make(max_epochs=4, checkpoint=tmp_path, checkpoint_minutes=0)
    with pytest.raises(KeyboardInterrupt):
        clone(embedder).set_params(callbacks=[Interrupt()]).fit(X)
    assert list(tmp_path.iterdir())
    assert_array_equal(embedder.fit(X).transform(X), make(max_epochs=4).fit_transform(X))


def test_score_and_diagnosis():
    embedder = make(max_epochs=10).fit(X)
    assert 0 < embedder.score(X) <= 1
    diagnosis = embedder.diagnose(X)
    assert diagnosis.constant_columns == [] and diagnosis.n_components == 16
    assert embedder.transform_views(X, 3).shape == (90, 3, 16)


def test_views_are_drawn():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    from sklearn_twins.displays import ViewsDisplay

    display = ViewsDisplay.from_estimator(make(), X, n_rows=4)
    assert display.modality == "points" and display.views[0].shape == (4, 10, 2)
    assert len(display.ax_.collections) == 3 and display.marks_ is None
    plt.close("all")


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_registry")
def test_onnx(tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    embedder = make().fit(X)
    with pytest.raises(ValueError, match="cannot be a part of an ONNX graph"):
        embedder.to_onnx(tmp_path / "points.onnx")
    embedder.to_onnx(tmp_path / "points.onnx", preprocessing=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "points.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"samples": embedder.preprocessor_.transform(X)})
    assert_allclose(found, embedder.transform(X), atol=1e-4)


@pytest.mark.slow
def test_estimator_checks():
    """scikit-learn's checks give rows with any number of columns, so these are points on a line."""
    embedder = make(early_stopping=True, n_components=3, preprocessor=PointsPreprocessor(1))
    results = check_estimator(embedder, on_fail=None, on_skip=None)
    bad = [(r["check_name"], r["status"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not bad and sum(r["status"] == "passed" for r in results) >= 40

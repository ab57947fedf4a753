"""ONNX models compute the output of `transform` in onnxruntime, for any number of rows; or the export says why not."""

import json
import sys
import types

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder
from sklearn_twins.networks import (
    ConvNetEncoder,
    ImageResNetEncoder,
    MLPEncoder,
    MLPProjector,
    Periodic,
    PiecewiseLinear,
    ResNetEncoder,
)
from sklearn_twins.preprocessing import ImagePreprocessor, TablePreprocessor

pytestmark = pytest.mark.usefixtures("one_thread", "onnx_registry")
SMALL = {"projector": MLPProjector((8,), 8), "max_epochs": 2, "batch_size": 32, "random_state": 0}


def numbers(n=80):
    """Columns of numbers on very different scales: with gaps, constant, empty, heavy-tailed."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)) * [1, 1e-3, 1e6, 1, 1, 1] + [0, 5, 1e9, 0, 0, 0]
    X[::5, 1] = X[:, 4] = np.nan
    X[:, 3], X[0, 0] = 2.0, 1e300
    return X


def images(n=40, channels=3):
    return np.random.default_rng(0).integers(0, 256, size=(n, 9, 8, channels), dtype=np.uint8)


def mixed(n=80):
    rng = np.random.default_rng(0)
    number = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    words, days = rng.choice(["a", "b", "c", None], n), pd.date_range("2020-01-01", periods=n, freq="37h")
    return pd.DataFrame({"number": number, "word": words, "day": days, "code": rng.choice(list("xy"), n)})


def run(path, name, rows):
    """The model's output; and for its first rows alone."""
    return run_all(path, {name: rows})


def run_all(path, inputs):
    """The same for a model with several inputs."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == list(inputs)
    assert [entry.name for entry in session.get_outputs()] == ["transformed"]
    (all_rows,) = session.run(None, inputs)
    for n in (1, 3):
        first = {name: rows[:n] for name, rows in inputs.items()}
        assert_allclose(session.run(None, first)[0], all_rows[:n], atol=1e-5)
    return all_rows


def refused_rows_are_nan(path, name, rows, wanted, value):
    """A graph cannot raise an error as `transform` does, and must not give such a row an embedding."""
    rows = np.array(rows)
    rows[3].flat[0] = value
    found = run(path, name, rows)
    assert np.isnan(found[3]).all()
    assert_allclose(np.delete(found, 3, 0), np.delete(wanted, 3, 0), atol=1e-4)


@pytest.fixture(autouse=True)
def packages():
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")


TABLES = {
    "waves, embedding alone": {
        "encoder": MLPEncoder((16, 8), expansion=Periodic(n_frequencies=3, width=2)),
        "n_components": 3,
    },
    "pieces, residual, few columns": {
        "encoder": ResNetEncoder(width=8, expansion=PiecewiseLinear(n_bins=4)),
        "n_components": 3,
        "passthrough": True,
    },
    "module": {"encoder": nn.Sequential(nn.Linear(8, 6), nn.GELU())},
}


@pytest.mark.slow
@pytest.mark.parametrize("params", TABLES.values(), ids=TABLES)
def test_numbers(tmp_path, params):
    """The model names the columns; neither the embedder nor the caller's ambient state matters or changes."""
    import onnx

    X, path = pd.DataFrame(numbers(), columns=["a,b", *"bcdef"]), tmp_path / "model.onnx"
    embedder = BarlowTwinsEmbedder(**SMALL, **params).fit(X)
    before = dict(vars(embedder))
    with torch.inference_mode():
        embedder.to_onnx(path)
    onnx.checker.check_model(onnx.load(path))
    assert columns_of(path) == ["a,b", "b", "c", "d", "e", "f"]
    assert all(vars(embedder)[name] is value for name, value in before.items())
    assert list(tmp_path.iterdir()) == [path]
    X.iloc[0, 1], X.iloc[1, 0], X.iloc[2, 4] = np.nan, -1e305, 3.0
    wanted, rows = embedder.transform(X), X.to_numpy()
    assert_allclose(run(path, "X", rows), wanted, atol=1e-4)
    refused_rows_are_nan(path, "X", rows, wanted, np.inf)


IMAGES = {
    "grey": ({"encoder": ConvNetEncoder((4, 8)), "n_components": 3}, images(channels=1)),
    "range, residual": (
        {"encoder": ImageResNetEncoder(width=4), "preprocessor": ImagePreprocessor(value_range=(-5, 300))},
        images().astype(np.float32),
    ),
    "module": ({"encoder": nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(168, 5))}, images()),
}


@pytest.mark.slow
@pytest.mark.parametrize(("params", "X"), IMAGES.values(), ids=IMAGES)
def test_images(tmp_path, params, X):
    embedder = BarlowTwinsEmbedder(modality="image", augmentation="identity", **SMALL, **params).fit(X)
    embedder.to_onnx(tmp_path / "model.onnx")
    assert_allclose(run(tmp_path / "model.onnx", "X", X), embedder.transform(X), atol=1e-4)
    for value in (np.inf, np.nan) if X.dtype.kind == "f" else ():
        refused_rows_are_nan(tmp_path / "model.onnx", "X", X, embedder.transform(X), value)


@pytest.mark.slow
def test_samples_of_any_table(tmp_path):
    X = mixed()
    preprocessor = TablePreprocessor(scaling="quantile")
    embedder = BarlowTwinsEmbedder(encoder=MLPEncoder((8,)), preprocessor=preprocessor, **SMALL).fit(X)
    embedder.to_onnx(tmp_path / "model.onnx", preprocessing=False)
    X.loc[0, "word"], X.loc[1, "day"] = "unseen", None
    samples = embedder.preprocessor_.transform(X)
    assert_allclose(run(tmp_path / "model.onnx", "samples", samples), embedder.transform(X), atol=1e-4)
    refused_rows_are_nan(tmp_path / "model.onnx", "samples", samples, embedder.transform(X), -np.inf)


@pytest.mark.slow
def test_samples_of_images(tmp_path):
    X = images().astype(np.float32) / 255
    embedder = BarlowTwinsEmbedder(
        modality="image", augmentation="identity", encoder=ConvNetEncoder((4, 8)), **SMALL
    ).fit(X)
    embedder.to_onnx(tmp_path / "model.onnx", preprocessing=False)
    samples = np.ascontiguousarray(embedder.preprocessor_.transform(X))
    assert_allclose(run(tmp_path / "model.onnx", "samples", samples), embedder.transform(X), atol=1e-4)
    refused_rows_are_nan(tmp_path / "model.onnx", "samples", samples, embedder.transform(X), np.nan)


def several(modality="tabular", encoder=None, columns=((), ())):
    """An embedder of two views, the first of that modality, with columns next to the second one's embedding."""
    first = {"modality": modality, "encoder": encoder or MLPEncoder((8,)), "n_components": 3}
    embedders = [
        BarlowTwinsEmbedder(**first, projector=MLPProjector((8,), 8)),
        BarlowTwinsEmbedder(encoder=MLPEncoder((8,)), projector=MLPProjector((8,), 8)),
    ]
    views = zip(("left", "right"), embedders, columns, strict=True)
    views = [(name, embedder, *own) for name, embedder, own in views]
    return MultiViewEmbedder(views, max_epochs=1, batch_size=32, random_state=0)


def gaps():
    """The numbers with the first view's columns or the others missing in some rows."""
    X = numbers()
    X[::7, :2], X[3::7, 2:] = np.nan, np.nan
    return X


def columns_of(path):
    """The names of columns in a model's metadata."""
    import onnx

    return json.loads({entry.key: entry.value for entry in onnx.load(path).metadata_props}["columns"])


COLUMNS = [([0, 1],), (slice(1, 6),)]


@pytest.mark.slow
def test_views_of_one_table(tmp_path):
    """All views read one input; some of them, an input each, of any name; a refused view makes the row NaN."""
    X, path = pd.DataFrame(gaps(), columns=list("abcdef")), tmp_path / "model.onnx"
    embedder = several(columns=[(["b", "a"],), (slice("b", "f"),)])
    embedder.views[0] = ("where", *embedder.views[0][1:])  # torch gives this name to a value within the graph
    embedder.fit(X).to_onnx(path)
    rows = X.to_numpy()
    assert_allclose(run(path, "X", rows), embedder.transform(X), atol=1e-4)
    rows = rows.copy()
    rows[4, 0] = np.inf
    assert np.isnan(run(path, "X", rows)[4]).all()
    assert columns_of(path) == list("abcdef")
    embedder.to_onnx(path, views=["where"])
    assert columns_of(path) == {"where": ["b", "a"]}
    found = run(path, "where", X[["b", "a"]].to_numpy())
    assert_allclose(found, embedder.transform(X, views=["where"]), atol=1e-4)
    embedder.views[0] = ("transformed", *embedder.views[0][1:])
    with pytest.raises(ValueError, match="View 'transformed' has the name of the model's output"):
        embedder.fit(X).to_onnx(path, views=["transformed"])


@pytest.mark.slow
def test_images_beside_a_table(tmp_path):
    """Images without values between black and white may be missing, too."""
    X = {"left": images().astype(np.float32) / 255, "right": gaps()[:40]}
    X["left"][5] = np.nan
    embedder = several("image", ConvNetEncoder((4, 8))).fit(X)
    embedder.to_onnx(tmp_path / "model.onnx")
    assert_allclose(run_all(tmp_path / "model.onnx", X), embedder.transform(X), atol=1e-4)
    X["left"][7, 0, 0] = np.nan
    assert np.isnan(run_all(tmp_path / "model.onnx", X)[7]).all()


@pytest.mark.slow
def test_samples_of_several_views(tmp_path):
    X = {"left": [None, *images()[1:]], "right": mixed(40)}
    embedder = several("image", ConvNetEncoder((4, 8))).fit(X)
    for views in (None, ["right"]):
        embedder.to_onnx(tmp_path / "model.onnx", preprocessing=False, views=views)
        samples = embedder.preprocessor_.transform(X, views=views)
        assert_allclose(run(tmp_path / "model.onnx", "samples", samples), embedder.transform(X, views=views), atol=1e-4)


@pytest.mark.slow
def test_a_view_that_cannot_be_exported_is_named(tmp_path):
    X = {"left": images(), "right": mixed(40)}
    embedder = several("image", ConvNetEncoder((4, 8))).fit(X)
    with pytest.raises(ValueError, match=r"View 'right': .* column 'word' \(category\).*preprocessing=False"):
        embedder.to_onnx(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=r"views=\['up'\] must list some of \['left', 'right'\]"):
        embedder.to_onnx(tmp_path / "model.onnx", views=["up"])
    odd = several(encoder=Odd(3, 3), columns=COLUMNS).fit(numbers())
    with pytest.raises(ValueError, match=r"View 'left': torch cannot export this .*leave it out: views=\['right'\]"):
        odd.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_cannot_be_expressed_is_refused(tmp_path):
    embedder = BarlowTwinsEmbedder(encoder=MLPEncoder((8,)), **SMALL).fit(mixed())
    with pytest.raises(ValueError, match=r"column 'word' \(category\) and 2 more columns are.*preprocessing=False"):
        embedder.to_onnx(tmp_path / "model.onnx")
    embedder = BarlowTwinsEmbedder(
        encoder=MLPEncoder((8,)), preprocessor=TablePreprocessor(scaling="quantile"), **SMALL
    ).fit(numbers())
    with pytest.raises(ValueError, match=r"scaling='quantile'.*preprocessing=False"):
        embedder.to_onnx(tmp_path / "model.onnx")
    with pytest.raises(NotFittedError):
        BarlowTwinsEmbedder().to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


class Odd(nn.Module):
    """A module that no graph can hold: its branches depend on a value."""

    def __init__(self, n_inputs=8, width=2):
        super().__init__()
        self.linear = nn.Linear(n_inputs, width)

    def forward(self, x):
        return self.linear(x) if float(x.sum()) > 0 else -self.linear(x)


@pytest.mark.slow
def test_module_that_cannot_be_exported(tmp_path):
    embedder = BarlowTwinsEmbedder(encoder=Odd(), **SMALL).fit(numbers())
    with pytest.raises(ValueError, match="torch cannot export this encoder"):
        embedder.to_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["onnx", "onnxscript"])
def test_missing_package(tmp_path, monkeypatch, name):
    embedder = BarlowTwinsEmbedder(encoder=MLPEncoder((8,)), **SMALL).fit(np.eye(8))
    for package in ("onnx", "onnxscript"):
        monkeypatch.setitem(sys.modules, package, None if package == name else types.ModuleType(package))
    with pytest.raises(ImportError, match=f"of which {name} cannot be imported.*`pip install onnx onnxscript`"):
        embedder.to_onnx(tmp_path / "model.onnx")

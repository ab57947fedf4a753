"""What cannot be fitted is refused by name before any training and leaves no trace; odd but honest tables work."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import LRScheduler
from torch import nn

from sklearn_twins.augmentations import (
    Chain,
    GaussianNoise,
    Identity,
    MarginalCorruption,
    Masking,
    Mixup,
    Pair,
)
from sklearn_twins.networks import MLPEncoder, MLPProjector, Periodic, PiecewiseLinear, ResNetEncoder
from sklearn_twins.objectives import HSIC, BarlowTwins
from sklearn_twins.preprocessing import TablePreprocessor

SLOW = pytest.mark.slow
METHODS = ["fit", pytest.param("partial_fit", marks=SLOW), pytest.param("fit_transform", marks=SLOW)]

nan, inf = float("nan"), float("inf")


class Nothing:
    """An object that is no part of anything."""

    def __repr__(self):
        return "Nothing()"


class NoModule:
    """An encoder recipe that builds no module."""

    def build(self, spec, n_components, generator):
        return 3


# parameters -> what the message has to hold: the parameter, and the value where it is short enough to be shown
BAD_PARAMETERS = [
    ({"n_components": 0}, "n_components", "0"),
    ({"n_components": -1}, "n_components", "-1"),
    ({"n_components": 1.5}, "n_components", "1.5"),
    ({"n_components": "auto"}, "n_components", "'auto'"),
    ({"modality": "video"}, "modality", "'video'"),
    ({"modality": None}, "modality", "None"),
    ({"preprocessor": "nonsense"}, "preprocessor", "'nonsense'"),
    ({"preprocessor": None}, "preprocessor", "None"),
    ({"preprocessor": 3}, "preprocessor", "3"),
    ({"preprocessor": Nothing()}, "preprocessor", "Nothing()"),
    ({"preprocessor": TablePreprocessor}, "preprocessor", "TablePreprocessor"),
    ({"preprocessor": TablePreprocessor(clip=0)}, "clip", "TablePreprocessor", "0"),
    ({"preprocessor": TablePreprocessor(clip=-1.0)}, "clip", "TablePreprocessor", "-1.0"),
    ({"preprocessor": TablePreprocessor(clip=inf)}, "clip", "TablePreprocessor", "inf"),
    ({"preprocessor": TablePreprocessor(clip="3")}, "clip", "TablePreprocessor", "'3'"),
    ({"preprocessor": TablePreprocessor(scaling="rank")}, "scaling", "TablePreprocessor", "'rank'"),
    ({"preprocessor": TablePreprocessor(max_categories=1)}, "max_categories", "TablePreprocessor", "1"),
    ({"preprocessor": TablePreprocessor(max_dense_bytes=-1)}, "max_dense_bytes", "TablePreprocessor", "-1"),
    ({"preprocessor": TablePreprocessor("all")}, "categorical_features", "TablePreprocessor", "'all'"),
    ({"preprocessor": TablePreprocessor([7])}, "categorical_features=[7]", "5 columns"),
    ({"preprocessor": TablePreprocessor(["age"])}, "categorical_features=['age']", "'age'", "no names"),
    ({"preprocessor": TablePreprocessor([True])}, "categorical_features=[True]", "mask of 1"),
    ({"preprocessor": TablePreprocessor([1.5])}, "categorical_features=[1.5]", "indices"),
    ({"augmentation": "nonsense"}, "augmentation", "'nonsense'"),
    ({"augmentation": None}, "augmentation", "None"),
    ({"augmentation": 3}, "augmentation", "3"),
    ({"augmentation": Nothing()}, "augmentation", "Nothing()"),
    ({"augmentation": MarginalCorruption}, "augmentation", "MarginalCorruption"),
    ({"augmentation": MarginalCorruption(corruption_rate=2)}, "corruption_rate", "MarginalCorruption", "2"),
    ({"augmentation": MarginalCorruption(corruption_rate=-0.1)}, "corruption_rate", "-0.1"),
    ({"augmentation": MarginalCorruption(corruption_rate=nan)}, "corruption_rate", "nan"),
    ({"augmentation": MarginalCorruption(corruption_rate="a")}, "corruption_rate", "'a'"),
    ({"augmentation": Masking(mask_rate=1.5)}, "mask_rate", "Masking", "1.5"),
    ({"augmentation": Masking(mask_rate=None)}, "mask_rate", "Masking", "None"),
    ({"augmentation": GaussianNoise(scale=-1)}, "scale", "GaussianNoise", "-1"),
    ({"augmentation": GaussianNoise(scale=nan)}, "scale", "GaussianNoise", "nan"),
    ({"augmentation": GaussianNoise(scale=inf)}, "scale", "GaussianNoise", "inf"),
    ({"augmentation": Mixup(max_weight=2)}, "max_weight", "Mixup", "2"),
    ({"augmentation": Chain([])}, "steps", "Chain"),
    ({"augmentation": Chain("noise")}, "steps", "Chain", "'noise'"),
    ({"augmentation": Chain([GaussianNoise()])}, "Chain", "GaussianNoise()"),
    ({"augmentation": Chain([("a", 3)])}, "Chain", "('a', 3)"),
    ({"augmentation": Chain([("a", GaussianNoise(), 1)])}, "Chain", "GaussianNoise()"),
    ({"augmentation": Chain([("a", Identity()), ("a", Masking())])}, "unique", "'a'"),
    ({"augmentation": Chain([("a__b", Identity())])}, "__", "a__b"),
    ({"augmentation": Chain([("steps", Identity())])}, "steps"),
    ({"augmentation": Chain([("a", Masking(mask_rate=2))])}, "mask_rate", "Masking", "2"),
    ({"augmentation": Chain([("a", Masking)])}, "Masking"),
    ({"augmentation": Pair(3, Identity())}, "view_a", "Pair", "3"),
    ({"augmentation": Pair(Identity(), "masking")}, "view_b", "Pair", "'masking'"),
    ({"augmentation": Pair(Identity(), Mixup(max_weight=-1))}, "max_weight", "Mixup", "-1"),
    ({"augmentation": Pair(Identity(), Masking)}, "Masking"),
    ({"encoder": "nonsense"}, "encoder", "'nonsense'"),
    ({"encoder": None}, "encoder", "None"),
    ({"encoder": 3}, "encoder", "3"),
    ({"encoder": MLPEncoder}, "encoder", "MLPEncoder"),
    ({"encoder": MLPEncoder(hidden_dims=())}, "hidden_dims", "MLPEncoder"),
    ({"encoder": MLPEncoder(hidden_dims=(0,))}, "hidden_dims", "MLPEncoder", "(0,)"),
    ({"encoder": MLPEncoder(hidden_dims=(8, -1))}, "hidden_dims", "MLPEncoder", "(8, -1)"),
    ({"encoder": MLPEncoder(hidden_dims=(1.5,))}, "hidden_dims", "MLPEncoder", "(1.5,)"),
    ({"encoder": MLPEncoder(hidden_dims=("8",))}, "hidden_dims", "MLPEncoder", "('8',)"),
    ({"encoder": MLPEncoder(hidden_dims=8)}, "hidden_dims", "MLPEncoder", "8"),
    ({"encoder": MLPEncoder(hidden_dims=None)}, "hidden_dims", "MLPEncoder", "None"),
    ({"encoder": MLPEncoder(expansion="fourier")}, "expansion", "MLPEncoder", "'fourier'"),
    ({"encoder": MLPEncoder(expansion=PiecewiseLinear)}, "expansion", "PiecewiseLinear"),
    ({"encoder": MLPEncoder(expansion=PiecewiseLinear(n_bins=7))}, "n_bins", "PiecewiseLinear", "7"),
    ({"encoder": MLPEncoder(expansion=Periodic(frequency_scale=0))}, "frequency_scale", "Periodic", "0"),
    ({"encoder": ResNetEncoder(width=0)}, "width", "ResNetEncoder", "0"),
    ({"encoder": ResNetEncoder(n_blocks=0)}, "n_blocks", "ResNetEncoder", "0"),
    ({"encoder": ResNetEncoder(expansion=Periodic(width=0))}, "width", "Periodic", "0"),
    ({"encoder": NoModule()}, "encoder"),
    ({"encoder": lambda spec: 3}, "encoder", "int"),
    ({"encoder": nn.Linear(3, 2)}, "encoder", "5"),
    ({"encoder": nn.Unflatten(1, (5, 1))}, "encoder", "(2, 5, 1)"),
    ({"encoder": nn.Linear(5, 2), "n_components": 3}, "n_components", "3", "2"),
    ({"encoder": lambda spec: nn.Linear(spec.n_inputs, 2), "n_components": 3}, "n_components", "3", "2"),
    ({"projector": "nonsense"}, "projector", "'nonsense'"),
    ({"projector": None}, "projector", "None"),
    ({"projector": 3}, "projector", "3"),
    ({"projector": MLPProjector}, "projector", "MLPProjector"),
    ({"projector": nn.Linear(8, 8)}, "projector"),
    ({"projector": MLPProjector(projection_dim=0)}, "projection_dim", "MLPProjector", "0"),
    ({"projector": MLPProjector(projection_dim=1.5)}, "projection_dim", "MLPProjector", "1.5"),
    ({"projector": MLPProjector(hidden_dims=(0,))}, "hidden_dims", "MLPProjector", "(0,)"),
    ({"projector": MLPProjector(hidden_dims=8)}, "hidden_dims", "MLPProjector", "8"),
    ({"objective": "nonsense"}, "objective", "'nonsense'"),
    ({"objective": None}, "objective", "None"),
    ({"objective": 3}, "objective", "3"),
    ({"objective": HSIC}, "objective", "HSIC"),
    ({"objective": BarlowTwins(off_diagonal_weight=-1)}, "off_diagonal_weight", "BarlowTwins", "-1"),
    ({"objective": BarlowTwins(off_diagonal_weight="a")}, "off_diagonal_weight", "BarlowTwins", "'a'"),
    ({"objective": BarlowTwins(off_diagonal_weight=nan)}, "off_diagonal_weight", "BarlowTwins", "nan"),
    ({"objective": HSIC(off_diagonal_weight=-0.1)}, "off_diagonal_weight", "HSIC", "-0.1"),
    ({"objective": HSIC(off_diagonal_weight=inf)}, "off_diagonal_weight", "HSIC", "inf"),
    ({"optimizer": "adam"}, "optimizer", "'adam'"),
    ({"optimizer": None}, "optimizer", "None"),
    ({"optimizer": lambda groups, lr, weight_decay: 3}, "optimizer", "int"),
    ({"learning_rate": 0}, "learning_rate", "0"),
    ({"learning_rate": -0.1}, "learning_rate", "-0.1"),
    ({"learning_rate": nan}, "learning_rate", "nan"),
    ({"learning_rate": inf}, "learning_rate", "inf"),
    ({"learning_rate": "fast"}, "learning_rate", "'fast'"),
    ({"learning_rate": None}, "learning_rate", "None"),
    ({"weight_decay": -1}, "weight_decay", "-1"),
    ({"weight_decay": inf}, "weight_decay", "inf"),
    ({"weight_decay": "auto"}, "weight_decay", "'auto'"),
    ({"lr_schedule": "nonsense"}, "lr_schedule", "'nonsense'"),
    ({"lr_schedule": "stream"}, "lr_schedule", "'stream'"),
    ({"lr_schedule": None}, "lr_schedule", "None"),
    ({"max_epochs": 0}, "max_epochs", "0"),
    ({"max_epochs": -3}, "max_epochs", "-3"),
    ({"max_epochs": 1.5}, "max_epochs", "1.5"),
    ({"max_epochs": "many"}, "max_epochs", "'many'"),
    ({"max_epochs": None}, "max_epochs", "None"),
    ({"batch_size": 1}, "batch_size", "1"),
    ({"batch_size": 2.5}, "batch_size", "2.5"),
    ({"batch_size": None}, "batch_size", "None"),
    ({"early_stopping": "yes"}, "early_stopping", "'yes'"),
    ({"early_stopping": None}, "early_stopping", "None"),
    ({"validation_fraction": 0}, "validation_fraction", "0"),
    ({"validation_fraction": 1}, "validation_fraction", "1"),
    ({"validation_fraction": 1.5}, "validation_fraction", "1.5"),
    ({"validation_fraction": "a"}, "validation_fraction", "'a'"),
    ({"n_iter_no_change": 0}, "n_iter_no_change", "0"),
    ({"n_iter_no_change": 1.5}, "n_iter_no_change", "1.5"),
    ({"tol": -1}, "tol", "-1"),
    ({"tol": None}, "tol", "None"),
    ({"warm_start": "no"}, "warm_start", "'no'"),
    ({"callbacks": 3}, "callbacks", "3"),
    ({"callbacks": "print"}, "callbacks", "'print'"),
    ({"callbacks": [3]}, "callbacks", "3"),
    ({"callbacks": [LRScheduler()]}, "callbacks", "lr_schedule"),
    ({"callbacks": [("rate", LRScheduler)]}, "callbacks", "lr_schedule"),
    ({"preprocessor": StandardScaler()}, "preprocessor", "StandardScaler()", "Pipeline"),
    ({"n_jobs": 0}, "n_jobs", "0"),
    ({"callbacks": [None]}, "callbacks", "None"),
    ({"device": "nonsense"}, "device", "'nonsense'"),
    ({"device": "cuda:99"}, "device", "'cuda:99'"),
    ({"device": "cpu:x"}, "device", "'cpu:x'"),
    ({"device": "meta"}, "device", "'meta'"),
    ({"device": 3}, "device", "3"),
    ({"device": None}, "device", "None"),
    ({"precision": "float16"}, "precision", "'float16'"),
    ({"precision": None}, "precision", "None"),
    ({"n_jobs": "a"}, "n_jobs", "'a'"),
    ({"n_jobs": 1.5}, "n_jobs", "1.5"),
    ({"n_jobs": 0}, "n_jobs", "0"),
    ({"random_state": "a"}, "random_state", "'a'"),
    ({"random_state": -1}, "random_state", "-1"),
    ({"random_state": 1.5}, "random_state", "1.5"),
    ({"verbose": -1}, "verbose", "-1"),
    ({"verbose": "loud"}, "verbose", "'loud'"),
]

table = np.random.default_rng(0).normal(size=(60, 5))


def with_value(value, dtype=object):
    X = table.astype(dtype)
    X[3, 2] = value
    return X


# X -> what the message has to hold
BAD_TABLES = {
    "inf": (with_value(inf, float), "infinity"),
    "-inf": (with_value(-inf, float), "infinity"),
    "float32 inf": (with_value(inf, np.float32), "infinity"),
    "an object": (with_value(Nothing()), "Nothing"),
    "a dict": (with_value({"a": 1}), "string"),
    "frame with lists": (pd.DataFrame({"a": table[:, 0], "b": [[1]] * 60}), "column 'b'"),
    "lazy frame": (pl.LazyFrame({"a": table[:, 0]}), "collect()"),
    "complex": (table + 1j, "Complex data not supported"),
    "1-D": (table[:, 0], "Expected 2D array, got 1D array"),
    "3-D": (table.reshape(60, 5, 1), "dim 3"),
    "0-D": (np.array(3.0), "Expected 2D array, got scalar"),
    "number": (3.0, "Expected 2D array, got scalar"),
    "None": (None, "Expected 2D array, got scalar"),
    "empty list": ([], "Expected 2D array"),
    "ragged": ([[1.0, 2.0], [3.0]], "inhomogeneous"),
    "no rows": (table[:0], "0 sample(s)"),
    "no columns": (table[:, :0], "0 feature(s)"),
    "one row": (table[:1], "1 sample"),
    "sparse inf": (scipy.sparse.csr_array(with_value(inf, float)), "infinity"),
    "large sparse": (scipy.sparse.csr_array((10**6, 10**5)), "max_dense_bytes"),
    "generator": ((row for row in table), "Expected 2D array"),
}

HONEST_TABLES = {
    "one column": table[:, :1],
    "two rows": table[:2],
    "three rows": table[:3],
    "two rows, one column": table[:2, :1],
    "fewer rows than a batch": table[:10],
    "a row more than a batch": table[:17],
    "wide": np.random.default_rng(1).normal(size=(5, 300)),
    "column of NaN": with_value(0, float) * np.where(np.arange(5) == 2, nan, 1),
    "nothing but NaN": np.full((60, 5), nan),
    "one value": np.where(np.arange(300).reshape(60, 5) == 7, 1.0, nan),
    "half NaN": np.where(np.random.default_rng(2).random((60, 5)) < 0.5, nan, table),
    "constant column": table * [1, 1, 0, 1, 1],
    "constant table": np.full((60, 5), 7.0),
    "equal rows": np.tile(table[:1], (60, 1)),
    "1e9 beside 1e-3": table * [1e9, 1e-3, 1, 1, 1],
    "far from zero": table + 1e12,
    "1e300": table * 1e300,
    "largest floats": np.where(table > 0, 1.0, -1.0) * np.finfo(np.float64).max,
    "1e-300": table * 1e-300,
    "smallest floats": np.where(table > 0, 5e-324, 0.0),
    "one absurd value": with_value(1e308, float),
    "float16": table.astype(np.float16),
    "int": (table * 100).astype(int),
    "huge int": (table * 1e17).astype(np.int64),
    "uint64": np.abs(table * 1e18).astype(np.uint64),
    "bool": table > 0,
    "rare flag": np.arange(300).reshape(60, 5) == 7,
    "numeric strings": table.astype(str),
    "None for missing": with_value(None),
    "pandas int with NA": pd.DataFrame({"a": pd.array([1, None] * 30, dtype="Int64"), "b": table[:, 0]}),
    "pandas bool": pd.DataFrame({"a": table[:, 0] > 0, "b": table[:, 1]}),
    "names that are no strings": pd.DataFrame(table),
    "strings": np.full((60, 5), "a"),
    "a string": with_value("a"),
    "names and numbers": [[name, 2.5 * i] for i, name in enumerate("abcdefgh" * 4)],
    "mixed frame": pd.DataFrame({"a": table[:, 0], "b": ["x", "", None] * 20, "c": pd.Categorical(list("uvw") * 20)}),
    "nothing but categories": pl.DataFrame({"a": ["x", "y", None] * 20}),
    "a category a row": pd.DataFrame({"a": [f"row {i}" for i in range(60)]}),
    "dates": pd.DataFrame({"a": pd.date_range("2020-01-01", periods=60), "b": pd.to_timedelta(range(60), unit="s")}),
    "CSR": scipy.sparse.csr_array(table),
    "COO matrix": scipy.sparse.coo_matrix(table),
    "read-only": np.broadcast_to(table, table.shape),
}


def refused(call, X, words):
    """The call raises scikit-learn's kind of error, whose message holds all the words."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call(X)
    for word in words:
        assert word in str(caught.value)


def identify(case):
    return ", ".join(f"{name}={type(value).__name__}" for name, value in case[0].items())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=[f"{i}-{identify(case)}" for i, case in enumerate(BAD_PARAMETERS)])
def test_bad_parameter(make, X, recorder, case, method):
    params, *words = case
    embedder = make(**{"callbacks": [recorder], **params})
    before = dict(vars(embedder))
    refused(getattr(embedder, method), X, words)
    assert recorder.batches == 0
    assert vars(embedder) == before


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=[f"{i}-{identify(case)}" for i, case in enumerate(BAD_PARAMETERS)])
def test_bad_parameter_of_a_refit(make, X, fingerprint, case):
    params, *words = case
    embedder = make().fit(X)
    embedding = embedder.transform(X)
    refused(embedder.set_params(**params).fit, X, words)
    restored = {name: value for name, value in make().get_params(deep=False).items() if name in params}
    assert_array_equal(embedder.set_params(**restored).transform(X), embedding)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(make, X, recorder):
    embedder = make(device="cuda", callbacks=[recorder])
    refused(embedder.fit, X, ["device", "'cuda'", "'auto'"])
    assert recorder.batches == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_table(make, recorder, name, method):
    X, word = BAD_TABLES[name]
    embedder = make(callbacks=[recorder])
    before = dict(vars(embedder))
    refused(getattr(embedder, method), X, [word])
    assert recorder.batches == 0
    assert vars(embedder) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_table_of_a_refit(make, X, fingerprint, name):
    embedder = make().fit(X)
    before = fingerprint(embedder)
    bad, word = BAD_TABLES[name]
    refused(embedder.fit, bad, [word])
    assert fingerprint(embedder) == before


@pytest.mark.parametrize("name", sorted(BAD_TABLES.keys() - {"one row", "frame with lists"}))
def test_bad_table_of_transform(make, X, fingerprint, name):
    embedder = make().fit(X)
    before = fingerprint(embedder)
    bad, _ = BAD_TABLES[name]
    with pytest.raises((ValueError, TypeError)):
        embedder.transform(bad)
    assert fingerprint(embedder) == before


@pytest.mark.parametrize("n", [2, 3])
def test_too_few_rows_to_hold_some_out(make, X, recorder, n):
    embedder = make(early_stopping=True, callbacks=[recorder])
    refused(embedder.fit, X[:n], [f"{n} sample(s)", "4", "early_stopping"])
    assert recorder.batches == 0
    assert not hasattr(embedder, "n_features_in_")


def test_partial_fit_holds_none_out(make, X):
    assert make(early_stopping=True).partial_fit(X[:2]).n_iter_ == 1


@pytest.mark.parametrize("warm_start", [False, True])
def test_fewer_epochs_than_done(make, X, recorder, fingerprint, warm_start):
    embedder = make(warm_start=warm_start).fit(X)
    before = fingerprint(embedder.set_params(max_epochs=1))
    embedder.set_params(callbacks=[recorder])
    if not warm_start:
        assert embedder.fit(X).n_iter_ == 1
        return
    refused(embedder.fit, X, ["max_epochs=1", "2", "warm_start"])
    assert recorder.batches == 0
    assert fingerprint(embedder) == before


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("columns", [slice(0, 4), [0, 1, 2, 3, 4, 0]], ids=["fewer", "more"])
def test_other_columns_to_go_on_with(make, X, recorder, fingerprint, method, columns):
    embedder = make(warm_start=True).fit(X).set_params(max_epochs=4)
    before = fingerprint(embedder)
    embedder.set_params(callbacks=[recorder])
    refused(getattr(embedder, method), X[:, columns], ["expecting 5 features"])
    assert recorder.batches == 0
    assert fingerprint(embedder) == before


def test_other_names_to_go_on_with(make, X):
    embedder = make().partial_fit(pd.DataFrame(X, columns=list("abcde")))
    refused(embedder.partial_fit, pd.DataFrame(X, columns=list("abcdf")), ["feature names", "f"])


@pytest.mark.parametrize("columns", [slice(0, 4), [0, 1, 2, 3, 4, 0]], ids=["fewer", "more"])
def test_other_columns_at_transform(make, X, columns):
    refused(make().fit(X).transform, X[:, columns], ["expecting 5 features", "BarlowTwinsEmbedder"])


def test_other_names_at_transform(make, X):
    embedder = make().fit(pd.DataFrame(X, columns=list("abcde")))
    refused(embedder.transform, pd.DataFrame(X, columns=list("edcba")), ["feature names"])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        embedder.transform(X)


def test_transform_before_fit(make, X):
    with pytest.raises(NotFittedError, match="BarlowTwinsEmbedder"):
        make().transform(X)
    with pytest.raises(NotFittedError, match="BarlowTwinsEmbedder"):
        make().get_feature_names_out()


@pytest.mark.parametrize("name", ["nonsense", "augmentation__nonsense", "encoder__nonsense", "nonsense__clip"])
def test_unknown_parameter(make, name):
    embedder = make()
    with pytest.raises(ValueError, match="nonsense"):
        embedder.set_params(**{name: 1})
    with pytest.raises(TypeError, match="nonsense"):
        make(nonsense=1)


def test_diverging_loss(make, X):
    embedder = make(objective=lambda z_a, z_b: (z_a - z_b).sum() * nan)
    refused(embedder.fit, X, ["learning_rate", "nan"])
    assert not hasattr(embedder, "encoder_")


@pytest.mark.parametrize(
    "params",
    [
        {},
        pytest.param({"early_stopping": True}, marks=SLOW),
        pytest.param({"objective": "hsic", "optimizer": "lars"}, marks=SLOW),
        pytest.param({"augmentation": "mixup"}, marks=SLOW),
    ],
    ids=["default", "early stopping", "hsic", "mixup"],
)
@pytest.mark.parametrize("name", HONEST_TABLES)
def test_honest_table(make, name, params):
    X = HONEST_TABLES[name]
    if params.get("early_stopping") and isinstance(X, np.ndarray) and len(X) < 4:
        X = np.concatenate([X, X, X])
    embedder = make(**params).fit(X)
    embedding = embedder.transform(X)
    n = len(X) if isinstance(X, list) else X.shape[0]
    assert embedding.shape == (n, 8 + embedder.preprocessor_.spec_.n_inputs)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()


@pytest.mark.parametrize("value", [nan, 1e300, -1e300, 1e9, 5e-324])
def test_odd_values_at_transform(make, X, value):
    embedder = make().fit(X)
    odd = X.copy()
    odd[:, 1] = value
    assert np.isfinite(embedder.transform(odd)).all()


def test_missing_values_only_at_transform(make, X):
    """A hole in a column that had none stands for its median."""
    embedder = make().fit(X)
    holes, medians = X.copy(), X.copy()
    holes[::2, 1], medians[::2, 1] = nan, np.median(X[:, 1])
    np.testing.assert_allclose(embedder.transform(holes), embedder.transform(medians), atol=1e-6)


def test_missing_values_are_no_medians(make, X):
    X[::2, 1] = nan
    embedder = make().fit(X)
    filled = np.where(np.isnan(X), np.nanmedian(X, axis=0), X)
    assert not np.allclose(embedder.transform(X), embedder.transform(filled))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"objective": lambda z_a, z_b: (z_a - z_b) ** 2}, ("objective", "(15, 8)")),
        ({"objective": lambda z_a, z_b: 3.0}, ("objective", "float")),
        ({"augmentation": lambda x, data, generator: x[:, :2]}, ("augmentation", "(15, 5)", "2")),
        ({"augmentation": lambda x, data, generator: x.numpy()}, ("augmentation", "(15, 5)")),
    ],
)
def test_callable_that_returns_something_else(make, X, parameters, words):
    """Found in the first batch; the estimator stays unfitted."""
    embedder = make(**parameters)
    refused(embedder.fit, X, words)
    assert not hasattr(embedder, "encoder_")


def test_class_in_a_role_has_no_nested_parameters(make):
    with pytest.raises(ValueError, match="augmentation"):
        make(augmentation=Masking).set_params(augmentation__mask_rate=0.1)


def test_unknown_modality_of_a_nested_parameter(make):
    with pytest.raises(ValueError, match="modality='audio'"):
        make(modality="audio").set_params(augmentation__corruption_rate=0.1)

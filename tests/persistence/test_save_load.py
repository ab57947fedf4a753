"""Embedders in files, by save and load, by skops and by joblib: the same to the bit, or refused by name."""

import collections
import contextlib
import copy
import datetime
import enum
import json
import os
import pickle
import signal
import time
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
import torch
from killed import in_child
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

import sklearn_twins
from sklearn_twins import (
    BarlowTwinsEmbedder,
    MultiViewEmbedder,
    OtherVersionWarning,
    UnreadableFileError,
    trusted_types,
)
from sklearn_twins._persistence._save_load import FORMAT_VERSION
from sklearn_twins.augmentations import Chain, GaussianNoise, Identity, Masking, Mixup, Pair
from sklearn_twins.networks import (
    ConvNetEncoder,
    ImageResNetEncoder,
    MLPEncoder,
    MLPProjector,
    Periodic,
    PiecewiseLinear,
    ResNetEncoder,
    TimmEncoder,
)
from sklearn_twins.objectives import HSIC, VICReg
from sklearn_twins.preprocessing import ImagePreprocessor, TablePreprocessor

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SMALL_NETWORK, SMALL_PROJECTOR = MLPEncoder(hidden_dims=(8,)), MLPProjector(hidden_dims=(12,), projection_dim=8)
N = 60


def table():
    """60 rows with columns of every kind and missing values."""
    rng = np.random.default_rng(0)
    gaps = rng.random((N, 4)) < 0.1
    frame = pd.DataFrame(
        {
            "number": np.where(gaps[:, 0], np.nan, rng.normal(size=N)),
            "count": rng.integers(0, 5, N),
            "word": np.where(gaps[:, 1], None, rng.choice(["red", "blue", "green"], N)),
            "category": pd.Categorical(rng.choice([3, 4], N)),
            "date": pd.Series(pd.date_range("2020-01-01", periods=N, freq="37h")).where(~gaps[:, 2]),
            "duration": pd.to_timedelta(rng.integers(0, 10**6, N), unit="s"),
            "flag": rng.random(N) < 0.5,
            "void": np.full(N, np.nan),
        }
    )
    return frame


def images():
    """60 small images of bytes."""
    return np.random.default_rng(0).integers(0, 256, size=(N, 9, 8, 3), dtype=np.uint8)


def several():
    """The table with all of its first four columns missing in some rows."""
    frame = table()
    for name in frame.columns[:4]:
        frame[name] = frame[name].where(np.arange(N) > 5)
    return frame


def containers():
    """The images, one of which is missing, and the table."""
    return {"image": [None, *images()[1:]], "table": table()}


TABLES = {
    "default": {},
    "columns next to it": {
        "n_components": 3,
        "passthrough": True,
        "augmentation": Pair(Identity(), GaussianNoise(0.5)),
    },
    "embedding alone": {"passthrough": False, "objective": HSIC(off_diagonal_weight=0.01)},
    "early stopping": {"early_stopping": True, "tol": np.float32(0.25)},
    "chain": {"augmentation": Chain([("hide", Masking()), ("noise", GaussianNoise())]), "objective": "vicreg"},
    "residual": {"encoder": ResNetEncoder(width=8, n_blocks=3), "optimizer": "lars"},
    "pieces": {"encoder": MLPEncoder((8, 4), expansion=PiecewiseLinear(n_bins=4))},
    "waves": {"encoder": MLPEncoder((8,), expansion=Periodic(n_frequencies=3, width=2))},
    "named expansion": {"encoder": MLPEncoder([8], expansion="periodic"), "objective": "ssl_hsic"},
    "ranks": {"preprocessor": TablePreprocessor(scaling="quantile"), "objective": "info_nce"},
    "listed columns": {"preprocessor": TablePreprocessor(categorical_features=["count", "flag"], max_categories=3)},
    "listed in an array": {"preprocessor": TablePreprocessor(categorical_features=np.array(["count"]))},
    "strange numbers": {"tol": 1e300, "n_iter_no_change": 10**18, "verbose": np.bool_(False)},
    "random state": {"random_state": np.random.RandomState(5)},
    "names": {"encoder": "resnet", "objective": "mixed_barlow_twins"},
}
WARM = {
    "adamw": {"warm_start": True},
    "sgd": {"warm_start": True, "optimizer": "sgd"},
    "lars": {"warm_start": True, "optimizer": "lars"},
}
IMAGES = {
    "convnet": {"encoder": ConvNetEncoder((4, 8))},
    "images, warm start": {"encoder": ConvNetEncoder((4, 8)), "warm_start": True, "n_components": 3},
    "residual images": {"encoder": ImageResNetEncoder(width=4)},
    "range": {"encoder": ConvNetEncoder((4, 8)), "preprocessor": ImagePreprocessor(value_range=(0, 300))},
}
OF_A_VIEW = {"encoder": SMALL_NETWORK, "projector": SMALL_PROJECTOR}
IMAGE_VIEW = {"modality": "image", "encoder": ConvNetEncoder((4, 8)), "projector": SMALL_PROJECTOR}
LEFT, RIGHT = BarlowTwinsEmbedder(**OF_A_VIEW), BarlowTwinsEmbedder(3, preprocessor="table", **OF_A_VIEW)
VIEWS = {
    "slices": {"views": [("left", LEFT, slice(0, 4)), ("right", RIGHT, slice(-4, None, 1))]},
    "names": {"views": [("left", LEFT, ["number", "word"]), ("right", RIGHT, slice("word", "void"))]},
    "masks": {"views": [("left", LEFT, np.arange(8) < 4), ("right", RIGHT, (np.arange(8) > 2).tolist())]},
    "an Index": {"views": [("left", LEFT, table().columns[:4]), ("right", RIGHT, [np.int64(4), 5])]},
    "within": {"within": 0.5, "objective": VICReg(), "optimizer": "lars", "early_stopping": True},
    "views, warm start": {"warm_start": True},
    "images beside it": {"views": [("image", BarlowTwinsEmbedder(**IMAGE_VIEW)), ("table", LEFT)]},
}
CASES = {"table": TABLES, "image": IMAGES, "views": VIEWS}
EVERY = [("save", kind, name) for kind, cases in CASES.items() for name in cases]
SOME = [("table", "ranks"), ("image", "convnet"), ("views", "slices"), ("views", "images beside it")]
OTHERS = [(way, *case) for way in ("skops", "joblib") for case in SOME]


@pytest.fixture(scope="module")
def fitted():
    """Fits embedders of table or images, each configuration once; tests get a copy."""
    known = {}

    def fitted(kind, params):
        key = repr((kind, params))
        if key not in known:
            cls, X, defaults = BarlowTwinsEmbedder, table(), OF_A_VIEW
            if kind == "image":
                X, defaults = images(), {"modality": "image", "augmentation": "identity", "projector": SMALL_PROJECTOR}
            if kind == "views":
                defaults = VIEWS["slices"]
                cls, X = MultiViewEmbedder, containers() if "image" in repr(params) else several()
            made = {"max_epochs": 1, "batch_size": 32, "random_state": 0, **defaults}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of collapse
                known[key] = cls(**{**made, **params}).fit(X), X
        embedder, X = known[key]
        return copy.deepcopy(embedder), X

    return fitted


def through_save(embedder, tmp_path):
    embedder.save(tmp_path / "embedder.safetensors")
    return type(embedder).load(tmp_path / "embedder.safetensors")


def through_skops(embedder, tmp_path):
    io = pytest.importorskip("skops.io")
    io.dump(embedder, tmp_path / "embedder.skops")
    return io.load(tmp_path / "embedder.skops", trusted=trusted_types(tmp_path / "embedder.skops"))


def through_memory_map(embedder, tmp_path):
    joblib.dump(embedder, tmp_path / "embedder.joblib")
    return joblib.load(tmp_path / "embedder.joblib", mmap_mode="r")


WAYS = {"save": through_save, "skops": through_skops, "joblib": through_memory_map}
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.mark.parametrize(("way", "kind", "name"), [*EVERY, *OTHERS])
def test_same_to_the_bit(fitted, tmp_path, way, kind, name):
    embedder, X = fitted(kind, CASES[kind][name])
    loaded = WAYS[way](embedder, tmp_path)
    assert_array_equal(loaded.transform(X), embedder.transform(X))
    assert type(loaded) is type(embedder)
    assert vars(loaded).keys() == vars(embedder).keys()
    assert_array_equal(loaded.get_feature_names_out(), embedder.get_feature_names_out())
    assert loaded.loss_curve_ == embedder.loss_curve_ and loaded.n_iter_ == embedder.n_iter_
    for column, values in embedder.history_.items():
        assert_array_equal(loaded.history_[column], values)
    assert not loaded.encoder_.training and not any(p.requires_grad for p in loaded.encoder_.parameters())
    if way != "joblib" and name != "random state":
        assert repr(loaded) == repr(pickle.loads(pickle.dumps(embedder)))  # with plain numbers
        assert_array_equal(clone(loaded).fit(X).transform(X), embedder.transform(X))


class Objective(enum.StrEnum):
    HSIC = "hsic"


# Parameters as a grid, a frame or another library makes them -> the same ones in Python's types.
AS_MADE = {
    "integers": [
        {
            "max_epochs": np.int64(1),
            "batch_size": np.int16(32),
            "n_components": np.uint8(4),
            "random_state": np.int8(3),
        },
        {"max_epochs": 1, "batch_size": 32, "n_components": 4, "random_state": 3},
    ],
    "numbers": [
        {"learning_rate": np.float32(2**-8), "tol": np.float16(0.5), "checkpoint_minutes": np.float64(0.25)},
        {"learning_rate": 2**-8, "tol": 0.5, "checkpoint_minutes": 0.25},
    ],
    "truth values": [
        {"early_stopping": np.bool_(True), "warm_start": np.True_, "passthrough": np.False_, "verbose": np.int64(0)},
        {"early_stopping": True, "warm_start": True, "passthrough": False},
    ],
    "strings": [
        {"objective": np.str_("hsic"), "encoder": np.str_("resnet"), "device": np.str_("cpu")},
        {"objective": "hsic", "encoder": "resnet", "device": "cpu"},
    ],
    "enum": [{"objective": Objective.HSIC}, {"objective": "hsic"}],
    "preprocessor": [
        {
            "preprocessor": TablePreprocessor(
                max_categories=np.int64(3), clip=np.float32(1.5), scaling=np.str_("quantile")
            )
        },
        {"preprocessor": TablePreprocessor(max_categories=3, clip=1.5, scaling="quantile")},
    ],
    "encoder": [
        {"encoder": MLPEncoder(list(np.array([8, 6])), expansion=PiecewiseLinear(np.int64(4)))},
        {"encoder": MLPEncoder((8, 6), expansion=PiecewiseLinear(4))},
    ],
    "list in an encoder": [
        {"encoder": MLPEncoder([np.int64(8)], expansion=np.str_("periodic")), "projector": MLPProjector(range(8, 9))},
        {"encoder": MLPEncoder((8,), expansion="periodic"), "projector": MLPProjector((8,))},
    ],
    "chain": [
        {"augmentation": Chain([(np.str_("a"), Masking(np.float64(0.25))), ("b", GaussianNoise(np.float32(0.5)))])},
        {"augmentation": Chain([("a", Masking(0.25)), ("b", GaussianNoise(0.5))])},
    ],
    "pair": [
        {"augmentation": Pair(Identity(), Mixup(np.float32(0.5)))},
        {"augmentation": Pair(Identity(), Mixup(0.5))},
    ],
    "objective": [
        {"objective": VICReg(np.int64(25), np.float32(25), eps=np.float32(2**-12))},
        {"objective": VICReg(25, 25.0, eps=2**-12)},
    ],
}


@pytest.mark.parametrize("name", AS_MADE)
def test_parameters_as_a_grid_makes_them(fitted, tmp_path, name):
    """They fit as Python's do, and every way keeps them."""
    made, plain = (fitted("table", params)[0] for params in AS_MADE[name])
    X = table()
    wanted = plain.transform(X)
    for way in WAYS.values():
        loaded = way(made, tmp_path)
        assert_array_equal(loaded.transform(X), wanted)
        assert all(type(value).__module__ != "numpy" for value in loaded.get_params().values() if np.isscalar(value))
    assert_array_equal(clone(made).fit(X).transform(X), wanted)


@pytest.mark.parametrize(
    ("attribute", "value", "why"),
    [
        ("history_", {"train_loss": [1.0]}, "history_"),
        ("n_iter_", 1.0, "n_iter_"),
        ("feature_names_in_", ["a"], "feature_names_in_ is invalid"),
        ("n_features_in_", 3, "numbers of columns differ"),
        ("encoder_", None, "NoneType"),
    ],
)
def test_what_load_would_refuse_is_not_written(fitted, tmp_path, attribute, value, why):
    """While the embedder is still in memory."""
    embedder, _ = fitted("table", {})
    setattr(embedder, attribute, value)
    with pytest.raises((ValueError, AttributeError), match=why):
        embedder.save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


LISTED = {
    "Index": lambda frame: frame.columns[[1, 6]],
    "select_dtypes": lambda frame: frame.select_dtypes(["int", "bool"]).columns,
    "Series of names": lambda frame: pd.Series(["count", "flag"]),
    "Series of a mask": lambda frame: frame.columns.to_series().isin(["count", "flag"]),
    "Series of a mask with NA's type": lambda frame: pd.Series(frame.columns.isin(["count", "flag"]), dtype="boolean"),
    "Series of indices": lambda frame: pd.Series([1, 6], dtype="Int64"),
    "mask": lambda frame: frame.columns.isin(["count", "flag"]),
    "list of a mask": lambda frame: [np.bool_(name in ("count", "flag")) for name in frame],
    "tuple": lambda frame: ("count", np.str_("flag")),
    "range": lambda frame: range(1, 7, 5),
    "array of objects": lambda frame: np.array(["count", "flag"], dtype=object),
    "keys of a dict": lambda frame: {"count": 1, "flag": 2}.keys(),
    "deque": lambda frame: collections.deque(["count", "flag"]),
    "polars": lambda frame: pl.Series(["count", "flag"]),
    "pyarrow": lambda frame: pa.array(["count", "flag"]),
    "categorical": lambda frame: pd.Categorical(["count", "flag"]),
}
if hasattr(np.dtypes, "StringDType"):  # NumPy 2
    LISTED["array of strings"] = lambda frame: np.array(["count", "flag"], dtype=np.dtypes.StringDType())


@pytest.mark.parametrize("name", LISTED)
def test_columns_as_a_frame_lists_them(fitted, tmp_path, name):
    X = table()
    wanted, _ = fitted("table", {"preprocessor": TablePreprocessor(["count", "flag"])})
    embedder = clone(wanted).set_params(preprocessor__categorical_features=LISTED[name](X), warm_start=True).fit(X)
    for way in WAYS.values():
        loaded = way(embedder, tmp_path)
        assert_array_equal(loaded.transform(X), wanted.transform(X))
    loaded = through_save(embedder, tmp_path).set_params(max_epochs=2).fit(X)
    assert_array_equal(loaded.transform(X), embedder.set_params(max_epochs=2).fit(X).transform(X))


@pytest.mark.parametrize("features", [slice(0, 2), lambda frame: ["count"], {"count"}, "count", 1, None])
def test_other_lists_of_columns_are_refused_before_training(features):
    embedder = BarlowTwinsEmbedder(preprocessor=TablePreprocessor(features))
    with pytest.raises(ValueError, match=r"categorical_features\b.* must (be|hold)"):
        embedder.fit(table())


GOING_ON = [("save", "table", name) for name in WARM]
GOING_ON += [(way, "table", "adamw") for way in ("skops", "joblib")] + [(way, "views", "adamw") for way in WAYS]


@pytest.mark.parametrize(("way", "kind", "name"), GOING_ON)
def test_training_goes_on(fitted, tmp_path, way, kind, name):
    embedder, X = fitted(kind, WARM[name])
    loaded = WAYS[way](embedder, tmp_path)
    for each in (loaded, embedder):
        each.set_params(max_epochs=3).fit(X).partial_fit(X)
    assert_array_equal(loaded.transform(X), embedder.transform(X))


def test_stream_goes_on(tmp_path):
    X = table()
    embedder = BarlowTwinsEmbedder(encoder=SMALL_NETWORK, projector=SMALL_PROJECTOR, random_state=0)
    embedder.partial_fit(X).partial_fit(X)
    loaded = through_save(embedder, tmp_path)
    assert_array_equal(loaded.partial_fit(X).transform(X), embedder.partial_fit(X).transform(X))


@pytest.mark.parametrize("way", ["skops", "joblib"])
def test_pipeline(tmp_path, way):
    X, y = table(), np.arange(N) % 2
    embedder = BarlowTwinsEmbedder(encoder=SMALL_NETWORK, max_epochs=1, random_state=0)
    pipeline = make_pipeline(embedder, LogisticRegression()).fit(X, y)
    loaded = WAYS[way](pipeline, tmp_path)
    assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))


@every_way
def test_categories_of_every_kind(tmp_path, way):
    day = datetime.date(2020, 2, 29)
    zone = datetime.timezone(datetime.timedelta(hours=5))
    keys = [
        *("a", "", "\ud800", "ä\n", 1.5, 10**40, -0.0, True, Decimal("1.50"), Fraction(1, 3), b"\x00\xff", day),
        *(datetime.time(1, 2, 3), datetime.datetime(2020, 1, 1, tzinfo=zone), ("a", 1), ("a", (day, None))),
        *(pd.Timestamp("2024-01-01"), pd.Timedelta("1 day"), pd.Period("2020-01", "M"), pd.Interval(0, 1), 1 + 2j),
        *((np.float64("nan"), "a"), frozenset(["a", pd.NaT]), Path("a/b"), np.datetime64("2024-01-02"), np.int8(7)),
    ]
    X = np.empty((4 * len(keys), 2), dtype=object)
    X[:, 0] = np.arange(len(X), dtype=float)
    for i in range(len(X)):
        X[i, 1] = keys[i % len(keys)]
    preprocessor = TablePreprocessor(categorical_features=[1])
    embedder = BarlowTwinsEmbedder(preprocessor=preprocessor, encoder=SMALL_NETWORK, max_epochs=1, random_state=0)
    embedder.fit(X)
    loaded = WAYS[way](embedder, tmp_path)
    assert_array_equal(loaded.transform(X), embedder.transform(X))
    assert loaded.preprocessor_.categories_ == embedder.preprocessor_.categories_
    assert list(map(type, loaded.preprocessor_.categories_[0])) == list(
        map(type, embedder.preprocessor_.categories_[0])
    )


def frame_of_categories():
    """Columns of categories, as pandas makes them."""
    number, day = pd.Series(np.arange(N, dtype=float)), pd.date_range("2024", periods=4)
    few = {
        **{
            "dates": day,
            "zoned dates": day.tz_localize("Asia/Tokyo"),
            "durations": pd.to_timedelta(range(4), unit="h"),
        },
        **{"periods": pd.period_range("2024", periods=4, freq="M"), "truths": pd.Index([True, False] * 2)},
        "tuples": pd.Index([("a", 1), ("b", np.nan), ("a", 2), ("c", day[0])], tupleize_cols=False),
    }
    return pd.DataFrame(
        {
            "number": number,
            "cut": pd.cut(number, 4),
            "qcut": pd.qcut(number, 3),
            "cut dates": pd.cut(pd.Series(pd.date_range("2020", periods=N)), 4),
            "labels": pd.cut(number, 2, labels=["low", "high"]),
            "intervals": pd.Series(pd.arrays.IntervalArray.from_breaks(range(5)).repeat(N // 4)),
            **{
                name: pd.Categorical.from_codes(np.arange(N) % 4, index.unique())
                for name, index in few.items()
                if index.is_unique
            },
            **{
                f"{name} as objects": index.to_series().astype(object).tolist() * (N // 4)
                for name, index in few.items()
            },
        }
    )


@every_way
def test_frames_of_categories(fitted, tmp_path, way):
    X = frame_of_categories()
    embedder = BarlowTwinsEmbedder(encoder=SMALL_NETWORK, projector=SMALL_PROJECTOR, max_epochs=1, random_state=0).fit(
        X
    )
    assert_array_equal(WAYS[way](embedder, tmp_path).transform(X.copy(deep=True)), embedder.transform(X))


def test_image_files(tmp_path):
    PIL = pytest.importorskip("PIL.Image")
    paths = [str(tmp_path / f"{i}.png") for i in range(8)]
    for path, image in zip(paths, images(), strict=False):
        PIL.fromarray(image).save(path)
    embedder = BarlowTwinsEmbedder(modality="image", encoder=ConvNetEncoder((4, 8)), max_epochs=1).fit(paths)
    for way in WAYS.values():
        assert_array_equal(way(embedder, tmp_path).transform(paths), embedder.transform(paths))


@pytest.mark.parametrize(("way", "kind"), [*((way, "table") for way in WAYS), *((way, "views") for way in WAYS)])
def test_settings_are_kept(fitted, tmp_path, way, kind):
    embedder, X = fitted(kind, {})
    embedder.set_output(transform="pandas")
    with sklearn.config_context(enable_metadata_routing=True):
        embedder.set_fit_request(unlabeled="more")
    loaded = WAYS[way](embedder, tmp_path)
    with sklearn.config_context(enable_metadata_routing=True):
        for each in (loaded, copy.deepcopy(loaded), clone(loaded)):
            assert each.get_metadata_routing().fit.requests == {"unlabeled": "more", "groups": None}
    pd.testing.assert_frame_equal(loaded.transform(X), embedder.transform(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # from Python 3.12 on
def test_killed_while_saving(fitted, tmp_path):
    """Whenever a process is killed that saves again and again, there is one of the files that it writes."""
    (one, X), (two, _) = fitted("table", {}), fitted("table", {"passthrough": False})
    path, expected = tmp_path / "embedder", [one.transform(X), two.transform(X)]
    one.save(path)

    def save_on():
        while True:
            two.save(path)
            one.save(path)

    found = []
    for wait in (0.05, 0.1, 0.2):
        child = in_child(save_on)
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        Z = BarlowTwinsEmbedder.load(path).transform(X)
        found.append([Z.shape == each.shape and np.array_equal(Z, each) for each in expected])
    assert all(map(any, found))
    one.save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["embedder"], "what they left is swept"


@pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")
def test_full_disk(fitted, tmp_path):
    import resource

    embedder, X = fitted("table", {})
    embedder.save(tmp_path / "embedder")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
        with pytest.raises(OSError):
            embedder.save(tmp_path / "embedder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [entry.name for entry in tmp_path.iterdir()] == ["embedder"]
    assert_array_equal(BarlowTwinsEmbedder.load(tmp_path / "embedder").transform(X), embedder.transform(X))


@pytest.mark.parametrize("ambience", ["inference", "float64", "meta", "no_grad"])
def test_ambient_state_does_not_matter(fitted, tmp_path, ambience):
    for kind, params in (("table", {}), ("image", IMAGES["convnet"])):
        embedder, X = fitted(kind, params)
        with contextlib.ExitStack() as stack:
            if ambience == "float64":
                stack.callback(torch.set_default_dtype, torch.get_default_dtype())
                torch.set_default_dtype(torch.float64)
            else:
                contexts = {"inference": torch.inference_mode, "no_grad": torch.no_grad}
                stack.enter_context(torch.device("meta") if ambience == "meta" else contexts[ambience]())
            embedder.save(tmp_path / "embedder")
            loaded = BarlowTwinsEmbedder.load(tmp_path / "embedder")
        assert_array_equal(loaded.transform(X), embedder.transform(X))
        assert torch.get_default_dtype() == torch.float32


def test_same_embedder_same_file(fitted, tmp_path):
    embedder, _ = fitted("table", {"warm_start": True})
    embedder.save(tmp_path / "one")
    BarlowTwinsEmbedder.load(tmp_path / "one").save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_saving_changes_nothing(fitted, fingerprint, tmp_path):
    embedder, _ = fitted("table", {})
    before = fingerprint(embedder)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    embedder.save(tmp_path / "file")
    BarlowTwinsEmbedder.load(tmp_path / "file")
    assert fingerprint(embedder) == before
    assert torch.equal(torch_state, torch.get_rng_state())
    assert_array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


def test_other_programs_can_read_it(fitted, tmp_path):
    safetensors = pytest.importorskip("safetensors")
    embedder, _ = fitted("table", {})
    embedder.save(tmp_path / "file")
    with safetensors.safe_open(tmp_path / "file", "numpy") as file:
        metadata = file.metadata()
        for name, tensor in embedder.encoder_.state_dict().items():
            assert_array_equal(file.get_tensor(f"encoder_.{name}"), tensor.numpy())
    assert metadata["format"] == "sklearn_twins.embedder" and metadata["format_version"] == FORMAT_VERSION
    assert metadata["sklearn_twins_version"] == sklearn_twins.__version__
    assert json.loads(metadata["parameters"])["batch_size"] == 32


def make_network(spec):
    return nn.Sequential(nn.Linear(spec.n_inputs, 4))


class Noise(GaussianNoise):
    """A user's component that inherits from one of the package's."""


FOREIGN = {
    "encoder": [make_network, nn.Sequential(nn.Linear(11, 4))],
    "augmentation": [lambda x, data, generator: x.clone(), nn.Identity(), Noise(), Chain([("noise", Noise())])],
    "objective": [lambda z_a, z_b: (z_a - z_b).square().mean()],
    "optimizer": [torch.optim.SGD],
    "lr_schedule": [lambda step, n_steps: 1.0],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FOREIGN.items() for value in values])
def test_what_is_not_ours_is_refused_by_name(tmp_path, name, value):
    X = np.random.default_rng(0).normal(size=(20, 11))
    params = {"encoder": SMALL_NETWORK, "max_epochs": 1, "random_state": 0, name: value}
    embedder = BarlowTwinsEmbedder(**params).fit(X)
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises(TypeError, match=rf"(?s)^{name}[.=\[].*pickle or joblib"):
        embedder.save(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"before"


@pytest.mark.parametrize(("name", "value"), [(name, FOREIGN[name][0]) for name in ("encoder", "augmentation")])
def test_what_is_not_ours_in_a_view_is_refused_by_its_place(tmp_path, name, value):
    X = np.random.default_rng(0).normal(size=(20, 22))
    views = [("left", LEFT, slice(0, 11)), ("right", clone(LEFT).set_params(**{name: value}), slice(11, None))]
    embedder = MultiViewEmbedder(views, max_epochs=1, random_state=0).fit(X)
    with pytest.raises(TypeError, match=rf"^views\[1\]\[1\]\.{name}=.*pickle or joblib"):
        embedder.save(tmp_path / "file")
    embedder.set_params(right=LEFT)
    if name == "encoder":
        with pytest.raises(TypeError, match=r"^views\[1\]\[1\]\.encoder=.*was trained.*pickle or joblib"):
            embedder.save(tmp_path / "file")
    embedder.views[1] = ("right", LEFT, lambda X: [1])
    with pytest.raises(TypeError, match=r"^views\[1\]\[2\]=.*pickle or joblib"):
        embedder.save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_views_of_a_file(fitted, tmp_path):
    """A view's embedder is kept by its parameters, fitted or not; files of other classes are refused."""
    embedder, X = fitted("views", {})
    embedder.views[0][1].fit(X)
    loaded = through_save(embedder, tmp_path)
    assert_array_equal(loaded.transform(X), embedder.transform(X))
    assert not hasattr(loaded.views[0][1], "encoder_") and hasattr(embedder.views[0][1], "encoder_")
    embedder.set_params(left__encoder="timm:hf-hub:someone/net")
    with pytest.raises(TypeError, match=r"^views\[0\]\[1\]\.encoder=.*elsewhere.*pickle or joblib"):
        embedder.save(tmp_path / "file")
    message = "holds 'sklearn_twins.MultiViewEmbedder', not 'sklearn_twins.BarlowTwinsEmbedder'"
    with pytest.raises(UnreadableFileError, match=message):
        BarlowTwinsEmbedder.load(tmp_path / "embedder.safetensors")


@pytest.mark.parametrize("encoder", ["timm:hf-hub:someone/net", TimmEncoder("local-dir:/somewhere")])
def test_networks_from_elsewhere_are_refused(fitted, tmp_path, encoder):
    embedder, _ = fitted("image", IMAGES["convnet"])
    with pytest.raises(TypeError, match=r"^encoder=.*elsewhere.*pickle or joblib"):
        embedder.set_params(encoder=encoder).save(tmp_path / "file")


def test_encoder_that_was_trained_and_then_replaced(tmp_path):
    embedder = BarlowTwinsEmbedder(encoder=make_network, max_epochs=1).fit(np.eye(8)).set_params(encoder="mlp")
    with pytest.raises(TypeError, match=r"^encoder=.*was trained.*pickle or joblib"):
        embedder.save(tmp_path / "file")


def test_callbacks_and_attributes_of_the_users_own_are_refused(fitted, recorder, tmp_path):
    embedder, _ = fitted("table", {})
    embedder.callbacks = [recorder]
    with pytest.raises(TypeError, match=r"^callbacks\[0\]=.*pickle or joblib"):
        embedder.save(tmp_path / "file")
    embedder.callbacks, embedder.note = None, "mine"
    with pytest.raises(TypeError, match=r"attribute note='mine'.*remove it"):
        embedder.save(tmp_path / "file")


def test_parameter_out_of_range_is_refused(fitted, tmp_path):
    embedder, _ = fitted("table", {})
    with pytest.raises(ValueError, match="'precision' parameter"):
        embedder.set_params(precision="half").save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_unfitted(tmp_path):
    with pytest.raises(NotFittedError):
        BarlowTwinsEmbedder().save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


class Mine(BarlowTwinsEmbedder):
    """A subclass, whose fits leave one attribute more."""

    def fit(self, X, y=None):
        super().fit(X)
        self.mark_ = ("fitted", len(X))
        return self


def test_subclasses(fitted, tmp_path):
    X = table()
    mine = Mine(encoder=SMALL_NETWORK, max_epochs=1, random_state=0).fit(X)
    mine.save(tmp_path / "mine")
    loaded = Mine.load(tmp_path / "mine")
    assert type(loaded) is Mine and loaded.mark_ == ("fitted", N)
    assert_array_equal(loaded.transform(X), mine.transform(X))
    with pytest.raises(UnreadableFileError, match=r"holds '.*Mine', not 'sklearn_twins.BarlowTwinsEmbedder'"):
        BarlowTwinsEmbedder.load(tmp_path / "mine")
    fitted("table", {})[0].save(tmp_path / "ours")
    with pytest.raises(UnreadableFileError, match=r"holds 'sklearn_twins.BarlowTwinsEmbedder', not .*Mine"):
        Mine.load(tmp_path / "ours")


def test_file_errors_stay_what_they_are(fitted, tmp_path):
    with pytest.raises(FileNotFoundError):
        BarlowTwinsEmbedder.load(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError if os.name == "posix" else PermissionError):
        BarlowTwinsEmbedder.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        fitted("table", {})[0].save(tmp_path / "nowhere" / "file")


@pytest.mark.parametrize("way", ["save", "pickle", "joblib", "skops"])
def test_other_version_is_told(fitted, tmp_path, monkeypatch, way):
    embedder, X = fitted("table", {})
    ways = {**WAYS, "pickle": lambda embedder, _: pickle.loads(content)}
    with monkeypatch.context() as patch:
        for module in ("_version", "_persistence._save_load", "_persistence._state"):
            patch.setattr(f"sklearn_twins.{module}.__version__", "0.0.9", raising=False)
        content = pickle.dumps(embedder)
        if way == "save":
            embedder.save(tmp_path / "file")
            ways["save"] = lambda *_: BarlowTwinsEmbedder.load(tmp_path / "file")
        elif way == "joblib":
            joblib.dump(embedder, tmp_path / "file")
            ways["joblib"] = lambda *_: joblib.load(tmp_path / "file")
        elif way == "skops":
            io = pytest.importorskip("skops.io")
            data = io.dumps(embedder)
            ways["skops"] = lambda *_: io.loads(data, trusted=trusted_types())
    with pytest.warns(OtherVersionWarning, match=r"BarlowTwinsEmbedder was fitted with sklearn_twins 0\.0\.9") as told:
        loaded = ways[way](embedder, tmp_path)
    assert len(told) == 1 and issubclass(OtherVersionWarning, InconsistentVersionWarning)
    warning = told[0].message
    assert warning.original_version == "0.0.9" and warning.current_version == sklearn_twins.__version__
    assert_array_equal(loaded.transform(X), embedder.transform(X))
    assert vars(loaded).keys() == vars(embedder).keys()


DROPPED = ("mean", "std", "column_scale", "max_dense_bytes", "categories_")


def test_parts_added_later_have_their_defaults(fitted, tmp_path, monkeypatch):
    embedder, X = fitted("table", {"passthrough": False})
    for thing in (embedder._recipe.spec, embedder._output, embedder.preprocessor_):
        state = {n: v for n, v in vars(thing).items() if n not in DROPPED}
        monkeypatch.setattr(type(thing), "__getstate__", lambda self, known=state: known)
    embedder.save(tmp_path / "file")
    monkeypatch.undo()
    loaded = BarlowTwinsEmbedder.load(tmp_path / "file")
    assert loaded._recipe.spec == embedder._recipe.spec and loaded.preprocessor_.max_dense_bytes == 2**31
    assert_array_equal(loaded.transform(X), embedder.transform(X))


def test_parameters_added_later_have_their_defaults(fitted, tmp_path, monkeypatch):
    embedder, X = fitted("table", {})
    del embedder.tol
    names = BarlowTwinsEmbedder().get_params(deep=False).keys() - {"tol"}
    monkeypatch.setattr(BarlowTwinsEmbedder, "get_params", lambda self, deep=True: dict.fromkeys(names))
    monkeypatch.setattr(BarlowTwinsEmbedder, "_validate_params", lambda self: None)
    embedder.save(tmp_path / "file")
    monkeypatch.undo()
    loaded = BarlowTwinsEmbedder.load(tmp_path / "file")
    assert loaded.tol == 1e-3
    assert_array_equal(loaded.transform(X), embedder.transform(X))


def test_paths_of_bytes(tmp_path, make, X):
    embedder, path = make().fit(X), os.fsencode(tmp_path / "a.safetensors")
    embedder.save(path)
    assert_array_equal(BarlowTwinsEmbedder.load(path).transform(X), embedder.transform(X))
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]

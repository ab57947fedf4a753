"""The same seed gives the same embedding to the bit, whatever is around a fit; and a fit leaves no trace around it."""

import contextlib
import gc
import pickle
import random
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder, Component
from sklearn_twins.augmentations import Chain, GaussianNoise, Identity, MarginalCorruption, Masking, Pair
from sklearn_twins.networks import MLPEncoder

pytestmark = pytest.mark.slow

CONFIGURATIONS = {
    "default": {},
    "hsic": {"objective": "hsic", "optimizer": "lars", "augmentation": "masking"},
    "early stopping": {"optimizer": "sgd", "augmentation": "mixup", "early_stopping": True, "n_components": 3},
    "warm start": {"augmentation": Pair(Identity(), MarginalCorruption()), "warm_start": True},
    "bfloat16": {"augmentation": Chain([("hide", Masking()), ("noise", GaussianNoise())]), "precision": "bfloat16"},
    "callable": {"encoder": lambda spec: nn.Sequential(nn.Linear(spec.n_inputs, 8), nn.Dropout(), nn.Linear(8, 4))},
}


def dropout_network():
    """A network of the user's that draws from torch's global generator as it trains."""
    return nn.Sequential(nn.Linear(5, 16), nn.Dropout(0.5), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))


ENCODERS = {
    "component": dict,
    "dropout": lambda: {"encoder": dropout_network()},
    "callable": lambda: {"encoder": lambda spec: dropout_network()},
}


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def torch_threads(number):
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


AMBIENT = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default dtype": lambda: default_dtype(torch.float64),
    "default device": lambda: torch.device("meta"),
}


def surroundings():
    """All global state that a fit could disturb, comparable with ==."""
    name, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    return {
        "torch generator": torch.get_rng_state().tolist(),
        "NumPy generator": (name, keys.tolist(), position, has_gauss, gauss),
        "Python generator": random.getstate(),
        "threads": torch.get_num_threads(),
        "interop threads": torch.get_num_interop_threads(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul precision": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "NumPy errors": np.geterr(),
        "denormals flushed": float(torch.tensor(1e-40, dtype=torch.float32, device="cpu") * 1) == 0,
    }


@pytest.fixture
def wide():
    """An embedder whose matrix products are large enough for torch to share among threads."""
    return BarlowTwinsEmbedder(max_epochs=1, random_state=0)


@pytest.fixture(scope="module")
def table():
    """More rows than a block of `transform`, some values missing."""
    X = np.random.default_rng(1).normal(size=(600, 20))
    X[::7, 3] = np.nan
    return X


@pytest.fixture(scope="module")
def fitted(table):
    """A wide embedder, and its embedding of the table."""
    embedder = BarlowTwinsEmbedder(max_epochs=1, random_state=0).fit(table)
    return embedder, embedder.transform(table)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_two_fits(make, X, name):
    params = CONFIGURATIONS[name]
    first, second = make(**params).fit(X), make(**params).fit(X)
    assert_array_equal(first.transform(X), second.transform(X))
    for column in ("epoch", "loss", "learning_rate"):
        assert_array_equal(first.history_[column], second.history_[column])


def test_fit_transform_is_fit_then_transform(make, X):
    assert_array_equal(make().fit_transform(X), make().fit(X).transform(X))


def test_seeds_differ(make, X):
    assert not np.array_equal(make().fit_transform(X), make(random_state=1).fit_transform(X))


@pytest.mark.parametrize("encoder", ["component", "dropout"])
def test_eight_threads(make, X, encoder):
    embedder, before = make(**ENCODERS[encoder]()), surroundings()
    expected = clone(embedder).fit_transform(X)
    with ThreadPoolExecutor(8) as pool:
        for embedding in pool.map(lambda _: clone(embedder).fit_transform(X), range(12)):
            assert_array_equal(embedding, expected)
        threads = set(pool.map(lambda _: torch.get_num_threads(), range(16)))
    assert surroundings() == before
    assert threads == {before["threads"]}


def test_threads_of_the_caller(wide, table):
    embeddings = []
    for number in (1, 2):
        with torch_threads(number):
            embeddings.append(clone(wide).fit_transform(table))
            assert torch.get_num_threads() == number
    assert_array_equal(*embeddings)


def test_n_jobs_is_reproducible_and_restored(make, X):
    before = surroundings()
    first, second = (make(n_jobs=2, max_epochs=1).fit_transform(X) for _ in range(2))
    assert_array_equal(first, second)
    assert surroundings() == before


def test_row_alone_and_any_order(fitted, table):
    embedder, expected = fitted
    for i in (0, 1, 7, 255, 256, 599):
        assert_array_equal(embedder.transform(table[[i]])[0], expected[i])
    order = np.random.default_rng(2).permutation(len(table))
    assert_array_equal(embedder.transform(table[order]), expected[order])


@pytest.mark.parametrize("width", [1, 2, 3, 8, 11])
def test_any_order_of_narrow_networks(make, table, width):
    """Small products have kernels of their own, which round by a row's place."""
    narrow = make(n_components=width, encoder=MLPEncoder(hidden_dims=(width,)), max_epochs=1).fit(table[:64, :5])
    order = np.random.default_rng(2).permutation(len(table))
    found, wanted = narrow.transform(table[order, :5]), narrow.transform(table[:, :5])[order]
    assert_array_equal(found, wanted)
    assert_array_equal(narrow.transform(table[7:9, :5]), narrow.transform(table[:, :5])[7:9])


@pytest.mark.parametrize("size", [2, 100, 255, 256, 257, 512])
def test_any_batch(fitted, table, size):
    embedder, expected = fitted
    starts = range(0, 20 if size == 2 else len(table), size)
    parts = np.concatenate([embedder.transform(table[start : start + size]) for start in starts])
    assert_array_equal(parts, expected[: len(parts)])


@pytest.mark.parametrize(
    ("method", "encoder"),
    [
        ("fit", "component"),
        ("fit", "dropout"),
        ("transform", "component"),
        ("transform", "callable"),
        ("partial_fit", "dropout"),
        ("refused", "component"),
        ("broken", "component"),
        ("broken", "dropout"),
    ],
)
def test_no_trace(make, X, encoder, method):
    embedder = make(**ENCODERS[encoder]())
    if method == "transform":
        embedder.fit(X)
    before = surroundings()
    if method == "refused":
        with pytest.raises(ValueError, match="n_jobs"):
            embedder.set_params(n_jobs=0).fit(X)
    elif method == "broken":
        with pytest.raises(ZeroDivisionError):
            embedder.set_params(objective=lambda z_a, z_b: 1 / 0).fit(X)
    else:
        getattr(embedder, method)(X)
    assert surroundings() == before


def test_no_trace_of_the_default(wide, table):
    before = surroundings()
    wide.fit(table).transform(table)
    assert surroundings() == before


def test_seed_from_numpys_global_generator(make, X):
    state = np.random.get_state()  # noqa: NPY002
    try:
        embeddings = []
        for _ in range(2):
            np.random.seed(0)  # noqa: NPY002
            embeddings += [make(random_state=None).fit_transform(X) for _ in range(2)]
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert_array_equal(embeddings[0], embeddings[2])
    assert_array_equal(embeddings[1], embeddings[3])
    assert not np.array_equal(embeddings[0], embeddings[1])


def test_random_state_instance(make, X):
    one, two = np.random.RandomState(5), np.random.RandomState(5)
    first = make(random_state=one).fit_transform(X)
    assert_array_equal(make(random_state=two).fit_transform(X), first)
    assert not np.array_equal(make(random_state=one).fit_transform(X), first)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        *((name, "component") for name in AMBIENT),
        ("no_grad", "dropout"),
        ("default dtype", "dropout"),
        ("inference_mode", "linear"),
        ("autocast", "linear"),
        ("default device", "linear"),
    ],
)
def test_ambient_state_in_fit(make, X, name, encoder):
    torch.manual_seed(0)
    params = {**ENCODERS, "linear": lambda: {"encoder": lambda spec: nn.Linear(spec.n_inputs, 4)}}[encoder]()
    expected = make(**params).fit(X)
    with AMBIENT[name]():
        before = surroundings()
        embedder = make(**params).fit(X)
        assert surroundings() == before
    assert_array_equal(embedder.transform(X), expected.transform(X))
    assert_array_equal(embedder.history_["loss"], expected.history_["loss"])
    assert {tensor.dtype for tensor in embedder.encoder_.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", AMBIENT)
def test_ambient_state_later(make, X, name):
    """In `transform`, in unpickling, and between a fit and a `partial_fit`."""
    embedder = make().partial_fit(X)
    expected, further = embedder.transform(X), make().partial_fit(X).partial_fit(X).transform(X)
    with AMBIENT[name]():
        before = surroundings()
        assert_array_equal(embedder.transform(X), expected)
        assert surroundings() == before
        loaded, streamed = pickle.loads(pickle.dumps(embedder)), make().partial_fit(X)
    for one in (embedder, loaded, streamed):
        assert_array_equal(one.transform(X), expected)
    assert_array_equal(streamed.partial_fit(X).transform(X), further)


def test_set_default_device(make, X):
    expected = make().fit_transform(X)
    torch.set_default_device("meta")
    try:
        assert_array_equal(make().fit_transform(X), expected)
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


def noisy(x, data, generator):
    """An augmentation that ignores its generator."""
    return x + 0.1 * torch.randn_like(x)


class Encoder(Component):
    def build(self, spec, n_components, generator):
        return nn.Sequential(nn.Linear(spec.n_inputs, 8), nn.Dropout())


class Projector(Component):
    def build(self, n_components, generator):
        return nn.Sequential(nn.Linear(n_components, 8), nn.Dropout())


class Noise(Component):
    def __init__(self, scale=0.1):
        self.scale = scale

    def __call__(self, x, data, generator):
        return x + self.scale * torch.randn_like(x)


COMPONENTS = {
    "encoder": {"encoder": Encoder()},
    "projector": {"projector": Projector()},
    "augmentation": {"augmentation": Noise()},
    "within a chain": {"augmentation": Chain([("noise", Noise())])},
    "function": {"augmentation": noisy},
    "function within a chain": {"augmentation": Chain([("noise", noisy)])},
    "function within a pair": {"augmentation": Pair(Identity(), noisy)},
    "module": {"encoder": dropout_network()},
}


@pytest.mark.parametrize("params", COMPONENTS.values(), ids=COMPONENTS)
def test_parts_of_the_user_s_are_deterministic(make, X, params):
    """Also if they draw from torch's global generator, which is seeded for them and restored."""
    torch.manual_seed(0)
    one = make(**params).fit(X)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    two = make(**params).fit(X)
    assert_array_equal(one.transform(X), two.transform(X))
    assert_array_equal(pickle.loads(pickle.dumps(one)).transform(X), two.transform(X))
    assert torch.equal(torch.get_rng_state(), before)
    assert not np.array_equal(make(**params, random_state=1).fit_transform(X), one.transform(X))


def test_generators_of_a_fit_differ(make, X):
    """Batches, views and validation have streams of their own."""
    states = []

    class Generators(Callback):
        def on_train_begin(self, net, **kwargs):
            states.extend(bytes(generator.get_state().numpy()) for generator in net.generators.values())

    make(callbacks=[Generators()], early_stopping=True).fit(X)
    assert len(set(states)) == len(states) == 3


def test_rows_are_let_go_after_a_fit(make, X):
    """Without the garbage collector's help: on a GPU this is memory that the next fit needs."""
    seen = []

    class Rows(Callback):
        def on_epoch_begin(self, net, dataset_train=None, **kwargs):
            if not seen:
                seen.append(weakref.ref(dataset_train))

    gc.disable()
    try:
        make(callbacks=[Rows()]).fit(X)
        assert seen[0]() is None
    finally:
        gc.enable()


FORMS = {
    "float32": lambda X: X.astype(np.float32),
    "F order": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "big endian": lambda X: X.astype(">f8"),
    "object": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcde")),
    "pandas nullable": lambda X: pd.DataFrame(X, columns=list("abcde")).astype("Float64"),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcde")),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_same_table(make, X, form):
    X = X.astype(np.float32).astype(np.float64)  # so that float32 holds it exactly
    assert_array_equal(make().fit_transform(FORMS[form](X)), make().fit_transform(X))
    X[::5, 2] = np.nan
    assert_array_equal(make().fit_transform(FORMS[form](X)), make().fit_transform(X))


def test_form_may_change_between_fit_and_transform(make, X):
    X = X.astype(np.float32).astype(np.float64)
    embedder = make().fit(X)
    for form in ("float32", "F order", "strided", "list"):
        assert_array_equal(embedder.transform(FORMS[form](X)), embedder.transform(X))


def test_integers_and_booleans_are_numbers(make):
    X = np.random.default_rng(3).integers(0, 100, size=(60, 5))
    expected = make().fit_transform(X.astype(np.float64))
    for dtype in (np.int8, np.uint8, np.int64, np.float32):
        assert_array_equal(make().fit_transform(X.astype(dtype)), expected)
    assert_array_equal(make().fit_transform(X < 50), make().fit_transform((X < 50).astype(np.float64)))


def test_input_is_left_alone(make, X):
    X[3, 2] = np.nan
    before = X.copy()
    make().fit(X).transform(X)
    assert_array_equal(X, before)


class Nested(Callback):
    """Fits and transforms within a fit."""

    def __init__(self, other, X):
        self.other, self.X = other, X

    def on_epoch_end(self, net, **kwargs):
        before = surroundings()
        self.other.fit(self.X).transform(self.X)
        assert surroundings() == before


@pytest.mark.parametrize(
    ("outer", "inner"), [("component", "dropout"), ("dropout", "component"), ("dropout", "dropout")]
)
def test_a_fit_within_a_fit(make, X, inner, outer):
    callback, params = Nested(make(**ENCODERS[inner]()), X), ENCODERS[outer]()
    with torch_threads(2):
        expected = make(**params).fit_transform(X)
        assert_array_equal(make(**params, callbacks=[callback]).fit_transform(X), expected)


def test_transform_while_others_fit(make, X):
    embedder = make().fit(X)
    expected = embedder.transform(X)
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(make(random_state=seed).fit, X) for seed in range(8)]
        embeddings = [pool.submit(embedder.transform, X) for _ in range(16)]
        for embedding in embeddings:
            assert_array_equal(embedding.result(), expected)
        assert all(fit.result() for fit in fits)

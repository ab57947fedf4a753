"""Copies of an embedder, by clone, copy, pickle or joblib: the same to the bit, and free of torch's pickles."""

import copy
import io
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._persistence._state import on_cpu
from sklearn_twins.augmentations import Chain, GaussianNoise, Masking

pytestmark = pytest.mark.slow

TIMINGS = ("seconds", "rows_per_second")

CONFIGURATIONS = {
    "default": {},
    "narrow": {"n_components": 3, "objective": "hsic", "optimizer": "lars"},
    "chain": {"augmentation": Chain([("hide", Masking()), ("noise", GaussianNoise())]), "optimizer": "sgd"},
    "early stopping": {"early_stopping": True},
    "warm start": {"warm_start": True},
}


ELSEWHERE = """
import pickle, sys
embedders, X = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps([embedder.transform(X) for embedder in embedders]))
"""


class WithoutTorch(pickle.Unpickler):
    """Refuses to look up anything of torch's or skorch's."""

    def find_class(self, module, name):
        assert module.partition(".")[0] not in ("torch", "skorch"), f"{module}.{name}"
        return super().find_class(module, name)


def build(spec):
    """An encoder of the user's own, at module level so that it can be pickled."""
    return nn.Sequential(nn.Linear(spec.n_inputs, 6), nn.ReLU(), nn.Linear(6, 4))


def network():
    """A ready network with weights of its own."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


def through_joblib(embedder, path, **how):
    joblib.dump(embedder, path)
    return joblib.load(path, **how)


WAYS = {
    "pickle": lambda embedder, path: pickle.loads(pickle.dumps(embedder)),
    "pickle protocol 5": lambda embedder, path: pickle.loads(pickle.dumps(embedder, protocol=5)),
    "joblib": through_joblib,
    "joblib compressed": lambda embedder, path: joblib.load(joblib.dump(embedder, path, compress=3)[0]),
    "joblib memory map": lambda embedder, path: through_joblib(embedder, path, mmap_mode="r"),
    "deepcopy": lambda embedder, path: copy.deepcopy(embedder),
    "copy": lambda embedder, path: copy.copy(embedder),
}
every_way_and_configuration = pytest.mark.parametrize(
    ("way", "name"),
    [*((way, "default") for way in WAYS), *zip(WAYS, [n for n in CONFIGURATIONS if n != "default"], strict=False)],
)
ENCODERS = {"component": {}, "module": {"encoder": network()}, "callable": {"encoder": build}}


def leaves(tree, seen):
    """Every object that can be reached from a state, once."""
    if id(tree) in seen:
        return
    seen[id(tree)] = tree
    yield tree
    children = list(tree.values()) if isinstance(tree, dict) else []
    children += list(tree) if isinstance(tree, (list, tuple)) else []
    children += list(vars(tree).values()) if hasattr(tree, "__dict__") and not isinstance(tree, type) else []
    for child in children:
        yield from leaves(child, seen)


def timeless(embedder):
    """Hash of all that an embedder holds but the clock's part of its history."""
    state = embedder.__getstate__()
    history = {name: column for name, column in state["history_"].items() if name not in TIMINGS}
    return joblib.hash({**state, "history_": history})


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_clone(make, X, name):
    embedder = make(**CONFIGURATIONS[name]).fit(X)
    again = clone(embedder)
    assert vars(again).keys() == embedder.get_params(deep=False).keys()
    assert_array_equal(again.fit(X).transform(X), embedder.transform(X))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("way", WAYS)
def test_same_embedding(make, X, tmp_path, way, encoder):
    X[::4, 1] = np.nan
    if encoder == "module":
        encoders = {"encoder": nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))}
    else:
        encoders = ENCODERS[encoder]
    embedder = make(**encoders).fit(X)
    twin = WAYS[way](embedder, tmp_path / "embedder")
    assert_array_equal(twin.transform(X), embedder.transform(X))
    assert twin.n_features_in_ == 5
    assert twin.history_.keys() == embedder.history_.keys()
    assert_array_equal(twin.get_feature_names_out(), embedder.get_feature_names_out())
    assert not any(tensor.requires_grad for tensor in twin.encoder_.parameters())
    assert not twin.encoder_.training


@every_way_and_configuration
def test_what_a_copy_can_do(make, X, tmp_path, way, name):
    embedder = make(**CONFIGURATIONS[name]).fit(X)
    twin = WAYS[way](embedder, tmp_path / "embedder")
    embedding = embedder.transform(X)
    assert_array_equal(twin.transform(X), embedding)
    assert_array_equal(clone(twin).fit(X).transform(X), embedding)
    twin.partial_fit(X)
    assert not np.array_equal(twin.transform(X), embedding)
    assert_array_equal(embedder.transform(X), embedding)


@pytest.mark.parametrize("way", WAYS)
def test_unfitted(make, X, tmp_path, way):
    twin = WAYS[way](make(), tmp_path / "embedder")
    assert_array_equal(twin.fit(X).transform(X), make().fit_transform(X))


def test_memory_map_is_read_only(make, X, tmp_path):
    embedder = make(warm_start=True).fit(X)
    twin = through_joblib(embedder, tmp_path / "embedder", mmap_mode="r")
    content = (tmp_path / "embedder").read_bytes()
    twin.set_params(max_epochs=4).fit(X).partial_fit(X)
    assert (tmp_path / "embedder").read_bytes() == content
    expected = embedder.set_params(max_epochs=4).fit(X).partial_fit(X)
    assert_array_equal(twin.transform(X), expected.transform(X))


def test_another_process(make, X):
    embedders = [make().fit(X), make().partial_fit(X)]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=pickle.dumps((embedders, X)), capture_output=True, check=True
    )
    assert_array_equal(pickle.loads(done.stdout), [embedder.transform(X) for embedder in embedders])


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("streamed", [False, True], ids=["fit", "partial_fit"])
def test_state_is_free_of_torch(make, X, name, streamed):
    embedder = make(**CONFIGURATIONS[name]).fit(X)
    if streamed:
        embedder.partial_fit(X)
    for leaf in leaves(embedder.__getstate__(), {}):
        assert type(leaf).__module__.partition(".")[0] not in ("torch", "skorch"), type(leaf)
    twin = WithoutTorch(io.BytesIO(pickle.dumps(embedder))).load()
    assert_array_equal(twin.transform(X), embedder.transform(X))


def test_pickling_changes_nothing(make, X):
    embedder = make().fit(X)
    before = dict(vars(embedder))
    pickle.dumps(embedder)
    joblib.hash(embedder)
    copy.deepcopy(embedder)
    assert vars(embedder).keys() == before.keys()
    assert all(vars(embedder)[name] is before[name] for name in before)


@every_way_and_configuration
def test_hash_of_a_copy(make, X, tmp_path, way, name):
    embedder = make(**CONFIGURATIONS[name]).fit(X)
    if way == "joblib memory map":  # joblib hashes memory maps unlike arrays, unless told to
        twin = through_joblib(embedder, tmp_path / "embedder", mmap_mode="r")
        assert joblib.hash(twin, coerce_mmap=True) == joblib.hash(embedder, coerce_mmap=True)
    else:
        twin = WAYS[way](embedder, tmp_path / "embedder")
        assert joblib.hash(twin) == joblib.hash(embedder)
        assert joblib.hash(pickle.loads(pickle.dumps(twin))) == joblib.hash(embedder)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_hash_of_equal_fits(make, X, name):
    params = CONFIGURATIONS[name]
    embedder = make(**params).fit(X)
    assert timeless(make(**params).fit(X)) == timeless(embedder)
    assert timeless(clone(embedder).fit(X)) == timeless(embedder)
    assert timeless(make(**params, random_state=1).fit(X)) != timeless(embedder)


def test_hash_of_equal_streams(make, X):
    assert timeless(make().partial_fit(X).partial_fit(X)) == timeless(make().partial_fit(X).partial_fit(X))


def test_hash_of_transformed_is_hash_of_fitted(make, X):
    embedder = make().fit(X)
    before = joblib.hash(embedder)
    embedder.transform(X)
    assert joblib.hash(embedder) == before


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_ready_module_is_left_alone(make, X, mode):
    module = getattr(network(), mode)()
    module[0].weight.requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    embedder = make(encoder=module).fit(X).partial_fit(X)
    embedder.transform(X)
    assert embedder.encoder is module
    assert module.state_dict().keys() == before.keys()
    assert all(torch.equal(module.state_dict()[name], before[name]) for name in before)
    assert module.training == (mode == "train")
    assert [tensor.requires_grad for tensor in module.parameters()] == [False] + [True] * 5
    assert all(tensor.grad is None for tensor in module.parameters())
    assert not {id(t) for t in module.parameters()} & {id(t) for t in embedder.encoder_.parameters()}


def test_ready_module_is_where_training_begins(make, X):
    module = network()
    slow = make(encoder=module, learning_rate=1e-12, augmentation="identity").fit(X)
    weights = dict(slow.encoder_.named_parameters())
    assert any(torch.allclose(tensor, module[0].weight) for tensor in weights.values() if tensor.shape == (8, 5))


def test_ready_module_through_clone_and_pickle(make, X):
    embedder = make(encoder=network()).fit(X)
    assert embedder.transform(X).shape == (60, 4)
    twin = clone(embedder)
    assert all(
        torch.equal(mine, yours)
        for mine, yours in zip(twin.encoder.parameters(), embedder.encoder.parameters(), strict=True)
    )
    assert_array_equal(twin.fit(X).transform(X), embedder.transform(X))
    loaded = pickle.loads(pickle.dumps(embedder))
    assert_array_equal(loaded.transform(X), embedder.transform(X))
    assert_array_equal(clone(loaded).fit(X).transform(X), embedder.transform(X))


def test_callable_encoder(make, X):
    X[::4, 1] = np.nan
    specs = []
    embedder = make(encoder=lambda spec: specs.append(spec) or build(spec)).fit(X)
    assert embedder.transform(X).shape == (60, 4)
    assert {(spec.shape, spec.missing, spec.n_inputs) for spec in specs} == {((5,), (1,), 6)}
    assert_array_equal(clone(embedder).fit(X).transform(X), embedder.transform(X))
    assert_array_equal(copy.deepcopy(embedder).transform(X), embedder.transform(X))


@pytest.mark.parametrize("encoder", [network(), build], ids=["module", "callable"])
def test_width_of_a_given_encoder(make, X, encoder):
    assert make(encoder=encoder, n_components=4).fit_transform(X).shape == (60, 4)
    assert list(make(encoder=encoder).fit(X).get_feature_names_out())[-1] == "barlowtwinsembedder3"
    with pytest.raises(ValueError, match=r"n_components=3.*4"):
        make(encoder=encoder, n_components=3).fit(X)


def test_parts_that_are_callables(make, X):
    embedder = make(
        augmentation=lambda x, data, generator: x + torch.randn(x.shape, generator=generator) * 0.1,
        objective=lambda z_a, z_b: (z_a - z_b).square().mean() - z_a.std(0).mean(),
        optimizer=torch.optim.RMSprop,
        lr_schedule=lambda step, n_steps: 1 - step / n_steps,
        preprocessor="table",
    ).fit(X)
    assert np.isfinite(embedder.transform(X)).all()
    assert_array_equal(clone(embedder).fit(X).transform(X), embedder.transform(X))


def test_output_setting_is_kept(make, X):
    embedder = make().set_output(transform="pandas").fit(X)
    for twin in (clone(embedder).fit(X), pickle.loads(pickle.dumps(embedder)), copy.deepcopy(embedder)):
        assert list(twin.transform(X).columns)[7:10] == ["barlowtwinsembedder7", "x0", "x1"]


def test_nothing_of_the_data_is_kept(make):
    """A fitted embedder does not grow with the rows it was fitted on."""
    X = np.random.default_rng(0).normal(size=(2_000, 5))
    few, many = (len(pickle.dumps(make().fit(rows))) for rows in (X[:100], X))
    assert many < few + 500


class Away(nn.Module):
    """A module that says it is on another device, and can be brought from there."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, device="meta"))

    def cpu(self):
        self.weight = nn.Parameter(torch.zeros(2))
        return self


@pytest.mark.parametrize("around", [lambda m: m, lambda m: Chain([("hide", Masking()), ("own", m)]), lambda m: [m, 1]])
def test_modules_among_parameters_come_to_the_cpu(around):
    module = Away()
    value = around(module)
    brought = on_cpu(value)
    assert brought is not value and module.weight.device.type == "meta"
    found = [leaf for leaf in leaves(brought, {}) if isinstance(leaf, Away)]
    assert [leaf.weight.device.type for leaf in found] == ["cpu"]
    assert on_cpu(brought) is brought, "what is there is not copied"


@pytest.mark.gpu
@pytest.mark.parametrize("encoder", ENCODERS)
def test_fitted_on_a_gpu_loads_without_one(X, tmp_path, encoder):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    embedder = BarlowTwinsEmbedder(max_epochs=2, random_state=0, warm_start=True, device="cuda", **ENCODERS[encoder])
    content = pickle.dumps(([embedder.fit(X)], X))
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=content, capture_output=True, check=True, env=environment
    )
    np.testing.assert_allclose(pickle.loads(done.stdout)[0], embedder.transform(X), rtol=1e-2, atol=1e-2)
    if encoder == "component":
        embedder.save(tmp_path / "embedder")
        twin = BarlowTwinsEmbedder.load(tmp_path / "embedder")
        assert {parameter.device.type for parameter in twin.encoder_.parameters()} == {"cpu"}
        np.testing.assert_allclose(twin.transform(X), embedder.transform(X), rtol=1e-2, atol=1e-2)

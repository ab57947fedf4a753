"""Batch norm folded into its neighbours: the same output but for rounding, and the encoder left as it is."""

import copy
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from builders import pixels, seeded
from numpy.testing import assert_array_equal
from torch import nn

from sklearn_twins._inference._embed import embed
from sklearn_twins._inference._fold_batch_norm import _cache, fold_batch_norm
from sklearn_twins._roles import ROLES
from sklearn_twins._series._kernels import Kernels
from sklearn_twins.networks import (
    AudioNTTEncoder,
    ConvNetEncoder,
    DilatedEncoder,
    ImageResNetEncoder,
    ImageStem,
    MiniRocketEncoder,
    MLPEncoder,
    Periodic,
    PiecewiseLinear,
    ResNetEncoder,
    SeriesResNetEncoder,
    TableStem,
    initialize,
)
from sklearn_twins.preprocessing import ImageSpec, SeriesSpec, TableSpec

TABLE = TableSpec(shape=(6,), missing=(1,), categories=(4,), edges=(tuple(np.linspace(-1, 1, 33).tolist()),) * 5)
IMAGES = ImageSpec(shape=(3, 16, 12), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.1))
THRESHOLDS = tuple(tuple(np.linspace(-3, 3, 84).tolist()) for _ in range(2))
SERIES = SeriesSpec(shape=(2, 30), kernels=Kernels((1, 3), ((0,), (0, 1)), THRESHOLDS))

# name -> component, samples, width asked for, batch norms that stay
ENCODERS = {
    "mlp": (MLPEncoder(), TABLE, None, 0),
    "mlp, narrow": (MLPEncoder(hidden_dims=(9,)), TABLE, 3, 0),
    "mlp, piecewise linear": (MLPEncoder(expansion=PiecewiseLinear()), TABLE, 7, 0),
    "mlp, periodic": (MLPEncoder(hidden_dims=(16, 8), expansion=Periodic()), TABLE, None, 0),
    "resnet": (ResNetEncoder(), TABLE, None, 1),  # behind the sum of the last block, not behind a layer
    "resnet, one block": (ResNetEncoder(width=16, n_blocks=1), TABLE, 5, 1),
    "convnet": (ConvNetEncoder(), IMAGES, None, 0),
    "convnet, narrow": (ConvNetEncoder(widths=(8, 16)), IMAGES, 5, 0),
    "resnet18": (ImageResNetEncoder(width=8), IMAGES, None, 0),
    "resnet18, large stem": (ImageResNetEncoder(width=8, stem="large"), IMAGES, 5, 0),
    "resnet50": (ImageResNetEncoder(depth=50, width=4), IMAGES, 6, 0),
    "minirocket": (MiniRocketEncoder(hidden_dims=(16, 8)), SERIES, 5, 0),
}


def samples_of(spec, n=50):
    """Random samples, some values missing, some codes unknown; of images, bytes."""
    rng = np.random.default_rng(0)
    if isinstance(spec, ImageSpec):
        return rng.integers(0, 256, size=(n, *spec.shape), dtype=np.uint8)
    if isinstance(spec, SeriesSpec):
        return rng.normal(size=(n, *spec.shape)).astype(np.float32)
    x = np.concatenate([rng.normal(size=(n, 5)), rng.integers(0, 6, size=(n, 1))], axis=1).astype(np.float32)
    x[::3, 1] = np.nan
    return x


def trained(name):
    """An encoder with weights and statistics as after some training, in eval mode."""
    component, spec, width, _ = ENCODERS[name]
    generator = seeded()
    encoder = component.build(spec, width, generator).train()
    with torch.no_grad():
        for _ in range(3):
            encoder(torch.from_numpy(samples_of(spec)))
        for parameter in encoder.parameters():  # no scale stays 1 or 0, no shift 0
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator).to(parameter))
    return encoder.eval().requires_grad_(False)


def norms(module):
    return sum(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in module.modules())


def run(network, samples):
    with torch.inference_mode():
        return network(torch.from_numpy(samples).clone()).float().numpy()


def state_bits(module):
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def assert_close(one, other, tolerance=1e-5):
    assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


@pytest.fixture
def encoder():
    return trained("mlp, narrow")


@pytest.mark.parametrize("name", ENCODERS)
def test_the_same_output(name):
    """And neither encoder nor samples change; in bfloat16 the output is no worse than the encoder's."""
    _, spec, _, n_kept = ENCODERS[name]
    encoder, samples = trained(name), samples_of(spec)
    before, expected, copied = state_bits(encoder), run(encoder, samples), samples.copy()
    network = fold_batch_norm(encoder)
    assert norms(encoder) > n_kept == norms(network)
    assert_close(run(network, samples), expected)
    assert_close(embed(encoder, samples, spec), expected)
    assert_array_equal(samples, copied)
    assert np.abs(expected).max() > 0.01
    assert state_bits(encoder) == before
    assert_array_equal(run(encoder, samples), expected)
    assert not any(layer.training for layer in network.modules())
    assert [p for p in network.parameters() if p.requires_grad] == []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        unfolded, folded = (np.abs(run(net, samples) - expected).mean() for net in (encoder, network))
    assert folded <= 1.5 * unfolded


def test_every_encoder_is_tested():
    kinds = {type(ROLES["encoder"].resolve(name, "tabular")) for name in ROLES["encoder"].parts()}
    # Whose batch norm stands within what counts as a stem, or behind a maximum.
    unfolded = {SeriesResNetEncoder, DilatedEncoder, AudioNTTEncoder}
    assert {type(component) for component, *_ in ENCODERS.values()} == kinds - unfolded


@pytest.mark.parametrize("name", ["mlp, narrow", "resnet18"])
def test_after_a_fit(make, X, name):
    component, spec, _, _ = ENCODERS[name]
    image = spec is IMAGES
    embedder = make(encoder=component, modality="image" if image else "tabular", passthrough=False)
    X = pixels(20, 8, 8, 3) if image else X
    embedder.fit(X)
    assert norms(fold_batch_norm(embedder.encoder_)) < norms(embedder.encoder_)
    assert_close(embedder.transform(X), run(embedder.encoder_, embedder.preprocessor_.transform(X, owner=embedder)))
    assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(X), embedder.transform(X))


def test_made_once_and_let_go_with_the_encoder():
    encoder = trained("mlp, narrow")
    assert fold_batch_norm(encoder) is fold_batch_norm(encoder)
    assert encoder in _cache
    gone = weakref.ref(fold_batch_norm(encoder)), weakref.ref(encoder)
    del encoder
    assert gone[0]() is gone[1]() is None


@pytest.mark.parametrize(
    "change",
    [
        lambda encoder: nn.init.ones_(encoder[1].weight),
        lambda encoder: encoder[2].running_mean.add_(1.0),
        lambda encoder: encoder.load_state_dict({k: v + 1 for k, v in encoder.state_dict().items()}),
        lambda encoder: encoder.__setitem__(1, nn.Linear(encoder[1].in_features, encoder[1].out_features)),
        lambda encoder: setattr(encoder[2], "weight", nn.Parameter(torch.full((9,), 3.0))),
        lambda encoder: setattr(encoder[1].weight, "data", encoder[1].weight.data + 1),
    ],
)
def test_changes_are_followed(encoder, change):
    samples = samples_of(TABLE)
    before = embed(encoder, samples, TABLE)
    change(encoder)
    encoder.eval()
    after = embed(encoder, samples, TABLE)
    assert not np.allclose(after, before)
    assert_close(after, run(encoder, samples))


def test_tensors_that_count_no_changes(encoder):
    with torch.inference_mode():
        encoder[1].weight = nn.Parameter(encoder[1].weight * 2)
        embed(encoder, samples_of(TABLE), TABLE)
        encoder[1].weight.mul_(2)
    assert_close(embed(encoder, samples_of(TABLE), TABLE), run(encoder, samples_of(TABLE)))


@pytest.mark.parametrize(
    "attach",
    [
        lambda layer, seen: layer.register_forward_hook(lambda *args: seen.append(1)),
        lambda layer, seen: layer.register_forward_pre_hook(lambda *args: seen.append(1)),
        lambda layer, seen: setattr(layer, "forward", lambda x: seen.append(1) or x),
    ],
)
def test_what_is_attached_goes_on_being_called(encoder, attach):
    seen = []
    attach(encoder[2], seen)
    embed(encoder, samples_of(TABLE), TABLE)
    assert fold_batch_norm(encoder) is encoder and seen


@pytest.mark.parametrize("name", ["resnet", "convnet"])
def test_autocast_and_inference_mode_change_nothing(name):
    encoder = trained(name)
    expected = state_bits(fold_batch_norm(copy.deepcopy(encoder)))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        network = fold_batch_norm(encoder)
    assert state_bits(network) == expected
    assert not any(tensor.is_inference() for tensor in network.state_dict().values())


def test_training_mode_is_left_alone(encoder):
    assert fold_batch_norm(encoder.train()) is encoder


def chain(*layers):
    return nn.Sequential(initialize(TableStem(TABLE), seeded()), *layers).eval()


class Other(nn.Linear):
    """What its forward does, nobody knows."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(5, 4),
        lambda: nn.Sequential(),
        lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8)).eval(),
        lambda: chain(nn.Sequential(nn.Linear(TABLE.n_inputs, 8), nn.BatchNorm1d(8))),
        lambda: chain(Other(TABLE.n_inputs, 8), nn.BatchNorm1d(8)),
        lambda: chain(nn.Unflatten(1, (2, -1)), nn.Linear(4, 2), nn.BatchNorm1d(2)),
        lambda: chain(nn.Unflatten(1, (2, -1)), nn.Flatten(2), nn.Linear(4, 2), nn.BatchNorm1d(2)),
        lambda: nn.Sequential(ImageStem(IMAGES), nn.Flatten(2), nn.Linear(192, 3), nn.BatchNorm1d(3)).eval(),
        lambda: chain(nn.utils.parametrizations.weight_norm(nn.Linear(TABLE.n_inputs, 8)), nn.BatchNorm1d(8)),
    ],
)
def test_modules_of_others_are_left_alone(make):
    module = make()
    assert fold_batch_norm(module) is module


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(TABLE.n_inputs, 16), nn.BatchNorm1d(16, affine=False)],
        [nn.Linear(TABLE.n_inputs, 16), nn.BatchNorm1d(16, track_running_stats=False)],
        [nn.Linear(TABLE.n_inputs, 16), nn.ReLU(), nn.BatchNorm1d(16)],
    ],
)
def test_norms_that_stay(layers):
    encoder, samples = chain(*layers), samples_of(TABLE)
    network = fold_batch_norm(encoder)
    assert norms(network) == 1
    assert_array_equal(run(network, samples), run(encoder, samples))


@pytest.mark.parametrize("bias", [True, False])
def test_a_norm_before_a_linear_layer(bias):
    encoder = chain(nn.BatchNorm1d(TABLE.n_inputs), nn.Linear(TABLE.n_inputs, 4, bias=bias)).requires_grad_(False)
    encoder[1].running_mean.uniform_(-1, 1)
    encoder[1].running_var.uniform_(0.5, 2)
    assert norms(fold_batch_norm(encoder)) == 0
    assert_close(run(fold_batch_norm(encoder), samples_of(TABLE)), run(encoder, samples_of(TABLE)))


def test_a_norm_before_a_convolution_stays():
    """The zeros around an image are not shifted by the norm."""
    stem = initialize(ImageStem(IMAGES), seeded())
    encoder = nn.Sequential(stem, nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, padding=1)).eval()
    assert norms(fold_batch_norm(encoder)) == 1


def test_threads_share_an_encoder(encoder):
    samples = samples_of(TABLE, 600)
    expected = embed(copy.deepcopy(encoder), samples, TABLE)
    with ThreadPoolExecutor(8) as pool:
        for embedding in pool.map(lambda _: embed(encoder, samples, TABLE), range(32)):
            assert_array_equal(embedding, expected)


def test_an_embedder_keeps_nothing_of_it(make, X, monkeypatch):
    embedder = make().fit(X)
    before, state, hashed = vars(embedder).copy(), state_bits(embedder.encoder_), joblib.hash(embedder)
    size = len(pickle.dumps(embedder))
    folded_embedding = embedder.transform(X)
    assert vars(embedder) == before and state_bits(embedder.encoder_) == state
    assert joblib.hash(embedder) == hashed and len(pickle.dumps(embedder)) == size
    assert norms(embedder.encoder_) == 1 and type(embedder.encoder_) is nn.Sequential
    assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(X), folded_embedding)
    monkeypatch.setattr("sklearn_twins._inference._embed.fold_batch_norm", lambda encoder: encoder)
    plain = make().fit(X)
    assert len(pickle.dumps(plain)) == pytest.approx(size, rel=0.01)
    assert_close(folded_embedding, plain.transform(X))


@pytest.mark.parametrize("stream", [False, True], ids=["fit", "partial_fit"])
def test_training_goes_on_as_if_nothing_were_folded(make, X, stream, monkeypatch):
    def go_on():
        embedder = make(warm_start=True).fit(X)
        embedder.transform(X)
        embedder = embedder.partial_fit(X) if stream else embedder.set_params(max_epochs=4).fit(X)
        embedder.transform(X)
        return embedder

    with_folding = go_on()
    monkeypatch.setattr("sklearn_twins._inference._embed.fold_batch_norm", lambda encoder: encoder)
    assert state_bits(with_folding.encoder_) == state_bits(go_on().encoder_)

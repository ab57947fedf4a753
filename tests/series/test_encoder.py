"""Convolutional networks for time series: the layers as they are said to be, masks, single steps, parameters."""

import copy
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import build, build_layer, image_spec, seeded
from torch import nn

from sklearn_twins._inference._embed import embed
from sklearn_twins._series._encoder import FrameNet, StepNorm, pool
from sklearn_twins._series._resnet1d import SeriesResidual
from sklearn_twins._series._spec import SeriesSpec
from sklearn_twins.networks import DilatedEncoder, SeriesResNetEncoder

pytestmark = pytest.mark.usefixtures("one_thread")

ENCODERS = [SeriesResNetEncoder((6, 6, 8)), DilatedEncoder(6, 8), DilatedEncoder(6, 8, n_blocks=1)]
every = pytest.mark.parametrize("encoder", ENCODERS, ids=repr)


def series(spec, n=16, seed=1):
    """Normal values, and marks of unequal lengths with gaps."""
    x = torch.randn(n, *spec.shape, generator=seeded(seed))
    if spec.masked:
        rng = np.random.default_rng(seed)
        there = np.arange(spec.length) < rng.integers(1, spec.length + 1, size=(n, 1))
        x[:, -1] = torch.from_numpy(there & (rng.random((n, spec.length)) < 0.9)).float()
        x = x * x[:, -1:]
    return x


def with_statistics(network):
    """The network in eval mode, with norms that do something."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.dim() == 1 and "tracked" not in name:
                tensor += 0.3 * torch.rand(tensor.shape, generator=seeded(4))
    return network.eval()


@pytest.mark.parametrize(
    ("encoder", "width", "n_parameters"),
    [
        # convolutions, norms, shortcuts
        (SeriesResNetEncoder(), 256, 64 * (7 + 1 + 23 * 64) + 128 * (7 * 64 + 8 * 128 + 64) + 1_920),
        # first layer; 8 blocks and the last one, whose distances are up to 128; its shortcut
        (DilatedEncoder(), 320, 128 + 7 * 2 * (3 * 64**2 + 64) + (3 * 64 + 1 + 3 * 160 + 1 + 64 + 1) * 160),
    ],
)
def test_default_widths_and_number_of_parameters(encoder, width, n_parameters):
    network = build(encoder, SeriesSpec((1, 200)))
    assert network(torch.zeros(2, 1, 200)).shape == (2, width)
    assert sum(p.numel() for p in network.parameters()) == n_parameters
    assert build(encoder, SeriesSpec((1, 200)), 7)(torch.zeros(2, 1, 200)).shape == (2, 7)


@pytest.mark.parametrize(
    ("length", "n_blocks"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 10), (1025, 11), (9999, 11)]
)
def test_blocks_that_would_see_one_step_are_left_out(length, n_blocks):
    blocks, _ = DilatedEncoder(2, 2)._blocks(SeriesSpec((1, length)))
    dilations = [block.first.dilation[0] for block in blocks[1:]]
    assert dilations == [2**i for i in range(n_blocks)] and (dilations[-1] < length or length == 1)


def norm(x, state, name):
    return F.batch_norm(x, *(state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))


def resnet(x, there, state, widths=3):
    for i in range(widths):
        place = f"0.blocks.{i}"
        if i:
            x, there = F.max_pool1d(x, 2, ceil_mode=True), F.max_pool1d(there, 2, ceil_mode=True)
        shortcut = x
        if f"{place}.shortcut.weight" in state:
            shortcut = there * norm(F.conv1d(x, state[f"{place}.shortcut.weight"]), state, f"{place}.shortcut_norm")
        for j, size in enumerate((7, 5, 3)):
            x = F.conv1d(x, state[f"{place}.convolutions.{j}.weight"], padding=size // 2)
            x = there * norm(x, state, f"{place}.norms.{j}")
            x = x.relu() if j < 2 else (x + shortcut).relu()
    return x, there


def dilated(x, there, state):
    x = there * F.conv1d(x, state["0.blocks.0.weight"], state["0.blocks.0.bias"])
    for i in range(len({name.split(".")[2] for name in state if name.startswith("0.")}) - 1):
        layers = {
            n: [state.get(f"0.blocks.{i + 1}.{n}.{p}") for p in ("weight", "bias")]
            for n in ("first", "second", "shortcut")
        }
        y = F.conv1d(F.gelu(x), *layers["first"], padding=2**i, dilation=2**i)
        y = F.conv1d(there * F.gelu(y), *layers["second"], padding=2**i, dilation=2**i)
        x = there * (y + (x if layers["shortcut"][0] is None else F.conv1d(x, *layers["shortcut"])))
    return x, there


@every
@pytest.mark.parametrize("masked", [False, True], ids=["complete", "masked"])
def test_forward_pass_is_what_it_says(encoder, masked):
    """Series by series, without their padding, in double precision: the layers, the mean and the maximum over time."""
    spec = SeriesSpec((3 + masked, 21), masked)
    network, x = with_statistics(build(encoder, spec, 5)), series(spec)
    state = {name: value.double() for name, value in network.state_dict().items()}
    reference = resnet if isinstance(encoder, SeriesResNetEncoder) else dilated
    for row, found in zip(x.double(), network(x), strict=True):
        there = row[-1:] if masked else torch.ones(1, 21, dtype=torch.float64)
        n = int(there[0].nonzero().max()) + 1 if there.any() else 1
        steps, kept = reference(row[None, :3, :n], there[None, :, :n], state)
        steps = steps[:, :, kept[0, 0] > 0]
        pooled = (
            torch.cat([steps.mean(2), steps.amax(2)], dim=1) if steps.numel() else torch.zeros(1, 2 * steps.shape[1])
        )
        expected = F.linear(pooled.double(), state["1.weight"], state["1.bias"])[0]
        torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-4)


@every
@pytest.mark.parametrize("training", [False, True])
def test_padding_does_not_leak(encoder, training):
    """Neither into embeddings nor into batch statistics nor gradients: more padding changes nothing."""
    short, long = SeriesSpec((3, 21), masked=True), SeriesSpec((3, 32), masked=True)
    x, network = series(short), with_statistics(build(encoder, short)).train(training)
    other, padded = copy.deepcopy(network), F.pad(x, (0, long.length - short.length))
    outputs = [network(x), other(padded)]
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)
    for output in outputs:
        output.square().mean().backward()
    for (name, a), b in zip(network.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-4, msg=name)
    for a, b in zip(network.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@every
def test_series_without_any_step_are_finite(encoder):
    spec = SeriesSpec((2, 9), masked=True)
    x, network = series(spec), build(encoder, spec, 4)
    x[3] = 0
    assert network(x).isfinite().all() and network(torch.zeros_like(x)).isfinite().all()


@every
@pytest.mark.parametrize("masked", [False, True], ids=["complete", "masked"])
@pytest.mark.parametrize("n_components", [None, 2])
def test_embedding_does_not_depend_on_the_batch(encoder, masked, n_components):
    """To the bit: alone, and at any place in a block."""
    spec = SeriesSpec((1 + masked, 17), masked)
    network, x = with_statistics(build(encoder, spec, n_components)), series(spec, 40).numpy()
    together = embed(network, x, spec)
    for i in (0, 7, 39):
        np.testing.assert_array_equal(embed(network, x[i : i + 1], spec)[0], together[i])
    np.testing.assert_array_equal(embed(network, x[::-1].copy(), spec)[::-1], together)


@every
@pytest.mark.parametrize("masked", [False, True], ids=["complete", "masked"])
@pytest.mark.parametrize("length", [1, 2, 7, 24])
def test_frames(encoder, masked, length):
    """One row a step, of the width of an embedding; without a layer behind them their maximum is that of the series."""
    spec = SeriesSpec((2 + masked, length), masked)
    x = series(spec)
    network, with_layer = (with_statistics(build(encoder, spec, width)) for width in (None, 5))
    assert FrameNet(with_layer)(x).shape == (16, length * 5)
    frames, width = FrameNet(network)(x).unflatten(1, (length, 16)), 8
    assert torch.equal(frames[..., :width], frames[..., width:])
    there = x[:, -1] > 0 if masked else torch.ones(16, length, dtype=torch.bool)
    whole = isinstance(encoder, DilatedEncoder) or not masked
    for row, kept, embedding in zip(frames, there, network(x), strict=True):
        if kept.any() and whole:
            torch.testing.assert_close(row[kept].amax(0)[width:], embedding[width:])
        if kept.any() and isinstance(encoder, DilatedEncoder):
            torch.testing.assert_close(row[kept].mean(0)[:width], embedding[:width], rtol=1e-4, atol=1e-5)


def test_masked_norm_is_batch_norm_of_the_steps_that_are_there():
    x, mark = torch.randn(8, 4, 11, generator=seeded()) + 3, (torch.rand(8, 1, 11, generator=seeded(1)) < 0.6).float()
    ours, plain = build_layer(lambda: StepNorm(4)), nn.BatchNorm1d(4)
    kept = mark[:, 0] > 0
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    for _ in range(2):
        out, expected = ours(a, mark), plain(b.transpose(1, 2)[kept])
        torch.testing.assert_close(out.transpose(1, 2)[kept], expected)
        assert not (out * (1 - mark)).any()
    weights = torch.randn(expected.shape, generator=seeded(2))
    (out.transpose(1, 2)[kept] * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    torch.testing.assert_close(ours(x, None), plain(x))
    ours(x, torch.zeros_like(mark)), ours(x, torch.ones_like(mark))
    assert all(tensor.isfinite().all() for tensor in ours.state_dict().values())


def test_pool_of_nothing_is_0():
    x = torch.randn(2, 3, 5, generator=seeded()) - 9
    mark = torch.tensor([[1.0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])[:, None]
    expected = torch.cat([x[0, :, [0, 3]].mean(1), x[0, :, [0, 3]].amax(1)])
    torch.testing.assert_close(pool(x, mark), torch.stack([expected, torch.zeros(6)]))


def test_length_is_halved_between_blocks():
    block = build_layer(lambda: SeriesResidual(2, 3, halves=True)).eval()
    for length in (1, 2, 5):
        x, mark = block(torch.rand(4, 2, length), torch.ones(4, 1, length))
        assert x.shape == (4, 3, -(-length // 2)) and mark.shape == (4, 1, x.shape[2])


@every
def test_weights_come_from_the_generator(encoder):
    spec = SeriesSpec((2, 12))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second, third = (build(encoder, spec, 3, seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["1.weight"], third["1.weight"])


@every
def test_other_samples_are_refused(encoder):
    with pytest.raises(ValueError, match=re.escape(f"encoder={encoder!r} is for time series")):
        build(encoder, image_spec((3, 8, 8)))


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        (SeriesResNetEncoder, "widths", ((), (0,), (8, -1), (8, 2.0), ("8",), (True,), 8, None)),
        *((DilatedEncoder, name, (0, -1, 2.0, None, True)) for name in ("width", "last_width")),
        (DilatedEncoder, "n_blocks", (-1, 31, 2.0, None)),
    ],
)
def test_wrong_parameters_are_refused(kind, name, values):
    assert kind().check()
    for value in values:
        with pytest.raises(ValueError, match=f"'{name}' parameter of {kind.__name__}"):
            kind(**{name: value}).check()

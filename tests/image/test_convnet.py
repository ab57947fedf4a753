"""The small convnet: its strides, widths and forward pass, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_twins._image._convnet import strides
from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.preprocessing import ImageSpec

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_spec(shape=(3, 9, 9)):
    return ImageSpec(shape, mean=(0.4,) * shape[0], std=(0.2,) * shape[0])


def build(encoder, spec=None, n_components=None, seed=0):
    return encoder.check().build(spec or make_spec(), n_components, seeded(seed))


def images(shape=(3, 9, 9), n=12):
    return torch.randint(256, (n, *shape), generator=seeded(3), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (1, [1, 1, 1, 1]),
        (2, [1, 1, 1, 1]),
        (3, [1, 1, 1, 2]),
        (5, [1, 1, 2, 2]),
        (8, [1, 1, 2, 2]),
        (9, [1, 2, 2, 2]),
        (16, [1, 2, 2, 2]),
        (17, [2, 2, 2, 2]),
        (28, [2, 2, 2, 2]),
        (1_000, [2, 2, 2, 2]),
    ],
)
def test_strides(side, expected):
    assert strides(side, 4) == expected


@pytest.mark.parametrize("n_layers", [1, 2, 4, 7])
@pytest.mark.parametrize("side", [1, 2, 3, 9, 32, 100])
def test_halving_leaves_two_pixels(side, n_layers):
    """The sides that the layers make, as the rule counts on them, and as few strides of 1 as it can."""
    net = build(ConvNetEncoder(widths=(2,) * n_layers), make_spec((1, side, 1)))
    maps = nn.Sequential(*list(net)[:-2])(images((1, side, 1)))
    assert maps.shape[3] == 1 and maps.shape[2] >= min(side, 2)
    assert 1 not in strides(side, n_layers) or maps.shape[2] <= 2


def test_default_widths():
    net = build(ConvNetEncoder(), make_spec((3, 32, 32)))
    convolutions = [layer for layer in net if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 64, 128, 256]
    assert [layer.stride for layer in convolutions] == [(2, 2)] * 4
    assert net(images((3, 32, 32), n=2)).shape == (2, 256)
    assert sum(p.numel() for p in net.parameters()) == 9 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256) + 2 * 480


@pytest.mark.parametrize("training", [True, False])
def test_forward_pass_is_what_it_says(training):
    """Convolution, batch norm, ReLU; the mean over places; a linear layer."""
    net = build(ConvNetEncoder(widths=(4, 6)), make_spec((3, 7, 3)), 5)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():  # norms that do something
            if name.endswith(("weight", "bias", "running_mean", "running_var")):
                tensor += 0.3 * torch.rand(tensor.shape, generator=seeded(4))
    state = {name: value.double() for name, value in net.state_dict().items()}
    x = (images((3, 7, 3)).double() / 255 - 0.4) / 0.2
    for first, stride in ((1, (2, 1)), (4, (2, 2))):
        x = F.conv2d(x, state[f"{first}.weight"], stride=stride, padding=1)
        norm = [state[f"{first + 1}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *norm, training=training).relu()
    expected = F.linear(x.mean((2, 3)), state["9.weight"], state["9.bias"])
    torch.testing.assert_close(net.train(training)(images((3, 7, 3))), expected.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("widths", [(0,), (8, -1), (8, 2.0), ("8",), (True,), (8, None)])
def test_wrong_widths_are_refused(widths):
    with pytest.raises(ValueError, match="'widths' parameter of ConvNetEncoder must hold positive integers"):
        ConvNetEncoder(widths).check()


@pytest.mark.parametrize("widths", [8, None, "auto", {8}])
def test_widths_must_be_a_tuple_or_list(widths):
    with pytest.raises(ValueError, match="'widths' parameter of ConvNetEncoder"):
        ConvNetEncoder(widths).check()


def test_it_needs_a_layer():
    with pytest.raises(ValueError, match="'widths' parameter of ConvNetEncoder is empty"):
        ConvNetEncoder(()).check()

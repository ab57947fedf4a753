"""The small convnet: its strides, widths and forward pass, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from builders import build, byte_images, image_spec, seeded
from torch import nn

from sklearn_twins._image._convnet import compute_strides
from sklearn_twins.networks import ConvNetEncoder

pytestmark = pytest.mark.usefixtures("one_thread")


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
    assert compute_strides(side, 4) == expected


@pytest.mark.parametrize("n_layers", [1, 2, 4, 7])
def test_halving_leaves_two_pixels(n_layers):
    """And as few strides of 1 as possible."""
    for side in [1, 2, 3, 9, 32, 100]:
        net = build(ConvNetEncoder(widths=(2,) * n_layers), image_spec((1, side, 1)))
        maps = nn.Sequential(*list(net)[:-2])(byte_images(2, (1, side, 1)))
        assert maps.shape[3] == 1 and maps.shape[2] >= min(side, 2)
        assert 1 not in compute_strides(side, n_layers) or maps.shape[2] <= 2


def test_default_widths():
    net = build(ConvNetEncoder(), image_spec((3, 32, 32)))
    convolutions = [layer for layer in net if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 64, 128, 256]
    assert [layer.stride for layer in convolutions] == [(2, 2)] * 4
    assert net(byte_images(2, (3, 32, 32))).shape == (2, 256)
    assert sum(p.numel() for p in net.parameters()) == 9 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256) + 2 * 480


@pytest.mark.parametrize("training", [True, False])
def test_forward_pass_is_what_it_says(training):
    """Convolution, batch norm, ReLU; the mean over places; a linear layer."""
    spec = image_spec((3, 7, 3), mean=(0.4,) * 3, std=(0.2,) * 3)
    net, images = build(ConvNetEncoder(widths=(4, 6)), spec, 5), byte_images(12, (3, 7, 3), seed=3)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():  # norms that do something
            if name.endswith(("weight", "bias", "running_mean", "running_var")):
                tensor += 0.3 * torch.rand(tensor.shape, generator=seeded(4))
    state = {name: value.double() for name, value in net.state_dict().items()}
    x = (images.double() / 255 - 0.4) / 0.2
    for first, stride in ((1, (2, 1)), (4, (2, 2))):
        x = F.conv2d(x, state[f"{first}.weight"], stride=stride, padding=1)
        norm = [state[f"{first + 1}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *norm, training=training).relu()
    expected = F.linear(x.mean((2, 3)), state["9.weight"], state["9.bias"])
    torch.testing.assert_close(net.train(training)(images), expected.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        *((widths, " must hold positive integers") for widths in [(0,), (8, -1), (8, 2.0), ("8",), (True,), (8, None)]),
        *((widths, "") for widths in (8, None, "auto", {8})),
        ((), " is empty"),
    ],
)
def test_wrong_widths_are_refused(widths, words):
    with pytest.raises(ValueError, match=f"'widths' parameter of ConvNetEncoder{words}"):
        ConvNetEncoder(widths).check()

"""Convolutions of image encoders: their sizes and strides, and initial weights as the papers draw them."""

import math

import pytest
import torch
from builders import build_layer, seeded
from scipy import stats
from torch import nn

from sklearn_twins._image._conv_layers import Convolution, ZeroScaleNorm, make_conv_norm_relu


@pytest.mark.parametrize("size", [1, 3])
def test_initial_weights_are_the_paper_s(size):
    conv = build_layer(lambda: Convolution(50, 40, size))
    values = conv.weight.detach().numpy().ravel()
    assert conv.bias is None
    assert stats.kstest(values, "norm", args=(0, math.sqrt(2 / (40 * size**2))), method="asymp").pvalue > 1e-3


@pytest.mark.parametrize(("size", "stride"), [(1, 2), (3, 1), (3, (1, 2)), (7, 2)])
def test_only_the_stride_makes_the_image_smaller(size, stride):
    conv = build_layer(lambda: Convolution(1, 1, size, stride))
    down, right = stride if isinstance(stride, tuple) else (stride, stride)
    for height, width in ((1, 1), (5, 8), (8, 5)):
        expected = (1, 1, math.ceil(height / down), math.ceil(width / right))
        assert conv(torch.zeros(1, 1, height, width)).shape == expected


def test_size_of_gradients_is_kept():
    """Through ten layers with their ReLUs and no norm between them, within a factor of five."""
    net = build_layer(
        lambda: nn.Sequential(*(f() for _ in range(10) for f in (lambda: Convolution(64, 64, 3), nn.ReLU)))
    )
    x = torch.randn(4, 64, 12, 12, generator=seeded(1)).requires_grad_()
    out = net(x)
    grad = torch.randn(out.shape, generator=seeded(2))
    out.backward(grad)
    assert 0.2 < (x.grad.std() / grad.std()).item() < 2


def test_zero_scale_norm_is_batch_norm_times_0():
    state, usual = build_layer(lambda: ZeroScaleNorm(3)).state_dict(), nn.BatchNorm2d(3).state_dict()
    assert state.keys() == usual.keys() and not state.pop("weight").any()
    assert all(torch.equal(state[name], usual[name]) for name in state)


def test_layers_of_a_block():
    layers = make_conv_norm_relu(2, 3, 3, stride=2)
    assert [type(layer) for layer in layers] == [Convolution, nn.BatchNorm2d, nn.ReLU]
    assert layers[0].stride == (2, 2) and layers[1].num_features == 3

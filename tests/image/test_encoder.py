"""The contract of all encoders of images: any size and layout, bytes or intensities; weights, state, refusals."""

import copy
import pickle

import numpy as np
import pytest
import torch
from builders import build, byte_images, image_spec, seeded, table_spec
from sklearn.base import clone
from torch import nn

from sklearn_twins._persistence._state import Recipe, finish
from sklearn_twins._runtime._tensors_as_arrays import to_arrays
from sklearn_twins.networks import (
    ConvNetEncoder,
    ImageResNetEncoder,
    ImageStem,
    MLPEncoder,
    ResNetEncoder,
    TimmEncoder,
    output_width,
)

SHAPE = (3, 9, 9)
SPEC = image_spec(SHAPE, mean=(0.4,) * 3, std=(0.2,) * 3)
SHAPES = [(1, 1, 1), (4, 1, 9), (10, 5, 7), (3, 8, 8), (1, 28, 28), (3, 33, 17)]
OURS = [ConvNetEncoder(widths=(4, 8, 8)), ImageResNetEncoder(width=4), ImageResNetEncoder(depth=50, width=2)]
OF_TIMM = [TimmEncoder("flat_net"), TimmEncoder("sized_net")]  # of the stand-in
WIDTHS = [8, 32, 64, 7, 7]
every_encoder = pytest.mark.parametrize("encoder", [*OURS, *OF_TIMM], ids=str)
each_of_ours = pytest.mark.parametrize("encoder", OURS, ids=str)
pytestmark = pytest.mark.usefixtures("one_thread", "timm")


def x_of(n=12, shape=SHAPE):
    return byte_images(n, shape, seed=3)


@pytest.mark.slow
@every_encoder
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_size_and_number_of_channels(encoder, shape):
    net = build(encoder, image_spec(shape), 3)
    out = net(x_of(2, shape))
    assert out.shape == (2, 3) and out.dtype == torch.float32 and torch.isfinite(out).all()
    out.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize(("encoder", "width"), list(zip([*OURS, *OF_TIMM], WIDTHS, strict=True)), ids=str)
@pytest.mark.parametrize("n_components", [None, 1, np.int64(5)])
def test_width_of_the_embedding(encoder, width, n_components):
    net = build(encoder, SPEC, n_components)
    assert net(x_of()).shape == (12, n_components or width) and output_width(net, SPEC) == (n_components or width)


@every_encoder
def test_bytes_and_intensities_give_the_same_in_any_layout(encoder):
    """Rows do not depend on each other either, once the network is in eval mode."""
    net, x = build(encoder, SPEC), x_of()
    net(x)  # running statistics of its own
    net.eval()
    before, out = x.clone(), net(x)
    for given in (x / 255, x.contiguous(memory_format=torch.channels_last)):
        torch.testing.assert_close(net(given), out, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net(x[3:5]), out[3:5], rtol=1e-4, atol=1e-5)
    assert torch.equal(x, before)


@each_of_ours
def test_weights_lie_channels_last_which_changes_no_value(encoder):
    net, x = build(encoder, SPEC).eval(), x_of()
    weights = [p for p in net.parameters() if p.dim() == 4]
    assert weights and all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    plain = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    plain[0].memory_format = torch.contiguous_format
    torch.testing.assert_close(plain(x), net(x), rtol=1e-3, atol=1e-4)


@every_encoder
def test_weights_are_the_generators(encoder):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build(encoder, SPEC, 3, seed).eval()(x_of()) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)
    generator = seeded()
    one, two = (encoder.build(SPEC, None, generator).eval()(x_of()) for _ in range(2))
    assert not torch.equal(one, two)


@every_encoder
def test_default_dtype_device_and_inference_mode_do_not_matter(encoder):
    expected = build(encoder, SPEC).eval()(x_of())
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            net = build(encoder, SPEC)
    finally:
        assert torch.get_default_dtype() == torch.float64
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(copy.deepcopy(net).eval()(x_of()), expected)
    net(x_of()).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@each_of_ours
def test_every_parameter_is_trained(encoder):
    """Branches that start at 0 too, from the second step on; also in bfloat16, which is close."""
    net, x = build(encoder, SPEC, 3), x_of(32)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (net(x) - torch.arange(3)).square().mean().backward()
        optimizer.step()
    assert all((p.grad != 0).any() for p in net.parameters())
    expected = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(x)
        out.float().square().sum().backward()
    assert out.dtype == torch.bfloat16 and (out - expected).abs().max() < 0.1 * expected.abs().max() + 0.05
    assert all(torch.isfinite(p.grad).all() and p.dtype == torch.float32 for p in net.parameters())


@every_encoder
def test_state_makes_a_round_trip(encoder):
    """As arrays, through a recipe: statistics of the images, layout and weights are as they were."""
    net, x = build(encoder, SPEC, 3), x_of()
    net(x)
    expected, arrays = finish(net)(x), to_arrays(dict(net.state_dict()))
    rebuilt = Recipe(encoder, SPEC, 3).rebuild(pickle.loads(pickle.dumps(arrays)))
    assert isinstance(rebuilt[0], ImageStem) and not any(p.requires_grad for p in rebuilt.parameters())
    assert torch.equal(rebuilt(x), expected) and torch.equal(copy.deepcopy(rebuilt)(x), expected)
    layouts = [[p.stride() for p in n.parameters()] for n in (net, rebuilt)]
    assert layouts[0] == layouts[1] and isinstance(net[-1], nn.Linear) == (encoder in OURS)


@every_encoder
def test_tables_are_refused(encoder):
    with pytest.raises(ValueError, match=r"is for images.* Got samples of shape \(6,\)\. For tables use .*'mlp'"):
        encoder.build(table_spec(6), None, seeded())


@pytest.mark.parametrize("encoder", [MLPEncoder(), ResNetEncoder()], ids=str)
def test_encoders_of_tables_refuse_images(encoder):
    with pytest.raises(ValueError, match=r"is for tables.* Got samples of shape \(3, 9, 9\)\. For images .*'convnet'"):
        encoder.build(SPEC, None, seeded())


@pytest.mark.parametrize("encoder", [*OURS, *OF_TIMM, ConvNetEncoder([np.int64(4), 8])], ids=str)
def test_clone_and_pickle(encoder):
    assert encoder.check() is encoder and clone(encoder).get_params() == encoder.get_params()
    assert repr(pickle.loads(pickle.dumps(encoder))) == repr(encoder).replace("np.int64(4)", "4")

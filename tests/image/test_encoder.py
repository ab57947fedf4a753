"""What encoders of images have in common: any size, any layout, bytes or intensities; weights, state, refusals."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_twins._persistence._state import Recipe, finish
from sklearn_twins._runtime._tensors_as_arrays import to_arrays
from sklearn_twins.networks import ConvNetEncoder, ImageResNetEncoder, ImageStem, MLPEncoder, ResNetEncoder
from sklearn_twins.preprocessing import ImageSpec, TableSpec

SIZES = [(1, 1), (1, 9), (5, 7), (8, 8), (28, 28), (33, 17)]
SMALL = [ConvNetEncoder(widths=(4, 8, 8)), ImageResNetEncoder(width=4), ImageResNetEncoder(depth=50, width=2)]
every_encoder = pytest.mark.parametrize("encoder", SMALL, ids=str)
pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_spec(shape=(3, 9, 9)):
    return ImageSpec(shape, mean=(0.4,) * shape[0], std=(0.2,) * shape[0])


def build(encoder, spec=None, n_components=None, seed=0):
    return encoder.check().build(spec or make_spec(), n_components, seeded(seed))


def images(shape=(3, 9, 9), n=12):
    return torch.randint(256, (n, *shape), generator=seeded(3), dtype=torch.uint8)


@pytest.mark.slow
@every_encoder
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("n_channels", [1, 3, 4, 10])
def test_any_size_and_number_of_channels(encoder, n_channels, size):
    shape = (n_channels, *size)
    net = build(encoder, make_spec(shape), 3)
    out = net(images(shape, n=2))
    assert out.shape == (2, 3) and out.dtype == torch.float32 and torch.isfinite(out).all()
    out.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@every_encoder
@pytest.mark.parametrize("n_components", [None, 1, np.int64(5)])
def test_width_of_the_embedding(encoder, n_components):
    own = {SMALL[0]: 8, SMALL[1]: 32, SMALL[2]: 64}[encoder]
    net = build(encoder, n_components=n_components)
    out = net(images())
    assert out.shape == (12, n_components or own)
    assert isinstance(net[-1], nn.Linear) == (n_components is not None)


@every_encoder
def test_bytes_and_intensities_give_the_same(encoder):
    net, x = build(encoder).eval(), images()
    before = x.clone()
    torch.testing.assert_close(net(x), net(x / 255), rtol=1e-4, atol=1e-5)
    assert torch.equal(x, before)


@every_encoder
def test_layout_changes_no_value(encoder):
    """Of the images, and of the weights, which lie channels last."""
    net, x = build(encoder).eval(), images()
    weights = [p for p in net.parameters() if p.dim() == 4]
    assert weights and all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    assert torch.equal(net(x), net(x.contiguous(memory_format=torch.channels_last)))
    plain = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    plain[0].memory_format = torch.contiguous_format
    torch.testing.assert_close(plain(x), net(x), rtol=1e-3, atol=1e-4)


@every_encoder
def test_weights_are_the_generators(encoder):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build(encoder, n_components=3, seed=seed).eval()(images()) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)


@every_encoder
def test_default_dtype_device_and_inference_mode_do_not_matter(encoder):
    expected = build(encoder).eval()(images())
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            net = build(encoder)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(copy.deepcopy(net).eval()(images()), expected)
    net(images()).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@every_encoder
def test_every_parameter_is_trained(encoder):
    """Branches that begin as nothing too, from the second step on."""
    net, x = build(encoder, n_components=3), images(n=32)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (net(x) - torch.arange(3)).square().mean().backward()
        optimizer.step()
    assert all((p.grad != 0).any() for p in net.parameters())


@every_encoder
def test_rows_do_not_mix_in_eval_mode(encoder):
    net, x = build(encoder), images()
    net(x)  # running statistics of its own
    net.eval()
    torch.testing.assert_close(net(x)[3:5], net(x[3:5]), rtol=1e-4, atol=1e-5)


@every_encoder
def test_state_makes_a_round_trip(encoder):
    """As arrays, through a recipe: statistics of the images, layout and weights are as they were."""
    net, x = build(encoder, n_components=3), images()
    net(x)
    expected, arrays = finish(net)(x), to_arrays(dict(net.state_dict()))
    rebuilt = Recipe(encoder, make_spec(), 3).rebuild(pickle.loads(pickle.dumps(arrays)))
    assert isinstance(rebuilt[0], ImageStem) and not any(p.requires_grad for p in rebuilt.parameters())
    assert torch.equal(rebuilt(x), expected) and torch.equal(copy.deepcopy(rebuilt)(x), expected)
    layouts = [[p.stride() for p in n.parameters()] for n in (net, rebuilt)]
    assert layouts[0] == layouts[1]


@every_encoder
def test_bfloat16_is_close(encoder):
    net, x = build(encoder, n_components=3), images(n=32)
    expected = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(x)
        out.float().square().sum().backward()
    assert out.dtype == torch.bfloat16 and (out - expected).abs().max() < 0.1 * expected.abs().max() + 0.05
    assert all(torch.isfinite(p.grad).all() and p.dtype == torch.float32 for p in net.parameters())


@pytest.mark.parametrize("encoder", [ConvNetEncoder(), ImageResNetEncoder()], ids=str)
def test_tables_are_refused(encoder):
    with pytest.raises(ValueError, match=r"is for images.* Got samples of shape \(6,\)\. For tables use .*'mlp'"):
        encoder.build(TableSpec((6,)), None, seeded())


@pytest.mark.parametrize("encoder", [MLPEncoder(), ResNetEncoder()], ids=str)
def test_encoders_of_tables_refuse_images(encoder):
    with pytest.raises(ValueError, match=r"is for tables.* Got samples of shape \(3, 9, 9\)\. For images .*'convnet'"):
        encoder.build(make_spec(), None, seeded())


@pytest.mark.parametrize("encoder", [*SMALL, ConvNetEncoder([np.int64(4), 8])], ids=str)
def test_clone_and_pickle(encoder):
    assert encoder.check() is encoder and clone(encoder).get_params() == encoder.get_params()
    assert repr(pickle.loads(pickle.dumps(encoder))) == repr(encoder)

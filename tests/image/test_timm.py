"""Encoders from timm: what a stand-in for it is asked for; and, if timm is installed, its own networks."""

import importlib.util
import pickle
import sys

import numpy as np
import pytest
import torch
from builders import build, byte_images, image_spec, pixels
from sklearn.base import clone

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._persistence._state import Recipe, finish
from sklearn_twins._runtime._tensors_as_arrays import to_arrays
from sklearn_twins.networks import ImageStem, TimmEncoder, output_width

installed = all(importlib.util.find_spec(name) for name in ("timm", "torchvision"))
needs_timm = pytest.mark.skipif(not installed, reason="timm is not installed")
pytestmark = pytest.mark.usefixtures("one_thread")


def spec_of(shape=(4, 6, 5)):
    return image_spec(shape, mean=(0.4,) * shape[0], std=(0.2,) * shape[0])


def build_by_name(name, n_components=None, **params):
    return build(TimmEncoder(name, **params), spec_of(), n_components)


@pytest.mark.parametrize(("n_components", "n_classes"), [(None, 0), (np.int64(3), 3)])
@pytest.mark.parametrize("name", ["flat_net", "sized_net"])
def test_it_asks_for_channels_size_and_width(timm, name, n_components, n_classes):
    build_by_name(name, n_components)
    wanted = {"name": name, "pretrained": False, "in_chans": 4, "num_classes": n_classes}
    asked = [{**wanted, "img_size": (6, 5)}, wanted]
    assert timm.asked == asked[: 1 if name == "sized_net" else 2]
    assert type(timm.asked[0]["num_classes"]) is int


def test_stem_is_in_front_and_keeps_rows_of_pixels_contiguous(timm):
    net = build_by_name("flat_net")
    assert isinstance(net[0], ImageStem) and net[0].memory_format == torch.contiguous_format


def test_global_generator_is_put_back_after_an_error(timm):
    before = torch.get_rng_state()
    with pytest.raises(TypeError, match="other trouble"):
        build_by_name("other")
    assert torch.equal(torch.get_rng_state(), before) and len(timm.asked) == 1


def test_it_says_that_its_networks_draw_globally():
    assert TimmEncoder.draws_globally and TimmEncoder("flat_net").draws_globally


@pytest.mark.parametrize("pretrained", [False, np.True_])
def test_untrained_is_the_same_network(timm, pretrained):
    encoder = TimmEncoder("flat_net", pretrained)
    build(encoder, spec_of())
    assert timm.asked[-1]["pretrained"] is bool(pretrained)
    assert repr(encoder.untrained()) == "TimmEncoder(name='flat_net')" and encoder.pretrained is pretrained
    build(encoder.untrained(), spec_of())
    assert timm.asked[-1]["pretrained"] is False


@pytest.mark.parametrize("pretrained", [False, True])
def test_in_an_embedder(timm, pretrained):
    """Dropout draws from torch's global generator, which is as before; a pickle asks for no weights again."""
    X = pixels(20, 5, 6, 3)
    embedder = BarlowTwinsEmbedder(
        modality="image", encoder=TimmEncoder("flat_net", pretrained), max_epochs=2, random_state=0
    )
    torch.manual_seed(3)
    before = torch.get_rng_state()
    Z = clone(embedder).fit_transform(X)
    torch.manual_seed(4)
    np.testing.assert_array_equal(embedder.fit_transform(X), Z)
    assert {asked["pretrained"] for asked in timm.asked} == {pretrained}  # asked twice, since it takes no img_size
    torch.set_rng_state(before)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again.transform(X), Z)
    assert timm.asked[-1]["pretrained"] is False and torch.equal(torch.get_rng_state(), before)
    by_name = BarlowTwinsEmbedder(modality="image", encoder="timm:flat_net", max_epochs=2, random_state=0)
    np.testing.assert_array_equal(by_name.fit_transform(X), Z)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flat", r"no network named 'flat'\. Is it one of \['flat_net', 'flat_net_large'\]\?"),
        ("sized_nets", r"no network named 'sized_nets'\. Is it one of \['sized_net'"),
        ("zzz", r"no network named 'zzz'\. See timm\.list_models\(\)"),
        ("flat_net.tag", r"cannot make the network 'flat_net\.tag' .*Invalid pretrained tag"),
    ],
)
def test_unknown_name_is_refused(timm, name, message):
    with pytest.raises(ValueError, match=message):
        build_by_name(name)


def test_name_from_elsewhere_is_not_looked_up(timm):
    build_by_name("hf-hub:somebody/net")
    assert timm.asked[-1]["name"] == "hf-hub:somebody/net"


def test_missing_timm_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)  # an import of it fails
    with pytest.raises(ImportError, match=r"'timm:resnet18' needs timm.*`pip install timm`"):
        build_by_name("resnet18")


@pytest.mark.parametrize(("parameter", "value"), [("name", 3), ("name", None), ("pretrained", "yes")])
def test_wrong_parameters_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of TimmEncoder"):
        TimmEncoder(**{"name": "flat_net", parameter: value}).check()


@needs_timm
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of other packages are not ours
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("resnet10t", (1, 32, 32)),
        ("resnet10t", (3, 64, 48)),
        ("vit_tiny_patch16_224", (3, 64, 48)),
        ("convnext_atto", (10, 32, 32)),
    ],
    ids=str,
)
def test_real_networks(name, shape):
    """The same seed gives the same weights; gradients are finite; the state makes a round trip."""
    before, encoder, spec, x = torch.get_rng_state(), TimmEncoder(name), spec_of(shape), byte_images(4, shape)
    own = build(encoder, spec)
    assert output_width(own, spec) == own[1].num_features
    net, again = (build(encoder, spec, 3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(net.eval()(x), again.eval()(x))
    net.train()(x).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    expected, arrays = finish(net)(x), to_arrays(dict(net.state_dict()))
    assert expected.shape == (4, 3) and torch.equal(Recipe(encoder, spec, 3).rebuild(arrays)(x), expected)


@needs_timm
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_real_names_that_are_like_an_unknown_one():
    with pytest.raises(ValueError, match="'vit_tiny_patch16_224'"):
        build_by_name("vit_tiny")
    with pytest.raises(ValueError, match=r"cannot make the network .*tag"):
        build_by_name("resnet18.nonsense")

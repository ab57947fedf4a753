"""Encoders from timm: what it is asked for, by a stand-in; and, where it is installed, real networks of its own."""

import importlib.util
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._persistence._state import Recipe, finish
from sklearn_twins._runtime._tensors_as_arrays import to_arrays
from sklearn_twins.networks import ImageStem, TimmEncoder, output_width
from sklearn_twins.preprocessing import ImageSpec, TableSpec

NAMES = ["flat_net", "flat_net_large", "sized_net", "other"]
installed = all(importlib.util.find_spec(name) for name in ("timm", "torchvision"))
needs_timm = pytest.mark.skipif(not installed, reason="timm is not installed")
pytestmark = pytest.mark.usefixtures("one_thread")


class FlatNet(nn.Module):
    """A network with timm's arguments, for images of any size; it flattens with `view`."""

    def __init__(self, in_chans=3, num_classes=1000):
        super().__init__()
        self.conv = nn.Conv2d(in_chans, 7, 1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(7, num_classes) if num_classes else nn.Identity()

    def forward(self, x):
        x = x.view(x.shape[0], x.shape[1], -1, 1)
        return self.head(self.drop(self.conv(x).mean((2, 3))))


class SizedNet(FlatNet):
    """One that is made for images of a size."""

    def __init__(self, img_size=224, **params):
        super().__init__(**params)
        self.position = nn.Parameter(torch.randn(1, 1, *img_size))

    def forward(self, x):
        return super().forward(x + self.position)


@pytest.fixture
def fake(monkeypatch):
    """A module in timm's place, with a note of what it was asked for."""
    timm = types.ModuleType("timm")
    timm.asked = []

    def create_model(name, pretrained=False, **params):
        timm.asked.append({"name": name, "pretrained": pretrained, **params})
        if name == "other":
            raise TypeError("other trouble")
        if "." in name:
            raise RuntimeError("Invalid pretrained tag")
        return {"s": SizedNet}.get(name[0], FlatNet)(**params)

    timm.create_model = create_model
    timm.list_models = lambda: list(NAMES)
    timm.is_model = lambda name: name.partition(".")[0] in NAMES
    monkeypatch.setitem(sys.modules, "timm", timm)
    return timm


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_spec(shape=(4, 6, 5)):
    return ImageSpec(shape, mean=(0.4,) * shape[0], std=(0.2,) * shape[0])


def build(name, spec=None, n_components=None, seed=0, **params):
    return TimmEncoder(name, **params).check().build(spec or make_spec(), n_components, seeded(seed))


def images(shape=(4, 6, 5), n=8):
    return torch.randint(256, (n, *shape), generator=seeded(3), dtype=torch.uint8)


@pytest.mark.parametrize(("n_components", "width", "n_classes"), [(None, 7, 0), (3, 3, 3), (np.int64(3), 3, 3)])
@pytest.mark.parametrize("name", ["flat_net", "sized_net"])
def test_it_asks_for_channels_size_and_width(fake, name, n_components, width, n_classes):
    net = build(name, n_components=n_components)
    wanted = {"name": name, "pretrained": False, "in_chans": 4, "num_classes": n_classes}
    asked = [{**wanted, "img_size": (6, 5)}, wanted]
    assert fake.asked == asked[: 1 if name == "sized_net" else 2]
    assert type(fake.asked[0]["num_classes"]) is int
    assert output_width(net, make_spec()) == width and net(images()).dtype == torch.float32


def test_it_asks_for_weights(fake):
    build("flat_net", pretrained=np.True_)
    assert fake.asked[-1]["pretrained"] is True


def test_stem_is_in_front_and_rows_of_pixels_lie_beside_each_other(fake):
    net = build("flat_net").eval()
    assert isinstance(net[0], ImageStem) and net[0].memory_format == torch.contiguous_format
    x = images().contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(net(x), net(x / 255))


@pytest.mark.parametrize("name", ["flat_net", "sized_net"])
def test_weights_are_the_generators(fake, name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build(name, seed=seed).eval()(images()) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)
    generator = seeded()
    one, two = (TimmEncoder(name).build(make_spec(), None, generator)[1].conv.weight for _ in range(2))
    assert not torch.equal(one, two)


def test_global_generator_is_put_back_after_an_error(fake):
    before = torch.get_rng_state()
    with pytest.raises(TypeError, match="other trouble"):
        build("other")
    assert torch.equal(torch.get_rng_state(), before) and len(fake.asked) == 1


def test_default_dtype_device_and_inference_mode_do_not_matter(fake):
    expected = build("flat_net").eval()(images())
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            net = build("flat_net")
    finally:
        assert torch.get_default_dtype() == torch.float64
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(net.eval()(images()), expected)
    net(images()).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_it_says_that_its_networks_draw_globally():
    assert TimmEncoder.draws_globally and TimmEncoder("flat_net").draws_globally


@pytest.mark.parametrize("pretrained", [False, True])
def test_untrained_is_the_same_network(fake, pretrained):
    encoder = TimmEncoder("flat_net", pretrained)
    assert repr(encoder.untrained()) == "TimmEncoder(name='flat_net')"
    assert encoder.pretrained is pretrained
    encoder.untrained().build(make_spec(), None, seeded())
    assert fake.asked[-1]["pretrained"] is False


@pytest.mark.parametrize("pretrained", [False, True])
def test_in_an_embedder(fake, pretrained):
    """Dropout draws from torch's global generator, which is as before; a pickle asks for no weights again."""
    X = np.random.default_rng(0).integers(0, 256, size=(20, 5, 6, 3), dtype=np.uint8)
    embedder = BarlowTwinsEmbedder(
        modality="image", encoder=TimmEncoder("flat_net", pretrained), max_epochs=2, random_state=0
    )
    torch.manual_seed(3)
    before = torch.get_rng_state()
    Z = clone(embedder).fit_transform(X)
    torch.manual_seed(4)
    np.testing.assert_array_equal(embedder.fit_transform(X), Z)
    assert {asked["pretrained"] for asked in fake.asked} == {pretrained}  # asked twice, since it takes no img_size
    torch.set_rng_state(before)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again.transform(X), Z)
    assert fake.asked[-1]["pretrained"] is False and torch.equal(torch.get_rng_state(), before)
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
def test_unknown_name_is_refused(fake, name, message):
    with pytest.raises(ValueError, match=message):
        build(name)


def test_name_from_elsewhere_is_not_looked_up(fake):
    build("hf-hub:somebody/net")
    assert fake.asked[-1]["name"] == "hf-hub:somebody/net"


def test_missing_timm_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)  # an import of it fails
    with pytest.raises(ImportError, match=r"'timm:resnet18' needs timm.*`pip install timm`.*sklearn-twins\[timm\]"):
        build("resnet18")


def test_tables_are_refused(fake):
    with pytest.raises(ValueError, match=r"is for images.* Got samples of shape \(6,\)"):
        build("flat_net", TableSpec((6,)))
    assert not fake.asked


@pytest.mark.parametrize(("parameter", "value"), [("name", 3), ("name", None), ("pretrained", "yes")])
def test_wrong_parameters_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of TimmEncoder"):
        TimmEncoder(**{"name": "flat_net", parameter: value}).check()


def test_clone_and_pickle():
    encoder = TimmEncoder("flat_net", pretrained=True)
    assert clone(encoder).get_params() == encoder.get_params() == {"name": "flat_net", "pretrained": True}
    assert repr(pickle.loads(pickle.dumps(encoder))) == repr(encoder)


def check_round_trip(name, shape):
    spec, x = make_spec(shape), images(shape)
    net = build(name, spec, 3)
    net(x).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    expected = finish(net)(x)
    assert expected.shape == (8, 3)
    arrays = to_arrays(dict(net.state_dict()))
    assert torch.equal(Recipe(TimmEncoder(name), spec, 3).rebuild(arrays)(x), expected)


@pytest.mark.parametrize("name", ["flat_net", "sized_net"])
def test_state_makes_a_round_trip(fake, name):
    check_round_trip(name, (4, 6, 5))


@needs_timm
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of other packages are not ours
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 32, 32), (10, 32, 32), (3, 64, 48)], ids=str)
@pytest.mark.parametrize("name", ["resnet10t", "resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_real_networks(name, shape):
    before = torch.get_rng_state()
    net = build(name, make_spec(shape))
    first, again = (build(name, make_spec(shape), 5).eval()(images(shape)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert output_width(net, make_spec(shape)) == net[1].num_features
    check_round_trip(name, shape)


@needs_timm
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_real_names_that_are_like_an_unknown_one():
    with pytest.raises(ValueError, match="'vit_tiny_patch16_224'"):
        build("vit_tiny")
    with pytest.raises(ValueError, match=r"cannot make the network .*tag"):
        build("resnet18.nonsense")

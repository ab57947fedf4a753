"""Residual networks for images: the published sizes, stems, strides and blocks, and wrong parameters."""

import pytest
import torch
import torch.nn.functional as F
from builders import build, build_layer, image_spec, seeded
from torch import nn

from sklearn_twins._image._resnet import make_basic_block, make_bottleneck_block
from sklearn_twins._parts._initialize import build_on_meta
from sklearn_twins.networks import ImageResNetEncoder

pytestmark = pytest.mark.usefixtures("one_thread")


def build_resnet(shape, n_components=None, **parameters):
    return build(ImageResNetEncoder(**parameters), image_spec(shape), n_components)


def n_parameters(net):
    return sum(p.numel() for p in net.parameters())


def layout(depth, stem, n_channels=3):
    """The network without its numbers."""
    encoder = ImageResNetEncoder(depth, stem=stem)
    return build_on_meta(lambda: nn.Sequential(*encoder._layers(image_spec((n_channels, 32, 32)))[0]))


@pytest.mark.parametrize(("depth", "published"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)])
def test_sizes_are_the_published_ones(depth, published):
    """Less the classifier of 1,000 classes, weights and biases."""
    width = 2048 if depth == 50 else 512
    assert n_parameters(layout(depth, "large")) == published - (width + 1) * 1_000
    small = published - (width + 1) * 1_000 - 64 * 3 * 7**2 + 64 * 3 * 3**2
    assert n_parameters(layout(depth, "small")) == small
    assert n_parameters(layout(depth, "large", n_channels=1)) == published - (width + 1) * 1_000 - 64 * 2 * 7**2


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_depth_counts_layers_with_weights(depth):
    """All on the longest way: convolutions outside the shortcuts, and the classifier that is left out."""
    net = layout(depth, "large")
    convolutions = [name for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)]
    assert sum("shortcut" not in name for name in convolutions) + 1 == depth


@pytest.mark.parametrize(("shape", "stem"), [((3, 64, 64), "small"), ((3, 65, 8), "large"), ((3, 8, 65), "large")])
def test_auto_stem_goes_by_the_longer_side(shape, stem):
    auto, chosen = (build_resnet(shape, stem=s, width=2) for s in ("auto", stem))
    assert repr(auto) == repr(chosen)


@pytest.mark.parametrize(("stem", "side"), [("small", 4), ("large", 1)])
def test_sides_are_the_published_ones(stem, side):
    net = build_resnet((3, 32, 32), width=2, stem=stem)
    assert nn.Sequential(*list(net)[:-2])(torch.zeros(2, 3, 32, 32)).shape == (2, 16, side, side)


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 5, 70), (2, 70, 1)])
def test_large_stem_takes_any_size(shape):
    assert build_resnet(shape, 3, width=2, stem="large")(torch.zeros(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize(("depth", "width"), [(18, 512), (50, 2048)])
def test_default_width(depth, width):
    encoder = ImageResNetEncoder(depth)
    assert encoder._layers(image_spec((3, 4, 4)))[1] == width


def block(make, width_in, stride):
    return build_layer(lambda: make(width_in, 4, stride))


@pytest.mark.parametrize(("make", "width"), [(make_basic_block, 4), (make_bottleneck_block, 16)])
def test_blocks_begin_as_their_shortcut(make, width):
    x = torch.randn(5, width, 6, 6, generator=seeded())
    assert torch.equal(block(make, width, 1)(x), x.relu())
    halved = block(make, width, 2)
    assert torch.equal(halved(x), halved.shortcut(x).relu())


@pytest.mark.parametrize(("make", "width"), [(make_basic_block, 4), (make_bottleneck_block, 16)])
@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_are_the_papers(make, width, stride):
    """Table 1 and figure 5: sizes of the kernels, where the stride is, where the ReLUs are."""
    made = block(make, 8, stride).eval()
    with torch.no_grad():
        for tensor in made.state_dict().values():
            if tensor.dim() == 1:
                tensor += 0.3 * torch.rand(tensor.shape, generator=seeded(4))
    state = made.state_dict()

    def conv_norm(x, name, norm, stride=1):
        weight = state[f"{name}.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)
        return F.batch_norm(x, *(state[f"{norm}.{s}"] for s in ("running_mean", "running_var", "weight", "bias")))

    x = torch.randn(5, 8, 7, 7, generator=seeded())
    out, places = x, {make_basic_block: [0, 3], make_bottleneck_block: [0, 3, 6]}[make]
    for place in places:
        strided = place == {make_basic_block: 0, make_bottleneck_block: 3}[make]
        out = conv_norm(out, f"branch.{place}", f"branch.{place + 1}", stride if strided else 1)
        out = out if place == places[-1] else out.relu()
    sizes = {make_basic_block: [3, 3], make_bottleneck_block: [1, 3, 1]}[make]
    assert [state[f"branch.{place}.weight"].shape[2] for place in places] == sizes
    expected = (out + conv_norm(x, "shortcut.0", "shortcut.1", stride)).relu()
    torch.testing.assert_close(made(x), expected)
    assert made(x).shape[1] == width


def test_last_scale_of_each_branch_begins_as_0():
    for depth, norms in ((18, 8), (50, 16)):
        net = build_resnet((1, 4, 4), depth=depth, width=2)
        scales = [layer.weight for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
        assert sum(not scale.any() for scale in scales) == norms
        assert all((scale == 1).all() or not scale.any() for scale in scales)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("depth", value) for value in (17, 101, "18", 18.0, None)),
        *(("width", value) for value in (0, -1, 2.0, "8", None)),
        *(("stem", value) for value in ("tiny", None, 3)),
    ],
)
def test_wrong_parameters_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of ImageResNetEncoder"):
        ImageResNetEncoder(**{parameter: value}).check()

"""Initial weights: torch's own distribution, from one explicit generator, in any ambient state of the caller."""

import contextlib
import math

import pytest
import torch
from builders import seeded
from scipy import stats
from torch import nn

from sklearn_twins._parts._initialize import SeededLayer, build_on_meta, skeletons
from sklearn_twins.networks import initialize


def build(make, seed=0):
    return initialize(build_on_meta(make), seeded(seed))


@contextlib.contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


AMBIENT = {
    "default dtype": default_dtype,
    "default device": default_device,
    "inference mode": torch.inference_mode,
    "no grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


class Drawn(SeededLayer, nn.Module):
    """A layer with weights that torch has no rule for, and a layer that it has one for."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(6))
        self.tables = nn.ParameterDict({"a": torch.empty(2, 6), "b": torch.empty(3, 6)})
        self.register_buffer("order", torch.empty(6), persistent=False)
        self.inner = nn.Linear(6, 3)

    def reset_parameters_from(self, generator):
        for parameter in (self.scale, *self.tables.values()):
            parameter.normal_(generator=generator)
        self.order = torch.arange(6).flip(0)

    def forward(self, x):
        return self.inner(x[:, self.order] * self.scale + self.tables["a"].sum(0) + self.tables["b"].sum(0))


def drawn():
    return nn.Sequential(nn.Linear(6, 6), Drawn())


def small():
    return nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))


def tensors(module):
    """Parameters and buffers by name, those that no `state_dict` holds too."""
    return dict([*module.named_parameters(), *module.named_buffers()])


def every_ambient(test):
    test = pytest.mark.parametrize("make", [small, drawn])(test)
    return pytest.mark.parametrize("ambient", AMBIENT.values(), ids=AMBIENT)(test)


def test_build_on_meta_allocates_and_draws_nothing():
    before = torch.get_rng_state()
    module = build_on_meta(lambda: nn.Linear(10**6, 10**6))
    assert module.weight.device.type == "meta"
    assert torch.equal(torch.get_rng_state(), before)


def test_module_is_returned_on_the_cpu_and_trainable():
    module = build_on_meta(small)
    assert initialize(module, seeded()) is module
    tensors = [*module.parameters(), *module.buffers()]
    assert all(t.device.type == "cpu" and torch.isfinite(t).all() for t in tensors)
    assert all(p.requires_grad for p in module.parameters())


def test_same_seed_same_weights_and_other_seed_other_weights():
    first, again, other = (build(small, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
    assert not torch.equal(first["3.bias"], other["3.bias"])


def test_global_generator_neither_matters_nor_moves():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build(small).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(build(small).state_dict()["0.weight"], first["0.weight"])


def test_one_generator_draws_on_from_module_to_module():
    generator = seeded()
    first, second = (initialize(build_on_meta(small), generator) for _ in range(2))
    assert not torch.equal(first[0].weight, second[0].weight)


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda: nn.Linear(50, 400), 50),
        (lambda: nn.Linear(7, 3_000), 7),
        (lambda: nn.Conv1d(4, 1_000, 5), 20),
        (lambda: nn.Conv2d(3, 1_000, (3, 5)), 45),
        (lambda: nn.Conv3d(2, 500, 3), 54),
        (lambda: nn.Conv2d(8, 1_000, 3, groups=4), 18),
    ],
)
def test_weights_and_biases_are_distributed_as_torchs_own(make, fan_in):
    ours, bound = build(make), 1 / math.sqrt(fan_in)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = make()
    for name in ("weight", "bias"):
        a, b = (getattr(m, name).detach().double().numpy().ravel() for m in (ours, theirs))
        assert abs(a).max() <= bound * (1 + 1e-6) and abs(a).max() > 0.95 * bound
        assert stats.kstest(a, "uniform", args=(-bound, 2 * bound)).pvalue > 1e-3
        assert stats.ks_2samp(a, b).pvalue > 1e-3


@pytest.mark.parametrize("make", [lambda: nn.BatchNorm1d(5), lambda: nn.BatchNorm2d(5), lambda: nn.LayerNorm(5)])
def test_normalisation_starts_as_torchs_own_and_draws_nothing(make):
    generator = seeded()
    before = generator.get_state()
    ours, theirs = initialize(build_on_meta(make), generator).state_dict(), make().state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(generator.get_state(), before)


def test_layers_without_parameters_need_none():
    assert isinstance(build(lambda: nn.Sequential(nn.ReLU(), nn.Dropout(), nn.Flatten())), nn.Sequential)


@pytest.mark.parametrize("make", [lambda: nn.Embedding(3, 4), lambda: nn.PReLU(), lambda: nn.GRU(3, 4)])
def test_unknown_layer_is_refused(make):
    """Otherwise its memory would stay undefined."""
    with pytest.raises(TypeError, match=make().__class__.__name__):
        build(make)


def test_seeded_layers_draw_in_turn():
    """After the layers before them and before those inside them, from one generator; their buffers are not cast."""
    generator, module = seeded(3), build(drawn, 3)
    first, layer = module
    bound = 1 / math.sqrt(6)
    for weight in (first.weight, first.bias):
        assert torch.equal(weight, torch.empty_like(weight).uniform_(-bound, bound, generator=generator))
    for weight in (layer.scale, layer.tables["a"], layer.tables["b"]):
        assert torch.equal(weight, torch.empty_like(weight).normal_(generator=generator))
    assert torch.equal(layer.inner.weight, torch.empty(3, 6).uniform_(-bound, bound, generator=generator))
    assert layer.order.tolist() == [5, 4, 3, 2, 1, 0] and layer.order.dtype == torch.int64
    assert "1.order" not in module.state_dict()


@pytest.mark.parametrize("kind", [nn.Linear, nn.BatchNorm1d])
def test_seeded_layer_of_a_known_kind_draws_its_own_weights(kind):
    class Sevens(SeededLayer, kind):
        def reset_parameters_from(self, generator):
            for parameter in self.parameters():
                parameter.fill_(7.0)

    layer = build(lambda: Sevens(2, 2))
    assert all((p == 7).all() for p in layer.parameters())
    layer.reset_parameters()  # torch's own reset still is another method
    assert not all((p == 7).all() for p in layer.parameters())


def test_layer_with_buffers_only_is_refused_too():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("values", torch.arange(3.0))

    with pytest.raises(TypeError, match="Constant"):
        build(Constant)


@every_ambient
def test_ambient_state_does_not_matter(ambient, make):
    """The bits are the same in another default dtype or device, and in inference mode."""
    expected = tensors(build(make))
    with ambient():
        found = tensors(build(make))
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].device.type == "cpu"
        assert torch.equal(found[name], tensor)


@every_ambient
def test_module_built_in_an_ambient_state_can_be_trained(ambient, make):
    with ambient():
        module = build(make)
    module(torch.randn(8, 6, generator=seeded(), dtype=torch.float32)).square().sum().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_skeletons_take_no_memory_and_no_draws():
    generator = seeded()
    before = generator.get_state()
    with skeletons():
        module = initialize(build_on_meta(lambda: nn.Linear(2**20, 2**20)), generator)
        assert module.weight.device.type == "meta"
    assert torch.equal(generator.get_state(), before)
    assert build(lambda: nn.Linear(2, 2)).weight.device.type == "cpu"

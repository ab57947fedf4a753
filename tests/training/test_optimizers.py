"""Optimizers: LARS and Muon against NumPy, what decays, names and callables."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_twins._training._muon import Muon, orthogonalize
from sklearn_twins._training._optimizers import LARS, NAMES, default_learning_rate, make_optimizer

CPU = torch.device("cpu")


def module(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3, bias=False))


def gradients(model, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(p.shape, generator=generator) for p in model.parameters()]


def give(model, grads):
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        parameter.grad = grad.clone()


def lars_in_numpy(weights, steps, lr, weight_decay, momentum=0.9, trust=0.001):
    """Algorithm 1 of You et al. as Barlow Twins uses it, on float64 arrays."""
    weights = [w.copy() for w in weights]
    speeds = [np.zeros_like(w) for w in weights]
    for grads in steps:
        for i, gradient in enumerate(grads):
            update = gradient
            if weights[i].ndim > 1:
                update = gradient + weight_decay * weights[i]
                norm_w, norm_u = np.sqrt((weights[i] ** 2).sum()), np.sqrt((update**2).sum())
                if norm_w > 0 and norm_u > 0:
                    update = trust * norm_w / norm_u * update
            speeds[i] = momentum * speeds[i] + update
            weights[i] = weights[i] - lr * speeds[i]
    return weights


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("lr", [0.2, 5.0])
def test_lars_equals_numpy(weight_decay, lr):
    model = module().double()
    steps = [[g.double() for g in gradients(model, seed)] for seed in range(6)]
    start = [p.detach().numpy().copy() for p in model.parameters()]
    optimizer = make_optimizer("lars", model, lr, weight_decay, CPU)
    assert isinstance(optimizer, LARS)
    for grads in steps:
        give(model, grads)
        optimizer.step()
    expected = lars_in_numpy(start, [[g.numpy() for g in grads] for grads in steps], lr, weight_decay)
    for parameter, array in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), array, rtol=1e-12, atol=1e-14)


def muon_in_numpy(weights, steps, lr, weight_decay):
    """Jordan's algorithm for matrices and Adam for vectors, on float64 arrays."""
    weights = [w.copy() for w in weights]
    buffers, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for n, grads in enumerate(steps, start=1):
        for i, gradient in enumerate(grads):
            if weights[i].ndim == 1:
                buffers[i] = 0.9 * buffers[i] + 0.1 * gradient
                squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
                mean, square = buffers[i] / (1 - 0.9**n), squares[i] / (1 - 0.999**n)
                weights[i] -= lr / 4 * mean / (np.sqrt(square) + 1e-8)
                continue
            buffers[i] = 0.95 * buffers[i] + 0.05 * gradient
            matrix = (0.05 * gradient + 0.95 * buffers[i]).reshape(len(gradient), -1)
            u, s, vt = np.linalg.svd(matrix / (np.linalg.norm(matrix) + 1e-7), full_matrices=False)
            for _ in range(5):  # the polynomial acts on singular values
                s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
            size = np.sqrt(max(1, matrix.shape[0] / matrix.shape[1]))
            weights[i] -= lr * weight_decay * weights[i]
            weights[i] -= lr * size * (u * s @ vt).reshape(gradient.shape)
    return weights


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_muon_equals_numpy(weight_decay):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(20, 3)).double()
    steps = [[g.double() for g in gradients(model, seed)] for seed in range(4)]
    start = [p.detach().numpy().copy() for p in model.parameters()]
    optimizer = make_optimizer("muon", model, 0.1, weight_decay, CPU)
    assert isinstance(optimizer, Muon)
    for grads in steps:
        give(model, grads)
        optimizer.step()
    expected = muon_in_numpy(start, [[g.numpy() for g in grads] for grads in steps], 0.1, weight_decay)
    for parameter, array in zip(model.parameters(), expected, strict=True):
        atol = 1e-10 if array.ndim > 1 else 1e-5  # vectors move by 0.1; their number of steps is in float32
        np.testing.assert_allclose(parameter.detach().numpy(), array, rtol=1e-8, atol=atol)


@pytest.mark.parametrize("shape", [(6, 6), (4, 30), (30, 4)])
@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_muons_steps_are_nearly_orthogonal(shape, size):
    values = torch.linalg.svdvals(orthogonalize(size * torch.randn(shape, generator=torch.Generator().manual_seed(0))))
    assert values.min() > 0.3 and values.max() < 1.3


def test_lars_never_adapts_nor_decays_parameters_with_one_axis():
    bias, gradient = torch.ones(3, requires_grad=True), torch.tensor([1.0, -2.0, 0.0])
    optimizer = LARS([bias], lr=0.5, weight_decay=10.0, momentum=0.0)
    bias.grad = gradient
    optimizer.step()
    assert bias.tolist() == [0.5, 2.0, 1.0]


@pytest.mark.parametrize(
    ("weight", "gradient"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)], ids=["no weight", "no gradient", "neither"]
)
def test_lars_takes_a_plain_step_where_there_is_no_ratio(weight, gradient):
    w = torch.full((2, 2), weight, requires_grad=True)
    w.grad = torch.full((2, 2), gradient)
    LARS([w], lr=0.5).step()
    assert torch.equal(w, torch.full((2, 2), weight - 0.5 * gradient))


def test_lars_step_size_does_not_depend_on_the_gradients_size():
    ends = []
    for size in (1e-3, 1.0, 1e3):
        w = torch.ones(3, 3, requires_grad=True)
        w.grad = size * torch.eye(3)
        LARS([w], lr=1.0).step()
        ends.append(w.detach())
    torch.testing.assert_close(ends[0], ends[1])
    torch.testing.assert_close(ends[2], ends[1])
    assert (torch.ones(3, 3) - ends[1]).norm().item() == pytest.approx(0.001 * 3, rel=1e-4)


def test_lars_skips_parameters_without_gradient():
    w = torch.ones(2, 2, requires_grad=True)
    LARS([w], weight_decay=1.0).step()
    assert torch.equal(w, torch.ones(2, 2))


def test_lars_leaves_gradients_alone():
    w = torch.ones(2, 2, requires_grad=True)
    w.grad = torch.eye(2)
    LARS([w], weight_decay=0.1).step()
    assert torch.equal(w.grad, torch.eye(2))


def test_lars_evaluates_a_closure():
    w = torch.ones(2, 2, requires_grad=True)

    def closure():
        loss = w.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert LARS([w]).step(closure).item() == 4
    assert (w < 1).all()


def test_lars_goes_on_from_its_state():
    models = [module(), module()]
    optimizers = [LARS(m.parameters()) for m in models]
    for step in range(4):
        if step == 2:
            state = optimizers[1].state_dict()
            optimizers[1] = LARS(models[1].parameters())
            optimizers[1].load_state_dict(state)
        for model, optimizer in zip(models, optimizers, strict=True):
            give(model, gradients(model, step))
            optimizer.step()
    for a, b in zip(*(m.parameters() for m in models), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", [*NAMES, torch.optim.SGD])
def test_weight_decay_spares_parameters_with_one_axis(name):
    """With gradients of zero, decay is all that moves a weight."""
    model = module()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = make_optimizer(name, model, 0.1, 0.5, CPU)
    give(model, [torch.zeros_like(p) for p in model.parameters()])
    optimizer.step()
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, old) == (parameter.dim() <= 1)
        if parameter.dim() > 1:
            assert parameter.norm() < old.norm()


@pytest.mark.parametrize("name", NAMES)
def test_groups_hold_each_parameter_once(name):
    model = module()
    groups = make_optimizer(name, model, 0.1, 0.5, CPU).param_groups
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    assert {group["lr"] for group in groups} == {0.1}


def test_frozen_parameters_are_left_out():
    model = module()
    model[0].requires_grad_(False)
    groups = make_optimizer("adamw", model, 0.1, 0.5, CPU).param_groups
    assert sum(len(group["params"]) for group in groups) == 3


def test_module_without_matrices():
    groups = make_optimizer("sgd", nn.BatchNorm1d(3), 0.1, 0.5, CPU).param_groups
    assert [group["weight_decay"] for group in groups] == [0.0]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("adamw", lambda groups: torch.optim.AdamW(groups, lr=0.01)),
        ("sgd", lambda groups: torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True)),
        (torch.optim.Adam, lambda groups: torch.optim.Adam(groups, lr=0.01, weight_decay=0.1)),
    ],
)
def test_names_are_torchs_optimizers(name, make):
    ours, theirs = module(), module()
    optimizer = make_optimizer(name, ours, 0.01, 0.1, CPU)
    reference = make(
        [
            {"params": [p for p in theirs.parameters() if p.dim() > 1], "weight_decay": 0.1},
            {"params": [p for p in theirs.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
    )
    for step in range(5):
        for model, opt in ((ours, optimizer), (theirs, reference)):
            give(model, gradients(model, step))
            opt.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_callable_is_given_groups_rate_and_decay():
    seen = {}

    def make(groups, lr, weight_decay):
        seen.update(lr=lr, weight_decay=weight_decay)
        return torch.optim.SGD(groups, lr=lr, weight_decay=weight_decay)

    groups = make_optimizer(make, module(), 0.3, 0.2, CPU).param_groups
    assert seen == {"lr": 0.3, "weight_decay": 0.2}
    assert [group["weight_decay"] for group in groups] == [0.2, 0.0]


def test_default_learning_rates():
    rates = {"adamw": 5e-3, "lars": 5.0, "muon": 0.04, "sgd": 0.05}
    assert {name: default_learning_rate(name) for name in NAMES} == rates
    assert default_learning_rate(torch.optim.Adam) == 1e-3


@pytest.mark.parametrize(("modality", "name"), [("tabular", "adamw"), ("image", "muon"), ("series", "adamw")])
def test_auto_is_the_optimizer_of_the_modality(make, modality, name):
    """To the bit; and a fit that goes on may name it."""
    X = np.random.default_rng(0).random((20, 6, 6) if modality == "image" else (20, 16))
    common = {"modality": modality, "encoder": "auto", "batch_size": 10, "max_epochs": 1, "passthrough": False}
    auto, named = (make(**common, optimizer=optimizer, warm_start=True).fit(X) for optimizer in ("auto", name))
    assert np.array_equal(auto.transform(X), named.transform(X))
    auto.set_params(optimizer=name, max_epochs=2).fit(X)
    with pytest.raises(ValueError, match=f"optimizer cannot change.*it was {name}, and is now sgd"):
        auto.set_params(optimizer="sgd", max_epochs=3).fit(X)


@pytest.mark.parametrize("params", [{"learning_rate": 1e300}, {"weight_decay": 1e300}], ids=str)
@pytest.mark.parametrize("optimizer", NAMES)
def test_rates_beyond_float32_diverge(make, X, optimizer, params):
    with pytest.raises(ValueError, match=r"became.*The learning rate is the usual cause"):
        make(optimizer=optimizer, **params).fit(X)
    with pytest.raises(ValueError, match="became"):
        make(optimizer=optimizer, lr_schedule=lambda step, n_steps: 1e300).fit(X)


def test_muon_steps_parameters_of_any_number_of_axes():
    """Those of the caller's encoder may be a scalar, or hold nothing."""
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in [(), (0, 3), (0,), (2, 3, 2, 2)]]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    Muon(parameters).step()
    assert all(torch.isfinite(p).all() and (p < 1).all() for p in parameters)

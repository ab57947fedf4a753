"""The training loop: equal to a bare torch loop, read once an epoch, the same validation views, loud when it fails."""

import copy
import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from sklearn_twins._training._batches import batch_layout
from sklearn_twins._training._net import StopTraining
from sklearn_twins._training._trainer import Plan, Training

pytestmark = pytest.mark.usefixtures("one_thread")

N, DIM, WIDTH = 50, 4, 6


class Agreement:
    """Two named terms: views agree, coordinates spread."""

    def terms(self, z_a, z_b):
        return {"near": (z_a - z_b).square().mean(), "spread": (1 - z_a.std(0)).square().mean()}


def plain_objective(z_a, z_b):
    """The same number without names."""
    return (z_a - z_b).square().mean() + (1 - z_a.std(0)).square().mean()


def noisy_views(x, data, generator, partners=None):
    """Two views that borrow from the training rows, so that every argument matters."""
    views = []
    for _ in range(2):
        donors = torch.randint(len(data), (len(x),), generator=generator, device=x.device)
        views.append(0.8 * x + 0.2 * data[donors] + 0.1 * torch.randn(x.shape, generator=generator, device=x.device))
    return tuple(views)


def parts(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = nn.Sequential(nn.Linear(DIM, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, WIDTH))
        return encoder, nn.Linear(WIDTH, 5)


def rows(n=N, seed=1):
    return torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed))


def generators(device="cpu"):
    names = ("batches", "views", "validation")
    return {name: torch.Generator(device=device).manual_seed(seed) for seed, name in enumerate(names)}


def training(*, objective=None, views=noisy_views, train=None, valid=None, encoder=None, state=None, **plan):
    """A run with small parts; `plan` overrides the defaults below."""
    default_encoder, projector = parts()
    settings = {
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "weight_decay": 0.1,
        "lr_schedule": "warmup_cosine",
        "first_epoch": 0,
        "last_epoch": 3,
        "batch_size": 16,
        "device": torch.device("cpu"),
    }
    plan = Plan(**{**settings, **plan})
    return Training(
        plan,
        encoder or default_encoder,
        projector,
        objective or Agreement(),
        views,
        rows() if train is None else train,
        valid,
        generators(plan.device),
        state,
    )


def run(**settings):
    fitted = training(**settings)
    fitted.run(lambda: None, lambda: False)
    return fitted


def weights(fitted):
    return fitted.net.module_.state_dict()


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def warm_then_cosine(step, n_steps):
    """The default schedule, written again."""
    warm = max(1, round(n_steps / 10))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (n_steps - warm)))


def bare_loop(optimizer, n_epochs=3, valid=None):
    """What `Training` should do, in plain torch: the weights and each epoch's mean losses."""
    data, rng, (encoder, projector) = rows(), generators(), parts()
    model = nn.Sequential(encoder, projector)
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    opt, step, history = optimizer(groups), 0, []
    n_batches, size = batch_layout(len(data), 16)
    watched = rng["validation"].get_state()
    for _ in range(n_epochs):
        model.train()
        order, losses = torch.randperm(len(data), generator=rng["batches"]), []
        for i in range(n_batches):
            x_a, x_b = noisy_views(data[order[i * size : (i + 1) * size]], data, rng["views"])
            for group in opt.param_groups:
                group["lr"] = 0.01 * warm_then_cosine(step, n_epochs * n_batches)
            opt.zero_grad()
            loss = plain_objective(model(x_a), model(x_b))
            loss.backward()
            opt.step()
            losses.append(loss.item())
            step += 1
        history.append(np.mean(losses))
        if valid is not None:
            model.eval()
            rng["validation"].set_state(watched)
            with torch.no_grad():
                x_a, x_b = noisy_views(valid, data, rng["validation"])
                history[-1] = plain_objective(model(x_a), model(x_b)).item()
    return encoder, projector, history


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("adamw", lambda groups: torch.optim.AdamW(groups, fused=True)),
        ("sgd", lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True, fused=True)),
    ],
)
def test_training_equals_a_bare_loop(name, make):
    """To the bit: the same batches, views, rates and steps, and nothing else."""
    encoder, projector, losses = bare_loop(make)
    fitted = run(optimizer=name)
    assert_same_weights(fitted.encoder.state_dict(), encoder.state_dict())
    assert_same_weights(fitted.net.module_.projector.state_dict(), projector.state_dict())
    np.testing.assert_allclose(fitted.history()["loss"], losses, rtol=1e-6)


def test_validation_equals_a_bare_loop():
    valid = rows(12, seed=2)
    encoder, _, losses = bare_loop(lambda groups: torch.optim.AdamW(groups, fused=True), valid=valid)
    fitted = run(valid=valid, n_iter_no_change=99)
    np.testing.assert_allclose(fitted.history()["valid_loss"], losses, rtol=1e-6)
    if np.argmin(losses) == len(losses) - 1:
        assert_same_weights(fitted.encoder.state_dict(), encoder.state_dict())


def test_global_generator_neither_matters_nor_moves():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = run()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert_same_weights(weights(run()), weights(first))


def test_terms_are_named_in_the_history_and_sum_to_the_loss():
    history = run().history()
    assert list(history) == ["epoch", "loss", "near", "spread", "learning_rate", "seconds", "rows_per_second"]
    assert history["epoch"] == [1, 2, 3]
    np.testing.assert_allclose(np.add(history["near"], history["spread"]), history["loss"], rtol=1e-6)


def test_callable_objective_without_terms():
    named, plain = run(), run(objective=plain_objective)
    assert_same_weights(weights(named), weights(plain))
    assert list(plain.history()) == ["epoch", "loss", "learning_rate", "seconds", "rows_per_second"]
    assert plain.history()["loss"] == pytest.approx(named.history()["loss"], rel=1e-6)


def test_rows_are_not_modified():
    data = rows()
    run(train=data)
    assert torch.equal(data, rows())


READERS = ("item", "tolist", "__float__", "__int__", "__bool__", "__index__", "cpu", "numpy", "__array__")


@pytest.mark.parametrize(
    ("optimizer", "with_valid"), [("adamw", False), ("sgd", True), ("lars", True), ("muon", False)]
)
def test_losses_are_read_once_an_epoch(optimizer, with_valid, monkeypatch):
    """Each read of a tensor's value makes a GPU wait: one `tolist` an epoch (two with validation), none a batch."""
    fitted = training(optimizer=optimizer, batch_size=4, valid=rows(12, seed=2) if with_valid else None)
    reads = dict.fromkeys(READERS, 0)

    def counted(name, original):
        def reader(*args, **kwargs):
            reads[name] += 1
            return original(*args, **kwargs)

        return reader

    for name in READERS:
        monkeypatch.setattr(torch.Tensor, name, counted(name, getattr(torch.Tensor, name)))
    fitted.run(lambda: None, lambda: False)
    monkeypatch.undo()
    assert reads.pop("tolist") == (6 if with_valid else 3)
    assert reads.pop("__bool__") == 1  # whether the weights are finite, once at the end
    assert not any(reads.values()), reads


def test_views_are_made_from_batch_rows_with_all_training_rows_at_hand():
    data, valid, calls = rows(), rows(12, seed=2), []

    def views(x, donors, generator, partners):
        calls.append((len(x), donors))
        return noisy_views(x, donors, generator)

    run(train=data, valid=valid, views=views)
    assert {n for n, _ in calls} == {12}  # 50 rows in 4 batches of 12, and 12 held out
    assert all(torch.equal(donors, data) for _, donors in calls), "held-out rows borrow from the training rows"


def test_validation_views_are_the_same_each_epoch():
    valid, calls = rows(40, seed=2), []

    def views(x, data, generator, partners):
        made = noisy_views(x, data, generator)
        if len(x) == 20:
            calls.append((x.clone(), *made))
        return made

    run(valid=valid, views=views, batch_size=32)  # 50 rows in 2 batches of 25; 40 held out in 2 of 20
    assert len(calls) == 3 * 2
    for epoch in (1, 2):
        for first, later in zip(calls[:2], calls[2 * epoch :], strict=False):
            assert all(torch.equal(a, b) for a, b in zip(first, later, strict=True))
    assert not torch.equal(calls[0][1], calls[1][1])


def test_validation_changes_nothing_that_is_trained():
    """No draw, no running statistic, no gradient of the held-out rows reaches the weights."""
    assert_same_weights(weights(run(valid=rows(12, seed=2))), weights(run()))


def test_validation_rows_are_seen_in_eval_mode_without_gradient():
    modes = []

    def objective(z_a, z_b):
        modes.append((fitted.net.module_.training, z_a.requires_grad))
        return plain_objective(z_a, z_b)

    fitted = training(objective=objective, valid=rows(12, seed=2), last_epoch=1)
    fitted.run(lambda: None, lambda: False)
    assert modes == [(True, True)] * 4 + [(False, False)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_loss_that_is_not_finite_is_an_error_that_names_the_rate(bad):
    steps = []

    def objective(z_a, z_b):
        steps.append(1)
        return (z_a * z_b).mean() * (bad if len(steps) > 1 else 1.0)

    with pytest.raises(ValueError, match=r"epoch 1, batch 2.*learning_rate=0\.01; try a tenth"):
        run(objective=objective)


def test_weights_spoilt_by_the_last_step_are_an_error():
    """A loss is read before its own step: after a single one only the weights can tell."""

    def objective(z_a, z_b):
        return (z_a - 1).square().sum() + z_b.square().sum()

    with pytest.raises(ValueError, match="learning_rate"):
        run(
            objective=objective,
            encoder=nn.Linear(DIM, WIDTH),
            optimizer="sgd",
            learning_rate=1e38,
            lr_schedule="constant",
            last_epoch=1,
            batch_size=N,
        )


def test_schedule_of_the_users_own():
    fitted = run(lr_schedule=lambda step, n_steps: (step + 1) / n_steps)
    assert fitted.history()["learning_rate"] == pytest.approx([0.01 * 4 / 12, 0.01 * 8 / 12, 0.01])


def test_rows_per_second_and_seconds():
    history = run().history()
    assert all(s > 0 for s in history["seconds"])
    assert history["rows_per_second"] == pytest.approx([48 / s for s in history["seconds"]])


def test_hooks_are_called_around_epochs_and_can_stop():
    calls = []

    def end():
        calls.append("end")
        return len(calls) == 4

    fitted = training(last_epoch=9)
    fitted.run(lambda: calls.append("begin"), end)
    assert calls == ["begin", "end", "begin", "end"]
    assert fitted.history()["epoch"] == [1, 2]


class Raise(Callback):
    """Raise an error at the end of the second epoch."""

    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, StopIteration])
def test_errors_of_callbacks_are_not_swallowed(error):
    with pytest.raises(error):
        run(callbacks=[Raise(error)])


def test_keyboard_interrupt_within_a_batch_is_not_swallowed():
    def views(x, data, generator, partners):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(views=views)


def test_skorch_early_stopping_stops():
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10, threshold_mode="abs")
    fitted = run(last_epoch=50, callbacks=[stopping])
    assert len(fitted.history()["epoch"]) == 3


def test_early_stopping_keeps_the_best_weights():
    """A rate that only harms: the first epoch stays the best, patience runs out, and its weights come back."""
    valid = rows(12, seed=2)
    best = run(valid=valid, last_epoch=1, lr_schedule="constant")
    losses = iter([1.0, 2.0, 3.0, 4.0, 5.0])

    class Objective(Agreement):
        def terms(self, z_a, z_b):
            terms = super().terms(z_a, z_b)
            return terms if z_a.requires_grad else {"near": torch.tensor(next(losses)), "spread": torch.tensor(0.0)}

    fitted = run(valid=valid, last_epoch=5, lr_schedule="constant", objective=Objective(), n_iter_no_change=3)
    assert fitted.history()["valid_loss"] == [1, 2, 3, 4]
    assert_same_weights(weights(fitted), weights(best))


def test_autocast_is_of_the_networks_only():
    """The objective receives what the networks give in half precision; the weights stay float32."""
    seen = []

    def objective(z_a, z_b):
        seen.append((z_a.dtype, torch.is_autocast_enabled("cpu")))
        return plain_objective(z_a.float(), z_b.float())

    fitted = run(autocast=torch.bfloat16, objective=objective, last_epoch=1)
    assert set(seen) == {(torch.bfloat16, False)}
    assert {p.dtype for p in fitted.encoder.parameters()} == {torch.float32}


def test_verbose_prints_a_line_an_epoch(capsys):
    run(verbose=1, valid=rows(12, seed=2))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    for word in ("loss", "near", "spread", "validation", "lr", "rows/s", "s left"):
        assert all(word in line for line in lines), word


def test_quiet_by_default(capsys):
    run(valid=rows(12, seed=2), n_iter_no_change=1, tol=10.0, last_epoch=9)
    out = capsys.readouterr()
    assert out.out == out.err == ""


def test_no_epoch_at_all():
    fitted = run(last_epoch=0)
    assert fitted.history()["epoch"] == []
    encoder, _ = parts()
    assert_same_weights(fitted.encoder.state_dict(), encoder.state_dict())


def test_rewind_returns_to_the_last_finished_epoch():
    class Interrupt(Callback):
        def on_batch_begin(self, net, training=None, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    fitted = training(last_epoch=5, lr_schedule="constant", keep_epochs=True, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        fitted.run(lambda: None, lambda: False)
    assert fitted.rewind()
    assert_same_weights(weights(fitted), weights(run(last_epoch=2, lr_schedule="constant")))
    assert fitted.history()["epoch"] == [1, 2]
    assert not training(keep_epochs=True).rewind() and not run().rewind(), "there is no epoch to return to"


def test_stop_training_is_private_to_the_loop():
    """A callback that returns StopTraining ends training quietly, after all others were told."""
    told = []

    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            return StopTraining

    class Told(Callback):
        def on_epoch_end(self, net, **kwargs):
            told.append(len(net.history))

    fitted = run(callbacks=[Stop(), Told()])
    assert told == [1] and fitted.history()["epoch"] == [1]


@pytest.mark.gpu
def test_two_fits_on_cuda_are_the_same_and_like_the_cpus():
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    first, second = (run(device=torch.device("cuda"), valid=rows(12, seed=2)) for _ in range(2))
    assert next(first.encoder.parameters()).device.type == "cuda"
    assert_same_weights(weights(first), weights(second))
    assert first.history()["loss"] == second.history()["loss"]


@pytest.mark.gpu
def test_state_of_a_cuda_run_goes_on_on_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    first = run(device=torch.device("cuda"), lr_schedule="constant")
    encoder = copy.deepcopy(first.encoder).cpu()
    again = run(encoder=encoder, state=first.warm_start_state(), first_epoch=3, last_epoch=4, lr_schedule="constant")
    assert again.history()["epoch"] == [4] and np.isfinite(again.history()["loss"]).all()

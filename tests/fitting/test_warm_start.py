"""Training that continues: `warm_start` and `partial_fit`; early stopping; history and progress lines."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._roles import check_unchanged
from sklearn_twins.networks import MLPProjector

TERMS = ("loss", "invariance", "redundancy", "excess_redundancy")
COLUMNS = {"epoch", *TERMS, "learning_rate", "seconds", "rows_per_second"}
VALIDATION = {f"valid_{name}" for name in TERMS}


class Weights(Callback):
    """Keeps a copy of the encoder's weights after each epoch."""

    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        state = net.module_.encoder.state_dict()
        self.epochs.append({name: tensor.detach().clone().numpy() for name, tensor in state.items()})


def lengths(embedder):
    return {len(column) for column in embedder.history_.values()}


def assert_same(first, second, X):
    """Two embedders are at the same point to the bit, their timings aside."""
    assert first.n_iter_ == second.n_iter_
    assert_array_equal(first.transform(X), second.transform(X))
    for name in ("epoch", *TERMS, "learning_rate"):
        assert_array_equal(first.history_[name], second.history_[name])


def test_max_epochs_is_the_total(make, X):
    embedder = make(warm_start=True).fit(X)
    earlier = embedder.history_["loss"].copy()
    embedder.set_params(max_epochs=5).fit(X)
    assert embedder.n_iter_ == 5
    assert lengths(embedder) == {5}
    assert_array_equal(embedder.history_["epoch"], [1, 2, 3, 4, 5])
    assert_array_equal(embedder.history_["loss"][:2], earlier)
    assert embedder.loss_curve_ == embedder.history_["loss"].tolist()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_nothing_left_to_train(make, X, recorder, early_stopping):
    embedder = make(warm_start=True, early_stopping=early_stopping, lr_schedule="constant").fit(X)
    before, embedding = embedder.history_, embedder.transform(X)
    embedder.set_params(callbacks=[recorder]).fit(X)
    assert recorder.batches == 0
    assert embedder.n_iter_ == 2
    assert embedder.history_.keys() == before.keys()
    for name in before:
        assert_array_equal(embedder.history_[name], before[name])
    assert_array_equal(embedder.transform(X), embedding)
    if not early_stopping:
        embedder.set_params(max_epochs=4, callbacks=None).fit(X)
        assert_same(embedder, make(lr_schedule="constant", max_epochs=4).fit(X), X)


def test_only_the_difference_is_trained(make, X, recorder):
    embedder = make(warm_start=True).fit(X).set_params(max_epochs=5, callbacks=[recorder]).fit(X)
    assert recorder.epochs == 3
    assert embedder.n_iter_ == 5


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars", "muon"])
def test_two_halves_make_a_whole(make, X, optimizer):
    """The optimizer's moments and the generators continue too, also after pickling."""
    parts = {"warm_start": True, "lr_schedule": "constant", "optimizer": optimizer}
    half = make(**parts).fit(X).set_params(max_epochs=4)
    whole = make(**parts, max_epochs=4).fit(X)
    assert_same(pickle.loads(pickle.dumps(half)).fit(X), whole, X)
    assert_same(half.fit(X), whole, X)


def test_without_warm_start_fit_begins_anew(make, X):
    """And so do a clone, a fit after warm start is switched off, and a fit after a stream."""
    first, warm = make().fit(X), make(warm_start=True).fit(X)
    cloned = clone(warm)
    assert not hasattr(cloned, "encoder_")
    for again in (make().fit(X).fit(X), cloned.fit(X), warm.set_params(warm_start=False).fit(X)):
        assert_same(again, first, X)
    assert_same(make().partial_fit(X).partial_fit(X).partial_fit(X).fit(X), first, X)


def test_warm_start_switched_on_later(make, X):
    """The scales of the first fit are kept."""
    embedder = make().fit(X)
    scales = embedder.preprocessor_.scale_.copy()
    embedder.set_params(warm_start=True, max_epochs=3).fit(X * 10)
    assert embedder.n_iter_ == 3
    assert lengths(embedder) == {3}
    assert_array_equal(embedder.preprocessor_.scale_, scales)


def test_partial_fit_counts(make, X):
    embedder = make()
    for n_calls in (1, 2, 3):
        assert embedder.partial_fit(X) is embedder
        assert embedder.n_iter_ == n_calls
        assert lengths(embedder) == {n_calls}
        assert len(embedder.loss_curve_) == n_calls
    assert_array_equal(embedder.history_["epoch"], [1, 2, 3])
    assert embedder.history_.keys() == COLUMNS


def test_partial_fit_takes_chunks(make, X):
    embedder = make().partial_fit(X)
    scales = embedder.preprocessor_.scale_.copy()
    embedder.partial_fit(X[:7]).partial_fit(X[7:9] * 2)
    assert_array_equal(embedder.preprocessor_.scale_, scales)
    assert embedder.n_iter_ == 3


@pytest.mark.parametrize("stream", [False, True])
def test_the_optimizer_s_state_matters(make, X, stream):
    embedder = make().partial_fit(X) if stream else make(warm_start=True).fit(X).set_params(max_epochs=3)
    train = BarlowTwinsEmbedder.partial_fit if stream else BarlowTwinsEmbedder.fit
    forgetful = pickle.loads(pickle.dumps(embedder))
    for moments in forgetful._training_state["optimizer"]["state"].values():
        moments["exp_avg"][:] = 0
    assert not np.array_equal(train(embedder, X).transform(X), train(forgetful, X).transform(X))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars", "muon"])
def test_partial_fit_after_pickling(make, X, optimizer):
    embedder = make(optimizer=optimizer).partial_fit(X).partial_fit(X)
    loaded = pickle.loads(pickle.dumps(embedder))
    for _ in range(2):
        embedder.partial_fit(X)
        loaded.partial_fit(X)
    assert_same(loaded, embedder, X)


@pytest.mark.slow
def test_partial_fit_learns_and_warms_up_once(make, X):
    embedder = make(learning_rate=0.1)
    for _ in range(30):
        embedder.partial_fit(X)
    rates = embedder.history_["learning_rate"]
    assert_array_equal(np.round(rates[:3], 6), [0.004, 0.008, 0.012])  # 4 steps a call, 100 steps of warm-up
    assert_array_equal(np.round(rates[25:], 6), 0.1)
    assert embedder.loss_curve_[-1] < 0.9 * embedder.loss_curve_[0]


def test_partial_fit_goes_on_from_a_fit(make, X):
    embedder = make().fit(X).partial_fit(X)
    assert embedder.n_iter_ == 3
    assert lengths(embedder) == {3}
    untrained = make(max_epochs=1, learning_rate=1e-12).fit(X)
    assert embedder.loss_curve_[2] != untrained.loss_curve_[0]


def test_partial_fit_and_warm_fit_alternate(make, X):
    embedder = make(warm_start=True).fit(X)
    before = embedder.transform(X)
    embedder.partial_fit(X)
    assert not np.array_equal(embedder.transform(X), before)
    assert embedder.n_iter_ == 3
    assert np.isfinite(embedder.fit(X).transform(X)).all()


def test_partial_fit_ignores_early_stopping(make, X):
    embedder = make(early_stopping=True).partial_fit(X).partial_fit(X)
    assert embedder.n_iter_ == 2
    assert embedder.history_.keys() == COLUMNS


def test_partial_fit_after_early_stopping_keeps_the_history_whole(make, X):
    embedder = make(early_stopping=True).fit(X).partial_fit(X)
    assert lengths(embedder) == {3}
    assert np.isnan(embedder.history_["valid_loss"][2])
    assert np.isfinite(embedder.history_["valid_loss"][:2]).all()


OTHERS = {"projector": MLPProjector(hidden_dims=(8,), projection_dim=16), "optimizer": "lars", "n_components": 3}


@pytest.mark.parametrize("name", OTHERS)
def test_warm_start_refuses_another_part(make, X, name):
    embedder = make(warm_start=True).fit(X).set_params(max_epochs=3, **{name: OTHERS[name]})
    with pytest.raises(ValueError, match=name):
        embedder.fit(X)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [60, 8])
def test_learning_rate_ends_near_zero_after_a_change_of_batches(make, X, batch_size):
    embedder = make(warm_start=True, max_epochs=5).fit(X)
    rates = embedder.set_params(max_epochs=10, batch_size=batch_size).fit(X).history_["learning_rate"]
    assert rates[5:].max() > 1e-4
    assert rates[-1] < 1e-3 < rates.max()


@pytest.mark.slow
def test_learning_rate_ends_near_zero_after_a_fit_without_warm_start(make, X):
    embedder = make(max_epochs=10).fit(X).set_params(warm_start=True, max_epochs=20)
    assert embedder.fit(X).history_["learning_rate"][-1] < 1e-4


def test_the_same_rows_are_held_out_when_training_continues(make, X):
    class Held(Callback):
        def __init__(self):
            self.rows = []

        def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
            self.rows.append(dataset_valid.numpy().copy())

    held = Held()
    embedder = make(warm_start=True, early_stopping=True, random_state=None, callbacks=[held]).fit(X)
    embedder.set_params(max_epochs=4).fit(X)
    assert len(held.rows) == 4
    assert_array_equal(held.rows[0], held.rows[3])


def test_same_part_in_other_words_is_no_change(make, X):
    embedder = make(warm_start=True).fit(X)
    with config_context(print_changed_only=False):
        embedder.set_params(encoder__hidden_dims=[8], projector__projection_dim=np.int64(8), max_epochs=3).fit(X)
    assert embedder.n_iter_ == 3


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, partial(torch.optim.SGD, momentum=0.5)])
def test_optimizer_of_the_user_s_goes_on(make, X, optimizer):
    embedder = make(warm_start=True, optimizer=optimizer).fit(X).set_params(max_epochs=3)
    assert pickle.loads(pickle.dumps(embedder)).fit(X).n_iter_ == 3
    with pytest.raises(ValueError, match="optimizer"):
        embedder.set_params(optimizer=torch.optim.RMSprop).fit(X)


def test_warm_start_refuses_another_module_of_the_same_shape(make, X):
    embedder = make(encoder=nn.Linear(5, 8), warm_start=True).fit(X)
    pickle.loads(pickle.dumps(embedder)).set_params(max_epochs=3).fit(X)
    with pytest.raises(ValueError, match="encoder"):
        embedder.set_params(encoder=nn.Linear(5, 8), max_epochs=3).fit(X)


def test_frozen_weights_stay_as_they_are(make, X):
    network = nn.Sequential(nn.Linear(5, 8).requires_grad_(False), nn.Linear(8, 8))
    embedder = make(encoder=network, warm_start=True).fit(X).set_params(max_epochs=3).fit(X)
    _, (frozen, trained) = embedder.encoder_.children()  # behind the stem
    assert torch.equal(frozen.weight, network[0].weight)
    assert not torch.equal(trained.weight, network[1].weight)


@pytest.mark.slow
def test_auto_epochs_never_fall_behind_what_is_done(make, X):
    embedder = make(warm_start=True, max_epochs="auto", batch_size=1000).fit(X[:10])
    n_iter = embedder.n_iter_
    assert embedder.set_params(batch_size=4).fit(np.tile(X, (4, 1))).n_iter_ >= n_iter


@pytest.mark.gpu
def test_training_goes_on_on_a_gpu(make, X):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    embedder = make(device="cuda", warm_start=True).fit(X)
    embedder.set_params(max_epochs=4).fit(X)
    embedder.partial_fit(X).partial_fit(X)
    restored = pickle.loads(pickle.dumps(embedder))
    assert next(restored.encoder_.parameters()).device.type == "cpu"
    assert np.allclose(restored.transform(X), embedder.set_params(precision="float32").transform(X), atol=1e-2)


def test_early_stopping_stops(make, X):
    embedder = make(early_stopping=True, max_epochs=50, tol=1e6, n_iter_no_change=3).fit(X)
    assert embedder.n_iter_ == 4
    assert lengths(embedder) == {4}
    assert embedder.history_.keys() == COLUMNS | VALIDATION


@pytest.mark.parametrize(("max_epochs", "patience"), [(30, 4), (12, 100)], ids=["stops", "never stops"])
def test_early_stopping_keeps_the_best_weights(make, X, max_epochs, patience):
    weights = Weights()
    params = {"early_stopping": True, "max_epochs": max_epochs, "n_iter_no_change": patience, "tol": 0}
    embedder = make(**params, learning_rate=0.05, callbacks=[weights]).fit(X)
    best = int(np.argmin(embedder.history_["valid_loss"]))
    assert best < embedder.n_iter_ - 1, "the data must make it overshoot for this test to mean anything"
    assert embedder.n_iter_ <= max_epochs and (patience == 4 or embedder.n_iter_ == max_epochs)
    for name, tensor in embedder.encoder_.state_dict().items():
        assert_array_equal(tensor.numpy(), weights.epochs[best][name])


def test_validation_rows_are_not_trained_on(make, X):
    embedder = make(early_stopping=True, validation_fraction=0.5, batch_size=1000, max_epochs=1).fit(X)
    seconds, rate = embedder.history_["seconds"], embedder.history_["rows_per_second"]
    assert_array_equal(np.round(rate * seconds), [30])


@pytest.mark.parametrize(("n", "fraction"), [(4, 0.001), (4, 0.999), (5, 0.5), (60, 0.001), (60, 0.999)])
def test_any_validation_fraction(make, X, n, fraction):
    embedder = make(early_stopping=True, validation_fraction=fraction).fit(X[:n])
    assert np.isfinite(embedder.history_["valid_loss"]).all()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_history(make, X, early_stopping):
    embedder = make(early_stopping=early_stopping).fit(X)
    history = embedder.history_
    assert history.keys() == (COLUMNS | VALIDATION if early_stopping else COLUMNS)
    assert lengths(embedder) == {embedder.n_iter_} == {2}
    assert all(isinstance(column, np.ndarray) and np.isfinite(column).all() for column in history.values())
    assert (history["seconds"] > 0).all()
    assert (history["rows_per_second"] > 0).all()
    np.testing.assert_allclose(history["loss"], history["invariance"] + history["redundancy"], rtol=1e-5)
    floor = 1 / 8 * 8 * 7 / ((13 if early_stopping else 15) - 1)  # width 8, its weight 1 / 8, four batches of 15 or 13
    np.testing.assert_allclose(history["redundancy"] - history["excess_redundancy"], floor, rtol=1e-6)
    assert embedder.loss_curve_ == history["loss"].tolist()


def test_a_line_an_epoch(make, X, capsys):
    make(verbose=1, max_epochs=3).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", "1/3"], ["epoch", "2/3"], ["epoch", "3/3"]]
    assert all("loss" in line for line in lines)


def test_lines_count_all_epochs(make, X, capsys):
    embedder = make(verbose=1, warm_start=True).fit(X)
    capsys.readouterr()
    embedder.set_params(max_epochs=3).fit(X)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[:2] == ["epoch", "3/3"]


def test_silence(make, X, capfd):
    make(early_stopping=True, max_epochs=30, tol=1e6, n_iter_no_change=2).fit(X).transform(X)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_bar(make, X, capsys):
    make(verbose=2, max_epochs=3).fit(X)
    captured = capsys.readouterr()
    assert "3/3" in captured.err
    assert captured.err.endswith("\n")
    assert captured.out == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_bar_is_closed_by_an_error(make, X, capsys, error):
    class Trip(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise error

    with pytest.raises(error):
        make(verbose=2, max_epochs=3, callbacks=[Trip()]).fit(X)
    assert capsys.readouterr().err.endswith("\n")


def linear(width):
    return lambda spec: nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 8))


@pytest.mark.parametrize(
    ("parameter", "make_part"),
    [
        ("optimizer", lambda momentum: partial(torch.optim.SGD, momentum=momentum)),
        ("encoder", lambda width: linear(int(9 * width))),
        ("encoder", lambda p: nn.Sequential(nn.Dropout(p), nn.ReLU(), nn.Linear(5, 8, device="meta"))),
    ],
    ids=["optimizer", "function", "module"],
)
def test_a_function_that_does_something_else_is_another_part(parameter, make_part):
    """Whatever its name is."""
    check_unchanged(parameter, make_part(0.9), make_part(0.9))
    with pytest.raises(ValueError, match=f"{parameter} cannot change"):
        check_unchanged(parameter, make_part(0.9), make_part(0.5))

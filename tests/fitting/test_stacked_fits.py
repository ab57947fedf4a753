"""Embedders fitted as one stack: each is the same as when fitted alone, up to rounding."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_twins._fitting._stacked_fits import can_be_stacked, fit_together
from sklearn_twins.networks import ResNetEncoder

VARIED = [
    {"learning_rate": 1e-3},
    {"learning_rate": 3e-3, "weight_decay": 0.1},
    {"random_state": 1},
    {"augmentation__corruption_rate": 0.5},
    {"objective__off_diagonal_weight": 0.5},
    {"lr_schedule": "constant"},
]


def by_itself(embedder, X):
    return clone(embedder).fit(X)


def assert_alike(stacked, alone, X, atol=1e-4):
    assert_allclose(stacked.transform(X), alone.transform(X), atol=atol)
    assert stacked.history_.keys() == alone.history_.keys()
    for name in stacked.history_.keys() - {"seconds", "rows_per_second"}:
        assert_allclose(stacked.history_[name], alone.history_[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert vars(stacked).keys() == vars(alone).keys()


@pytest.mark.parametrize("objective", ["barlow_twins", "hsic"])
def test_each_is_as_by_itself(make, X, objective):
    embedders = [make(objective=objective).set_params(**params) for params in VARIED]
    alone = [by_itself(embedder, X) for embedder in embedders]
    assert fit_together(embedders, [X] * len(embedders)) == [len(VARIED)]
    for stacked, single in zip(embedders, alone, strict=True):
        assert_alike(stacked, single, X)
    assert not np.allclose(embedders[0].transform(X), embedders[1].transform(X))


@pytest.mark.slow
def test_rows_of_their_own(make, X):
    """Folds of one size are one stack, others another."""
    parts = [X[:40], X[20:60], X[:60]]
    embedders = [make() for _ in parts]
    assert sorted(fit_together(embedders, parts)) == [1, 2]
    for embedder, rows in zip(embedders, parts, strict=True):
        assert_alike(embedder, by_itself(embedder, rows), rows)


@pytest.mark.slow
def test_tables_of_columns_of_every_kind(make):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.choice(["x", "y", "z"], 80)})
    frame.loc[::7, "a"] = np.nan
    for expansion in (None, "piecewise_linear", "periodic"):
        embedders = [make(learning_rate=rate).set_params(encoder__expansion=expansion) for rate in (1e-3, 2e-3)]
        assert fit_together(embedders, [frame, frame]) == [2]
        for embedder in embedders:
            assert_alike(embedder, by_itself(embedder, frame), frame)


def test_a_residual_network_and_no_projector(make, X):
    parts = {"encoder": ResNetEncoder(width=8, n_blocks=1), "projector": "identity"}
    embedders = [make(**parts, learning_rate=rate) for rate in (1e-3, 2e-3)]
    assert fit_together(embedders, [X, X]) == [2]
    for embedder in embedders:
        alone = by_itself(embedder, X)
        assert_allclose(embedder.loss_curve_, alone.loss_curve_, rtol=1e-5)
        # Biases in front of a batch norm have no gradient but rounding noise, which AdamW makes steps of.
        assert_allclose(embedder.transform(X), alone.transform(X), atol=0.3)


ALONE = [
    {"objective": "vicreg"},
    {"optimizer": "sgd"},
    {"early_stopping": True},
    {"warm_start": True},
    {"encoder": torch.nn.Linear(5, 3)},
    {"augmentation": lambda x, data, generator: x + 1},
]


@pytest.mark.slow
@pytest.mark.parametrize("params", ALONE)
def test_others_are_fitted_by_themselves(make, X, params):
    embedder = make(**params)
    assert not can_be_stacked(embedder._settings(), embedder._resolve_parts(), has_callbacks=False)
    assert fit_together([embedder, make()], [X, X]) == [1, 1]
    assert_array_equal(embedder.transform(X), by_itself(embedder, X).transform(X))


def test_different_layers_are_different_stacks(make, X):
    widths = [3, 3, 4]
    embedders = [make(n_components=width) for width in widths]
    assert sorted(fit_together(embedders, [X] * 3)) == [1, 2]
    assert [embedder.transform(X).shape[1] for embedder in embedders] == widths


@pytest.mark.slow
def test_max_size(make, X):
    embedders = [make(random_state=seed) for seed in range(3)]
    assert fit_together(embedders, [X] * 3, max_size=2) == [2, 1]
    for embedder in embedders:
        assert_alike(embedder, by_itself(embedder, X), X)


def test_the_same_bits_again_without_a_trace(make, X):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    embedders, again = ([make(), make(learning_rate=1e-3)] for _ in range(2))
    for stack in (embedders, again):
        fit_together(stack, [X, X])
    assert_array_equal(embedders[1].transform(X), again[1].transform(X))
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    loaded = pickle.loads(pickle.dumps(embedders[1]))
    assert_array_equal(loaded.transform(X), embedders[1].transform(X))
    assert len(pickle.dumps(embedders[0])) < 1.2 * len(pickle.dumps(by_itself(embedders[0], X)))


def test_divergence_is_an_error(make, X):
    with pytest.raises(ValueError, match=r"in epoch 1.*learning_rate=1e\+30"):
        fit_together([make(), make(learning_rate=1e30)], [X, X])


def test_bad_parameters_are_refused_before_any_training(make, X):
    embedders = [make(optimizer="sgd"), make(batch_size=1)]
    with pytest.raises(ValueError, match="batch_size"):
        fit_together(embedders, [X, X])
    assert not hasattr(embedders[0], "encoder_")

"""Supervision: draws, weights, head, teacher and pseudo-labels against NumPy references."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import seeded
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sklearn_twins import SampleSpec
from sklearn_twins._classification._features import Head
from sklearn_twins._classification._linear import first_head, fit_linear, linear_proba
from sklearn_twins._classification._pseudo_labels import keep_surest, some_labels
from sklearn_twins._classification._recipe import (
    MAX_REFIT,
    blend,
    choose_head_share,
    count_labeled,
    teacher_decay,
)
from sklearn_twins._classification._supervision import NOT_MADE, Embedded, LabeledRows, Supervision, Teacher
from sklearn_twins._modalities import MODALITIES
from sklearn_twins._parts._joint_recipe import JointRecipe

CPU = torch.device("cpu")
CODES = np.array([2, 0, 0, 2, 2, 0, 3, 0])  # no row of class 1
WEIGHTS = np.array([1.0, 2, 1, 0.5, 1, 1, 4, 0])


@pytest.fixture
def rows():
    return LabeledRows(torch.arange(8.0)[:, None], CODES, WEIGHTS, SampleSpec((1,)), CPU)


def head(n_features=6, n_classes=4, seed=0, speed=5.0):
    rng = np.random.default_rng(seed)
    arrays = (rng.normal(size=shape).astype(np.float32) for shape in ((n_classes, n_features), n_classes, n_features))
    return Head(*arrays, rng.normal(size=n_features).astype(np.float32), speed)


@pytest.fixture
def supervision(rows):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Linear(1, 6), nn.BatchNorm1d(6))
    calls = []

    def label_all(*teacher):
        calls.append(teacher)
        return np.full(9, len(calls))

    options = {"label_weight": 0.5, "penalty": 0.1, "recipe": JointRecipe(pseudo_weight=2.0, refresh=3)}
    return Supervision(encoder, head(), None, nn.MSELoss(), rows, None, label_all, 9, **options), encoder, calls


def test_draws_are_balanced(rows):
    assert rows.size == count_labeled(8) == 32
    x, codes, weights = rows.draw(seeded())
    assert_array_equal(CODES[x[:, 0].long()], codes)
    assert np.ptp(np.bincount(codes)[[0, 2, 3]]) <= 1 and weights.shape == (32,)
    drawn = np.concatenate([rows.draw(generator)[0].numpy().ravel() for generator in map(seeded, range(300))])
    shares = np.bincount(drawn.astype(int)) / len(drawn)
    assert_allclose(shares, 1 / 3 / np.bincount(CODES)[CODES], atol=0.02)


def test_weights_make_up_for_balance(rows):
    """The expectation over draws is the weighted mean over labelled rows."""
    values = torch.arange(8.0) ** 2
    shares = 1 / 3 / np.bincount(CODES)[CODES]
    expected = (WEIGHTS * values.numpy()).sum() / WEIGHTS.sum()
    assert (shares * rows.weights.numpy() * values.numpy()).sum() == pytest.approx(expected, rel=1e-6)


def test_many_classes_share_a_step():
    rows = LabeledRows(torch.arange(200.0)[:, None], np.arange(200), np.ones(200), SampleSpec((1,)), CPU)
    codes = rows.draw(seeded())[1]
    assert len(codes) == len(set(codes.tolist())) == 64


def test_cross_entropy(supervision):
    supervision, *_ = supervision
    z, codes, weights = torch.randn(5, 6, generator=seeded()), torch.tensor([0, 1, 2, 3, 0]), torch.arange(1.0, 6)
    embedded = Embedded(z, z, labeled=z, codes=codes, weights=weights)
    loss, terms = supervision.eval().add_terms(torch.tensor(7.0), {}, embedded, 14)
    logits = supervision.head(z).detach().numpy()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -(log_p[np.arange(5), codes] * weights.numpy()).mean()
    assert terms["label"].item() == pytest.approx(expected, rel=1e-5)
    assert loss.item() == pytest.approx(supervision.recipe.objective_weight * 7 / 14 + 0.5 * expected, rel=1e-5)
    supervision.train().recipe = replace(supervision.recipe, pseudo_weight=0.0)
    more = supervision.add_terms(torch.tensor(7.0), {}, embedded, 14)[0] - loss
    assert more.item() == pytest.approx(0.5 * 0.1 * (5 * supervision.head.weight).square().sum().item(), rel=1e-5)


def test_pseudo_labels(supervision):
    supervision, *_ = supervision
    z, classes = torch.randn(4, 6, generator=seeded()), torch.tensor([0, -1, 1, -1])
    terms = supervision.pseudo_terms(Embedded(z, z, z, classes))
    logits = supervision.head(z).detach().numpy()
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(4), [0, 0, 1, 0]]
    assert terms["pseudo"].item() == pytest.approx(losses[[0, 2]].sum() / 4, rel=1e-5)
    assert terms["pseudo_share"].item() == 0.5
    assert terms["pseudo_agreement"].item() == np.mean(logits[[0, 2]].argmax(1) == [0, 1])


def test_pseudo_labels_are_made_again(supervision):
    """At the first step, and then every third; those of a checkpoint are kept."""
    supervision, encoder, calls = supervision
    x, rows = torch.randn(4, 1, generator=seeded()), torch.tensor([1, 3, 5, 7])
    for step, n_calls in ((1, 1), (2, 1), (3, 2), (4, 2)):
        embedded = supervision.embed(encoder, x, rows, x, x, seeded(), step)
        assert len(calls) == n_calls and embedded.classes.tolist() == [n_calls] * 4
        assert embedded.a.shape == embedded.features.shape == (4, 6) and embedded.labeled.shape == (32, 6)
        assert not embedded.labeled.requires_grad and embedded.features.requires_grad
    supervision.recipe = replace(supervision.recipe, labels_reach_encoder=True)
    assert supervision.embed(encoder, x, rows, x, x, seeded(), 4).labeled.requires_grad
    supervision.are_made = None
    supervision.make_pseudo_labels(4)
    assert len(calls) == 2
    supervision.pseudo.fill_(NOT_MADE)
    supervision.are_made = None
    supervision.make_pseudo_labels(4)
    assert len(calls) == 3


def test_head_on_unscaled_features():
    layer, z = head(), torch.randn(5, 6, generator=seeded())
    coef, intercept = layer.unscaled()
    assert_allclose(layer(z).detach(), z.numpy() @ coef.T + intercept, rtol=1e-4, atol=1e-5)
    assert layer.penalty().item() == pytest.approx((5 * layer.weight).square().sum().item())


def test_a_head_starts_as_the_linear_model():
    rng = np.random.default_rng(0)
    Z, scale = rng.normal(size=(40, 6)).astype(np.float32), rng.uniform(1, 2, size=6).astype(np.float32)
    for n_classes in (2, 3):
        y = np.arange(40) % n_classes
        model = fit_linear(Z * scale, y, np.ones(40))
        layer = Head(*first_head(model, n_classes, 6), scale, (Z * scale).mean(0), 5.0)
        proba = layer(torch.from_numpy(Z)).softmax(1).detach()
        assert_allclose(proba, linear_proba(model, Z * scale, n_classes), atol=1e-4)
        loss = nn.functional.cross_entropy(layer(torch.from_numpy(Z)), torch.from_numpy(y)) + layer.penalty() / 80
        loss.backward()
        assert layer.weight.grad.abs().max() < 5e-3, "logistic regression is a minimum"


def test_one_label_for_each_of_many_classes():
    codes = np.arange(30)
    assert fit_linear(np.eye(30), codes, np.ones(30)).score(np.eye(30), codes) == 1  # without a warning


def test_the_surest_of_each_class():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.45, 0.55]])
    assert_array_equal(keep_surest(p, 0.5), [0, 0, -1, -1, 1])
    assert_array_equal(keep_surest(p, 1.0), [0, 0, 0, 0, 1])


def test_few_rows_are_fitted_often():
    rows, codes = np.arange(5_000.0)[:, None], np.arange(5_000) % 3
    some = some_labels(rows, codes, np.ones(5_000))
    assert len(some[0]) == MAX_REFIT and (some[0][:, 0].astype(int) % 3 == some[1]).all()
    assert some_labels(rows[:9], codes[:9], None)[0] is not None


def test_teacher_is_an_average():
    encoder, layer = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), head(3, 2)
    teacher = Teacher(encoder, layer)
    first = {name: tensor.clone().numpy() for name, tensor in teacher.state_dict().items()}
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    encoder(torch.randn(8, 2, generator=seeded()))
    with torch.no_grad():
        for parameter in (*encoder.parameters(), *layer.parameters()):
            parameter.add_(1.0)
    teacher.train().follow(encoder, layer, 0.75)
    assert not teacher.training and not teacher.encoder[1].training
    networks = {"encoder": encoder.state_dict(), "head": layer.state_dict()}
    for name, tensor in teacher.state_dict().items():
        part, _, rest = name.partition(".")
        now = networks[part][rest].numpy()
        expected = 0.75 * first[name] + 0.25 * now if tensor.is_floating_point() else now
        assert_allclose(tensor, expected, rtol=1e-6)


def test_first_steps_count_more():
    assert [round(teacher_decay(step), 2) for step in (0, 9, 10_000)] == [0.1, 0.53, 0.98]


@pytest.mark.parametrize(("n_labels", "most"), [(1, 15), (5, 9), (25, 5)])
@pytest.mark.parametrize("too_many", [False, True])
def test_a_head_that_changes_many_labels_is_left_out(n_labels, most, too_many):
    linear = np.tile([0.6, 0.4], (100, 1))
    head = linear.copy()
    head[: most + too_many] = [0.1, 0.9]
    assert choose_head_share(linear, head, n_labels, MODALITIES["tabular"].joint) == (0.0 if too_many else 0.5)
    assert choose_head_share(linear, head, n_labels, MODALITIES["image"].joint) == 0.75
    assert_array_equal(blend(linear, head, 0.0), linear)

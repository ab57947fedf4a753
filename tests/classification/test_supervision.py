"""Supervision: draws, weights, teacher and thresholds against NumPy references."""

import numpy as np
import pytest
import torch
from builders import seeded
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sklearn_twins._classification._recipe import OBJECTIVE_WEIGHT, count_labeled, teacher_decay
from sklearn_twins._classification._supervision import Embedded, LabeledRows, Supervision, Teacher

CPU = torch.device("cpu")
CODES = np.array([2, 0, 0, 2, 2, 0, 3, 0])  # no row of class 1
WEIGHTS = np.array([1.0, 2, 1, 0.5, 1, 1, 4, 0])


@pytest.fixture
def rows():
    return LabeledRows(torch.arange(8.0)[:, None], CODES, WEIGHTS, CPU)


@pytest.fixture
def supervision(rows):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder, head = nn.Sequential(nn.Linear(1, 6), nn.BatchNorm1d(6)), nn.Linear(6, 4)
    options = {"label_weight": 0.5, "pseudo_weight": 2.0, "threshold": 0.6, "pseudo_from": 3}
    return Supervision(encoder, head, nn.MSELoss(), rows, None, **options), encoder


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
    rows = LabeledRows(torch.arange(200.0)[:, None], np.arange(200), np.ones(200), CPU)
    codes = rows.draw(seeded())[1]
    assert len(codes) == len(set(codes.tolist())) == 64


def test_cross_entropy(supervision):
    supervision, _ = supervision
    h, codes, weights = torch.randn(5, 6, generator=seeded()), torch.tensor([0, 1, 2, 3, 0]), torch.arange(1.0, 6)
    supervision.eval()
    loss, terms = supervision.add_terms(torch.tensor(7.0), {}, Embedded(h, h, h, codes, weights), 14)
    logits = (h @ supervision.head.weight.T + supervision.head.bias).detach().numpy()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -(log_p[np.arange(5), codes] * weights.numpy()).mean()
    assert terms["label"].item() == pytest.approx(expected, rel=1e-5)
    assert loss.item() == pytest.approx(OBJECTIVE_WEIGHT * 7 / 14 + 0.5 * expected, rel=1e-5)


def test_pseudo_labels(supervision):
    supervision, _ = supervision
    h = torch.randn(4, 6, generator=seeded())
    p = torch.tensor([[0.9, 0.1, 0, 0], [0.5, 0.5, 0, 0], [0, 0.7, 0.3, 0], [0.26, 0.26, 0.24, 0.24]])
    terms = supervision.pseudo_terms(Embedded(h, h, teacher=p))
    logits = (h @ supervision.head.weight.T + supervision.head.bias).detach().numpy()
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(4), [0, 0, 1, 0]]
    assert terms["pseudo"].item() == pytest.approx(losses[[0, 2]].sum() / 4, rel=1e-5)
    assert terms["pseudo_share"].item() == 0.5
    assert terms["pseudo_agreement"].item() == np.mean(logits[[0, 2]].argmax(1) == [0, 1])


def test_no_pseudo_labels_before_their_step(supervision):
    supervision, encoder = supervision
    x = torch.randn(4, 1, generator=seeded())
    for step, has_teacher in ((2, False), (3, True)):
        embedded = supervision.embed(encoder, x, x, x, lambda rows, generator: rows, seeded(), step)
        assert (embedded.teacher is not None) is has_teacher
        assert embedded.a.shape == (4, 6) and embedded.labeled.shape == (32, 6)
    loss, terms = supervision.add_terms(torch.tensor(1.0), {"own": torch.tensor(1.0)}, Embedded(x, x), 1)
    assert terms["pseudo"] == 0 and loss == OBJECTIVE_WEIGHT and next(iter(terms)) == "own"


def test_teacher_is_an_average():
    encoder, head = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Linear(3, 2)
    teacher = Teacher(encoder, head)
    first = {name: tensor.clone().numpy() for name, tensor in teacher.state_dict().items()}
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    encoder(torch.randn(8, 2, generator=seeded()))
    with torch.no_grad():
        for parameter in (*encoder.parameters(), *head.parameters()):
            parameter.add_(1.0)
    teacher.train().follow(encoder, head, 0.75)
    assert not teacher.training and not teacher.encoder[1].training
    networks = {"encoder": encoder.state_dict(), "head": head.state_dict()}
    for name, tensor in teacher.state_dict().items():
        part, _, rest = name.partition(".")
        now = networks[part][rest].numpy()
        expected = 0.75 * first[name] + 0.25 * now if tensor.is_floating_point() else now
        assert_allclose(tensor, expected, rtol=1e-6)


def test_first_steps_count_more():
    assert [round(teacher_decay(step), 2) for step in (0, 9, 10_000)] == [0.1, 0.53, 0.98]

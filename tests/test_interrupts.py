"""Ctrl-C at any moment: a first fit leaves no trace, a refit the earlier one, a warm start its last whole epoch."""

import contextlib
import signal
import sys

import numpy as np
import pytest
from builders import small_embedder, small_table
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback, EarlyStopping

pytestmark = pytest.mark.slow

N_BATCHES = 4  # of an epoch of `make()` on `X`

MOMENTS = [
    ("on_train_begin", 1),
    ("on_epoch_begin", 1),
    ("on_epoch_begin", 2),
    *(("on_batch_begin", k) for k in (1, 2, N_BATCHES + 1)),
    *(("on_batch_end", k) for k in (1, N_BATCHES, N_BATCHES + 1, 2 * N_BATCHES)),
    ("on_grad_computed", 1),
    ("on_grad_computed", 6),
    ("on_epoch_end", 1),
    ("on_epoch_end", 2),
    ("on_train_end", 1),
]
INTERRUPTS = [
    *((*moment, KeyboardInterrupt) for moment in MOMENTS),
    ("on_batch_end", 6, signal.SIGINT),
    *(
        (*moment, error)
        for error, moments in ((ZeroDivisionError, MOMENTS[::5]), (SystemExit, MOMENTS[3::5]))
        for moment in moments
    ),
]


class Trip(Callback):
    """Raises `error`, or sends the process a real SIGINT, at the `at`-th call of one hook."""

    def __init__(self, hook, at, error=KeyboardInterrupt):
        self.hook, self.at, self.error = hook, at, error
        self.calls = 0

    def count(self, hook):
        if hook != self.hook:
            return
        self.calls += 1
        if self.calls == self.at and self.error is signal.SIGINT:
            signal.raise_signal(signal.SIGINT)
        elif self.calls == self.at:
            raise self.error

    def on_train_begin(self, net, **kwargs):
        self.count("on_train_begin")

    def on_train_end(self, net, **kwargs):
        self.count("on_train_end")

    def on_epoch_begin(self, net, **kwargs):
        self.count("on_epoch_begin")

    def on_epoch_end(self, net, **kwargs):
        self.count("on_epoch_end")

    def on_batch_begin(self, net, **kwargs):
        self.count("on_batch_begin")

    def on_batch_end(self, net, **kwargs):
        self.count("on_batch_end")

    def on_grad_computed(self, net, *args, **kwargs):
        self.count("on_grad_computed")


class Unreadable:
    """A table that is interrupted as it is read."""

    def __array__(self, dtype=None, copy=None):
        raise KeyboardInterrupt


@contextlib.contextmanager
def tripped(embedder, *args):
    """Give the embedder a trip wire, for the one interruption that the block must raise."""
    trip = Trip(*args)
    embedder.set_params(callbacks=[trip])
    with pytest.raises(KeyboardInterrupt if trip.error is signal.SIGINT else trip.error):
        yield
    assert trip.calls == trip.at
    embedder.set_params(callbacks=None)


def assert_same_objects(embedder, before):
    """All that the embedder held before, `callbacks` aside, it holds still, and nothing else."""
    now = vars(embedder)
    assert now.keys() == before.keys()
    assert all(now[name] is before[name] for name in now if name != "callbacks")


@contextlib.contextmanager
def interrupted_at_line(module, at):
    """Raise KeyboardInterrupt at the `at`-th line that runs in a module's file; yields the list of lines that ran."""
    lines = []

    def local(frame, event, argument):
        if event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == at:
                raise KeyboardInterrupt
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, event, argument: local if frame.f_code.co_filename == module.__file__ else None)
    try:
        yield lines
    finally:
        sys.settrace(before)


@pytest.fixture
def sigint():
    """Python's own answer to SIGINT, whatever the runner has set."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def other(X):
    """A table of other rows, another scale and another number of columns."""
    return np.hstack([X[::-1] * 3, X[:, :2]])[:50]


@pytest.mark.parametrize(("hook", "at", "error"), INTERRUPTS)
def test_first_fit_and_refit(make, X, other, fingerprint, sigint, hook, at, error):
    """A first fit leaves no trace, a refit the earlier fit."""
    embedder = make()
    before = dict(vars(embedder))
    with tripped(embedder, hook, at, error):
        embedder.fit(X)
    assert_same_objects(embedder, before)
    embedding = embedder.fit(X).transform(X)
    assert_array_equal(embedding, make().fit_transform(X))
    before, hashed = dict(vars(embedder)), fingerprint(embedder)
    with tripped(embedder, hook, at, error):
        embedder.fit(other)
    assert_same_objects(embedder, before)
    assert fingerprint(embedder) == hashed
    assert_array_equal(embedder.transform(X), embedding)


@pytest.mark.parametrize(
    ("hook", "at"), [("on_batch_begin", 5), ("on_batch_end", 5), ("on_batch_begin", 6), ("on_batch_end", 10)]
)
def test_first_fit_with_validation(make, X, hook, at):
    embedder = make(early_stopping=True)
    before = dict(vars(embedder))
    with tripped(embedder, hook, at):
        embedder.fit(X)
    assert_same_objects(embedder, before)


def test_interrupted_reading(make, X, fingerprint):
    embedder = make()
    before = dict(vars(embedder))
    with pytest.raises(KeyboardInterrupt):
        embedder.fit(Unreadable())
    assert_same_objects(embedder, before)
    embedder.fit(X)
    before, hashed = dict(vars(embedder)), fingerprint(embedder)
    with pytest.raises(KeyboardInterrupt):
        embedder.fit(Unreadable())
    assert_same_objects(embedder, before)
    assert fingerprint(embedder) == hashed


@pytest.fixture(scope="module")
def whole():
    """A fit that is not interrupted, to compare with."""
    return small_embedder(warm_start=True, max_epochs=3).fit(small_table())


@pytest.mark.parametrize(
    ("hook", "at"),
    [
        *(("on_batch_end", k) for k in (1, N_BATCHES, N_BATCHES + 1, 2 * N_BATCHES, 2 * N_BATCHES + 1, 3 * N_BATCHES)),
        *(("on_batch_begin", k) for k in (N_BATCHES, N_BATCHES + 1, 2 * N_BATCHES + 1)),
        *(("on_grad_computed", k) for k in (N_BATCHES, 2 * N_BATCHES + 2)),
    ],
)
def test_warm_start_keeps_whole_epochs(make, X, whole, hook, at):
    embedder = make(warm_start=True, max_epochs=3)
    before = dict(vars(embedder))
    with tripped(embedder, hook, at):
        embedder.fit(X)
    n_epochs = (at - 1) // N_BATCHES
    if n_epochs == 0:
        assert_same_objects(embedder, before)
    else:
        assert embedder.n_iter_ == n_epochs
        assert {len(column) for column in embedder.history_.values()} == {n_epochs}
        assert len(embedder.loss_curve_) == n_epochs
        assert np.isfinite(embedder.transform(X)).all()
    embedder.fit(X)
    assert embedder.n_iter_ == 3
    assert_array_equal(embedder.history_["loss"], whole.history_["loss"])
    assert_array_equal(embedder.transform(X), whole.transform(X))


@pytest.mark.parametrize(("hook", "at"), [("on_epoch_begin", 2), ("on_epoch_end", 1), ("on_epoch_end", 2)])
def test_warm_start_between_epochs(make, X, whole, hook, at):
    embedder = make(warm_start=True, max_epochs=3)
    with tripped(embedder, hook, at):
        embedder.fit(X)
    n_epochs = getattr(embedder, "n_iter_", 0)
    assert n_epochs in (at - 1, at)
    assert_array_equal(embedder.fit(X).transform(X), whole.transform(X))


@pytest.mark.parametrize("at", [N_BATCHES, N_BATCHES + 1])
def test_warm_start_that_goes_on(make, X, at):
    embedder = make(warm_start=True, max_epochs=2, lr_schedule="constant").fit(X)
    embedder.set_params(max_epochs=4)
    with tripped(embedder, "on_batch_end", at):
        embedder.fit(X)
    assert embedder.n_iter_ == 2 + (at - 1) // N_BATCHES
    whole = make(warm_start=True, max_epochs=4, lr_schedule="constant").fit(X)
    assert_array_equal(embedder.fit(X).transform(X), whole.transform(X))
    assert_array_equal(embedder.history_["loss"], whole.history_["loss"])


def test_warm_start_interrupted_twice(make, X):
    embedder = make(warm_start=True, max_epochs=4)
    for at in (N_BATCHES + 1, N_BATCHES + 2):
        with tripped(embedder, "on_batch_end", at):
            embedder.fit(X)
    assert embedder.n_iter_ == 2
    assert_array_equal(embedder.fit(X).transform(X), make(warm_start=True, max_epochs=4).fit_transform(X))


def test_warm_start_signal(make, X, whole, sigint):
    embedder = make(warm_start=True, max_epochs=3)
    with tripped(embedder, "on_batch_end", 2 * N_BATCHES + 2, signal.SIGINT):
        embedder.fit(X)
    assert embedder.n_iter_ == 2
    assert_array_equal(embedder.fit(X).transform(X), whole.transform(X))


def test_warm_start_with_validation(make, X):
    embedder = make(warm_start=True, max_epochs=3, early_stopping=True, batch_size=1000)
    with tripped(embedder, "on_batch_end", 5):  # one batch to train on and one to watch in each epoch
        embedder.fit(X)
    assert embedder.n_iter_ == 2
    assert {len(column) for column in embedder.history_.values()} == {2}
    assert embedder.fit(X).n_iter_ == 3
    assert np.isfinite(embedder.history_["valid_loss"]).all()


def test_warm_start_error_is_no_interruption(make, X, fingerprint):
    embedder = make(warm_start=True, max_epochs=3)
    before = dict(vars(embedder))
    with tripped(embedder, "on_batch_end", 2 * N_BATCHES, ZeroDivisionError):
        embedder.fit(X)
    assert_same_objects(embedder, before)
    embedder.set_params(max_epochs=1).fit(X)
    before, hashed = dict(vars(embedder)), fingerprint(embedder.set_params(max_epochs=3))
    with tripped(embedder, "on_batch_end", 2 * N_BATCHES, ZeroDivisionError):
        embedder.fit(X)
    assert vars(embedder).keys() == before.keys()
    assert fingerprint(embedder) == hashed


@pytest.mark.parametrize(
    ("hook", "at", "warm_start"),
    [
        ("on_train_begin", 1, False),
        ("on_batch_begin", 1, True),
        ("on_batch_end", 3, False),
        ("on_epoch_end", 1, True),
        ("on_train_end", 1, False),
    ],
)
def test_partial_fit(make, X, fingerprint, hook, at, warm_start):
    embedder = make(warm_start=warm_start)
    before = dict(vars(embedder))
    with tripped(embedder, hook, at):
        embedder.partial_fit(X)
    assert_same_objects(embedder, before)
    embedder.partial_fit(X)
    before, hashed = dict(vars(embedder)), fingerprint(embedder)
    with tripped(embedder, hook, at):
        embedder.partial_fit(X)
    assert_same_objects(embedder, before)
    assert fingerprint(embedder) == hashed
    expected = make(warm_start=warm_start).partial_fit(X).partial_fit(X)
    assert_array_equal(embedder.partial_fit(X).transform(X), expected.transform(X))


def test_skorch_early_stopping_is_no_interruption(make, X, capsys):
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=1e9, threshold_mode="abs")
    embedder = make(max_epochs=20, callbacks=[stopping]).fit(X)
    assert embedder.n_iter_ == 3
    assert {len(column) for column in embedder.history_.values()} == {3}
    assert np.isfinite(embedder.transform(X)).all()


def test_interrupt_beside_early_stopping(make, X):
    stopping = EarlyStopping(monitor="train_loss", patience=50)
    embedder = make(callbacks=[stopping, Trip("on_batch_end", 3)])
    with pytest.raises(KeyboardInterrupt):
        embedder.fit(X)
    assert not hasattr(embedder, "encoder_")


def test_any_line_of_the_estimator(make, X, other):
    """The attributes change all at once: no line is between an old and a new one."""
    module = sys.modules[type(make()).__module__]
    with interrupted_at_line(module, None) as lines:
        make().fit(X)
    assert len(lines) > 5
    old, new = make().fit(X).transform(X), make().fit(other).transform(other)
    for at in range(1, len(lines) + 1):
        embedder = make().fit(X)
        with contextlib.suppress(KeyboardInterrupt), interrupted_at_line(module, at):
            embedder.fit(other)
        if embedder.n_features_in_ == X.shape[1]:
            assert_array_equal(embedder.transform(X), old)
        else:
            assert_array_equal(embedder.transform(other), new)

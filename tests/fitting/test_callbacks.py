"""Callbacks: scikit-learn's protocol (1.9 and later), with epochs as tasks, and skorch's of the training loop."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("sklearn.callback")

from sklearn.base import clone
from sklearn.callback import FitCallback, ProgressBar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback, Checkpoint, EarlyStopping
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder


class Record:
    """Records events; may ask to stop, or raise, at the end of the `at`-th epoch or of the fit."""

    def __init__(self, at=None, error=None, task="epoch"):
        self.at, self.error, self.task = at, error, task
        self.events, self.embeddings, self.contexts, self.fitted = [], [], [], []
        self.epochs = 0

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.events.append(("begin", context.task_name, context.task_id))
        self.contexts.append(context)
        self.X = X

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.events.append(("end", context.task_name, context.task_id))
        self.fitted.append(fitted_estimator)
        self.embeddings.append(fitted_estimator.transform(X))
        self.epochs += context.task_name == "epoch"
        if context.task_name == self.task and self.at in (None, self.epochs):
            if self.error is not None:
                raise self.error
            return self.at is not None
        return None


class Inherited(Record):
    """Reaches down to the parts of a pipeline or search."""

    max_propagation_depth = None

    def on_fit_task_end(self, estimator, context, *, X=None):
        self.events.append(("end", context.task_name, context.estimator_name))


class History(Callback):
    """Looks at skorch's history after every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.losses, self.keys = [], set()

    def on_epoch_end(self, net, **kwargs):
        self.losses.append(net.history[-1, "train_loss"])
        self.keys |= set(net.history[-1])


def epochs(n):
    return [(edge, "epoch", i) for i in range(n) for edge in ("begin", "end")]


def test_protocol():
    assert isinstance(Record(), FitCallback)


def test_a_task_an_epoch(make, X):
    record = Record()
    embedder = make(max_epochs=3).set_callbacks(record).fit(X)
    assert record.events == ["setup", ("begin", "fit", 0), *epochs(3), ("end", "fit", 0), "teardown"]
    assert embedder.n_iter_ == 3
    root = record.contexts[0]
    assert root.max_subtasks == 3
    assert all(context.parent is root and context.max_subtasks == 0 for context in record.contexts[1:])
    assert record.X is X


def test_embedder_in_the_middle_of_a_fit(make, X):
    """It is whole, is not the embedder itself, and is what a shorter fit gives."""
    record = Record()
    embedder = make(max_epochs=3, lr_schedule="constant").set_callbacks(record).fit(X)
    for n_epochs, fitted in enumerate(record.fitted[:3], start=1):
        assert fitted.n_iter_ == n_epochs
        assert {len(column) for column in fitted.history_.values()} == {n_epochs}
        assert fitted.n_features_in_ == 5
        assert fitted.encoder_ is not embedder.encoder_
        assert not fitted.encoder_.training
        assert fitted.get_params() == embedder.get_params()
        shorter = make(max_epochs=n_epochs, lr_schedule="constant").fit_transform(X)
        assert_array_equal(record.embeddings[n_epochs - 1], shorter)
        assert_array_equal(fitted.transform(X), shorter)
    first, second, last, whole = record.embeddings
    assert_array_equal(last, embedder.transform(X))
    assert_array_equal(whole, last)
    assert not np.array_equal(first, second) and not np.array_equal(second, last)


def test_user_module_in_the_middle(make, X):
    record = Record()
    network = nn.Sequential(nn.Linear(5, 8), nn.Dropout(), nn.BatchNorm1d(8))
    watched = make(encoder=network).set_callbacks(record).fit_transform(X)
    assert_array_equal(watched, make(encoder=network).fit_transform(X))


@pytest.mark.parametrize("at", [1, 2])
def test_stop(make, X, at):
    record = Record(at=at)
    embedder = make(max_epochs=5).set_callbacks(record).fit(X)
    assert embedder.n_iter_ == at
    assert {len(column) for column in embedder.history_.values()} == {at}
    assert record.events == ["setup", ("begin", "fit", 0), *epochs(at), ("end", "fit", 0), "teardown"]
    assert_array_equal(embedder.transform(X), record.embeddings[at - 1])


@pytest.mark.parametrize(("task", "error"), [("epoch", ZeroDivisionError), ("fit", KeyboardInterrupt)])
def test_error_in_a_callback(make, X, fingerprint, error, task):
    embedder = make()
    before = set(vars(embedder))
    embedder.set_callbacks(Record(at=2, error=error, task=task))
    with pytest.raises(error):
        embedder.fit(X)
    assert set(vars(embedder.set_callbacks())) == before
    embedder.fit(X)
    hashed = fingerprint(embedder)
    record = Record(at=2, error=error, task=task)
    with pytest.raises(error):
        embedder.set_callbacks(record).fit(X * 2)
    assert record.events[-1] == "teardown"
    assert fingerprint(embedder.set_callbacks()) == hashed


@pytest.mark.parametrize("task", ["epoch", "fit"])
def test_interrupted_warm_start_keeps_whole_epochs(make, X, task):
    embedder = make(warm_start=True, max_epochs=2 if task == "fit" else 3)
    with pytest.raises(KeyboardInterrupt):
        embedder.set_callbacks(Record(at=2, error=KeyboardInterrupt, task=task)).fit(X)
    assert embedder.n_iter_ == 2
    assert {len(column) for column in embedder.history_.values()} == {2}
    embedder.set_callbacks().set_params(max_epochs=3).fit(X)
    assert embedder.n_iter_ == 3


@pytest.mark.parametrize(("task", "warm_start"), [("epoch", True), ("fit", False)])
def test_interrupted_partial_fit(make, X, fingerprint, task, warm_start):
    embedder = make(warm_start=warm_start).partial_fit(X)
    hashed = fingerprint(embedder)
    with pytest.raises(KeyboardInterrupt):
        embedder.set_callbacks(Record(at=1, error=KeyboardInterrupt, task=task)).partial_fit(X)
    assert fingerprint(embedder.set_callbacks()) == hashed


def test_partial_fit_is_a_task(make, X):
    record = Record()
    embedder = make().set_callbacks(record).partial_fit(X).partial_fit(X)
    once = ["setup", ("begin", "fit", 0), *epochs(1), ("end", "fit", 0), "teardown"]
    assert record.events == once * 2
    assert record.fitted[-1].n_iter_ == 2
    assert embedder.n_iter_ == 2


def test_warm_start_counts_what_is_left(make, X):
    embedder = make(warm_start=True).fit(X)
    record = Record()
    embedder.set_callbacks(record).set_params(max_epochs=5).fit(X)
    assert record.contexts[0].max_subtasks == 3
    assert record.events == ["setup", ("begin", "fit", 0), *epochs(3), ("end", "fit", 0), "teardown"]
    nothing = Record()
    embedder.set_callbacks(nothing).fit(X)
    assert nothing.events == ["setup", ("begin", "fit", 0), ("end", "fit", 0), "teardown"]


def test_early_stopping_ends_every_task(make, X):
    record = Record()
    make(early_stopping=True, tol=1e6, n_iter_no_change=2, max_epochs=20).set_callbacks(record).fit(X)
    assert record.events == ["setup", ("begin", "fit", 0), *epochs(3), ("end", "fit", 0), "teardown"]


def test_refused_fit_begins_no_task(make, X):
    record = Record()
    with pytest.raises(ValueError, match="n_components"):
        make(n_components=0).set_callbacks(record).fit(X)
    with pytest.raises(ValueError, match="infinity"):
        make().set_callbacks(record).fit(X + np.array([np.inf, 0, 0, 0, 0]))
    assert record.events == []


@pytest.mark.slow
def test_a_search_reports_down_to_the_epochs(make, X, monkeypatch):
    """Callbacks are inherited; the bars of a search hold a bar for every fit of the embedder, which gets finished."""
    from sklearn.callback import _progressbar

    bars = {}

    class Monitor(_progressbar.RichProgressMonitor):
        def run(self):
            super().run()
            bars.update({task.description: task for task in self.progress_ctx.tasks})

    monkeypatch.setattr(_progressbar, "RichProgressMonitor", Monitor)
    y = np.arange(len(X)) % 2
    record = Inherited()
    pipeline = Pipeline([("embedder", make(max_epochs=3)), ("classifier", LogisticRegression())])
    search = GridSearchCV(pipeline, {"classifier__C": [0.1, 1]}, cv=2)
    search.set_callbacks(record, ProgressBar(max_propagation_depth=None)).fit(X, y)
    ends = [event for event in record.events if event == ("end", "epoch", "BarlowTwinsEmbedder")]
    assert len(ends) == 3 * (2 * 2 + 1)  # epochs of two candidates in two folds, and of the refit
    embedders = [task for name, task in bars.items() if "BarlowTwinsEmbedder - fit" in name]
    assert embedders
    assert all(task.finished for task in bars.values())
    depths = {len(name) - len(name.lstrip()) for name in bars if "BarlowTwinsEmbedder - fit" in name}
    assert min(depths) > 0


def test_progress_bar_is_printed(make, X, capsys):
    make(max_epochs=3).set_callbacks(ProgressBar()).fit(X)
    assert "BarlowTwinsEmbedder - fit" in capsys.readouterr().out


@pytest.mark.parametrize("early_stopping", [False, True])
def test_skorch_callbacks_see_the_history(make, X, early_stopping):
    """They are used as they are, next to scikit-learn's, and change nothing."""
    history, record = History(), Record()
    params = {"early_stopping": early_stopping, "max_epochs": 3}
    embedder = make(callbacks=[("mine", history)], **params).set_callbacks(record).fit(X)
    assert embedder.callbacks == [("mine", history)]
    assert history.losses == embedder.loss_curve_
    assert {"train_loss", "train_invariance", "train_redundancy"} <= history.keys
    assert ("valid_loss" in history.keys) == early_stopping
    assert record.epochs == 3
    assert_array_equal(embedder.transform(X), make(**params).fit_transform(X))


def test_skorch_callbacks_are_cloned_with_the_embedder(make, X):
    history = History()
    embedder = clone(make(callbacks=[history])).fit(X)
    assert embedder.callbacks[0] is not history
    assert not hasattr(history, "losses")
    assert embedder.callbacks[0].losses == embedder.loss_curve_


def test_copy_of_a_watched_embedder(make, X):
    embedder = make().set_callbacks(Record()).fit(X)
    assert_array_equal(copy.deepcopy(embedder).transform(X), embedder.transform(X))
    assert isinstance(embedder, BarlowTwinsEmbedder)


@pytest.mark.parametrize("held_out", [False, True])
def test_callbacks_that_watch_a_figure(make, X, tmp_path, held_out):
    """What the messages about others propose."""
    figure = "valid_loss" if held_out else "train_loss"
    best = Checkpoint(
        monitor=lambda net: net.history[-1, figure] <= min(net.history[:, figure]), dirname=tmp_path, f_optimizer=None
    )
    callbacks = [best, EarlyStopping(monitor=figure), Checkpoint(monitor=None, dirname=tmp_path / "all")]
    make(early_stopping=held_out, callbacks=callbacks).fit(X)
    assert (tmp_path / "params.pt").exists() and (tmp_path / "all" / "params.pt").exists()


@pytest.mark.parametrize("objective", ["info_nce", "barlow_twins"])
@pytest.mark.parametrize("monitor", ["train_covariance", "mine"])
def test_a_figure_that_turns_out_not_to_be_recorded(make, X, monitor, objective):
    """Terms differ by objective, and a callback of the user's may record anything: the first epoch shows it."""

    class Own(Callback):
        """May record anything."""

    embedder = make(objective=objective, callbacks=[Own(), EarlyStopping(monitor=monitor)])
    with pytest.raises(
        ValueError, match=rf"EarlyStopping whose monitor='{monitor}' is not recorded.*train_loss"
    ) as error:
        embedder.fit(X)
    assert "batches" not in str(error.value) and not hasattr(embedder, "encoder_")

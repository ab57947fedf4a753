"""Checkpoints: a fit that was killed, interrupted or broken off goes on to the same bits; what is finished is kept."""

import errno
import functools
import os
import shutil
import signal
import threading
import time

import joblib
import killed
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder, SampleSpec, UnreadableFileError
from sklearn_twins._image._memmap import MappedImages
from sklearn_twins._persistence import _checkpoints
from sklearn_twins._persistence._deferred_signals import HeldSignals
from sklearn_twins.augmentations import Chain, Masking
from sklearn_twins.preprocessing import ImagePreprocessor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),  # from Python 3.12 on
]
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
SPEC = SampleSpec((5,))


class Broken(Exception):
    """What breaks a fit off."""


class Breaks(Callback):
    """Breaks a fit off at the end of an epoch, before that one is saved."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise Broken


class Does(Callback):
    """Calls a function at the end of a batch."""

    def __init__(self, number, function):
        self.number, self.function, self.n = number, function, 0

    def on_batch_end(self, net, training=None, **kwargs):
        self.n += 1
        if self.n == self.number:
            self.function()


@pytest.fixture
def saving(make, tmp_path):
    """Makes embedders that save every epoch of six in a directory of the test's."""

    def saving(**params):
        return make(**{"max_epochs": 6, "checkpoint": tmp_path / "here", "checkpoint_minutes": 0, **params})

    return saving


def broken_off(embedder, X, epoch=4):
    """Start a fit, and break it off."""
    with pytest.raises(Broken):
        embedder.set_params(callbacks=[Breaks(epoch)]).fit(X)
    embedder.set_params(callbacks=None)


def files(tmp_path, kind="*"):
    return sorted((tmp_path / "here").glob(f"*.{kind}"))


def same(a, b, X):
    assert a.n_iter_ == b.n_iter_
    assert_array_equal(a.loss_curve_, b.loss_curve_)
    assert_array_equal(a.transform(X), b.transform(X))


@FORKS
@pytest.mark.parametrize("name", killed.CONFIGURATIONS)
def test_killed_at_random_moments(tmp_path, one_thread, name):
    """Three times each, 15 in all; and the result has the bits of a fit that was let be."""
    assert killed.kill_again_and_again(name, 3, tmp_path) == (True, [])


@FORKS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_fit_between_two_batches(tmp_path, one_thread, number):
    """What the signal does is what it would have done; what was finished is on disk though none was due."""
    ended = killed.signal_in_epoch_3(number, tmp_path / "here")
    assert ended == (-number if number == signal.SIGTERM else killed.INTERRUPTED)
    (path,) = files(tmp_path)
    _, metadata = _checkpoints.read_tensors(path)
    assert metadata["state"].count('"train_loss"') >= 3


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"objective": "hsic", "optimizer": "lars"},
        {"early_stopping": True, "n_iter_no_change": 2},
        {"storage": "host", "lr_schedule": "cosine"},
        {"encoder": nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 4))},
        {"warm_start": True, "random_state": np.random.RandomState(0)},
    ],
)
def test_a_fit_that_was_broken_off_goes_on(saving, X, tmp_path, capsys, params):
    wanted = saving(**params, checkpoint=None).fit(X)
    if "random_state" in params:
        params = {**params, "random_state": np.random.RandomState(0)}
    embedder = saving(**params)
    broken_off(embedder, X, min(4, wanted.n_iter_))
    assert not hasattr(embedder, "encoder_") and len(files(tmp_path)) == 2
    if "random_state" in params:
        embedder.set_params(random_state=np.random.RandomState(0))
    embedder.set_params(verbose=1).fit(X)
    assert f"{min(4, wanted.n_iter_) - 1} epochs found in" in capsys.readouterr().out
    same(embedder, wanted, X)
    assert files(tmp_path) == []


def test_again_and_again(saving, X, tmp_path):
    embedder = saving()
    for epoch in (1, 2, 2, 5, 6):
        broken_off(embedder, X, epoch)
    same(embedder.fit(X), saving(checkpoint=None).fit(X), X)


def test_a_seed_that_nobody_gave_is_kept(saving, X, tmp_path):
    first = saving(random_state=None)
    broken_off(first, X)
    kept = shutil.copytree(tmp_path / "here", tmp_path / "kept")
    second = saving(random_state=None, checkpoint=kept)
    same(first.fit(X), second.fit(X), X)


def test_a_warm_start_goes_on(saving, X):
    wanted = saving(warm_start=True, checkpoint=None, lr_schedule="constant").fit(X)
    wanted.set_params(max_epochs=12).fit(X)
    embedder = saving(warm_start=True, lr_schedule="constant").fit(X).set_params(max_epochs=12)
    with pytest.raises(Broken):
        embedder.set_params(callbacks=[Breaks(3)]).fit(X)
    assert embedder.n_iter_ == 6
    same(embedder.set_params(callbacks=None).fit(X), wanted, X)


def test_a_fit_that_had_stopped_early_does_not_train_again(saving, X):
    """Killed after the last epoch was saved, it ends at that epoch."""
    params = {"early_stopping": True, "n_iter_no_change": 1, "tol": 1e9, "max_epochs": 9}
    wanted = saving(**params, checkpoint=None).fit(X)

    class AtTheEnd(Callback):
        def on_train_end(self, net, **kwargs):
            raise Broken

    embedder = saving(**params, callbacks=[AtTheEnd()])
    with pytest.raises(Broken):
        embedder.fit(X)
    same(embedder.set_params(callbacks=None).fit(X), wanted, X)
    assert wanted.n_iter_ == 2


def test_other_fits_have_other_files(saving, X, tmp_path):
    """So they do not go on from this one; how a fit is watched and where it runs makes no other fit of it."""
    broken_off(saving(), X)
    (path,) = files(tmp_path, "checkpoint")
    alike = {"verbose": 1, "device": "cpu", "checkpoint_minutes": 3, "storage": "host"}
    others = [{"learning_rate": 0.1}, {"random_state": 1}, {"objective": "hsic"}, {"max_epochs": 7}]
    for params in others:
        broken_off(saving(**params), X)
    broken_off(saving(), X + np.eye(60, 5))
    assert len(files(tmp_path, "checkpoint")) == 2 + len(others) and path in files(tmp_path)
    same(saving(**alike).fit(X), saving(checkpoint=None).fit(X), X)
    assert len(files(tmp_path, "checkpoint")) == 1 + len(others)


def squares(weight):
    """An objective as in a search over a weight of one's own."""
    return lambda z_a, z_b: (z_a - z_b).square().mean() + weight * (z_a.T @ z_b).square().mean()


def network(**attributes):
    """A user's module; `attributes` are set on it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 4))
    module[1].__dict__.update(attributes)
    return module


def noise(x, data, generator, scale=0.1):
    return x + scale * torch.randn(x.shape, generator=generator)


def constant(step, n_steps, factor=1.0):
    return factor


OTHER_FITS = {
    "optimizer, a partial": [{"optimizer": functools.partial(torch.optim.SGD, momentum=m)} for m in (0.9, 0.0)],
    "objective, a closure": [{"objective": squares(weight)} for weight in (0.1, 10)],
    "encoder, an attribute": [{"encoder": network(p=p)} for p in (0.5, 0.1)],
    "encoder, a function": [{"encoder": lambda spec, p=p: network(p=p)} for p in (0.5, 0.1)],
    "augmentation, a partial": [{"augmentation": functools.partial(noise, scale=scale)} for scale in (0.1, 1.0)],
    "augmentation in a list": [
        {"augmentation": Chain([("mask", Masking()), ("own", functools.partial(noise, scale=scale))])}
        for scale in (0.1, 1.0)
    ],
    "lr_schedule, a lambda": [
        {"lr_schedule": schedule} for schedule in (lambda step, n_steps: 1.0, lambda step, n_steps: 1 - step / n_steps)
    ],
    "lr_schedule, a partial": [{"lr_schedule": functools.partial(constant, factor=f)} for f in (1.0, 0.5)],
}


@pytest.mark.parametrize("kind", OTHER_FITS)
def test_a_fit_with_another_function_does_not_go_on(saving, X, tmp_path, kind):
    first, second = OTHER_FITS[kind]
    broken_off(saving(**first), X)
    assert fingerprint(saving(**second)) != fingerprint(saving(**first))
    same(saving(**second).fit(X), saving(**second, checkpoint=None).fit(X), X)
    assert len(files(tmp_path, "checkpoint")) == 1, "that of the first one"
    same(saving(**first).fit(X), saving(**first, checkpoint=None).fit(X), X)


def test_parallel_fits_share_a_directory(saving, X):
    """Scores do not depend on which of them finds whose file."""
    grid = {"objective": [squares(weight) for weight in (0.1, 10)], "max_epochs": [2, 3]}

    def scores(**params):
        search = GridSearchCV(saving(**params), grid, cv=2, n_jobs=2, error_score="raise")
        with joblib.parallel_backend("threading"):
            return search.fit(X).cv_results_["mean_test_score"]

    assert_array_equal(scores(), scores(checkpoint=None))


@pytest.mark.parametrize("parameter", ["objective", "lr_schedule", "encoder"])
def test_what_cannot_be_told_apart_is_refused(saving, X, tmp_path, parameter):
    lock = threading.Lock()

    def function(*args):
        with lock:
            raise AssertionError("not called")

    functions = {
        "objective": lambda z_a, z_b: function(),
        "lr_schedule": lambda step, n_steps: function(),
        "encoder": lambda spec: function(),
    }
    with pytest.raises(TypeError, match=rf"checkpoint=.*But {parameter}=<function.* holds .*_thread.lock.*Use checkp"):
        saving(**{parameter: functions[parameter]}).fit(X)


def fingerprint(embedder, rows=None, spec=SPEC):
    rows = np.zeros((4, 5), dtype=np.float32) if rows is None else rows
    return _checkpoints.fingerprint(embedder, None, rows, spec)


@pytest.mark.parametrize("first", [0, 1, 17, 33_000])
def test_every_row_counts(first):
    """Also in a table above 64 MiB, and whatever the rows' layout."""
    X = np.zeros((34_000, 500), dtype=np.float32)
    X[first] = 1
    Y = X.copy()
    Y[[first, first + 1]] = Y[[first + 1, first]]
    embedder = BarlowTwinsEmbedder(checkpoint="here")
    assert fingerprint(embedder, X) != fingerprint(embedder, Y)
    assert fingerprint(embedder, X) == fingerprint(embedder, np.asfortranarray(X))


@pytest.mark.parametrize("kind", ["files", "memory map", "own"])
def test_every_row_counts_where_rows_are_on_disk(tmp_path, kind):
    X = np.random.default_rng(0).integers(0, 256, size=(40, 6, 6, 3), dtype=np.uint8)

    def rows(order):
        if kind == "own":
            return Lazily(X[order])
        if kind == "memory map":
            np.save(tmp_path / "X.npy", X[order])
            return MappedImages(np.load(tmp_path / "X.npy", mmap_mode="r").transpose(0, 3, 1, 2))
        for i in range(len(X)):
            Image.fromarray(X[i]).save(tmp_path / f"{i}.png")
        paths = [str(tmp_path / f"{i}.png") for i in order]
        return ImagePreprocessor(max_decoded_bytes=0).fit_transform(paths)

    embedder, order = BarlowTwinsEmbedder(checkpoint="here"), np.arange(40)
    found = fingerprint(embedder, rows(order))
    assert found == fingerprint(embedder, rows(order))
    order[[20, 21]] = order[[21, 20]]
    assert found != fingerprint(embedder, rows(order))


class Lazily:
    """Samples of a user's own kind."""

    def __init__(self, X):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index].copy()


def flip(path):
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage", [flip, lambda path: path.write_bytes(path.read_bytes()[:-9]), lambda path: path.write_bytes(b"")]
)
def test_damage_is_noticed_and_the_one_before_used(saving, X, tmp_path, damage):
    embedder = saving()
    broken_off(embedder, X)
    (path,) = files(tmp_path, "checkpoint")
    damage(path)
    with pytest.warns(RuntimeWarning, match=f"(?s){path.name}.*goes on from the one before"):
        embedder.fit(X)
    same(embedder, saving(checkpoint=None).fit(X), X)


def test_nothing_that_can_be_used(saving, X, tmp_path):
    embedder = saving()
    broken_off(embedder, X)
    for path in files(tmp_path):
        flip(path)
    with pytest.raises(UnreadableFileError, match=r"checksum.*Remove the file to begin anew"):
        embedder.fit(X)
    assert len(files(tmp_path)) == 2 and not hasattr(embedder, "encoder_")


def test_the_checkpoint_of_another_fit_is_refused(saving, X, tmp_path):
    broken_off(saving(), X)
    names = [path.name for path in files(tmp_path)]
    shutil.move(tmp_path / "here", tmp_path / "there")
    broken_off(saving(random_state=1), X)
    for path, name in zip(files(tmp_path), names, strict=True):
        shutil.move(path, path.with_name(name))
    with pytest.raises(UnreadableFileError, match="belongs to another fit: other parameters, or other rows"):
        saving().fit(X)


def test_another_version_is_refused(saving, X, monkeypatch):
    broken_off(saving(), X)
    monkeypatch.setattr(_checkpoints, "__version__", "9.9")
    with pytest.raises(UnreadableFileError, match=r"wrote it, and this is 9\.9.*Remove the file"):
        saving().fit(X)


def test_an_embedders_file_is_no_checkpoint(saving, make, X, tmp_path):
    broken_off(saving(), X)
    for path in files(tmp_path):
        make().fit(X).save(path)
    with pytest.raises(UnreadableFileError, match="no checkpoint of a fit"):
        saving().fit(X)


def test_a_full_disk_does_not_end_a_fit(saving, X, monkeypatch, tmp_path):
    """The one warning names the file; and what was saved before is still there."""
    wanted, write, full = saving(checkpoint=None).fit(X), _checkpoints.write_tensors, []

    def write_once(path, *args):
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        full.append(write(path, *args))

    monkeypatch.setattr(_checkpoints, "write_tensors", write_once)
    embedder = saving()
    with pytest.warns(RuntimeWarning, match="No space left on device.*Training goes on without") as caught:
        broken_off(embedder, X)
    assert len(caught) == 1 and len(files(tmp_path)) == 1
    monkeypatch.setattr(_checkpoints, "write_tensors", write)
    same(embedder.fit(X), wanted, X)


def test_what_a_callback_notes_that_cannot_be_stored(saving, X):
    class Notes(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("thing", object())

    with pytest.warns(RuntimeWarning, match="No checkpoint could be written"):
        saving(callbacks=[Notes()]).fit(X)


def test_minutes(saving, X, tmp_path):
    """Nothing is due in an hour; and a file would be written by a signal alone."""
    embedder = saving(checkpoint_minutes=60)
    broken_off(embedder, X)
    assert files(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_for_the_end_of_a_batch(saving, X, tmp_path, number):
    """Six batches are a validated epoch and a half; the handler of before is called once, and is there again."""
    called, before = [], signal.getsignal(number)

    def handler(*_):
        called.append(time.monotonic())
        raise Broken

    signal.signal(number, handler)
    try:
        embedder = saving(checkpoint_minutes=60, callbacks=[Does(6, lambda: signal.raise_signal(number))])
        with pytest.raises(Broken):
            embedder.fit(X)
        assert len(called) == 1 and signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert len(files(tmp_path, "checkpoint")) == 1 and not hasattr(embedder, "encoder_")
    same(embedder.set_params(callbacks=None).fit(X), saving(checkpoint=None).fit(X), X)


def test_held_signals():
    """The first one waits, a second one does not; without one nothing happens."""
    called, before = [], signal.signal(signal.SIGTERM, lambda *_: called.append(1))
    try:
        with HeldSignals() as held:
            signal.raise_signal(signal.SIGTERM)
            assert called == [] and held.noted == signal.SIGTERM
            signal.raise_signal(signal.SIGTERM)
            assert called == [1] and held.noted is None
        assert called == [1]
        with HeldSignals():
            signal.raise_signal(signal.SIGTERM)
        assert called == [1, 1]
        with HeldSignals():
            pass
        assert called == [1, 1]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_hold_no_signals(saving, X):
    fitted = []
    thread = threading.Thread(target=lambda: fitted.append(saving().fit(X)))
    thread.start()
    thread.join()
    same(fitted[0], saving(checkpoint=None).fit(X), X)


def test_a_search_goes_on(saving, X, tmp_path):
    """Each of its fits has a file of its own; the one that was broken off goes on, and the scores are the same."""
    y = np.arange(60) % 2
    grid = {"barlowtwinsembedder__learning_rate": [0.001, 0.01]}

    def search(**params):
        return GridSearchCV(make_pipeline(saving(**params), LogisticRegression()), grid, cv=2, error_score="raise")

    with pytest.raises(Broken):
        search(callbacks=[Breaks(4)]).fit(X, y)
    assert len(files(tmp_path, "checkpoint")) == 1
    found, wanted = search().fit(X, y), search(checkpoint=None).fit(X, y)
    assert_array_equal(found.cv_results_["mean_test_score"], wanted.cv_results_["mean_test_score"])
    assert files(tmp_path) == []


def test_files_name_no_directory(saving, X, tmp_path):
    saving().fit(X).save(tmp_path / "file")
    loaded = BarlowTwinsEmbedder.load(tmp_path / "file")
    assert loaded.checkpoint is None and loaded.checkpoint_minutes == 0
    assert b"here" not in (tmp_path / "file").read_bytes()


def test_a_stream_has_no_checkpoints(saving, X, tmp_path):
    saving().partial_fit(X)
    assert not (tmp_path / "here").exists()


def test_a_directory_that_cannot_be(saving, X, tmp_path):
    (tmp_path / "here").write_text("a file")
    with pytest.raises(ValueError, match=r"checkpoint=.*here.* must be a directory"):
        saving().fit(X)


# What goes wrong in training.


def nan_from(step):
    """An objective that is NaN from a step on."""
    steps = []

    def objective(z_a, z_b):
        steps.append(1)
        return (z_a - z_b).square().mean() * (np.nan if len(steps) >= step else 1.0)

    return objective


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (1, r"became nan in epoch 1, batch 1, before any step: look at objective, augmentation and encoder"),
        (3, r"became nan in epoch 1, batch 3\. The learning rate is the usual cause: it was learning_rate=0\.005"),
        (6, r"became nan in epoch 2, batch 2\..*try a tenth"),
    ],
)
def test_a_loss_that_is_none_is_placed(make, X, step, message):
    embedder = make(objective=nan_from(step))
    with pytest.raises(ValueError, match=message):
        embedder.fit(X)
    assert not hasattr(embedder, "encoder_")


def test_a_warm_start_keeps_the_last_good_epoch(make, X):
    embedder = make(objective=nan_from(10), warm_start=True, max_epochs=5, lr_schedule="constant")
    with pytest.raises(ValueError, match="epoch 3, batch 2"):
        embedder.fit(X)
    assert embedder.n_iter_ == 2 and np.isfinite(embedder.transform(X)).all()
    embedder.set_params(objective=nan_from(10**6), max_epochs=3).fit(X)
    assert embedder.n_iter_ == 3 and np.isfinite(embedder.loss_curve_).all()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory_that_runs_out(make, X, error):
    def objective(z_a, z_b):
        raise error

    with pytest.raises(MemoryError, match=r"step of 15 rows\. Use batch_size=7 or less") as raised:
        make(objective=objective).fit(X)
    assert raised.value.__cause__ is error


def test_other_errors_stay_what_they_are(make, X):
    def objective(z_a, z_b):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        make(objective=objective).fit(X)

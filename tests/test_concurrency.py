"""Several threads and processes at once: none waits forever, and each gets the result that it would get alone."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from builders import pixels, save_images, small_embedder
from numpy.testing import assert_array_equal
from sklearn.base import clone
from torch import nn

from sklearn_twins.displays import SpectrumDisplay, ViewsDisplay
from sklearn_twins.metrics import get_scorer
from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.preprocessing import ImagePreprocessor

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),  # from Python 3.12 on
]
PATIENCE = 60  # seconds for work of less than one
images = pixels(24, 8, 8, 3)
of_images = {"modality": "image", "encoder": ConvNetEncoder(widths=(8,)), "batch_size": 6}


def in_child(work):
    """Do something in a forked process, and return how it ended: 0 if well, or the signal that stopped it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(PATIENCE)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def fitted_in_worker(X):
    """The embedding that a worker process makes."""
    return small_embedder().fit_transform(X)


@FORKS
@pytest.mark.parametrize("before", ["nothing", "fit", "transform", "fit on the host"])
def test_fork(make, X, before):
    """A child fits and transforms to the same bits, whatever its parent has done."""
    expected, fitted = make().fit_transform(X), make().fit(X)
    if before == "transform":
        fitted.transform(X)
    elif before == "fit on the host":
        make(storage="host", **of_images).fit(images)

    def work():
        if before != "nothing":
            assert_array_equal(fitted.transform(X), expected)
        assert_array_equal(make().fit_transform(X), expected)
        make(storage="host", **of_images).fit(images).transform(images)

    assert in_child(work) == 0


@FORKS
def test_fork_with_threads_asked_for(X):
    """OpenMP would wait for the threads that the parent had."""

    def work():
        small_embedder(n_jobs=2).fit(X).transform(X)
        assert torch.get_num_threads() == before

    before = torch.get_num_threads()
    small_embedder(n_jobs=2).fit(X)
    assert in_child(work) == 0


@FORKS
def test_fork_while_another_thread_fits(X):
    """Locks that the other thread held are free in the child."""
    stop, n_threads = threading.Event(), torch.get_num_threads()

    def fit_on():
        while not stop.is_set():
            small_embedder(encoder=nn.Sequential(nn.Linear(5, 8), nn.Dropout())).fit(X)

    def work():
        small_embedder().fit(X).transform(X)
        small_embedder(encoder=nn.Sequential(nn.Linear(5, 8), nn.Dropout())).fit(X)
        assert torch.get_num_threads() == n_threads

    other = threading.Thread(target=fit_on)
    other.start()
    try:
        assert [in_child(work) for _ in range(3)] == [0] * 3
    finally:
        stop.set()
        other.join()


@FORKS
def test_worker_processes_that_are_forked(X):
    expected = small_embedder().fit_transform(X)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for found in pool.map_async(fitted_in_worker, [X] * 4).get(PATIENCE):
            assert_array_equal(found, expected)


@FORKS
def test_fork_after_import():
    """By a process that has only imported the package and let torch use its threads."""
    code = f"""
import os, signal, numpy as np, torch
import sklearn_twins.augmentations, sklearn_twins.networks, sklearn_twins.objectives, sklearn_twins._training
from sklearn_twins import BarlowTwinsEmbedder
for n_threads, n_jobs in [(1, None), (1, -1), (2, None), (2, 2)]:
    torch.set_num_threads(n_threads)
    torch.ones(500, 500) @ torch.ones(500, 500)
    pid = os.fork()
    if pid == 0:
        signal.alarm({PATIENCE})
        X = np.random.default_rng(0).normal(size=(300, 20))
        BarlowTwinsEmbedder(max_epochs=1, n_jobs=n_jobs, random_state=0).fit(X).transform(X)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, (n_threads, n_jobs)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_fits_of_different_seeds_and_threads(make, X):
    """Seeds, and the numbers of threads of those who fit, are each one's own."""
    settings = [{"random_state": seed, "n_jobs": 1 + seed % 2} for seed in range(4)]
    foreign = [{**own, "encoder": nn.Sequential(nn.Linear(5, 8), nn.Dropout())} for own in settings]
    embedders = [make(**own) for own in (*settings, *foreign)]
    expected = [clone(embedder).fit_transform(X) for embedder in embedders]
    start, before = threading.Barrier(len(embedders)), torch.get_num_threads()
    one_at_a_time = threading.Lock()

    def fit(embedder, n_threads):
        with one_at_a_time:  # a thread that comes first during another's fit cannot be told to have a number of its own
            torch.set_num_threads(n_threads)
            make(max_epochs=1).fit(X)
        start.wait(PATIENCE)
        found = embedder.fit_transform(X)
        assert torch.get_num_threads() == n_threads
        return found

    state = torch.get_rng_state()
    with ThreadPoolExecutor(len(embedders)) as pool:
        for found, wanted in zip(pool.map(fit, embedders, [1, 2] * 4), expected, strict=True):
            assert_array_equal(found, wanted)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == before


SHARED = {
    "table": lambda d: (np.random.default_rng(1).normal(size=(600, 5)), {}),
    "images": lambda d: (images, of_images),
    "files": lambda d: (
        save_images(d, images),
        {**of_images, "preprocessor": ImagePreprocessor(max_decoded_bytes=0, n_jobs=2)},
    ),
    "user's module": lambda d: (np.ones((9, 5)), {"encoder": nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))}),
}


@pytest.mark.parametrize("name", SHARED)
def test_transforms_at_once(make, fingerprint, tmp_path, name):
    """By one embedder, from many threads, before it has been used."""
    X, params = SHARED[name](tmp_path)
    embedder = make(**params).fit(X)
    expected, before = clone(embedder).fit(X).transform(X), fingerprint(embedder)
    start = threading.Barrier(8)

    def transform(_):
        start.wait(PATIENCE)
        return [embedder.transform(X) for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(transform, range(8)):
            for embedding in found:
                assert_array_equal(embedding, expected)
    if name != "user's module":  # of which torch's own pickles may differ from one to the next
        assert fingerprint(embedder) == before


def refits_in_the_middle(embedder, X, **params):
    """Let the next look at X fit the embedder to another table first, as another thread might."""
    preprocessor = embedder.preprocessor_

    def transform(rows, owner=None):
        del preprocessor.transform
        embedder.set_params(**params).fit(X)
        return preprocessor.transform(rows, owner=owner)

    preprocessor.transform = transform


READERS = {
    "transform": lambda e, X: e.transform(X),
    "data frame": lambda e, X: e.set_output(transform="pandas").transform(X),
    "dask": lambda e, X: e.transform(pytest.importorskip("dask.array").from_array(X, chunks=20)).compute(),
    "transform_views": lambda e, X: e.transform_views(X),
    "score": lambda e, X: e.score(X),
    "diagnose": lambda e, X: repr(e.diagnose(X)),
    "scorer": lambda e, X: get_scorer("rankme")(e, X),
    "spectrum": lambda e, X: SpectrumDisplay.from_estimator(e, X).effective_rank_,
    "views": lambda e, X: ViewsDisplay.from_estimator(e, X).samples,
    "partial_fit": lambda e, X: e.partial_fit(X).history_["loss"],
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_read_belongs_to_one_fit(make, X, name):
    """A refit in the middle changes the number of columns, and the width of the embedding."""
    params = {"passthrough": True, "n_components": 4}
    expected = READERS[name](make(**params).fit(X), X)
    embedder = make(**params).fit(X)
    refits_in_the_middle(embedder, X[:, :3], n_components=6)
    found = READERS[name](embedder, X)
    if name == "data frame":
        assert_array_equal(found.columns, expected.columns)
    assert_array_equal(np.asarray(found), np.asarray(expected))
    if name != "partial_fit":
        assert embedder.n_features_in_ == 3


def test_reading_while_another_thread_fits(make, X, tmp_path):
    """Embeddings, names, files and pickles are those of the one fit or of the other."""
    tables = [X, X * 3 + 7]
    embedder, fits = make().fit(X), [make().fit(table) for table in tables]
    expected, stop = [fit.transform(X) for fit in fits], threading.Event()

    def fit_on():
        while not stop.is_set():
            for table in tables:
                embedder.fit(table)

    def is_one(found):
        return any(np.array_equal(found, one) for one in expected)

    other = threading.Thread(target=fit_on)
    other.start()
    try:
        for i in range(60):
            assert is_one(embedder.transform(X))
            if i % 6 == 0:
                embedder.save(tmp_path / "embedder")
                assert is_one(type(embedder).load(tmp_path / "embedder").transform(X))
                assert is_one(pickle.loads(pickle.dumps(embedder)).transform(X))
    finally:
        stop.set()
        other.join()


def test_an_error_in_one_thread_leaves_the_others_alone(make, X):
    embedder, expected = make().fit(X), make().fit_transform(X)
    broken = np.full_like(X, np.inf)

    def use(number):
        if number % 2:
            with pytest.raises(ValueError, match="infinity"):
                embedder.transform(broken)
            with pytest.raises(ValueError, match="infinity"):
                make().fit(broken)
        else:
            assert_array_equal(embedder.transform(X), expected)
            assert_array_equal(make().fit_transform(X), expected)

    before = torch.get_num_threads()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(16)))
    assert torch.get_num_threads() == before


def test_a_slow_disk_is_not_waited_for_forever(make):
    """A fit that is interrupted while samples are being read ends when that reading does."""

    class Slow:
        def __init__(self):
            self.shape, self.dtype, self.n_read = images.transpose(0, 3, 1, 2).shape, images.dtype, 0

        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            self.n_read += 1
            if self.n_read > 3:
                time.sleep(0.05)
            if self.n_read == 6:
                raise OSError("the disk has gone")
            return images.transpose(0, 3, 1, 2)[index]

    class Lazy(ImagePreprocessor):
        def fit_transform(self, X, y=None, *, owner=None):
            super().fit_transform(X, owner=owner)
            return Slow()

    embedder = make(**{**of_images, "preprocessor": Lazy()}, max_epochs=50)
    threads, start = set(threading.enumerate()), time.monotonic()
    with pytest.raises(OSError, match="the disk has gone"):
        embedder.fit(images)
    assert time.monotonic() - start < PATIENCE
    assert set(threading.enumerate()) <= threads and not hasattr(embedder, "encoder_")

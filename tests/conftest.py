"""Fixtures of all tests: a small table, embedders that fit it in milliseconds, who watches them, one thread."""

import joblib
import pytest
import torch
from builders import small_embedder, small_table
from skorch.callbacks import Callback


class Recorder(Callback):
    """Counts what skorch tells it of."""

    def __init__(self):
        self.batches = self.epochs = 0

    def on_batch_begin(self, net, **kwargs):
        self.batches += 1

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1


@pytest.fixture(scope="module")
def one_thread():
    """Two threads gain nothing on networks this small, and wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def recorder():
    """A skorch callback that counts batches and finished epochs."""
    return Recorder()


@pytest.fixture
def X():
    """60 rows of 5 dependent columns on different scales."""
    return small_table()


@pytest.fixture
def make():
    """Makes small embedders: two epochs of four batches each on `X`."""
    return small_embedder


@pytest.fixture
def fingerprint():
    """Hashes all that an embedder holds, bit by bit, but the callbacks given to it, which keep notes of their own."""

    def fingerprint(embedder):
        return joblib.hash({name: value for name, value in embedder.__getstate__().items() if name != "callbacks"})

    return fingerprint

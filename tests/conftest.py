"""Fixtures of all tests: a small table, embedders that fit it in milliseconds, who watches them, one thread.

Fixtures import what takes seconds themselves: the process that only starts the workers does not need it.
"""

import functools
import gc

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported is there to stay: the garbage collector need not look at it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def one_thread():
    """Two threads gain nothing on networks this small, and wait for each other on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def onnx_registry():
    """torch collects its operators once: a third of each export, and the same in all of them."""
    registry = pytest.importorskip("torch.onnx._internal.exporter._registration").ONNXRegistry
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "from_torchlib", staticmethod(functools.cache(registry.from_torchlib)))
        yield


@pytest.fixture
def recorder():
    """A skorch callback that counts batches and finished epochs."""
    from builders import Recorder

    return Recorder()


@pytest.fixture
def X():
    """60 rows of 5 dependent columns on different scales."""
    from builders import small_table

    return small_table()


@pytest.fixture
def make():
    """Makes small embedders: two epochs of four batches each on `X`."""
    from builders import small_embedder

    return small_embedder


@pytest.fixture
def fingerprint():
    """Hashes all that an embedder holds, bit by bit, but the callbacks given to it, which keep notes of their own."""

    import joblib

    def fingerprint(embedder):
        return joblib.hash({name: value for name, value in embedder.__getstate__().items() if name != "callbacks"})

    return fingerprint

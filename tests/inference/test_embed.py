"""Embedding samples: blocks by a rule, the rows' own bits whatever is around them, from memory or from disk."""

import numpy as np
import pytest
import torch
from builders import image_spec, table_spec
from torch import nn

from sklearn_twins._inference._embed import count_weights, embed, gather_blocks, pad_block

SPEC = image_spec((3, 64, 64))


def spec_of(*shape):
    return table_spec(*shape) if len(shape) == 1 else image_spec(shape)


class OnDisk:
    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        return self.array[index].copy(order="K")


def encoder():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 16)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).random((29, 64, 64, 3), dtype=np.float32).transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("shape", "small", "large"),
    [
        ((5,), 256, 256),
        ((100_000,), 256, 256),
        ((1, 8, 8), 256, 256),
        ((1, 28, 28), 256, 128),
        ((3, 32, 32), 128, 32),
        ((3, 64, 64), 32, 8),
        ((3, 224, 224), 2, 1),
        ((200, 512, 512), 1, 1),
    ],
)
def test_rows_in_a_block(shape, small, large):
    assert (spec_of(*shape).block_rows(2**20 - 1), spec_of(*shape).block_rows(2**20)) == (small, large)


@pytest.mark.parametrize(
    ("shape", "rows"), [((5,), 8192), ((1, 8, 8), 8192), ((3, 32, 32), 2048), ((3, 224, 224), 32), ((200, 512, 512), 1)]
)
def test_rows_in_a_block_of_a_gpu(shape, rows):
    assert {spec_of(*shape).block_rows(n_weights, on_gpu=True) for n_weights in (1, 2**30)} == {rows}


@pytest.mark.parametrize("n", [1, 8, 9, 61])
def test_blocks_of_a_gpu_are_put_down_in_order_and_late(monkeypatch, n):
    """Without a GPU: memory is not pinned, and an event notes when it is waited for."""
    log, empty = [], torch.empty

    class Event:
        def __init__(self):
            self.number = sum(name == "begun" for name, _ in log)
            log.append(("begun", self.number))

        def synchronize(self):
            log.append(("waited for", self.number))

    class Stream:
        def record_event(self):
            return Event()

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    monkeypatch.setattr(torch, "empty", lambda *args, pin_memory=False, **kwargs: empty(*args, **kwargs))
    rows = np.random.default_rng(0).random((n, 3), dtype=np.float32)
    outs = (2 * pad_block(rows[i : i + 8], 8).to(torch.bfloat16) for i in range(0, n, 8))
    embedding = gather_blocks(outs, n, 8, torch.device("cpu"))
    np.testing.assert_array_equal(embedding, (2 * torch.from_numpy(rows).to(torch.bfloat16)).float())
    assert embedding.dtype == np.float32 and embedding.flags.owndata
    n_blocks = -(-n // 8)
    for i in range(n_blocks):
        behind = log[: log.index(("waited for", i))]
        assert ("begun", min(i + 2, n_blocks - 1)) in behind


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_padding_keeps_the_order_of_axes(axes):
    x = np.random.default_rng(0).random((3, 4, 5, 6)).transpose(axes)
    full, more = pad_block(x, 3), pad_block(x, 8)
    assert full.data_ptr() == x.__array_interface__["data"][0]
    assert more.shape == (8, *x.shape[1:]) and torch.equal(more[:3], torch.from_numpy(x)) and not more[3:].any()
    assert np.argsort(more.stride()).tolist() == np.argsort(x.strides).tolist()


def test_weights_are_counted():
    assert count_weights(encoder()) == 3 * 64 * 64 * 16 + 16


def test_a_row_has_its_own_bits(X):
    net, whole = encoder(), embed(encoder(), X, SPEC)
    np.testing.assert_array_equal(embed(net, X[::-1].copy(order="K"), SPEC), whole[::-1])
    for i in (0, 7, 28):
        np.testing.assert_array_equal(embed(net, X[i : i + 1], SPEC), whole[i : i + 1])


def test_from_disk(X):
    np.testing.assert_array_equal(embed(encoder(), OnDisk(X), SPEC), embed(encoder(), X, SPEC))
    assert embed(encoder(), X, SPEC).flags.owndata
    np.testing.assert_allclose(embed(encoder(), X, SPEC), encoder()(torch.from_numpy(X)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("verbose", "out", "err"), [(0, "", ""), (1, "29 rows embedded in", ""), (2, "", "29/29")])
@pytest.mark.parametrize("source", [lambda X: X, OnDisk])
def test_progress(X, capsys, verbose, out, err, source):
    embed(encoder(), source(X), SPEC, verbose=verbose)
    captured = capsys.readouterr()
    assert out in captured.out and err in captured.err
    assert bool(captured.out) == bool(out) and bool(captured.err) == bool(err)


@pytest.mark.gpu
@pytest.mark.parametrize("source", [lambda X: X, OnDisk])
def test_on_a_gpu_a_row_has_its_own_bits(X, source):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    net, many = encoder().cuda(), np.concatenate([X] * 40)  # more than one block of 512
    whole = embed(net, source(many), SPEC)
    np.testing.assert_array_equal(whole[: len(X)], embed(net, source(X), SPEC))
    np.testing.assert_array_equal(embed(net, source(X[7:8]), SPEC), whole[7:8])
    np.testing.assert_allclose(whole[: len(X)], embed(encoder(), X, SPEC), rtol=1e-2, atol=1e-3)

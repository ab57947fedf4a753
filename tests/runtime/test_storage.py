"""Samples on the device and elsewhere: the same batches, read ahead, in threads that end."""

import contextlib
import threading
import time

import numpy as np
import pytest
import torch
from builders import seeded

from sklearn_twins._runtime._storage import (
    HostRows,
    as_tensor,
    copy_ahead,
    fits_on_device,
    in_memory_order,
    prefetch,
    print_storage,
    to_storage,
)
from sklearn_twins._training._batches import Batches

CPU = torch.device("cpu")


class OnDisk:
    """Samples that are no array; how many rows have been read so far, and in which threads."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.n_read, self.threads = 0, set()

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        found = np.array(self.array[index], order="K")
        self.n_read += len(found)
        self.threads.add(threading.current_thread())
        return found


def samples(n=23, dtype=np.float32):
    return np.random.default_rng(0).integers(0, 100, size=(n, 4, 5, 3)).astype(dtype).transpose(0, 3, 1, 2)


def test_prefetched_in_order():
    assert list(prefetch(lambda i: i * i, range(20))) == [i * i for i in range(20)]
    assert list(prefetch(lambda i: i, [])) == []


def test_prefetched_reads_ahead_but_not_far():
    begun = []
    results = prefetch(lambda i: begun.append(i) or i, range(100))
    assert next(results) == 0
    deadline = time.monotonic() + 5
    while len(begun) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert begun == [0, 1, 2]
    results.close()
    assert len(begun) == 3


def test_errors_come_where_their_result_would_have():
    results = prefetch(lambda i: 1 / (2 - i), range(10))
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("end", ["exhausted", "closed", "forgotten", "error"])
def test_no_thread_is_left(end):
    before = set(threading.enumerate())

    def fetch(i):
        if end == "error" and i == 3:
            raise ValueError("3")
        return i

    results = prefetch(fetch, range(50))
    next(results)
    if end == "exhausted":
        list(results)
    elif end == "closed":
        results.close()
    elif end == "error":
        with pytest.raises(ValueError, match="3"):
            list(results)
    del results
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("writable", [True, False])
def test_memory_is_shared_unless_it_is_read_only(writable):
    """Without torch's warning about read-only arrays."""
    array = samples()
    array.setflags(write=writable)
    tensor = as_tensor(array)
    assert np.shares_memory(tensor.numpy(), array) == writable
    assert tensor.stride() == tuple(s // array.itemsize for s in array.strides)
    np.testing.assert_array_equal(tensor, array)


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 3, 1), (0, 3, 2, 1)])
def test_memory_order(axes):
    x = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    order, back = in_memory_order(x.permute(axes))
    assert torch.equal(x.permute(axes).permute(order), x)
    assert torch.equal(x.permute(axes).permute(order).permute(back), x.permute(axes))


ROWS = {
    "tensor": lambda s: as_tensor(s),
    "host": lambda s: HostRows(s, CPU),
    "disk": lambda s: HostRows(OnDisk(s), CPU),
    "loaded": lambda s: to_storage(OnDisk(s), CPU, "device"),
}


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_same_batches_wherever_the_rows_are(kind, dtype, shuffled):
    array = samples(dtype=dtype)
    expected = Batches(torch.from_numpy(array.copy()), 8, seeded() if shuffled else None)
    batches = Batches(ROWS[kind](array), 8, seeded() if shuffled else None)
    assert len(batches) == 3 and batches.size == 7
    for _ in range(2):
        for found, wanted in zip(batches, expected, strict=True):
            assert torch.equal(found, wanted) and found.dtype == wanted.dtype
            assert np.argsort(found.stride()).tolist() == np.argsort(array.strides).tolist()  # rows copied whole


@pytest.mark.parametrize("kind", ["tensor", "host", "disk", "loaded"])
def test_rows_that_are_some_of_the_samples(kind):
    array, index = samples(), np.array([20, 3, 4, 5, 6, 9])
    source, storage = {
        "tensor": (array, "device"),
        "host": (array, "host"),
        "disk": (OnDisk(array), "host"),
        "loaded": (OnDisk(array), "device"),
    }[kind]
    rows = to_storage(source, CPU, storage, index)
    assert tuple(rows.shape) == (6, 3, 4, 5) and len(rows) == 6
    np.testing.assert_array_equal(torch.cat(list(Batches(rows, 2, None))), array[index])
    np.testing.assert_array_equal(rows[torch.tensor([1, 0])], array[[3, 20]])


def test_donors_in_host_memory():
    """What augmentations do with all training samples: look at some rows, and at single values of others."""
    array = samples()
    tensor, rows = torch.from_numpy(array), HostRows(array, CPU)
    index = torch.randint(23, (5, 3, 4, 5), generator=seeded())
    assert torch.equal(rows.gather(0, index), tensor.gather(0, index)) and rows.shape == tensor.shape
    some = HostRows(array, CPU, np.array([4, 9]))
    assert torch.equal(some.gather(0, index % 2), tensor[[4, 9]].gather(0, index % 2))
    with pytest.raises(ValueError, match="storage='device'"):
        HostRows(OnDisk(array), CPU).gather(0, index)


def test_reading_is_done_elsewhere():
    source = OnDisk(samples())
    list(Batches(HostRows(source, CPU), 8, None))
    assert source.n_read == 21 and threading.current_thread() not in source.threads


def test_auto_leaves_on_disk_what_is_there():
    assert isinstance(to_storage(samples(), CPU, "auto"), torch.Tensor)
    assert isinstance(to_storage(OnDisk(samples()), CPU, "auto"), HostRows)


class Stream:
    """Notes what a stream is asked for; events are the number of copies before them."""

    def __init__(self, log, name):
        self.log, self.name, self.n = log, name, 0

    def record_event(self):
        self.n += 1
        self.log.append(("copied", self.n))
        return self.n

    def wait_event(self, event):
        self.log.append((f"{self.name} waits for", event))


def test_copies_are_one_batch_ahead_and_waited_for_one_by_one(monkeypatch):
    """Without a GPU: the order in which its streams are asked for things."""
    log, now = [], []
    copies, works = Stream(log, "copies"), Stream(log, "works")

    @contextlib.contextmanager
    def on(stream):
        now.append(stream)
        yield
        now.pop()

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: copies)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: now[-1] if now else works)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: log.append(("kept for", stream.name)))
    for batch in copy_ahead(iter(torch.arange(3.0)), CPU):
        assert not now, "the network works on its own stream"
        log.append(("work on", int(batch)))
    assert log == [
        *[("copied", 1), ("copied", 2), ("works waits for", 1), ("kept for", "works"), ("work on", 0)],
        *[("copied", 3), ("works waits for", 2), ("kept for", "works"), ("work on", 1)],
        *[("works waits for", 3), ("kept for", "works"), ("work on", 2)],
    ]
    assert list(copy_ahead(iter([]), CPU)) == []


def test_an_array_on_the_cpu_is_not_copied():
    array = samples()
    for storage in ("auto", "device"):
        assert to_storage(array, CPU, storage).data_ptr() == array.__array_interface__["data"][0]


@pytest.mark.parametrize(("free", "on_device"), [(2 * 23 * 60 * 4, True), (2 * 23 * 60 * 4 - 1, False)])
def test_a_gpu_takes_what_fits_half_of_its_memory(monkeypatch, free, on_device):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    for source in (samples(), OnDisk(samples())):
        assert fits_on_device(source, 23, torch.device("cuda")) == on_device


def test_where_samples_are_is_told_unless_it_goes_without_saying(capsys):
    array = samples()
    print_storage(as_tensor(array), array)
    assert capsys.readouterr().out == ""
    print_storage(HostRows(array, CPU), array)
    print_storage(HostRows(OnDisk(array), CPU), OnDisk(array))
    memory, disk = capsys.readouterr().out.splitlines()
    assert memory == "23 samples, 0.0 MiB of float32, in host memory, to cpu batch by batch"
    assert disk == "23 samples, 0.0 MiB of float32, on disk, to cpu batch by batch"


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["host", "disk", "loaded", "device"])
def test_batches_on_a_gpu(kind):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    array, cuda = samples(dtype=np.uint8), torch.device("cuda")
    source = OnDisk(array) if kind in ("disk", "loaded") else array
    rows = to_storage(source, cuda, "host" if kind in ("host", "disk") else "device")
    order = torch.randperm(23, generator=torch.Generator("cuda").manual_seed(0), device="cuda").cpu()
    batches = list(Batches(rows, 8, torch.Generator("cuda").manual_seed(0)))
    assert all(batch.device.type == "cuda" for batch in batches)
    np.testing.assert_array_equal(torch.cat(batches).cpu(), array[order[:21].numpy()])


@pytest.mark.gpu
def test_batches_on_a_gpu_are_not_overwritten_by_the_next_ones():
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    array = np.arange(64 * 2**16, dtype=np.float32).reshape(64, -1)
    a = torch.rand(2048, 2048, device="cuda")
    sums = []
    for batch in HostRows(array, torch.device("cuda")).batches(torch.arange(64), 4):
        for _ in range(8):
            a = (a @ a).clamp_(0, 1)  # which takes longer than a copy
        sums.append(batch.double().sum() + 0 * a[0, 0])
    wanted = array.reshape(16, -1).astype(np.float64).sum(1)
    np.testing.assert_allclose(torch.stack(sums).cpu(), wanted, rtol=1e-6)

"""Device and precision: chosen as asked; and places on GPUs, which worker processes claim."""

import multiprocessing
import os
import signal
import tempfile
import threading
import time

import pytest
import torch
from killed import in_child

from sklearn_twins._runtime import _devices
from sklearn_twins._runtime._devices import choose_device, choose_precision, claim_device, claim_slot

CPU = torch.device("cpu")


@pytest.mark.parametrize("device", ["cpu", CPU])
def test_device_is_as_asked(device):
    assert choose_device(device) == CPU


def test_auto_device_is_the_gpu_where_there_is_one(monkeypatch):
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


@pytest.mark.parametrize("device", ["gpu", "cpux", "", "cuda:99", "cuda:-1", "xla"])
def test_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=r"device=.* cannot be used here .*Use device='auto' or 'cpu'"):
        choose_device(device)


def test_default_device_of_the_caller_does_not_matter():
    torch.set_default_device("meta")
    try:
        assert choose_device("auto").type in ("cpu", "cuda")
        assert choose_device("cpu") == CPU
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize(("precision", "expected"), [("auto", None), ("float32", None), ("bfloat16", torch.bfloat16)])
def test_precision_on_the_cpu(precision, expected):
    assert choose_precision(precision, CPU) is expected


@pytest.mark.parametrize(("capability", "expected"), [((8, 0), torch.bfloat16), ((7, 5), None)])
def test_auto_precision_on_a_gpu(capability, expected, monkeypatch):
    """Cards before Ampere emulate bfloat16, slowly."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", torch.device("cuda")) is expected
    assert choose_precision("float32", torch.device("cuda")) is None


def test_fits_share_slots(tmp_path, monkeypatch):
    """Six at two resources with two slots each: first slots go first, further ones wait, all get one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spans, start = [], threading.Barrier(6)

    def claim():
        start.wait()
        with claim_slot(["a", "b"], 2) as number:
            begun = time.monotonic()
            time.sleep(0.3)
            spans.append((begun, time.monotonic(), number))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    spans.sort()
    assert len(spans) == 6 and {number for *_, number in spans} == {0, 1}
    for begun, _, number in spans:
        assert sum(number == other and s <= begun < e for s, e, other in spans) <= 2
    assert min(end for _, end, _ in spans) <= spans[4][0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # from Python 3.12 on
def test_a_killed_process_gives_its_slot_back(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def claim():
        with claim_slot(["a"], 1):
            (tmp_path / "claimed").touch()
            time.sleep(60)

    holder = in_child(claim)
    while not (tmp_path / "claimed").exists():
        time.sleep(0.01)
    assert len(list(tmp_path.rglob("*.lock"))) == 1
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    with claim_slot(["a"], 1) as number:
        assert number == 0


def test_one_process_claims_nothing(tmp_path, monkeypatch):
    """It has any device at once; so has a worker with a device of its own, or where there is no GPU."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for device in ("auto", "cpu"):
        with claim_device(device) as found:
            assert found == choose_device(device)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: True)
    with claim_device("cpu") as found:
        assert found == CPU
    assert list(tmp_path.iterdir()) == []


def test_a_worker_claims_the_gpu_that_is_free(tmp_path, monkeypatch, capsys):
    """Made believe that there are three GPUs and two of them visible: fits take turns among them, and say where."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(_devices, "choose_device", torch.device)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    with claim_device("auto", verbose=1) as a, claim_device("auto") as b, claim_device("auto") as c:
        assert [device.index for device in (a, b, c)] == [0, 1, 0]
        with claim_device("cuda:1") as mine:
            assert mine.index == 1
    with claim_device("auto") as again:
        assert again.index == 0
    assert "cuda:0, one of at most 2 fits there" in capsys.readouterr().out
    assert {path.name for path in tmp_path.rglob("*.lock")} <= {
        f"gpu-{gpu}-{place}.lock" for gpu in "02" for place in "01"
    }


def test_processes_that_train_together_have_a_gpu_each(monkeypatch):
    for name, value in {"RANK": 5, "WORLD_SIZE": 8, "MASTER_ADDR": "here", "MASTER_PORT": 1, "LOCAL_RANK": 5}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert _devices.own_gpu() == "cuda:1"
    monkeypatch.delenv("LOCAL_RANK")
    assert _devices.own_gpu() == "cuda"


def test_a_forked_process_is_told_of_another_start(monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, ...")

    monkeypatch.setattr(torch, "empty", refuse)
    with pytest.raises(ValueError, match="instead of forking them, as joblib's backend 'loky' does"):
        choose_device("cuda")

"""Device and precision: chosen as asked; and places on GPUs, which worker processes claim."""

import pytest
import torch

from sklearn_twins._devices import choose_device, choose_precision

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

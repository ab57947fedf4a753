"""Fixtures of the tests of images: a stand-in for timm, memory maps read as if they were large."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_twins._image import _preprocessor

NAMES = ["flat_net", "flat_net_large", "sized_net", "other"]


class FlatNet(nn.Module):
    """A network with timm's arguments, for images of any size; it flattens with `view`."""

    def __init__(self, in_chans=3, num_classes=1000):
        super().__init__()
        self.conv = nn.Conv2d(in_chans, 7, 1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(7, num_classes) if num_classes else nn.Identity()

    def forward(self, x):
        x = x.view(x.shape[0], x.shape[1], -1, 1)
        return self.head(self.drop(self.conv(x).mean((2, 3))))


class SizedNet(FlatNet):
    """A network that is made for images of one size."""

    def __init__(self, img_size=224, **params):
        super().__init__(**params)
        self.position = nn.Parameter(torch.randn(1, 1, *img_size))

    def forward(self, x):
        return super().forward(x + self.position)


@pytest.fixture
def timm(monkeypatch):
    """A module in timm's place, with a list of what it was asked for."""
    timm = types.ModuleType("timm")
    timm.asked = []

    def create_model(name, pretrained=False, **params):
        timm.asked.append({"name": name, "pretrained": pretrained, **params})
        if name == "other":
            raise TypeError("other trouble")
        if "." in name:
            raise RuntimeError("Invalid pretrained tag")
        return {"s": SizedNet}.get(name[0], FlatNet)(**params)

    timm.create_model = create_model
    timm.list_models = lambda: list(NAMES)
    timm.is_model = lambda name: name.partition(".")[0] in NAMES
    monkeypatch.setitem(sys.modules, "timm", timm)
    return timm


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """``mapped(array)``: the array in a memory map that stays on disk, as a large one does."""
    monkeypatch.setattr(_preprocessor, "MIN_MAPPED_BYTES", 1)

    def mapped(array):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    return mapped

"""No thread, no open file and no map is left behind, however a fit or a transform ends."""

import gc
import os
import sys
import threading
import warnings
from collections import Counter

import numpy as np
import pytest
from builders import pixels, save_images
from skorch.callbacks import Callback

from sklearn_twins._image import _preprocessor as _images
from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.preprocessing import ImagePreprocessor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.usefixtures("one_thread"),
]
images = pixels(24, 8, 8, 3)


def held():
    """Python threads, open files and mapped files of this process."""
    files = []
    for number in os.listdir("/proc/self/fd"):
        try:
            files.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # that of the list itself
            pass
    with open("/proc/self/maps", encoding="utf-8") as maps:
        mapped = {line.split(maxsplit=5)[5].strip() for line in maps if line.count(" ") > 5 and "/" in line}
    mapped = [f"map of {name}" for name in mapped if ".so" not in name]
    return threads() + Counter(files) + Counter(mapped)


def threads():
    """Names of the threads, and how often."""
    return Counter(thread.name for thread in threading.enumerate())


class Trip(Callback):
    """Raises an error in the middle of the second epoch."""

    def __init__(self, error):
        self.error, self.n = error, 0

    def on_batch_end(self, net, **kwargs):
        self.n += 1
        if self.n == 6:
            raise self.error


def check_held(before):
    """Nothing more is held than before, after a garbage collection if need be."""
    if held() - before:
        gc.collect()
        assert not held() - before  # things that others held may have gone


@pytest.fixture
def files(tmp_path):
    return save_images(tmp_path, images)


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """A map that stays on disk, as large ones do."""
    monkeypatch.setattr(_images, "MIN_MAPPED_BYTES", 0)
    np.save(tmp_path / "images.npy", images)
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.fixture
def sources(files, mapped):
    """What samples are made of -> X, and parameters."""
    of_images = {"modality": "image", "encoder": ConvNetEncoder(widths=(8,)), "batch_size": 6}
    lazy = ImagePreprocessor(max_decoded_bytes=0, n_jobs=3)
    return {
        "table": (np.random.default_rng(1).normal(size=(24, 5)), {"batch_size": 6}),
        "table, host": (np.random.default_rng(1).normal(size=(24, 5)), {"batch_size": 6, "storage": "host"}),
        "images": (images, of_images),
        "images, host": (images, {**of_images, "storage": "host"}),
        "files, decoded": (files, {**of_images, "preprocessor": ImagePreprocessor(n_jobs=3)}),
        "files": (files, {**of_images, "preprocessor": lazy, "early_stopping": True}),
        "files, device": (files, {**of_images, "preprocessor": lazy, "storage": "device"}),
        "map": (mapped, of_images),
        "map, device": (mapped, {**of_images, "storage": "device"}),
    }


NAMES = [f"{what}{where}" for what in ("table", "images") for where in ("", ", host")]
NAMES += ["files, decoded", "files", "files, device", "map", "map, device"]


@pytest.mark.parametrize(("name", "verbose"), [(name, 2 * (i % 2)) for i, name in enumerate(NAMES)])
def test_nothing_is_left(make, sources, name, verbose):
    X, params = sources[name]
    make(verbose=verbose, **params).fit(X).transform(X)  # loads what a process keeps
    before = held()
    embedder = make(verbose=verbose, **params).fit(X)
    embedder.transform(X)
    embedder.partial_fit(X)
    del embedder
    check_held(before)


@pytest.mark.parametrize(
    ("name", "error"), [*((name, KeyboardInterrupt) for name in NAMES), ("files", OSError), ("map", SystemExit)]
)
def test_nothing_is_left_by_an_error(make, sources, name, error):
    X, params = sources[name]
    make(**params).fit(X).transform(X)
    before = held()
    with pytest.raises(error) as caught:
        make(callbacks=[Trip(error)], **params).fit(X)
    assert not threads() - before, "even as long as the error is kept"
    del caught
    check_held(before)


def test_nothing_is_left_by_a_broken_file(make, sources, files):
    X, params = sources["files"]
    embedder = make(**params).fit(X)
    embedder.transform(X)
    before = held()
    files[7].write_bytes(b"nothing")
    for call in (embedder.transform, make(**params).fit, embedder.partial_fit):
        with pytest.raises(ValueError, match=r"X\[7\]=.*cannot be decoded"):
            call(X)
    check_held(before)


def test_nothing_is_left_by_what_is_skipped(make, sources, files):
    X, params = sources["files"]
    params = {**params, "preprocessor": ImagePreprocessor(on_broken="skip", max_decoded_bytes=0)}
    files[7].write_bytes(b"nothing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedder = make(**params).fit(X)
        embedder.transform(X)
        before = held()
        make(**params).fit(X).transform(X)
    check_held(before)

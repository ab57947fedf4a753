"""Files that vanish or change while in use: errors name file and row, nothing is half-fitted, no thread is left."""

import os
import threading
import time

import numpy as np
import pytest
from builders import pixels, save_images
from PIL import Image
from skorch.callbacks import Callback

from sklearn_twins._image import _image_files as _decoding
from sklearn_twins._image import _preprocessor as _images
from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.preprocessing import ImagePreprocessor

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
images = pixels(24, 8, 8, 3)


class At(Callback):
    """Does something before one epoch."""

    def __init__(self, epoch, change):
        self.epoch, self.change, self.n = epoch, change, 0

    def on_epoch_begin(self, net, **kwargs):
        self.n += 1
        if self.n == self.epoch:
            self.change()


@pytest.fixture
def lazy(make):
    """An embedder of images that stay in their files."""

    def lazy(**params):
        of_files = {"max_decoded_bytes": 0, "n_jobs": 2, **params.pop("of_files", {})}
        return make(
            modality="image",
            encoder=ConvNetEncoder(widths=(8,)),
            preprocessor=ImagePreprocessor(**of_files),
            max_epochs=3,
            batch_size=6,
            **params,
        )

    return lazy


@pytest.fixture
def paths(tmp_path):
    return save_images(tmp_path, images)


def replaced(path):
    """Another image in the place of one, as large, maybe at the same tick of a coarse clock."""
    size, mode = (8, 9) if path.name == "5.png" else (8, 8), "RGB"
    Image.new(mode, size, (1, 2, 3)).save(path)
    os.utime(path, ns=(0, time.time_ns() + 10**9))


CHANGES = {  # change of a file -> how to make it, words of the error
    "vanishes": (os.remove, "there is no such file"),
    "is replaced": (replaced, "it has changed"),
    "is cut": (lambda path: os.truncate(path, 40), "it has changed"),
    "becomes a directory": (lambda path: (os.remove(path), os.mkdir(path)), "it has changed"),
    "is touched": (lambda path: os.utime(path, ns=(0, time.time_ns() + 10**9)), "it has changed"),
}


@pytest.mark.parametrize(("what", "epoch"), [*zip(CHANGES, [1, 3, 1, 3, 1], strict=True)])
def test_a_file_before_an_epoch(lazy, paths, what, epoch):
    change, words = CHANGES[what]
    threads = set(threading.enumerate())
    embedder = lazy(callbacks=[At(epoch, lambda: change(paths[7]))])
    with pytest.raises(ValueError, match=r"^X\[7\]='.*7\.png'") as caught:
        embedder.fit(paths)
    assert words in str(caught.value) and "Leave files as they are" in str(caught.value)
    assert set(threading.enumerate()) <= threads
    assert not hasattr(embedder, "encoder_") and not hasattr(embedder, "preprocessor_")


@pytest.mark.parametrize(("what", "storage"), [*zip(CHANGES, ["auto", "device"] * 2 + ["auto"], strict=True)])
def test_a_file_between_two_passes(lazy, paths, monkeypatch, what, storage):
    """After all were read once, for their statistics, and before any training."""
    change, words = CHANGES[what]
    scan = _images.scan

    def scan_and_change(*args, **kwargs):
        found = scan(*args, **kwargs)
        change(paths[7])
        return found

    monkeypatch.setattr(_images, "scan", scan_and_change)
    embedder = lazy(storage=storage)
    with pytest.raises(ValueError, match=r"^X\[7\]='.*7\.png'.*" + words):
        embedder.fit(paths)
    assert not hasattr(embedder, "encoder_")


def test_a_file_between_its_header_and_its_image(lazy, paths, monkeypatch):
    """Sizes are read first, of all files."""
    find = _images.find_target

    def find_and_replace(*args, **kwargs):
        found = find(*args, **kwargs)
        replaced(paths[5])
        return found

    monkeypatch.setattr(_images, "find_target", find_and_replace)
    with pytest.raises(ValueError, match=r"^X\[5\]='.*5\.png': it is 9 x 8, the others 8 x 8"):
        lazy().fit(paths)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fitted_embedder_keeps_its_bits(lazy, paths, fingerprint, method):
    embedder = lazy(warm_start=True).fit(paths)
    before = fingerprint(embedder.set_params(max_epochs=6))
    embedder.set_params(callbacks=[At(1, lambda: os.remove(paths[7]))])
    with pytest.raises(ValueError, match=r"^X\[7\]='.*7\.png': there is no such file"):
        getattr(embedder, method)(paths)
    assert fingerprint(embedder) == before


def test_rows_are_those_of_x(lazy, paths):
    """Not those of the files that are left when broken ones have been skipped."""
    paths[3].write_bytes(b"nothing")
    embedder = lazy(of_files={"on_broken": "skip"}, callbacks=[At(2, lambda: os.remove(paths[7]))])
    with pytest.warns(UserWarning, match=r"the first is X\[3\]"):
        with pytest.raises(ValueError, match=r"^X\[7\]='.*7\.png': there is no such file"):
            embedder.fit(paths)


def test_between_fit_and_transform_files_may_change(lazy, paths):
    embedder = lazy().fit(paths)
    before = embedder.transform(paths)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(paths[7])
    changed = (embedder.transform(paths) != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [7]


def test_decoded_files_are_not_needed_again(lazy, paths):
    embedder = lazy(of_files={"max_decoded_bytes": 2**20}, callbacks=[At(1, lambda: [*map(os.remove, paths)])])
    assert embedder.fit(paths).n_iter_ == 3


def test_a_file_that_changes_while_transform_reads(lazy, paths, monkeypatch):
    embedder = lazy().fit(paths)
    decode, threads = _decoding.decode, set(threading.enumerate())

    def decode_and_remove(path, target):
        paths[23].unlink(missing_ok=True)  # several threads decode
        return decode(path, target)

    monkeypatch.setattr(_decoding, "decode", decode_and_remove)
    with pytest.raises(ValueError, match=r"^X\[23\]='.*23\.png': there is no such file"):
        embedder.transform(paths)
    assert set(threading.enumerate()) <= threads


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """``mapped(dtype, mode)``: a path, and a map of it that stays on disk, as large ones do."""
    monkeypatch.setattr(_images, "MIN_MAPPED_BYTES", 0)

    def mapped(dtype, mode="r"):
        np.save(tmp_path / "images.npy", images.astype(dtype))
        return tmp_path / "images.npy", np.load(tmp_path / "images.npy", mmap_mode=mode)

    return mapped


def write(path, value):
    """Write to one image of a file."""
    array = np.load(path, mmap_mode="r+")
    array[5] = value
    array.flush()


@pytest.mark.parametrize(("dtype", "epoch"), [(np.uint8, 1), (np.float32, 3), (np.float64, 1)])
def test_a_map_whose_file_is_cut(lazy, mapped, dtype, epoch):
    """To read on would end the process."""
    path, X = mapped(dtype)
    threads = set(threading.enumerate())
    embedder = lazy(of_files={}, callbacks=[At(epoch, lambda: os.truncate(path, 1_000))])
    with pytest.raises(ValueError, match=r"images\.npy', which has changed.* X\[\d+\]"):
        embedder.fit(X)
    assert set(threading.enumerate()) <= threads and not hasattr(embedder, "encoder_")
    with pytest.raises(ValueError, match=r"images\.npy', which has only 1,000 of"):
        embedder.fit(X)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_a_map_whose_file_is_written_to(lazy, mapped, dtype):
    path, X = mapped(dtype)
    embedder = lazy(callbacks=[At(2, lambda: write(path, 7))])
    with pytest.raises(ValueError, match=r"images\.npy', which has changed.*Leave the file alone"):
        embedder.fit(X)
    assert not hasattr(embedder, "encoder_")


@pytest.mark.parametrize(
    ("value", "dtype"), [(np.nan, np.float32), (np.inf, np.float64), (1e12, np.float32), (np.nan, np.float64)]
)
def test_a_map_that_is_written_to(lazy, mapped, dtype, value):
    """By the process itself, which cannot be distinguished from others; values that are no image are found."""
    _, X = mapped(dtype, "r+")

    def change():
        X[5] = value

    embedder = lazy(callbacks=[At(2, change)])
    with pytest.raises(ValueError, match=r"Input X .*images\.npy', in X\[5\]"):
        embedder.fit(X)
    assert not hasattr(embedder, "encoder_")


def test_a_map_that_goes_on_being_read(lazy, mapped):
    """A file that has lost its name is still there."""
    path, X = mapped(np.uint8)
    expected = lazy().fit(X).transform(X)
    embedder = lazy(callbacks=[At(2, lambda: os.remove(path))]).fit(X)
    np.testing.assert_array_equal(embedder.transform(X), expected)


def test_a_map_of_a_fitted_embedder(lazy, mapped, fingerprint):
    path, X = mapped(np.uint8)
    embedder = lazy().fit(X)
    before = fingerprint(embedder)
    os.truncate(path, 1_000)
    for call in (embedder.transform, embedder.fit, embedder.partial_fit, embedder.score):
        with pytest.raises(ValueError, match=r"images\.npy', which has only 1,000 of"):
            call(X)
    assert fingerprint(embedder) == before

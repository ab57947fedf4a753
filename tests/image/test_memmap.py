"""Memory maps: read a few images at a time, in any order, without keeping pages or losing changes."""

import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from sklearn_twins._image._memmap import MappedImages
from sklearn_twins._inputs._memory_maps import check_mapping, find_mapping


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, size=(40, 6, 5, 3), dtype=np.uint8))
    return path


def test_finds_the_map_behind_views(path):
    mapped = np.load(path, mmap_mode="r")
    for array in (
        mapped,
        mapped[3:].transpose(0, 3, 1, 2),
        np.asarray(mapped),
        np.asarray(mapped)[::2].reshape(20, -1),
    ):
        assert isinstance(find_mapping(array), mmap.mmap)
    assert find_mapping(np.array(mapped)) is None and find_mapping(np.zeros(3)[1:]) is None


def test_private_maps_are_left_alone(path):
    """Changes in them are in no file."""
    private = np.load(path, mmap_mode="c")
    private[2] = 7
    assert find_mapping(private) is None and find_mapping(private[1:]) is None
    images = MappedImages(private.transpose(0, 3, 1, 2))
    assert (images[np.array([2])] == 7).all() and (images[np.array([2])] == 7).all()


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("channels", ["last", "first"])
def test_reads_what_the_array_holds(path, mode, channels):
    """Into new arrays with the memory order of the map."""
    mapped = np.load(path, mmap_mode=mode)
    view = mapped.transpose(0, 3, 1, 2) if channels == "last" else mapped
    images = MappedImages(view)
    assert images.shape == view.shape and len(images) == 40 and images.dtype == np.uint8
    for index in [slice(3, 9), slice(None), np.array([5, 1, 1, 39, 0]), np.array([], dtype=int)]:
        found = images[index]
        np.testing.assert_array_equal(found, np.array(view)[index])
        assert type(found) is np.ndarray and found.base is None and not np.shares_memory(found, view)
        assert found.size == 0 or np.argsort(found.strides).tolist() == np.argsort(view.strides).tolist()


def test_converts_as_it_reads(path):
    images = MappedImages(np.load(path, mmap_mode="r")).convert(lambda part: part / np.float32(255), np.float32)
    assert images.dtype == np.float32 and images[slice(0, 2)].dtype == np.float32
    np.testing.assert_array_equal(images[np.array([4])], np.load(path)[4:5] / np.float32(255))


def test_changes_through_a_map_are_kept(path):
    mapped = np.load(path, mmap_mode="r+")
    mapped[3] = 200
    images = MappedImages(mapped)
    assert (images[np.array([3])] == 200).all() and (images[slice(3, 4)] == 200).all()
    mapped.flush()
    assert (np.load(path)[3] == 200).all()


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="Needs /proc/self/smaps to ask what is resident.")
def test_pages_are_given_back(tmp_path):
    path = tmp_path / "large.npy"
    np.save(path, np.ones((64, 1024, 256), dtype=np.uint8))

    def resident():
        lines = Path("/proc/self/smaps").read_text().splitlines()
        start = next(i for i, line in enumerate(lines) if line.endswith(str(path)))
        return next(int(line.split()[1]) for line in lines[start:] if line.startswith("Rss:"))

    mapped = np.load(path, mmap_mode="r")
    mapped.max()
    assert resident() > 16_000  # kB, all of it
    images = MappedImages(mapped[:, None])
    images[np.array([7, 3])]
    assert resident() < 1_000
    images[slice(0, 8)]
    assert resident() < 1_000


def test_memory_of_no_file():
    """Memory that processes share."""
    array = np.frombuffer(mmap.mmap(-1, 480), dtype=np.uint8).reshape(10, 4, 4, 3)
    assert check_mapping(array) is not None
    images = MappedImages(array.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(images[np.array([3, 1])], array.transpose(0, 3, 1, 2)[[3, 1]])


def test_a_file_that_has_become_shorter(path):
    mapped = np.load(path, mmap_mode="r")
    images = MappedImages(mapped.transpose(0, 3, 1, 2))
    assert check_mapping(mapped[3:]) is images.mapping
    os.truncate(path, 500)
    with pytest.raises(ValueError, match=r"images.npy'.* only 500 of [\d,]+ bytes.*left"):
        check_mapping(mapped[3:])
    with pytest.raises(ValueError, match=r"images.npy', which has changed.* X\[7\]"):
        images[np.array([9, 7])]

"""Images in a memory map that stay on disk and are read a few at a time."""

import mmap
import os

import numpy as np

from .._inputs._memory_maps import describe_file, find_mapping, find_path, read_file_size
from ._intensities import UnusableImageError

IMAGES_AT_A_TIME = 16  # the system may load up to 2 MiB of the file for each


def copy_array(array):
    """Copy an array and keep its memory order."""
    return np.array(array, order="K", subok=False)


class MappedImages:
    """Images in a memory map, converted as they are read.

    The pages that were read are released at once, so that a process that reads all images in random order holds only a
    few of them in memory.

    Reading fails if the file has become shorter or, for a read-only map, was modified in the meantime.

    Parameters
    ----------
    array : ndarray of shape (n, channels, height, width)
        A view of a memory map.
    conversion : callable, default=None
        Function that converts a few images to samples; None to take them as they are.
    dtype : numpy.dtype, default=None
        Type of the samples; None for the type of the array.
    """

    def __init__(self, array, conversion=None, dtype=None):
        self.array, self.conversion = array, conversion
        self.shape, self.dtype = array.shape, np.dtype(array.dtype if dtype is None else dtype)
        self.mapping = find_mapping(array)
        self.stamp = self._read_stamp()

    def convert(self, conversion, dtype):
        """Make the same images with another conversion."""
        images = MappedImages(self.array, conversion, dtype)
        images.stamp = self.stamp
        return images

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """Read some samples into a new array.

        Parameters
        ----------
        index : slice or ndarray of int
            Indices of the samples, which are read in the order of the file.

        Returns
        -------
        samples : ndarray of shape (rows, channels, height, width)
        """
        index = np.arange(len(self))[index]
        order = np.argsort(index, kind="stable")
        images = np.empty_like(self.array, shape=(len(index), *self.shape[1:]), subok=False)  # keeps the memory order
        for start in range(0, len(index), IMAGES_AT_A_TIME):
            part = order[start : start + IMAGES_AT_A_TIME]
            self._check(index[part[0]])
            images[part] = self.array[index[part]]
            if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
                self.mapping.madvise(mmap.MADV_DONTNEED)
        if len(index):
            self._check(index[order[-1]])
        try:
            return images if self.conversion is None else self.conversion(images)
        except UnusableImageError as error:
            raise error.at(index, f", mapped from {describe_file(self.array)}") from None

    def raw_blocks(self):
        """Iterate over the images as they are in the file, a few at a time."""
        plain = MappedImages(self.array)
        plain.stamp = self.stamp
        return (plain[start : start + IMAGES_AT_A_TIME] for start in range(0, len(self), IMAGES_AT_A_TIME))

    def _read_stamp(self):
        """Read length and modification time of the file; None if they are unknown."""
        if self.mapping is None:
            return None
        path = None if self.array.flags.writeable else find_path(self.array)
        try:
            written = None if path is None else os.stat(path).st_mtime_ns
        except OSError:  # a file without a name can still be read
            written = None
        return read_file_size(self.mapping), written

    def _check(self, row):
        """Refuse to read on if the file has changed."""
        now = self._read_stamp()
        if now is None or now == self.stamp:
            return
        (length, written), (length_now, written_now) = self.stamp, now
        if length_now < length or None not in (written, written_now):
            raise ValueError(
                f"X is mapped from {describe_file(self.array)}, which has changed since it was opened, perhaps in "
                f"X[{row}]. Leave the file alone until X is no longer in use, and open it again."
            )

"""Images that stay on disk, in an array mapped from a file, and are read a few at a time."""

import mmap
import os

import numpy as np

from .._inputs._memory_maps import bytes_of, file_of, mapping_of, path_of
from ._intensities import UnfitImage

IMAGES_AT_A_TIME = 16  # for each of which the system may map as much as 2 MiB of the file


def copied(array):
    """An array of its own, axes in the order that they have in memory."""
    return np.array(array, order="K", subok=False)


class MappedImages:
    """Images of an array that is mapped from a file, converted as they are read.

    What has been read is given back to the system at once, which keeps it as long as it likes: a process that reads
    every image in random order holds no more than a few of them.

    A file that is shorter than it was, or, where the map is read-only, was written to meanwhile, is an error.

    Parameters
    ----------
    array : ndarray of shape (n, channels, height, width)
        A view of a memory map.
    convert : callable, default=None
        What makes samples of a few images; None takes them as they are.
    dtype : numpy.dtype, default=None
        Of the samples; None is that of the array.
    """

    def __init__(self, array, convert=None, dtype=None):
        self.array, self.convert = array, convert
        self.shape, self.dtype = array.shape, np.dtype(array.dtype if dtype is None else dtype)
        self.mapping = mapping_of(array)
        self.stamp = self._look()

    def converted(self, convert, dtype):
        """The same images, converted otherwise."""
        images = MappedImages(self.array, convert, dtype)
        images.stamp = self.stamp
        return images

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """A few samples, as an array of their own.

        Parameters
        ----------
        index : slice or ndarray of int
            Which ones; they are read in the order of the file.

        Returns
        -------
        samples : ndarray of shape (rows, channels, height, width)
        """
        index = np.arange(len(self))[index]
        order = np.argsort(index, kind="stable")
        images = np.empty_like(self.array, shape=(len(index), *self.shape[1:]), subok=False)  # memory order is kept
        for start in range(0, len(index), IMAGES_AT_A_TIME):
            part = order[start : start + IMAGES_AT_A_TIME]
            self._check(index[part[0]])
            images[part] = self.array[index[part]]
            if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
                self.mapping.madvise(mmap.MADV_DONTNEED)
        if len(index):
            self._check(index[order[-1]])
        try:
            return images if self.convert is None else self.convert(images)
        except UnfitImage as error:
            raise error.at(index, f", mapped from {file_of(self.array)}") from None

    def _look(self):
        """Length of the file, and when it was last written to; None where that is not to be known."""
        if self.mapping is None:
            return None
        path = None if self.array.flags.writeable else path_of(self.array)
        try:
            written = None if path is None else os.stat(path).st_mtime_ns
        except OSError:  # a file that has lost its name can still be read
            written = None
        return bytes_of(self.mapping), written

    def _check(self, row):
        """Refuse to read on where the file is no longer what it was."""
        now = self._look()
        if now is None or now == self.stamp:
            return
        (length, written), (length_now, written_now) = self.stamp, now
        if length_now < length or None not in (written, written_now):
            raise ValueError(
                f"X is mapped from {file_of(self.array)}, which has changed since it was first looked at, and X[{row}] "
                "with it, maybe. Leave the file alone until X is no longer in use, and open it again."
            )

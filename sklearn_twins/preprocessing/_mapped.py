"""Images that stay on disk, in an array mapped from a file, and are read a few at a time."""

import mmap

import numpy as np

IMAGES_AT_A_TIME = 16  # for each of which the system may map as much as 2 MiB of the file


def mapping_of(array):
    """The memory map that an array is a view of.

    Parameters
    ----------
    array : ndarray
        Of any kind.

    Returns
    -------
    mapping : mmap.mmap or None
        None if there is none, or if it is a private one, whose changes are in no file.
    """
    private = False
    while array is not None and not isinstance(array, mmap.mmap):
        private |= getattr(array, "mode", None) == "c"
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return None if private else array


class MappedImages:
    """Images of an array that is mapped from a file, converted as they are read.

    What has been read is given back to the system at once, which keeps it as long as it likes: a process that reads
    every image in random order holds no more than a few of them.

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

    def converted(self, convert, dtype):
        """The same images, converted otherwise."""
        return MappedImages(self.array, convert, dtype)

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
            images[part] = self.array[index[part]]
            if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
                self.mapping.madvise(mmap.MADV_DONTNEED)
        return images if self.convert is None else self.convert(images)

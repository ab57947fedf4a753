"""Pictures in files or in memory, decoded by parallel threads: when they are needed, or all at once."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np

from .._runtime._progress_bar import with_progress
from ._intensities import Statistics
from ._pillow import BrokenFileError, decode
from ._sources import describe_source

FILES_AT_A_TIME = 256
WORDS = "decoding", "images", "decoded"


class ImageFiles:
    """Pictures that are decoded when they are indexed.

    Parameters
    ----------
    sources : list of (str, bytes or PIL image)
        Paths of files, encoded images or pictures.
    target : Target
        What they are brought to.
    blank : tuple of number or None
        Colour of the blank image that replaces a broken file; None if a broken file is an error.
    n_threads : int
        Number of threads that decode.
    rows : list of int, default=None
        Row of X of each source; None if the sources are all rows of X in order.
    conversion : callable, default=None
        Function that converts decoded images to samples; None to take them as they are.
    dtype : numpy.dtype, default=None
        Type of the samples; None for the type of the decoded images.

    Notes
    -----
    A file that is read again must have the same size and modification time as before.
    """

    def __init__(self, sources, target, blank, n_threads, rows=None, conversion=None, dtype=None):
        self.sources, self.target, self.blank, self.n_threads = sources, target, blank, n_threads
        self.rows = range(len(sources)) if rows is None else rows
        self.seen = np.zeros((len(sources), 2), dtype=np.int64)  # size and modification time; 0 before a file is read
        height, width, channels = target.sample_shape
        self.shape = (len(sources), channels, height, width)
        self.conversion, self.dtype = conversion, np.dtype(target.dtype if dtype is None else dtype)
        self.nbytes = len(sources) * channels * height * width * self.dtype.itemsize

    def __len__(self):
        return len(self.sources)

    def __getitem__(self, index):
        """Decode some images.

        Parameters
        ----------
        index : slice or ndarray of int
            Indices of the images.

        Returns
        -------
        images : ndarray of shape (rows, channels, height, width)

        Raises
        ------
        ValueError
            If a file is broken and `blank` is None.
        """
        images, broken = self.read(index)
        for i, error in broken.items():
            problem = f"{self.describe(i)}: {error}"
            if self.blank is None and self.seen[i].any():
                raise ValueError(
                    f"{problem}, but it was read before. Leave files as they are until training ends."
                ) from error
            if self.blank is None:
                raise ValueError(f"{problem}. Remove it, or set preprocessor__on_broken='skip'.") from error
            warnings.warn(f"{problem}. A blank image replaces it.", UserWarning, stacklevel=2)
        return images if self.conversion is None else self.conversion(images)

    def describe(self, i):
        """Describe the source with the index i for a message, by its row of X."""
        return f"X[{self.rows[i]}]={describe_source(self.sources[i])}"

    def raw_blocks(self):
        """Iterate over the sources' bytes, undecoded, each after their number; a file that is missing has none."""
        for content in map(read_bytes, self.sources):
            yield from (len(content).to_bytes(8, "little"), content)

    def select(self, indices):
        """Select some of the files, with the sizes and times seen so far."""
        sources, rows = [self.sources[i] for i in indices], [self.rows[i] for i in indices]
        files = ImageFiles(sources, self.target, self.blank, self.n_threads, rows)
        files.seen = self.seen[indices]
        return files

    def convert(self, conversion, dtype):
        """Make the same images with a conversion."""
        files = ImageFiles(self.sources, self.target, self.blank, self.n_threads, self.rows, conversion, dtype)
        files.seen = self.seen
        return files

    def read(self, index):
        """Decode some images, and collect the errors of broken files.

        Parameters
        ----------
        index : slice or ndarray of int
            Indices of the images.

        Returns
        -------
        images : ndarray of shape (rows, channels, height, width)
            Not converted; blank where the file is broken.
        broken : dict of int to BrokenFileError
            Errors, by the index of their source.

        Raises
        ------
        MemoryError
            If memory is short.
        """
        indices = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        images, broken = np.empty((len(indices), *self.target.sample_shape), dtype=self.target.dtype), {}

        def read_one(row, i):
            try:
                stamp = read_stamp(self.sources[i])
                if self.seen[i].any() and any(stamp) and tuple(self.seen[i]) != stamp:
                    raise BrokenFileError("it has changed")
                images[row] = decode(self.sources[i], self.target)
                self.seen[i] = stamp
            except BrokenFileError as error:
                images[row] = 0 if self.blank is None else self.blank
                broken[i] = error
            except MemoryError as error:
                raise MemoryError(f"{self.describe(i)}: memory is too short to decode it. {error}") from error

        with ThreadPoolExecutor(self.n_threads) as pool:
            list(pool.map(read_one, range(len(indices)), indices))
        return images.transpose(0, 3, 1, 2), dict(sorted(broken.items()))


def read_bytes(source):
    """Read the bytes of a source: of a file, of an encoded image, or of a picture with what belongs to its pixels."""
    if isinstance(source, bytes):
        return source
    if not isinstance(source, str):
        form = source.mode, source.size, source.getpalette(), source.info.get("transparency")
        return repr(form).encode() + source.tobytes()
    try:
        return Path(source).read_bytes()
    except OSError:
        return b""


def read_stamp(source):
    """Read size and modification time of a file; zeros if there is none, for which `decode` has a better message."""
    if not isinstance(source, str):
        return 0, 0
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns


def iterate_blocks(files, verbose):
    """Iterate over slices that cover all files, with progress as `verbose` asks; close it in the end."""
    n = len(files)
    blocks = [slice(first, min(first + FILES_AT_A_TIME, n)) for first in range(0, n, FILES_AT_A_TIME)]
    return closing(with_progress(blocks, FILES_AT_A_TIME, n, int(verbose), WORDS))


def decode_all(files, verbose):
    """Decode all files.

    Parameters
    ----------
    files : ImageFiles
        The files.
    verbose : int
        Whether to show progress.

    Returns
    -------
    images : ndarray of shape (n, channels, height, width)
    """
    images = np.empty((len(files), *files.target.sample_shape), dtype=files.dtype).transpose(0, 3, 1, 2)
    with iterate_blocks(files, verbose) as blocks:
        for rows in blocks:
            images[rows] = files[rows]
    return images


def scan(files, verbose, *, max_bytes, skip):
    """Decode every file once, before training.

    Parameters
    ----------
    files : ImageFiles
        All files.
    verbose : int
        Whether to show progress.
    max_bytes : int
        Up to this size, the decoded images are kept.
    skip : bool
        Whether broken files are left out with a warning, or are an error.

    Returns
    -------
    samples : ndarray or ImageFiles of shape (n, channels, height, width)
        Images of the files that are not broken; to be decoded again if they are too large to keep.
    statistics : Statistics
        Statistics of these images.

    Raises
    ------
    ValueError
        If a file is broken, unless `skip`; or if all files are broken.
    """
    keep = files.nbytes <= max_bytes
    statistics, good, broken, kept = Statistics(), [], {}, []
    with iterate_blocks(files, verbose) as blocks:
        for rows in blocks:
            images, errors = files.read(rows) if skip else (files[rows], {})
            broken |= errors
            fine = [i for i in range(rows.start, rows.stop) if i not in errors]
            images = images[np.array(fine, dtype=int) - rows.start] if errors else images
            good += fine
            if len(images):
                statistics.add(images)
            if keep:
                kept.append(images)
    if broken:
        first, error = next(iter(broken.items()))
        problem = f"{len(broken)} of the {len(files)} files of X cannot be used, the first is {files.describe(first)}"
        problem = f"{problem}: {error}."
        if not good:
            raise ValueError(f"{problem} Give paths of image files.")
        warnings.warn(f"{problem} They are left out.", UserWarning, stacklevel=2)
    return concatenate(kept, files.target) if keep else files.select(good), statistics


def concatenate(parts, target):
    """Concatenate blocks of images, and free each block as soon as it is copied."""
    images = np.empty((sum(map(len, parts)), *target.sample_shape), dtype=target.dtype).transpose(0, 3, 1, 2)
    start = len(images)
    while parts:
        part = parts.pop()
        images[start - len(part) : start] = part
        start -= len(part)
    return images

"""Images that stay in their files and are decoded in parallel threads: when they are needed, or all at once."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np

from .._runtime._progress_bar import with_progress
from ._intensities import Statistics
from ._pillow import BrokenFile, decode

FILES_AT_A_TIME = 256
WORDS = "decoding", "images", "decoded"


class ImageFiles:
    """Images in files, decoded when they are asked for.

    Parameters
    ----------
    paths : list of str
        One for each image.
    target : Target
        What each is brought to.
    blank : tuple of int or None
        Colour of the blank image that stands for a broken file; None if a broken file is an error.
    n_threads : int
        Threads that decode.
    rows : list of int, default=None
        Which of X each path is; None for all in their order.

    Notes
    -----
    A file that is read again has to be the one that was read before: the same size, written at the same time.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths, target, blank, n_threads, rows=None):
        self.paths, self.target, self.blank, self.n_threads = paths, target, blank, n_threads
        self.rows = range(len(paths)) if rows is None else rows
        self.seen = np.zeros((len(paths), 2), dtype=np.int64)  # size and time, 0 of a file not yet read
        height, width, channels = target.sample_shape
        self.shape = (len(paths), channels, height, width)
        self.nbytes = len(paths) * channels * height * width

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        """A few images.

        Parameters
        ----------
        index : slice or ndarray of int
            Which ones.

        Returns
        -------
        images : ndarray of shape (rows, channels, height, width), uint8

        Raises
        ------
        ValueError
            If a file is broken, and none stands for it.
        """
        images, broken = self.read(index)
        for i, error in broken.items():
            what = f"X[{self.rows[i]}]={self.paths[i]!r}: {error}"
            if self.blank is None and self.seen[i].any():
                raise ValueError(
                    f"{what}, and was read before. Leave files as they are until training ends."
                ) from error
            if self.blank is None:
                raise ValueError(f"{what}. Remove it, or set preprocessor__on_broken='skip'.") from error
            warnings.warn(f"{what}. A blank image stands for it.", UserWarning, stacklevel=2)
        return images

    def chosen(self, numbers):
        """Some of these files, as they were seen."""
        paths, rows = [self.paths[i] for i in numbers], [self.rows[i] for i in numbers]
        files = ImageFiles(paths, self.target, self.blank, self.n_threads, rows)
        files.seen = self.seen[numbers]
        return files

    def read(self, index):
        """A few images, and what is wrong with those that are broken.

        Parameters
        ----------
        index : slice or ndarray of int
            Which ones.

        Returns
        -------
        images : ndarray of shape (rows, channels, height, width), uint8
            Blank where broken.
        broken : dict of int to BrokenFile
            By their place in `paths`.
        """
        numbers = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        images, broken = np.empty((len(numbers), *self.target.sample_shape), dtype=np.uint8), {}

        def read_one(row, i):
            try:
                stamp = stamp_of(self.paths[i])
                if self.seen[i].any() and any(stamp) and tuple(self.seen[i]) != stamp:
                    raise BrokenFile("it has changed")
                images[row] = decode(self.paths[i], self.target)
                self.seen[i] = stamp
            except BrokenFile as error:
                images[row] = 0 if self.blank is None else self.blank
                broken[i] = error

        with ThreadPoolExecutor(self.n_threads) as pool:
            list(pool.map(read_one, range(len(numbers)), numbers))
        return images.transpose(0, 3, 1, 2), dict(sorted(broken.items()))


def stamp_of(path):
    """Size of a file, and when it was written; zeros if there is none, which `decode` says better."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns


def blocks(files, owner):
    """Slices that cover all files, with a bar or lines as `owner.verbose` asks; to be closed."""
    n = len(files)
    parts = [slice(first, min(first + FILES_AT_A_TIME, n)) for first in range(0, n, FILES_AT_A_TIME)]
    return closing(with_progress(parts, FILES_AT_A_TIME, n, int(getattr(owner, "verbose", 0)), WORDS))


def decode_all(files, owner):
    """All images of files.

    Parameters
    ----------
    files : ImageFiles
        Which say what is to be done about broken ones.
    owner : estimator
        Who asks, and says how much is shown.

    Returns
    -------
    images : ndarray of shape (n, channels, height, width), uint8
    """
    images = np.empty((len(files), *files.target.sample_shape), dtype=np.uint8).transpose(0, 3, 1, 2)
    with blocks(files, owner) as parts:
        for rows in parts:
            images[rows] = files[rows]
    return images


def scan(files, owner, *, keep, skip):
    """Decode every file once, before any training.

    Parameters
    ----------
    files : ImageFiles
        All of them.
    owner : estimator
        Who asks, and says how much is shown.
    keep : bool
        Whether to keep the images.
    skip : bool
        Whether broken files are left out, with a warning, or an error.

    Returns
    -------
    files : ImageFiles
        Those that are not broken.
    statistics : Statistics
        Of their images.
    images : ndarray of shape (n, channels, height, width), uint8
        Or None, unless `keep`.

    Raises
    ------
    ValueError
        If a file is broken, unless `skip`; or if all are.
    """
    statistics, good, broken, kept = Statistics(), [], {}, []
    with blocks(files, owner) as parts:
        for rows in parts:
            images, found = files.read(rows) if skip else (files[rows], {})
            broken |= found
            fine = [i for i in range(rows.start, rows.stop) if i not in found]
            images = images[np.array(fine, dtype=int) - rows.start] if found else images
            good += fine
            if len(images):
                statistics.add(images)
            if keep:
                kept.append(images)
    if broken:
        first, error = next(iter(broken.items()))
        what = (
            f"{len(broken)} of the {len(files)} files of X cannot be used, the first is "
            f"X[{first}]={files.paths[first]!r}: {error}."
        )
        if not good:
            raise ValueError(f"{what} Give paths of image files.")
        warnings.warn(f"{what} They are left out.", UserWarning, stacklevel=2)
    files = files.chosen(good)
    return files, statistics, join(kept, files.target.sample_shape) if keep else None


def join(parts, sample_shape):
    """Blocks of images one behind the other, each given up as it is copied."""
    images = np.empty((sum(map(len, parts)), *sample_shape), dtype=np.uint8).transpose(0, 3, 1, 2)
    start = len(images)
    while parts:
        part = parts.pop()
        images[start - len(part) : start] = part
        start -= len(part)
    return images

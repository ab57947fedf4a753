"""Checkpoints: the state of a running fit on disk, so that a killed fit can resume to the same result."""

import contextlib
import os
import time
import warnings
from pathlib import Path

import numpy as np

from .._exceptions import UnreadableFileError
from .._parts._stored_state import is_array, is_dict, is_int, is_tensor, require
from .._runtime._digest import IndistinctError, digest, digest_blocks
from .._version import __version__
from ._consistency import check_items
from ._deferred_signals import HeldSignals
from ._json_codec import Decoder, Encoder, shortened
from ._safetensors import read_tensors, write_tensors

FORMAT = "sklearn_twins.checkpoint"
# Parameters that do not change a fit's result, or may differ when it is resumed.
NOT_IN_FINGERPRINT = ("callbacks", "checkpoint", "checkpoint_minutes", "compile", "device", "storage", "verbose")
HASHED_AT_A_TIME = 2**24  # bytes of the samples
# Predicates of the items of a state; `Training.resume` compares them with the run.
STATE = {
    "seed": is_int(),
    "module": is_dict(is_tensor),
    "optimizer": lambda value: type(value) is dict and value.keys() == {"state", "param_groups"},
    "generators": is_dict(is_array(np.uint8)),
    "n_epochs": is_int(1),
    "stopping": lambda value: type(value) is dict,
    "rows": lambda value: type(value) is list and all(type(row) is dict for row in value),
    "device": lambda value: isinstance(value, str),
}


def open_checkpoint(path, digest, minutes, seed=None):
    """Open the checkpoint of a fit, and load what an earlier run of the same fit has saved there.

    Parameters
    ----------
    path : str or path-like
        Directory of checkpoints.
    digest : str
        The fit's fingerprint.
    minutes : float
        Minimum minutes between two checkpoints.
    seed : int or None, default=None
        Seed that the fit must have; None if each run draws another one.

    Returns
    -------
    checkpoint : Checkpoint
    saved : dict or None

    Raises
    ------
    ValueError
        If the directory cannot be written to, or no file of this fit can be read.
    """
    checkpoint = Checkpoint(check_directory(path), digest, minutes)
    return checkpoint, checkpoint.load(seed)


def check_directory(path):
    """Check the directory of checkpoints, and create it if necessary.

    Raises
    ------
    ValueError
        If it is a file, or cannot be written to.
    """
    directory = Path(path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        writable = os.access(directory, os.W_OK | os.X_OK)
    except OSError as error:
        raise ValueError(f"checkpoint={str(path)!r} must be a directory, or can be made one. Got: {error}.") from error
    if not writable:
        raise ValueError(f"checkpoint={str(path)!r} is a directory that cannot be written to. Use another one.")
    return directory


def fingerprint(estimator, before, samples, spec):
    """Digest everything a fit's result depends on: parameters, rows, and the fit it continues. The same in any process.

    Parameters
    ----------
    estimator : estimator
        Its class and parameters count.
    before : object
        State of the fit that this one continues, if any.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        Every byte counts, at about 1 GB per second. Lazy samples are read once, unless they have the method
        ``raw_blocks()``, which returns what they are read from as an iterable of arrays or bytes.
    spec : SampleSpec
        Spec of the samples.

    Returns
    -------
    digest : str

    Raises
    ------
    TypeError
        If a parameter holds something that cannot be told from others by its content.
    """
    parts = {**estimator.get_params(deep=False), "warm_start": before, "class": type(estimator)}
    digests = {}
    for name in sorted(parts.keys() - set(NOT_IN_FINGERPRINT)):
        try:
            digests[name] = digest(parts[name])
        except IndistinctError as error:
            raise TypeError(
                f"checkpoint={str(estimator.checkpoint)!r} needs parameters whose content can be read, so that no fit "
                f"goes on from another one's checkpoint. But {name}={shortened(parts[name])} holds {error}. Use "
                "checkpoint=None, or a function or module that does not refer to such objects."
            ) from error
    return digest((digests, spec, digest_samples(samples)))


def digest_samples(samples):
    """Digest the shape, the type and every byte of samples; see `fingerprint`."""
    rows = digest_blocks(samples.raw_blocks() if hasattr(samples, "raw_blocks") else iterate_blocks(samples))
    return digest((samples.shape, str(samples.dtype), rows))


def iterate_blocks(samples):
    """Iterate over samples in blocks of a few MiB."""
    n_bytes = max(1, int(np.prod(samples.shape[1:])) * samples.dtype.itemsize)
    step = max(1, HASHED_AT_A_TIME // n_bytes)
    for start in range(0, len(samples), step):
        yield samples[start : start + step]


NO_CHECKPOINT = "It is no checkpoint of a fit."


def check_format(metadata):
    """Refuse other files before their arrays are read."""
    if metadata.get("format") != FORMAT:
        raise UnreadableFileError(NO_CHECKPOINT)


def unusable(what):
    """Make the error for a fit whose checkpoint cannot be used."""
    return UnreadableFileError(
        f"The checkpoint of this fit cannot be used ({what[:1000]}). Remove the file to begin anew."
    )


class Checkpoint:
    """Checkpoint of one fit: a file in a directory, and the file before it.

    As a context it defers signals, so that training stops between two batches, with the finished epochs on disk.

    Parameters
    ----------
    directory : Path
        Where the file is; its name is the fingerprint.
    digest : str
        The fit's fingerprint.
    minutes : float
        Minimum minutes between two checkpoints.
    """

    def __init__(self, directory, digest, minutes):
        self.digest, self.seconds = digest, 60 * minutes
        self.path, self.previous = (directory / f"{digest}.{kind}" for kind in ("checkpoint", "previous"))
        self.signals, self.last = HeldSignals(), time.monotonic()
        self.seed, self.state, self._failed, self._loaded = None, lambda: None, False, None

    def follow(self, seed, state):
        """Save this run from now on.

        Parameters
        ----------
        seed : int
            The fit's seed.
        state : callable
            Without arguments, returns what is to be saved next to it: a dict of arrays, numbers and strings; None if
            there is nothing yet.
        """
        self.seed, self.state = seed, state

    def __enter__(self):
        self.signals.__enter__()
        return self

    def __exit__(self, *error):
        self.stop()

    @property
    def is_due(self):
        """Whether it is time to save."""
        return not 0 <= time.monotonic() - self.last < self.seconds  # a clock that went back tells nothing

    def load(self, seed=None):
        """Load what was saved last, or before, if the last file cannot be read; None if there is no file.

        Parameters
        ----------
        seed : int or None, default=None
            Seed that it must have; None for any.

        Returns
        -------
        saved : dict or None

        Raises
        ------
        UnreadableFileError
            If there are files, and none can be read.
        """
        failures = []
        for path in (self.path, self.previous):
            try:
                saved = self._read(path, seed)
            except FileNotFoundError:
                continue
            except UnreadableFileError as error:
                failures.append(f"{str(path)!r}: {error}")
                continue
            if failures:
                warnings.warn(
                    f"A checkpoint cannot be used ({failures[0]}). The fit goes on from the one before it.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._loaded = path
            return saved
        if failures:
            raise unusable("; ".join(failures))
        return None

    def resume(self, resume, saved):
        """Call ``resume(saved)`` with what `load` returned; its errors name the file.

        Raises
        ------
        UnreadableFileError
            If the content of the file does not fit the run.
        """
        try:
            resume(saved)
        except UnreadableFileError as error:
            raise unusable(f"{str(self._loaded)!r}: {error}") from error

    def _read(self, path, seed):
        try:
            return self._parse(*read_tensors(path, check_format), seed)
        except (FileNotFoundError, UnreadableFileError):
            raise
        except (LookupError, OSError, TypeError, ValueError) as error:
            raise UnreadableFileError(f"It cannot be read ({type(error).__name__}: {error}).") from error

    def _parse(self, tensors, metadata, seed):
        if not {"fit", "version", "state"} <= metadata.keys():
            raise UnreadableFileError(NO_CHECKPOINT)
        if metadata["fit"] != self.digest:
            raise UnreadableFileError("It belongs to another fit: other parameters, or other rows.")
        if metadata["version"] != __version__:
            raise UnreadableFileError(f"sklearn_twins {metadata['version']} wrote it, and this is {__version__}.")
        decoder = Decoder({}, tensors, None)
        state = decoder.from_json(metadata["state"])
        decoder.finish()
        check_items("its state", state, STATE)
        require(seed in (None, state["seed"]), "its state is of another seed")
        return state

    def save(self):
        """Save the state. If that fails, training continues, and the caller is warned once."""
        self.last, state = time.monotonic(), self.state()
        if state is None:
            return
        try:
            encoder = Encoder({})
            text = encoder.to_json({"seed": self.seed, **state})
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path, self.previous)
            metadata = {"format": FORMAT, "fit": self.digest, "version": __version__, "state": text}
            write_tensors(self.path, encoder.tensors, metadata)
        except (OSError, TypeError, ValueError) as error:
            if not self._failed:
                warnings.warn(
                    f"No checkpoint could be written to {str(self.path)!r} ({error}). Training goes on without.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._failed = True

    def stop(self):
        """Save, and let a deferred signal take effect; do nothing if there is none."""
        if self.signals.noted is not None:
            self.save()
        self.signals.deliver()

    def remove(self):
        """Remove the files after the fit has ended."""
        for path in (self.path, self.previous):
            with contextlib.suppress(OSError):
                path.unlink()

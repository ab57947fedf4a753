"""X as a collection of clips: arrays in memory, lists of arrays of unequal length, or paths of sound files."""

import os
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from .._inputs._containers import as_frame, check_container
from .._inputs._messages import show
from .._inputs._signals import as_numbers, named_errors, refuse_dates, refuse_no_signals, unwrap_column
from .._parts._stored_state import shorten

WANTED = "a list of clips, arrays (n, samples) or (n, channels, samples), or a list of paths"
NO_GAPS = "Audio has no gaps: cut it out, or set it to 0."
COLUMNS = "In a frame, clips or paths stand in one column: give X[column]."
# Integers are fractions of the largest one, from the middle of all; bytes are unsigned, as in WAV files.
WHITE = {np.dtype(np.int16): (2.0**15, 0), np.dtype(np.int32): (2.0**31, 0), np.dtype(np.uint8): (2.0**7, 128)}
MAX_CHANNELS = 64
LONG = 1_000  # rows of an array that look like the samples of one clip if there are hardly any columns


class BrokenFileError(ValueError):
    """A sound file that cannot be read."""


@dataclass(frozen=True)
class ArrayClips:
    """Clips in memory.

    Parameters
    ----------
    rows : ndarray or list of ndarray
        One clip each: (samples,) or (channels, samples).
    input_rate : int or None
        Samples per second, as the caller says.
    """

    rows: object
    input_rate: int | None

    def __len__(self):
        return len(self.rows)

    def read(self, i):
        """Read a clip: its samples, float64, with the channels averaged, and its rate."""
        clip = np.asarray(self.rows[i])
        scale, clip = WHITE.get(clip.dtype.newbyteorder("=")), clip.astype(np.float64)
        clip = clip if scale is None else (clip - scale[1]) / scale[0]
        return (clip.mean(0) if clip.ndim == 2 else clip), self.input_rate

    def describe(self, i):
        """Name a clip in messages."""
        return f"X[{i}]"


@dataclass(frozen=True)
class FileClips:
    """Clips in sound files.

    Parameters
    ----------
    rows : list of str
        Paths.
    input_rate : int or None
        Rate that all files must have; None takes each file's own.
    """

    rows: list
    input_rate: int | None

    def __len__(self):
        return len(self.rows)

    def read(self, i):
        """Read a file: its samples, float64, with the channels averaged, and its rate."""
        import soundfile

        try:
            clip, rate = soundfile.read(self.rows[i], dtype="float64", always_2d=True)
        except (OSError, RuntimeError) as error:  # soundfile's own error is a RuntimeError
            lacks = "there is no such file" if not os.path.exists(self.rows[i]) else shorten(error)
            raise BrokenFileError(f"{self.describe(i)} cannot be read ({lacks})") from error
        if self.input_rate not in (None, rate):
            raise ValueError(
                f"{self.describe(i)} has {rate} samples per second, but input_rate={self.input_rate}. Files know their "
                "rate: leave input_rate=None, and they are resampled to sample_rate."
            )
        if not np.isfinite(clip).all():
            raise BrokenFileError(f"{self.describe(i)} contains NaN or infinity")
        return clip.mean(1), rate

    def describe(self, i):
        """Name a file in messages."""
        return f"X[{i}]={show(self.rows[i])}"


def open_clips(X, owner, *, reset, input_rate, fixed_length=True):
    """Open X as clips, and check it in the estimator's name.

    Parameters
    ----------
    X : object
        The caller's X.
    owner : estimator
        The estimator named in messages; it receives or has `n_features_in_` and `feature_names_in_`.
    reset : bool
        Whether `owner` learns from X.
    input_rate : int or None
        Samples per second of arrays.
    fixed_length : bool, default=True
        Whether arrays (n, samples) must have the number of columns of `fit`.

    Returns
    -------
    clips : ArrayClips or FileClips
    fixed_length : bool
        Whether X is an array (n, samples).

    Raises
    ------
    ValueError, TypeError
        If X holds no clips.
    """
    X = unwrap_column(check_container(X, "X", WANTED))
    if sparse.issparse(X):
        raise TypeError("Sparse data was passed for X, but audio is dense. Give X.toarray().")
    refuse_no_signals(X, "clip")
    items = list_items(X)
    paths = None if items is None else find_paths(items)
    if paths is not None:
        check_soundfile()
        forget_columns(owner, reset)
        return FileClips(paths, input_rate), False
    if items is not None:
        X = [as_numbers(item, f"X[{i}]", "clip", WANTED) for i, item in enumerate(items)]
        X = np.stack(X) if are_rows(items, X, None if reset else getattr(owner, "n_features_in_", None)) else X
    is_array = not isinstance(X, list) and getattr(X, "ndim", 2) < 3
    if is_array:
        X = open_array(X, owner, reset, fixed_length)
    else:
        X = [check_clip(np.asarray(clip), i) for i, clip in enumerate(X)]
        forget_columns(owner, reset)
    if input_rate is None:
        raise ValueError(
            "X holds arrays, which do not say how many samples they have per second, and input_rate=None. Set "
            "preprocessor__input_rate to the rate they were recorded with, in Hz (sample_rate is the rate of the "
            "spectrograms)."
        )
    return ArrayClips(X, input_rate), is_array


def forget_columns(owner, reset):
    """Clips of any length have no columns."""
    if reset:
        owner.__dict__.pop("feature_names_in_", None)
        owner.__dict__.pop("n_features_in_", None)


def list_items(X):
    """List the clips of a sequence, or its paths; None if X is an array or a frame of numbers."""
    if isinstance(X, (list, tuple)):
        return X
    return X.tolist() if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "SU" else None


def are_rows(items, clips, length):
    """Whether all items are lists of as many numbers, `length` of them if it is not None: the rows of an array."""
    shapes = {clip.shape for clip in clips}
    return all(isinstance(item, (list, tuple)) for item in items) and shapes == {(length or len(items[0]),)}


def find_paths(items):
    """The paths among the items as strings; None if there are none.

    Raises
    ------
    TypeError
        If only some items are paths, or if there are bytes.
    """
    are_paths = [isinstance(item, (str, os.PathLike)) for item in items]
    if not any(are_paths):
        if items and isinstance(items[0], (bytes, bytearray)):
            raise TypeError(f"X must hold arrays or paths. Got X[0]={show(items[0])}; write it to a file first.")
        return None
    if not all(are_paths):
        i = are_paths.index(2 * sum(are_paths) < len(items))  # the first of the fewer ones
        raise TypeError(f"X must hold paths only, or arrays only. Got X[{i}]={show(items[i])}.")
    return [os.fspath(item) for item in items]


def check_soundfile():
    """Refuse to read files without soundfile."""
    try:
        import soundfile  # noqa: F401
    except (ImportError, OSError) as error:
        raise ImportError(
            f"Reading sound files needs soundfile, which cannot be imported ({error}). Install it: `pip install "
            "'sklearn-twins[audio]'`; or give arrays and preprocessor__input_rate."
        ) from error


def open_array(X, owner, reset, fixed_length):
    """Check an array (n, samples), or a frame with one column for each sample.

    Returns
    -------
    X : ndarray
        Finite numbers.
    """
    integers = find_integers(X)
    with named_errors(X, "clip", WANTED, NO_GAPS, COLUMNS):
        if reset or fixed_length:
            X = validate_data(owner, X, reset=reset, dtype="numeric")
        else:
            X = check_array(X, dtype="numeric", estimator=owner, input_name="X")
        X = X.astype(np.float64) if X.dtype == object else X
        refuse_dates(X, "X", WANTED)
    X = X if integers is None else X.astype(integers)
    if len(X) >= LONG and X.shape[1] <= 8:
        raise ValueError(
            f"X has the shape {X.shape}: {len(X):,} clips of {X.shape[1]} samples. If it is one recording with "
            f"{X.shape[1]} channels, give [X.T]; if it holds clips, give an array (n, samples)."
        )
    return X


def find_integers(X):
    """NumPy's type of a frame of integers of one type that `WHITE` has; validation makes floats of nullable ones."""
    frame = as_frame(X, "X")
    types = set(frame.schema.values()) if isinstance(frame, nw.DataFrame) else set()
    return np.dtype(str(types.pop()).lower()) if types in ({nw.Int16}, {nw.Int32}, {nw.UInt8}) else None


def check_clip(clip, i):
    """Check one clip: finite, with one axis, or (channels, samples)."""
    if clip.ndim not in (1, 2):
        raise ValueError(f"X[{i}] has the shape {clip.shape}. Give a clip as (samples,) or (channels, samples).")
    if clip.size == 0:
        raise ValueError(f"X[{i}] is empty: its shape is {clip.shape}. Leave clips without samples out of X.")
    if clip.ndim == 2 and clip.shape[0] > min(clip.shape[1], MAX_CHANNELS):
        raise ValueError(
            f"X[{i}] has the shape {clip.shape}, which would be {clip.shape[0]:,} channels of {clip.shape[1]} samples. "
            "Channels come first: give the clip transposed, or its mean over the channels."
        )
    if clip.dtype.kind == "f" and not np.isfinite(clip).all():
        what = "NaN" if np.isnan(clip).any() else "infinity"
        raise ValueError(f"Input X contains {what}, in X[{i}]. {NO_GAPS}")
    return clip

"""AudioPreprocessor: clips in memory or in files become log-mel spectrograms; learns their mean and deviation."""

import math
import warnings
from contextlib import closing
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._inputs._feature_names import share_names
from .._parts._preprocessor import Preprocessor
from .._runtime._progress_bar import with_progress
from ._clips import Clips
from ._log_mel import MIN_FRAMES, FrontEnd, log_mel, make_filters
from ._sources import BrokenFileError, open_clips
from ._spec import AudioSpec

CROP = 0.95  # seconds, as published
USUAL = 0.9  # share of the clips that are no longer than the cut, if that is shorter
CLIPS_AT_A_TIME = 64
WORDS = "reading", "clips", "read"
MIN_STD = 1e-6
NYQUIST_SHARE = 0.4875  # of the sampling rate: 7,800 Hz at 16 kHz, as published


class AudioPreprocessor(Preprocessor):
    """Turn sound into log-mel spectrograms: recordings of unequal length, in arrays or in files.

    X may be

    - a list of arrays (samples,), or (channels, samples), of any lengths, or a frame with one column of them;
    - an array (n, samples) or (n, channels, samples), or a frame with one column for each sample;
    - a list of paths of sound files (WAV, FLAC, OGG, MP3), or a frame with one column of them. This needs soundfile:
      ``pip install 'sklearn-twins[audio]'``.

    Channels are averaged. Integers of 16 and 32 bits become fractions of their largest value, and bytes as WAV files
    have them, from 128 on; other numbers are taken as they are. A file knows its sampling rate; of an array only you
    do, so that `input_rate` has to be given. Clips with another rate than `sample_rate` are resampled.

    The spectrogram is that of BYOL for Audio: power in triangular bands that are equally wide in mel ("htk", not
    normalised), of a Hann window, and its logarithm. It is computed once, in float64, and standardised by one mean and
    one deviation. An hour of audio takes 92 MB in float32, and half of that in float16.

    In `fit`, views are made from random cuts of `crop` seconds. `transform` embeds whole clips, each at its own
    length: without padding, and independent of the other clips to the bit.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sampling rate of the spectrograms, in Hz. A lower one than that of the recordings drops high frequencies; a
        higher one gains nothing.
    input_rate : int or None, default=None
        Sampling rate of arrays, in Hz; it must be given for them. For files None takes each file's own rate; a number
        refuses files with another one.
    n_mels : int, default=64
        Number of mel bands.
    window : float, default=0.064
        Length of the window, in seconds.
    hop : float, default=0.01
        Time from one frame to the next, in seconds.
    f_min : float, default=60.0
        Lowest frequency, in Hz.
    f_max : float or "auto", default="auto"
        Highest frequency, in Hz. "auto" is 0.4875 of the sampling rate.
    crop : float or "auto", default="auto"
        Length of the cuts in `fit`, in seconds. "auto" is 0.95, or less if nine of ten clips are shorter.
    max_length : float, default=10.0
        Most seconds of a clip that `fit` uses: of longer ones, the middle. It limits the memory that a batch takes;
        `transform` uses whole clips.
    dtype : {"float32", "float16"}, default="float32"
        Type in which spectrograms are kept.
    on_broken : {"raise", "skip"}, default="raise"
        Treatment of files that cannot be read. "raise" raises an error. "skip" warns; it leaves the file out of `fit`,
        and in `transform`, which returns one row per clip, it replaces the file by a short clip of the mean spectrum.

    Attributes
    ----------
    mean_ : float
        Mean of the log-mel values over all frames in `fit`.
    std_ : float
        Their standard deviation; 1 if they are constant.
    spec_ : AudioSpec
        Description of the spectrograms.
    n_features_in_ : int
        Number of samples of a clip in an array (n, samples), which `transform` then expects in arrays; of clips of
        unequal length or in files, the number of mel bands.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in `fit`, if X had any.

    Notes
    -----
    A clip that is shorter than a window is continued with silence. A silent clip is embedded like any other.
    Resampling is SciPy's `resample_poly`.

    References
    ----------
    Niizumi, Takeuchi, Ohishi, Harada and Kashino, "BYOL for Audio: Exploring Pre-Trained General-Purpose Audio
    Representations", IEEE/ACM TASLP 2023, section IV-A.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_twins.preprocessing import AudioPreprocessor
    >>> rng = np.random.default_rng(0)
    >>> clips = [rng.normal(size=n) for n in (4_000, 8_000, 12_000)]  # half a second and more
    >>> preprocessor = AudioPreprocessor(8_000, input_rate=8_000)
    >>> spectrograms = preprocessor.fit_transform(clips)
    >>> spectrograms.lengths, spectrograms[:2].shape  # frames of 10 ms; NaN behind a clip's end
    (array([ 51, 101, 151]), (2, 64, 151))
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Integral, 100, None, closed="left")],
        "input_rate": [Interval(Integral, 100, None, closed="left"), None],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "window": [Interval(Real, 0, 10, closed="neither")],
        "hop": [Interval(Real, 0, 10, closed="neither")],
        "f_min": [Interval(Real, 0, None, closed="left")],
        "f_max": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "crop": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_length": [Interval(Real, 0, None, closed="neither")],
        "dtype": [StrOptions({"float32", "float16"})],
        "on_broken": [StrOptions({"raise", "skip"})],
    }

    def __init__(
        self,
        sample_rate=16_000,
        *,
        input_rate=None,
        n_mels=64,
        window=0.064,
        hop=0.01,
        f_min=60.0,
        f_max="auto",
        crop="auto",
        max_length=10.0,
        dtype="float32",
        on_broken="raise",
    ):
        self.sample_rate = sample_rate
        self.input_rate = input_rate
        self.n_mels = n_mels
        self.window = window
        self.hop = hop
        self.f_min = f_min
        self.f_max = f_max
        self.crop = crop
        self.max_length = max_length
        self.dtype = dtype
        self.on_broken = on_broken

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : AudioPreprocessor
            The object itself.

        Raises
        ------
        ValueError
            If a parameter is invalid, or if a band would be empty.
        """
        super().check()
        front, rate = self._front(), self.sample_rate
        if not front.f_min < front.f_max <= rate / 2:
            raise ValueError(
                f"f_min={self.f_min!r} must be below f_max={self.f_max!r}, and both at most half of sample_rate={rate} "
                f"(f_max='auto' is {NYQUIST_SHARE * rate:.0f} Hz)."
            )
        if not 1 <= front.hop <= front.window:
            raise ValueError(
                f"hop={self.hop} must be at least one sample, {1 / rate:.2g} s, and at most window={self.window}."
            )
        make_filters(front)
        return self

    def _learn(self, X, owner):
        clips, self._fixed_length = open_clips(X, owner, reset=True, input_rate=self.input_rate)
        spectrograms = [s for s in self._read(clips, owner) if s is not None]
        if not spectrograms:
            raise ValueError("X holds no clips that can be read. Give at least two.")
        frames, lengths = join(spectrograms)
        self.mean_, std = float(frames.mean()), float(frames.std())
        if not np.isfinite(std):
            raise ValueError("X holds values whose squares are infinite. Divide the clips by a constant.")
        self.std_ = std if std > MIN_STD else 1.0
        if not hasattr(owner, "n_features_in_"):
            owner.n_features_in_ = int(self.n_mels)
        self.spec_ = AudioSpec((int(self.n_mels), self._crop_frames(lengths)), hop=float(self.hop))
        share_names(owner, self)
        return self._samples(frames, lengths, to_fit=True)

    def _make_samples(self, X, owner, to_fit):
        fitted = {"input_rate": self.input_rate, "fixed_length": self._fixed_length}
        spectrograms = list(self._read(open_clips(X, owner, reset=False, **fitted)[0], owner))
        blank = np.full((MIN_FRAMES, self.n_mels), self.mean_)
        kept = [blank if s is None else s for s in spectrograms if s is not None or not to_fit]
        return self._samples(*join(kept, self.n_mels), to_fit=to_fit)

    def _front(self):
        rate = int(self.sample_rate)
        f_max = NYQUIST_SHARE * rate if isinstance(self.f_max, str) else float(self.f_max)
        window, hop = round(self.window * rate), round(self.hop * rate)
        return FrontEnd(rate, int(self.n_mels), max(1, window), hop, float(self.f_min), f_max)

    def _crop_frames(self, lengths):
        """Frames of a cut."""
        front = self._front()
        if not isinstance(self.crop, str):
            return max(MIN_FRAMES, 1 + int(self.crop * front.sample_rate) // front.hop)
        published = 1 + int(CROP * front.sample_rate) // front.hop
        usual = math.ceil(np.quantile(lengths, USUAL) / MIN_FRAMES) * MIN_FRAMES
        return max(MIN_FRAMES, min(published, usual))

    def _read(self, clips, owner):
        """Compute the spectrogram of each clip; None for a file that is skipped."""
        import torch

        from .._runtime._devices import choose_device
        from .._runtime._storage import prefetch
        from .._runtime._torch_state import isolated_torch_state

        front, device = self._front(), choose_device(getattr(owner, "device", "cpu"))
        blocks = [range(i, min(i + CLIPS_AT_A_TIME, len(clips))) for i in range(0, len(clips), CLIPS_AT_A_TIME)]
        read = prefetch(lambda rows: [self._open(clips, i, front) for i in rows], blocks)
        verbose = int(getattr(owner, "verbose", 0))
        with isolated_torch_state(device, 1), torch.inference_mode(), closing(read):
            for block in with_progress(read, CLIPS_AT_A_TIME, len(clips), verbose, WORDS):
                for clip in block:
                    yield None if clip is None else log_mel(clip, front, device)

    def _open(self, clips, i, front):
        """One clip at the sampling rate of the spectrograms; None for a file that is skipped."""
        try:
            clip, rate = clips.read(i)
            if not len(clip):
                raise BrokenFileError(f"{clips.describe(i)} is empty")
        except BrokenFileError as error:
            if self.on_broken == "raise":
                raise ValueError(f"{error}. Remove it, or set preprocessor__on_broken='skip'.") from error
            warnings.warn(f"{error}. It is skipped.", UserWarning, stacklevel=2)
            return None
        if rate != front.sample_rate:
            from scipy.signal import resample_poly

            shared = math.gcd(rate, front.sample_rate)
            clip = resample_poly(clip, front.sample_rate // shared, rate // shared)
        return np.ascontiguousarray(clip)

    def _samples(self, frames, lengths, *, to_fit=False):
        """Standardise frames in place, and make samples of them."""
        frames = ((frames - self.mean_) / self.std_).astype(self.dtype)
        longest = None
        if to_fit:
            front = self._front()
            longest = max(self.spec_.shape[1], 1 + int(self.max_length * front.sample_rate) // front.hop)
        return Clips(frames, lengths, longest)


def join(spectrograms, n_mels=None):
    """Put spectrograms end to end.

    Returns
    -------
    frames : ndarray of shape (total, n_mels), float64
    lengths : ndarray of shape (n,), int64
    """
    lengths = np.array([len(s) for s in spectrograms], dtype=np.int64)
    return (np.concatenate(spectrograms) if spectrograms else np.empty((0, n_mels))), lengths

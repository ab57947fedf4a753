"""SeriesPreprocessor: arrays, frames and lists of unequal length become samples; learns scales and kernels."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._inputs._feature_names import replace_columns, share_names
from .._parts._preprocessor import Preprocessor
from ._lengths import check_room, find_length, fit_length
from ._reading import check_channels, read_series
from ._spec import SeriesSpec

ROWS_VALUES = 2**20  # values that are scaled at a time, in float64
MOST_PADDED_VALUES = 2**27  # half a GiB of samples


class SeriesPreprocessor(Preprocessor):
    """Turn time series into samples of equal length.

    X may be

    - an array (n, length) or a frame with one column for each step, for series of one channel;
    - an array (n, channels, length), as aeon has it; other orders need `layout`;
    - a list of arrays (channels, length_i) or (length_i,) of unequal length;
    - a memory map of one of these shapes, which is read as a whole.

    NaN is a missing step. If any channel is missing at a step, the whole step is. Shorter series are padded at the end
    to the length of the longest one in `fit`. If there are missing or padded steps in `fit`, all samples get one more
    channel that marks the steps that are there, and values are 0 elsewhere; nothing is guessed.

    Parameters
    ----------
    scaling : {"channel", "series"}, default="channel"
        What gets mean 0 and standard deviation 1: each channel over all training series, or each channel of each series
        for itself, which drops its level and size. A constant channel becomes 0.
    layout : {"channels_first", "channels_last"}, default="channels_first"
        Order of the axes of series with channels: (n, channels, length), or (n, length, channels).
    max_length : int or None, default=None
        Largest number of steps. None is the longest series in `fit`.
    longer : {"raise", "cut", "resample"}, default="raise"
        Treatment of series with more steps than `max_length`, or than the longest one in `fit`. "cut" takes the first
        steps. "resample" brings such a series to that length by averages of neighbours.
    masked : "auto" or bool, default="auto"
        Whether steps may be missing. "auto" is True if any are in `fit`. If it is False, missing ones are refused.
    n_kernel_features : int, default=10_000
        Number of features of MiniRocket's kernels, of which there are 84 in each layer: it is rounded down to a
        multiple of 84. Every other layer sees the differences from step to step instead of the values, as in
        MultiRocket. The features stand next to the embedding, and some of them are the input of the default encoder, as
        many as its own `n_kernel_features`. 0 for none. A pair of layers sees one channel. With fewer pairs than
        channels it sees sums, in which opposite channels cancel out: give at least 168 for each channel.

    Attributes
    ----------
    mean_ : ndarray of shape (n_channels,), float64
        Mean of each channel in `fit`; 0 if ``scaling="series"``.
    scale_ : ndarray of shape (n_channels,), float64
        Standard deviation of each channel in `fit`; 1 if ``scaling="series"``, or if the channel is constant.
    spec_ : SeriesSpec
        Description of the samples.
    n_features_in_ : int
        Number of values of a series: channels times length.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in `fit`, if X had any.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_twins.preprocessing import SeriesPreprocessor
    >>> X = [np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 1.0, 3.0, 4.0, 5.0]])]
    >>> samples = SeriesPreprocessor().fit_transform(X)
    >>> samples.shape
    (2, 2, 5)
    >>> samples[0, 1]  # the mark of the steps that are there
    array([1., 1., 1., 0., 0.], dtype=float32)
    """

    _parameter_constraints: dict = {
        "scaling": [StrOptions({"channel", "series"})],
        "layout": [StrOptions({"channels_first", "channels_last"})],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "longer": [StrOptions({"raise", "cut", "resample"})],
        "masked": [StrOptions({"auto"}), "boolean"],
        "n_kernel_features": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        scaling="channel",
        layout="channels_first",
        max_length=None,
        longer="raise",
        masked="auto",
        n_kernel_features=10_000,
    ):
        self.scaling = scaling
        self.layout = layout
        self.max_length = max_length
        self.longer = longer
        self.masked = masked
        self.n_kernel_features = n_kernel_features

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : SeriesPreprocessor
            The object itself.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        super().check()
        if 0 < self.n_kernel_features < 84:
            raise ValueError(
                "The 'n_kernel_features' parameter of SeriesPreprocessor must be 0 or at least 84. Got "
                f"{self.n_kernel_features} instead."
            )
        return self

    def _learn(self, X, owner):
        series, is_flat = read_series(X, owner, reset=True, layout=self.layout)
        n_channels, length = check_channels(series), find_length(series, self.max_length)
        check_room(series, length, MOST_PADDED_VALUES)
        if n_channels > length and self.layout == "channels_first":
            warnings.warn(
                f"X is taken for series of {n_channels} channels and {length} steps. If the channels stand behind the "
                "steps, set preprocessor__layout='channels_last'.",
                UserWarning,
                stacklevel=3,
            )
        if not is_flat:
            replace_columns(owner, n_channels * length)
        share_names(owner, self)
        samples = np.zeros((len(series), n_channels + 1, length), dtype=np.float32)
        self.mean_, self.scale_ = np.zeros(n_channels), np.ones(n_channels)
        if self.scaling == "channel":
            self._learn_scales(series, length)
        masked = True if self.masked == "auto" else bool(self.masked)
        self._write(series, samples, masked)
        masked = masked and (self.masked != "auto" or not samples[:, -1].all())
        if not masked:
            samples = np.ascontiguousarray(samples[:, :-1])
        self.spec_ = SeriesSpec(samples.shape[1:], masked, self._fit_kernels(samples, masked))
        return samples

    def _make_samples(self, X, owner, to_fit):
        spec = self.spec_
        series, _ = read_series(X, owner, reset=False, layout=self.layout)
        check_channels(series, spec.n_channels)
        samples = np.zeros((len(series), *spec.shape), dtype=np.float32)
        self._write(series, samples, spec.masked)
        return samples

    def _fit_kernels(self, samples, masked):
        if self.n_kernel_features == 0:
            return None
        import torch

        from .._runtime._torch_state import isolated_torch_state
        from ._kernel_features import fit_kernels

        with isolated_torch_state(torch.device("cpu"), 1):
            return fit_kernels(samples, SeriesSpec(samples.shape[1:], masked), self.n_kernel_features)

    def _blocks(self, series, length):
        """Iterate over some series at a time, brought to a length: rows, and values with NaN where missing."""
        if isinstance(series, np.ndarray):
            n_rows = max(1, ROWS_VALUES // (series.shape[1] * series.shape[2]))
            for start in range(0, len(series), n_rows):
                rows = slice(start, start + n_rows)
                yield rows, fit_length(series[rows].astype(np.float64), length, self.longer, "X")
        else:
            for i, one in enumerate(series):
                values = fit_length(one.astype(np.float64), length, self.longer, f"X[{i}]")
                yield slice(i, i + 1), values[None]

    def _learn_scales(self, series, length):
        """Mean and standard deviation of each channel over all steps that are there, in two passes."""
        total, n = np.zeros_like(self.mean_), 0
        with np.errstate(over="ignore", invalid="ignore"):
            for _, values in self._blocks(series, length):
                there = find_steps(values)
                total += np.where(there, values, 0.0).sum((0, 2))
                n += there.sum()
            self.mean_ = total / max(n, 1)
            square = np.zeros_like(total)
            for _, values in self._blocks(series, length):
                centered = np.where(find_steps(values), values - self.mean_[:, None], 0.0)
                square += np.square(centered).sum((0, 2))
        if not np.isfinite(square).all():
            channel = int((~np.isfinite(square)).argmax())
            raise ValueError(f"Channel {channel} of X holds values whose squares are infinite. Divide X by a constant.")
        self.scale_ = positive(np.sqrt(square / max(n, 1)), self.mean_)

    def _write(self, series, samples, masked):
        """Scale series into samples, and mark the steps that are there."""
        n_channels, length = len(self.mean_), samples.shape[2]
        for rows, values in self._blocks(series, length):
            there = find_steps(values)  # (rows, 1, length)
            if not there.all():
                refuse_missing(there, rows.start, masked)
            values = np.where(there, values, 0.0) if self.scaling == "series" else values
            mean, scale = self.mean_[:, None], self.scale_[:, None]
            if self.scaling == "series":
                n = there.sum(2, keepdims=True)  # (rows, 1, 1)
                mean = values.sum(2, keepdims=True) / n
                square = np.where(there, np.square(values - mean), 0.0).sum(2, keepdims=True)
                scale = positive(np.sqrt(square / n), mean)
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = np.where(there, (values - mean) / scale, 0.0).astype(np.float32)
            refuse_overflow(scaled, rows.start)
            samples[rows, :n_channels] = scaled
            if masked:
                samples[rows, n_channels:] = there

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags


def find_steps(values):
    """Which steps are there: those with a value in each channel.

    Shape
    -----
    (rows, channels, length) -> (rows, 1, length), bool
    """
    return ~np.isnan(values).any(1, keepdims=True)


def positive(scale, mean):
    """Replace standard deviations that are 0 up to rounding by 1."""
    return np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)


def refuse_missing(there, start, masked):
    """Refuse missing steps that nothing would mark, and series without any complete step."""
    lacking = ~there[:, 0].all(1)  # (rows,)
    if not masked:
        raise ValueError(
            f"X[{start + int(lacking.argmax())}] has missing steps (NaN), or is shorter than the series in fit, and "
            "such steps are not marked: none was missing in fit. Fit with preprocessor__masked=True."
        )
    empty = ~there[:, 0].any(1)
    if empty.any():
        raise ValueError(
            f"X[{start + int(empty.argmax())}] has no step at which all channels are there. Leave it out, or leave out "
            "the channels that are missing."
        )


def refuse_overflow(scaled, start):
    """Refuse values that are too large once they are scaled."""
    finite = np.isfinite(scaled).all((1, 2))
    if not finite.all():
        raise ValueError(
            f"X[{start + int((~finite).argmax())}] holds values that are too large for float32 once they are scaled. "
            "Divide X by a constant first."
        )

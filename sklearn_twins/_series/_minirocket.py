"""MiniRocketEncoder, the default encoder for time series: fixed kernels and a multilayer perceptron on top."""

from dataclasses import replace
from numbers import Integral

from sklearn.utils._param_validation import Interval
from torch import nn

from .._parts._encoder import Encoder
from .._parts._projector import check_widths, hidden_layers
from ._encoder import check_series_spec
from ._kernel_features import KernelFeatures


class MiniRocketEncoder(Encoder):
    """Encode time series with the fixed kernels of MiniRocket and a multilayer perceptron on top.

    The kernels are convolutions of length 9 with dilations up to the length of the series. A feature is the share of
    time steps at which a kernel's output is above a threshold, so that it says how often a pattern occurs, and not
    when. Only the perceptron is trained. The preprocessor fits the thresholds of the kernels.

    Parameters
    ----------
    hidden_dims : tuple of int, default=(512, 256)
        Widths of the hidden layers. The last one is the width of the embedding, unless `n_components` is set: then a
        linear layer of that width is added.
    n_kernel_features : int, default=1_000
        Largest number of features that the perceptron sees, rounded down to a multiple of 84. The preprocessor may make
        more of them, as many as its own `n_kernel_features`, which only stand next to the embedding: training computes
        the features of each view, which takes most of its time. If there are more, the perceptron sees none of the
        differences from step to step.

    References
    ----------
    Dempster, Schmidt and Webb, "MINIROCKET: A Very Fast (Almost) Deterministic Transform for Time Series
    Classification", KDD 2021.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_twins.networks import MiniRocketEncoder
    >>> from sklearn_twins.preprocessing import SeriesPreprocessor
    >>> X = np.sin(np.arange(60).reshape(3, 20))
    >>> preprocessor = SeriesPreprocessor(n_kernel_features=168).fit(X)
    >>> encoder = MiniRocketEncoder(hidden_dims=(32,)).build(preprocessor.spec_, 8, torch.Generator().manual_seed(0))
    >>> encoder(torch.from_numpy(preprocessor.transform(X))).shape
    torch.Size([3, 8])
    """

    _parameter_constraints: dict = {
        "hidden_dims": [tuple, list],
        "n_kernel_features": [Interval(Integral, 84, None, closed="left")],
    }

    def __init__(self, hidden_dims=(512, 256), n_kernel_features=1_000):
        self.hidden_dims = hidden_dims
        self.n_kernel_features = n_kernel_features

    def check(self):
        """Check the hyper-parameters.

        Returns
        -------
        self : MiniRocketEncoder
            The object itself.

        Raises
        ------
        ValueError
            If `hidden_dims` is empty or does not hold positive integers.
        """
        super().check()
        check_widths(self)
        if not self.hidden_dims:
            raise ValueError("The 'hidden_dims' parameter of MiniRocketEncoder is empty; give at least one width.")
        return self

    def _check_spec(self, spec):
        check_series_spec(self, spec)
        if spec.kernels is None:
            raise ValueError(
                f"encoder={self!r} needs the thresholds of its kernels, which SeriesPreprocessor fits. Got "
                "n_kernel_features=0: set preprocessor__n_kernel_features to at least 84, or use another encoder."
            )

    def _make(self, spec):
        stem = KernelFeatures(replace(spec, kernels=spec.kernels.thin(self.n_kernel_features, spec.n_channels)))
        layers = [nn.BatchNorm1d(stem.width), *hidden_layers(stem.width, self.hidden_dims)]
        return stem, layers, self.hidden_dims[-1]

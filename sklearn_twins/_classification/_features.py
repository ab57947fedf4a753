"""What linear models and the head see of a row: the encoder's output and, for tables, the scaled columns."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .._inference._output import Output
from .._modalities import record_of


@dataclass(frozen=True)
class Features:
    """Features of rows by any encoder, with the scales of the pretrained embedder.

    Parameters
    ----------
    output : Output
        Of the pretrained embedder.
    spec : SampleSpec
        What a sample is.
    precision, n_jobs
        See `embed`.
    """

    output: Output
    spec: object
    precision: str
    n_jobs: int | None

    @classmethod
    def of(cls, embedder):
        """The features of a fitted embedder."""
        return cls(embedder._output, embedder.preprocessor_.spec_, embedder.precision, embedder.n_jobs)

    @property
    def scale(self):
        """Factors that turn unscaled features into what `transform` returns.  # (n_features,), float32"""
        ones = np.ones(self.output.width, dtype=np.float32)
        scales = (ones if self.output.scale is None else self.output.scale, self.output.column_scale)
        return np.concatenate([scale for scale in scales if scale is not None])

    @property
    def unscaled(self):
        """The output without its scales."""
        if self.output.column_scale is None:
            return Output(self.output.width)
        return Output(self.output.width, *map(np.ones_like, (self.output.scale, self.output.column_scale)))

    def compute(self, encoder, samples, verbose=0):
        """Compute unscaled features.

        Shape
        -----
        (n, *sample_shape) -> (n, n_features), float32
        """
        return self.unscaled.compute(encoder, samples, self.spec, self.precision, self.n_jobs, verbose)

    def make_columns(self):
        """Make the module from samples to their unscaled columns; None without columns."""
        return None if self.output.column_scale is None else record_of(self.spec).passthrough.make_module(self.spec)


class Head(nn.Module):
    """Linear layer on features that are scaled and centred within.

    Its weights are stored divided by `speed`: with an optimizer such as Adam, whose steps do not depend on the size of
    gradients, they move that many times faster than the encoder's.

    Parameters
    ----------
    coef : ndarray of shape (n_classes, n_features), float32
        Initial weights on scaled features.
    intercept : ndarray of shape (n_classes,), float32
        Initial intercepts, on features that are not centred.
    scale, mean : ndarray of shape (n_features,), float32
        Factor of each feature, and mean of each scaled feature.
    speed : float
        See above.

    Shape
    -----
    (batch, n_features), unscaled -> (batch, n_classes), logits
    """

    def __init__(self, coef, intercept, scale, mean, speed):
        super().__init__()
        self.speed = speed
        self.weight = nn.Parameter(torch.from_numpy(coef / speed))
        self.bias = nn.Parameter(torch.from_numpy((intercept + coef @ mean) / speed))
        self.register_buffer("scale", torch.from_numpy(scale.copy()))
        self.register_buffer("mean", torch.from_numpy(mean.copy()))

    def forward(self, features):
        return self.speed * nn.functional.linear(features * self.scale - self.mean, self.weight, self.bias)

    def penalty(self):
        """Squared norm of the weights, as logistic regression counts it: for two classes, of their difference."""
        square = (self.speed * self.weight).square().sum()
        return 2 * square if len(self.weight) == 2 else square

    def unscaled(self):
        """Weights and intercepts on unscaled features that are not centred, as arrays."""
        coef, intercept = self.speed * self.weight.detach(), self.speed * self.bias.detach()
        found = (coef * self.scale, intercept - coef @ self.mean)
        return tuple(tensor.cpu().numpy().copy() for tensor in found)

"""MultiViewSpec: where the views of a row are in a sample, and the spec of each."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._parts._spec import SampleSpec
from ._record import MULTI_VIEW


@dataclass(frozen=True)
class ViewSpec:
    """One view in a sample.

    Parameters
    ----------
    name : str
        The view's name.
    spec : SampleSpec
        Spec of the view's own samples.
    start, stop : int
        The values of a sample that belong to the view.
    passes_columns : bool
        Whether `transform` puts the view's columns next to its embedding.
    """

    name: str
    spec: SampleSpec
    start: int
    stop: int
    passes_columns: bool

    @property
    def n_values(self):
        """Number of values of the view's own sample."""
        return math.prod(self.spec.shape)

    def take(self, samples):
        """The view's samples.

        Shape
        -----
        (n, values) -> (n, *spec.shape), for arrays and tensors
        """
        return samples[:, self.start : self.stop].reshape(samples.shape[0], *self.spec.shape)


@dataclass(frozen=True)
class MultiViewSpec(SampleSpec):
    """A sample of several views: the values of each view, then for each view 1, or 0 where it is missing.

    Parameters
    ----------
    shape : tuple of (int,)
        Number of values of a sample.
    views : tuple of ViewSpec, default=()
        The views, in the order of their values.
    has_missing : bool, default=False
        Whether a view is missing in a training row.
    """

    views: tuple = ()
    has_missing: bool = False

    record: ClassVar = MULTI_VIEW

    @property
    def n_projections(self):
        """Number of projections of a sample: one for each view."""
        return len(self.views)

    def presence(self, samples):
        """Which views each sample has.

        Shape
        -----
        (n, values) -> (n, n_views), bool
        """
        return samples[:, self.shape[0] - len(self.views) :] > 0

    def subset(self, names):
        """The spec of samples with these views only.

        Parameters
        ----------
        names : collection of str
            Names of views.

        Returns
        -------
        spec : MultiViewSpec
        """
        views, start = [], 0
        for view in self.views:
            if view.name in names:
                stop = start + view.stop - view.start
                views.append(ViewSpec(view.name, view.spec, start, stop, view.passes_columns))
                start = stop
        return MultiViewSpec((start + len(views),), tuple(views), self.has_missing)

    def complete(self, samples):
        """The samples that have all views, for a look at the joint embedding.  # (n, values) -> (n_complete, values)"""
        rows = np.asarray(self.presence(samples)).all(1)
        return samples if rows.all() else samples[rows]

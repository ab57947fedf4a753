"""Views of series with a mark of missing steps, by augmentations that do not know of the mark."""

import torch

from .._parts._augmentation import Chain, compiled_by, view_of
from .._parts._two_views import Pair, make_views
from ._operations import SeriesOperations


def mark_views(augmentation):
    """Make a bound augmentation keep the mark; views of series do, and chains and pairs of what is bound already."""
    is_bound = isinstance(augmentation, (SeriesOperations, Chain, Pair))
    return augmentation if is_bound else MarkedViews(augmentation)


class MarkedViews:
    """An augmentation, whose views have a mark of 0 and 1, and values of 0 where it is 0.

    Parameters
    ----------
    augmentation : callable
        Bound augmentation. If it changes values one by one, the steps that are there stay the same; the marks of others
        are rounded.
    """

    def __init__(self, augmentation):
        self.augmentation = augmentation
        self.keeps_mark = getattr(augmentation, "_is_by_value", False)

    def compiled_by(self, compiled):
        """Compile the slow parts of the augmentation."""
        return MarkedViews(compiled_by(self.augmentation, compiled))

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, channels with the mark, length); data : (n, channels with the mark, length); returns as x
        """
        return self.mend(view_of(self.augmentation, x, data, generator), x)

    def make_both(self, first, second, data, generator):
        """Make both views; `second` is `first` itself unless it holds other rows.

        Shape
        -----
        first, second : (batch, channels with the mark, length); returns 2 x (batch, channels with the mark, length)
        """
        views = make_views(self.augmentation, first, data, generator, None if second is first else second)
        return tuple(map(self.mend, views, (first, second)))

    def mend(self, view, x):
        """Put the mark of a view right, and hide what is missing; anything but a view is refused later."""
        if not isinstance(view, torch.Tensor) or view.shape != x.shape:
            return view
        there = (x if self.keeps_mark else view)[:, -1:] > 0.5  # (batch, 1, length)
        return torch.cat([torch.where(there, view[:, :-1], 0), there.to(view.dtype)], dim=1)
